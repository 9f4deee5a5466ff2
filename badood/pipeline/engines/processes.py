"""Independent stages side by side: this process does some, and processes beside it the rest.

Networks as small as the presets' gain little by a second thread, and everything by a second process.
"""

import json
import signal
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import psutil
from loky import get_reusable_executor
from loky.process_executor import TerminatedWorkerError

from badood.config import Compute
from badood.core.errors import ProcessDied
from badood.core.processes import end_with_parent
from badood.core.ranks import ranks
from badood.core.registry import Handed, own_entries, restore
from badood.pipeline.artefacts import Artefact
from badood.pipeline.engines.local import Local, Spent, made, threads_for
from badood.pipeline.stage import Call, Context

A = TypeVar("A", bound=Artefact)
T = TypeVar("T")

_IDLE_SECONDS = 20
"""A process without work waits so long for the next calls before it ends: detectors are evaluated right after they are trained."""

REPORT_SECONDS = 0.5
"""Between two reports of a process."""


@dataclass
class Processes(Local):
    """An engine that takes several calls at a time. Threads are shared out alike whatever is left to do, so the bytes are `Local`'s."""

    def each(self, calls: Sequence[Call[A]], at_once: int = 1) -> list[A]:
        """See `Engine`.

        Raises:
            ProcessDied: one of the processes ended in the middle, for want of memory for instance.
        """
        missing = {call.key(self.ctx.settings.lossy): call for call in calls if not self.has(call)}
        beside = min(at_once, len(missing)) - 1
        if beside < 1 or ranks().count > 1:
            return super().each(calls, at_once)
        with threads_for(self.ctx, at_once) as ctx:
            # the longest chains first, so that the last ones leave nobody waiting
            self._shared(deque(sorted(missing.values(), key=self.lacking, reverse=True)), beside, ctx)
            return [self._timed(call, ctx) for call in calls]

    def _shared(self, todo: "deque[Call[Any]]", beside: int, ctx: Context) -> None:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as notes, _Crew(self.run.folder, ctx, Path(notes), beside, todo) as crew:
            spent = [took for each in _taken(todo) for took in made(self.run.folder, each, ctx)[1]]
            crew.wait()
            for each in together(spent, crew.spent, beside, time.perf_counter() - start):
                self.run.clock(each.stage, each.seconds, each.peak_mb)


def together(here: Sequence[Spent], there: Sequence[Spent], beside: int, seconds: float) -> list[Spent]:
    """What each stage took of the time in which this process and some beside it worked, and what they took together at most."""
    every = [*here, *there]
    peak_mb = max((each.peak_mb for each in here), default=0.0) + sum(sorted(each.peak_mb for each in there)[-beside:])
    worked = {stage: sum(each.seconds for each in every if each.stage == stage) for stage in dict.fromkeys(each.stage for each in every)}
    return [Spent(stage, seconds * part / sum(worked.values()), peak_mb) for stage, part in worked.items()]


@dataclass
class _Crew:
    """Processes that take calls from `todo` until none is left; a thread here attends to each."""

    folder: Path
    ctx: Context
    notes: Path
    size: int
    todo: "deque[Call[Any]]"
    spent: list[Spent] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def __enter__(self) -> "_Crew":
        import os

        # loky's processes start from nothing and do not import the caller's main script again, as multiprocessing's do
        self.pool = get_reusable_executor(
            self.size, timeout=_IDLE_SECONDS, initializer=_begin, initargs=(os.getpid(),), env=dict(os.environ)
        )
        self.threads = [threading.Thread(target=self._attend, args=(self.notes / str(number),), daemon=True) for number in range(self.size)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.todo.clear()
        if kind is not None:
            self.pool.shutdown(kill_workers=True)

    def wait(self) -> None:
        """Until there is nothing left to do.

        Raises:
            ProcessDied: a process ended in the middle. BadOODError: what a call ended with.
        """
        for number, thread in enumerate(self.threads):
            while thread.is_alive():
                if (told := noted(self.notes / str(number))) is not None:
                    self.ctx.progress.update(*told)
                thread.join(REPORT_SECONDS)
        if self.errors:
            raise self.errors[0]

    def _attend(self, note: Path) -> None:
        try:
            for call in _taken(self.todo):
                self.spent += self.pool.submit(perform, self.folder, call, self.ctx.settings, note, own_entries()).result()
        except TerminatedWorkerError as error:
            self.errors.append(
                ProcessDied(
                    f"a process that worked beside this one ended in the middle ({_exit_code(error)}), perhaps for want of "
                    "memory; start the run again to go on, with compute.threads=1 for one detector at a time."
                )
            )
        except BaseException as error:
            self.errors.append(error)


def _exit_code(error: TerminatedWorkerError) -> str:
    """The line in which loky tells how they ended; others guess why."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if "exit code" in line), lines[0]).rstrip(".")


def _taken(todo: "deque[T]") -> Iterator[T]:
    """Take from the left until nothing is left; several threads may take from the same."""
    with suppress(IndexError):
        while True:
            yield todo.popleft()


def _begin(parent: int) -> None:
    # Ctrl-C reaches the whole group, and it is the one who asks that ends this process
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(parent)


def perform(folder: Path, call: Call[Any], settings: Compute, note: Path, plug_ins: Handed) -> list[Spent]:
    """One call in another process, which tells how far it is in the file `note`; its memory without the libraries', which are loaded once for all processes."""
    restore(plug_ins)
    spent = made(folder, call, Context(settings, _Noted(note)))[1]
    libraries = getattr(psutil.Process().memory_info(), "shared", 0) / 2**20
    return [replace(each, peak_mb=each.peak_mb - libraries) for each in spent]


def noted(note: Path) -> tuple[str, int, int] | None:
    """How far the process is that writes into a file: stage, step, total; none where it told nothing yet."""
    with suppress(OSError, ValueError):
        stage, step, total = json.loads(note.read_text())
        return stage, step, total
    return None


@dataclass
class _Noted:
    """A `Progress` that writes how far it is into a file, now and then."""

    path: Path
    clock: Callable[[], float] = time.monotonic
    spoke: float = float("-inf")

    def update(self, stage: str, step: int, total: int, **figures: float) -> None:
        """Write."""
        now = self.clock()
        if now - self.spoke > REPORT_SECONDS:
            self.spoke = now
            self.path.write_text(json.dumps([stage, step, total]))
