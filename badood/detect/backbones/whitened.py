"""A plain convolutional network that learns 32 px images fast. Source: Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU"."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from badood.core.errors import BadConfig
from badood.detect.backbones.base import Family, State, backbone, no_arguments

_NAME = re.compile(r"whitened((?:-[1-9]\d{0,3}){2,})")
_PATCH = 2
"""Side of a whitened patch in px."""
_WHITENED = 2 * 3 * _PATCH**2
"""Channels of the first layer: the principal components of patches, and their negatives."""
_LEAST_VARIANCE = 5e-4
"""Added to a component's variance, so that noise is not blown up."""
_SCALE = 1 / 9
"""Of the features, so that logits stay small at a high learning rate."""


class Group(nn.Module):
    """Two 3x3 convolutions with batch norm; behind the first, the size is halved."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        for layer in (self.conv1, self.conv2):
            nn.init.dirac_(layer.weight[: layer.in_channels])  # the first channels begin as copies of the input

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) -> (N, outputs, h // 2, w // 2)."""
        x = F.gelu(self.norm1(F.max_pool2d(self.conv1(x), 2)))
        return F.gelu(self.norm2(self.conv2(x)))


class Whitened(nn.Module):
    """A first layer that whitens 2x2 patches and is not trained, groups of growing width, and a maximum over positions.

    Args:
        widths: channels of each group.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.num_features = widths[-1]
        self.whiten = nn.Conv2d(3, _WHITENED, _PATCH)
        self.whiten.weight.requires_grad_(False)
        self.groups = nn.Sequential(*(Group(inputs, outputs) for inputs, outputs in pairwise((_WHITENED, *widths))))

    @torch.no_grad()
    def whiten_patches_of(self, prepared: Tensor) -> None:
        """Set the first layer by the covariance of patches of (N, 3, h, w) normalised images."""
        columns = F.unfold(prepared, _PATCH).double()  # (N, 12, patches)
        covariance = (columns @ columns.transpose(1, 2)).mean(dim=0) / columns.shape[-1]
        variances, components = torch.linalg.eigh(covariance)
        whitening = (components / (variances + _LEAST_VARIANCE).sqrt()).T.flip(0).reshape(-1, 3, _PATCH, _PATCH)
        self.whiten.weight.copy_(torch.cat([whitening, -whitening]))
        assert self.whiten.bias is not None
        self.whiten.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, h, w) -> (N, widths[-1])."""
        x = self.groups(F.gelu(self.whiten(x)))
        return F.adaptive_max_pool2d(x, 1).flatten(1) * _SCALE


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

    def begin(self, backbone: nn.Module, prepared: Tensor) -> None:
        """Whiten by the patches of the training images."""
        assert isinstance(backbone, Whitened)
        backbone.whiten_patches_of(prepared)

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
