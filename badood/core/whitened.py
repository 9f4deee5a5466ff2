"""A plain convolutional network that learns 32 px images fast, as a model of timm's. Source: Jordan 2024, "94% on CIFAR-10 in 3.29 seconds".

Detectors, encoders and the image tower of CLIP may all be one.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import torch
from timm.models import register_model
from torch import Tensor, nn
from torch.nn import functional as F

from badood.core.rows import evenly

_PATCH = 2
"""Side of a whitened patch in px."""
_WHITENED = 2 * 3 * _PATCH**2
"""Channels of the first layer: the principal components of patches, and their negatives."""
_LEAST_VARIANCE = 5e-4
"""Added to a component's variance, so that noise is not blown up."""
_SCALE = 1 / 9
"""Of the features, so that logits stay small at a high learning rate."""
_WHITENED_BY = 1000
"""Images whose patches tell enough of all."""


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

    default_cfg: ClassVar[dict[str, Any]] = {}
    """Of published weights, which open_clip looks into; there are none."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.num_features = widths[-1]
        self.whiten = nn.Conv2d(3, _WHITENED, _PATCH)
        self.whiten.weight.requires_grad_(False)
        self.groups = nn.Sequential(*(Group(inputs, outputs) for inputs, outputs in pairwise((_WHITENED, *widths))))
        self.feature_info = [
            {"module": f"groups.{number}", "num_chs": width, "reduction": 2 ** (number + 1)} for number, width in enumerate(widths)
        ]

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

    def forward_features(self, x: Tensor) -> Tensor:
        """(N, 3, h, w) -> (N, widths[-1], h', w'), the last map."""
        features: Tensor = self.groups(F.gelu(self.whiten(x)))
        return features

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, h, w) -> (N, widths[-1])."""
        return F.adaptive_max_pool2d(self.forward_features(x), 1).flatten(1) * _SCALE

    def reset_classifier(self, num_classes: int) -> None:
        """What open_clip asks of timm's models; there is no classifier here to begin with."""
        assert num_classes == 0


@register_model
def whitened(pretrained: bool = False, widths: Sequence[int] = (64, 256, 256), **timm_fields: Any) -> Whitened:
    """For `timm.create_model`, which passes fields of its own about published weights and the classifier; there are none."""
    return Whitened(widths)


def whiten_by(network: nn.Module, images: Tensor, prepare: Callable[[Tensor], Tensor]) -> None:
    """Whiten every network of this kind within `network` by patches of its training images; without one, nothing is done.

    Args:
        images: (N, 3, H, W) uint8, of which some are looked at. prepare: images -> (N, 3, h, w) normalised, as `network` takes them.
    """
    parts = [part for part in network.modules() if isinstance(part, Whitened)]
    if not parts:
        return
    prepared = prepare(images[evenly(len(images), _WHITENED_BY)])
    for part in parts:
        part.whiten_patches_of(prepared)
