"""One run is one folder: `run.json`, and for each stage a folder of finished results named by their keys."""

import datetime
import json
import os
import platform
import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from badood.config import CHECKOUT, Config, validate
from badood.core.artefacts import digest, home, made_folder, read_json, remove_folder, write_json
from badood.core.errors import BadInput
from badood.core.progress import Progress, Silent
from badood.core.ranks import ranks

if TYPE_CHECKING:
    from badood.core.compute import Compute

LAYOUT = 1
"""Version of the run folder's layout; raised when an older folder cannot be read any more."""

_NAMED = 10
"""Runs that an error lists, at most."""

_PACKAGES = ("torch", "torchvision", "timm", "open_clip_torch", "betacal", "scikit-learn", "pandas", "pytorch-ood")


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
    _inside: float = field(default=0.0, init=False, repr=False, compare=False)
    """Seconds of the stages made inside the one that is being made; they count as theirs."""

    @property
    def id(self) -> str:
        """Name of the run."""
        return self.folder.name

    @property
    def compute(self) -> "Compute":
        """Device and dtype of this machine under the run's settings."""
        # imported here, so that the dashboard reads runs without the 500 MB of torch
        from badood.core.compute import choose

        c = self.cfg.compute
        return choose(c.device, c.precision, c.threads, c.memory_gb)

    @property
    def record(self) -> dict[str, Any]:
        """What `run.json` says now."""
        return read_json(self.folder / "run.json")

    def note(self, **entries: Any) -> None:
        """Merge entries into `run.json`, atomically."""
        if ranks().first:
            write_json(self.folder / "run.json", self.record | entries)

    def artefact(self, stage: str, parts: list[Any], make: Callable[[Path], None]) -> Path:
        """The stage's result: found under its key, or made in a hidden folder and renamed to it.

        Args:
            stage: folder name; also the name in `run.json`'s `stages`.
            parts: the stage's own settings and the keys of its inputs; they decide the key.
            make: writes the result into the folder it is given; a folder left by a killed run is given again.
        """
        place = self._place(stage, parts)
        done, exists = ranks().agreed((place, place.exists()))
        if exists:
            return done
        if ranks().first:
            from badood.core.compute import peak_rss_mb

            _forget_peak()
            start, outside = time.perf_counter(), self._inside
            self._inside = 0.0
            try:
                self.looked_up(stage, parts, make)
            finally:
                spent = time.perf_counter() - start
                own, self._inside = spent - self._inside, outside + spent
            self.clock(stage, own, peak_rss_mb())
        else:  # its share of the work; what it writes is the first one's again
            with tempfile.TemporaryDirectory() as out:
                make(Path(out))
        ranks().wait()
        return done

    def looked_up(self, stage: str, parts: list[Any], make: Callable[[Path], None]) -> Path:
        """As `artefact`, for what somebody asks of a run while a job may be at work on it: `run.json` is left to the job."""
        return made_folder(self._place(stage, parts), make)

    def has(self, stage: str, parts: list[Any]) -> bool:
        """Whether the stage's result is there."""
        return self._place(stage, parts).exists()

    def _place(self, stage: str, parts: list[Any]) -> Path:
        return self.folder / stage / digest(stage, LAYOUT, *parts)

    def clock(self, stage: str, seconds: float, peak_mb: float) -> None:
        """Add a stage's time and memory to `run.json`; a stage that ran twice adds its seconds up."""
        stages = self.record["stages"]
        before = stages.get(stage, {"wall_seconds": 0.0, "peak_rss_mb": 0.0})
        stages[stage] = {
            "wall_seconds": round(before["wall_seconds"] + seconds, 3),
            "peak_rss_mb": round(max(before["peak_rss_mb"], peak_mb), 1),
        }
        totals = {
            "wall_seconds": round(sum(entry["wall_seconds"] for entry in stages.values()), 3),
            "peak_rss_mb": max(entry["peak_rss_mb"] for entry in stages.values()),
        }
        self.note(stages=stages, totals=totals)


def _forget_peak() -> None:
    """Reset the kernel's high-water mark, so that each stage has its own peak (Linux only)."""
    marks = Path("/proc/self/clear_refs")
    if marks.exists():
        try:
            marks.write_text("5")
        except PermissionError:  # a container may forbid it: peaks are then those of the process so far
            return


def new_id(cfg: Config) -> str:
    """The id of the run of these settings: equal settings continue the same run."""
    return f"{cfg.preset}-{digest(cfg.model_dump(mode='json', exclude={'compute'}))[:8]}"


def start_run(cfg: Config, run_id: str | None = None, progress: Progress | None = None) -> Run:
    """Open the run of `cfg` under `BADOOD_HOME`, or make it.

    Raises:
        BadInput: a run of that name exists with other settings, or was written by another version.
    """
    run_id = run_id or new_id(cfg)
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", run_id):
        raise BadInput(f"run name {run_id!r} must be letters, digits, '-', '_' and '.', starting with a letter or digit.")
    folder = home() / run_id
    if ranks().agreed((folder / "run.json").exists()):
        run = open_run(folder)
        if run.cfg.model_dump(exclude={"compute"}) != cfg.model_dump(exclude={"compute"}):
            raise BadInput(
                f"run {run_id} exists with other settings; choose another --name or delete it with `python -m badood runs delete {run_id}`."
            )
        return Run(folder, cfg, progress or Silent())
    if ranks().first:
        _first_entries(folder, cfg)
    ranks().wait()
    return Run(folder, cfg, progress or Silent())


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
            "metrics": {},
        },
    )


def open_run(name: str | Path, progress: Progress | None = None) -> Run:
    """A run by id or folder.

    Raises:
        BadInput: there is none, or another version of the layout wrote it.
    """
    folder = Path(name) if Path(name).is_absolute() or Path(name).is_dir() else home() / name
    if not (folder / "run.json").is_file():
        runs = [run.id for run in list_runs()]
        known = ", ".join(runs[:_NAMED]) + (f" and {len(runs) - _NAMED} more" if len(runs) > _NAMED else "")
        raise BadInput(f"no run {str(name)!r} in {home()}; there are: {known or 'none yet'}.")
    record = read_json(folder / "run.json")
    if not isinstance(record, dict) or record.get("layout") != LAYOUT:
        found = record.get("layout") if isinstance(record, dict) else None
        raise BadInput(f"{folder} was written in run layout {found}, this version reads {LAYOUT}; start the run again under another name.")
    return Run(folder.resolve(), validate(record["config"], source=str(folder / "run.json")), progress or Silent())


def list_runs() -> list[Run]:
    """All readable runs of the store, newest first."""
    found = []
    for path in home().glob("*/run.json"):
        try:
            found.append(open_run(path.parent))
        except BadInput:  # another version's run stays on disk and is named by `open_run`
            continue
    return sorted(found, key=lambda run: run.record["created"], reverse=True)


def delete_run(name: str) -> None:
    """Remove a run's folder."""
    remove_folder(open_run(name).folder)


def _revision() -> str | None:
    """Git revision of the checkout, where it is one."""
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=CHECKOUT, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def as_json(record: Any) -> str:
    """Text for `--json`."""
    return json.dumps(record, indent=2, default=str)
