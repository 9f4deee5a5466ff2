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

import numpy as np
import pandas as pd
import pytest

from badood.config import Filter, load_config
from badood.core.artefacts import home, read_json, write_json
from badood.core.errors import BadInput, EmptySelection
from badood.core.training import total_steps
from badood.data.miniworld.classes import FOREIGN_CLASSES, ID_CLASSES
from badood.explore.finished import Finished, finished
from badood.pipeline.example import open_example
from badood.pipeline.filter_rows import filter_name
from badood.pipeline.opened import recorded
from badood.pipeline.path import FEW_STEPS, advice, asked, retrain, run, synthesise
from badood.pipeline.runs import open_run, start_run
from badood.pipeline.stages.select import filter_table
from tests.conftest import CHECKOUT, SMALL_RUN, SMALL_SETTINGS
from tests.pipeline.tiny import figures, photos, results


def test_run_json_holds_metrics_stages_and_totals(small_run: Finished) -> None:
    record = small_run.run.record
    assert record["state"] == "done"
    for row in record["metrics"].values():
        assert all(0 <= row[name] <= 1 for name in ("fpr95", "auroc", "aupr", "id_accuracy", "overlap"))
        per_set = row["per_set"]
        assert set(per_set) == {"near", "far", "textures"}
        assert row["fpr95"] == pytest.approx(np.mean([figures["fpr95"] for figures in per_set.values()]))
    assert {"images", "encode", "outliers", "describe", "detect", "calibrate", "types", "select", "evaluate"} <= set(record["stages"])
    assert all(stage["wall_seconds"] > 0 and stage["peak_rss_mb"] > 0 for stage in record["stages"].values())
    assert record["totals"]["peak_rss_mb"] == max(stage["peak_rss_mb"] for stage in record["stages"].values())
    assert record["totals"]["wall_seconds"] == pytest.approx(sum(stage["wall_seconds"] for stage in record["stages"].values()))


def test_a_run_says_which_stages_it_will_have(small_run: Finished) -> None:
    record = small_run.run.record
    assert list(record["stages"]) == record["outline"]


def test_the_example_run_is_unpacked_once_and_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BADOOD_HOME", str(tmp_path / "home"))
    example = open_example()
    assert example.record["state"] == "done"
    found = finished(example)
    assert len(found.outliers) == 150
    assert len(found.outliers.images([0, 149])) == 2
    example.note(remark="mine")
    assert open_example().record["remark"] == "mine"
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["example"]
    row = retrain(open_run("example"), Filter(strategy="random", count=40))
    assert row.kept == 40


def test_the_runs_own_filter_is_a_row_of_its_table(small_run: Finished) -> None:
    own = small_run.run.cfg.filter
    assert list(small_run.run.rows) == ["all", "q-mid", "mid"]
    assert small_run.run.rows["mid"].filter == own
    cfg = load_config("miniworld", [*SMALL_SETTINGS, "filter.strategy=auto"])
    assert list(asked(cfg)) == ["all", "q-mid", "auto"]
    assert asked(cfg)["auto"] == cfg.filter


def test_every_row_says_how_many_of_each_source_it_keeps(small_run: Finished) -> None:
    for row in small_run.run.rows.values():
        assert row.sources == {"minority": row.kept}


def test_filters_are_repeated_for_each_of_several_sources() -> None:
    sources = "outliers=[{name: minority}, {name: noise, params: {method: gaussian}}]"
    cfg = load_config("miniworld", [sources, "evaluate.filters=[all]", "evaluate.by_source=true"])
    assert list(asked(cfg)) == ["all", "all of minority", "all of noise", "mid"]
    assert asked(cfg)["all of noise"].sources == ["noise"]


def test_too_few_training_steps_are_told_with_the_remedy(small_run: Finished) -> None:
    cfg = small_run.run.cfg
    told = re.search(r"detector.epochs = (\d+)\.$", small_run.run.record["advice"])
    assert told is not None
    images = len(recorded(small_run.run).sets.train)
    enough = cfg.detector.model_copy(update={"epochs": float(told[1])})
    assert total_steps(images, cfg.detector) < FEW_STEPS <= total_steps(images, enough)


