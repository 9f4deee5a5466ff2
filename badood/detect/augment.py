"""Random crop and horizontal flip of a batch of tensors."""

import torch
from torch import Tensor

MARGIN = 8
"""A crop moves by at most one 8th of the side, as the 4 px that are usual at 32 px."""


def augmented(images: Tensor) -> Tensor:
    """Each image shifted at random with its border reflected, and every second one mirrored.

    Draws from torch's global generator, which `core.training.fit` seeds at every step.

    Args:
        images: (N, 3, H, W).

    Returns:
        The same shape and dtype, laid out channels-last.
    """
    n, _, height, width = images.shape
    rows = _reflected(torch.arange(height) + _shift(n, height), height)
    columns = _reflected(torch.arange(width) + _shift(n, width), width)
    columns = torch.where(torch.rand(n, 1) < 0.5, columns, width - 1 - columns)
    pixels = images.permute(0, 2, 3, 1)[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return pixels.permute(0, 3, 1, 2)


def _shift(n: int, side: int) -> Tensor:
    return torch.randint(-(side // MARGIN), side // MARGIN + 1, (n, 1))


def _reflected(index: Tensor, side: int) -> Tensor:
    """Positions beyond the border, mirrored at it without repeating the border's pixel."""
    return (side - 1) - ((side - 1) - index.abs()).abs()
