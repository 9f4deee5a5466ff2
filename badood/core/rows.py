"""Rows of arrays: which of many stand for all, and rows of files that are never in memory whole."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


def evenly(total: int, most: int) -> NDArray[np.int64]:
    """At most `most` of the row numbers below `total`, evenly spread and ascending."""
    return np.linspace(0, total - 1, min(total, most)).astype(np.int64)


def pieces(total: int, size: int) -> Iterator[slice]:
    """All rows below `total`, `size` at a time."""
    for first in range(0, total, size):
        yield slice(first, min(first + size, total))


@dataclass(frozen=True)
class Rows:
    """The rows of one or several `.npy` files of the same row shape, or some of them, read when they are asked for.

    A file is mapped for each reading and let go: pages that stay mapped count as this process's memory, and would grow with the file.

    Attributes:
        files: `.npy` files, one behind the other.
        chosen: (n,) int64 rows of all files; none = all of them, in their order.
    """

    files: tuple[Path, ...]
    chosen: NDArray[np.int64] | None = None

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        return np.cumsum([len(np.load(file, mmap_mode="r")) for file in self.files], dtype=np.int64)

    @cached_property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        return tuple(np.load(self.files[0], mmap_mode="r").shape[1:])

    def __len__(self) -> int:
        return int(self._ends[-1]) if self.chosen is None else len(self.chosen)

    def take(self, rows: NDArray[Any]) -> "Rows":
        """The given rows of these, or those at which a mask of bools is true; nothing is read."""
        return Rows(self.files, np.asarray(self._numbers(rows), dtype=np.int64))

    def parts(self, size: int) -> "Iterator[Rows]":
        """All of these, `size` at a time; nothing is read."""
        for piece in pieces(len(self), size):
            yield self.take(np.arange(piece.start, piece.stop))

    def array(self, rows: "slice | Sequence[int] | NDArray[Any] | Tensor" = slice(None)) -> NDArray[Any]:
        """A copy of the given rows, in the given order; all of them without any."""
        numbers = self._numbers(rows)
        out: NDArray[Any] | None = None
        file_of = np.searchsorted(self._ends, numbers, side="right")
        for place in np.unique(file_of):
            mapped = np.load(self.files[place], mmap_mode="r")
            here = file_of == place
            found = mapped[numbers[here] - (int(self._ends[place]) - len(mapped))]
            if out is None:
                out = np.empty((len(numbers), *mapped.shape[1:]), dtype=mapped.dtype)
            out[here] = found
        return np.empty((0, *self.row_shape), dtype=np.load(self.files[0], mmap_mode="r").dtype) if out is None else out

    def __getitem__(self, rows: "slice | Sequence[int] | NDArray[Any] | Tensor") -> "Tensor":
        """`array` as a tensor."""
        import torch  # here, because the dashboard looks at rows without it

        return torch.from_numpy(self.array(rows))

    def _numbers(self, rows: "slice | Sequence[int] | NDArray[Any] | Tensor") -> NDArray[np.int64]:
        if isinstance(rows, slice):
            numbers = np.arange(*rows.indices(len(self)), dtype=np.int64)
        else:
            asked = np.asarray(rows)
            numbers = np.flatnonzero(asked) if asked.dtype == bool else asked.astype(np.int64)
        if len(numbers) and not (numbers.min() >= 0 and numbers.max() < len(self)):
            raise IndexError(f"rows {numbers.min()} to {numbers.max()} of {len(self)}; they count from 0.")
        return numbers if self.chosen is None else self.chosen[numbers]
