"""Data sets as their authors publish them: where they lie once they are unpacked, and from where they are had. Nothing is fetched."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path, PurePath
from typing import Any

from badood.core.errors import BadInput, MissingFiles
from badood.data import files
from badood.data.folder import read_folder
from badood.data.record import ImageSet, shown
from badood.data.walk import there

log = logging.getLogger(__name__)

OPENOOD = "scripts/download/download.py of https://github.com/Jingkang50/OpenOOD"
"""From where OpenOOD's own archives are had."""


@dataclass(frozen=True)
class Published:
    """A published data set, to be found in the folder that it was unpacked in, or at a path within its own.

    Called as `Files`, it says what is read.

    Attributes:
        name: of the data set.
        what: what it shows, for people, with its source.
        layouts: where it can lie, the authors' place first, then OpenOOD's; {split} and the parameters of the set are filled in.
        inside: what lies there, for people; empty where the layout is a file.
        images: how many were published, of the split "test".
        size: of the download, for people.
        page: from where it is had.
        choices: what each parameter in the layouts can be.
    """

    name: str
    what: str
    layouts: tuple[str, ...]
    inside: str
    images: int
    size: str
    page: str
    choices: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def __call__(self, path: Path | None, split: str, **params: Any) -> list[Path]:
        """The file or folder that is read; see `place`."""
        return [self.place(path, split, **params)]

    def place(self, path: Path | None, split: str, **params: Any) -> Path:
        """Where the set lies.

        Args:
            path: the folder that it was unpacked in, or one further down. split, params: what is filled into the layouts.

        Raises:
            MissingFiles: it is in none of its places, or they are empty; names them, the size, and from where it is had.
        """
        for place in self._places(path, {"split": split, **params}) if path is not None else ():
            if place.is_file() or (place.is_dir() and any(place.iterdir())):
                return place
        where = "no path is given" if path is None else f"{shown(path)} {'has no such files' if there(path) else 'does not exist'}"
        raise MissingFiles(f"the data set {self.name!r} needs files, but {where}: {self.needs(split, **params)}")

    def expected(self, split: str, **params: Any) -> list[str]:
        """What is looked for below the path, for people: any of these. A parameter that is not given stands in capitals."""
        filled = {name: name.upper() for name in self.choices} | {"split": split} | params
        return [f"{layout.format(**filled)}{f'/{self.inside}' if self.inside else ''}" for layout in self.layouts]

    def needs(self, split: str, **params: Any) -> str:
        """Which files are expected, from where they are had, and how large they are, in one line."""
        return (
            f"unpack it so that the path holds {' or '.join(self.expected(split, **params))}. {self.images:,} images, {self.size}, from "
            f"{self.page}. Nothing is fetched for you."
        )

    def read(self, place: Path, split: str) -> ImageSet:
        """The images below a folder, a class for each subfolder; fewer than were published are told.

        Raises:
            BadInput: no readable image.
        """
        images = read_folder(place, f"{self.name}/{split}")
        if len(images) < self.images:
            log.warning(
                "%s: %s images of the %s that were published; figures with them cannot be held against those of others",
                images.name,
                f"{len(images):,}",
                f"{self.images:,}",
            )
        return images

    def _places(self, path: Path, filled: dict[str, Any]) -> Iterator[Path]:
        """Every place that it can have, whether something is there or not; a path that ends in the first folders of a layout is within it."""
        tail = path.absolute().parts
        for layout in self.layouts:
            parts = PurePath(layout.format(**filled)).parts
            for entered in range(len(parts) + 1):
                if not entered or tail[-entered:] == parts[:entered]:
                    yield path.joinpath(*parts[entered:])


@dataclass(frozen=True)
class State:
    """Whether a published set is there.

    Attributes:
        name: of the data set. what: what it shows. place: where it lies; none = not there.
        needs: where it is not, the files that it needs, from where, and how large; else empty.
    """

    name: str
    what: str
    place: Path | None
    needs: str

    @property
    def works(self) -> bool:
        """Whether it can be read here."""
        return self.place is not None


def states(root: Path) -> list[State]:
    """Every published data set, by name, with its state: there, or which files it needs.

    Args:
        root: folder that the sets were unpacked in, each as its authors or OpenOOD lay it out.
    """
    return [_state(each, root) for each in files.values() if isinstance(each, Published)]


def _state(about: Published, root: Path) -> State:
    told = ""
    for values in product(*about.choices.values()):
        try:
            return State(about.name, about.what, about(root, "test", **dict(zip(about.choices, values, strict=True)))[0], "")
        except MissingFiles:
            told = about.needs("test")
        except BadInput as error:
            told = str(error)
    return State(about.name, about.what, None, told)
