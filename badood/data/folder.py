"""Image files in folders."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from badood.core.errors import BadInput
from badood.data.images import SUFFIXES, check_files, decode
from badood.data.record import ImageSet

_SPLIT_NAMES = {"train": ("train", "training"), "test": ("test", "val", "validation", "valid")}


def split_folder(path: Path, split: str) -> Path | None:
    """The subfolder of `path` that holds a split, if it is divided into such."""
    return next((path / name for name in _SPLIT_NAMES[split] if (path / name).is_dir()), None)


def read_folder(path: Path, name: str) -> ImageSet:
    """Images below `path`: a class for each subfolder, or the one class "unlabelled" where images lie directly in it.

    Hidden files and folders are passed over, and so are files of other kinds. Unreadable images are left out and reported.

    Raises:
        BadInput: no such folder, no readable image, or a subfolder without one.
    """
    if not path.is_dir():
        raise BadInput(f"{path} is not a folder; give one with a subfolder of images for each class, or with images, or a parquet file.")
    classes = sorted(each.name for each in path.iterdir() if each.is_dir() and not each.name.startswith((".", "__")))
    found = [_image_files(path / each) for each in classes]
    if not any(found):
        classes, found = ["unlabelled"], [_image_files(path)]
    return image_files(name, path, classes, found)


def image_files(name: str, root: Path, classes: Sequence[str], files: Sequence[Sequence[Path]]) -> ImageSet:
    """An image set over files, given class by class; ids are the paths below `root`.

    Raises:
        BadInput: a class has no readable image.
    """
    every = [file for part in files for file in part]
    if not every:
        raise BadInput(f"{root} holds no image file ({', '.join(sorted(SUFFIXES))}); check the path.")
    faults = check_files(every)
    labels = np.repeat(np.arange(len(files), dtype=np.int64), [len(part) for part in files])
    good = np.flatnonzero([fault is None for fault in faults])
    empty = sorted(set(range(len(classes))) - set(labels[good].tolist()))
    if empty:
        first = next((fault.reason for fault in faults if fault is not None), "it has no image file")
        raise BadInput(f"{root}: class {classes[empty[0]]!r} has no readable image ({first}); add images or remove it.")
    kept = [every[row] for row in good]
    return ImageSet(
        name=name,
        classes=tuple(classes),
        labels=labels[good],
        read=lambda row: decode(kept[row], str(kept[row])),
        ids=tuple(str(file.relative_to(root)) for file in kept),
        skipped=tuple(fault for fault in faults if fault is not None),
    )


def _image_files(folder: Path) -> list[Path]:
    """Image files anywhere below a folder, in order of name."""
    inside = (file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    return sorted(file for file in inside if not any(part.startswith((".", "__")) for part in file.relative_to(folder).parts))
