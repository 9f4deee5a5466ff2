import argparse
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
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


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.module."])
def test_what_wraps_a_network_is_no_part_of_its_names(tmp_path: Path, prefix: str) -> None:
    module = nn.Linear(3, 2)
    wrapped = {prefix + name: tensor for name, tensor in module.state_dict().items()}
    weights.save(tmp_path / "m.safetensors", wrapped)
    torch.save({"model": wrapped, "epoch": 3}, tmp_path / "m.pth")
    for state in (weights.read(tmp_path / "m.safetensors"), weights.read_entry(tmp_path / "m.pth", "model")):
        weights.load_strict(nn.Linear(3, 2), state, "m")
    torch.save(wrapped, tmp_path / "bare.pth")
    assert set(weights.read_foreign(tmp_path / "bare.pth")) == {"weight", "bias"}


def test_a_prefix_that_some_names_have_is_theirs() -> None:
    state = {"module.a": torch.zeros(1), "b": torch.zeros(1)}
    assert weights.unprefixed(state) == state


STAND_INS = {
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n",
    "an HTML page": b"<!DOCTYPE html>\n<html><body>Sign in</body></html>",
}


@pytest.mark.parametrize("kind", STAND_INS)
@pytest.mark.parametrize("reader", [weights.read, weights.read_foreign, weights.fingerprint])
def test_what_a_download_leaves_in_place_of_weights_is_called_so(tmp_path: Path, kind: str, reader: Callable[[Path], object]) -> None:
    path = tmp_path / "m.pth"
    path.write_bytes(STAND_INS[kind])
    with pytest.raises(BadWeights, match=rf"m\.pth is {kind}") as caught:
        reader(path)
    assert "pickled" not in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_the_first_tensor_that_is_not_finite_is_named(value: float) -> None:
    state = nn.Linear(3, 2).state_dict()
    state["weight"][1, 2] = value
    with pytest.raises(BadWeights, match=r"some\.pth: weight holds 1 of 6 numbers that are not finite"):
        weights.load_strict(nn.Linear(3, 2), state, "some.pth")


def test_refused_code_is_named_without_what_torch_says_to_terminals(tmp_path: Path) -> None:
    torch.save({"model": Bomb()}, tmp_path / "bomb.pth", pickle_module=pickle)
    with pytest.raises(BadWeights, match=r"pickled code \((posix|nt)\.system\)") as caught:
        weights.read_foreign(tmp_path / "bomb.pth")
    assert all(character.isprintable() for character in str(caught.value))


def test_settings_and_figures_beside_tensors_are_plain_data(tmp_path: Path) -> None:
    torch.save({"args": argparse.Namespace(lr=0.1), "best": np.float64(0.5), "loss": np.float32(2), "at": np.int64(3)}, tmp_path / "m.pth")
    content = weights.read_foreign(tmp_path / "m.pth")
    assert (content["args"].lr, content["best"], content["loss"], content["at"]) == (0.1, 0.5, 2, 3)
