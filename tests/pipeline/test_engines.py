"""Detectors trained in processes of their own: the same weights as alone, and nothing lost when a process or the whole run is killed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from badood.core.artefacts import read_json
from badood.core.training import total_steps
from badood.core.weights import read
from badood.pipeline.artefacts import Kept
from badood.pipeline.engines import Local
from badood.pipeline.opened import recorded
from badood.pipeline.path import FEW_STEPS, training_settings
from badood.pipeline.runs import open_run, start_run
from badood.pipeline.stage import Context
from badood.pipeline.stages.detect import detect
from tests.conftest import CHECKOUT, SMALL_SETTINGS

SETTINGS = [
    *SMALL_SETTINGS,
    "compute.threads=2",
    "detector.epochs=25",  # longer than another process takes to start
    "detector.batch_size=16",
    "detector.backbone_params={channels: [16, 32, 32, 32], stem_width: 8}",
    "detector.checkpoint_seconds=0.5",
    "evaluate.filters=[all,minority,low]",
    "filter.count=40",
]

pytestmark = pytest.mark.slow


def start(home: Path) -> "subprocess.Popen[str]":
    """The run, as a person starts it, on outliers of a file: what makes them is not what is tested here."""
    noise = home / "noise.npy"
    if not noise.exists():
        np.save(noise, np.random.default_rng(0).integers(0, 256, (90, 64, 64, 3), dtype=np.uint8))
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    command = [sys.executable, "-m", "badood", "run", "--name", "beside", "--outliers", str(noise), "--only-imported", *settings]
    environment = os.environ | {"BADOOD_HOME": str(home), "COLUMNS": "500"}
    return subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def at_work(run: Path, process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """Wait until detectors are being trained in two processes; those that help."""
    end = time.monotonic() + 900
    parent = psutil.Process(process.pid)
    while not (any(run.glob("detect/.*.part/checkpoint.pt")) and (crew := helpers(parent))):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < end, "no two detectors were trained at a time"
        time.sleep(0.02)  # the run needs the processor
    return crew


def helpers(parent: psutil.Process) -> list[psutil.Process]:
    """Processes below it that have torch loaded: loky's own tracker of resources has not."""
    found = []
    for child in parent.children(recursive=True):
        with suppress(psutil.Error):
            if any("libtorch" in part.path for part in child.memory_maps()):
                found.append(child)
    return found


def gone(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=60)
    return not alive


def rows(run: Path) -> dict[str, Any]:
    """The filter table without the reasons, which name no figure."""
    return {
        name: {key: row.get(key) for key in ("fpr95", "auroc", "aupr", "id_accuracy", "kept")}
        for name, row in read_json(run / "run.json")["metrics"].items()
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody disturbed."""
    home = tmp_path_factory.mktemp("finished")
    begun = time.monotonic()
    process = start(home)
    _, said = process.communicate(timeout=1800)
    assert process.returncode == 0, said
    record = read_json(home / "beside" / "run.json")
    assert {row["kept"] for row in record["metrics"].values() if "kept" in row} - {90}, "no filter kept a part"
    # seconds of processes side by side are not added up
    assert record["totals"]["wall_seconds"] <= time.monotonic() - begun
    assert record["totals"]["wall_seconds"] == pytest.approx(sum(stage["wall_seconds"] for stage in record["stages"].values()), abs=0.1)
    return home / "beside"


def test_a_detector_is_the_one_that_one_thread_trains_alone(finished: Path) -> None:
    run = open_run(finished)
    found = recorded(run)
    assert total_steps(len(found.sets.train), run.cfg.detector) >= FEW_STEPS
    row = next(row for row in run.rows.values() if not row.empty and row.kept < 90)
    kept = Kept(run.folder / row.selection)
    assert kept.mask.sum() == row.kept
    threads = torch.get_num_threads()
    try:
        alone = Local(start_run(run.cfg, "alone"), Context(run.cfg.compute.model_copy(update={"threads": 1})))
        made = alone(detect, training_settings(run.cfg), found.start, found.sets.train, found.outliers, kept, found.rebuilt)
    finally:
        torch.set_num_threads(threads)
    again, beside = read(made.weights), read(run.folder / row.detector / "detector.safetensors")
    assert f"detect/{made.key}" == row.detector
    assert again.keys() == beside.keys()
    assert all(np.array_equal(again[name], beside[name]) for name in again)


def test_a_process_or_the_run_is_killed_and_the_tables_stay_the_same(finished: Path, tmp_path: Path) -> None:
    kill: list[Callable[[subprocess.Popen[str], list[psutil.Process]], None]] = [
        lambda process, _: process.kill(),
        lambda _, crew: crew[0].kill(),  # the run trains the other detector to its end
    ]
    said = []
    for strike in kill:
        process = start(tmp_path)
        crew = at_work(tmp_path / "beside", process)
        assert len(crew) == 1  # the run trains the other one itself
        strike(process, crew)
        said.append(process.communicate(timeout=120)[1])
        assert process.returncode != 0
        assert gone(crew), "a process outlived its run"
    assert "ended in the middle" in said[1]
    assert "SIGKILL(-9)" in said[1]
    process = start(tmp_path)
    _, last = process.communicate(timeout=1800)
    assert process.returncode == 0, last
    assert rows(tmp_path / "beside") == rows(finished)
