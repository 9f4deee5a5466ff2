"""Inputs through every way in, counted: by the tests a few hundred, by `tests.tools.hostile` ten thousand."""

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.faults.doors import DOORS, SHARES
from tests.faults.watched import Overdue, Watched


@dataclass(frozen=True)
class Outcome:
    """What became of the inputs of one way in.

    Attributes:
        tried, refused: how many; the others were read. peak_mb, slowest: the most memory and seconds that one took.
        failures: how often each kind of failure came, with the first input that made it.
    """

    tried: int
    refused: int
    peak_mb: float
    slowest: float
    failures: dict[str, tuple[int, str]]


def explore(name: str, count: int, top: Path, number: int = 0) -> Outcome:
    """Put `count` inputs through a door.

    Args:
        top: an empty folder. number: of the series; an equal one gives equal inputs.
    """
    watched = Watched(top)
    door = DOORS[name](watched.outside)
    failures: dict[str, tuple[int, str]] = {}

    @settings(max_examples=count, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @seed(number)
    @given(door.inputs)
    def each(given: Any) -> None:
        try:
            watched.try_one(lambda folder: door.read(folder, given), lambda folder: door.put(folder, given))
        except (Exception, Overdue) as error:
            kind = f"{type(error).__name__} in {_place(error)}: {str(error)[:300]}"
            failures[kind] = (failures[kind][0] + 1 if kind in failures else 1, repr(given)[:500])

    each()
    return Outcome(watched.tried, watched.refused, watched.peak_mb, watched.slowest, failures)


def _place(error: BaseException) -> str:
    """The innermost line that is the product's or the test's."""
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if "site-packages" not in frame.filename]
    return f"{Path(lines[-1].filename).name}:{lines[-1].lineno}" if lines else "?"


def shared_out(inputs: int) -> dict[str, int]:
    """How many of all inputs each door gets, rounded up."""
    return {name: -(-inputs * share // sum(SHARES.values())) for name, share in SHARES.items()}