def test_many_classes_need_more_training_than_few() -> None:
    images, classes = 540, [*ID_CLASSES, *FOREIGN_CLASSES]

    def told(number: int, epochs: int) -> str:
        return advice(load_config("miniworld", ["detector.batch_size=32", f"detector.epochs={epochs}"]), images, number)

    assert told(5, 10) == ""
    brief = told(len(classes), 10)
    epochs = re.search(rf"too few to learn {len(classes)} classes.* detector.epochs = (\d+)\.$", brief)
    assert total_steps(images, load_config("miniworld", ["detector.batch_size=32", "detector.epochs=10"]).detector) >= FEW_STEPS
    assert epochs is not None
    assert told(len(classes), int(epochs[1])) == ""


def test_every_outlier_has_the_columns_of_the_design(small_run: Finished) -> None:
    table = pd.read_parquet(small_run.run.folder / small_run.run.record["results"]["outliers"] / "outliers.parquet")
    assert len(table) == 90
    assert table["outlier_id"].tolist() == list(range(90))
    assert set(table["source"]) == {"minority"}
    assert sorted(table["guidance_scale"].unique()) == [0.025, 0.05, 0.075]
    assert table["id_confidence"].between(0, 1).all()
    assert table.groupby("anchor_class").size().nunique() == 1, "anchors are spread evenly over the classes"
    # the same anchors at every scale
    assert len({tuple(rows["anchor_id"]) for _, rows in table.groupby("guidance_scale")}) == 1
    assert table["nearest_cosine"].between(-1, 1).all()


def test_a_moved_band_repeats_filter_retrain_and_evaluation_only(small_run: Finished) -> None:
    before = results(small_run.run.folder)
    retrain(small_run.run, Filter(strategy="band", lo=0.0, hi=1.0))
    assert results(small_run.run.folder) == before | {"select": before["select"] + 1}, (
        "the band that keeps everything is the first detector"
    )
    before = results(small_run.run.folder)
    hi = float(small_run.outliers.values("id_confidence").max()) - 1e-9
    row = retrain(small_run.run, Filter(strategy="band", lo=0.0, hi=hi))
    assert 0 < row.kept < 90
    assert open_run(SMALL_RUN).rows[row.name] == row
    grown = {stage: count - before[stage] for stage, count in results(small_run.run.folder).items()}
    assert {stage for stage, count in grown.items() if count} == {"select", "detect", "evaluate"}


def test_a_band_that_keeps_nothing_leaves_the_table_as_it_was(small_run: Finished) -> None:
    before = figures(open_run(SMALL_RUN).record)
    with pytest.raises(EmptySelection, match="keeps 0 of 90 outliers"):
        retrain(small_run.run, Filter(strategy="band", lo=0.9999999, hi=1.0))
    assert figures(open_run(SMALL_RUN).record) == before
    assert before.keys() >= {"all", "q-mid"}


def test_a_run_is_not_continued_with_other_settings_nor_by_another_version(small_run: Finished) -> None:
    with pytest.raises(BadInput, match="other settings"):
        start_run(load_config("miniworld"), SMALL_RUN)
    write_json(small_run.run.folder / "run.json", small_run.run.record | {"layout": 0})
    with pytest.raises(BadInput, match="layout 0"):
        open_run(SMALL_RUN)


def test_an_unfinished_run_goes_on_with_other_settings_and_uses_what_they_do_not_concern(small_run: Finished) -> None:
    small_run.run.note(state="failed", error="the OOD set was not there")
    before, mended = results(small_run.run.folder), load_config("miniworld", [*SMALL_SETTINGS, "data.ood.0.params.count=30"])
    again = run(mended, SMALL_RUN)
    grown = {stage: count - before[stage] for stage, count in results(again.folder).items()}
    assert {stage for stage, count in grown.items() if count} == {"images", "evaluate"}
    assert again.record["state"] == "done"
    assert again.record["config"]["data"]["ood"][0]["params"]["count"] == 30


