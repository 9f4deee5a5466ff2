"""The diffusion model in pixels: what it learns of classes, its early weights, and its files."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from badood.config import Pixels
from badood.core import weights
from badood.core.compute import choose
from badood.core.errors import BadConfig, BadWeights
from badood.core.noise import Noise
from badood.core.training import fit
from badood.decode.diffusion import STEPS
from badood.decode.pixels import PixelDiffusion, load_pixels, pixels_loss, to_uint8

COMPUTE = choose("cpu", "fp32")
TINY = {"image_size": 8, "channels": 8, "multipliers": [1, 2], "blocks": 1, "groups": 8, "lr": 0.006, "batch_size": 32}


def settings(**changed: object) -> Pixels:
    return Pixels.model_validate({**TINY, "epochs": 60, "ema": 0.9, **changed})


def sampled(model: PixelDiffusion, label: int, count: int = 8, *, early: bool = False) -> Tensor:
    """(count, 3, 8, 8) uint8 images of a class."""
    labels = torch.full((count,), label)
    x = Noise(0, torch.arange(count).numpy()).normal((3, 8, 8), "image")
    with torch.inference_mode():
        return to_uint8(model.denoised(lambda x_t, t: model.velocity(x_t, t, labels, early=early), x, steps=10), 8)


@pytest.fixture(scope="module")
def trained() -> PixelDiffusion:
    """Class 0 is red, class 1 is blue."""
    images = torch.full((64, 3, 8, 8), 40, dtype=torch.uint8)
    labels = torch.arange(64) % 2
    images[labels == 0, 0] = images[labels == 1, 2] = 220
    cfg = settings(patch=2, early=0.05)
    torch.manual_seed(0)
    model = PixelDiffusion(cfg, classes=2)
    model.load_state_dict(fit(model, pixels_loss(model, images, labels, cfg, COMPUTE), 64, cfg, compute=COMPUTE))
    return model.eval()


def test_samples_are_of_the_class_that_was_asked_for(trained: PixelDiffusion) -> None:
    red, blue = (sampled(trained, label).float().mean((2, 3)) for label in (0, 1))
    assert (red[:, 0] > red[:, 2] + 50).all()
    assert (blue[:, 2] > blue[:, 0] + 50).all()


def test_the_early_network_is_nearer_to_noise(trained: PixelDiffusion) -> None:
    late, early = sampled(trained, 0).float(), sampled(trained, 0, early=True).float()
    goal = torch.tensor([220.0, 40.0, 40.0])[:, None, None]
    assert (early - goal).abs().mean() > 1.5 * (late - goal).abs().mean()


def test_a_sampler_begins_below_its_start_and_ends_clean(trained: PixelDiffusion) -> None:
    assert trained.levels(5) == [999, 799, 599, 399, 199]
    assert trained.levels(5, start=500) == [399, 199]
    assert trained.levels(5, start=10) == [199]
    seen: list[int] = []

    def note(x: Tensor, t: int) -> Tensor:
        seen.append(t)
        return x

    trained.denoised(lambda x_t, t: torch.zeros_like(x_t), torch.zeros(1, 3, 8, 8), steps=5, start=500, after=note)
    assert seen == [199, -1]


def test_what_denoises_perfectly_gives_the_image_back(trained: PixelDiffusion) -> None:
    """The velocity that belongs to the true noise leads every sampler to the image."""
    image, noise = torch.rand(2, 3, 8, 8) * 2 - 1, torch.randn(2, 3, 8, 8)
    t = torch.tensor([trained.levels(20, start=700)[0]] * 2)
    x = trained.schedule.add_noise(image, noise, t)
    back = trained.denoised(lambda x_t, t: trained.schedule.get_velocity(image, noise, t), x, steps=20, start=700)
    torch.testing.assert_close(back, image, atol=1e-4, rtol=0)


def test_a_file_says_for_how_many_classes_it_is(trained: PixelDiffusion, tmp_path: Path) -> None:
    path = tmp_path / "pixels.safetensors"
    weights.save(path, trained.state_dict())
    again = load_pixels(path, settings(patch=2))
    assert again.classes == 2
    assert torch.equal(sampled(again, 1), sampled(trained, 1))
    with pytest.raises(BadWeights, match=r"does not fit PixelDiffusion"):
        load_pixels(path, settings(patch=2, channels=16))


@pytest.mark.parametrize(
    ("changed", "said"), [({"image_size": 10, "patch": 4}, "image_size is 10.*multiple of 8"), ({"channels": 12}, "channels is 12.*8")]
)
def test_sizes_that_do_not_divide_are_refused(changed: dict[str, int], said: str) -> None:
    with pytest.raises(BadConfig, match=said):
        PixelDiffusion(settings(**changed), classes=2)


def test_every_step_has_its_noise() -> None:
    model = PixelDiffusion(settings(), classes=1)
    assert len(model.schedule.alphas_cumprod) == STEPS
    assert model.schedule.alphas_cumprod[-1] < 1e-4
