"""Tar archives: WebDataset's, where members of one key belong together, or plain ones of images. Nothing is ever unpacked to disk."""

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from badood.core.errors import BadInput
from badood.data.images import SUFFIXES
from badood.data.record import Skipped, shown
from badood.outliers.layouts.folder import class_names
from badood.outliers.layouts.layout import Found, Kind, Layout, class_column, joined, told, widened, with_missing
from badood.outliers.layouts.place import Place

SUFFIXES_OF_TAR = frozenset({".tar", ".tgz", ".tbz2", ".txz"})
_COMPRESSED = (".tar.gz", ".tar.bz2", ".tar.xz")

LARGEST_MEMBER = 256 * 2**20
"""Bytes of an image that are taken into memory."""

_FIELDS = ("cls", "json", "txt")
_LARGEST_FIELD = 2**20


@dataclass(slots=True)
class _Sample:
    """Members of one key. fields: bytes, or where they lie: (offset, size)."""

    images: list[tuple[str, int, int]] = field(default_factory=list)
    fields: dict[str, bytes | tuple[int, int]] = field(default_factory=dict)


@dataclass(slots=True)
class _Image:
    """A row: its member and what belongs to it."""

    name: str
    offset: int
    size: int
    sample: _Sample


class Tar(Layout):
    """The images of one archive.

    Args:
        label: what the archive is called in names of images; "" = it is all there is.
    """

    def __init__(self, file: Path, label: str) -> None:
        self._file, self._label, self.files = file, label, [file]
        index = _Index(file)
        with told(file, "restore it; archives of tar, tar.gz, tar.bz2 and tar.xz are read"):
            index.fill()
        self._images, self.columns = index.rows(), index.columns()
        self._folders = class_names([image.name for image in self._images])
        self._class = class_column(self.columns)
        large = [image for image in self._images if image.size > LARGEST_MEMBER]
        self.skipped = tuple(
            Skipped(
                self._shown(image.name), f"{self._shown(image.name)} has {image.size / 2**20:,.0f} MB; at most 256 are read: scale it down."
            )
            for image in large
        )
        if large:
            self._folders = [name for name, image in zip(self._folders, self._images, strict=True) if image.size <= LARGEST_MEMBER]
            self._images = [image for image in self._images if image.size <= LARGEST_MEMBER]
        self.words = "a WebDataset tar" if any(image.sample.fields for image in self._images) else "a tar of images"

    def __len__(self) -> int:
        return len(self._images)

    def read(self, rows: NDArray[np.int64]) -> Iterator[Found]:
        """See `Layout.read`."""
        with told(self._file), tarfile.open(self._file) as opened:
            stream: Any = opened.fileobj
            for row in rows:
                image = self._images[row]
                values = _values({name: _part(stream, where) for name, where in sorted(image.sample.fields.items(), key=_place)})
                values = {name: value for name, value in values.items() if name in self.columns}
                content = _part(stream, (image.offset, image.size))
                named = values.get(self._class) if self._class else None
                yield Found(self._shown(image.name), content, self._folders[row] if named is None else str(named), values=values)

    def _shown(self, name: str) -> str:
        return shown(f"{self._label}/{name}" if self._label else name)


def tars(place: Place) -> Layout | None:
    """One archive, or all below a folder."""
    names = [name for name in place.names if is_tar(name)]
    return joined([Tar(place.file(name), "" if place.single else name) for name in names]) if names else None


def is_tar(name: str) -> bool:
    """Whether a file is called as tar archives are."""
    return name.lower().endswith((*SUFFIXES_OF_TAR, *_COMPRESSED))


