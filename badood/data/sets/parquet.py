"""Parquet files of images."""

from dataclasses import replace
from pathlib import Path

from badood.data import dataset
from badood.data.holdout import only_split
from badood.data.parquet import read_parquet, split_files, unread_files
from badood.data.record import ImageSet
from badood.data.walk import name_of


@dataset("parquet")
def parquet(path: Path, split: str, *, image: str | None = None, label: str | None = None, holdout: float = 0.2) -> ImageSet:
    """Images of parquet files as Hugging Face `datasets` writes them.

    Args:
        path: a folder with train*.parquet and test*.parquet (or validation*.parquet, and the usual synonyms, in any case), or as a
            repository on the hub has them in data/; or one file, or a folder of files of any name.
        split: "train" or "test".
        image: name of the image column; none = found by the schema.
        label: name of the label column; none = found by the schema; without one all rows are of one class.
        holdout: where the files are not divided, this share of each class is "test" and the rest "train"; 0 gives every image to both.

    Raises:
        BadInput: no parquet file, a broken one, no image column, no readable image, or a class with one image that would have to be split.
    """
    files, divided = split_files(path, split)
    name = name_of(path).removesuffix(path.suffix) if path.is_file() else name_of(path)
    images = read_parquet(files, f"{name}/{split}", image=image, label=label)
    return replace(images, skipped=images.skipped + unread_files(path)) if divided else only_split(images, split, holdout)
