"""Image lists of OpenOOD."""

from pathlib import Path

from badood.core.errors import MissingFiles
from badood.data import dataset, files
from badood.data.lists import listed_files, read_list
from badood.data.record import ImageSet, shown
from badood.data.walk import name_of, there


@dataset("imglist")
def imglist(path: Path, split: str, *, images: str | None = None) -> ImageSet:
    """Images of a list file with a line `path label` each, as OpenOOD has them. Source: Zhang et al. 2023.

    Args:
        path: the list file.
        split: unused; a list is one part of a data set.
        images: folder that its paths start at; none = the list file's own, or images_classic or images_largescale of OpenOOD's data root.

    Raises:
        BadInput: no such file, no list, or no readable image.
        MissingFiles: the listed images are not there.
    """
    return read_list(_file(path), name_of(path).removesuffix(path.suffix), images)


@files("imglist")
def _files(path: Path | None, split: str, *, images: str | None = None) -> list[Path]:
    return listed_files(_file(path), images)


def _file(path: Path | None) -> Path:
    if path is None or not there(path):
        said = "no path is given" if path is None else f"{shown(path)} does not exist"
        raise MissingFiles(f"the data set 'imglist' needs a list file, a line `path label` for each image, but {said}; give its path.")
    return path
