"""CIFAR from disk, in whichever form it lies there."""

import pickle
import tarfile
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from badood.core.artefacts import home
from badood.core.errors import BadInput
from badood.data.anywhere import parquet_parts
from badood.data.parquet import read_pixels
from badood.data.record import ImageSet, from_array, shown

Half = Literal["first", "second"]
# what torchvision raises at a damaged download
_BROKEN = (OSError, RuntimeError, ValueError, KeyError, EOFError, pickle.UnpicklingError, tarfile.TarError, zlib.error)


def read_cifar(name: str, path: Path | None, split: str, half: Half | None) -> ImageSet:
    """The images, from whichever files there are.

    Args:
        name: "CIFAR10" or "CIFAR100", torchvision's name.
        path: folder of parquet files or of torchvision's files; none = `data` in the store.
        split: "train" or "test".
        half: images of the first or second half of the classes only, so that two sources share no class; names and label numbers stay.

    Raises:
        BadInput: no files there, and no download to be had; no such half.
    """
    if half not in (None, "first", "second"):
        raise BadInput(f'{name.lower()}: half = {half!r}; it takes "first" or "second".')
    pixels, labels, classes = _read(name, path, split)
    wanted = int(name.removeprefix("CIFAR"))
    if len(classes) != wanted:
        raise BadInput(
            f"{path}: {len(classes)} classes where {name} has {wanted}; give the folder of {name}, or the preset or the dataset of what lies there."
        )
    images = from_array(f"{name.lower()}/{split}", pixels, labels, classes)
    return images if half is None else images.take(np.flatnonzero((labels < len(classes) // 2) == (half == "first")))


def _read(name: str, path: Path | None, split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]:
    """(N, 32, 32, 3) RGB, (N,) labels, and class names in label order."""
    if path is not None and (parquet_parts(path) or any(path.glob("**/*.parquet"))):
        pixels, labels, classes = read_pixels(path, split, 32)
        column = "label" if "label" in classes else "fine_label"
        if column not in classes:
            raise BadInput(
                f"{shown(path)}: no ClassLabel column 'label' or 'fine_label'; give the parquet files as Hugging Face publishes them."
            )
        return pixels, labels[column], classes[column]
    return _torchvision(name, path or home() / "data", split)


def _torchvision(name: str, path: Path, split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]:
    """Torchvision's files on disk, downloaded first where they are missing."""
    import torchvision  # here, because the other data sets load a second faster without

    kind = getattr(torchvision.datasets, name)
    try:
        try:
            raw = kind(path, train=split == "train", download=False)
        except RuntimeError:  # torchvision's word for missing or damaged files
            path.mkdir(parents=True, exist_ok=True)
            raw = kind(path, train=split == "train", download=True)
    except _BROKEN as error:
        raise BadInput(
            f"{path} has no {name} and it could not be downloaded either ({error}): put {split}*.parquet (Hugging Face) or the extracted "
            f"{kind.base_folder} there, from {kind.url}, and give the folder with --data."
        ) from error
    return raw.data, np.asarray(raw.targets, dtype=np.int64), tuple(raw.classes)
