"""Parquet files of images."""

from pathlib import Path

from badood.core.errors import BadInput
from badood.data import dataset
from badood.data.holdout import only_split
from badood.data.parquet import read_parquet, split_files
from badood.data.record import ImageSet


@dataset("parquet")
def parquet(path: Path | None, split: str, *, image: str | None = None, label: str | None = None, holdout: float = 0.2) -> ImageSet:
    """Images of parquet files as Hugging Face `datasets` writes them.

    Args:
        path: a folder with train*.parquet and test*.parquet (or validation*.parquet); or one file, or a folder of files of any name.
        split: "train" or "test".
        image: name of the image column; none = found by the schema.
        label: name of the label column; none = found by the schema; without one all rows are of one class.
        holdout: where the files are not divided, this share of each class is "test" and the rest "train"; 0 gives every image to both.

    Raises:
        BadInput: no parquet file, no image column, no readable image, or a class with one image that would have to be split.
    """
    if path is None:
        raise BadInput("the data set `parquet` needs a path: give it with --data or in the source's `path`.")
    files, divided = split_files(path, split)
    images = read_parquet(files, f"{path.stem}/{split}", image=image, label=label)
    return images if divided else only_split(images, split, holdout)
