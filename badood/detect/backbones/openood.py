"""The networks of OpenOOD's published checkpoints. Source: Zhang et al. 2023, OpenOOD v1.5, openood/networks."""

from collections.abc import Mapping, Sequence
from typing import Any

import torchvision
from torch import nn

from badood.detect.backbones.base import Family, State, backbone, no_arguments
from badood.detect.backbones.residual import SmallImageResNet

SIZES = {"openood/resnet18_32x32": 32, "openood/resnet18_224x224": 224}


def projection(inputs: int, outputs: int, stride: int) -> nn.Module:
    """A 1x1 convolution with batch norm."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


@backbone("openood")
class OpenOOD(Family):
    """ResNet-18 with a 3x3 stem for 32 px, or as torchvision's with dropout before the classifier for 224 px."""

    def names(self) -> Sequence[str]:
        """Two."""
        return list(SIZES)

    def make(self, name: str, params: Mapping[str, Any]) -> nn.Module:
        """Four stages of two blocks."""
        no_arguments(name, params)
        if SIZES[name] == 32:
            return SmallImageResNet((64, 128, 256, 512), 2, projection)
        network = torchvision.models.resnet18(weights=None)
        network.num_features = network.fc.in_features
        network.fc = nn.Dropout(0.5)
        return network

    def stages(self, backbone: nn.Module) -> tuple[nn.Module, nn.Module]:
        """Those of width 256 and 512."""
        return backbone.get_submodule("layer3"), backbone.get_submodule("layer4")

    def image_size(self, name: str) -> int:
        """As the name says."""
        return SIZES[name]

    def candidates(self, state: State) -> Sequence[str]:
        """The smaller one; a file of the larger is torchvision's ResNet-18 by its names, and computes the same."""
        return ["openood/resnet18_32x32"]
