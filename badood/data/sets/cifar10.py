"""CIFAR-10."""

from pathlib import Path

from badood.data import dataset
from badood.data.cifar import Half, read_cifar
from badood.data.record import ImageSet


@dataset("cifar10")
def cifar10(path: Path | None, split: str, *, half: Half | None = None) -> ImageSet:
    """32x32 RGB, 10 classes, 50,000 train and 10,000 test images. Source: Krizhevsky 2009.

    Args:
        path: folder of parquet files, or of torchvision's extracted `cifar-10-batches-py`; downloaded to it where it has neither.
        split: "train" or "test".
        half: images of the first or second 5 classes only, so that two sources share no class; names and label numbers stay.

    Raises:
        BadInput: no files there, and no download to be had.
    """
    return read_cifar("CIFAR10", path, split, half)
