"""Weights in and out: safetensors for ours, `weights_only` for foreign files, strict always."""

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save_file
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
        save_file(tensors, part, metadata={name: json.dumps(value, default=str) for name, value in card.items()})


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, on the CPU.

    Raises:
        BadWeights: the file is missing or is not a whole safetensors file.
    """
    if not path.is_file():
        raise BadWeights(f"weights file {path} does not exist; give its path in the preset, or make it with `python -m badood train`.")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}
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
            f"{path} holds pickled code or is broken, and is not read for safety ({str(error).splitlines()[0]}); "
            "convert it to safetensors where you trust it."
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise BadWeights(f"{path} is not a readable torch checkpoint ({str(error).splitlines()[0]}); fetch it again.") from error


def load_strict(module: nn.Module, state: Mapping[str, Tensor], source: Path | str) -> None:
    """Copy `state` into `module`; every missing, extra or mis-shaped tensor is listed.

    Raises:
        BadWeights: the two do not match exactly.
    """
    own = module.state_dict()
    complaints = [f"missing {name}, expected {tuple(tensor.shape)}" for name, tensor in own.items() if name not in state]
    complaints += [f"extra {name}, {tuple(tensor.shape)}" for name, tensor in state.items() if name not in own]
    complaints += [
        f"{name} is {tuple(state[name].shape)}, expected {tuple(tensor.shape)}"
        for name, tensor in own.items()
        if name in state and state[name].shape != tensor.shape
    ]
    if complaints:
        shown = "\n  ".join(complaints[:20]) + (f"\n  ... and {len(complaints) - 20} more" if len(complaints) > 20 else "")
        raise BadWeights(f"{source} does not fit {type(module).__name__}:\n  {shown}\nUse the preset whose sizes made the file.")
    module.load_state_dict({name: tensor.to(own[name].dtype) for name, tensor in state.items()})
