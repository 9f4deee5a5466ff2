"""A folder of images."""

from pathlib import Path

from badood.core.errors import BadInput
from badood.data import dataset
from badood.data.folder import read_folder, split_folder
from badood.data.holdout import only_split
from badood.data.record import ImageSet


@dataset("folder")
def folder(path: Path | None, split: str, *, holdout: float = 0.2) -> ImageSet:
    """Images of a folder as `torchvision.datasets.ImageFolder` has it: class = subfolder; or images without classes.

    Args:
        path: the folder; where it has train and test (or val) subfolders, the split's one is read.
        split: "train" or "test".
        holdout: where it has none, this share of each class is "test" and the rest "train"; 0 gives every image to both (OOD sets).

    Raises:
        BadInput: no such folder, no readable image in it or in a class, or a class with one image that would have to be split.
    """
    if path is None:
        raise BadInput("the data set `folder` needs a path: give it with --data or in the source's `path`.")
    own = split_folder(path, split)
    if own is not None:
        return read_folder(own, f"{path.name}/{split}")
    other = split_folder(path, "train" if split == "test" else "test")
    if other is not None:
        raise BadInput(f"{path} has {other.name} but no {split} folder; add it, or give {other} as the path.")
    return only_split(read_folder(path, f"{path.name}/{split}"), split, holdout)
