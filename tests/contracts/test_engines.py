"""Every engine gives the same bytes, whatever works beside it and whatever dies there."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from badood.core.artefacts import home
from badood.core.errors import BadInput, ProcessDied
from badood.pipeline.artefacts import Kept, Trained
from badood.pipeline.engines import Local, MakeEngine, Processes
from badood.pipeline.opened import recorded
from badood.pipeline.path import training_settings
from badood.pipeline.runs import Run, start_run
from badood.pipeline.stage import Context, call
from badood.pipeline.stages.detect import detect
from badood.pipeline.stages.evaluate import evaluate
from tests.conftest import CHECKOUT
from tests.contracts.conftest import contents
from tests.contracts.toy import FLAGS, toy

KINDS = ["local", "processes", pytest.param("ray", marks=pytest.mark.slow)]


@pytest.fixture(autouse=True)
def cluster(request: pytest.FixtureRequest) -> None:
    """A Ray cluster for the engine that needs one."""
    if "kind" in request.fixturenames and request.getfixturevalue("kind") == "ray":
        request.getfixturevalue("two_machines")


def started(like: Run, name: str, kind: str, threads: int = 2) -> Any:
    """An engine over an empty run of the same settings."""
    run = start_run(like.cfg, name)
    return made_by(kind)(run, Context(like.cfg.compute.model_copy(update={"threads": threads})))


def made_by(kind: str) -> MakeEngine:
    if kind == "ray":
        from badood.pipeline.engines.ray import Ray

        return Ray
    return {"local": Local, "processes": Processes}[kind]


def detected(like: Run, name: str, kind: str, at_once: int, *, chained: bool = True) -> Path:
    """Detectors of all rows of a run and what they score, made anew; chained, or all of the one before all of the other."""
    do, found, cfg = started(like, name, kind, at_once), recorded(like), like.cfg  # a thread for each
    sets = found.sets
    kept = [Kept(like.folder / row.selection) for row in like.rows.values()]
    calls = [call(detect, training_settings(cfg), None, sets.train, found.outliers, each, None) for each in kept]
    detectors = calls if chained else do.each(calls, at_once)
    images = (sets.train, sets.validation, sets.auxiliary, sets.test, sets.ood, sets.grid)
    do.each([call(evaluate, cfg.evaluate.scorers, cfg.evaluate.fit_images, cfg.calibrate, each, *images) for each in detectors], at_once)
    assert all(isinstance(each, Trained) for each in do.each(calls, at_once))
    return do.run.folder


@pytest.mark.parametrize("at_once", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_every_engine_gives_the_same_bytes(tiny_run: Run, kind: str, at_once: int) -> None:
    assert len({row.detector for row in tiny_run.rows.values()}) >= 2
    local = detected(tiny_run, "a", "local", at_once, chained=False)
    made = detected(tiny_run, "b", kind, at_once)
    for stage in ("detect", "evaluate"):
        found, expected = contents(made / stage), contents(local / stage)
        assert found.keys() == expected.keys()
        assert len(found) >= 6
        assert [name for name in found if found[name] != expected[name]] == []
    assert not list(made.rglob("*.part"))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_there_is_found_and_takes_no_time(tiny_run: Run, kind: str) -> None:
    first = detected(tiny_run, "found", kind, 2)
    before, record = contents(first), started(tiny_run, "found", kind).run.record
    assert record["stages"]["detect"]["wall_seconds"] > 0
    detected(tiny_run, "found", kind, 2)
    assert contents(first) == before
    assert started(tiny_run, "found", kind).run.record == record


@pytest.mark.parametrize("kind", KINDS)
def test_results_come_in_the_order_of_the_calls_also_of_equal_ones(tiny_run: Run, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FLAGS, str(home()))
    (home() / "met").touch()
    numbers = [3, 1, 3, 2]
    do = started(tiny_run, "order", kind)
    found = do.each([call(toy, number, os.getpid(), False) for number in numbers], 2)
    assert [int((each.folder / "number.txt").read_text()) for each in found] == numbers
    assert len(list((do.run.folder / "toy").iterdir())) == 3
    assert do.each([], 2) == []


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_of_a_stage_is_told_as_it_was_raised_and_the_others_can_go_on(tiny_run: Run, kind: str) -> None:
    do, sets = started(tiny_run, "error", kind), recorded(tiny_run).sets
    found = recorded(tiny_run)
    wrong = tiny_run.cfg.detector.model_copy(update={"mode": "as-is"})
    kept = [Kept(tiny_run.folder / row.selection) for row in tiny_run.rows.values()][:2]
    calls = [
        call(detect, cfg, None, sets.train, found.outliers, each, None)
        for cfg, each in zip((tiny_run.cfg.detector, wrong), kept, strict=True)
    ]
    with pytest.raises(BadInput, match="needs given weights"):
        do.each(calls, 2)
    assert do.each(calls[:1], 2)[0].weights.exists()


def test_a_process_that_is_killed_is_told_and_the_next_attempt_ends_alike(tiny_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FLAGS, str(home()))
    do = started(tiny_run, "killed", "processes")
    calls = [call(toy, number, os.getpid(), True) for number in range(4)]
    with pytest.raises(ProcessDied, match=r"SIGKILL\(-9\).*perhaps for want of memory; start the run again.*compute.threads=1"):
        do.each(calls, 2)
    assert (home() / "died").exists()
    assert [path.name for path in (do.run.folder / "toy").glob(".*.part")], "what it began is there to go on from"
    do.each(calls, 2)
    undisturbed = started(tiny_run, "undisturbed", "local")
    (home() / "met").touch()
    undisturbed.each(calls, 2)
    assert contents(do.run.folder / "toy") == contents(undisturbed.run.folder / "toy")
    assert len(contents(do.run.folder / "toy")) == 8


OWN = """
import os, sys
from pydantic.dataclasses import dataclass
from typing import ClassVar
from badood.detect.scorers import Scorer, scorer
from badood.pipeline.artefacts import Trained
from badood.pipeline.engines import Processes
from badood.pipeline.opened import recorded
from badood.pipeline.runs import open_run, start_run
from badood.pipeline.stage import Context, call
from badood.pipeline.stages.evaluate import evaluate
from tests.contracts.toy import meet

