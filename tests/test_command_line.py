"""What people type, and what they are told: the right thing is done, or one line says what to do; never a traceback."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from badood import cli
from badood.core.artefacts import home
from badood.explore.finished import finished
from badood.pipeline.opened import recorded
from badood.pipeline.runs import open_run
from tests.conftest import CHECKOUT, SMALL_RUN
from tests.pipeline.tiny import contents, results

TINY = {
    "base": "miniworld",
    "preset": "tiny",
    "synthesise": {"count": 24, "scales": [0.05]},
    "decode": {"draws": 1, "steps": 2},
    "detector": {
        "epochs": 12,
        "batch_size": 16,
        "beta": 1,
        "rebuilt_share": 0,
        "backbone_params": {"channels": [8, 8, 8, 8], "stem_width": 8},
    },
    "evaluate": {"filters": ["all"], "scorers": ["msp"]},
    "compute": {"threads": 1},
    "data": {
        "image_size": 32,
        "train": {"limit": 100},
        "test": {"limit": 100},
        "auxiliary": [{"name": "auxiliary", "dataset": "noise", "split": "train", "params": {"count": 20, "size": 32}}],
        "ood": [{"name": "near", "dataset": "textures", "split": "test", "params": {"count": 15, "size": 32}}],
        "grid": None,
    },
}
"""A whole run in a second, on outliers that something else made; base miniworld."""


@dataclass(frozen=True)
class Told:
    """What a command ended with."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The error, whose words may be broken over lines where a table is narrow."""
        (found,) = [line for line in self.err.splitlines() if line.startswith("error:")]
        return found


Command = Callable[..., Told]


