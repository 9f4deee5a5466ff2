import os
import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from badood.core import weights
from badood.core.errors import BadWeights


class Bomb:
    """Runs code when unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch /tmp/badood-bomb",)


def test_round_trip_in_half_precision(tmp_path: Path) -> None:
    module, path = nn.Linear(3, 2), tmp_path / "m.safetensors"
    weights.save(path, module.state_dict(), half=True, model="m")
    other = nn.Linear(3, 2)
    weights.load_strict(other, weights.read(path), path)
    assert other.weight.dtype == torch.float32
    assert torch.allclose(other.weight, module.weight, atol=1e-3)


def test_every_misfit_is_listed_by_name(tmp_path: Path) -> None:
    state = {"weight": torch.zeros(2, 4), "scale": torch.zeros(1)}
    with pytest.raises(BadWeights) as caught:
        weights.load_strict(nn.Linear(3, 2), state, "some.pth")
    for part in ("some.pth", "bias", "scale", "weight", "(2, 4)", "(2, 3)"):
        assert part in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\x80\x04 not a checkpoint", b"PK\x03\x04 truncated"])
def test_a_broken_checkpoint_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.pth"
    path.write_bytes(content)
    with pytest.raises(BadWeights, match=r"broken\.pth"):
        weights.read_foreign(path)


def test_pickled_code_is_refused_and_not_run(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pth"
    torch.save({"model": Bomb()}, path, pickle_module=pickle)
    with pytest.raises(BadWeights, match=r"bomb\.pth"):
        weights.read_foreign(path)
    assert not Path("/tmp/badood-bomb").exists()


def test_missing_and_truncated_safetensors_are_named(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    with pytest.raises(BadWeights, match="does not exist"):
        weights.read(path)
    weights.save(path, {"a": torch.zeros(100)})
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(BadWeights, match="not a whole safetensors file"):
        weights.read(path)