class _Index:
    """One pass over the headers of an archive."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._samples: list[_Sample] = []
        self._by_key: dict[str, _Sample] = {}
        self._kinds: dict[str, Kind] = {}
        self._filled: dict[str, int] = {}

    def fill(self) -> None:
        with tarfile.open(self._file) as opened:
            # a compressed stream is read forward only, so that small fields are kept; else they are read again where they lie
            keep = not isinstance(opened.fileobj, io.BufferedReader)
            while (member := opened.next()) is not None:
                opened.members.clear()  # type: ignore[attr-defined]  # it would remember them all
                self._check(member)
                if member.isfile():
                    self._add(opened, member, keep)

    def rows(self) -> list[_Image]:
        """Images by their place, so that a stream is read forward. Where a key has an image, its masks (`key.seg.png`) are none."""
        images = []
        for sample in self._samples:
            whole = [entry for entry in sample.images if "." not in PurePosixPath(entry[0]).stem]
            images += [_Image(*entry, sample) for entry in whole or sample.images]
        return sorted(images, key=lambda image: image.offset)

    def columns(self) -> dict[str, Kind]:
        """Kinds of the values; one that a sample lacks is missing there."""
        with_images = sum(bool(sample.images) for sample in self._samples)
        return {name: kind if self._filled[name] >= with_images else with_missing(kind) for name, kind in self._kinds.items()}

    def _check(self, member: tarfile.TarInfo) -> None:
        path = PurePosixPath(member.name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts:
            raise BadInput(f"{self._file}: the member {shown(member.name)!r} leads outside the archive; pack it again with relative names.")
        if not (member.isfile() or member.isdir()) or member.issparse():
            kind = "a link" if member.issym() or member.islnk() else "no plain file"
            raise BadInput(f"{self._file}: the member {shown(member.name)!r} is {kind}; pack the images themselves (tar --dereference).")

    def _add(self, opened: tarfile.TarFile, member: tarfile.TarInfo, keep: bool) -> None:
        path = PurePosixPath(member.name)
        base, _, ending = path.name.partition(".")
        if not base or any(part.startswith((".", "__MACOSX")) for part in path.parts):
            return
        key, ending = str(path.with_name(base)), ending.lower()
        if f".{ending.rpartition('.')[2]}" in SUFFIXES:
            self._sample(key, path.name).images.append((str(path), member.offset_data, member.size))
        elif ending in _FIELDS and member.size <= _LARGEST_FIELD:
            sample = self._sample(key, ending)
            content = _part(opened.fileobj, (member.offset_data, member.size))
            sample.fields[ending] = content if keep else (member.offset_data, member.size)
            self._see(_values({ending: content}))

    def _sample(self, key: str, part: str) -> _Sample:
        """The sample of a key; where it has this part already, another one begins under the same key."""
        sample = self._by_key.get(key)
        if sample is None or part in sample.fields or any(PurePosixPath(name).name == part for name, *_ in sample.images):
            sample = self._by_key[key] = _Sample()
            self._samples.append(sample)
        return sample

    def _see(self, values: dict[str, Any]) -> None:
        for name, value in values.items():
            if isinstance(value, bool | int | float | str):
                kind: Kind = (
                    "bool"
                    if isinstance(value, bool)
                    else "int"
                    if isinstance(value, int)
                    else "float"
                    if isinstance(value, float)
                    else "text"
                )
                self._kinds[name] = widened(self._kinds.get(name), kind) or kind
                self._filled[name] = self._filled.get(name, 0) + 1


def _part(stream: Any, where: bytes | tuple[int, int]) -> bytes:
    if isinstance(where, bytes):
        return where
    stream.seek(where[0])
    return stream.read(where[1])


def _place(entry: tuple[str, bytes | tuple[int, int]]) -> int:
    return entry[1][0] if isinstance(entry[1], tuple) else 0


def _values(fields: dict[str, bytes]) -> dict[str, Any]:
    """What the small members of a sample say: those of the JSON object by name, the class as `cls`, the text as `text`."""
    values: dict[str, Any] = {}
    if "json" in fields:
        about = json.loads(fields["json"])
        values |= about if isinstance(about, dict) else {}
    if "cls" in fields:
        text = fields["cls"].decode("utf-8", "replace").strip()
        values["cls"] = int(text) if text.isdecimal() else text
    if "txt" in fields:
        values["text"] = fields["txt"].decode("utf-8", "replace").strip()
    return values
