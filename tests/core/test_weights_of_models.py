"""The cases of damaged and wrapped weights, through the loaders of the product's own models."""

from pathlib import Path

import pytest
import torch

from badood.config import CHECKOUT, load_config
from badood.core import weights
from badood.core.errors import BadWeights
from badood.encode.features import Encoder, load_encoder

SHIPPED = CHECKOUT / "assets" / "weights" / "miniworld" / "encoder.safetensors"


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    return weights.read(SHIPPED)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod."])
def test_an_encoder_that_was_wrapped_loads(state: dict[str, torch.Tensor], prefix: str, tmp_path: Path) -> None:
    weights.save(tmp_path / "in.safetensors", {prefix + name: tensor for name, tensor in state.items()})
    cfg = load_config("miniworld").encoder
    again, shipped = load_encoder(tmp_path / "in.safetensors", cfg), load_encoder(SHIPPED, cfg)
    torch.testing.assert_close(again.state_dict(), shipped.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize("prefix", ["", "module.", "module._orig_mod."])
def test_a_moco_checkpoint_loads_with_any_wrapping(prefix: str, tmp_path: Path) -> None:
    """As MoCo-v3's own training writes it, from one GPU or several."""
    cfg = load_config("miniworld").encoder
    encoder = Encoder(cfg)
    state = {f"{prefix}base_encoder.{name.removeprefix('backbone.')}": tensor for name, tensor in encoder.state_dict().items()}
    state |= {f"{prefix}momentum_encoder.x": torch.zeros(1), f"{prefix}predictor.0.weight": torch.zeros(1)}
    torch.save({"epoch": 1, "state_dict": state}, tmp_path / "own.pth.tar")
    torch.testing.assert_close(load_encoder(tmp_path / "own.pth.tar", cfg).state_dict(), encoder.state_dict(), rtol=0, atol=0)


def test_an_encoder_with_a_number_that_is_none_is_refused(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    state["head.0.weight"][:] = float("nan")
    weights.save(tmp_path / "in.safetensors", state)
    with pytest.raises(BadWeights, match=r"in\.safetensors: head\.0\.weight holds .* not finite"):
        load_encoder(tmp_path / "in.safetensors", load_config("miniworld").encoder)


def test_a_pointer_in_place_of_an_encoder_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "in.pth").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n")
    with pytest.raises(BadWeights, match="Git LFS pointer"):
        load_encoder(tmp_path / "in.pth", load_config("miniworld").encoder)
