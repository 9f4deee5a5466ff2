"""Sources that draw from a generator of their own: what each does to ID images, and that nothing but row and seed decides an outlier."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from badood.config import Config, load_config
from badood.config import Outliers as Entry
from badood.core import weights
from badood.core.compute import choose
from badood.core.errors import BadConfig, BadInput, BadWeights
from badood.core.progress import Silent
from badood.decode.pixels import PixelDiffusion, as_input
from badood.outliers import Given, OutlierSource, outlier_source
from badood.outliers.gan import Players, from_uniform, players_loss
from badood.outliers.sona import semantic
from badood.pipeline.models import Models
from badood.pipeline.path import synthesise
from badood.pipeline.preflight import preflight
from badood.pipeline.train import train_model

TINY = ("pixels.image_size=16", "pixels.channels=8", "pixels.multipliers=[1, 2]", "compute.precision=fp32")
CLASSES = ("a", "b", "c")


def settings(folder: Path, *more: str) -> Config:
    return load_config("miniworld", [*TINY, f"pixels.weights={folder / 'pixels.safetensors'}", *more])


def write_weights(cfg: Config, folder: Path, classes: int = 3, seed: int = 0) -> None:
    """Random ones."""
    assert cfg.pixels is not None
    torch.manual_seed(seed)
    weights.save(folder / "pixels.safetensors", PixelDiffusion(cfg.pixels, classes).state_dict())


@pytest.fixture
def given(tmp_path: Path) -> Given:
    """Thirty noisy ID images of 16 px, of three classes."""
    cfg = settings(tmp_path)
    write_weights(cfg, tmp_path)
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (30, 3, 16, 16), dtype=np.uint8))
    ids = [f"{row}.png" for row in range(30)]
    return Given(16, choose("cpu", "fp32"), Silent(), np.arange(30) % 3, CLASSES, ids, models=Models(cfg), images=pixels)


def made(name: str, **params: Any) -> OutlierSource:
    source: OutlierSource = outlier_source.make(name, {"limit": 12, **params})
    return source


def images(source: OutlierSource, given: Given, first: int = 0) -> np.ndarray:
    return np.concatenate([group.images for group in source.groups(given, first)])


QUICK: dict[str, dict[str, Any]] = {
    "fake_it": {"steps": 3},
    "sona": {"steps": 3},
    "gan": {"epochs": 1, "batch_size": 10, "channels": 8, "image_size": 8},
}


@pytest.mark.parametrize("name", sorted(QUICK))
def test_seed_and_row_decide_an_outlier_and_the_batch_does_not(name: str, given: Given) -> None:
    whole = images(made(name, **QUICK[name]), given)
    one_at_a_time = replace(given, compute=replace(given.compute, memory_gb=1e-9))
    alone = images(made(name, **QUICK[name]), one_at_a_time)
    assert np.abs(whole.astype(int) - alone).max() <= 1, "but for rounding"
    assert (images(made(name, **QUICK[name], seed=1), given) != whole).any(axis=(1, 2, 3)).all()


def test_sona_keeps_nuisances_to_the_pixel_and_moves_to_another_class(given: Given) -> None:
    (group,) = made("sona", steps=4, region=0.25).groups(given, 0)
    assert given.images is not None
    same = (group.images == given.images[group.columns["anchor_row"]].numpy()).all(axis=1).mean(axis=(1, 2))
    assert ((same > 0.7) & (same < 0.9)).all(), "a quarter of the pixels moves, and some of it back"
    assert (group.columns["anchor_class"] != group.columns["target_class"]).all()
    assert set(group.columns["target_class"]) == set(CLASSES)
    assert list(group.columns["anchor_id"]) == [given.ids[row] for row in group.columns["anchor_row"]]


def test_the_farther_sona_noises_an_image_the_less_is_left_of_it(given: Given) -> None:
    def distance(start: int) -> float:
        (group,) = made("sona", steps=20, region=1, start=start).groups(given, 0)
        assert given.images is not None
        return float(np.abs(group.images.astype(float) - given.images[group.columns["anchor_row"]].numpy()).mean())

    near, middle, far = (distance(start) for start in (100, 400, 900))
    assert near < middle < far


def test_sona_moves_where_the_classes_disagree() -> None:
    difference = torch.zeros(2, 3, 16, 16)
    difference[0, :, :8, :8], difference[1, :, 8:, 8:] = 1, -1
    found = semantic(difference, 0.25)[:, 0]
    assert found[0, :8, :8].float().mean() > 0.9
    assert found[1, 8:, 8:].float().mean() > 0.9
    assert not found[0, 11:].any()


def test_sona_needs_two_classes(given: Given) -> None:
    with pytest.raises(BadInput, match="all of one class"):
        images(made("sona"), replace(given, labels=np.zeros(30, dtype=np.int64)))


def test_fake_it_draws_classes_as_often_as_the_id_images_have_them(given: Given) -> None:
    labels = np.repeat([0, 1], [24, 6])
    (group,) = made("fake_it", steps=1, limit=100).groups(replace(given, labels=labels), 0)
    names = list(group.columns["class_name"])
    assert 70 <= names.count("a") <= 90
    assert names.count("a") + names.count("b") == 100


@pytest.mark.parametrize("name", ["fake_it", "sona"])
def test_a_model_of_other_classes_is_refused(name: str, given: Given) -> None:
    with pytest.raises(BadInput, match=r"knows 3 classes, and the ID images have 2.*train pixels"):
        images(made(name), replace(given, classes=["a", "b"]))


def test_of_a_gan_that_learnt_images_resemble_them(given: Given) -> None:
    """ID images are red or blue: so are the outliers, and the classifier is unsure of them."""
    pixels = torch.full((64, 3, 8, 8), 30, dtype=torch.uint8)
    labels = np.arange(64) % 2
    pixels[labels == 0, 0] = pixels[labels == 1, 2] = 230
    known = replace(given, size=8, labels=labels, classes=["red", "blue"], images=pixels)
    drawn = images(made("gan", image_size=8, channels=8, epochs=60, batch_size=32, lr=0.003, latent=8), known)
    assert np.abs(drawn[:, 1].astype(float) - 30).mean() < 40, "no green"


def test_the_players_gradients_are_their_own(given: Given) -> None:
    """The generator is to raise the classifier's doubt, the classifier to keep it: neither pulls the other's weights."""
    torch.manual_seed(0)
    players = Players(latent=4, size=8, channels=8, classes=3)
    grown = {}
    for confidence in (0.0, 5.0):
        torch.manual_seed(1)
        players.zero_grad()
        players_loss(players, given, confidence, 8)(torch.arange(6), 0.0).backward()
        grown[confidence] = {name: parameter.grad.clone() for name, parameter in players.named_parameters() if parameter.grad is not None}
    assert grown[0.0].keys() == dict(players.named_parameters()).keys()
    for name, gradient in grown[5.0].items():
        differs = not torch.equal(gradient, grown[0.0][name])
        assert differs == (not name.startswith("discriminator")), name


def test_divergence_from_uniform() -> None:
    assert from_uniform(torch.full((3, 4), 7.0)) == pytest.approx(0, abs=1e-6)
    p = torch.tensor([[0.7, 0.2, 0.1]])
    assert float(from_uniform(p.log())) == pytest.approx(float((torch.log(1 / 3 / p) / 3).sum()))


def test_a_gan_goes_on_from_its_checkpoint(given: Given, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("badood.outliers.gan.CHECKPOINT_SECONDS", 1e-9)
    source = made("gan", **{**QUICK["gan"], "epochs": 3})
    whole = images(source, given)
    steps: list[int] = []

    class Watch(Silent):
        def update(self, stage: str, step: int, total: int, **figures: float) -> None:
            if stage == "gan":
                steps.append(step)
                if steps == [1, 2, 3, 4]:
                    raise KeyboardInterrupt

    watched = replace(given, progress=Watch(), checkpoint=tmp_path / "training.pt")
    with pytest.raises(KeyboardInterrupt):
        images(source, watched)
    np.testing.assert_array_equal(images(source, watched), whole)
    assert steps[4] == 4, "the step that was cut off is done again, and no other"


def test_without_a_count_there_are_as_many_as_the_run_synthesises() -> None:
    cfg = load_config("miniworld", ["synthesise.count=77"])
    limits = {count: outlier_source["gan"].of(cfg, Entry(name="a", source="gan", count=count)).limit for count in (None, 5)}
    assert limits == {None: 77, 5: 5}


def test_input_has_the_models_range() -> None:
    pixels = torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 1, 2).expand(1, 3, 2, 2)
    assert as_input(pixels, 2)[0, 0, 0].tolist() == [-1, 1]
    assert as_input(pixels, 8).abs().max() <= 1


SMALL = (
    *("data.train.params.count=60", "data.test.params.count=20", "data.auxiliary.0.params.count=20", "pixels.epochs=1"),
    *(f"data.ood.{place}.params.count=20" for place in range(3)),
    *("pixels.batch_size=30", "compute.threads=1"),
)


def test_several_sources_of_one_run_from_trained_weights(tmp_path: Path) -> None:
    entries = ", ".join(f"{{name: {name}, source: {name}, count: 7, params: {params}}}" for name, params in QUICK.items())
    cfg = settings(tmp_path, *SMALL, f"outliers=[{entries}]")
    with pytest.raises(
        BadWeights, match=r"pixels\.safetensors \(pixels\.weights\)\. Train them \(`python -m badood train pixels --preset miniworld`\)"
    ):
        preflight(cfg)
    train_model(cfg, "pixels")
    run, outliers = synthesise(cfg, "three")
    assert [(name, part.count) for name, part in outliers.parts] == [(name, 7) for name in QUICK]
    assert not list(run.folder.rglob("training.pt"))
    before = Models(cfg).only("pixels").key
    write_weights(cfg, tmp_path, classes=10, seed=1)
    assert Models(cfg).only("pixels").key != before, "so other weights make other outliers"


def test_a_preset_without_the_model_says_so() -> None:
    cfg = load_config("imagenet100", ["outliers=[{name: a, source: sona}]"], Path("/nowhere"))
    with pytest.raises(BadConfig, match="preset imagenet100 has no section pixels"):
        Models(cfg).pixels  # noqa: B018
