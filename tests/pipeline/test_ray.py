"""Rows that a cluster shares: none is missing and none there twice, whatever dies meanwhile, and all are as one process makes them."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from badood.config import Cluster as ClusterSettings
from badood.config import Resources, load_config
from badood.core.errors import BadConfig, BadInput
from badood.outliers.source import Draw, Given, Group
from badood.pipeline.engines import Local
from badood.pipeline.engines.local import made
from badood.pipeline.models import Models
from badood.pipeline.path import run
from badood.pipeline.runs import start_run
from badood.pipeline.stage import call
from badood.pipeline.stages import calibrate, describe
from badood.pipeline.stages.outliers import outliers
from tests.benchmark.tiny import written
from tests.conftest import MACHINE
from tests.contracts.conftest import contents
from tests.contracts.toy import toy
from tests.pipeline.toy_source import CONTEXT, Counting, inputs

pytest.importorskip("ray")

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

    from badood.pipeline.stage import Context

pytestmark = pytest.mark.slow

PID = "drawing-{}"


@dataclass
class Drawn(Counting):
    """Rows that workers share; each says which process it is."""

    shared = True

    def generator(self, given: Given) -> Draw:
        note = Path(os.environ["BADOOD_TEST_FLAGS"]) / PID.format(os.getpid())
        note.touch()

        def draw(rows: np.ndarray) -> Group:
            if rows[0] == self.breaks:
                raise BadInput("these rows cannot be drawn")
            return next(Counting(int(rows[-1]) + 1, len(rows)).groups(given, int(rows[0])))

        return draw


@dataclass
class Strikes:
    """A `Progress` that does something once a third of the rows is there."""

    strike: Callable[[], None]
    struck: bool = False

    def update(self, stage: str, step: int, total: int, **figures: float) -> None:
        if not self.struck and step > total / 3:
            self.struck = True
            self.strike()


def crewed(ctx: "Context") -> "Context":
    """The context, with the cluster's workers."""
    from badood.pipeline.engines.ray import _Workers

    return replace(ctx, crew=_Workers(ClusterSettings(memory_gb=0.5)))


def drawn(folder: Path, source: Counting, ctx: "Context") -> dict[str, bytes]:
    models = Models(load_config("miniworld"))
    return contents(made(folder, call(outliers, *inputs(folder.parent / "train", source, models)), ctx)[0].folder)


long = pytest.mark.skipif("BADOOD_LONG" not in os.environ, reason="takes minutes; `make chaos` runs it")


@pytest.mark.parametrize("dies", ["worker", pytest.param("machine", marks=long)])
def test_no_row_is_missing_and_none_there_twice(
    two_machines: "Cluster", tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies: str
) -> None:
    flags = Path(os.environ["BADOOD_TEST_FLAGS"])
    for old in flags.glob(PID.format("*")):
        old.unlink()
    monkeypatch.setattr("badood.outliers.source.group_rows", lambda size: 100)
    alone = drawn(tmp_path / "alone", Drawn(1500), CONTEXT)
    flags.joinpath(PID.format(os.getpid())).unlink()

    def strike() -> None:
        if dies == "worker":
            os.kill(int(next(flags.glob(PID.format("*"))).name.split("-")[1]), signal.SIGKILL)
        if dies == "machine":
            (other,) = two_machines.worker_nodes  # this process is on the head
            two_machines.remove_node(other, allow_graceful=False)

    watch = Strikes(strike)
    shared = drawn(tmp_path / "shared", Drawn(1500), crewed(replace(CONTEXT, progress=watch)))
    if dies == "machine":
        two_machines.add_node(**MACHINE)
        two_machines.wait_for_nodes()
    assert watch.struck
    assert len(list(flags.glob(PID.format("*")))) >= 2, "several workers drew"
    assert shared.keys() == alone.keys()
    assert [name for name in alone if shared[name] != alone[name]] == []
    assert not list(tmp_path.rglob("*.part"))


def test_a_detector_whose_worker_dies_is_taken_up_again(two_machines: "Cluster", tmp_path: Path) -> None:
    from badood.pipeline.engines.ray import Ray

    cfg, calls = load_config(written(tmp_path)), [call(toy, number, os.getpid(), True) for number in range(4)]
    made_by_ray = Ray(start_run(cfg, "ray"), CONTEXT)
    made_by_ray.each(calls, 2)
    assert (Path(os.environ["BADOOD_TEST_FLAGS"]) / "died").exists()
    local = Local(start_run(cfg, "local"), CONTEXT)
    local.each(calls, 2)
    assert contents(made_by_ray.run.folder / "toy") == contents(local.run.folder / "toy")
    assert len(contents(local.run.folder / "toy")) == 8
    assert not list(made_by_ray.run.folder.rglob("*.part"))


def test_an_error_of_a_piece_is_told_as_it_was_raised(two_machines: "Cluster", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("badood.outliers.source.group_rows", lambda size: 100)
    with pytest.raises(BadInput, match="these rows cannot be drawn"):
        drawn(tmp_path / "run", Drawn(300, breaks=200), crewed(CONTEXT))


def test_what_no_machine_has_is_told(two_machines: "Cluster") -> None:
    from badood.pipeline.engines.ray import needed, room

    one = replace(CONTEXT, settings=CONTEXT.settings.model_copy(update={"threads": 1}))
    assert room(needed(ClusterSettings(memory_gb=1), "encode", one)) == 2
    with pytest.raises(BadConfig, match=r"a worker takes 1 CPUs, 0 GPUs and 64.0 GB, and no machine .* lower compute.threads"):
        room(needed(ClusterSettings(stages={"encode": Resources(memory_gb=64)}), "encode", one))


@long
def test_a_run_with_shared_rows_is_that_of_one_process(two_machines: "Cluster", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from badood.pipeline.engines.ray import Ray

    monkeypatch.setattr("badood.outliers.source.group_rows", lambda size: 20)
    for module in (calibrate, describe):  # each pool of workers takes seconds to start
        monkeypatch.setattr(module, "_CHUNK", 25)
    monkeypatch.setattr("badood.pipeline.stage.ROWS", 50)
    settings = ["cluster.memory_gb=0.5", "evaluate.filters=[all, minority]", "filter.count=20"]
    cfg = load_config(written(tmp_path), settings)
    local, shared = (run(cfg, name, engine=engine) for name, engine in (("local", Local), ("shared", Ray)))
    ours, theirs = contents(local.folder), contents(shared.folder)
    assert {Path(name).parts[0] for name in ours} >= {"encode", "outliers", "describe", "calibrate", "detect"}
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name] and name != "run.json"] == []
    assert shared.rows == local.rows
