import pytest
import torch
from torch import Tensor

from badood.core.compute import choose
from badood.evaluate.probe import MENDS, probed

CPU = choose("cpu", "fp32")


@pytest.fixture(scope="module")
def images() -> Tensor:
    """(400, 3, 16, 16) uint8 of random squares on random colours."""
    generator = torch.Generator().manual_seed(0)
    background, colour = torch.randint(0, 256, (2, 400, 3, 1, 1), generator=generator)
    left, top = torch.randint(0, 10, (2, 400, 1, 1, 1), generator=generator)
    x, y = torch.arange(16).view(1, 1, 1, 16), torch.arange(16).view(1, 1, 16, 1)
    inside = (x >= left) & (x < left + 6) & (y >= top) & (y < top + 6)
    return torch.where(inside, colour, background).to(torch.uint8)


def test_the_same_images_cannot_be_told_apart(images: Tensor) -> None:
    found = probed(images, images.clone(), CPU)
    assert found.count == 240, "of 400 pairs 120 are held out"
    assert found.mean == pytest.approx(0.5, abs=1e-9), "whatever it says of an image is right once and wrong once"


def test_a_grid_that_nobody_sees_is_found_and_hides_behind_what_is_done_to_both(images: Tensor) -> None:
    grid = 3 * ((torch.arange(16)[:, None] + torch.arange(16)) % 2)
    made = (images.int() + grid).clamp(0, 255).to(torch.uint8)
    plain = probed(images, made, CPU)
    assert plain.lo > 0.9
    hidden = MENDS["through half the size, with noise of 0.1"]
    torch.manual_seed(0)
    assert probed(hidden(images), hidden(made), CPU).mean < 0.65


@pytest.mark.parametrize("mend", MENDS)
def test_what_is_done_to_both_keeps_shape_and_meaning(images: Tensor, mend: str) -> None:
    done = MENDS[mend](images)
    assert (done.shape, done.dtype) == (images.shape, torch.uint8)
    assert (done.float().mean(dim=(2, 3)) - images.float().mean(dim=(2, 3))).abs().mean() < 12
