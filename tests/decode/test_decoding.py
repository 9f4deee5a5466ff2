"""Tokenizer, MAGE and parallel decoding on tiny networks that learn in seconds."""

import numpy as np
import pytest
import torch
from torch import Tensor

from badood.config import Config, Decode, load_config
from badood.core.compute import choose
from badood.core.noise import Noise
from badood.core.training import fit
from badood.data import dataset
from badood.decode import decode_images
from badood.decode.mage import MAGE, mage_loss
from badood.decode.parallel_decoding import as_in_training, decode_codes, guidance_at, inverse_cdf, still_masked, temperature_at
from badood.decode.vqgan import VQGAN, tokenizer_loss
from badood.pipeline.models import Models

FP32 = choose("cpu", "fp32")
CODES, SIDE, DIM = 8, 3, 6
SMALL = [
    *(f"mage.{part}width=32" for part in ("", "decoder_")),
    *("mage.depth=1", "mage.decoder_depth=1", "mage.heads=2", "mage.decoder_heads=2"),
    *("mage.batch_size=32", "mage.epochs=400", "mage.lr=0.01", "mage.dropout=0", "mage.weight_decay=0"),
    *("tokenizer.image_size=32", "tokenizer.channels=8", "tokenizer.multipliers=[1, 2, 2]", "tokenizer.code_dim=8"),
    *("tokenizer.codes=64", "tokenizer.epochs=6", "tokenizer.batch_size=16", "tokenizer.lr=0.004"),
    *("decode.steps=4", "decode.guidance=3.0", "decode.temperature=0.5"),
]


@pytest.fixture(scope="module")
def cfg() -> Config:
    return load_config("miniworld", SMALL)


@pytest.fixture(scope="module")
def pictures() -> tuple[Tensor, Tensor]:
    """Codes of four pictures, each repeated, and the representation that tells which one it is."""
    torch.manual_seed(1)
    codes, z = torch.randint(0, CODES, (4, SIDE * SIDE)), torch.randn(4, DIM)
    return codes.repeat(16, 1), z.repeat(16, 1)


@pytest.fixture(scope="module")
def mage(cfg: Config, pictures: tuple[Tensor, Tensor]) -> MAGE:
    torch.manual_seed(0)
    network = MAGE.of(cfg.mage, codes=CODES, side=SIDE, dim=DIM)
    fit(network, mage_loss(network, *pictures, FP32), len(pictures[0]), cfg.mage, compute=FP32)
    return network.eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return dataset["miniworld"](None, "train", count=160, size=32).pixels(32)


@pytest.fixture(scope="module")
def vqgan(cfg: Config, images: Tensor) -> VQGAN:
    torch.manual_seed(0)
    network = VQGAN.of(cfg.tokenizer)
    fit(network, tokenizer_loss(network, images, FP32), len(images), cfg.tokenizer, compute=FP32)
    return network.eval()


def test_a_perceptual_loss_keeps_what_the_encoder_sees(vqgan: VQGAN, cfg: Config, images: Tensor) -> None:
    features = Models(cfg).encoder.features
    torch.manual_seed(0)
    network = VQGAN.of(cfg.tokenizer)
    bf16 = choose("cpu", "bf16")
    fit(network, tokenizer_loss(network, images, bf16, features, 0.3), len(images), cfg.tokenizer, compute=bf16)

    @torch.inference_mode()
    def likeness(vqgan: VQGAN) -> float:
        rebuilt = vqgan.decode_indices(vqgan.encode_indices(images))
        with choose("cpu", "bf16").autocast():
            seen = [features(some).float().flatten(1) for some in (rebuilt, images)]
        return float(torch.cosine_similarity(*seen).mean())

    assert likeness(network.eval()) > likeness(vqgan) + 0.05


def error(vqgan: VQGAN, images: Tensor) -> float:
    with torch.inference_mode():
        return float((vqgan.decode_indices(vqgan.encode_indices(images)).float() - images.float()).square().mean())


@pytest.mark.parametrize("learns", [False, True])
def test_the_table_of_codes_learns_from_the_logits_where_it_is_told_to(cfg: Config, learns: bool) -> None:
    network = MAGE.of(cfg.mage.model_copy(update={"learn_output": learns}), codes=CODES, side=SIDE, dim=DIM)
    unknown = torch.full((2, SIDE * SIDE), network.mask_id)
    network(unknown, torch.randn(2, DIM)).square().sum().backward()
    gradient = network.token_emb.word_embeddings.weight.grad
    assert gradient is not None
    # no code is shown, so what comes back to them can only come from the logits
    assert bool(gradient[:CODES].any()) is learns
    assert gradient[network.mask_id].any()


