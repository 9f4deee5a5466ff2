"""Images that something else made."""

import dataclasses
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from badood.core.errors import BadInput
from badood.core.rows import evenly
from badood.data.images import SUFFIXES, check, decode
from badood.data.record import Skipped, bounded, square
from badood.outliers.layouts import Found, Layout, encoding_of, recognised, told, values_of
from badood.outliers.layouts.arrays import pixel_fault
from badood.outliers.source import GROUP, Given, Group, OutlierSource, outlier_source

T = TypeVar("T")
R = TypeVar("R")

Resampling = Literal["bicubic", "bilinear", "lanczos", "box"]

_AT_ONCE = 32
"""Encoded images in memory while they are decoded."""

_NONE = np.empty((0, 0, 3), dtype=np.uint8)

_OTHERS = frozenset(
    {"outlier_id", "source", "image", "energy", "log_odds", "raw_score", "id_confidence", "ood_type", "harm"}
    | {"gradient_anomaly", "disagreement", "kept"}
    | {"row", "place", "total", "rank", "ranked"}  # of queries
)
"""Columns of which a run makes its own: those of the source get a prefix."""

_OURS = frozenset({"file", "class_name", "anchor_row", "anchor_id", "anchor_class", "width", "height", "encoding"})
"""Columns that stand in the place of the source's."""


@outlier_source("imported")
@dataclass
class Imported(OutlierSource):
    """Outliers of another generator: folders, metadata, parquet, tar, arrays. `layouts` has what is read.

    Attributes:
        path: file or folder. limit: at most so many, evenly spread over all; those of them that cannot be read are left out.
        resampling: how images come to their size, with antialiasing, after a centre crop to a square.
    """

    path: str
    limit: PositiveInt | None = None
    resampling: Resampling = "bicubic"

    @property
    def layout(self) -> str:
        """What was recognised, in words."""
        return self._layout.words

    def check(self) -> None:
        """See `OutlierSource.check`. Looks at images until one can be read: mostly the first."""
        first: Skipped | None = None
        for fault in self._faults():
            if fault is None:
                return
            first = first or fault
        why = first or next(iter(self._layout.skipped), None)
        raise BadInput(
            f"{self.path} ({self.layout}): none of {len(self._chosen):,} images can be read; {why.reason if why else 'it has no rows.'}"
        )

    def fingerprint(self) -> str:
        """See `OutlierSource.fingerprint`. Names, sizes and times of the files, as make compares them: contents would be read twice."""
        root = Path(self.path).expanduser()
        seen = hashlib.blake2b(digest_size=8)
        for file in self._layout.files:
            with told(file):
                about = file.stat()
            name = file.relative_to(root) if file != root and file.is_relative_to(root) else file.name
            seen.update(f"{os.fsencode(name)!r} {about.st_size} {about.st_mtime_ns}\n".encode())
        return seen.hexdigest()

    def total(self, given: Given) -> int:
        """See `OutlierSource.total`."""
        return len(self._usable[0])

    def skipped(self) -> tuple[Skipped, ...]:
        """See `OutlierSource.skipped`. With a limit, of the images that it chose."""
        return bounded((*self._layout.skipped, *self._usable[1]))

    def groups(self, given: Given, first: int) -> Iterator[Group]:
        """See `OutlierSource.groups`."""
        anchors, total = Anchors(given), self.total(given)
        with _pool() as pool:
            images = _few_at_once(pool, lambda found: self._decoded(found, given.size), self._layout.read(self._usable[0][first:]))
            for done in range(first, total, GROUP):
                yield self._group(images, min(GROUP, total - done), given.size, anchors)
                given.progress.update("imported", min(done + GROUP, total), total)

    @cached_property
    def _layout(self) -> Layout:
        path = Path(self.path).expanduser()
        with told(path, "check the path"):
            return recognised(path)

    @property
    def _chosen(self) -> NDArray[np.int64]:
        """Rows of the layout, before the unreadable ones are left out: which ones does not depend on these."""
        return evenly(len(self._layout), self.limit or len(self._layout))

    @cached_property
    def _usable(self) -> tuple[NDArray[np.int64], tuple[Skipped, ...]]:
        """Rows that can be read, and the others.

        Found in a pass of its own, because the number must be known before the first group and be the same after a kill. It reads every
        byte, as a truncated image has a sound header, but does a part of the decoding only (`images.check`); pixels of uint8 need none.
        """
        faults = list(self._faults()) if self._layout.encoded else [None] * len(self._chosen)
        good = np.array([fault is None for fault in faults], dtype=bool)
        return self._chosen[good], tuple(fault for fault in faults if fault is not None)

    def _faults(self) -> Iterator[Skipped | None]:
        with _pool() as pool:
            yield from _few_at_once(pool, _fault, self._layout.read(self._chosen))

    def _group(self, images: Iterator["_Decoded"], count: int, size: int, anchors: "Anchors") -> Group:
        pixels, rows = np.empty((count, 3, size, size), dtype=np.uint8), []
        for row, image in enumerate(islice(images, count)):
            pixels[row] = image.pixels.transpose(2, 0, 1)
            rows.append(dataclasses.replace(image, pixels=_NONE))
        return Group(pixels, self._columns(rows, anchors))

    def _decoded(self, found: Found, size: int) -> "_Decoded":
        if isinstance(found.content, np.ndarray):
            pixels, encoding = _eight_bits(found.content), "array"
        else:
            pixels, encoding = decode(found.content, found.name), encoding_of(found.content)
        return _Decoded(
            dataclasses.replace(found, content=b""), _squared(pixels, size, self.resampling), pixels.shape[1], pixels.shape[0], encoding
        )

    def _columns(self, rows: Sequence["_Decoded"], anchors: "Anchors") -> dict[str, Any]:
        found = [row.found for row in rows]
        kinds = self._layout.columns
        called = column_names(kinds)
        theirs = {called[name]: values_of(kind, [each.values.get(name) for each in found]) for name, kind in kinds.items()}
        anchor = [anchors.row(each) for each in found]
        return theirs | {
            "file": [each.name for each in found],
            "class_name": [each.class_name for each in found],
            "anchor_row": np.array(anchor, dtype=np.int64),
            "anchor_id": [anchors.name(row, each) for row, each in zip(anchor, found, strict=True)],
            "anchor_class": [anchors.class_name(row, each) for row, each in zip(anchor, found, strict=True)],
            "width": np.array([row.width for row in rows], dtype=np.int64),
            "height": np.array([row.height for row in rows], dtype=np.int64),
            "encoding": [row.encoding for row in rows],
        }


