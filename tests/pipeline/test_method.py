"""The whole method on a small real run: what it writes, what a moved band repeats, and that a kill changes nothing."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from badood.config import Filter, load_config
from badood.core.artefacts import home, read_json, write_json
from badood.core.errors import BadConfig, BadInput, EmptySelection
from badood.core.training import total_steps
from badood.data import dataset
from badood.data.miniworld.classes import FOREIGN_CLASSES, ID_CLASSES
from badood.explore.finished import Finished
from badood.pipeline.method import FEW_STEPS, STAGES, Method, evaluate_on, retrain, run_pipeline, score_images
from badood.pipeline.runs import open_run, start_run
from tests.conftest import CHECKOUT, SMALL_RUN, SMALL_SETTINGS


def figures(record: dict[str, Any]) -> dict[str, Any]:
    """The filter table without the folders in which its rows lie."""
    return {
        name: {key: value for key, value in row.items() if key not in ("detector", "evaluation")} for name, row in record["metrics"].items()
    }


def results(run: Path) -> dict[str, int]:
    """Number of finished results of every stage."""
    return {stage: len([path for path in (run / stage).glob("*") if path.name[0] != "."]) for stage in STAGES if (run / stage).is_dir()}


def photos(folder: Path, classes: list[str], count: int) -> Path:
    """A folder of PNG images, a subfolder a class."""
    images = dataset["miniworld"](None, "train", classes=classes, count=count * len(classes))
    for row, label in enumerate(images.labels):
        place = folder / classes[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images.read(row)).save(place / f"{row}.png")
    return folder


def test_run_json_holds_metrics_stages_and_totals(small_run: Finished) -> None:
    record = small_run.run.record
    assert record["state"] == "done"
    for row in record["metrics"].values():
        assert all(0 <= row[name] <= 1 for name in ("fpr95", "auroc", "aupr", "id_accuracy", "overlap"))
        per_set = row["per_set"]
        assert set(per_set) == {"near", "far", "textures"}
        assert row["fpr95"] == pytest.approx(np.mean([figures["fpr95"] for figures in per_set.values()]))
    assert {"encode", "synthesise", "decode", "detect", "calibrate", "types", "evaluate"} <= set(record["stages"])
    assert all(stage["wall_seconds"] > 0 and stage["peak_rss_mb"] > 0 for stage in record["stages"].values())
    assert record["totals"]["peak_rss_mb"] == max(stage["peak_rss_mb"] for stage in record["stages"].values())


def test_too_few_training_steps_are_told_with_the_remedy(small_run: Finished) -> None:
    cfg = small_run.run.cfg
    told = re.search(r"detector.epochs = (\d+)\.$", small_run.run.record["advice"])
    assert told is not None
    images = len(Method(small_run.run).images.train)
    enough = cfg.detector.model_copy(update={"epochs": float(told[1])})
    assert total_steps(images, cfg.detector) < FEW_STEPS <= total_steps(images, enough)


def test_many_classes_need_more_training_than_few() -> None:
    def method(classes: list[str], epochs: int) -> Method:
        images = {"dataset": "miniworld", "params": {"classes": classes, "count": 600}}
        settings = [f"data.train={json.dumps(images)}", f"data.test={json.dumps(images)}", "detector.batch_size=32"]
        return Method(start_run(load_config("miniworld", [*settings, f"detector.epochs={epochs}"]), f"{len(classes)}-for-{epochs}"))

    classes = [*ID_CLASSES, *FOREIGN_CLASSES]
    assert method(classes[:5], 10).advice == ""
    brief = method(classes, 10)
    told = re.search(rf"too few to learn {len(classes)} classes.* detector.epochs = (\d+)\.$", brief.advice)
    assert brief.steps >= FEW_STEPS
    assert told is not None
    assert method(classes, int(told[1])).advice == ""


def test_a_stage_made_inside_another_counts_once() -> None:
    run = start_run(load_config("miniworld"), "nested")

    def inner(out: Path) -> None:
        np.linalg.svd(np.random.default_rng(0).normal(size=(300, 300)))

    def outer(out: Path) -> None:
        run.artefact("inner", [], inner)

    start = time.perf_counter()
    run.artefact("outer", [], outer)
    spent = time.perf_counter() - start
    stages = {name: entry["wall_seconds"] for name, entry in run.record["stages"].items()}
    assert stages["inner"] > 0.005
    assert stages["inner"] + stages["outer"] < spent + 0.002, "seconds are rounded to milliseconds"
    assert run.record["totals"]["wall_seconds"] == pytest.approx(sum(stages.values()))


def test_every_outlier_has_the_columns_of_the_design(small_run: Finished) -> None:
    table = pd.read_parquet(small_run.run.folder / small_run.run.record["outliers"] / "outliers.parquet")
    assert len(table) == 90
    assert sorted(table["guidance_scale"].unique()) == [0.025, 0.05, 0.075]
    assert table["id_confidence"].between(0, 1).all()
    assert table.groupby("anchor_class").size().nunique() == 1, "anchors are spread evenly over the classes"
    # the same anchors at every scale
    assert len({tuple(rows["anchor_id"]) for _, rows in table.groupby("guidance_scale")}) == 1


def test_a_moved_band_repeats_filter_retrain_and_evaluation_only(small_run: Finished) -> None:
    before = results(small_run.run.folder)
    row = retrain(small_run.run, Filter(strategy="band", lo=0.0, hi=1.0))
    assert results(small_run.run.folder) == before, "the band that keeps everything is the first detector"
    hi = float(small_run.outliers.values("id_confidence").max()) - 1e-9
    row = retrain(small_run.run, Filter(strategy="band", lo=0.0, hi=hi))
    assert 0 < row["kept"] < 90
    grown = {stage: count - before[stage] for stage, count in results(small_run.run.folder).items()}
    assert {stage for stage, count in grown.items() if count} == {"detect", "evaluate"}


def test_a_band_that_keeps_nothing_leaves_the_table_as_it_was(small_run: Finished) -> None:
    with pytest.raises(EmptySelection, match="keeps 0 of 90 outliers"):
        retrain(small_run.run, Filter(strategy="band", lo=0.9999999, hi=1.0))
    assert figures(open_run(SMALL_RUN).record).keys() >= {"all", "q-mid"}


def test_a_run_is_not_continued_with_other_settings_nor_by_another_version(small_run: Finished) -> None:
    with pytest.raises(BadInput, match="other settings"):
        start_run(load_config("miniworld"), SMALL_RUN)
    write_json(small_run.run.folder / "run.json", small_run.run.record | {"layout": 0})
    with pytest.raises(BadInput, match="layout 0"):
        open_run(SMALL_RUN)


def test_a_trained_run_scores_and_judges_any_images(small_run: Finished, tmp_path: Path) -> None:
    odd = photos(tmp_path / "odd", ["crown", "ladder"], 6)
    known = photos(tmp_path / "known", ["candle", "jeep"], 6)
    (odd / "crown" / "broken.png").write_bytes(b"no image")
    scores = {path.name: score_images(SMALL_RUN, path) for path in (odd, known)}
    assert {name: len(table) for name, table in scores.items()} == {"odd": 12, "known": 12}
    judged = evaluate_on(SMALL_RUN, [odd])
    assert judged["ood"] == {f"{tmp_path.name}/odd": 12}
    assert set(judged["metrics"]) == set(small_run.run.record["metrics"])


def test_a_run_that_is_not_finished_judges_nothing(small_run: Finished, tmp_path: Path) -> None:
    odd = photos(tmp_path / "odd", ["crown"], 2)
    small_run.run.note(state="interrupted")
    for ask in (lambda: score_images(SMALL_RUN, odd), lambda: evaluate_on(SMALL_RUN, [odd])):
        with pytest.raises(BadInput, match="state: interrupted"):
            ask()


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("evaluate.filters=[all, hihg]", "hihg.*q-mid"),
        ("filter.lo=0.9", "lies above"),
        ("synthesise.method=vso", "did you mean vos"),
        ("calibrate.method=nothing", "beta"),
        ("evaluate.scorers=[msp, enregy]", "did you mean energy"),
        ("detector.backbone=resnet", "timm"),
    ],
)
def test_a_name_that_nothing_has_is_told_before_the_first_stage(setting: str, said: str) -> None:
    with pytest.raises(BadConfig, match=said):
        run_pipeline(load_config("miniworld", [setting]), "misspelt")
    assert not (home() / "misspelt").exists()


@pytest.mark.slow
def test_own_folder_runs_through(tmp_path: Path) -> None:
    classes = ["candle", "jeep", "cactus"]
    own = photos(tmp_path / "photos", classes, 100)
    (own / "jeep" / "notes.txt").write_text("not an image")
    (own / "jeep" / "broken.png").write_bytes(b"no image")
    settings = [setting for setting in SMALL_SETTINGS if not setting.startswith(("data.train", "data.test"))]
    run = run_pipeline(
        load_config("miniworld", [*settings, "evaluate.filters=[all]", "detector.epochs=8", "detector.batch_size=32"], own, "folder")
    )
    assert read_json(run.folder / run.record["encoded"] / "classes.json") == sorted(classes)
    assert run.record["metrics"]["all"]["kept"] == 90
    assert [Path(entry["path"]).name for entry in run.record["skipped"]] == ["broken.png"]


def start(store: Path) -> "subprocess.Popen[bytes]":
    """The command that a person gives, checkpointing after every training step."""
    settings = [part for setting in [*SMALL_SETTINGS, "detector.checkpoint_seconds=0.0001"] for part in ("--set", setting)]
    command = [sys.executable, "-m", "badood", "run", "--name", "killed", *settings]
    environment = os.environ | {"BADOOD_HOME": str(store)}
    return subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_until(condition: Callable[[], bool], process: "subprocess.Popen[bytes]", seconds: float = 900) -> None:
    """Poll; a process that ends before is a failure."""
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < end, "the run never came to the moment at which it was to be killed"


@pytest.mark.slow
def test_a_killed_run_continues_and_ends_with_the_same_tables(small_store: Path, tmp_path: Path) -> None:
    run = tmp_path / "killed"
    moments: list[Callable[[], bool]] = [
        lambda: any(run.glob("synthesise/.*.part")),
        lambda: any(run.glob("decode/.*.part")),
        lambda: any(run.glob("detect/.*.part/checkpoint.pt")),
        lambda: len(list(run.glob("detect/[!.]*"))) == 1 and any(run.glob("detect/.*.part/checkpoint.pt")),
    ]
    for moment in moments:
        process = start(tmp_path)
        wait_until(moment, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert json.loads((run / "run.json").read_text())["state"] == "running"
    last = start(tmp_path)
    assert last.wait(timeout=600) == 0
    assert figures(read_json(run / "run.json")) == figures(read_json(small_store / SMALL_RUN / "run.json"))
    assert home() != tmp_path
