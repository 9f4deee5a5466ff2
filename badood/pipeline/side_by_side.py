"""Detectors of several filters at once: this process trains some, and others beside it the rest.

Networks as small as the presets' gain little by a second thread, and everything by a second process. Threads are shared out by settings and
machine alone, whatever is left to train, so that a run which was cut off ends with the very weights of one that was not.

The others run `python -m badood.pipeline.side_by_side`: they are given a JSON line about the run, then one for each detector, and answer in
JSON lines.
"""

import json
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import numpy as np
import psutil
import torch
from numpy.typing import NDArray

from badood.config import Config, validate
from badood.core.compute import peak_rss_mb
from badood.core.errors import BadOODError, EmptySelection, ProcessDied
from badood.core.processes import Spoken, end_with_parent, lines
from badood.pipeline import evaluation
from badood.pipeline.runs import Run

if TYPE_CHECKING:
    from badood.pipeline.method import Method

T = TypeVar("T")

_CODE_BYTES = 2**30
"""What a process takes beside its images."""

_REPORT_SECONDS = 0.5
"""Between two reports of a process."""


def train_side_by_side(method: "Method") -> None:
    """Train and evaluate the detectors that trials of `method.filters` ask for, where several at a time are faster; a trial then finds them made.

    Raises:
        ProcessDied: one of the processes ended in the middle, for want of memory for instance.
        BadOODError: what a training ended with.
    """
    compute = method.run.compute
    if compute.device.type != "cpu" or compute.ranks.count > 1 or method.brief:  # a GPU is shared badly
        return
    todo = deque(_untrained(method))
    shares = _shares(method) if todo else 1
    if shares < 2:
        return
    threads = torch.get_num_threads() // shares
    helpers = [_Helper(method, threads, todo) for _ in range(min(shares, len(todo)) - 1)]
    try:
        for helper in helpers:
            helper.start()
        with _threads(method.run, threads):
            for kept in _taken(todo):
                evaluation.evaluate(method, method.detector(kept))
        start = time.perf_counter()
        for helper in helpers:
            helper.wait()
    finally:
        for helper in helpers:
            helper.end()
    # what they did meanwhile took no time of its own
    method.run.clock("detect", time.perf_counter() - start, peak_rss_mb() + sum(helper.peak_mb for helper in helpers))


def _shares(method: "Method") -> int:
    """How many detectors to train at a time: one a thread, as far as half of the machine's memory goes."""
    images = [method.train_pixels, method.outlier_pixels, *([] if method.rebuilt is None else [method.rebuilt])]
    each = _CODE_BYTES + 2 * sum(part.nbytes for part in images)
    return min(torch.get_num_threads(), len(method.filters), max(1, psutil.virtual_memory().total // 2 // each))


def _untrained(method: "Method") -> list[NDArray[np.bool_]]:
    """(M,) which outliers are kept, for every detector that is missing."""
    found: dict[bytes, NDArray[np.bool_]] = {}
    for cfg in method.filters.values():
        with suppress(EmptySelection):
            kept = method.selection(cfg).kept
            if not method.is_trained(kept):
                found[kept.tobytes()] = kept
    return list(found.values())


def _taken(todo: "deque[T]") -> Iterator[T]:
    """Take from the left until nothing is left; several threads may take from the same."""
    with suppress(IndexError):
        while True:
            yield todo.popleft()


@contextmanager
def _threads(run: Run, count: int) -> Iterator[None]:
    """The run computes with so many threads."""
    cfg, before = run.cfg, torch.get_num_threads()
    run.cfg = _with_compute(cfg, threads=count)
    torch.set_num_threads(count)
    try:
        yield
    finally:
        run.cfg = cfg
        torch.set_num_threads(before)


def _with_compute(cfg: Config, **fields: Any) -> Config:
    return cfg.model_copy(update={"compute": cfg.compute.model_copy(update=fields)})


class _Helper:
    """This end of a process that takes detectors from `todo` until none is left.

    Attributes:
        peak_mb: the most memory it took so far, libraries apart, which are loaded once for all processes.
    """

    def __init__(self, method: "Method", threads: int, todo: "deque[NDArray[np.bool_]]") -> None:
        self.method, self.threads, self.todo = method, threads, todo
        self.peak_mb = 0.0
        self._step = 0
        self._error: BadOODError | None = None
        self._process: Spoken | None = None
        self._thread = threading.Thread(target=self._attend, daemon=True)

    def start(self) -> None:
        """Start the process."""
        self._process = Spoken("badood.pipeline.side_by_side")
        self._thread.start()

    def wait(self) -> None:
        """Until there is nothing left to do.

        Raises:
            BadOODError: what it ended with.
        """
        while self._thread.is_alive():
            self.method.run.progress.update("detector", self._step, self.method.steps)
            self._thread.join(_REPORT_SECONDS)
        if self._error is not None:
            raise self._error

    def end(self) -> None:
        """Stop the process, whatever it does."""
        if self._process is not None:
            self._process.kill()

    def _attend(self) -> None:
        run, process = self.method.run, self._process
        assert process is not None
        try:
            # the precision too: left to choose, each process would go by its own stopwatch
            cfg = _with_compute(run.cfg, threads=self.threads, precision=run.compute.precision)
            process.say({"folder": str(run.folder), "config": cfg.model_dump(mode="json")})
            for kept in _taken(self.todo):
                process.say({"kept": np.flatnonzero(kept).tolist()})
                while "peak_mb" not in (reply := _reply(process)):
                    self._step = reply["step"]
                self.peak_mb = reply["peak_mb"]
        except BadOODError as error:
            self._error = error


def _reply(process: Spoken) -> dict[str, Any]:
    reply = process.heard()
    if reply is None:
        raise ProcessDied(
            f"a process that trained a detector ended with code {process.ended}, perhaps for want of memory; start the run again "
            "to go on, with compute.threads=1 for one detector at a time."
        )
    if "error" in reply:
        raise BadOODError(reply["error"])
    return reply


@dataclass
class _Beside(Run):
    """The run as a helper sees it: `run.json` is left to the process that it helps."""

    def artefact(self, stage: str, parts: list[Any], make: Callable[[Path], None]) -> Path:
        """As `Run.artefact`, the clock apart."""
        return self.looked_up(stage, parts, make)


@dataclass
class _Told:
    """A `Progress` that tells how far the training is."""

    replies: TextIO
    _spoke: float = float("-inf")

    def update(self, stage: str, step: int, total: int, **figures: float) -> None:
        """Write a line, now and then."""
        now = time.monotonic()
        if stage == "detector" and now - self._spoke > _REPORT_SECONDS:
            self._spoke = now
            print(json.dumps({"step": step}), file=self.replies, flush=True)


def _serve(asked: TextIO, replies: TextIO) -> None:
    """Do what is asked for, until the asker closes its end."""
    from badood.pipeline.method import Method

    told = json.loads(next(asked))
    method = Method(_Beside(Path(told["folder"]), validate(told["config"]), _Told(replies)))
    for line in asked:
        kept = np.zeros(len(method.embeddings), dtype=bool)
        kept[json.loads(line)["kept"]] = True
        reply: dict[str, Any]
        try:
            evaluation.evaluate(method, method.detector(kept))
            libraries = getattr(psutil.Process().memory_info(), "shared", 0) / 2**20
            reply = {"peak_mb": peak_rss_mb() - libraries}
        except BadOODError as error:
            reply = {"error": str(error)}
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    # Ctrl-C reaches the whole group, and it is the one who asks that ends this process
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(int(sys.argv[1]))
    _serve(*lines())
