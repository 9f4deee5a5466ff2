"""One stage after the other, in this process."""

import logging
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from badood.core.artefacts import alone, disk_errors, remove_folder
from badood.core.errors import BadInput
from badood.core.ranks import ranks
from badood.core.sums import damage, seal
from badood.pipeline.artefacts import Artefact
from badood.pipeline.runs import Run
from badood.pipeline.stage import Call, Context, Stage

_log = logging.getLogger(__name__)

A = TypeVar("A", bound=Artefact)


@dataclass
class Local:
    """An engine over a run's folder.

    Attributes:
        run: where results are kept. ctx: what stages work with.
        timed: enter the time and memory of what is made into `run.json`; not for what somebody asks of a finished run.
    """

    run: Run
    ctx: Context
    timed: bool = True

    def __call__(self, stage: Stage[A], *inputs: Any) -> A:
        """See `Engine`."""
        return self._timed(Call(stage, inputs), self.ctx)

    def each(self, calls: Sequence[Call[A]], at_once: int = 1) -> list[A]:
        """See `Engine`."""
        with threads_for(self.ctx, at_once) as ctx:
            return [self._timed(call, ctx) for call in calls]

    def lacking(self, call: Call[Any]) -> int:
        """Number of results that a call still has to make, those of its inputs among them."""
        return 0 if self.has(call) else 1 + sum(self.lacking(each) for each in call.inputs if isinstance(each, Call))

    def has(self, call: Call[Any]) -> bool:
        """Whether a call's result is there."""
        return (self.run.folder / call.stage.name / call.key(self.ctx.settings.lossy)).exists()

    def _timed(self, call: Call[A], ctx: Context) -> A:
        result, spent = made(self.run.folder, call, ctx)
        if self.timed:
            for each in spent:
                self.run.clock(each.stage, each.seconds, each.peak_mb)
        return result


@dataclass(frozen=True)
class Spent:
    """What a stage took: seconds, and the peak of its process's memory in MB."""

    stage: str
    seconds: float
    peak_mb: float


def made(folder: Path, call: Call[A], ctx: Context) -> tuple[A, list[Spent]]:
    """A call's result below `folder`, and what it and the calls among its inputs took; nothing for what was found.

    A stage that fails leaves a hidden folder, which is given to the next attempt, so that it goes on from its last checkpoint. A result
    whose files are not as they were written is made again.
    """
    place = folder / call.stage.name / call.key(ctx.settings.lossy)
    group = ranks()
    if group.count == 1 and place.exists() and not damage(place):
        return call.stage.result(place), []
    spent: list[Spent] = []
    inputs = [_result(folder, value, ctx, spent) for value in call.inputs]
    # the first rank looks only once it holds the lock, and all go by what it saw: else one would skip what the others share
    with alone(place) if group.first else nullcontext():
        if group.agreed(group.first and _whole(place)):
            return call.stage.result(place), spent
        spent.append(_make(place, call.stage, inputs, ctx))
        group.wait()
    return call.stage.result(place), spent


def _whole(place: Path) -> bool:
    """Whether a result is there; a damaged one is removed."""
    if not place.exists():
        return False
    why = damage(place)
    if why:
        _log.warning("%s is damaged (%s); it is made again", place, why)
        remove_folder(place)
    return not why


def _check(value: Any) -> None:
    """Whether what a stage is given is as it was written: a retrain opens results that this process did not make.

    Raises:
        BadInput: a result is damaged.
    """
    if isinstance(value, Path) and (why := damage(value)):
        raise BadInput(f"{value} is damaged ({why}); start the run again by the command that began it: it is made anew.")
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            _check(each)
    elif is_dataclass(value):
        for entry in fields(value):
            _check(getattr(value, entry.name))


def _result(folder: Path, value: Any, ctx: Context, spent: list[Spent]) -> Any:
    """An input; in the place of a call its result."""
    if not isinstance(value, Call):
        return value
    result, took = made(folder, value, ctx)
    spent += took
    return result


def _make(place: Path, stage: Stage[Any], inputs: Sequence[Any], ctx: Context) -> Spent:
    from badood.core.compute import forget_peak, peak_rss_mb

    forget_peak()
    start = time.perf_counter()
    if ranks().first:
        with disk_errors(place):
            part = place.with_name(f".{place.name}.part")
            part.mkdir(exist_ok=True)
            _check(inputs)
            stage.function(part, *inputs, ctx)
            seal(part)
            part.rename(place)
    elif stage.shared:  # its share of the work; what it writes is the first one's again
        with tempfile.TemporaryDirectory() as out:
            stage.function(Path(out), *inputs, ctx)
    return Spent(stage.name, time.perf_counter() - start, peak_rss_mb())


@contextmanager
def threads_for(ctx: Context, at_once: int) -> Iterator[Context]:
    """The context of one of several stages that run at once: its share of the threads, whether or not the others run now.

    Results depend on the number of threads by rounding, so it may not depend on what is left to do.
    """
    import torch

    before = torch.get_num_threads()
    # the precision too: left to choose, each process would go by its own stopwatch
    settings = ctx.settings.model_copy(update={"threads": max(1, before // at_once), "precision": ctx.compute.precision})
    try:
        yield replace(ctx, settings=settings)
    finally:
        torch.set_num_threads(before)
