"""What a stage is, how its results are named, and what runs it."""

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from badood import config
from badood.core.artefacts import digest
from badood.core.progress import Progress, Silent
from badood.core.rows import pieces
from badood.pipeline.artefacts import Artefact

if TYPE_CHECKING:
    from badood.core.compute import Compute

A = TypeVar("A", bound=Artefact)
A_co = TypeVar("A_co", bound=Artefact, covariant=True)
P = TypeVar("P")
R = TypeVar("R")

ROWS = 512
"""Rows that whoever works at them takes at a time, where a stage has no size of its own."""

Begin = Callable[..., Callable[[P], R]]
"""(*inputs, ctx) -> what makes the result of one piece of a stage's rows; a function of a module, called once by each who works at them."""


class Crew(Protocol):
    """Who works at the pieces of a stage's rows. Whoever it is, the bytes are the same."""

    def over(self, stage: str, pieces: Sequence[P], begin: Begin[P, R], inputs: Sequence[Any], ctx: "Context") -> Iterator[R]:
        """See `Context.over`."""


class Alone:
    """This process, piece by piece."""

    def over(self, stage: str, pieces: Sequence[P], begin: Begin[P, R], inputs: Sequence[Any], ctx: "Context") -> Iterator[R]:
        """See `Context.over`."""
        if pieces:
            yield from map(begin(*inputs, ctx), pieces)


@dataclass(frozen=True)
class Context:
    """What a stage works with and what does not change its result, so that no key holds it.

    Attributes:
        settings: device, precision and threads.
        progress: told of every step.
        crew: who works at rows that can be shared.
    """

    settings: config.Compute
    progress: Progress = field(default_factory=Silent)
    crew: Crew = field(default_factory=Alone)

    @cached_property
    def compute(self) -> "Compute":
        """Device and dtype of this machine."""
        # imported here, so that the dashboard reads runs without the 500 MB of torch
        from badood.core.compute import choose

        wish = self.settings
        return choose(wish.device, wish.precision, wish.threads, wish.memory_gb)

    def take_threads(self) -> None:
        """Have torch take as many threads as the settings say, for what computes on the CPU whatever the device: choosing a compute sets them."""
        _ = self.compute

    def over(self, stage: str, pieces: Sequence[P], begin: Begin[P, R], *inputs: Any) -> Iterator[R]:
        """What is made of each piece of a stage's rows, in the order of the pieces; an engine may share them out among workers.

        Args:
            stage: whose rows they are. pieces: which do not need one another; they and the results pickle.
            begin: called with the inputs, which pickle too, and a context.
        """
        return self.crew.over(stage, pieces, begin, inputs, self)

    def rows(self, stage: str, count: int, begin: Begin[slice, NDArray[Any]], *inputs: Any) -> NDArray[Any]:
        """All that is made of a stage's rows, `ROWS` at a time.

        Args:
            count: number of rows, at least 1. stage, begin, inputs: as for `over`.
        """
        made, cut = [], list(pieces(count, ROWS))
        for piece, part in zip(cut, self.over(stage, cut, begin, *inputs), strict=True):
            made.append(part)
            self.progress.update(stage, piece.stop, count)
        return np.concatenate(made)


@dataclass(frozen=True)
class Stage(Generic[A_co]):
    """A plain function over finished results, with the name and version under which its own results are kept.

    Attributes:
        name: folder of its results, and its name in `run.json`.
        version: raised when the meaning of the result changes; older results stay readable, and are not found by new runs.
        result: how its folder is read.
        function: (out, *inputs, ctx) -> None; writes into the folder `out`, in which a killed attempt may have left its checkpoints.
        shared: processes of one run (torchrun) share its work; else the first one does it while the others wait.
    """

    name: str
    version: int
    result: Callable[[Path], A_co]
    function: Callable[..., None]
    shared: bool = True

    def key(self, inputs: Sequence[Any], lossy: str = "") -> str:
        """16 hex digits: of name, version, settings, the keys of results that go in, and the contents of weights.

        Args:
            lossy: a way of computing that changes results beyond rounding, such as "int8"; else empty.
        """
        return digest(self.name, self.version, lossy, *[_plain(value, lossy) for value in inputs])

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
        return _found, (self.function.__module__, self.function.__name__)  # by name, as functions pickle


def _found(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def stage(name: str, version: int, result: Callable[[Path], A], *, shared: bool = True) -> Callable[[Callable[..., None]], Stage[A]]:
    """Decorator that makes a stage of a function; see `Stage`."""
    return lambda function: Stage(name, version, result, function, shared)


def _plain(value: Any, lossy: str) -> Any:
    """An input as a key holds it; what has a `key` says itself what of it counts."""
    if isinstance(value, list | tuple):
        return [_plain(each, lossy) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each, lossy) for name, each in value.items()}
    if isinstance(value, Call):
        return value.key(lossy)
    return value.key if hasattr(value, "key") else value


@dataclass(frozen=True)
class Call(Generic[A_co]):
    """A stage with its inputs, to be run side by side with others.

    An input may be a call itself: its result is made first, by the same process. So chains of stages run side by side, and none waits for
    the others' first links.
    """

    stage: Stage[A_co]
    inputs: tuple[Any, ...]

    def key(self, lossy: str = "") -> str:
        """See `Stage.key`."""
        return self.stage.key(self.inputs, lossy)


def call(stage: Stage[A], *inputs: Any) -> Call[A]:
    """A stage with its inputs."""
    return Call(stage, inputs)


class Engine(Protocol):
    """Where stages run. Every engine gives the same bytes."""

    def __call__(self, stage: Stage[A], *inputs: Any) -> A:
        """The stage's result: found under its key, or made and renamed to it.

        Args:
            inputs: settings, plain values, weights and results of other stages, in the order of the stage's parameters.
        """

    def each(self, calls: Sequence[Call[A]], at_once: int = 1) -> list[A]:
        """The results of calls that do not need one another, in their order; they may be made side by side.

        Args:
            at_once: how many share the threads of this process, whether or not they are made at the same time: the bytes depend on it.
        """
