"""Results on disk: a key for each, written once and whole, never half."""

import errno
import hashlib
import json
import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import BaseModel

from badood.core.errors import BadInput, StorageFull

_log = logging.getLogger(__name__)


def home() -> Path:
    """The store's root: `BADOOD_HOME`, else `./runs`."""
    return Path(os.environ.get("BADOOD_HOME", "runs")).expanduser().resolve()


def digest(*parts: Any) -> str:
    """A 16-hex-digit key of settings, strings and numbers; equal parts give equal keys in every process."""

    def plain(part: Any) -> Any:
        return part.model_dump(mode="json") if isinstance(part, BaseModel) else part

    text = json.dumps([plain(part) for part in parts], sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a full disk into `StorageFull`, naming the place."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StorageFull(
            f"no space left while writing {path}: free some space on that disk (`badood runs delete RUN`) and start again; "
            "the earlier result is untouched."
        ) from error


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed onto it when the block ends well and removed when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with disk_errors(path):
            yield part
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Nobody else makes `path` meanwhile: who comes second waits until the first has ended, well or not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        _log.warning("another process is making %s; waiting for it", path)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def made_folder(path: Path, make: Callable[[Path], None]) -> Path:
    """`path`; where it does not exist, `make` fills a hidden folder beside it, which is renamed when it ends well.

    Where it fails, the hidden folder stays and is given to the next `make`, so that a training inside can go on from its last checkpoint.
    """
    if path.exists():
        return path
    with disk_errors(path), alone(path):
        if not path.exists():  # who waited finds it made
            part = path.with_name(f".{path.name}.part")
            part.mkdir(exist_ok=True)
            make(part)
            part.rename(path)
    return path


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically."""
    with atomic_file(path) as part:
        part.write_text(json.dumps(content, indent=2, default=str) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON; a missing or broken file is a `BadInput` that names it."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError as error:
        raise BadInput(f"{path} does not exist; check the name, or list runs with `python -m badood runs list`.") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not readable JSON ({error}); restore it or delete its folder and run again.") from error


def remove_folder(path: Path) -> None:
    """Delete a folder so that a kill in between leaves no half of it under its own name."""
    doomed = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.deleted")
    path.rename(doomed)
    shutil.rmtree(doomed)
