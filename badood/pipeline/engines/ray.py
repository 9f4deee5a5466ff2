"""Stages on several machines, by Ray. All of them see the run's folder, and what it reads, under the same paths.

Rows of a stage are shared by Ray Data, among actors that load the models once; calls that do not need one another are tasks. What can be
neither runs here. Nothing of this is imported by another engine.
"""

import pickle
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import ray
import ray.data
import torch
from ray.exceptions import RayError, RayTaskError

from badood import config
from badood.core.errors import BadConfig, BadOODError, ProcessDied
from badood.core.registry import Handed, own_entries, restore
from badood.pipeline.artefacts import Artefact
from badood.pipeline.engines.local import Local, Spent, threads_for
from badood.pipeline.engines.processes import REPORT_SECONDS, noted, perform, together
from badood.pipeline.stage import Alone, Begin, Call, Context

A = TypeVar("A", bound=Artefact)
P = TypeVar("P")
R = TypeVar("R")

_TRIES = 3
"""Times that a piece or a call is taken up again after its worker or machine died; what kills its worker every time is given up."""


@dataclass
class Ray(Local):
    """An engine over the cluster that this process has `joined`. Every worker takes as many threads as this process, so the bytes are `Local`'s."""

    def __post_init__(self) -> None:
        self.ctx = replace(self.ctx, crew=_Workers(self.run.cfg.cluster))

    def each(self, calls: Sequence[Call[A]], at_once: int = 1) -> list[A]:
        """See `Engine`.

        Raises:
            ProcessDied: the process that made one ended in the middle, several times.
        """
        missing = list({call.key(self.ctx.settings.lossy): call for call in calls if not self.has(call)}.values())
        if len(missing) > 1:
            with threads_for(self.ctx, at_once) as ctx:
                self._as_tasks(missing, ctx)
        return super().each(calls, at_once)

    def _as_tasks(self, calls: Sequence[Call[Any]], ctx: Context) -> None:
        start = time.perf_counter()
        settings, notes = _settings(ctx), self.run.folder / ".notes"
        notes.mkdir(exist_ok=True)
        # the longest chains first, so that the last ones leave nobody waiting
        calls = sorted(calls, key=self.lacking, reverse=True)
        tasks: dict[Any, Path] = {}
        for call in calls:
            needs, note = needed(self.run.cfg.cluster, call.stage.name, ctx), notes / call.key(settings.lossy)
            room(needs)
            task = ray.remote(perform).options(max_retries=_TRIES, **needs)
            tasks[task.remote(self.run.folder, call, settings, note, own_entries())] = note
        try:
            spent = _results(tasks, ctx)
        finally:
            for note in tasks.values():
                note.unlink(missing_ok=True)
            with suppress(OSError):  # somebody else retrains the same run
                notes.rmdir()
        for each in together([], spent, 1, time.perf_counter() - start):
            self.run.clock(each.stage, each.seconds, each.peak_mb)


def _results(tasks: Mapping[Any, Path], ctx: Context) -> list[Spent]:
    """What tasks took, once all have ended; meanwhile told of how far they are. Where one fails, the others are stopped."""
    spent, waiting = [], list(tasks)
    try:
        while waiting:
            done, waiting = ray.wait(waiting, timeout=REPORT_SECONDS)
            for task in waiting:
                if (told := noted(tasks[task])) is not None:
                    ctx.progress.update(*told)
            with _told():
                for task in done:
                    spent += ray.get(task)
    except BaseException:
        for task in waiting:
            ray.cancel(task)  # not by force: where a task ends just then, that ends this process too (Ray 2.53)
        raise
    return spent


@contextmanager
def _told() -> Iterator[None]:
    """Errors of Ray's as ours: what a stage raised as it was raised."""
    try:
        yield
    except RayTaskError as error:
        raise error.cause from error
    except RayError as error:
        raise ProcessDied(
            f"a worker of the cluster ended in the middle, {_TRIES + 1} times ({str(error).splitlines()[0]}), perhaps for want of memory; "
            "start the run again to go on, with a larger cluster.memory_gb."
        ) from error


