"""One record type for all images."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from torch import Tensor


_MOST_NAMED = 1000  # entries that are named one by one; the rest of a kind is counted only


@dataclass(frozen=True)
class Skipped:
    """Something that was passed over: an image that could not be used, or several things for one reason.

    Attributes:
        path: the file, or file and row; of several, the first.
        reason: what is wrong with it and what to do.
        count: how many this stands for.
        kind: the reason in a word or two, to count by: "unreadable", "no image file", "hidden", "broken link", "no label", ...
    """

    path: str
    reason: str
    count: int = 1
    kind: str = "unreadable"


def counted(skipped: Iterable[Skipped]) -> dict[str, int]:
    """How many things were passed over, by kind, in order of their first appearance."""
    found: Counter[str] = Counter()
    for entry in skipped:
        found[entry.kind] += entry.count
    return dict(found)


def bounded(skipped: Iterable[Skipped]) -> tuple[Skipped, ...]:
    """The entries, but of each kind no more than a thousand one by one: the last of them counts the others too."""
    kept: dict[str, list[Skipped]] = {}
    for entry in skipped:
        same = kept.setdefault(entry.kind, [])
        if len(same) < _MOST_NAMED:
            same.append(entry)
        else:
            same[-1] = replace(same[-1], count=same[-1].count + entry.count)
    return tuple(entry for same in kept.values() for entry in same)


def shown(name: object) -> str:
    """A name as text that every file format and UTF-8 terminal takes: what is not UTF-8 in it becomes U+FFFD."""
    return re.sub("[\ud800-\udfff]", "\ufffd", str(name))


def distinct(names: Iterable[object]) -> tuple[str, ...]:
    """`shown` of every name; names that look the same only then are told apart by " (2)", " (3)", ..."""
    found: dict[str, None] = {}
    for name in names:
        text, number = shown(name), 1
        while text in found:
            number += 1
            text = f"{shown(name)} ({number})"
        found[text] = None
    return tuple(found)


@dataclass(frozen=True)
class ImageSet:
    """Images with labels, read on demand.

    Attributes:
        name: for tables and messages, such as "cifar10/test".
        classes: class names; a label is a position in it.
        labels: (N,) int64.
        read: row -> (H, W, 3) uint8 RGB.
        ids: (N,) strings that name the images for people: a path, or set and row number.
        skipped: what was left out, and why; at most some thousand entries.
        levels: named (N,) arrays of ground truth that only rendered sets have, such as "semantic" and "covariate".
    """

    name: str
    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    read: Callable[[int], NDArray[np.uint8]]
    ids: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()
    levels: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    def named(self, name: str) -> "ImageSet":
        """The same images under another name."""
        return replace(self, name=name)

    def take(self, rows: NDArray[np.int64]) -> "ImageSet":
        """The given rows, in the given order; nothing is read."""
        rows = np.asarray(rows, dtype=np.int64)
        read = self.read
        return replace(
            self,
            labels=self.labels[rows],
            read=lambda row: read(int(rows[row])),
            ids=tuple(self.ids[int(row)] for row in rows),
            levels={name: values[rows] for name, values in self.levels.items()},
        )

    def pixels(self, size: int) -> "Tensor":
        """All images as (N, 3, size, size) uint8 RGB in memory; other sizes are resized bicubically after a centre crop to a square."""
        # imported here, so that the dashboard unpacks archives without torch
        import torch

        out = torch.empty(len(self), 3, size, size, dtype=torch.uint8)
        for row in range(len(self)):
            out[row] = torch.from_numpy(square(self.read(row), size)).permute(2, 0, 1)
        return out


def square(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Centre crop to a square and bicubic resize with antialiasing: (H, W, 3) -> (size, size, 3) uint8."""
    height, width = image.shape[:2]
    if height == width == size:
        return np.ascontiguousarray(image)
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    crop = Image.fromarray(image[top : top + side, left : left + side])
    return np.asarray(crop.resize((size, size), Image.Resampling.BICUBIC)).copy()


def from_array(name: str, images: NDArray[np.uint8], labels: NDArray[np.int64], classes: tuple[str, ...]) -> ImageSet:
    """An image set over (N, H, W, 3) uint8 pixels in memory."""
    return ImageSet(
        name, classes, np.asarray(labels, dtype=np.int64), lambda row: images[row], tuple(f"{name}/{row}" for row in range(len(images)))
    )


def concatenate(name: str, sets: Sequence[ImageSet]) -> ImageSet:
    """The images of several sets one after another; a label is the position of the image's set, the classes are the sets' names."""
    ends = np.cumsum([len(part) for part in sets], dtype=np.int64)

    def read(row: int) -> NDArray[np.uint8]:
        part = int(np.searchsorted(ends, row, side="right"))
        return sets[part].read(row - int(ends[part]) + len(sets[part]))

    return ImageSet(
        name=name,
        classes=tuple(part.name for part in sets),
        labels=np.repeat(np.arange(len(sets), dtype=np.int64), [len(part) for part in sets]),
        read=read,
        ids=tuple(each for part in sets for each in part.ids),
        skipped=tuple(entry for part in sets for entry in part.skipped),
    )


Loader = Callable[..., ImageSet]
"""What a registered data set is: (path, split: "train" | "test", *, parameters) -> ImageSet.

The annotation of `path` says what it takes: `Path` has to be given and to exist, `Path | None` need not.
"""

Files = Callable[..., list[Path]]
"""What a data set reads, told without reading an image: (path or none, split, *, parameters) -> files and folders.

Where they are not there it raises MissingFiles, and where they cannot be used BadInput. A data set that reads what lies at its path needs none.
"""
