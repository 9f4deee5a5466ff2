"""Wide ResNets for small images. Source: Zagoruyko & Komodakis 2016; the layout is that of energy_ood, outlier exposure and pytorch-ood."""

from collections.abc import Mapping, Sequence
from typing import Any

from pytorch_ood.model import WideResNet
from torch import Tensor, nn

from badood.core.errors import BadConfig
from badood.detect.backbones.base import Family, backbone

SHAPES = {"wideresnet40_2": (40, 2), "wideresnet40_4": (40, 4), "wideresnet28_10": (28, 10), "wideresnet16_4": (16, 4)}
"""Depth and how many times as wide as a ResNet of He et al."""


class Pooled(WideResNet):
    """pytorch-ood's network without its classifier and for images of any size; its own pooling takes 32 px only."""

    def __init__(self, depth: int, width: int, drop_rate: float) -> None:
        super().__init__(num_classes=1, depth=depth, widen_factor=width, drop_rate=drop_rate)
        self.num_features = self.fc.in_features
        del self.fc

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, h, w) -> (N, 64 * width)."""
        return self.feature_maps(x).mean(dim=(2, 3))


@backbone("wideresnet")
class Wide(Family):
    """wideresnet40_2 and others; `drop_rate` (default 0.3, in training only) is their one argument."""

    def names(self) -> Sequence[str]:
        """Those that are usual in this field."""
        return list(SHAPES)

    def make(self, name: str, params: Mapping[str, Any]) -> nn.Module:
        """Three stages of depth / 6 blocks."""
        if unknown := set(params) - {"drop_rate"}:
            raise BadConfig(
                f"detector.backbone {name!r} takes drop_rate alone, got {', '.join(sorted(unknown))} in detector.backbone_params."
            )
        return Pooled(*SHAPES[name], params.get("drop_rate", 0.3))

    def stages(self, backbone: nn.Module) -> tuple[nn.Module, nn.Module]:
        """The last two; the last one before the batch norm and ReLU that end the network, which RankFeat's original counts to it."""
        return backbone.get_submodule("block2"), backbone.get_submodule("block3")

    def image_size(self, name: str) -> int:
        """That of CIFAR."""
        return 32
