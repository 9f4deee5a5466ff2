"""A key of the files that a source reads."""

import hashlib
import os
from pathlib import Path

from badood.config import Source
from badood.core.errors import BadInput
from badood.data import files
from badood.data.splits import read_by, resolved
from badood.data.walk import Passed, expanded, there, walk


def fingerprint(source: Source, base: Path | None) -> str:
    """A key of the files that a source reads, without decoding any: it changes when one is added, removed, renamed or written.

    It is made of names below the path, sizes and times of writing, so it stays when the folder is moved. Links are followed; hidden
    files, which no reader takes, do not count. Values of `params` that are paths count too, and so do the images beside parquet files
    that hold paths only. Of data sets that say what they read (`badood.data.files`) that alone counts.

    Args:
        source, base: as in `load`.

    Returns:
        32 hexadecimal digits; "" where no path is given or nothing is there: rendered sets read no file.
    """
    path = resolved(source, base)
    if path is None or not there(path):
        return ""
    digest = hashlib.sha256()
    for each in _read_from(source, path, base):
        for line in _traces(each):
            digest.update(line)
    for file in _named_beside(path, source.params.get("image")) if source.dataset == "parquet" else []:
        digest.update(_trace(os.path.relpath(file, path.parent), file))
    return digest.hexdigest()[:32]


def _read_from(source: Source, path: Path, base: Path | None) -> list[Path]:
    """Files and folders that a source reads; what cannot be used is told by `load`."""
    if source.dataset not in files:
        others = [expanded(value) for value in source.params.values() if isinstance(value, str) and value]
        return [path, *(each for each in others if there(each))]
    try:
        return read_by(source, base)
    except BadInput:
        return []


def _traces(path: Path) -> list[bytes]:
    """`_trace` of a file, or of all files below a folder, sorted by name; also where links lead that are not followed again."""
    if path.is_file():
        return [_trace(path.name, path)]
    passed = Passed()
    start = len(str(path / "x")) - 1
    lines = sorted(_trace(file[start:], file) for file in walk(path, passed))
    return [*lines, *(f"{entry.kind} {entry.count}\n".encode() for entry in passed.entries() if entry.kind != "hidden")]


def _trace(name: str, file: str | Path) -> bytes:
    """A file's name, size in bytes and time of writing in ns; its name only where it is not there."""
    try:
        status = os.stat(file)  # noqa: PTH116 (a Path for each of 100,000 files takes longer than the rest)
    except OSError:
        return os.fsencode(name) + b"\0\n"
    return os.fsencode(name) + b"\0%d\0%d\n" % (status.st_size, status.st_mtime_ns)


def _named_beside(path: Path, image: str | None) -> list[Path]:
    """Images beside parquet files; none where those cannot be read, which `load` tells."""
    from badood.data.parquet import named_files  # here, because rendered sets need no Arrow

    try:
        return sorted(named_files(path, image))
    except BadInput:
        return []
