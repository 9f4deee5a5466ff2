"""Residual blocks of two 3x3 convolutions, which two families share."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

Shortcut = Callable[[int, int, int], nn.Module]
"""(channels in, channels out, stride) -> what brings a block's input to the size of its output."""


class Block(nn.Module):
    """Two 3x3 convolutions with batch norm beside a shortcut. Source: He et al. 2016, fig. 2."""

    def __init__(self, inputs: int, outputs: int, stride: int, shortcut: Shortcut) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity() if stride == 1 and inputs == outputs else shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) -> (N, outputs, h / stride, w / stride)."""
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(out + self.shortcut(x))


class SmallImageResNet(nn.Module):
    """A ResNet for images of 32 px: a 3x3 stem that keeps the size, stages `layer1`, ... that halve it, and a mean over positions.

    Args:
        widths: channels of each stage. blocks: of each stage.
    """

    def __init__(self, widths: tuple[int, ...], blocks: int, shortcut: Shortcut) -> None:
        super().__init__()
        self.num_features = widths[-1]
        self.depth = len(widths)
        self.conv1 = nn.Conv2d(3, widths[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        inputs = widths[0]
        for stage, width in enumerate(widths, start=1):
            layers = [
                Block(inputs if first else width, width, 2 if first and stage > 1 else 1, shortcut)
                for first in [True] + [False] * (blocks - 1)
            ]
            self.add_module(f"layer{stage}", nn.Sequential(*layers))
            inputs = width

    @property
    def stages(self) -> tuple[nn.Module, nn.Module]:
        """The last two."""
        return self.get_submodule(f"layer{self.depth - 1}"), self.get_submodule(f"layer{self.depth}")

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, h, w) -> (N, widths[-1])."""
        x = F.relu(self.bn1(self.conv1(x)))
        for stage in range(1, self.depth + 1):
            x = self.get_submodule(f"layer{stage}")(x)
        return x.mean(dim=(2, 3))
