"""Weights in and out: safetensors for ours, `weights_only` for foreign files, strict always."""

import argparse
import hashlib
import json
import pickle
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch
from safetensors.torch import save as serialised
from torch import Tensor, nn

from badood.core.artefacts import atomic_file
from badood.core.errors import BadWeights

WRAPPERS = ("module.", "_orig_mod.")
"""Prefixes that DataParallel and torch.compile put before every name of the network they wrap."""

PLAIN_DATA: list[Any] = [
    argparse.Namespace,  # the settings in published RCG and timm checkpoints
    # an accuracy that was kept as numpy's number
    (np._core.multiarray.scalar, "numpy.core.multiarray.scalar"),  # type: ignore[attr-defined]
    (np._core.multiarray.scalar, "numpy._core.multiarray.scalar"),  # type: ignore[attr-defined]
    np.dtype,
    *(type(np.dtype(kind)) for kind in (np.float32, np.float64, np.int64, np.bool_)),
]
"""What a pickle may hold beside tensors and Python's own numbers, texts and containers."""


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
    """The tensors of a safetensors file, on the CPU, without the prefixes of `unprefixed`.

    Raises:
        BadWeights: the file is missing or is not a whole safetensors file.
    """
    _present(path)
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return unprefixed({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 -- no mapping, it has no __iter__
    except safetensors.SafetensorError as error:
        raise BadWeights(f"{path} is not a whole safetensors file ({error}); fetch or train it again.") from error


def read_foreign(path: Path) -> Any:
    """A `.pth`, `.pth.tar` or `.ckpt` as torch wrote it, without running any code in it; see `PLAIN_DATA`.

    State dicts, at the top or one level below, come without the prefixes of `unprefixed`.

    Raises:
        BadWeights: missing, broken, or it holds pickled code.
    """
    _present(path)
    try:
        with torch.serialization.safe_globals(PLAIN_DATA):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if called := re.search(r"GLOBAL (\S+)|(?:class|global|function) (\w+(?:\.\w+)+)", plain(str(error))):
            raise BadWeights(
                f"{path} holds pickled code ({called[1] or called[2]}), and is not read for safety; have who made it save "
                "model.state_dict() alone, or convert it to safetensors where you trust it."
            ) from error
        raise BadWeights(f"{path} is broken or no checkpoint of torch ({_first_line(error)}); fetch it again.") from error
    except MemoryError:
        raise
    except Exception as error:  # a broken file makes torch's reader raise nearly anything: RuntimeError, EOFError, IndexError, ...
        raise BadWeights(f"{path} is not a readable torch checkpoint ({_first_line(error)}); fetch it again.") from error
    if not isinstance(content, dict):
        return content
    return unprefixed({name: unprefixed(entry) if isinstance(entry, dict) else entry for name, entry in content.items()})


def unprefixed(state: dict[str, Any]) -> dict[str, Any]:
    """A state dict without the prefixes of `WRAPPERS` that all its names have; anything else as it is."""
    while state and (common := next((w for w in WRAPPERS if all(isinstance(name, str) and name.startswith(w) for name in state)), None)):
        state = {name.removeprefix(common): entry for name, entry in state.items()}
    return state


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
        BadWeights: the two do not match exactly, or a number is not finite.
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
    check_finite(state, source)


def check_finite(state: Mapping[str, Tensor], source: Path | str) -> None:
    """Whether every number of a file is one.

    Raises:
        BadWeights: one is not; names the first tensor that has such.
    """
    for name, tensor in state.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            bad = int((~tensor.isfinite()).sum())
            raise BadWeights(
                f"{source}: {name} holds {bad:,} of {tensor.numel():,} numbers that are not finite (NaN or infinite), so nothing "
                "computed with it would be; its training diverged or the file is damaged: take an earlier checkpoint."
            )


def load_strict(module: nn.Module, state: Mapping[str, Tensor], source: Path | str) -> None:
    """Copy `state` into `module`; every missing, extra or mis-shaped tensor is listed.

    Raises:
        BadWeights: the two do not match exactly, or a number is not finite.
    """
    own = module.state_dict()
    check(state, own, source, type(module).__name__)
    module.load_state_dict({name: tensor.to(own[name].dtype) for name, tensor in state.items()})


def fingerprint(path: Path) -> str:
    """A 16-hex-digit key of a file's content, for the keys of what was made with it. Read once as long as size and time of the file stay."""
    _present(path)
    about = path.stat()
    return _digest(path.absolute(), about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=256)
def _digest(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).hexdigest()


def plain(text: str) -> str:
    """A text of another program without what it says to a terminal: colours and other control characters."""
    return re.sub(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", "", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text))


def _first_line(error: Exception) -> str:
    """What an error says, without its tail and without control characters; its kind where it says nothing."""
    return (plain(str(error)).splitlines() or [type(error).__name__])[0]


def _present(path: Path) -> None:
    """Whether a file of weights is there, and no stand-in that a download left in its place."""
    if not path.is_file():
        raise BadWeights(f"weights file {plain(str(path))} does not exist; give the path of one, or make it with `python -m badood train`.")
    with path.open("rb") as file:
        head = file.read(512).lstrip().lower()
    if head.startswith(b"version https://git-lfs"):
        raise BadWeights(
            f"{path} is a Git LFS pointer, a few lines that stand for the file; fetch the file itself with `git lfs pull` in its repository."
        )
    if head.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise BadWeights(f"{path} is an HTML page, not weights: the download was answered with a web page; fetch the file itself.")
