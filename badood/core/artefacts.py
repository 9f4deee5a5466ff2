"""Results on disk: a key for each, written once and whole, never half."""

import errno
import hashlib
import json
import logging
import os
import re
import shutil
import stat
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import BaseModel

from badood.core.errors import BadInput, StorageError, StorageFull, os_error_line

_log = logging.getLogger(__name__)


def home() -> Path:
    """The store's root: `BADOOD_HOME`, else `./runs`."""
    return Path(os.environ.get("BADOOD_HOME", "runs")).expanduser().resolve()


def digest(*parts: Any) -> str:
    """A 16-hex-digit key of settings, strings and numbers, however nested; equal parts give equal keys in every process."""

    def plain(part: Any) -> Any:
        if isinstance(part, set | frozenset):  # whose order changes from process to process
            return sorted(part, key=str)
        return part.model_dump(mode="json") if isinstance(part, BaseModel) else str(part)

    text = json.dumps(parts, sort_keys=True, default=plain)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses into one line that names the file: `StorageFull` for a full disk, else `StorageError`.

    Args:
        path: what is being read or written; an error about another file names that one.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(
                f"no space left while writing {path}: free some space on that disk (`badood runs delete RUN`) and start again; "
                "the earlier result is untouched."
            ) from error
        network = isinstance(error, ConnectionError) and not isinstance(error, BrokenPipeError)
        if network or error.errno is None or error.errno < 0:  # no file's
            raise
        raise StorageError(os_error_line(error, path if _about(error, path) else None)) from error


def _about(error: OSError, path: Path) -> bool:
    """Whether an error is about `path` itself, or the temporary file or lock in its place."""
    named = error.filename2 or error.filename
    if not isinstance(named, str | bytes | os.PathLike):
        return True
    file = Path(os.fsdecode(named))
    return file == path or (file.name.startswith(".") and file.suffix in (".part", ".lock", ".deleted"))


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary path, renamed onto `path` when the block ends well and removed when it does not.

    A link stays a link: what it leads to is written. A pipe or device, such as /dev/stdout, is never replaced: the result is
    written to it once it is whole.

    Raises:
        BadInput: `path` is a folder, or a disk or socket.
        StorageError: it cannot be written.
    """
    with disk_errors(path), ExitStack() as stack:
        if special(path):
            part = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "result"
            yield part
            _pour(part, path)
            return
        target = Path(os.path.realpath(path)) if path.is_symlink() else path
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(_part_name(target.name))
        stack.callback(part.unlink, missing_ok=True)
        yield part
        part.replace(target)


def special(path: Path) -> bool:
    """Whether a result that goes to `path` goes into a pipe or device, or an open file of this process, instead of becoming a file.

    Raises:
        BadInput: nothing can be written there: it is a folder, a disk or a socket.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        raise BadInput(f"{path} is a folder; give the name of a file, such as {path / 'result'}.")
    if stat.S_ISBLK(mode) or stat.S_ISSOCK(mode):
        raise BadInput(f"{path} is a {'disk' if stat.S_ISBLK(mode) else 'socket'}; give the name of a file, or a pipe.")
    return not stat.S_ISREG(mode) or _descriptor(path) is not None


def vacant(path: Path) -> Path:
    """`path`, where a result can go without replacing anything: nothing is there, or a pipe or device.

    Raises:
        BadInput: a file or folder is there.
    """
    with disk_errors(path):
        if not special(path) and path.exists():
            raise BadInput(f"{path} exists; give a new name, or remove it first.")
    return path


def _descriptor(path: Path) -> int | None:
    """The number of an open file that a path such as /dev/stdout or /dev/fd/3 stands for; opened by name it would be cut to nothing."""
    found = re.fullmatch(rf"/dev/(stdout|stderr)|(?:/dev/fd|/proc/self/fd|/proc/{os.getpid()}/fd)/(\d+)", os.path.abspath(path))  # noqa: PTH100
    if found is None:
        return None
    return int(found[2]) if found[2] else {"stdout": 1, "stderr": 2}[found[1]]


def _pour(result: Path, into: Path) -> None:
    """Write a whole result into a pipe or device; waits for a pipe's reader."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    number = _descriptor(into)
    with result.open("rb") as source, os.fdopen(os.open(into, os.O_WRONLY) if number is None else os.dup(number), "wb") as sink:
        shutil.copyfileobj(source, sink)


def _part_name(name: str) -> str:
    """A name beside `name` for what is not finished, within the 255 bytes that file systems take."""
    return f".{os.fsdecode(os.fsencode(name)[:200])}.{uuid.uuid4().hex[:8]}.part"


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Nobody else makes `path` meanwhile: who comes second waits until the first has ended, well or not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    held = path.with_name(f".{path.name}.lock")
    lock = FileLock(held)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        _log.warning("another process is making %s; waiting for it", path)
        lock.acquire()
    try:
        yield
    finally:
        if path.exists():  # who waits finds it made, whichever lock they hold then
            with suppress(OSError):
                held.unlink()
        lock.release()


def made_folder(path: Path, make: Callable[[Path], None]) -> Path:
    """`path`; where it does not exist, `make` fills a hidden folder beside it, which is renamed when it ends well.

    Where it fails, the hidden folder stays, unless it is empty, and is given to the next `make`, so that a training inside can go on from
    its last checkpoint.
    """
    with disk_errors(path):
        if path.exists():
            return path
        with alone(path):
            if not path.exists():  # who waited finds it made
                part = path.with_name(f".{path.name}.part")
                part.mkdir(exist_ok=True)
                try:
                    make(part)
                except BaseException:
                    with suppress(OSError):  # there is something in it to go on from
                        part.rmdir()
                    raise
                part.rename(path)
    return path


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically."""
    with atomic_file(path) as part:
        part.write_text(json.dumps(content, indent=2, default=str) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON; a missing or broken file is a `BadInput` that names it."""
    try:
        with disk_errors(path):
            return json.loads(path.read_text())
    except StorageError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise BadInput(f"{path} does not exist; check the name, or list runs with `python -m badood runs list`.") from error
        raise
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not readable JSON ({error}); restore it or delete its folder and run again.") from error


def remove_folder(path: Path) -> None:
    """Delete a folder so that a kill in between leaves no half of it under its own name; of a link, the link alone."""
    with disk_errors(path):
        if path.is_symlink():
            path.unlink()
            return
        doomed = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.deleted")
        path.rename(doomed)
        shutil.rmtree(doomed)


def tidy(folder: Path, older_than: float = 86_400.0) -> None:
    """Remove what killed processes left in a folder: files half written and folders half deleted.

    A folder half made stays: whoever makes it next goes on from it.

    Args:
        older_than: seconds since it was last touched; what is younger may still be worked on.
    """
    latest = time.time() - older_than
    for left in [*folder.glob(".*.part"), *folder.glob(".*.deleted")]:
        with suppress(OSError):  # another process tidies too
            if left.lstat().st_mtime > latest:
                continue
            if left.suffix == ".deleted" and left.is_dir():
                shutil.rmtree(left)
            elif not left.is_dir():
                left.unlink()
