"""A toy world that a detector learns in a second: ID classes are bright squares at two places, outliers are stripes."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from badood import config
from badood.core.compute import Compute, choose
from badood.detect.backbone import Detector
from badood.detect.train import make_detector

Squares = Callable[[int, int], tuple[Tensor, Tensor]]
Stripes = Callable[[int, int], Tensor]


def _squares(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """(n, 3, 16, 16) uint8 images of a square at the left (class 0) or right (class 1), and the classes."""
    g = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 40, (n, 3, 16, 16), dtype=torch.uint8, generator=g)
    labels = torch.arange(n) % 2
    images[labels == 0, 0, 3:9, 3:9] += 180
    images[labels == 1, 2, 7:13, 7:13] += 180
    return images, labels


def _stripes(n: int, seed: int) -> Tensor:
    """(n, 3, 16, 16) uint8 images with green stripes."""
    g = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 40, (n, 3, 16, 16), dtype=torch.uint8, generator=g)
    images[:, 1, ::3] += 180
    return images


@pytest.fixture(scope="session")
def squares() -> Squares:
    """Makes ID images and their classes from a count and a seed."""
    return _squares


@pytest.fixture(scope="session")
def stripes() -> Stripes:
    """Makes outliers from a count and a seed."""
    return _stripes


@pytest.fixture(scope="session")
def cfg() -> config.Detector:
    return config.Detector(
        backbone="resnet10t", backbone_params={"channels": [8, 8, 16, 16], "stem_width": 8}, image_size=16,
        epochs=12, batch_size=32, optimizer="sgd", lr=0.05, weight_decay=5e-4,
    )  # fmt: skip


@pytest.fixture(scope="session")
def compute() -> Compute:
    return choose("cpu", "fp32")


@pytest.fixture(scope="session")
def detector(cfg: config.Detector, compute: Compute) -> Detector:
    images, labels = _squares(160, seed=0)
    return make_detector(images, labels, _stripes(40, seed=1), cfg, 2, compute=compute)[0]
