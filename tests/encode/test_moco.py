from pathlib import Path

import pytest
import torch

from badood.config import Crops, Encoder
from badood.core import weights
from badood.core.compute import choose
from badood.core.errors import BadWeights
from badood.core.training import fit
from badood.encode.features import encode, load_encoder, prepare, standardise
from badood.encode.moco import MoCo, jitter, moco_loss, random_crop, view

CPU = choose("cpu", "fp32")


def settings(**fields: object) -> Encoder:
    small = {"backbone": "test_resnet", "image_size": 24, "hidden": 32, "dim": 16, "epochs": 12, "batch_size": 32, "lr": 0.003}
    return Encoder.model_validate(small | fields)


def discs_and_stripes(n: int) -> torch.Tensor:
    """(n, 3, 24, 24) uint8: discs and stripes in random colours."""
    generator = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 24), torch.linspace(-1, 1, 24), indexing="ij")
    kind = torch.arange(n) % 2
    phase = torch.rand(n, 1, 1, generator=generator) * 6
    disc = (x.square() + y.square() < 0.4 + 0.02 * phase).float()
    stripes = (torch.sin(9 * x + phase) > 0).float()
    shape = torch.where(kind.view(-1, 1, 1) == 0, disc, stripes)
    colours = torch.rand(2, n, 3, 1, 1, generator=generator)
    images = colours[0] * shape[:, None] + colours[1] * (1 - shape[:, None])
    return (images * 255).to(torch.uint8)


def test_z0_has_mean_zero_and_unit_unbiased_deviation() -> None:
    z0 = standardise(torch.randn(5, 33) * 7 + 3)
    assert torch.allclose(z0.mean(dim=1), torch.zeros(5), atol=1e-5)
    assert torch.allclose(z0.std(dim=1), torch.ones(5), atol=1e-5)


def test_input_is_the_same_from_bytes_and_from_floats() -> None:
    images = discs_and_stripes(4)
    assert torch.allclose(prepare(images, 32), prepare(images.float() / 255, 32), atol=1e-6)
    assert prepare(images, 32).shape == (4, 3, 32, 32)


@pytest.mark.parametrize(("view_size", "expected"), [(None, 24), (16, 16)])
def test_views_have_their_own_size(view_size: int | None, expected: int) -> None:
    moco = MoCo(settings(view_size=view_size))
    seen = []
    moco.encoder.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    moco_loss(moco, discs_and_stripes(8), CPU)(torch.arange(8), 0.0)
    assert seen == [(8, 3, expected, expected)] * 2


def test_training_lowers_the_loss_of_images_it_never_saw() -> None:
    images = discs_and_stripes(192)
    cfg = settings(epochs=10, momentum=0.9)
    torch.manual_seed(0)
    moco = MoCo(cfg)

    def held_out() -> float:
        torch.manual_seed(1)
        with torch.no_grad():
            return moco_loss(moco.train(), images[128:], CPU)(torch.arange(64), 1.0).item()

    before = held_out()
    fit(moco, moco_loss(moco, images[:128], CPU), 128, cfg, compute=CPU)
    assert held_out() < before - 0.2


def test_momentum_encoder_follows_without_gradients() -> None:
    moco = MoCo(settings(momentum=0.9))
    before = moco.momentum_encoder.head[0].weight.clone()
    moco.encoder.head[0].weight.data += 1
    moco.follow(0.0)
    assert torch.allclose(moco.momentum_encoder.head[0].weight, before + 0.1, atol=1e-5)
    moco.follow(1.0)
    assert torch.allclose(moco.momentum_encoder.head[0].weight, before + 0.1, atol=1e-5)
    assert not any(parameter.requires_grad for parameter in moco.momentum_encoder.parameters())


def test_a_full_crop_is_the_image_or_its_mirror() -> None:
    images = torch.rand(16, 3, 24, 24)
    cropped = random_crop(images, (1.0, 1.0), 24)
    # the aspect still varies, so compare coarse content
    error = torch.minimum((cropped - images).abs().mean(dim=(1, 2, 3)), (cropped - images.flip(3)).abs().mean(dim=(1, 2, 3)))
    other = (cropped - images.roll(1, 0)).abs().mean(dim=(1, 2, 3))
    assert (error < other).all()


def test_colour_changes_stay_in_range_and_can_be_switched_off() -> None:
    images = torch.rand(64, 3, 8, 8)
    changed = jitter(images, Crops(jitter=(0.8, 0.8, 0.8, 0.5), jitter_chance=1.0))
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert ((changed - images).abs().mean(dim=(1, 2, 3)) > 0.01).all()
    assert torch.equal(jitter(images, Crops(jitter_chance=0.0)), images)


def test_views_of_an_image_differ() -> None:
    images = discs_and_stripes(8).float() / 255
    torch.manual_seed(0)
    first, second = view(images, Crops(), 24), view(images, Crops(), 24)
    assert first.shape == (8, 3, 24, 24)
    assert ((first - second).abs().mean(dim=(1, 2, 3)) > 0.05).all()


def test_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    moco, path = MoCo(settings()), tmp_path / "encoder.safetensors"
    weights.save(path, moco.encoder.state_dict())
    images = discs_and_stripes(8)
    loaded = load_encoder(path, settings()).eval()
    assert torch.equal(encode(loaded, images, CPU), encode(moco.encoder.eval(), images, CPU))
    with pytest.raises(BadWeights, match=r"(?s)encoder\.safetensors does not fit.*head\.6\.weight"):
        load_encoder(path, settings(dim=8))
