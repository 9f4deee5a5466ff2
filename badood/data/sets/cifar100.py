"""CIFAR-100."""

from pathlib import Path
from typing import Literal

import numpy as np

from badood.core.errors import BadInput
from badood.data import dataset
from badood.data.cifar import read_cifar
from badood.data.record import ImageSet, from_array


@dataset("cifar100")
def cifar100(path: Path | None, split: str, *, half: Literal["first", "second"] | None = None) -> ImageSet:
    """32x32 RGB, 100 classes, 50,000 train and 10,000 test images. Source: Krizhevsky 2009.

    Args:
        path: folder of parquet files, or of torchvision's extracted `cifar-100-python`; downloaded to it where it has neither.
        split: "train" or "test".
        half: images of the first or second 50 classes only, so that two sources share no class; names and label numbers stay.

    Raises:
        BadInput: no files there, and no download to be had.
    """
    pixels, labels, classes = read_cifar("CIFAR100", path, split, label="label")
    images = from_array(f"cifar100/{split}", pixels, labels, classes)
    if half is None:
        return images
    if half not in ("first", "second"):
        raise BadInput(f'cifar100: half = {half!r}; it takes "first" or "second".')
    return images.take(np.flatnonzero((labels < len(classes) // 2) == (half == "first")))
