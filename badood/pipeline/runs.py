"""The store of runs: one is one folder with `run.json`, and for each stage a folder of finished results named by their keys."""

import datetime
import os
import platform
import re
import shutil
import subprocess
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from badood.config import Config, validate
from badood.core.artefacts import digest, home, read_json, remove_folder, tidy, write_json
from badood.core.errors import BadInput
from badood.core.places import checkout
from badood.core.progress import Progress, Silent
from badood.core.ranks import ranks
from badood.pipeline.run import Run, as_json

__all__ = ["Run", "as_json", "check_name", "delete_run", "list_runs", "new_id", "open_run", "start_run"]

LAYOUT = 3
"""Version of `run.json`; raised when an older one cannot be read any more. A stage whose meaning changes raises its own version instead."""

_NAMED = 10
"""Runs that an error lists, at most."""

_ASIDE = {"compute", "cluster", "fit"}
"""Sections that no result depends on."""

_PACKAGES = ("torch", "torchvision", "timm", "open_clip_torch", "betacal", "scikit-learn", "pandas", "pytorch-ood")


class _Record(BaseModel):
    """What readers take for granted of a `run.json`; the rest they ask for."""

    created: str
    state: str
    results: dict[str, str | dict[str, str]]
    metrics: dict[str, dict[str, Any]]
    stages: dict[str, dict[str, float]]
    totals: dict[str, float]


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
        if asked(before.cfg) != asked(cfg):
            if before.record["state"] == "done":
                raise BadInput(
                    f"run {run_id} is finished and has other settings; choose another --name or delete it with "
                    f"`python -m badood runs delete {run_id}`."
                )
            run.note(config=cfg.model_dump(mode="json"), metrics={}, results={})
    elif ranks().first:
        _first_entries(folder, cfg)
    ranks().wait()
    return run


def asked(cfg: Config) -> dict[str, Any]:
    """The settings that decide results."""
    return cfg.model_dump(exclude=_ASIDE) | {"lossy": cfg.compute.lossy}


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
    try:
        _Record.model_validate(record)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise BadInput(f"{folder / 'run.json'} is damaged: {place} ({first['msg']}); start the run again under another name.") from error
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
    found: list[tuple[str, Run]] = []
    for path in home().glob("*/run.json"):
        try:
            record = read_json(path)
            run = _opened(path.parent, record)
            found.append((str(record["created"]), run))
        except BadInput:  # another version's run stays on disk and is named by `open_run`
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