def _settings(ctx: Context) -> config.Compute:
    """As the workers are to compute: with this process's precision, kind of device and number of threads, or they would round otherwise."""
    compute = ctx.compute
    threads = ctx.settings.threads or torch.get_num_threads()
    return ctx.settings.model_copy(update={"threads": threads, "precision": compute.precision, "device": compute.device.type})


def needed(cluster: config.Cluster, stage: str, ctx: Context) -> dict[str, float]:
    """What a worker of a stage takes, in Ray's words."""
    own = cluster.stages.get(stage, config.Resources())  # type: ignore[call-overload]
    gpus = (own.gpus or cluster.gpus) if ctx.compute.on_gpu else 0
    return {"num_cpus": _settings(ctx).threads, "num_gpus": gpus, "memory": int((own.memory_gb or cluster.memory_gb) * 2**30)}


def room(needs: Mapping[str, float]) -> int:
    """How many workers the cluster has room for.

    Raises:
        BadConfig: none of its machines can ever take one, and Ray would wait for one.
    """
    words = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}
    machines = [machine["Resources"] for machine in ray.nodes() if machine["Alive"]]
    found = sum(int(min(has.get(words[name], 0) // need for name, need in needs.items() if need)) for has in machines)
    if not found:
        told = ", ".join(
            f"{has.get('CPU', 0):g} CPUs, {has.get('GPU', 0):g} GPUs, {has.get('memory', 0) / 2**30:.1f} GB" for has in machines
        )
        raise BadConfig(
            f"a worker takes {needs['num_cpus']:g} CPUs, {needs['num_gpus']:g} GPUs and {needs['memory'] / 2**30:.1f} GB, and no machine of the Ray "
            f"cluster has as much ({told}); lower compute.threads, cluster.gpus or cluster.memory_gb."
        )
    return found


@dataclass(frozen=True)
class _Workers:
    """A crew of actors, one pool a stage; each takes a piece at a time."""

    cluster: config.Cluster

    def over(self, stage: str, pieces: Sequence[P], begin: Begin[P, R], inputs: Sequence[Any], ctx: Context) -> Iterator[R]:
        """See `Context.over`."""
        if len(pieces) < 2:
            return Alone().over(stage, pieces, begin, inputs, ctx)
        needs = needed(self.cluster, stage, ctx)
        count = min(room(needs), len(pieces), self.cluster.workers or len(pieces))
        return _shared(pieces, (begin, inputs, _settings(ctx), own_entries()), count, needs)


def _shared(pieces: Sequence[Any], worker: tuple[Any, ...], count: int, needs: Mapping[str, float]) -> Iterator[Any]:
    """What `count` workers make of the pieces, in the order of these.

    Args:
        worker: arguments of each. needs: what each takes.
    """
    asked = ray.data.from_items([{"piece": pickle.dumps(piece)} for piece in pieces], override_num_blocks=len(pieces))
    made = asked.map_batches(
        _Worker,
        fn_constructor_args=worker,
        batch_size=1,
        # one in hand and one in wait: more would leave some workers idle at the end
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=count, initial_size=count, max_tasks_in_flight_per_actor=2),
        max_restarts=_TRIES,
        max_task_retries=-1,  # while Ray has not yet noticed that a machine is gone, it tries the machine again and again
        **needs,
    )
    made.context.execution_options.preserve_order = True
    with _told():
        for row in made.iter_rows():
            result = pickle.loads(row["result"])
            if isinstance(result, Exception):
                raise result
            yield result


class _Worker:
    """An actor that loads what a stage needs once, and makes pieces."""

    def __init__(self, begin: Begin[Any, Any], inputs: Sequence[Any], settings: config.Compute, plug_ins: Handed) -> None:
        restore(plug_ins)
        self.begun = partial(begin, *inputs, Context(settings))
        self.work: Any = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """The result of a piece, or the error that it ended with: raised here it would reach the other side in Ray's wrapping."""
        try:
            self.work = self.work or self.begun()
            result = self.work(pickle.loads(batch["piece"][0]))
        except (BadOODError, OSError) as error:
            result = error
        return {"result": np.array([pickle.dumps(result)], dtype=object)}