@torch.inference_mode()
def test_the_representation_decides_the_picture(mage: MAGE, cfg: Config, pictures: tuple[Tensor, Tensor]) -> None:
    codes, z = (part[:4] for part in pictures)
    drawn = decode_codes(mage, z, cfg.decode, Noise(0, np.arange(4)))
    assert drawn.shape == codes.shape
    assert (drawn == codes).float().mean() > 0.9
    assert (decode_codes(mage, z.roll(1, dims=0), cfg.decode, Noise(0, np.arange(4))) == codes).float().mean() < 0.5


@torch.inference_mode()
def test_a_row_is_decoded_the_same_in_any_batch(mage: MAGE, cfg: Config, pictures: tuple[Tensor, Tensor]) -> None:
    z, noise = pictures[1][:6], Noise(3, np.arange(6))
    together = decode_codes(mage, z, cfg.decode, noise)
    alone = torch.cat([decode_codes(mage, z[row : row + 1], cfg.decode, noise.take(slice(row, row + 1))) for row in range(6)])
    assert torch.equal(together, alone)


@torch.inference_mode()
def test_other_seeds_draw_other_pictures(mage: MAGE, cfg: Config, pictures: tuple[Tensor, Tensor]) -> None:
    free = cfg.decode.model_copy(update={"guidance": 0.0, "temperature": 20.0})
    unsure = torch.zeros(8, DIM)
    first, second = (decode_codes(mage, unsure, free, Noise(seed, np.arange(8))) for seed in (0, 1))
    assert not torch.equal(first, second)


def test_the_tokenizer_learns_to_rebuild(vqgan: VQGAN, cfg: Config, images: Tensor) -> None:
    torch.manual_seed(0)
    untrained = VQGAN.of(cfg.tokenizer).eval()
    test = dataset["miniworld"](None, "test", count=32, size=32).pixels(32)
    assert error(vqgan, test) < 0.3 * error(untrained, test)
    codes = vqgan.encode_indices(images)
    assert codes.shape == (len(images), 64)
    assert len(codes.unique()) > 16, "the codebook has collapsed"


def test_images_are_whole_bytes_of_the_tokenizers_size(vqgan: VQGAN, cfg: Config) -> None:
    mage = MAGE.of(cfg.mage, codes=cfg.tokenizer.codes, side=8, dim=DIM).eval()
    out = decode_images(mage, vqgan, torch.randn(5, DIM), cfg.decode, noise=Noise(0, np.arange(5)), compute=FP32)
    assert (out.shape, out.dtype) == ((5, 3, 32, 32), torch.uint8)


def test_schedules_start_and_end_where_they_should() -> None:
    cfg = Decode(steps=20, guidance=3.0, temperature=6.0)
    assert guidance_at(19, cfg) == 3.0
    assert temperature_at(19, cfg) == 0.0
    unknown, left = torch.ones(1, 64, dtype=torch.bool), []
    for step in range(20):
        left.append(int(still_masked(unknown, step, 20)))
        unknown = torch.arange(64)[None] < left[-1]
    assert left == sorted(left, reverse=True)
    assert left[-1] == 1
    # two thirds of the steps leave half, to the position
    assert int(still_masked(torch.ones(1, 256, dtype=torch.bool), 49, 75)) == 128


def test_inverse_cdf_draws_in_proportion() -> None:
    probabilities = torch.tensor([0.5, 0.0, 0.3, 0.2]).repeat(10_000, 1)
    drawn = inverse_cdf(probabilities, (torch.arange(10_000) + 0.5) / 10_000)
    assert torch.bincount(drawn, minlength=4).tolist() == pytest.approx([5000, 0, 3000, 2000], abs=2)


def test_the_encoder_sees_all_known_positions_and_as_many_masked_ones_as_in_training() -> None:
    unknown = torch.ones(3, 16, dtype=torch.bool)
    unknown[1, :3] = unknown[2, :11] = False
    kept = as_in_training(unknown, 0.5)
    assert kept.shape == (3, 11)
    assert all(set(range(known)) <= set(row.tolist()) for known, row in zip((0, 3, 11), kept, strict=True))
    assert as_in_training(unknown[:2], 0.5).shape == (2, 8)
    assert all(len(set(row.tolist())) == len(row) for row in kept)


def test_sparing_masked_tokens_still_decodes_the_picture(mage: MAGE, pictures: tuple[Tensor, Tensor], cfg: Config) -> None:
    codes, z = pictures
    spared = cfg.decode.model_copy(update={"spare_masked": True})
    got = decode_codes(mage, z[:4], spared, Noise(0, np.arange(4)))
    assert (got == codes[:4]).float().mean() > 0.9
