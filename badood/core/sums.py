"""Whether a finished folder still is what was written: sizes and digests of its files, noted when it is done, looked at before it is used."""

import hashlib
import os
from functools import lru_cache
from pathlib import Path

from badood.core.artefacts import read_json, write_json
from badood.core.errors import BadInput

SUMS = ".sums.json"
"""In a finished folder: size and digest of its files."""


def seal(folder: Path) -> None:
    """Note the files of a folder that is done."""
    write_json(
        folder / SUMS, {str(file.relative_to(folder)): size_and_digest(file) for file in sorted(folder.rglob("*")) if file.is_file()}
    )


def damage(folder: Path) -> str:
    """What became of a sealed folder's files, in words; "" = they are as they were written, or an earlier version sealed none.

    A process reads each file through once, as long as its size and time stay.
    """
    if not (folder / SUMS).exists():
        return ""
    try:
        noted = dict(read_json(folder / SUMS))
    except (BadInput, TypeError, ValueError):
        return f"{SUMS} cannot be read"
    for name, (size, digest) in noted.items():
        file = folder / name
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != size:
            return f"{name} has {file.stat().st_size:,} bytes and was written with {size:,}"
        if size_and_digest(file)[1] != digest:
            return f"{name} has other bytes than were written"
    return ""


def size_and_digest(file: Path) -> tuple[int, str]:
    """Size in bytes, and the first 32 hexadecimal digits of SHA-256; a process reads a file once, as long as size and time stay."""
    about = file.stat()
    return about.st_size, _digest(os.path.realpath(file), about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=4096)
def _digest(path: str, size: int, changed: int) -> str:
    # of what Python has the quickest beside CRC; a million images of 64 px take some 20 s of the hours in which they are made
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]
