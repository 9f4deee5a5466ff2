"""SynIS, the synthetic part of the IS-OOD benchmark."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from badood.core.errors import BadInput
from badood.data import dataset
from badood.data.folder import image_files
from badood.data.lists import images_folder, lines
from badood.data.record import ImageSet, shown
from badood.data.walk import expanded, name_of

LEVELS = 8
_LIST = re.compile(r"cov_(\d+)_sem_(\d+)\.txt")


@dataset("synis")
def synis(path: Path, split: str, *, images: str | None = None) -> ImageSet:
    """Images at 8 semantic x 8 covariate shift levels; a class for each cell. Source: Long et al. 2024, as published.

    Args:
        path: folder of the list files cov_{i}_sem_{j}.txt (published: data/imglist/SynIS), one relative path a line.
        split: unused; the benchmark is for testing.
        images: folder the paths start at; none = the list files' folder, or where the benchmark puts the images (data/SynIS).

    Raises:
        BadInput: no list files, a level above 7, or listed images that are not there.
    """
    if not path.is_dir():
        raise BadInput(f"the data set `synis` needs the folder of its list files cov_0_sem_0.txt ... cov_7_sem_7.txt; got {shown(path)}.")
    cells = _cells(path)
    listed = {cell: lines(file) for cell, file in cells.items()}
    places = [expanded(images)] if images else [path, path.parent, path.parent.parent / path.name]
    root = images_folder(path, next(iter(listed.values())), places)
    files = [[root / each for each in paths] for paths in listed.values()]
    names = [f"cov_{covariate}_sem_{semantic}" for semantic, covariate in cells]
    found = image_files(name_of(path), root, names, files)
    lost = sorted(set(range(len(names))) - set(found.labels.tolist()))
    if lost:
        raise BadInput(f"{shown(root)}: the cell {names[lost[0]]} has no readable image; the first fault: {found.skipped[0].reason}")
    levels = np.array(list(cells), dtype=np.float64)[found.labels]
    return replace(found, levels={"semantic": levels[:, 0], "covariate": levels[:, 1]})


def _cells(path: Path) -> dict[tuple[int, int], Path]:
    """(semantic, covariate) level -> list file, both counted from 0; the files may count from 0 or from 1."""
    numbered = {(int(match[2]), int(match[1])): file for file in path.iterdir() if (match := _LIST.fullmatch(file.name))}
    if not numbered:
        raise BadInput(f"{path} has no list file cov_<i>_sem_<j>.txt; give the folder data/imglist/SynIS of the IS-OOD benchmark.")
    first = 0 if any(0 in cell for cell in numbered) else 1
    cells = {(semantic - first, covariate - first): file for (semantic, covariate), file in sorted(numbered.items())}
    beyond = [file for cell, file in cells.items() if max(cell) >= LEVELS]
    if beyond:
        raise BadInput(f"{beyond[0]} is beyond {LEVELS} x {LEVELS} levels; expected cov_0_sem_0.txt ... cov_7_sem_7.txt.")
    return cells
