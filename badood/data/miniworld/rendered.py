"""Rendered image sets: images are made when they are first read, some at a time, and then kept."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from badood.data.record import ImageSet

_CHUNK = 256  # neighbouring rows rendered together at the first read of one of them
Render = Callable[[NDArray[np.int64]], NDArray[np.uint8]]
"""(M,) rows -> (M, size, size, 3) uint8."""


class Rendered:
    """Row -> (size, size, 3) uint8, rendered once."""

    def __init__(self, render: Render, count: int, size: int) -> None:
        self._render = render
        self._pixels = np.zeros((count, size, size, 3), dtype=np.uint8)
        self._done = np.zeros(count, dtype=bool)

    def __call__(self, row: int) -> NDArray[np.uint8]:
        """The image of a row."""
        if not self._done[row]:
            rows = np.arange(row - row % _CHUNK, min(row - row % _CHUNK + _CHUNK, len(self._done)))
            self._pixels[rows] = self._render(rows)
            self._done[rows] = True
        return self._pixels[row]


def rendered_set(
    name: str,
    render: Render,
    labels: NDArray[np.int64],
    classes: tuple[str, ...],
    size: int,
    levels: dict[str, NDArray[np.int64]] | None = None,
) -> ImageSet:
    """An image set over `render`."""
    return ImageSet(
        name=name,
        classes=classes,
        labels=labels,
        read=Rendered(render, len(labels), size),
        ids=tuple(f"{name}/{row}" for row in range(len(labels))),
        levels={key: values.astype(np.float64) for key, values in (levels or {}).items()},
    )
