"""A run's folder and its record, `run.json`, which several processes may write."""

import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from badood.config import Config
from badood.core.artefacts import read_json, write_json
from badood.core.progress import Progress, Silent
from badood.core.ranks import ranks
from badood.pipeline.filter_rows import FilterRow

_AT_WORK = ".at-work"
"""Folder in which each process at work on a run holds a lock of its own."""


@dataclass
class Run:
    """A run folder that stages write into.

    Attributes:
        folder: where it lies; its name is the run's id.
        cfg: resolved settings.
        progress: told of every step.
    """

    folder: Path
    cfg: Config
    progress: Progress = field(default_factory=Silent)

    @property
    def id(self) -> str:
        """Name of the run."""
        return self.folder.name

    @property
    def record(self) -> dict[str, Any]:
        """What `run.json` says now."""
        record: dict[str, Any] = read_json(self.folder / "run.json")
        return record

    def change(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change `run.json` in place. Under a lock: of two processes that write, neither loses what the other wrote."""
        if not ranks().first:
            return
        with FileLock(self.folder / ".run.json.lock"):
            record = self.record
            change(record)
            write_json(self.folder / "run.json", record)

    def note(self, **entries: Any) -> None:
        """Merge entries into `run.json`."""
        self.change(lambda record: record.update(entries))

    def note_results(self, **folders: Path | dict[str, Path]) -> None:
        """Enter finished results under the names by which `pipeline.opened` finds them."""
        own = {
            name: {key: self._within(each) for key, each in place.items()} if isinstance(place, dict) else self._within(place)
            for name, place in folders.items()
        }
        self.change(lambda record: record["results"].update(own))

    def note_row(self, row: FilterRow) -> None:
        """Enter a row of the filter table; one of its name is replaced."""
        self.change(lambda record: record["metrics"].update({row.name: row.to_json()}))

    @property
    def rows(self) -> dict[str, FilterRow]:
        """The filter table so far."""
        return {name: FilterRow.from_json(name, entry) for name, entry in self.record["metrics"].items()}

    def clock(self, stage: str, seconds: float, peak_mb: float) -> None:
        """Add a stage's time and memory to `run.json`; a stage that ran twice adds its seconds up."""

        def add(record: dict[str, Any]) -> None:
            stages = record["stages"]
            before = stages.get(stage, {"wall_seconds": 0.0, "peak_rss_mb": 0.0})
            stages[stage] = {
                "wall_seconds": round(before["wall_seconds"] + seconds, 3),
                "peak_rss_mb": round(max(before["peak_rss_mb"], peak_mb), 1),
            }
            record["totals"] = {
                "wall_seconds": round(sum(entry["wall_seconds"] for entry in stages.values()), 3),
                "peak_rss_mb": max(entry["peak_rss_mb"] for entry in stages.values()),
            }

        self.change(add)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """As long as the block lasts, `delete_run` refuses."""
        mark = self.folder / _AT_WORK / f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        mark.parent.mkdir(exist_ok=True)
        with FileLock(mark):
            try:
                yield
            finally:
                mark.unlink(missing_ok=True)

    def workers(self) -> list[int]:
        """Process ids of those at work on the run; what killed ones left behind is removed."""
        found = []
        for mark in (self.folder / _AT_WORK).glob("*-*"):
            try:
                with FileLock(mark, timeout=0):
                    mark.unlink(missing_ok=True)
            except Timeout:
                found.append(int(mark.name.split("-")[0]))
        return found

    def _within(self, folder: Path) -> str:
        return str(folder.relative_to(self.folder))


def as_json(record: Any) -> str:
    """Text for `--json`; what is not a number is null, as JSON has no other word for it."""
    return json.dumps(_plain(record), indent=2, default=str, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not -float("inf") < value < float("inf") else value
