"""Training models: weights that lie there are kept, own images have models of their own, and five of them follow one another."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from badood import config
from badood.cli import app
from badood.config import Config, load_config, weights_path
from badood.core import weights
from badood.core.artefacts import home, read_json
from badood.core.errors import BadConfig, BadInput, BadWeights
from badood.core.progress import Silent
from badood.core.training import total_steps
from badood.data import dataset
from badood.data.record import ImageSet
from badood.data.splits import load, split_validation
from badood.detect.start import start_detector
from badood.encode.features import encode, load_encoder, prepare
from badood.pipeline import recipe
from badood.pipeline.models import MODELS, Model, Models, weights_key
from badood.pipeline.own_models import apart
from badood.pipeline.preflight import preflight
from badood.pipeline.recipe import FLOORS, FURTHER, SMALL_BATCH, planned
from badood.pipeline.train import train_model
from badood.pipeline.train_all import begin_all, train_all
from badood.pipeline.wish import Wish
from tests.pipeline.tiny import TINY, TINY_RDM


class CutOff(Silent):
    """Ctrl-C at a step of a model."""

    def __init__(self, at: Model) -> None:
        self.at, self.seen = at, set[str]()

    def update(self, stage: str, step: int, total: int, **figures: float) -> None:
        self.seen.add(stage)
        if stage == self.at:
            raise KeyboardInterrupt


def tiny_rdm(folder: Path, *settings: str) -> Config:
    """An RDM of some hundred weights, into a folder."""
    return load_config("miniworld", [*TINY_RDM, f"rdm.weights={folder / 'rdm.safetensors'}", *settings])


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder of two classes of 32 px."""
    for name, colour in (("warm", (200, 90, 30)), ("cold", (20, 60, 180))):
        (tmp_path / "own" / name).mkdir(parents=True)
        for number in range(20):
            pixels = np.random.default_rng(number).integers(-20, 20, (32, 32, 3)) + np.array(colour)
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(tmp_path / "own" / name / f"{number}.png")
    return tmp_path / "own"


@pytest.mark.parametrize("model", MODELS)
def test_shipped_weights_are_kept(model: Model) -> None:
    cfg = load_config("miniworld")
    before = weights_path(cfg, model).stat().st_mtime_ns
    with pytest.raises(BadInput, match=r"exists and was not made by this training; it is kept"):
        train_model(cfg, model)
    assert weights_path(cfg, model).stat().st_mtime_ns == before


def test_weights_of_other_settings_are_replaced_only_when_told(tmp_path: Path) -> None:
    path = train_model(tiny_rdm(tmp_path), "rdm")
    first = path.read_bytes()
    watch = CutOff("rdm")
    assert train_model(tiny_rdm(tmp_path), "rdm", watch) == path
    assert not watch.seen
    other = tiny_rdm(tmp_path, "rdm.seed=1")
    with pytest.raises(BadInput, match="--replace"):
        train_model(other, "rdm")
    assert path.read_bytes() == first
    train_model(other, "rdm", replace=True)
    assert read_json(path.with_suffix(".json"))["seed"] == 1


def test_an_unfinished_training_goes_on_over_its_own_file(tmp_path: Path) -> None:
    cfg = tiny_rdm(tmp_path, "rdm.checkpoint_seconds=0.000001", "rdm.epochs=3")
    path = train_model(cfg, "rdm")
    done = weights.read(path)
    path.with_suffix(".json").unlink()  # as a cut between file and card leaves it

    class Late(CutOff):
        def update(self, stage: str, step: int, total: int, **figures: float) -> None:
            if step == 4:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_model(cfg, "rdm", Late("rdm"), replace=True)
    train_model(cfg, "rdm")
    assert all(torch.equal(tensor, done[name]) for name, tensor in weights.read(path).items())


def test_models_of_own_images_have_a_folder_of_their_own(own: Path) -> None:
    cfg = apart(load_config("miniworld", [], own, "folder"))
    assert weights_path(cfg, "encoder") == home() / "models" / "own" / "encoder.safetensors"
    assert apart(cfg, "other") == cfg
    shipped = load_config("cifar10", [], own)
    assert apart(shipped) == shipped


