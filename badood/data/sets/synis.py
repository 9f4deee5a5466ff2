"""SynIS, the synthetic part of the IS-OOD benchmark, and its part of ImageNet-21K."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from badood.core.errors import BadInput
from badood.data import dataset
from badood.data.folder import image_files
from badood.data.lists import images_folder, lines
from badood.data.record import ImageSet, shown
from badood.data.walk import Passed, expanded, name_of

LEVELS = 8
_LIST = re.compile(r"cov_(\d+)_sem_(\d+)\.txt")


@dataset("synis")
def synis(path: Path, split: str, *, images: str | None = None) -> ImageSet:
    """Images at 8 semantic x 8 covariate shift levels; a class for each cell. Source: Long et al. 2024, as published.

    A list that names nothing is a cell without images, as some of the published ones of ImageNet-21K are; it is told in `skipped`.

    Args:
        path: folder of the list files cov_{i}_sem_{j}.txt (published: data/imglist/SynIS), one relative path a line; or of the folders
            train and val of such files, whose cells are joined as in the original (data/imglist/imagenet21k).
        split: unused; the benchmark is for testing.
        images: folder the paths start at; none = the list files' folder, or where the benchmark puts the images (data/SynIS).

    Raises:
        BadInput: no list files, none that names an image, a level above 7, or listed images that are not there.
    """
    if not path.is_dir():
        raise BadInput(f"the data set `synis` needs the folder of its list files cov_0_sem_0.txt ... cov_7_sem_7.txt; got {shown(path)}.")
    cells = _cells(path)
    listed = {cell: [line for file in files for line in lines(file)] for cell, files in cells.items()}
    blank = Passed()
    for cell, files in cells.items():
        if not listed[cell]:
            blank.add("cell without images", files[0], "lists no image, so that this cell stays empty; restore it if it should not.")
    filled = {cell: paths for cell, paths in listed.items() if paths}
    if not filled:
        raise BadInput(f"{shown(path)}: none of its {len(cells)} cells lists an image; restore the list files.")
    places = [expanded(images)] if images else [path, path.parent, path.parent.parent / path.name]
    root = images_folder(path, next(iter(filled.values())), places)
    names = [f"cov_{covariate}_sem_{semantic}" for semantic, covariate in filled]
    found = image_files(name_of(path), root, names, [[root / each for each in paths] for paths in filled.values()], passed=blank.entries())
    lost = sorted(set(range(len(names))) - set(found.labels.tolist()))
    if lost:
        raise BadInput(f"{shown(root)}: the cell {names[lost[0]]} has no readable image; the first fault: {found.skipped[0].reason}")
    levels = np.array(list(filled), dtype=np.float64)[found.labels]
    return replace(found, levels={"semantic": levels[:, 0], "covariate": levels[:, 1]})


def _cells(path: Path) -> dict[tuple[int, int], list[Path]]:
    """(semantic, covariate) level -> list files, both counted from 0; the files may count from 0 or from 1."""
    numbered: dict[tuple[int, int], list[Path]] = {}
    for folder in (path, path / "train", path / "val"):
        for file in folder.iterdir() if folder.is_dir() else ():
            if match := _LIST.fullmatch(file.name):
                numbered.setdefault((int(match[2]), int(match[1])), []).append(file)
    if not numbered:
        raise BadInput(f"{path} has no list file cov_<i>_sem_<j>.txt; give the folder data/imglist/SynIS of the IS-OOD benchmark.")
    first = 0 if any(0 in cell for cell in numbered) else 1
    cells = {(semantic - first, covariate - first): files for (semantic, covariate), files in sorted(numbered.items())}
    beyond = [files[0] for cell, files in cells.items() if max(cell) >= LEVELS]
    if beyond:
        raise BadInput(f"{beyond[0]} is beyond {LEVELS} x {LEVELS} levels; expected cov_0_sem_0.txt ... cov_7_sem_7.txt.")
    return cells
