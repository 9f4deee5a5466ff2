"""Detectors of several filters at once, each in a process of its own.

Networks as small as the presets' gain little by a second thread, and everything by a second process. Threads are shared out by settings and
machine alone, whatever is left to train, so that a run which was cut off ends with the very weights of one that was not.

The processes run `python -m badood.pipeline.side_by_side`: they are given a JSON line about the run, then one for each detector, and
answer in JSON lines.
"""

import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
import psutil
import torch
from numpy.typing import NDArray

from badood.config import Filter, validate
from badood.core.compute import peak_rss_mb
from badood.core.errors import BadOODError, EmptySelection, ProcessDied
from badood.core.parent import end_with_parent
from badood.pipeline import evaluation
from badood.pipeline.runs import Run, forget_peak

if TYPE_CHECKING:
    from badood.pipeline.method import Method

_CODE_BYTES = 2**30
"""What a process takes beside its images."""

_REPORT_SECONDS = 0.5
"""Between two reports of a process."""


def train_side_by_side(method: "Method", filters: Sequence[Filter]) -> None:
    """Train and evaluate the detectors that trials of `filters` ask for, where several at a time are faster; a trial then finds them made.

    Raises:
        ProcessDied: one of the processes ended in the middle, for want of memory for instance.
        BadOODError: what a training ended with.
    """
    compute = method.run.compute
    if compute.device.type != "cpu" or compute.ranks.count > 1 or method.advice:  # a GPU is shared badly, a few steps are sooner done
        return
    todo = _untrained(method, filters)
    shares = _shares(method, len(filters)) if todo else 1
    if shares < 2:
        return
    forget_peak()
    start = time.perf_counter()
    crew = [_Process(method, torch.get_num_threads() // shares) for _ in range(min(shares, len(todo)))]
    try:
        _share_out(method, todo, crew)
    finally:
        for process in crew:
            process.end()
    wall, spent = time.perf_counter() - start, [seconds for process in crew for seconds in process.spent.items()]
    busy = sum(seconds for _, seconds in spent)
    peak = peak_rss_mb() + sum(process.peak_mb for process in crew)
    for stage, seconds in spent:
        method.run.clock(stage, wall * seconds / busy, peak)


def _shares(method: "Method", most: int) -> int:
    """How many detectors to train at a time: one a thread, as far as half of the machine's memory goes."""
    images = [method.train_pixels, method.outlier_pixels, *([] if method.rebuilt is None else [method.rebuilt])]
    each = _CODE_BYTES + 2 * sum(part.nbytes for part in images)
    return min(torch.get_num_threads(), most, max(1, psutil.virtual_memory().total // 2 // each))


def _untrained(method: "Method", filters: Sequence[Filter]) -> list[NDArray[np.bool_]]:
    """(M,) which outliers are kept, for every detector that is missing."""
    found: dict[bytes, NDArray[np.bool_]] = {}
    for cfg in filters:
        with suppress(EmptySelection):
            kept = method.selection(cfg).kept
            if not method.is_trained(kept):
                found[kept.tobytes()] = kept
    return list(found.values())


def _share_out(method: "Method", todo: Sequence[NDArray[np.bool_]], crew: "Sequence[_Process]") -> None:
    """Give every process a detector, and the next one when it is done."""
    replies: queue.Queue[tuple[_Process, dict[str, Any]]] = queue.Queue()
    waiting = list(todo)
    for process in crew:
        process.start(replies.put)
        process.give(waiting.pop(0))
    done = 0
    while done < len(todo):
        process, reply = replies.get()
        if "error" in reply:
            raise BadOODError(reply["error"])
        if "died" in reply:
            raise ProcessDied(
                f"a process that trained a detector ended with code {reply['died']}, perhaps for want of memory; start the run again to go on, "
                "with compute.threads=1 for one detector at a time."
            )
        if "step" in reply:
            process.step = reply["step"]
        else:
            done += 1
            process.step = 0
            process.note(reply)
            if waiting:
                process.give(waiting.pop(0))
        steps = min(len(todo), done) * method.steps + sum(process.step for process in crew)
        method.run.progress.update("detector", steps, len(todo) * method.steps, **reply.get("figures", {}))


@dataclass(eq=False)
class _Process:
    """The parent's end of a process.

    Attributes:
        method: the run. threads: its share of them.
        step: of the detector it is at. spent: seconds by stage so far. peak_mb: its largest resident memory so far.
    """

    method: "Method"
    threads: int
    step: int = 0
    spent: dict[str, float] = field(default_factory=dict)
    peak_mb: float = 0.0
    _process: "subprocess.Popen[str] | None" = None

    def start(self, tell: "Callable[[tuple[_Process, dict[str, Any]]], None]") -> None:
        """Start it; `tell` is called, in a thread, with every reply."""
        run = self.method.run
        compute = run.cfg.compute.model_copy(update={"threads": self.threads})
        cfg = run.cfg.model_copy(update={"compute": compute})
        self._process = subprocess.Popen(
            [sys.executable, "-m", "badood.pipeline.side_by_side"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._say({"folder": str(run.folder), "config": cfg.model_dump(mode="json")})
        threading.Thread(target=self._listen, args=(tell,), daemon=True).start()

    def give(self, kept: NDArray[np.bool_]) -> None:
        """Have it train on the kept outliers."""
        self._say({"kept": np.flatnonzero(kept).tolist()})

    def note(self, reply: dict[str, Any]) -> None:
        """Take over what it says when it is done."""
        self.spent, self.peak_mb = reply["spent"], reply["peak_rss_mb"]

    def end(self) -> None:
        """Stop it, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _say(self, message: dict[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # its end is told by `_listen`
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()

    def _listen(self, tell: "Callable[[tuple[_Process, dict[str, Any]]], None]") -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            tell((self, json.loads(line)))
        tell((self, {"died": self._process.wait()}))


@dataclass
class _Beside(Run):
    """The run as such a process sees it: `run.json` is its parent's.

    Attributes:
        spent: seconds by stage.
    """

    spent: dict[str, float] = field(default_factory=dict)

    def artefact(self, stage: str, parts: list[Any], make: Callable[[Path], None]) -> Path:
        """As `Run.artefact`, the clock apart."""
        start = time.perf_counter()
        found = self.looked_up(stage, parts, make)
        if stage in ("detect", "evaluate"):  # the others were made before, and are read inside these
            self.spent[stage] = self.spent.get(stage, 0.0) + time.perf_counter() - start
        return found


@dataclass
class _Told:
    """A `Progress` that tells the parent about the training."""

    replies: TextIO
    _spoke: float = float("-inf")

    def update(self, stage: str, step: int, total: int, **figures: float) -> None:
        """Write a line, now and then."""
        now = time.monotonic()
        if stage == "detector" and now - self._spoke > _REPORT_SECONDS:
            self._spoke = now
            print(json.dumps({"step": step, "figures": figures}), file=self.replies, flush=True)


def _serve(lines: TextIO, replies: TextIO) -> None:
    """Do what the parent asks for, until it closes its end."""
    from badood.pipeline.method import Method

    told = json.loads(next(lines))
    run = _Beside(Path(told["folder"]), validate(told["config"]), _Told(replies))
    method = Method(run)
    for line in lines:
        kept = np.zeros(len(method.embeddings), dtype=bool)
        kept[json.loads(line)["kept"]] = True
        try:
            evaluation.evaluate(method, method.detector(kept))
            reply = {"spent": run.spent, "peak_rss_mb": peak_rss_mb()}
        except BadOODError as error:
            reply = {"error": str(error)}
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    # Ctrl-C reaches the whole group, and it is the parent who ends this process
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    # what a library prints must not get between the replies
    replies, sys.stdout = sys.stdout, sys.stderr
    _serve(sys.stdin, replies)