def test_the_command_keeps_what_lies_there(own: Path, tmp_path: Path) -> None:
    """Case train-overwrites-weights."""
    there = tmp_path / "in.safetensors"
    shutil.copy(weights_path(load_config("miniworld"), "encoder"), there)
    before = there.read_bytes()
    tiny = [f"--set={each}" for each in ("encoder.epochs=1", "encoder.batch_size=8")]
    asked = ["train", "encoder", "--data", str(own), "--dataset", "folder", *tiny]
    kept = CliRunner().invoke(app, [*asked, f"--set=encoder.weights={there}"])
    assert isinstance(kept.exception, BadInput)
    assert there.read_bytes() == before
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    assert (home() / "models" / "own" / "encoder.safetensors").exists()


def test_a_classifier_is_trained_and_a_run_starts_from_it_without_its_held_out_images(own: Path) -> None:
    tiny = [
        "detector.backbone=whitened-8-16",
        "detector.backbone_params={}",
        "detector.image_size=32",
        "detector.epochs=15",
        "detector.batch_size=12",
    ]
    asked = ["train", "detector", "--data", str(own), "--dataset", "folder", *[f"--set={each}" for each in tiny]]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    path = home() / "models" / "own" / "detector.safetensors"
    card = read_json(path.with_suffix(".json"))
    cfg = apart(load_config("miniworld", tiny, own, "folder"))
    held_out = split_validation(load(cfg.data.train, None), cfg.data.validation_share, cfg.data.validation_seed)[1]
    assert (card["rows"], len(held_out)) == (28, 4), "8 more are the test images"
    settings = config.Detector.model_validate({**card["settings"], "mode": "tuned", "weights": str(path)})
    images = load(cfg.data.train, None)
    start = start_detector(settings, images.pixels(32), torch.from_numpy(images.labels), images.classes, Models(cfg).compute)
    assert start.accuracy > 0.9
    assert CliRunner().invoke(app, asked).exit_code == 0, "a finished training is not done again"
    other = CliRunner().invoke(app, [*asked, "--set=data.validation_seed=1"])
    assert isinstance(other.exception, BadInput), "other images are held out"
    assert isinstance(CliRunner().invoke(app, [*asked, "--from", "cifar", "--replace"]).exception, BadConfig)


def test_an_encoder_begins_with_the_backbone_of_a_detector(own: Path, tmp_path: Path) -> None:
    network = ["detector.backbone=whitened-8-16", "detector.backbone_params={}", "detector.image_size=32", "detector.batch_size=12"]
    classifier = tmp_path / "classifier.safetensors"
    asked = [*network, "detector.epochs=1", f"detector.weights={classifier}"]
    train_model(load_config("miniworld", asked, own, "folder"), "detector")

    def settings(name: str, *more: str) -> Config:
        ours = ["backbone=whitened", "backbone_params={widths: [8, 16]}", "image_size=32", "hidden=16", "dim=8", "batch_size=8", "epochs=1"]
        own_file = f"encoder.weights={tmp_path / name}.safetensors"
        return load_config("miniworld", [f"encoder.{each}" for each in (*ours, *more)] + [own_file], own, "folder")

    still = ["lr=0.000000001", "weight_decay=0"]
    begun = Models(settings("begun", f"begin_with={classifier}", *still))
    train_model(begun.cfg, "encoder")
    given, got = weights.read(classifier), weights.read(weights_path(begun.cfg, "encoder"))
    learnt = [name for name in given if name.startswith("backbone.") and name.endswith("weight")]
    assert learnt
    assert all(torch.allclose(got[name].float(), given[name].float(), atol=1e-3) for name in learnt)
    fresh = settings("fresh", *still)
    train_model(fresh, "encoder")
    encoder = load_encoder(weights_path(fresh, "encoder"), fresh.encoder)
    patches = encoder.backbone.whiten(prepare(load(fresh.data.train, None).pixels(32), 32)).permute(1, 0, 2, 3).flatten(1)[:12]
    covariance = patches @ patches.T / patches.shape[1]
    assert torch.allclose(covariance, torch.diag(covariance.diag()), atol=0.05), "whitened by the images"
    with pytest.raises(BadWeights, match=r"classifier\.safetensors does not fit"):
        train_model(settings("wider", f"begin_with={classifier}", "backbone_params={widths: [8, 24]}"), "encoder")
    train_model(load_config("miniworld", [*asked, "detector.seed=1"], own, "folder"), "detector", replace=True)
    with pytest.raises(BadInput, match="not made by this training"):
        train_model(begun.cfg, "encoder")


