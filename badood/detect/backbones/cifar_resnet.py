"""The ResNets for CIFAR of He et al. 2016, sec. 4.2, with shortcuts that have no parameters (their option A)."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from badood.detect.backbones.base import Family, backbone, no_arguments
from badood.detect.backbones.residual import SmallImageResNet

DEPTHS = (20, 32, 44, 56, 110)


class Padding(nn.Module):
    """Every second pixel, and zeros for the channels that the input has not: half before it, half behind.

    He et al. say that zeros are padded, not where; published weights are of akamaster/pytorch_resnet_cifar10, which puts them on both sides.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride, self.new = stride, outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) -> (N, outputs, h / stride, w / stride)."""
        before = self.new // 2
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, before, self.new - before))


@backbone("cifar-resnet")
class CifarResNet(Family):
    """resnet20-cifar and deeper ones: three stages of width 16, 32, 64."""

    def names(self) -> Sequence[str]:
        """One a depth."""
        return [f"resnet{depth}-cifar" for depth in DEPTHS]

    def make(self, name: str, params: Mapping[str, Any]) -> nn.Module:
        """Of 6 n + 2 layers, n blocks a stage."""
        no_arguments(name, params)
        return SmallImageResNet((16, 32, 64), (DEPTHS[self.names().index(name)] - 2) // 6, Padding)

    def stages(self, backbone: nn.Module) -> tuple[nn.Module, nn.Module]:
        """Those of width 32 and 64."""
        assert isinstance(backbone, SmallImageResNet)
        return backbone.stages

    def image_size(self, name: str) -> int:
        """That of CIFAR."""
        return 32