@pytest.fixture
def badood(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """`badood ARGUMENTS` in this process, in a folder of its own; an error that is no line of ours fails the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def run(*arguments: object) -> Told:
        monkeypatch.setattr(sys, "argv", ["badood", *map(str, arguments)])
        capsys.readouterr()
        code: Any = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        said = capsys.readouterr()
        assert "Traceback" not in said.err + said.out
        return Told(int(code), said.out, said.err)

    return run


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    np.save(tmp_path / "noise.npy", np.random.default_rng(0).integers(0, 256, (30, 32, 32, 3), dtype=np.uint8))
    return tmp_path / "tiny.yaml"


Run = Callable[..., Told]


@pytest.fixture
def run(badood: Command, tiny: Path, tmp_path: Path) -> Run:
    """A tiny run on a folder of ID images, with outliers of a file."""

    def start(data: Path | None, name: str, *more: object) -> Told:
        own = ("--data", data, "--dataset", "folder") if data else ()
        return badood("run", "--preset", tiny, *own, "--outliers", tmp_path / "noise.npy", "--only-imported", "--name", name, *more)

    return start


COLOURS = ((200, 20, 20), (20, 200, 20), (20, 20, 200), (200, 200, 20), (200, 20, 200))


def coloured(folder: Path, classes: str | list[str], count: int, start: int = 0) -> Path:
    """A subfolder of images for each class, each class of one colour."""
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for row in range(start, start + count):
            colour = tuple(min(255, part + row) for part in COLOURS[(ord(name[0]) if len(name) == 1 else number) % len(COLOURS)])
            Image.new("RGB", (32, 32), colour).save(folder / name / f"{row}.png")
    return folder


def test_a_run_says_its_table_and_where_it_lies(run: Run, tmp_path: Path, badood: Command) -> None:
    told = run(coloured(tmp_path / "in", "abc", 12), "plain")
    assert told.code == 0, told.err
    assert "FPR95" in told.out
    assert f"run plain in {home() / 'plain'}" in told.out
    record = json.loads(badood("runs", "show", "plain", "--json").out)
    assert record["state"] == "done"
    assert [entry["run_id"] for entry in json.loads(badood("runs", "list", "--json").out)] == ["plain"]
    again = run(tmp_path / "in", "plain", "--json")
    assert json.loads(again.out)["metrics"] == record["metrics"]


# ../shared/cases/data-changed-in-place
def test_images_replaced_at_the_same_path_are_noticed(run: Run, badood: Command, tmp_path: Path) -> None:
    data = coloured(tmp_path / "in", "abc", 10)
    assert run(data, "first").code == 0
    shutil.rmtree(data)
    coloured(data, "de", 10)
    told = run(data, "first")
    assert told.code == 0, told.err
    assert recorded(open_run("first")).sets.train.classes == ("d", "e")
    asked = badood("evaluate", "first", "--ood", data, "--json")
    assert asked.code == 0, asked.err
    assert list(json.loads(asked.out)["ood"].values()) == [20]


# ../shared/cases/missing-ood-folder-found-late
@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("data.ood.0={name: sun, dataset: folder, path: ../nowhere, split: test}", "nowhere does not exist"),
        ("data.test={dataset: folder, path: ../nowhere}", "nowhere does not exist"),
        ("data.auxiliary.0={name: sun, dataset: folder, path: ../nowhere}", "nowhere does not exist"),
        ("data.ood.0.dataset=nothing", "no dataset is called 'nothing'"),
        ("data.ood.0.params.colour=red", "does not take params colour = 'red'"),
        ("clip.model=ViT-B-99", "ViT-B-99"),
        ("clip.weights=/nowhere/clip.safetensors", "/nowhere/clip.safetensors"),
        ("clip.templates=[a photo]", "{}"),
        ("data.ood=[{name: sun, dataset: folder, path: ../nowhere, optional: true}]", "data.ood has no set"),
    ],
)
def test_what_is_missing_is_told_before_the_first_stage(run: Run, tmp_path: Path, setting: str, said: str) -> None:
    told = run(coloured(tmp_path / "in", "ab", 8), "late", "--set", setting)
    assert told.code in (1, 2)
    assert said in told.line
    assert not (home() / "late").exists()


# ... and what a changed late setting does not concern is used again
def test_a_run_that_failed_late_goes_on_with_the_setting_mended(run: Run, tmp_path: Path) -> None:
    data = coloured(tmp_path / "in", "abc", 10)
    broken = tmp_path / "sun"
    coloured(broken, "s", 3)
    late = f"data.ood.0={{name: sun, dataset: folder, path: {broken}, split: test, params: {{holdout: 0}}}}"
    for file in broken.rglob("*.png"):
        file.write_bytes(b"no image")
    assert run(data, "late", "--set", late).code == 1
    assert open_run("late").record["state"] == "failed"
    before = results(home() / "late")
    assert run(data, "late").code == 0
    after = results(home() / "late")
    assert {stage: after[stage] for stage in before if stage != "images"} == {stage: before[stage] for stage in before if stage != "images"}


# ../shared/cases/preset-on-another-data-set
def test_a_preset_on_another_data_set_takes_nothing_of_its_bases_set(badood: Command, tmp_path: Path) -> None:
    coloured(tmp_path / "in", "abc", 12)
    other = "{dataset: folder, path: in, params: {}}"
    mine = yaml.safe_dump(TINY | {"data": {}})
    np.save(tmp_path / "noise.npy", np.random.default_rng(0).integers(0, 256, (30, 32, 32, 3), dtype=np.uint8))
    content = yaml.safe_load(mine) | {"data": TINY["data"] | {"train": yaml.safe_load(other), "test": yaml.safe_load(other)}}  # type: ignore[operator]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    told = badood("run", "--preset", "mine.yaml", "--outliers", "noise.npy", "--only-imported", "--name", "mine")
    assert told.code == 0, told.err
    assert recorded(open_run("mine")).sets.train.classes == ("a", "b", "c")


@pytest.mark.parametrize(
    ("text", "more", "said"),
    [
        ("synthesise: {count: 3}\n", ["--data", "in"], "name a whole preset as its `base`"),
        ("data:\nsynthesise: {count: 3}\n", ["--data", "in"], "name a whole preset as its `base`"),
        ("synthesise: {count: 3}\n", [], "settings that do not fit"),
        ("base: miniworld\ndata:\n", [], "data = None"),
        ("", [], "is not a preset"),
        ("base: miniworld\ndata: [1]\n", [], "data = [1]"),
    ],
)
def test_half_a_preset_is_told_in_its_own_words(badood: Command, tmp_path: Path, text: str, more: list[str], said: str) -> None:
    coloured(tmp_path / "in", "ab", 4)
    (tmp_path / "half.yaml").write_text(text)
    told = badood("run", "--preset", "half.yaml", *more)
    assert told.code == 2
    assert said in told.err


def test_a_run_without_filters_of_its_table_still_has_its_own(run: Run, tmp_path: Path) -> None:
    told = run(coloured(tmp_path / "in", "abc", 12), "none", "--set", "evaluate.filters=[]", "--set", "filter.strategy=random", "--json")
    assert told.code == 0, told.err
    assert list(json.loads(told.out)["metrics"]) == ["random"]


# ../shared/cases/relative-data-path-in-settings
def test_relative_paths_of_settings_are_found_from_anywhere(
    run: Run, badood: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coloured(tmp_path / "in", "abc", 12)
    sets = [f"data.{name}={{dataset: folder, split: {name}, path: in}}" for name in ("train", "test")]
    told = run(None, "rel", *(part for setting in sets for part in ("--set", setting)))
    assert told.code == 0, told.err
    assert open_run("rel").cfg.data.train.path == str(tmp_path / "in")
    monkeypatch.chdir("/")
    asked = badood("score", "rel", tmp_path / "in", "--json")
    assert asked.code == 0, asked.err
    assert len(json.loads(asked.out)["scores"]) == 36
    again = badood("run", "--preset", tmp_path / "tiny.yaml", "--name", "other", *(part for setting in sets for part in ("--set", setting)))
    assert again.code == 1
    assert "/in does not exist" in again.line


def test_relative_paths_of_a_preset_start_at_its_file(badood: Command, tmp_path: Path) -> None:
    coloured(tmp_path / "presets" / "in", "abc", 12)
    np.save(tmp_path / "presets" / "noise.npy", np.zeros((4, 32, 32, 3), dtype=np.uint8))
    here = {"dataset": "folder", "path": "in"}
    content = TINY | {
        "data": TINY["data"] | {"train": here, "test": here},  # type: ignore[operator]
        "outliers": [{"name": "noise", "source": "imported", "params": {"path": "noise.npy"}}],
    }
    (tmp_path / "presets" / "mine.yaml").write_text(yaml.safe_dump(content))
    from badood.config import load_config

    cfg = load_config("presets/mine.yaml")
    assert cfg.data.train.path == str(tmp_path / "presets" / "in")
    assert cfg.outliers[0].params["path"] == str(tmp_path / "presets" / "noise.npy")


# ../shared/cases/run-deleted-while-it-works
@pytest.mark.slow
def test_a_run_at_work_is_not_deleted_and_nothing_stays_of_one_that_is(badood: Command, tiny: Path, tmp_path: Path) -> None:
    data = coloured(tmp_path / "in", "ab", 40)
    command = ["run", "--preset", str(tiny), "--data", str(data), "--dataset", "folder", "--name", "gone", "--set", "detector.epochs=4000"]
    imported = ["--outliers", str(tmp_path / "noise.npy"), "--only-imported"]
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "badood", *command, *imported], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    )
    end = time.monotonic() + 300
    while not (home() / "gone" / "detect").exists():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
    told = badood("runs", "delete", "gone", "--yes")
    assert told.code == 1
    assert f"run gone is at work in process {process.pid}; stop that first" in told.line
    process.terminate()  # as Ctrl-C, which a shell's background jobs ignore
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 130
    assert "the same command continues where it was" in said
    assert open_run("gone").record["state"] == "interrupted"
    assert badood("runs", "delete", "gone", "--yes").code == 0
    assert not (home() / "gone").exists()


# ../shared/cases/run-named-like-a-folder
def test_a_run_that_is_called_like_a_folder_here_is_found(run: Run, badood: Command, tmp_path: Path) -> None:
    assert run(coloured(tmp_path / "in", "abc", 12), "in").code == 0
    shown = badood("runs", "show", "in")
    assert shown.code == 0, shown.err
    assert "FPR95" in shown.out


# ../shared/cases/small-set-and-knn
def test_a_small_set_runs_with_every_default_scorer(run: Run, tmp_path: Path) -> None:
    data = coloured(tmp_path / "in", "abc", 10)
    told = run(data, "small", "--set", "evaluate.scorers=[msp, energy, knn, nnguide, mahalanobis, gradnorm]", "--json")
    assert told.code == 0, told.err
    # the free energy ranks as our own score does and has no line of its own
    assert set(json.loads(told.out)["metrics"]["all"]["scorers"]) == {"msp", "knn", "nnguide", "mahalanobis", "gradnorm"}
    assert len(recorded(open_run("small")).sets.train) < 50


# ../shared/cases/two-ood-folders-of-one-name
def test_two_folders_of_one_name_are_both_reported(run: Run, badood: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(coloured(tmp_path / "in", "abc", 12), "two").code == 0
    places = [coloured(tmp_path / name / "places" / "images", "s", 4) for name in ("first", "second")]
    told = badood("evaluate", "two", *(part for place in places for part in ("--ood", place)), "--json")
    assert told.code == 0, told.err
    answer = json.loads(told.out)
    assert answer["ood"] == {"first/places/images": 4, "second/places/images": 4}
    assert all(set(row["per_set"]) == set(answer["ood"]) for row in answer["metrics"].values())
    monkeypatch.chdir(places[0])
    assert list(json.loads(badood("evaluate", "two", "--ood", ".", "--json").out)["ood"]) == ["places/images"]
    same = badood("evaluate", "two", "--ood", ".", "--ood", places[0])
    assert same.code == 1
    assert "given twice" in same.line


def test_two_sources_of_one_name_are_an_error(run: Run, tmp_path: Path) -> None:
    one = "{name: near, dataset: textures, params: {count: 3, size: 32}}"
    told = run(coloured(tmp_path / "in", "ab", 8), "same", "--set", f"data.ood=[{one}, {one}]")
    assert told.code == 2
    assert "'near' is given twice" in told.line


# ../shared/cases/test-folder-lacks-a-class
@pytest.mark.parametrize("classes", ["abc", "ac", "c"])
def test_labels_of_the_test_images_are_classes_of_the_training_images(run: Run, tmp_path: Path, classes: str) -> None:
    coloured(tmp_path / "in" / "train", "abc", 20)
    coloured(tmp_path / "in" / "test", classes, 20, start=1)
    told = run(tmp_path / "in", f"test-{classes}", "--set", "detector.epochs=40")
    assert told.code == 0, told.err
    sets = recorded(open_run(f"test-{classes}")).sets
    assert sets.test.classes == sets.train.classes == ("a", "b", "c")
    assert {sets.test.classes[label] for label in sets.test.labels} == set(classes)
    assert open_run(f"test-{classes}").rows["all"].id_accuracy > 0.95


def test_a_class_that_training_does_not_know_is_an_error_that_names_it(run: Run, tmp_path: Path) -> None:
    coloured(tmp_path / "in" / "train", "ab", 10)
    coloured(tmp_path / "in" / "test", "abz", 4)
    told = run(tmp_path / "in", "unknown")
    assert told.code == 1
    assert "z" in told.line
    assert "training" in told.line


def test_a_class_name_is_the_same_in_both_forms_of_unicode(run: Run, tmp_path: Path) -> None:
    for split, form in (("train", "NFC"), ("test", "NFD")):
        coloured(tmp_path / "in" / split, [unicodedata.normalize(form, name) for name in ("café", "thé")], 12)
    told = run(tmp_path / "in", "unicode", "--set", "detector.epochs=40")
    assert told.code == 0, told.err
    assert open_run("unicode").rows["all"].id_accuracy > 0.95


# ../shared/cases/class-names-in-outputs
def test_class_names_that_are_no_plain_words_come_out(run: Run, badood: Command, tmp_path: Path) -> None:
    names = ["日本 語", "кот", "a:b", "a_b", "line\nbreak"]
    assert run(coloured(tmp_path / "in", names, 12), "names").code == 0
    assert set(recorded(open_run("names")).sets.train.classes) == set(names)
    assert badood("export", "names", "in.html", "--as", "report").code == 0
    assert badood("export", "names", "out", "--as", "folder").code == 0
    scores = badood("score", "names", tmp_path / "in", "--csv", "scores.csv")
    assert scores.code == 0, scores.err
    assert set(pd.read_csv("scores.csv")["predicted"]) <= set(names)


# ../shared/cases/target-is-a-folder
def test_a_target_that_cannot_be_written_is_one_line(run: Run, badood: Command, tmp_path: Path) -> None:
    data = coloured(tmp_path / "in", "abc", 12)
    assert run(data, "target").code == 0
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    for arguments, said in (
        (("export", "target", "folder", "--as", "csv"), "folder"),
        (("score", "target", data, "--csv", "folder"), "folder is a folder"),
        (("score", "target", data, "--csv", "file/below.csv"), "file"),
        (("export", "target", "a" * 300 + ".csv"), "too long"),
        (("export", "target", "file", "--as", "csv"), "exists"),
        (("run", "--name", "a" * 300), "at most 100"),
        (("runs", "delete", "a" * 300, "--yes"), "at most 100"),
        (("runs", "show", "a" * 300), "no run"),
    ):
        told = badood(*arguments)
        assert told.code == 1, arguments
        assert said in told.line, arguments
    assert (tmp_path / "file").read_text() == "x"
    assert list((tmp_path / "folder").iterdir()) == []


# ../shared/cases/left-out-without-a-word
def test_what_was_passed_over_is_counted_by_reason(run: Run, badood: Command, tmp_path: Path) -> None:
    data = coloured(tmp_path / "in", "ab", 8)
    assert run(data, "left").code == 0
    for row in range(4):
        Image.new("RGB", (32, 32), (1, 2, row)).save(data / "a" / f"{row}.jfif", "JPEG")
    (data / "a" / "more").symlink_to(data / "b")
    (data / "b" / "gone.png").symlink_to("nowhere.png")
    for row in range(3):
        (data / "b" / f"broken-{row}.png").write_bytes(b"no image")
    told = badood("score", "left", data, "--json")
    assert told.code == 0, told.err
    answer = json.loads(told.out)
    scored = [row["image"] for row in answer["scores"]]
    assert sum(name.endswith(".jfif") for name in scored) == 4
    left = {Path(entry["path"]).name for entry in answer["skipped"]}
    assert {"gone.png", "broken-0.png", "broken-1.png", "broken-2.png"} <= left
    # the linked folder is followed, once
    assert len(scored) in (20, 28)


def test_scores_are_plain_json_and_plain_csv(run: Run, badood: Command, tmp_path: Path) -> None:
    data = coloured(tmp_path / "in", "abc", 8)
    assert run(data, "json").code == 0
    answer = json.loads(badood("score", "json", data, "--json").out, parse_constant=pytest.fail)
    assert badood("score", "json", data, "--csv", "scores.csv").code == 0
    with Path("scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == [row["image"] for row in answer["scores"]]


def test_a_question_to_a_run_writes_nothing_into_it(run: Run, badood: Command, tmp_path: Path) -> None:
    data = coloured(tmp_path / "in", "abc", 8)
    assert run(data, "asked").code == 0
    before = contents(home() / "asked")
    for arguments in (
        ("score", "asked", data),
        ("evaluate", "asked", "--ood", data),
        ("evaluate", "asked", "--ood", data, "--all"),
        ("runs", "show", "asked"),
    ):
        assert badood(*arguments).code == 0
    assert contents(home() / "asked") == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("score", "nothing", "in"), "no run 'nothing'"),
        (("run", "--only-imported"), "--outliers PATH"),
        (("run", "--preset", "nothing"), "no preset 'nothing'"),
        (("run", "--dataset", "folder"), "--data"),
        (("audit", "in"), "--run RUN"),
        (("train", "nothing"), "no model 'nothing'"),
    ],
)
def test_wrong_words_are_answered_with_the_right_ones(badood: Command, arguments: tuple[str, ...], said: str) -> None:
    told = badood(*arguments)
    assert told.code in (1, 2)
    assert said in told.line


def test_harm_is_listed_with_what_it_is_worth(small_store: Path, badood: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shutil.copytree(small_store, tmp_path / "store")
    monkeypatch.setenv("BADOOD_HOME", str(tmp_path / "store"))
    told = badood("harm", SMALL_RUN, "--subsets", 12, "--top", 3, "--json")
    assert told.code == 0, told.err
    answer = json.loads(told.out)
    assert answer["trusted"]
    assert answer["lds"]["count"] == 12
    assert answer["lds"]["lo"] > 0
    found = finished(SMALL_RUN).outliers.table().set_index("outlier_id")["harm"]
    assert [row["outlier_id"] for row in answer["most_harmful"]] == found.nlargest(3).index.tolist()
    shown = badood("harm", SMALL_RUN, "--subsets", 12)
    assert "n = 12" in shown.out
    assert "millionths of AUROC" in shown.out
