"""What a path of the user's holds: one rule for all commands."""

import zipfile
from pathlib import Path
from typing import Literal

from badood.config import Source
from badood.core.errors import BadInput
from badood.data.images import SUFFIXES
from badood.data.named_splits import Part, part_of_file, part_of_folder
from badood.data.record import shown
from badood.data.walk import Passed, expanded, inside, there

_ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar")
_WANTED = "a folder of images (a subfolder for each class, or images only) or a parquet file"
_DEPTH = 4  # single folders around one another that are looked through


def source_of(path: Path, split: Literal["train", "test"] = "test", *, holdout: float | None = None) -> Source:
    """The source that reads a user's path: parquet where it is or contains a parquet file (see `parquet_parts`), else a folder of images.

    Args:
        path: a folder, or a parquet file.
        split: which part is read where it is divided.
        holdout: where it is not, the share of each class that is "test"; 0 gives every image to both; none = the data set's own.

    Raises:
        BadInput: nothing is there, or something else, such as an archive or a single image; says what to give instead.
    """
    path = expanded(path)
    if not there(path):
        raise BadInput(f"{shown(path)} does not exist; give {_WANTED}.")
    if path.is_dir():
        name = "parquet" if parquet_parts(path) else "folder"
    elif _is_parquet(path):
        name = "parquet"
    else:
        raise BadInput(f"{shown(path)} {_what(path)}")
    return Source(dataset=name, path=str(path.resolve()), split=split, params={} if holdout is None else {"holdout": holdout})


def parquet_parts(path: Path) -> dict[Part | None, list[Path]]:
    """The parquet files of a path, in order of name, by the part of the data set that their names tell (None: no part).

    A file is taken as it is. In a folder, the first place counts that has a parquet file, its suffix in any case: the folder itself; its
    folder `data`; its folders train, test, validation (or synonyms) where it has no others; a single folder in it, looked through alike.

    Returns:
        By part at least one file; empty where there is none.
    """
    return {None: [path]} if path.is_file() else _parts(path, _DEPTH)


def _parts(folder: Path, depth: int) -> dict[Part | None, list[Path]]:
    folders, files = inside(folder, Passed())
    found: dict[Part | None, list[Path]] = {}
    for file in _parquet(files):
        found.setdefault(part_of_file(file.stem), []).append(file)
    if found or not folders or depth == 0:
        return found
    for each in folders:
        if each.name.casefold() == "data" and (found := _parts(each, depth - 1)):
            return found
    parts = {each: part_of_folder(each.name) for each in folders}
    if None in parts.values():
        return _parts(folders[0], depth - 1) if len(folders) == 1 else {}
    for each, part in parts.items():
        if files := _parquet(inside(each, Passed())[1]):
            found.setdefault(part, []).extend(files)
    return found


def _parquet(files: list[Path]) -> list[Path]:
    return [file for file in files if file.suffix.lower() == ".parquet"]


def _is_parquet(path: Path) -> bool:
    """Whether a file is called parquet, or begins as such a file does."""
    if not path.is_file() or path.suffix.lower() == ".parquet":
        return path.is_file()
    try:
        with path.open("rb") as opened:
            return opened.read(4) == b"PAR1"
    except OSError as error:
        raise BadInput(f"{shown(path)} cannot be opened ({error.strerror}); give leave to read it.") from error


def _what(path: Path) -> str:
    """What a path is that cannot be read as images, and the remedy."""
    if not path.is_file():
        return f"is neither a file nor a folder; give {_WANTED}."
    if path.suffix.lower() in _ARCHIVES or zipfile.is_zipfile(path):
        return "is an archive; unpack it and give the folder."
    if path.suffix.lower() in SUFFIXES:
        return "is a single image; give the folder it lies in."
    return f"is no parquet file; give {_WANTED}."
