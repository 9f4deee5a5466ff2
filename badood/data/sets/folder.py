"""A folder of images."""

from dataclasses import replace
from pathlib import Path

from badood.data import dataset
from badood.data.folder import beside_the_way, read_folder, split_folder, within
from badood.data.holdout import only_split
from badood.data.record import ImageSet, bounded
from badood.data.walk import name_of


@dataset("folder")
def folder(path: Path, split: str, *, holdout: float = 0.2) -> ImageSet:
    """Images of a folder as `torchvision.datasets.ImageFolder` has it: class = subfolder; or images without classes.

    Args:
        path: the folder; a single folder around all is looked through. Where all its subfolders with images are called train or test, or a
            usual synonym (training, testing, val, valid, validation, dev, eval) in any case, the split's one is read.
        split: "train" or "test".
        holdout: where it is not divided, this share of each class is "test" and the rest "train"; 0 gives every image to both (OOD sets).

    Raises:
        BadInput: no such folder, no readable image in it, one of the two splits only, or a class with one image that would have to be split.
    """
    whole = within(path)
    own = split_folder(whole, split)
    images = read_folder(own or whole, f"{name_of(path)}/{split}")
    images = replace(images, skipped=bounded([*images.skipped, *beside_the_way(path, own or whole)]))
    return images if own else only_split(images, split, holdout)