def test_a_model_starts_from_given_weights(tmp_path: Path) -> None:
    first = tiny_rdm(tmp_path / "first", "rdm.epochs=40", "rdm.lr=0.005")
    train_model(first, "rdm")
    still = [f"rdm.{each}" for each in ("lr=0.000000001", "weight_decay=0", "ema=null")]
    second = tiny_rdm(tmp_path / "second", *still)
    path = train_model(second, "rdm", start=first)
    got, given = Models(second).rdm.state_dict(), Models(first).rdm.state_dict()
    assert all(torch.allclose(got[name].float(), tensor.float(), atol=1e-4) for name, tensor in given.items())
    assert read_json(path.with_suffix(".json"))["start"] == {"preset": "miniworld", "key": weights_key(first, "rdm")}
    with pytest.raises(BadWeights, match="does not fit"):
        train_model(tiny_rdm(tmp_path / "third", "rdm.width=32"), "rdm", start=first)


def test_a_conditional_rdm_learns_where_each_class_lies(tmp_path: Path) -> None:
    wide = ["rdm.classes=10", "rdm.width=128", "rdm.epochs=150", "rdm.lr=0.003", "rdm.ema=null", "rdm.context_width=32"]
    cfg = tiny_rdm(tmp_path, *wide, "data.train.params.count=240", "rdm.batch_size=240")
    train_model(cfg, "rdm")
    models = Models(cfg)
    images = dataset["miniworld"](None, "test", classes="id", count=100, size=64)
    z0, labels = encode(models.encoder, images.pixels(64), models.compute), torch.from_numpy(images.labels)
    noise = torch.randn(z0.shape, generator=torch.Generator().manual_seed(0))

    def error(label: torch.Tensor) -> float:
        steps = torch.full((len(z0),), 990)
        return float(models.rdm.loss(z0, steps, noise, label))

    with torch.inference_mode():
        assert error(labels) < 0.8 * error((labels + 1) % 10)


def test_the_figures_of_a_conditional_rdm_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from badood.benchmark.assets import check

    monkeypatch.setattr("badood.evaluate.probe.STEPS", 2)  # which learns from images alone
    small = ["data.test.params.count=40", "decode.steps=2", "decode.draws=1", "synthesise.params={start: 20}"]
    cfg = tiny_rdm(tmp_path, "rdm.classes=10", *small)
    train_model(cfg, "rdm")
    assert np.isfinite(check(cfg)["minority_score_by_scale"]).all()


def test_steps_have_a_floor_and_grow_with_the_images(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "seconds_a_step", lambda cfg, model, images: 0.5)
    few = planned(Wish(own))
    assert few.cfg.data.image_size == 32
    assert {model: few.steps[model] >= FLOORS[model] for model in MODELS} == dict.fromkeys(MODELS, True)
    assert any("too few to teach five models" in each for each in few.warnings)
    images = dataset["folder"](own, "train")
    many = images.take(np.resize(np.arange(len(images)), 60_000))
    monkeypatch.setattr(recipe, "load", lambda source, base: many)
    large = planned(Wish(own))
    mage = load_config("cifar10").mage
    assert large.steps["mage"] == pytest.approx(60_000 * (1 + mage.views) / SMALL_BATCH * mage.epochs, rel=0.01)
    assert not large.warnings
    given = planned(Wish(own, start="cifar", size=32))
    assert given.cfg.rdm.lr == pytest.approx(FURTHER * load_config("cifar10").rdm.lr)
    assert given.steps["tokenizer"] < large.steps["tokenizer"]
    short = planned(Wish(own, minutes=1))
    assert sum(short.seconds.values()) == pytest.approx(60, rel=0.1)
    assert any("so few steps teach little" in each for each in short.warnings)
    set_by_hand = planned(Wish(own, settings=("mage.epochs=2",)))
    assert set_by_hand.steps["mage"] == total_steps(60_000 * (1 + mage.views), set_by_hand.cfg.mage)


