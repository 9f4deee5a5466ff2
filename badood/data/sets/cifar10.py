"""CIFAR-10."""

from pathlib import Path

from badood.data import dataset
from badood.data.cifar import read_cifar
from badood.data.record import ImageSet, from_array


@dataset("cifar10")
def cifar10(path: Path | None, split: str) -> ImageSet:
    """32x32 RGB, 10 classes, 50,000 train and 10,000 test images. Source: Krizhevsky 2009.

    Args:
        path: folder of parquet files, or of torchvision's extracted `cifar-10-batches-py`; downloaded to it where it has neither.
        split: "train" or "test".

    Raises:
        BadInput: no files there, and no download to be had.
    """
    pixels, labels, classes = read_cifar("CIFAR10", path, split, label="label")
    return from_array(f"cifar10/{split}", pixels, labels, classes)
