"""The redesign of the path changed no figure: a run of the commit before it and one of today, byte for byte.

Between the two, calibration was mended on purpose (a fit that never saturates), so the old path runs with today's `badood.calibrate`. What CLIP sees
is calibrated since, and is not compared.
"""

import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from badood.core.artefacts import read_json
from tests.conftest import CHECKOUT, SMALL_SETTINGS

BEFORE = "9038833"
MENDED = ("badood/calibrate", "badood/core/errors.py")
SINCE = ("evaluate.harm_subsets",)
"""Settings that the old path does not know."""
TYPES = {"clip_label", "clip_prob", "clip_anchor_prob", "ood_type"}
FIGURES = ("fpr95", "auroc", "aupr")
VARIANTS = {
    "small": [],
    "several": ["evaluate.filters=[all,random,high,low,q-mid]", "detector.batch_size=32", "synthesise.score_renoise=100"],
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library as it was, with today's calibration."""
    done = subprocess.run(["git", "archive", "--format=tar", BEFORE], cwd=CHECKOUT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"commit {BEFORE} is not in this checkout's history: {done.stderr.decode().strip()}")
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    for part in MENDED:
        shutil.rmtree(folder / part, ignore_errors=True)
        (shutil.copytree if (CHECKOUT / part).is_dir() else shutil.copy)(CHECKOUT / part, folder / part)
    return folder


def finished(library: Path, home: Path, variant: str) -> Path:
    """The folder of a run, made by the command of a library."""
    known = [each for each in [*SMALL_SETTINGS, *VARIANTS[variant]] if library == CHECKOUT or not each.startswith(SINCE)]
    settings = [part for setting in known for part in ("--set", setting)]
    environment = os.environ | {"BADOOD_HOME": str(home), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(library)}
    command = [sys.executable, "-m", "badood", "run", "--name", variant, *settings]
    done = subprocess.run(command, cwd=library, env=environment, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr
    return home / variant


@pytest.fixture(scope="module", params=sorted(VARIANTS))
def both(request: pytest.FixtureRequest, old: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run before and one after."""
    home = tmp_path_factory.mktemp("homes")
    before, after = finished(old, home / "before", request.param), finished(CHECKOUT, home / "after", request.param)
    assert read_json(before / "run.json")["layout"] == 1
    return before, after


def records(both: tuple[Path, Path]) -> tuple[dict[str, Any], dict[str, Any]]:
    before, after = (read_json(run / "run.json") for run in both)
    return before, after


def test_embeddings_and_images_of_outliers(both: tuple[Path, Path]) -> None:
    before, after = records(both)
    source = both[1] / after["results"]["sources"]["minority"]
    np.testing.assert_array_equal(np.load(source / "embeddings.npy"), np.load(both[0] / before["outliers"] / "embeddings.npy"))
    (decoded,) = both[0].glob("decode/*/images.npy")
    np.testing.assert_array_equal(np.load(source / "images.npy"), np.load(decoded))
    np.testing.assert_array_equal(
        np.load(both[1] / after["results"]["encoded"] / "z0.npy"), np.load(both[0] / before["encoded"] / "z0.npy")
    )
    (rebuilt,) = both[0].glob("rebuild/*/images.npy")
    np.testing.assert_array_equal(np.load(both[1] / after["results"]["rebuilt"] / "images.npy"), np.load(rebuilt))


def test_every_column_of_the_outliers(both: tuple[Path, Path]) -> None:
    before, after = records(both)
    then = pd.read_parquet(both[0] / before["outliers"] / "outliers.parquet")
    now = pd.read_parquet(both[1] / after["results"]["outliers"] / "outliers.parquet")
    assert set(then) <= set(now)
    for name in set(then) - {"s", "image"} - TYPES:
        pd.testing.assert_series_equal(now[name], then[name], check_exact=True)
    assert [image["bytes"] for image in now["image"]] == [image["bytes"] for image in then["image"]]
    # it was the stored score's; it is the guidance's renoise
    assert set(then["s"]) == {after["config"]["synthesise"]["score_renoise"]}
    assert set(now["s"]) == {125}


def test_calibration(both: tuple[Path, Path]) -> None:
    before, after = records(both)
    now, then = both[1] / after["results"]["calibration"], both[0] / before["calibration"]
    # what is calibrated need not be the energy now
    reference = pd.read_parquet(then / "reference.parquet").rename(columns={"energy": "log_odds"})
    pd.testing.assert_frame_equal(pd.read_parquet(now / "reference.parquet"), reference, check_exact=True)
    assert read_json(now / "calibrator.json") == read_json(then / "calibrator.json")


def test_every_filter_keeps_trains_and_scores_alike(both: tuple[Path, Path]) -> None:
    before, after = (record["metrics"] for record in records(both))
    assert list(after) == [*before, "mid"], "the run's own filter has a row too"
    for name, then in before.items():
        now = after[name]
        assert then.get("empty") == now.get("empty"), name
        if "empty" in then:
            continue
        for key in ("kept", "lo", "hi", "overlap", "reason", "id_accuracy", *FIGURES):
            assert now[key] == then[key], (name, key)
        assert now.get("warning", "") == then["warning"]
        for set_name, figures in then["per_set"].items():
            assert {key: now["per_set"][set_name][key] for key in figures} == figures, (name, set_name)
        for scorer, figures in then["scorers"].items():
            assert {key: now["scorers"][scorer][key] for key in FIGURES} == {key: figures[key] for key in FIGURES}, (name, scorer)
        weights = [run / row["detector"] / "detector.safetensors" for run, row in zip(both, (then, now), strict=True)]
        assert weights[0].read_bytes() == weights[1].read_bytes(), name
        for file in ("scores.parquet", "shift.parquet"):
            tables = [pd.read_parquet(run / row["evaluation"] / file) for run, row in zip(both, (then, now), strict=True)]
            if file == "scores.parquet":  # a baseline called energy, in float32, once took the place of our own
                tables[1]["energy"] = tables[1]["energy"].astype(tables[0]["energy"].dtype)
            pd.testing.assert_frame_equal(tables[1][tables[0].columns], tables[0], check_exact=True)
