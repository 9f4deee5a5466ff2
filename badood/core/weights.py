"""Weights in and out: safetensors for ours, `weights_only` for foreign files, strict always."""

import hashlib
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save as serialised
from torch import Tensor, nn

from badood.core.artefacts import atomic_file
from badood.core.errors import BadWeights


def save(path: Path, state: Mapping[str, Tensor], *, half: bool = False, **card: Any) -> None:
    """Write a state dict as safetensors, atomically.

    Args:
        half: store floating tensors as float16.
        card: JSON-able facts kept in the file's header.
    """
    tensors = {
        name: (tensor.half() if half and tensor.is_floating_point() else tensor).detach().cpu().contiguous()
        for name, tensor in state.items()
    }
    with atomic_file(path) as part:
        # safetensors' own save_file would let nobody but the owner read the file
        part.write_bytes(serialised(tensors, metadata={name: json.dumps(value, default=str) for name, value in card.items()}))


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, on the CPU.

    Raises:
        BadWeights: the file is missing or is not a whole safetensors file.
    """
    if not path.is_file():
        raise BadWeights(f"weights file {path} does not exist; give its path in the preset, or make it with `python -m badood train`.")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 -- no mapping, it has no __iter__
    except safetensors.SafetensorError as error:
        raise BadWeights(f"{path} is not a whole safetensors file ({error}); fetch or train it again.") from error


def read_foreign(path: Path) -> Any:
    """A `.pth`, `.pth.tar` or `.ckpt` as torch wrote it, without running any code in it.

    `argparse.Namespace` is the one class let through besides tensors: published RCG checkpoints hold one, and it is plain data.

    Raises:
        BadWeights: missing, broken, or it holds pickled code.
    """
    import argparse

    if not path.is_file():
        raise BadWeights(f"weights file {path} does not exist; give the path of the published checkpoint.")
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise BadWeights(
            f"{path} holds pickled code or is broken, and is not read for safety ({_first_line(error)}); "
            "convert it to safetensors where you trust it."
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise BadWeights(f"{path} is not a readable torch checkpoint ({_first_line(error)}); fetch it again.") from error


def read_entry(path: Path, name: str) -> dict[str, Tensor]:
    """The state dict that a foreign checkpoint keeps under `name` beside its optimizer and arguments.

    Raises:
        BadWeights: as `read_foreign`, or there is no such entry.
    """
    content = read_foreign(path)
    entry = content.get(name) if isinstance(content, dict) else None
    if not isinstance(entry, dict) or not all(isinstance(tensor, Tensor) for tensor in entry.values()):
        found = ", ".join(map(str, content)) if isinstance(content, dict) else type(content).__name__
        raise BadWeights(f"{path} has no entry {name!r} with tensors, as the published file has; it holds: {found[:300]}.")
    return entry


def check(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], source: Path | str, network: str) -> None:
    """List every missing, extra or mis-shaped tensor.

    Args:
        state: tensors of a file. expected: tensors of the wanted names and shapes. source, network: for the message.

    Raises:
        BadWeights: the two do not match exactly.
    """
    complaints = [f"missing {name}, expected {tuple(tensor.shape)}" for name, tensor in expected.items() if name not in state]
    complaints += [f"extra {name}, {tuple(tensor.shape)}" for name, tensor in state.items() if name not in expected]
    complaints += [
        f"{name} is {tuple(state[name].shape)}, expected {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in state and state[name].shape != tensor.shape
    ]
    if complaints:
        shown = "\n  ".join(complaints[:20]) + (f"\n  ... and {len(complaints) - 20} more" if len(complaints) > 20 else "")
        raise BadWeights(f"{source} does not fit {network}:\n  {shown}\nUse the preset whose sizes made the file.")


def load_strict(module: nn.Module, state: Mapping[str, Tensor], source: Path | str) -> None:
    """Copy `state` into `module`; every missing, extra or mis-shaped tensor is listed.

    Raises:
        BadWeights: the two do not match exactly.
    """
    own = module.state_dict()
    check(state, own, source, type(module).__name__)
    module.load_state_dict({name: tensor.to(own[name].dtype) for name, tensor in state.items()})


def fingerprint(path: Path) -> str:
    """A 16-hex-digit key of a file's content, for the keys of what was made with it."""
    if not path.is_file():
        raise BadWeights(f"weights file {path} does not exist; give its path in the preset, or make it with `python -m badood train`.")
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).hexdigest()


def _first_line(error: Exception) -> str:
    """What an error says, without its tail; its kind where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]
