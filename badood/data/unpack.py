"""Image archives from strangers: unpacked within limits, and nowhere but into their folder."""

import lzma
import os
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from badood.core.errors import BadInput
from badood.data.images import SUFFIXES
from badood.data.record import shown
from badood.data.walk import hidden

LARGEST_BYTES = 2 * 2**30
"""What an archive may hold when unpacked."""

MOST_FILES = 200_000
_LONGEST = 255  # bytes of a name
_BROKEN = (zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error, lzma.LZMAError, EOFError, struct.error, ValueError)


def unpack_images(archive: IO[bytes], folder: Path) -> int:
    """Unpack the image files of a zip archive; everything else in it is passed over.

    Args:
        archive: a zip archive, open for reading. folder: existing; paths inside the archive are kept below it, "\\" in them, as old Windows
            tools write, taken for "/". A single folder around all stays: readers of folders look through it.

    Returns:
        Number of files.

    Raises:
        BadInput: no zip archive, a damaged one, no image in it, more files or bytes than allowed, or a path that leads outside the folder
            or that is a file and a folder at once.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            wanted = {_path(entry): entry for entry in opened.infolist() if _is_image(entry)}
            _check(wanted)
            for path, entry in wanted.items():
                _unpack(opened, entry, folder / path)
    except _BROKEN as error:
        why = shown(str(error) or type(error).__name__)
        raise BadInput(f"the archive cannot be read ({why}); give a sound, unencrypted zip file of images.") from error
    return len(wanted)


def _path(entry: zipfile.ZipInfo) -> PurePosixPath:
    """Where an entry lies in the archive, whichever separators its tool wrote."""
    return PurePosixPath(entry.filename.replace("\\", "/"))


def _is_image(entry: zipfile.ZipInfo) -> bool:
    path = _path(entry)
    unseen = any(hidden(part) and part != ".." for part in path.parts)
    return path.suffix.lower() in SUFFIXES and not entry.is_dir() and not unseen


def _check(entries: Mapping[PurePosixPath, zipfile.ZipInfo]) -> None:
    if not entries:
        raise BadInput(f"the archive holds no image file ({', '.join(sorted(SUFFIXES))}); put a folder of images for each class into it.")
    size = sum(entry.file_size for entry in entries.values())
    if len(entries) > MOST_FILES or size > LARGEST_BYTES:
        raise BadInput(
            f"the archive holds {len(entries):,} images of {size / 2**30:.1f} GB, more than {MOST_FILES:,} or "
            f"{LARGEST_BYTES / 2**30:.0f} GB; give the path of a folder on this machine instead."
        )
    for path, entry in entries.items():
        if entry.header_offset < 0:  # zipfile would seek there
            raise zipfile.BadZipFile("the beginning is missing")
        name = shown(entry.filename)
        drive = PureWindowsPath(entry.filename).drive
        if path.is_absolute() or drive or ".." in path.parts or stat.S_ISLNK(entry.external_attr >> 16):
            raise BadInput(f"the archive's entry {name!r} leads outside its folder; pack the images again, without links.")
        if any(parent in entries for parent in path.parents) or any(len(os.fsencode(part)) > _LONGEST for part in path.parts):
            raise BadInput(f"the archive's entry {name!r} has a name that no disk takes; rename it and pack the images again.")


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as source, path.open("wb") as target:
        # zipfile stops at the size that the entry declares, which was counted before
        shutil.copyfileobj(source, target)
