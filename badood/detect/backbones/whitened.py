"""The whitened convolutional network as a detector's backbone. Source: Jordan 2024."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from badood.core.errors import BadConfig
from badood.core.whitened import Whitened
from badood.detect.backbones.base import Family, State, backbone, no_arguments

_NAME = re.compile(r"whitened((?:-[1-9]\d{0,3}){2,})")


@backbone("whitened")
class WhitenedFamily(Family):
    """whitened-64-256-256, or other widths: a number a group."""

    def names(self) -> Sequence[str]:
        """The published widths."""
        return ["whitened-64-256-256"]

    def has(self, name: str) -> bool:
        """Any widths."""
        return _NAME.fullmatch(name) is not None

    def make(self, name: str, params: Mapping[str, Any]) -> nn.Module:
        """As the name says."""
        no_arguments(name, params)
        found = _NAME.fullmatch(name)
        if found is None:
            raise BadConfig(f"detector.backbone {name!r}; give the widths of the groups, as in whitened-64-256-256.")
        return Whitened([int(width) for width in found[1].removeprefix("-").split("-")])

    def stages(self, backbone: nn.Module) -> tuple[nn.Module, nn.Module]:
        """The last two groups."""
        assert isinstance(backbone, Whitened)
        return backbone.groups[-2], backbone.groups[-1]

    def image_size(self, name: str) -> int:
        """That of CIFAR."""
        return 32

    def candidates(self, state: State) -> Sequence[str]:
        """The widths that the tensors have."""
        widths = [state[f"groups.{number}.conv2.weight"].shape[0] for number in range(16) if f"groups.{number}.conv2.weight" in state]
        return ["whitened-" + "-".join(map(str, widths))] if len(widths) >= 2 else []
