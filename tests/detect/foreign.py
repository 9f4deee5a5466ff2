"""Networks as others write them, for files in their layouts; random weights, and statistics that are not the initial ones."""

import torch
from pytorch_ood.model import WideResNet
from torch import Tensor, nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, *, projects: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        self.pads = 0
        if stride != 1 and projects:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        elif stride != 1:
            self.pads = outputs // 4

    def forward(self, x: Tensor) -> Tensor:
        beside = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.pads, self.pads)) if self.pads else self.shortcut(x)
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + beside)


class Stages(nn.Module):
    """The stem and the stages that OpenOOD's and akamaster's networks share."""

    def __init__(self, widths: list[int], blocks: int, *, projects: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.count = len(widths)
        before = widths[0]
        for number, width in enumerate(widths):
            first = Block(before, width, 1 if number == 0 else 2, projects=projects)
            setattr(
                self, f"layer{number + 1}", nn.Sequential(first, *(Block(width, width, 1, projects=projects) for _ in range(blocks - 1)))
            )
            before = width

    def pooled(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        for number in range(self.count):
            x = getattr(self, f"layer{number + 1}")(x)
        return F.adaptive_avg_pool2d(x, 1).flatten(1)


class ResNet18For32(Stages):
    """OpenOOD's, with its classifier's name; kuangliu's pytorch-cifar has `linear` in its place."""

    def __init__(self, classes: int) -> None:
        super().__init__([64, 128, 256, 512], 2, projects=True)
        self.fc = nn.Linear(512, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.pooled(x))


class ResNet20(Stages):
    """akamaster's."""

    def __init__(self, classes: int) -> None:
        super().__init__([16, 32, 64], 3, projects=False)
        self.linear = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.pooled(x))


def seasoned(network: nn.Module, size: int = 32) -> nn.Module:
    """The network in evaluation mode, its batch norms having seen something."""
    torch.manual_seed(0)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, std=0.1)
            part.momentum = 0.5
    with torch.no_grad():
        network.train()(torch.randn(4, 3, size, size))
    return network.eval()


def wide(classes: int) -> nn.Module:
    return WideResNet(num_classes=classes, depth=40, widen_factor=2)
