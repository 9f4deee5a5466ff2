"""Training the preset's models: the file, its card, and going on where a training was cut off."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from badood.config import Config, load_config
from badood.core import weights
from badood.core.artefacts import read_json
from badood.core.noise import Noise
from badood.core.progress import Silent
from badood.data import dataset
from badood.encode.features import encode
from badood.pipeline.models import Models
from badood.pipeline.train import train_model


class Watch(Silent):
    """Which steps of MAGE were done; Ctrl-C comes at one of them."""

    def __init__(self, cut_off: int | None = None) -> None:
        self.cut_off = cut_off
        self.steps: list[int] = []

    def update(self, stage: str, step: int, total: int, **figures: float) -> None:
        if stage == "mage":
            self.steps.append(step)
            if step == self.cut_off:
                raise KeyboardInterrupt


def tiny(folder: Path, *overrides: str) -> Config:
    """MAGE of a few thousand weights on 64 images, written to a folder; encoder and tokenizer are the shipped ones."""
    sizes = [f"mage.{part}={value}" for part, value in {"width": 16, "decoder_width": 16, "depth": 1, "decoder_depth": 1}.items()]
    settings = ["data.train.params.count=64", "mage.batch_size=16", "mage.epochs=1", "mage.checkpoint_seconds=0.001"]
    return load_config("miniworld", [*settings, *sizes, f"mage.weights={folder / 'mage.safetensors'}", *overrides])


def test_mage_learns_from_crops_too(tmp_path: Path) -> None:
    cfg = tiny(tmp_path, "mage.views=2")
    path = train_model(cfg, "mage")
    card = read_json(path.with_suffix(".json"))
    assert card["rows"] == 3 * 64
    assert card["settings"]["views"] == 2
    mage = Models(cfg).mage
    blank, z = torch.full((2, mage.length), mage.mask_id), torch.randn(2, cfg.encoder.dim)
    assert torch.isfinite(mage(blank, z.to(next(mage.parameters()).dtype))).all()


def test_a_training_that_was_cut_off_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole, cut = tiny(tmp_path / "whole", "mage.views=1"), tiny(tmp_path / "cut", "mage.views=1")
    train_model(whole, "mage")
    with pytest.raises(KeyboardInterrupt):
        train_model(cut, "mage", Watch(cut_off=3))
    assert not (tmp_path / "cut" / "mage.safetensors").exists()
    rest = Watch()
    train_model(cut, "mage", rest)
    assert rest.steps[0] > 1
    assert rest.steps[-1] == 8
    first, second = (weights.read(tmp_path / name / "mage.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def test_of_several_decodings_the_nearest_is_kept() -> None:
    cfg = load_config("miniworld", ["decode.steps=3", "decode.draws=1"])
    models = Models(cfg)
    z = encode(models.encoder, dataset["miniworld"](None, "test", classes="id", count=24, size=64).pixels(64), models.compute)

    def nearness(draws: int, near: float = 1.0) -> np.ndarray:
        settings = cfg.decode.model_copy(update={"draws": draws, "near": near})
        images = replace(models, cfg=cfg.model_copy(update={"decode": settings})).decode(z, Noise(0, np.arange(len(z))))
        return torch.cosine_similarity(encode(models.encoder, images, models.compute), z).numpy()

    once, often = nearness(1), nearness(3)
    enough = nearness(3, float(np.median(once)))
    assert (often >= once - 0.01).all()
    assert often.mean() > once.mean()
    settled = once >= np.median(once)
    np.testing.assert_allclose(enough[settled], once[settled], atol=0.01)
    assert enough[~settled].mean() > once[~settled].mean()
