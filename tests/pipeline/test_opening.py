"""A finished run is opened by what it recorded: no weights, no ID folder and no stage is needed again, and nothing is written."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from badood.config import weights_path
from badood.core.artefacts import home
from badood.core.errors import BadInput
from badood.explore.finished import finished
from badood.jobs import answers
from badood.pipeline import ask, path
from badood.pipeline.engines import Local
from badood.pipeline.opened import recorded
from badood.pipeline.runs import Run, open_run
from tests.conftest import CHECKOUT
from tests.contracts.conftest import tiny_settings
from tests.pipeline.tiny import contents, photos

CLASSES = ["candle", "jeep", "cactus"]
BAND = {"strategy": "all"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run, its preset's weights and its ID images."""
    place = tmp_path_factory.mktemp("opening")
    plain = tiny_settings(place)
    shutil.copytree(weights_path(plain, "clip").parent, place / "weights")
    own = photos(place / "own", CLASSES, 20)
    source = {"dataset": "folder", "path": str(own), "limit": 54}
    content = plain.model_dump() | {"weights": str(place / "weights")}
    content["data"] |= {"train": source, "test": source | {"split": "test", "limit": None}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BADOOD_HOME", str(place / "home"))
        path.run(type(plain).model_validate(content), "opened", engine=Local)
    return place


@pytest.fixture
def opened(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The run in a store of its own; the files from which it was made are gone."""
    shutil.copytree(made / "home", tmp_path / "home")
    monkeypatch.setenv("BADOOD_HOME", str(tmp_path / "home"))
    for name in ("weights", "own", "noise.npy"):
        if (made / name).exists():
            (made / name).rename(made / f"{name}-elsewhere")
    answers._results.cache_clear()
    return open_run("opened")


QUESTIONS: dict[str, Callable[[Run, Path], object]] = {
    "score": lambda run, images: ask.score("opened", images).table,
    "score of a named filter": lambda run, images: ask.score("opened", images, "all").table,
    "evaluate": lambda run, images: ask.evaluate("opened", [images], every=True).rows,
    "preview": lambda run, images: answers.preview("opened", BAND),
    "suggest": lambda run, images: answers.suggest("opened"),
    "grid": lambda run, images: recorded(run).sets.grid.pixels.array([0, 63]).sum(),  # type: ignore[union-attr]
    "tables": lambda run, images: (finished("opened").outliers.table(), finished("opened").filters(), finished("opened").log_odds()),
    "neighbours": lambda run, images: finished("opened").neighbours(0),
    "images": lambda run, images: recorded(run).sets.train.pixels.array().sum() + recorded(run).outliers.pixels.array().sum(),
}


@pytest.mark.parametrize("question", sorted(QUESTIONS))
def test_a_question_needs_no_source_and_writes_nothing(opened: Run, tmp_path: Path, question: str) -> None:
    images = photos(tmp_path / "odd", ["crown", "candle"], 3)
    before = contents(opened.folder)
    answer = QUESTIONS[question](opened, images)
    assert answer is not None
    assert contents(opened.folder) == before


def test_a_heatmap_of_another_scorer_is_kept_and_nothing_else(opened: Run) -> None:
    before = contents(opened.folder)
    answer = answers.shift("opened", "all", ["energy"])
    after = contents(opened.folder)
    assert len(answer["rows"]) == 64
    assert {name: after[name] for name in before} == before
    assert {name.split("/")[0] for name in after.keys() - before.keys()} == {"shift"}
    assert answers.shift("opened", "all", ["energy"]) == answer
    assert contents(opened.folder) == after


def test_a_moved_band_is_retrained_without_weights_and_id_images(opened: Run) -> None:
    chosen = opened.cfg.filter.model_copy(update={"count": 15})
    row = path.retrain(opened, chosen, "fewer", engine=Local)
    assert row.kept == 15
    assert open_run("opened").rows["fewer"] == row


def test_other_weights_remake_nothing(opened: Run, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = photos(tmp_path / "odd", ["crown"], 3)
    expected = ask.score("opened", odd).table
    weights = made / "weights"
    weights.mkdir()
    try:
        for name in ("encoder", "rdm", "clip"):
            (weights / f"{name}.safetensors").write_bytes(b"other weights")
        before = contents(opened.folder)
        np.testing.assert_array_equal(ask.score("opened", odd).table["energy"], expected["energy"])
        answers.preview("opened", BAND)
        assert contents(opened.folder) == before
    finally:
        shutil.rmtree(weights)


def test_no_weights_are_read_to_answer(opened: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> str:
        raise AssertionError("weights were hashed")

    monkeypatch.setattr("badood.core.weights.fingerprint", refuse)
    monkeypatch.setattr("badood.pipeline.models.weights_key", refuse)
    odd = photos(tmp_path / "odd", ["crown"], 3)
    ask.score("opened", odd)
    ask.evaluate("opened", [odd])
    answers.preview("opened", BAND)


def test_a_raised_version_of_every_stage_leaves_the_run_readable(opened: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = photos(tmp_path / "odd", ["crown"], 3)
    expected, rows = ask.score("opened", odd).table, opened.rows
    for name in ("images", "detect", "evaluate", "calibrate", "encode", "describe", "types", "select", "features", "table"):
        for module in (path, sys.modules["badood.pipeline.sets"]):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, replace(getattr(module, name), version=99))
    before = contents(opened.folder)
    np.testing.assert_array_equal(ask.score("opened", odd).table["energy"], expected["energy"])
    assert open_run("opened").rows == rows
    assert answers.preview("opened", BAND)["kept"] == len(recorded(opened).outliers)
    assert contents(opened.folder) == before


def test_a_run_that_was_deleted_and_made_again_is_another(opened: Run, tmp_path: Path) -> None:
    first = answers.preview("opened", BAND)
    opened.folder.rename(home() / "away")
    with pytest.raises(BadInput, match="no run 'opened'"):
        answers.preview("opened", BAND)
    (home() / "away").rename(opened.folder)
    assert answers.preview("opened", BAND) == first


def test_a_store_that_was_moved_is_asked_from_anywhere(opened: Run, tmp_path: Path) -> None:
    (tmp_path / "home").rename(tmp_path / "moved")
    odd = photos(tmp_path / "odd", ["crown"], 2)
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT), "BADOOD_HOME": str(tmp_path / "nothing")}
    command = [sys.executable, "-m", "badood", "score", str(tmp_path / "moved" / "opened"), "odd"]
    done = subprocess.run(command, cwd=odd.parent, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3
