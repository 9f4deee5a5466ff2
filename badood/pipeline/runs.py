"""One run is one folder: `run.json`, and for each stage a folder of finished results named by their keys."""

import datetime
import json
import os
import platform
import re
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from badood.config import Config, validate
from badood.core.artefacts import digest, home, read_json, remove_folder, tidy, write_json
from badood.core.errors import BadInput
from badood.core.places import checkout
from badood.core.progress import Progress, Silent
from badood.core.ranks import ranks
from badood.pipeline.filter_rows import FilterRow

LAYOUT = 2
"""Version of `run.json`; raised when an older one cannot be read any more. A stage whose meaning changes raises its own version instead."""

_NAMED = 10
"""Runs that an error lists, at most."""

_PACKAGES = ("torch", "torchvision", "timm", "open_clip_torch", "betacal", "scikit-learn", "pandas", "pytorch-ood")

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


def new_id(cfg: Config) -> str:
    """The id of the run of these settings: equal settings continue the same run."""
    return f"{cfg.preset}-{digest(cfg.model_dump(mode='json', exclude={'compute', 'fit'}))[:8]}"


def check_name(run_id: str) -> None:
    """Whether a run can be called so.

    Raises:
        BadInput: it cannot.
    """
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,99}", run_id):
        raise BadInput(f"run name {run_id[:120]!r} must be at most 100 letters, digits, '-', '_' and '.', starting with a letter or digit.")


def start_run(cfg: Config, run_id: str | None = None, progress: Progress | None = None) -> Run:
    """Open the run of `cfg` under `BADOOD_HOME`, or make it. An unfinished run may go on with other settings: what they do not concern is used again.

    Raises:
        BadInput: a finished run of that name has other settings, or was written by another version.
    """
    run_id = run_id or new_id(cfg)
    check_name(run_id)
    folder = home() / run_id
    if folder.is_dir():
        tidy(folder)
    run = Run(folder, cfg, progress or Silent())
    if ranks().agreed((folder / "run.json").exists()):
        before = open_run(folder)
        if _asked(before.cfg) != _asked(cfg):
            if before.record["state"] == "done":
                raise BadInput(
                    f"run {run_id} is finished and has other settings; choose another --name or delete it with "
                    f"`python -m badood runs delete {run_id}`."
                )
            run.note(config=cfg.model_dump(mode="json"), metrics={})
    elif ranks().first:
        _first_entries(folder, cfg)
    ranks().wait()
    return run


def _asked(cfg: Config) -> dict[str, Any]:
    """The settings that decide results."""
    return cfg.model_dump(exclude={"compute", "fit"}) | {"lossy": cfg.compute.lossy}


def _first_entries(folder: Path, cfg: Config) -> None:
    """`run.json` of a run that begins."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    write_json(
        folder / "run.json",
        {
            "layout": LAYOUT,
            "run_id": folder.name,
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "config": cfg.model_dump(mode="json"),
            "versions": {name: version(name) for name in _PACKAGES} | {"python": platform.python_version()},
            "hardware": {"machine": platform.machine(), "cores": os.cpu_count(), "torch_threads": torch.get_num_threads()},
            "git": _revision(),
            "state": "running",
            "stages": {},
            "totals": {},
            "results": {},
            "metrics": {},
        },
    )


def open_run(name: str | Path, progress: Progress | None = None) -> Run:
    """A run by its id in the store, or by its folder.

    Raises:
        BadInput: there is none, or another version of the layout wrote it.
    """
    folder = _folder_of(name)
    if folder is None:
        runs = [run.id for run in list_runs()]
        known = ", ".join(runs[:_NAMED]) + (f" and {len(runs) - _NAMED} more" if len(runs) > _NAMED else "")
        raise BadInput(f"no run {str(name)[:120]!r} in {home()}; there are: {known or 'none yet'}.")
    return _opened(folder, read_json(folder / "run.json"), progress)


def _opened(folder: Path, record: Any, progress: Progress | None = None) -> Run:
    if not isinstance(record, dict) or record.get("layout") != LAYOUT:
        found = record.get("layout") if isinstance(record, dict) else None
        raise BadInput(f"{folder} was written in run layout {found}, this version reads {LAYOUT}; start the run again under another name.")
    return Run(folder.resolve(), validate(record.get("config") or {}, source=str(folder / "run.json")), progress or Silent())


def _folder_of(name: str | Path) -> Path | None:
    """The folder of a run: the store comes first, and a folder elsewhere counts where it holds a run."""
    for folder in (home() / name, Path(name)):
        with suppress(OSError, ValueError):  # a name too long, or with a null byte, names no run
            if (folder / "run.json").is_file():
                return folder
    return None


def list_runs() -> list[Run]:
    """All readable runs of the store, newest first."""
    found = []
    for path in home().glob("*/run.json"):
        try:
            record = read_json(path)
            found.append((str(record.get("created", "")), _opened(path.parent, record)))
        except (BadInput, AttributeError):  # another version's run stays on disk and is named by `open_run`
            continue
    return [run for _, run in sorted(found, key=lambda entry: entry[0], reverse=True)]


def delete_run(name: str) -> Path:
    """Remove a run's folder, which is returned; also one that an interrupted start left without `run.json`.

    Raises:
        BadInput: there is no such run, or a process is at work on it.
    """
    check_name(Path(name).name)
    left = home() / name
    folder = left if left.parent == home() and left.is_dir() else open_run(name).folder
    if (folder / "run.json").exists() and (workers := Run(folder, open_run(folder).cfg).workers()):
        raise BadInput(
            f"run {folder.name} is at work in process {', '.join(map(str, workers))}; stop that first (Ctrl-C there, or Cancel on the page Runs)."
        )
    remove_folder(folder)
    return folder


def _revision() -> str | None:
    """Git revision of the checkout, where it is one."""
    top = checkout()
    if top is None or shutil.which("git") is None:
        return None
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=top, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def as_json(record: Any) -> str:
    """Text for `--json`; what is not a number is null, as JSON has no other word for it."""
    return json.dumps(_plain(record), indent=2, default=str, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not -float("inf") < value < float("inf") else value
