"""The fit check: models on images that they were not made for, on cards of models, and what a run does with the figures."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from badood.config import Config, load_config, weights_path
from badood.core.artefacts import read_json, write_json
from badood.core.errors import BadInput, BadWeights
from badood.data import dataset
from badood.data.record import ImageSet
from badood.pipeline import own_models
from badood.pipeline.cards import BELONGS, card_of
from badood.pipeline.engines import Local
from badood.pipeline.fit_check import Figures, ModelsFit, better, refusal
from badood.pipeline.models import MODELS, Model, weights_key
from badood.pipeline.own_models import check_fit, concerns
from badood.pipeline.preflight import needed, preflight
from badood.pipeline.runs import Run, start_run
from badood.pipeline.sets import read_images
from badood.pipeline.stage import Context

GOOD = Figures(600, 128, 0.33, 0.68, 22.9, 14.1, 0.67, 0.62, 0.73, 0.01)


def saved(images: ImageSet, place: Path, classes: list[str], per_class: int) -> Path:
    """Some images of a set, as a folder a class."""
    for name in classes:
        (place / name).mkdir(parents=True)
        for row in np.flatnonzero(images.labels == images.classes.index(name))[:per_class]:
            Image.fromarray(images.read(int(row))).save(place / name / f"{row}.png")
    return place


def begun(preset: str, place: Path, *settings: str) -> tuple[Run, Local]:
    """A run whose images are read."""
    run = start_run(load_config(preset, list(settings), place, "folder"), "own")
    return run, Local(run, Context(run.cfg.compute))


@pytest.mark.parametrize("preset", ["miniworld", "cifar10"])
def test_photographs_take_the_models_of_photographs(preset: str, test_data: Path, tmp_path: Path) -> None:
    photos = dataset["cifar10"](test_data / "data" / "cifar10", "test")
    run, do = begun(preset, saved(photos, tmp_path / "pets", ["cat", "dog", "horse"], 100))
    train = read_images(do, run.cfg).train
    if preset == "cifar10":
        check_fit(do, run, train)
    else:
        with pytest.raises(BadInput, match=r"models of miniworld do not fit .* of cifar10 fit best.*--preset cifar10.*fit\.accept=true"):
            check_fit(do, run, train)
    found = {entry["models"]: entry for entry in run.record["fit"]}
    assert {name: entry["fits"] for name, entry in found.items()} == {"cifar10": True, "miniworld": False}
    assert [name for name, entry in found.items() if entry["used"]] == [preset]
    fitting, other = (found[name]["figures"] for name in ("cifar10", "miniworld"))
    assert fitting["decode_consistency"] > fitting["chance"] + 0.1
    assert other["psnr_db"] < other["flat_psnr_db"] + 4
    assert fitting["clip_top1"] > 0.5 > other["clip_top1"]


def test_rendered_images_of_other_classes_fit_models_of_rendered_images(tmp_path: Path) -> None:
    near = dataset["miniworld"](None, "test", classes="near", count=240, size=64)
    run, do = begun("miniworld", saved(near, tmp_path / "near", list(near.classes)[:3], 40))
    check_fit(do, run, read_images(do, run.cfg).train)
    assert next(entry for entry in run.record["fit"] if entry["used"])["fits"]


def test_images_that_nothing_fits_say_what_does_and_can_be_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = dataset["noise"](None, "test", count=60, size=64)
    halves = replace(noise, classes=("a", "b"), labels=np.arange(len(noise)) % 2)
    place = saved(halves, tmp_path / "noise", ["a", "b"], 30)
    monkeypatch.setattr(own_models, "model_sets", lambda cfg: {cfg.preset: cfg})
    run, do = begun("miniworld", place)
    with pytest.raises(BadInput, match=r"No other models .*badood train all.*--only-imported.*published weights"):
        check_fit(do, run, read_images(do, run.cfg).train)
    accepted, do = begun("miniworld", place, "fit.accept=true")
    assert accepted.id == run.id
    check_fit(do, accepted, read_images(do, accepted.cfg).train)
    assert "do not fit" in accepted.record["fit_accepted"]


@pytest.mark.parametrize(
    ("own", "other", "wanted"),
    [
        (GOOD, replace(GOOD, psnr_db=15.0, decode_consistency=None), ""),
        (GOOD, replace(GOOD, decode_consistency=0.66), ""),
        (replace(GOOD, decode_consistency=0.55), replace(GOOD, decode_consistency=0.9), "fit these images clearly worse"),
        (replace(GOOD, psnr_db=15.0), GOOD, "images of one colour 14.1"),
        (replace(GOOD, decode_consistency=0.36), GOOD, "36 % of decoded images keep their class"),
        (replace(GOOD, decode_consistency=0.36), replace(GOOD, decode_consistency=0.35), "No other models"),
        (replace(GOOD, clip_top1=0.0), replace(GOOD, decode_consistency=0.35), ""),
    ],
)
def test_the_better_models_are_proposed(own: Figures, other: Figures, wanted: str) -> None:
    fits = [ModelsFit("own", used=True, figures=own), ModelsFit("other", used=False, figures=other)]
    assert wanted in refusal(fits)
    assert bool(refusal(fits)) == bool(wanted)
    assert (better(fits) is not None) == (bool(wanted) and "No other" not in wanted)


def test_names_that_clip_does_not_know_are_told_and_stop_nothing() -> None:
    told = ModelsFit("own", used=True, figures=replace(GOOD, clip_top1=0.0)).to_json()
    assert told["fits"]
    assert "types OOD-I to III say little" in told["verdict"]


def test_only_images_of_ones_own_are_measured(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()

    def asks(cfg: Config) -> bool:
        return concerns(cfg, needed(cfg))

    assert not any(asks(load_config(preset)) for preset in ("miniworld", "cifar10", "cifar100"))
    assert asks(load_config("cifar10", [], folder, "folder"))
    assert asks(load_config("miniworld", [], folder, "cifar10"))
    part = ["data.train.params={of: miniworld, params: {classes: id}, thinned: 0.5}", "data.train.dataset=part"]
    assert not asks(load_config("miniworld", part)), "of the preset's own images"
    imported = ["outliers=[{name: own, source: imported, params: {path: /x}}]"]
    assert not asks(load_config("cifar10", imported, folder, "folder"))


@pytest.mark.parametrize("preset", ["miniworld", "cifar10"])
def test_shipped_models_belong_together(preset: str) -> None:
    cfg = load_config(preset)
    for model in MODELS:
        card = card_of(cfg, model)
        assert card is not None
        assert card["key"] == weights_key(cfg, model)
        assert {other: card[other] for other in BELONGS.get(model, ())} == {
            other: weights_key(cfg, other) for other in BELONGS.get(model, ())
        }


def test_an_rdm_of_another_encoder_is_refused_before_the_run() -> None:
    cfg = load_config("miniworld", [f"rdm.weights={weights_path(load_config('cifar10'), 'rdm')}"])
    with pytest.raises(BadWeights, match=r"cifar/rdm.* does not belong to .*miniworld/encoder"):
        preflight(cfg)


def copied(model: Model, place: Path, *, card: bool) -> Config:
    """MiniWorld's settings with one file of weights copied."""
    source = weights_path(load_config("miniworld"), model)
    shutil.copy(source, place)
    if card:
        shutil.copy(source.with_suffix(".json"), place)
    return load_config("miniworld", [f"{model}.weights={place / source.name}"])


def test_weights_without_a_card_are_taken(tmp_path: Path) -> None:
    preflight(copied("rdm", tmp_path, card=False))


def test_a_card_of_another_file_is_told(tmp_path: Path) -> None:
    cfg = copied("mage", tmp_path, card=True)
    preflight(cfg)
    card = read_json(tmp_path / "mage.json")
    write_json(tmp_path / "mage.json", card | {"key": "0" * 16})
    with pytest.raises(BadWeights, match="is the card of another file"):
        preflight(cfg)
    (tmp_path / "mage.json").write_text("[1]")
    with pytest.raises(BadWeights, match="no card of weights"):
        preflight(cfg)
