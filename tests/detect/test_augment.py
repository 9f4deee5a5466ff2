"""Random crop and flip."""

import torch

from badood.detect.augment import augmented


def test_every_result_is_a_shifted_or_mirrored_original() -> None:
    torch.manual_seed(0)
    images = torch.arange(16 * 16, dtype=torch.uint8).reshape(1, 1, 16, 16).repeat(200, 3, 1, 1)
    out = augmented(images)
    assert out.shape == images.shape
    assert out.dtype == torch.uint8
    mirrored = (out[:, 0, 8, 9].int() - out[:, 0, 8, 8].int()) < 0
    assert 60 < mirrored.sum() < 140
    upright = torch.where(mirrored[:, None, None], out[:, 0].flip(2), out[:, 0])
    shift = upright[:, 8, 8].int() - images[0, 0, 8, 8].int()
    moved = {(int(s) + 2 * 16 + 2) // 16 - 2 for s in shift}
    assert moved == {-2, -1, 0, 1, 2}


def test_the_seed_decides() -> None:
    images = torch.randint(256, (8, 3, 32, 32), dtype=torch.uint8)
    torch.manual_seed(3)
    first = augmented(images)
    torch.manual_seed(3)
    assert torch.equal(first, augmented(images))


def test_the_border_is_reflected() -> None:
    torch.manual_seed(1)
    images = torch.full((64, 3, 16, 16), 7, dtype=torch.uint8)
    assert (augmented(images) == 7).all()
