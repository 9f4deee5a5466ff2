"""Faults put into a small run, its store and its workers, one at a time. What must hold afterwards stands in `World.wrong`."""

import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from badood.core.artefacts import read_json
from badood.data import dataset
from tests.contracts.conftest import contents
from tests.pipeline.tiny import figures

RUN = "tiny"
SETTINGS = [
    "compute.threads=1",
    "data.train.params.count=100",
    "data.test.params.count=20",
    "data.auxiliary.0.params.count=40",
    *(f"data.ood.{place}.params.count=10" for place in range(3)),
    "data.grid=null",
    "data.real=null",
    "clip.styles=null",
    "detector.epochs=8",
    "detector.batch_size=16",
    "detector.backbone_params={channels: [8, 16, 16, 16], stem_width: 8}",
    "detector.checkpoint_seconds=0.0001",
    "evaluate.filters=[all]",
    "evaluate.harm_subsets=4",
    "evaluate.scorers=[msp]",
    "calibrate.score=energy",
    "filter.strategy=random",
    "filter.count=20",
]

_SECONDS = 600
"""A run that goes on for longer hangs."""

# forked from a process that has read all code, so that a fault costs what the run does and not the seconds in which it starts
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.faults.chaos", "badood.cli", "badood.pipeline.path"])


def _command(store: Path) -> None:
    """`badood run`, in a session of its own, with its own folder for temporary files."""
    os.setsid()
    os.environ |= {"BADOOD_HOME": str(store), "TMPDIR": str(store.parent / "tmp")}
    with (store.parent / "said.log").open("w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    outliers = ("--outliers", str(store.parents[1] / "outliers.npy"), "--only-imported")
    sys.argv = ["badood", "run", "--name", RUN, *outliers, *(part for setting in SETTINGS for part in ("--set", setting))]
    from badood.cli import main

    main()


@dataclass
class World:
    """Where faults happen.

    Attributes:
        top: an empty folder. seed: decides every draw.
    """

    top: Path
    seed: int = 0
    rng: random.Random = field(init=False)
    number: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        images = dataset["miniworld"](None, "test", classes="far", count=40)
        self.whole = self._place("undisturbed")
        np.save(self.top / "outliers.npy", np.stack([images.read(row) for row in range(40)]))
        assert self.finish(self.whole) == 0, self.said(self.whole)

    @property
    def stages(self) -> list[Path]:
        """The finished folders of the run that nobody disturbed, relative to the store."""
        found = (self.whole / RUN).glob("*/[!.]*")
        return sorted(path.relative_to(self.whole) for path in found if path.is_dir())

    def copy(self) -> Path:
        """A store with the finished run."""
        self.number += 1
        store = self._place(str(self.number))
        shutil.copytree(self.whole, store, dirs_exist_ok=True)
        return store

    def begun(self) -> Path:
        """A store with the run as it may be when something happens to it: some stages are there and others are not."""
        store = self.copy()
        for stage in self.stages:
            if self.rng.random() < 0.4 and stage.parts[1] != "images":
                shutil.rmtree(store / stage)
        shutil.rmtree(
            store / self.rng.choice([stage for stage in self.stages if stage.parts[1] in ("detect", "evaluate", "table")]),
            ignore_errors=True,
        )
        return store

    def _place(self, name: str) -> Path:
        store = self.top / name / "store"
        store.mkdir(parents=True)
        (store.parent / "tmp").mkdir()
        return store

    def start(self, store: Path) -> multiprocessing.process.BaseProcess:
        """The run, as a person starts it."""
        process = _context.Process(target=_command, args=(store,))
        process.start()
        return process

    def finish(self, store: Path) -> int:
        """Start the run and wait for its end; its exit code."""
        process = self.start(store)
        process.join(_SECONDS)
        if process.exitcode is None:
            process.kill()
        assert process.exitcode is not None, f"the run hangs: {self.said(store)}"
        return process.exitcode

    def said(self, store: Path) -> str:
        """What the last run told."""
        return (store.parent / "said.log").read_text(errors="replace")[-2000:]

    def wrong(self, store: Path) -> list[str]:
        """What is not as it is after a run that nobody disturbed."""
        found = []
        if figures(read_json(store / RUN / "run.json")) != figures(read_json(self.whole / RUN / "run.json")):
            found.append("the filter table is another")
        for stage in self.stages:
            ours, theirs = contents(store / stage), contents(self.whole / stage)
            found += [f"{stage}/{name} is another" for name in sorted(ours.keys() | theirs.keys()) if ours.get(name) != theirs.get(name)]
        left = [path for pattern in (".*.part", ".*.deleted") for path in store.rglob(pattern)] + list((store.parent / "tmp").iterdir())
        return found + [f"{path.relative_to(store.parent)} is left" for path in left]


Fault = Callable[[World], list[str]]
"""Puts one fault in, has the work go on, and says what is wrong then."""

FAULTS: dict[str, tuple[Fault, int]] = {}
"""By name, with how often the long form has it."""


def fault(name: str, times: int) -> Callable[[Fault], Fault]:
    """Decorator that enters a fault."""

    def entered(function: Fault) -> Fault:
        FAULTS[name] = function, times
        return function

    return entered


def alive_in(session: int) -> list[int]:
    """Processes of a session that is over: orphans."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            if os.getsid(int(entry.name)) == session:
                found.append(int(entry.name))
    return found


@fault("run killed", 14)
def run_killed(world: World) -> list[str]:
    """kill -9 at any moment."""
    store = world.begun()
    process = world.start(store)
    process.join(world.rng.uniform(0.05, 6.0))
    process.kill()
    process.join()
    assert process.pid is not None
    orphans = [f"process {pid} is left" for pid in alive_in(process.pid)]
    code = world.finish(store)
    return orphans + ([f"it ended with {code}: {world.said(store)}"] if code else world.wrong(store))


def _damaged(world: World, change: Callable[[bytearray], None]) -> list[str]:
    """A file of a finished stage is changed behind the run's back."""
    store = world.copy()
    stage = world.rng.choice(world.stages)
    files = [path for path in sorted((store / stage).rglob("*")) if path.is_file() and path.stat().st_size]
    file = world.rng.choice(files)
    about, content = file.stat(), bytearray(file.read_bytes())
    change(content)
    file.write_bytes(content)
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))  # a disk tells nobody
    code = world.finish(store)
    said = world.said(store)
    told = [] if "is damaged" in said else [f"nobody noticed {file.relative_to(store)}"]
    return told + ([f"it ended with {code}: {said}"] if code else world.wrong(store))


