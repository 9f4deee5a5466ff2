"""What lies at a path: one file, or all files below a folder."""

import difflib
import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from badood.core.errors import BadInput
from badood.data.record import Skipped, shown
from badood.data.walk import Passed, walk
from badood.outliers.layouts.layout import told


@dataclass(frozen=True)
class Place:
    """Files by name, numbers in names in the order of numbers.

    Attributes:
        root: the folder. names: of files, relative to it, with "/".
        single: whether one file was named and not a folder. passed: what was not looked at, such as hidden files.
    """

    root: Path
    names: tuple[str, ...]
    single: bool = False
    passed: tuple[Skipped, ...] = ()

    def ending(self, suffixes: Collection[str]) -> list[str]:
        """Names with one of these suffixes, which are in small letters."""
        return [name for name in self.names if os.path.splitext(name)[1].lower() in suffixes]  # noqa: PTH122 (of 300,000 names)

    def called(self, *names: str) -> list[str]:
        """Names of files that are called so, in any folder."""
        return [name for name in self.names if name.rsplit("/", 1)[-1].lower() in names]

    def file(self, name: str) -> Path:
        """Its path."""
        return self.root / name


def place(path: Path) -> Place:
    """What lies at `path`.

    Raises:
        BadInput: nothing, or what may not be read.
    """
    with told(path, "check the path and its permissions"):
        if path.is_dir():
            passed, start = Passed(), len(str(path / "_")) - 1
            names = sorted((str(file)[start:].replace(os.sep, "/") for file in walk(path, passed)), key=in_order)
            return Place(path, tuple(names), passed=passed.entries())
        if path.is_file():
            return Place(path.parent, (path.name,), single=True)
        if path.exists():
            raise BadInput(f"{path} is neither a file nor a folder; give one of images, parquet, tar, .npy or .npz.")
    raise BadInput(f"{path} does not exist{_near(path)}; check the path.")


def in_order(name: str) -> list[list[str | int]]:
    """A sort key: folder by folder, numbers as numbers, so that 10 comes after 9."""
    return [[int(part) if part.isdigit() else part for part in re.split(r"([0-9]+)", folder)] for folder in name.split("/")]


def _near(path: Path) -> str:
    """What lies where the path ends, for the message."""
    above = next((folder for folder in path.parents if folder.is_dir()), Path())
    missing = path.relative_to(above).parts[0] if path.is_relative_to(above) else path.name
    names = sorted(each.name for each in above.iterdir() if not each.name.startswith("."))
    near = difflib.get_close_matches(missing, names, n=3, cutoff=0.5)
    if near:
        return f"; did you mean {' or '.join(str(above / name) for name in near)}?"
    return f"; in {above} lie {', '.join(map(shown, names[:8]))}{', ...' if len(names) > 8 else ''}" if names else f"; {above} is empty"