@pytest.mark.slow
def test_outliers_alone_are_what_the_run_goes_on_from(small_store: Path) -> None:
    begun, made = synthesise(load_config("miniworld", SMALL_SETTINGS), "first")
    assert begun.record["state"] == "interrupted"
    assert "detect" not in results(begun.folder)
    whole = Finished(open_run(small_store / SMALL_RUN))
    assert len(made) == 90
    np.testing.assert_array_equal(made.pixels.array(), recorded(whole.run).outliers.pixels.array())


@pytest.mark.slow
def test_own_folder_runs_through(tmp_path: Path) -> None:
    classes = ["candle", "jeep", "cactus"]
    own = photos(tmp_path / "photos", classes, 100)
    (own / "jeep" / "notes.txt").write_text("not an image")
    (own / "jeep" / "broken.png").write_bytes(b"no image")
    settings = [setting for setting in SMALL_SETTINGS if not setting.startswith(("data.train", "data.test"))]
    done = run(
        load_config("miniworld", [*settings, "evaluate.filters=[all]", "detector.epochs=8", "detector.batch_size=32"], own, "folder")
    )
    assert recorded(done).sets.train.classes == tuple(sorted(classes))
    assert done.rows["all"].kept == 90
    left_out = {Path(entry["path"]).name: entry["kind"] for entry in done.record["skipped"]}
    assert left_out["broken.png"] == "unreadable"
    assert set(left_out) <= {"broken.png", "notes.txt"}


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
        time.sleep(0.002)


@pytest.mark.slow
def test_a_killed_run_continues_and_ends_with_the_same_tables(small_store: Path, tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    moments: list[Callable[[], bool]] = [
        lambda: any(killed.glob("images/.*.part/images.npy")),
        lambda: any(killed.glob("outliers/.*.part")),
        lambda: any(killed.glob("detect/.*.part/checkpoint.pt")),
        lambda: len(list(killed.glob("detect/[!.]*"))) == 1 and any(killed.glob("detect/.*.part/checkpoint.pt")),
    ]
    for moment in moments:
        process = start(tmp_path)
        wait_until(moment, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert json.loads((killed / "run.json").read_text())["state"] == "running"
    last = start(tmp_path)
    assert last.wait(timeout=1800) == 0
    assert figures(read_json(killed / "run.json")) == figures(read_json(small_store / SMALL_RUN / "run.json"))
    assert home() != tmp_path


def test_harm_is_told_of_every_outlier_and_filters_go_by_it(small_run: Finished) -> None:
    run = small_run.run
    told = small_run.harm_told
    assert told is not None
    assert told.trusted
    harm = small_run.outliers.values("harm")
    assert np.isfinite(harm).all()
    assert harm.sum() == pytest.approx(0, abs=1e-6 * np.abs(harm).sum())
    found = recorded(run)
    table = filter_table(found.outliers, found.described, found.confidence, found.harm)
    least = found.previews.select(table, Filter(strategy="least-harm", count=30), found.confidence.validation)
    assert harm[least.kept].max() <= harm[~least.kept].min()
    # the head retrained without the harmful ones ranks held-out images better than without as many harmless ones
    order = np.argsort(harm)
    without = {
        name: np.isin(np.arange(len(harm)), rows, invert=True) for name, rows in {"harmful": order[-30:], "harmless": order[:30]}.items()
    }
    auroc = {name: found.previews.head_metrics(kept)["auroc"] for name, kept in without.items()}
    assert auroc["harmful"] > auroc["harmless"]
    assert found.previews.select(table, Filter(strategy="dos", count=12), found.confidence.validation).kept.sum() == 12
    mild = found.previews.select(table, Filter(strategy="all", max_harm=0.0), found.confidence.validation)
    np.testing.assert_array_equal(mild.kept, harm <= 0)
    assert filter_name(Filter(strategy="all", max_harm=0.0)) == "all, harm <= 0"
