"""Image files: in one folder, in a folder a class, or numbered as Dream-OOD does."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import overload

import numpy as np
from numpy.typing import NDArray

from badood.data.images import SUFFIXES
from badood.data.named_splits import part_of_folder
from badood.data.record import Skipped, shown
from badood.data.walk import Passed
from badood.outliers.layouts.layout import Found, Layout
from badood.outliers.layouts.place import Place

_NUMBERED = re.compile(r"(.+)_[0-9]+")


class ImageFolder(Layout):
    """Image files at any depth. The first folder is the class."""

    def __init__(self, place: Place, names: Sequence[str]) -> None:
        self._place, self._names = place, names
        self._classes = class_names(names)
        self.files = Files(place, names)
        self.words = _words(names, self._classes)
        self.skipped = passed_over(place, names)

    def __len__(self) -> int:
        return len(self._names)

    def read(self, rows: NDArray[np.int64]) -> Iterator[Found]:
        """See `Layout.read`."""
        for row in rows:
            name = self._names[row]
            yield Found(shown(name), self._place.file(name), self._classes[row])


class Files(Sequence[Path]):
    """Paths made when they are asked for: 300,000 of them would take more memory than their names."""

    def __init__(self, place: Place, names: Sequence[str]) -> None:
        self._place, self._names = place, names

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, row: int) -> Path: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[Path]: ...
    def __getitem__(self, row: int | slice) -> Path | Sequence[Path]:
        return Files(self._place, self._names[row]) if isinstance(row, slice) else self._place.file(self._names[row])


def image_folder(place: Place) -> Layout | None:
    """One image file, or the image files below a folder."""
    names = place.ending(SUFFIXES)
    return ImageFolder(place, names) if names else None


def passed_over(place: Place, read: Sequence[str]) -> tuple[Skipped, ...]:
    """What lies there and is not read, counted by kind."""
    passed, known = Passed(), set(read)
    for name in place.names if not place.single else ():
        if name not in known:
            suffix = PurePosixPath(name).suffix.lower()
            passed.add("no image file", name, f"{suffix or 'such'} files are not read; convert what should be images.", detail=suffix)
    return (*place.passed, *passed.entries())


def class_names(names: Sequence[str]) -> list[str]:
    """Class of every image by its folder, "" where it lies in none.

    The first folder counts, below what stands around all: one folder that holds folders, or folders that are called as splits are. Where it
    is a number, as Dream-OOD writes `<class number>/<class name>_<00000>.png`, the file's prefix counts.
    """
    folders = [name.split("/")[:-1] for name in names]
    around = 0
    while True:
        first = {parts[around] if len(parts) > around else "" for parts in folders}
        splits = all(map(part_of_folder, first))
        inner = all(len(parts) > around + 1 for parts in folders)
        if not folders or not (splits or (inner and len(first) == 1)):
            break
        around += 1
    return [_class_name(parts[around], name) if len(parts) > around else "" for parts, name in zip(folders, names, strict=True)]


def _class_name(folder: str, name: str) -> str:
    prefix = _NUMBERED.fullmatch(name.rsplit("/", 1)[-1].rsplit(".", 1)[0]) if folder.isdigit() else None
    return shown(prefix[1] if prefix else folder)


def _words(names: Sequence[str], classes: Sequence[str]) -> str:
    count = len(set(classes) - {""})
    if not count:
        return "a folder of images" if len(names) > 1 else "one image"
    numbered = all(
        name.rsplit("/", 2)[-2].isdigit() and label and not label.isdigit()
        for name, label in zip(names, classes, strict=True)
        if "/" in name
    )
    return f"{'numbered class folders as Dream-OOD writes them' if numbered else 'a folder of images for each class'} ({count:,} classes)"
