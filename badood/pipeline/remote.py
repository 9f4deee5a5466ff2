"""Runs kept at another place, on any URL that fsspec reads and writes: `s3://bucket/folder`, `gs://…`, a mounted folder.

A file lies there under its SHA-256, so that what runs have in common lies there once, and one cut off half-way goes on where it was. A run is the list of its
files, written when all of them are there.
"""

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from badood.core.artefacts import disk_errors, home
from badood.core.errors import BadInput
from badood.core.progress import Progress, Silent
from badood.core.sums import SUMS, size_and_digest
from badood.pipeline.runs import Run, check_name, open_run


class _Listed(BaseModel):
    """A run there: when it was begun, and size in bytes and SHA-256 of its files by path."""

    model_config = ConfigDict(extra="forbid")
    created: str
    files: dict[str, tuple[int, str]]

    @field_validator("files")
    @classmethod
    def _inside(cls, files: dict[str, tuple[int, str]]) -> dict[str, tuple[int, str]]:
        if "run.json" not in files:
            raise ValueError("run.json is not among the files")
        for name, (size, digest) in files.items():
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or not path.parts:
                raise ValueError(f"{name!r} leads out of the run's folder")
            if size < 0 or not re.fullmatch(r"[0-9a-f]{32,64}", digest):
                raise ValueError(f"{name!r} has no size and digest")
        return files


@dataclass(frozen=True)
class Moved:
    """What went over the wire.

    Attributes:
        files: of the run. sent, sent_bytes: of those that were not there yet.
    """

    files: int
    sent: int
    sent_bytes: int


def push(run: Run, url: str, progress: Progress | None = None) -> Moved:
    """Write a finished run to a URL. What is there already is not sent again; a later state of the same run takes the place of an earlier one.

    Args:
        url: of a folder; in a bucket that exists.

    Raises:
        BadInput: the run is not finished, another run of its name lies there, or the place cannot be reached.
    """
    if (state := run.record["state"]) != "done":
        raise BadInput(f"run {run.id} is {state}, not done; finish it first (the same command goes on with it).")
    local = {
        path.relative_to(run.folder).as_posix(): path
        for path in sorted(run.folder.rglob("*"))
        if path.is_file() and _counts(path, run.folder)
    }
    listed = _Listed(created=run.record["created"], files={name: size_and_digest(path) for name, path in local.items()})
    sent = sent_bytes = 0
    with _reaching(url) as (there, root):
        place = f"{root}/runs/{run.id}.json"
        if there.exists(place) and (before := _read(there, place, url)).created != listed.created:
            raise BadInput(f"{url} has another run {run.id}, begun {before.created}; push to another folder, or rename yours.")
        for done, (name, (size, digest)) in enumerate(listed.files.items()):
            target = _object(root, digest)
            if not there.exists(target) or there.size(target) != size:
                there.put_file(str(local[name]), target)
                sent, sent_bytes = sent + 1, sent_bytes + size
            (progress or Silent()).update("push", done + 1, len(local))
        there.pipe_file(place, listed.model_dump_json().encode())
    return Moved(len(local), sent, sent_bytes)


def pull(url: str, run_id: str, progress: Progress | None = None) -> Run:
    """Fetch a run from a URL into the store. Every file is held against its digest.

    Raises:
        BadInput: there is no such run, the store has one of its name, a file is not what was written, or the place cannot be reached.
    """
    check_name(run_id)
    folder = home() / run_id
    if folder.exists():
        raise BadInput(f"{folder} exists already; it is kept. Delete it (badood runs delete {run_id}) to fetch that of {url}.")
    with _reaching(url) as (there, root), disk_errors(folder):
        place = f"{root}/runs/{run_id}.json"
        if not there.exists(place):
            raise BadInput(f"{url} has no run {run_id!r}; it has {', '.join(_names(there, root)) or 'none'}.")
        listed = _read(there, place, url)
        home().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home(), prefix=".pull.", suffix=".deleted") as hidden:
            part = Path(hidden) / run_id
            for done, (name, wanted) in enumerate(listed.files.items()):
                path = part / name
                path.parent.mkdir(parents=True, exist_ok=True)
                source = _object(root, wanted[1])
                there.get_file(source, str(path))
                if size_and_digest(path) != wanted:  # a push sends it again where it has gone, or has another size
                    told = f"{url}: {name} of run {run_id} has other bytes than were pushed"
                    raise BadInput(f"{told}; push the run again after deleting {source} there.")
                (progress or Silent()).update("pull", done + 1, len(listed.files))
            open_run(part)  # what is no run does not come into the store
            part.rename(folder)
    return open_run(run_id)


def at(url: str) -> list[str]:
    """Names of the runs at a URL, sorted.

    Raises:
        BadInput: the place cannot be reached.
    """
    with _reaching(url) as (there, root):
        return _names(there, root)


def _counts(path: Path, folder: Path) -> bool:
    """Whether a file is a result: hidden ones are those of a process at work."""
    return path.name == SUMS or not any(part.startswith(".") for part in path.relative_to(folder).parts)


def _object(root: str, digest: str) -> str:
    return f"{root}/objects/{digest[:2]}/{digest}"


def _names(there: fsspec.AbstractFileSystem, root: str) -> list[str]:
    runs = f"{root}/runs"
    return sorted(PurePosixPath(name).stem for name in there.ls(runs, detail=False)) if there.exists(runs) else []


def _read(there: fsspec.AbstractFileSystem, place: str, url: str) -> _Listed:
    try:
        content: Any = json.loads(there.cat_file(place))
        return _Listed.model_validate(content)
    except (ValueError, ValidationError) as error:
        raise BadInput(f"{url}: {PurePosixPath(place).name} lists no run ({error}); push the run again.") from error


@contextmanager
def _reaching(url: str) -> Iterator[tuple[fsspec.AbstractFileSystem, str]]:
    """The filesystem of a URL and the path in it."""
    try:
        there, root = fsspec.core.url_to_fs(url)
        if isinstance(there, LocalFileSystem):  # the others make folders by themselves; to ask them for some would make a missing bucket
            there = LocalFileSystem(auto_mkdir=True)
        yield there, str(root).rstrip("/")
    except BadInput:
        raise
    except ImportError as error:
        raise BadInput(f"{url}: {error}. For s3:// install badood[s3].") from error
    except Exception as error:  # every filesystem of fsspec has errors of its own
        raise BadInput(
            f"{url} cannot be reached: {type(error).__name__}: {error}. Check the address, the bucket and your credentials."
        ) from error
