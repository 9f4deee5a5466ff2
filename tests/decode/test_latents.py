"""MAGE's rivals: diffusion models of the tokenizer's latents under z0."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from badood.config import LDM, Decode, DiT, Tokenizer
from badood.core import weights
from badood.core.compute import choose
from badood.core.errors import BadConfig, BadWeights
from badood.core.noise import Noise
from badood.core.training import fit
from badood.decode.latents import LatentDiffusion, decode_latents, latents_loss, latents_of, load_latents
from badood.decode.vqgan import VQGAN

COMPUTE = choose("cpu", "fp32")
TOKENIZER = Tokenizer(
    image_size=16, channels=8, multipliers=[1, 1, 1], blocks=1, groups=8, code_dim=4, codes=16, epochs=1, batch_size=8, lr=0.001
)
DIM = 6
QUICK = {"epochs": 150, "batch_size": 32, "lr": 0.006, "ema": 0.9}
TINY: dict[str, DiT | LDM] = {
    "dit": DiT.model_validate({"width": 32, "depth": 2, "heads": 2, **QUICK}),
    "ldm": LDM.model_validate({"channels": 16, "multipliers": [1, 2], "blocks": 1, "groups": 8, **QUICK}),
}
BOTH = pytest.mark.parametrize("cfg", TINY.values(), ids=TINY)


def pair() -> tuple[Tensor, Tensor]:
    """Latents far from 0 that are high where z0 is, and low where it is not: (64, 4, 4, 4) and (64, 6)."""
    sign = torch.where(torch.arange(64) % 2 == 0, 1.0, -1.0)
    noise = 0.1 * torch.randn(64, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    return 30 + 5 * (sign[:, None, None, None] + noise), sign[:, None].expand(64, DIM).clone()


def trained(cfg: DiT | LDM) -> LatentDiffusion:
    torch.manual_seed(0)
    model = LatentDiffusion.of(cfg, TOKENIZER, DIM)
    latents, z0 = pair()
    model.load_state_dict(fit(model, latents_loss(model, latents, z0, 0.1, COMPUTE), 64, cfg, compute=COMPUTE))
    return model.eval()


@BOTH
def test_latents_are_those_that_z0_asks_for(cfg: DiT | LDM) -> None:
    model = trained(cfg)
    z = torch.tensor([[1.0], [-1.0]]).expand(2, DIM)
    decode = Decode(steps=10, guidance=1.0)
    with torch.inference_mode():
        high, low = model.latents(z, decode, Noise(0, np.arange(2))).mean(dim=(1, 2, 3)).tolist()
        plain, _ = model.latents(z, Decode(steps=10, guidance=0.0), Noise(0, np.arange(2))).mean(dim=(1, 2, 3)).tolist()
    assert high > 33
    assert low < 27
    assert plain == pytest.approx(35, abs=2), "without guidance as the training images are"


@BOTH
def test_a_row_depends_on_its_noise_and_z0_alone(cfg: DiT | LDM) -> None:
    torch.manual_seed(0)
    vqgan, model = VQGAN.of(TOKENIZER).eval(), LatentDiffusion.of(cfg, TOKENIZER, DIM).eval()
    torch.nn.init.normal_(vqgan.quantize.embedding.weight)  # codes as far apart as the latents
    z, noise, decode = torch.randn(5, DIM), Noise(3, np.arange(10, 15)), Decode(steps=3, batch_size=2)
    images = decode_latents(model, vqgan, z, decode, noise=noise, compute=COMPUTE)
    assert images.shape == (5, 3, 16, 16)
    assert images.dtype == torch.uint8
    rows = np.array([3, 1])
    some = decode_latents(model, vqgan, z[rows], decode, noise=noise.take(rows), compute=COMPUTE)
    assert (some.int() - images[rows].int()).abs().max() <= 1
    assert not torch.equal(decode_latents(model, vqgan, z, decode, noise=Noise(4, np.arange(10, 15)), compute=COMPUTE), images)


def test_latents_that_are_rounded_are_the_tokenizers_codes() -> None:
    torch.manual_seed(0)
    vqgan = VQGAN.of(TOKENIZER).eval()
    images = torch.randint(0, 256, (5, 3, 16, 16), dtype=torch.uint8)
    latents = latents_of(vqgan, images, COMPUTE, batch_size=2)
    with torch.inference_mode():
        assert torch.equal(vqgan.indices(latents), vqgan.encode_indices(images))


@BOTH
def test_a_weights_file_gives_the_same_model_back(cfg: DiT | LDM, tmp_path: Path) -> None:
    model = trained(cfg)
    weights.save(tmp_path / "it.safetensors", model.state_dict())
    again = load_latents(tmp_path / "it.safetensors", cfg, TOKENIZER, DIM)
    z, decode = torch.randn(2, DIM), Decode(steps=2)
    with torch.inference_mode():
        assert torch.equal(*(each.latents(z, decode, Noise(0, np.arange(2))) for each in (model, again)))
    with pytest.raises(BadWeights, match="does not fit"):
        load_latents(tmp_path / "it.safetensors", cfg, TOKENIZER, DIM + 1)


@pytest.mark.parametrize(
    ("cfg", "told"),
    [
        (DiT.model_validate({"width": 30, "heads": 4, **QUICK}), "dit.width is 30"),
        (DiT.model_validate({"patch": 3, **QUICK}), "dit.patch is 3"),
        (LDM.model_validate({"channels": 20, "groups": 8, **QUICK}), "ldm.channels is 20"),
        (LDM.model_validate({"multipliers": [1, 1, 1, 1], **QUICK}), "4 levels"),
    ],
)
def test_sizes_that_do_not_go_together_are_told(cfg: DiT | LDM, told: str) -> None:
    with pytest.raises(BadConfig, match=told):
        LatentDiffusion.of(cfg, TOKENIZER, DIM)