def test_sizes_are_those_of_the_images(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "seconds_a_step", lambda cfg, model, images: 0.5)

    def of(side: int) -> ImageSet:
        images = dataset["folder"](own, "train")
        return replace(images, read=lambda row: np.zeros((side, 2 * side, 3), np.uint8))

    for side, size in ((28, 32), (60, 64), (90, 64), (100, 128), (500, 128)):
        monkeypatch.setattr(recipe, "load", lambda source, base, side=side: of(side))
        cfg = planned(Wish(own)).cfg
        assert (cfg.data.image_size, cfg.tokenizer.image_size, cfg.tokenizer.side) == (size, size, 8)
    with pytest.raises(BadConfig, match=r"models are for 32 px, not 64"):
        planned(Wish(own, start="cifar", size=64))
    with pytest.raises(BadConfig, match="--size 48: give one of 32, 64, 128"):
        planned(Wish(own, size=48))


def test_a_clip_that_knows_the_classes_keeps_its_vocabulary(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "seconds_a_step", lambda cfg, model, images: 0.5)
    monkeypatch.setattr(recipe, "clip_knows", lambda models, images: "it names all")
    plan = planned(Wish(own, start="cifar"))
    assert plan.kept["clip"] == "it names all"
    assert plan.cfg.clip.vocabulary == load_config("cifar10").clip.vocabulary


def test_one_class_is_refused_before_anything(own: Path) -> None:
    shutil.rmtree(own / "warm")
    with pytest.raises(BadInput, match="at least two classes, found cold"):
        planned(Wish(own))
    assert not (home() / "models").exists()


def test_five_models_follow_one_another_and_go_on_after_a_cut(own: Path) -> None:
    wish = Wish(own, settings=TINY)
    plan = begin_all(wish)
    with pytest.raises(KeyboardInterrupt):
        train_all(wish, plan, CutOff("tokenizer"))
    assert sorted(path.stem for path in wish.folder.glob("*.safetensors")) == ["encoder", "rdm"]
    rest = CutOff("encoder")
    made = train_all(wish, begin_all(wish), rest)
    assert {"tokenizer", "mage", "clip"} <= rest.seen
    assert "rdm" not in rest.seen
    assert made.after.images == 8
    cfg = load_config(str(made.preset), data=own)
    assert cfg.data.train.dataset == "folder"
    assert cfg.data.auxiliary[0].path == "../cifar100", "beside the images, wherever the command was given"
    preflight(cfg)
    card = read_json(wish.folder / "mage.json")
    assert (card["encoder"], card["tokenizer"]) == (weights_key(cfg, "encoder"), weights_key(cfg, "tokenizer"))
    with pytest.raises(BadInput, match="made of other images or settings; they are kept"):
        begin_all(replace(wish, settings=(*TINY, "rdm.seed=1")))
    begin_all(replace(wish, settings=(*TINY, "rdm.seed=1")), replace=True)
    assert not list(wish.folder.glob("*.safetensors"))


def test_given_models_that_training_does_not_better_stay_as_given(own: Path) -> None:
    hasty = ("rdm.lr=1", "rdm.epochs=2", "tokenizer.lr=1", "tokenizer.epochs=0.1", "mage.views=0", "mage.epochs=0.1", "decode.steps=2")
    wish = Wish(own, start="miniworld", size=64, settings=(*hasty, "clip.epochs=0.1", "decode.draws=1", "clip.batch_size=16"))
    made = train_all(wish, begin_all(wish))
    assert made.kept["encoder"].startswith("fewer than")
    assert "when it was trained further" in made.kept["rdm"]
    cfg = load_config(str(made.preset))
    assert weights_key(cfg, "rdm") == weights_key(load_config("miniworld"), "rdm")
    assert made.before is not None
    preflight(cfg)