@fault("bit flipped", 13)
def bit_flipped(world: World) -> list[str]:
    """One bit of a result is another."""

    def flip(content: bytearray) -> None:
        content[world.rng.randrange(len(content))] ^= 1 << world.rng.randrange(8)

    return _damaged(world, flip)


@fault("file truncated", 12)
def file_truncated(world: World) -> list[str]:
    """The end of a result is missing."""

    def cut(content: bytearray) -> None:
        del content[world.rng.randrange(len(content)) :]

    return _damaged(world, cut)


@fault("checkpoint damaged", 2)
def checkpoint_damaged(world: World) -> list[str]:
    """A training is killed, and its checkpoint is broken when it goes on."""
    store = world.copy()
    shutil.rmtree(store / RUN / "detect")
    process = world.start(store)
    until = time.monotonic() + _SECONDS
    while not (found := list(store.glob(f"{RUN}/detect/.*.part/checkpoint.pt"))):
        assert process.exitcode is None, f"the run ended before it could be killed: {world.said(store)}"
        assert time.monotonic() < until, "the training never began"
        time.sleep(0.005)
    process.kill()
    process.join()
    content = bytearray(found[0].read_bytes())
    content[len(content) // 2] ^= 255
    found[0].write_bytes(content)
    code = world.finish(store)
    told = [] if "is damaged" in world.said(store) else ["nobody noticed the checkpoint"]
    return told + ([f"it ended with {code}: {world.said(store)}"] if code else world.wrong(store))


@contextmanager
def mounted(*command: str, at: Path) -> Iterator[None]:
    """Something mounted at a folder."""
    subprocess.run(["mount", *command, str(at)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)


def can_mount(folder: Path) -> bool:
    """Whether this process may mount."""
    try:
        with mounted("-t", "tmpfs", "-o", "size=1m", "tmpfs", at=folder):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


@fault("disk full", 3)
def disk_full(world: World) -> list[str]:
    """The disk has no room for the rest of the run; then somebody makes some."""
    source = world.begun()
    store = world._place(f"{world.number}-full")
    used = sum(path.stat().st_size // 4096 * 4096 + 8192 for path in source.rglob("*"))
    with mounted("-t", "tmpfs", "-o", f"size={used + world.rng.randrange(0, 120_000)}", "tmpfs", at=store):
        shutil.copytree(source, store, dirs_exist_ok=True)
        code, said = world.finish(store), world.said(store)
        told = [] if code == 0 or ("no space left" in said and "Traceback" not in said) else [f"it ended with {code} and told {said}"]
        subprocess.run(["mount", "-o", "remount,size=200m", str(store)], check=True)
        code = world.finish(store)
        return told + ([f"it ended with {code}: {world.said(store)}"] if code else world.wrong(store))


@fault("store read-only", 2)
def store_read_only(world: World) -> list[str]:
    """The store cannot be written to; then it can."""
    store = world.begun()
    with mounted("--bind", str(store), at=store):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(store)], check=True)
        code, said = world.finish(store), world.said(store)
    told = [] if code == 1 and "read-only" in said and "Traceback" not in said else [f"it ended with {code} and told {said}"]
    code = world.finish(store)
    return told + ([f"it ended with {code}: {world.said(store)}"] if code else world.wrong(store))


@fault("two runs at once", 2)
def two_runs_at_once(world: World) -> list[str]:
    """Two people give the same command; one of them is killed now and then."""
    store = world.begun()
    first, second = world.start(store), world.start(store)
    if world.rng.random() < 0.5:
        second.join(world.rng.uniform(0.05, 4.0))
        second.kill()
    for process in (first, second):
        process.join(_SECONDS)
    killed = second.exitcode == -signal.SIGKILL
    codes = [first.exitcode, *([] if killed else [second.exitcode])]
    if any(codes):
        return [f"they ended with {codes}: {world.said(store)}"]
    code = world.finish(store) if killed else 0
    return [f"it ended with {code}: {world.said(store)}"] if code else world.wrong(store)
