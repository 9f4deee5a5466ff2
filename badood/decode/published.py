"""Published checkpoints as files: which of their tensors belong to which network."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from badood.core.errors import BadWeights
from badood.core.weights import read_foreign


def read_part(path: Path, prefix: str, drop: tuple[str, ...] = ()) -> dict[str, Tensor]:
    """The state dict of one network of a published file.

    Args:
        path: `.pth` of RCG's main_mage.py (tensors under "model"), or `.ckpt`/`.pth` of taming (under "state_dict", or bare).
        prefix: names that start with it are the network's own, less the prefix; where no name does, the whole file is the network's.
        drop: prefixes of the names that belong to other networks.

    Raises:
        BadWeights: missing, broken, holds pickled code, or holds no state dict.
    """
    content = read_foreign(path)
    state = _state_dict(content)
    if not state:
        shown = ", ".join(map(str, content)) if isinstance(content, Mapping) else type(content).__name__
        raise BadWeights(
            f"{path} holds no state dict (found: {shown or 'nothing'}); expected tensors at the top or under model or state_dict."
        )
    if prefix and any(name.startswith(prefix) for name in state):
        return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    return {name: tensor for name, tensor in state.items() if not name.startswith(drop)}


def _state_dict(content: Any) -> Mapping[str, Tensor]:
    if not isinstance(content, Mapping):
        return {}
    for entry in ("model", "state_dict"):
        if isinstance(content.get(entry), Mapping):
            content = content[entry]
            break
    return content if all(isinstance(value, Tensor) for value in content.values()) else {}
