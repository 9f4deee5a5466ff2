"""Image archives from strangers: unpacked within limits, and nowhere but into their folder."""

import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO

from badood.core.errors import BadInput
from badood.data.images import SUFFIXES

LARGEST_BYTES = 2 * 2**30
"""What an archive may hold when unpacked."""

MOST_FILES = 200_000


def unpack_images(archive: IO[bytes], folder: Path) -> int:
    """Unpack the image files of a zip archive; everything else in it is passed over.

    Args:
        archive: a zip archive, open for reading. folder: existing; paths inside the archive are kept below it.

    Returns:
        Number of files.

    Raises:
        BadInput: no zip archive, no image in it, more files or bytes than allowed, or a path that leads outside the folder.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            wanted = [entry for entry in opened.infolist() if _is_image(entry)]
            _check(wanted)
            for entry in wanted:
                _unpack(opened, entry, folder / entry.filename)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise BadInput(f"the archive cannot be read ({error}); give an unencrypted zip file of images.") from error
    return len(wanted)


def _is_image(entry: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(entry.filename)
    hidden = any(part.startswith(("__MACOSX", ".")) and part != ".." for part in path.parts)
    return not entry.is_dir() and not hidden and path.suffix.lower() in SUFFIXES


def _check(entries: list[zipfile.ZipInfo]) -> None:
    if not entries:
        raise BadInput(f"the archive holds no image file ({', '.join(sorted(SUFFIXES))}); put a folder of images for each class into it.")
    size = sum(entry.file_size for entry in entries)
    if len(entries) > MOST_FILES or size > LARGEST_BYTES:
        raise BadInput(
            f"the archive holds {len(entries):,} images of {size / 2**30:.1f} GB, more than {MOST_FILES:,} or "
            f"{LARGEST_BYTES / 2**30:.0f} GB; give the path of a folder on this machine instead."
        )
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in entry.filename or stat.S_ISLNK(entry.external_attr >> 16):
            raise BadInput(f"the archive's entry {entry.filename!r} leads outside its folder; pack the images again, without links.")


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as source, path.open("wb") as target:
        # zipfile stops at the size that the entry declares, which was counted before
        shutil.copyfileobj(source, target)