def column_names(theirs: Iterable[str]) -> dict[str, str]:
    """What a source's columns are called in a run: databases know no column without a name, and no capitals."""
    taken = {name.casefold() for name in (*_OTHERS, *_OURS)}
    called: dict[str, str] = {}
    for name in theirs:
        ours = name or "unnamed"
        while ours.casefold() in taken and name not in _OURS:
            ours = f"imported_{ours}"
        taken.add(ours.casefold())
        called[name] = ours
    return called


@dataclasses.dataclass(frozen=True)
class _Decoded:
    """An image at its size, (S, S, 3), without what it was encoded in; width, height and encoding of the original."""

    found: Found
    pixels: NDArray[np.uint8]
    width: int
    height: int
    encoding: str


class Anchors:
    """ID images by name: the one that an outlier was made from.

    A column anchor_id (or anchor) says it. Without that, an outlier that is called like an ID image is that image, edited, as SONA writes it:
    the same folder and name, or a name that only one ID image has. A name that is a number is a count, and counts meet by accident; so
    does the name of a row in a table.
    """

    def __init__(self, given: Given) -> None:
        self._given = given

    @cached_property
    def _by_name(self) -> dict[str, int]:
        rows: dict[str, int] = {}
        for row, name in enumerate(self._given.ids):
            for key in (name, *_tails(name)):
                rows[key] = row if rows.get(key, row) == row else -1  # of two images of one name neither is meant
        return rows

    def row(self, found: Found) -> int:
        """Row of the ID training image; -1 = none."""
        said = _said(found)
        keys = (said, *_tails(said)) if said else tuple(_tails(found.name))
        return next((row for key in keys if (row := self._by_name.get(key, -1)) >= 0), -1)

    def name(self, row: int, found: Found) -> str:
        """Name of the ID image, else what the source says."""
        return self._given.ids[row] if row >= 0 else _said(found)

    def class_name(self, row: int, found: Found) -> str:
        """Class of the ID image, else what the source says."""
        return self._given.classes[self._given.labels[row]] if row >= 0 else str(found.values.get("anchor_class") or "")


def _said(found: Found) -> str:
    return str(found.values.get("anchor_id") or found.values.get("anchor") or "")


def _tails(name: str) -> Iterator[str]:
    """Of an image file: folder and name, then the name alone, both without suffix and marked as such."""
    path = PurePosixPath(name)
    if path.suffix.lower() not in SUFFIXES:
        return
    if path.parent.name:
        yield f"{path.parent.name}/{path.stem}/"
    if not path.stem.isdigit():
        yield f"{path.stem}/"


def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count())


def _few_at_once(pool: ThreadPoolExecutor, work: Callable[[T], R], things: Iterable[T]) -> Iterator[R]:
    """`work` of all, in order, without reading ahead of it by more than a few."""
    source = iter(things)
    while some := list(islice(source, _AT_ONCE)):
        yield from pool.map(work, some)


def _fault(found: Found) -> Skipped | None:
    if found.fault:
        return Skipped(found.name, found.fault)
    if not isinstance(found.content, np.ndarray):
        return check(found.content, found.name)
    fault = pixel_fault(found.content) if found.content.dtype.kind == "f" else ""
    return Skipped(found.name, f"{found.name} has {fault}.") if fault else None


def _eight_bits(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels
    return (pixels.astype(np.float32).clip(0, 1) * 255).round().astype(np.uint8)


def _squared(image: NDArray[np.uint8], size: int, resampling: Resampling) -> NDArray[np.uint8]:
    """`record.square` with any resampling."""
    if resampling == "bicubic" or image.shape[:2] == (size, size):
        return square(image, size)
    crop = Image.fromarray(square(image, min(image.shape[:2])))
    return np.asarray(crop.resize((size, size), Image.Resampling[resampling.upper()])).copy()