PARENT = int(os.getpid())


@scorer("mine")
@dataclass
class Mine(Scorer):
    needs: ClassVar = frozenset({"logits"})
    parent: int = 0

    def score(self, seen):
        from tests.contracts.toy import meet

        return seen.logits.sum(dim=1) + (1000 if meet("met", self.parent) else 0)


like = open_run(sys.argv[1])
found, cfg = recorded(like), like.cfg
sets = found.sets
images = (sets.train, sets.validation, sets.auxiliary, sets.test, sets.ood, None)
rows = {row.detector: row for row in like.rows.values()}
calls = [call(evaluate, [{"name": "mine", "parent": PARENT}], 100, cfg.calibrate, Trained(like.folder / name), *images) for name in rows]
do = Processes(start_run(cfg, "own"), Context(cfg.compute.model_copy(update={"threads": 2})))
results = do.each(calls, 2)
column = f"mine(parent={PARENT})"
print(sorted("beside" if each.scores[column].min() > 500 else "here" for each in results))
"""


def test_a_scorer_of_a_script_reaches_the_processes_beside(tiny_run: Run, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(OWN)
    environment = os.environ | {"BADOOD_HOME": str(tmp_path), FLAGS: str(tmp_path), "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(
        [sys.executable, str(script), str(tiny_run.folder)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['beside', 'here']"


def test_a_lossy_way_of_computing_has_results_of_its_own(tiny_run: Run) -> None:
    keys = {toy.key([1, 2, False], lossy) for lossy in ("", "int8")}
    assert len(keys) == 2
    assert len({toy.key([1, 2, False]), replace(toy, version=2).key([1, 2, False])}) == 2
