"""Noise."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from badood.core.noise import Noise
from badood.core.seeds import derive_seed
from badood.data import dataset
from badood.data.miniworld.rendered import rendered_set
from badood.data.record import ImageSet, square

KINDS = ("uniform", "gaussian", "clouds")
_GRAIN = 8  # clouds are uniform noise of this size, enlarged


@dataset("noise")
def noise(path: Path | None, split: str, *, count: int, seed: int = 0, size: int = 64) -> ImageSet:
    """Uniform, Gaussian (around mid grey, standard deviation 64) and smooth noise, in turn.

    Args:
        path: unused.
        split: "train" or "test"; the two share no image.
        count: number of images.
        seed: another seed, other images.
        size: height and width in px.
    """
    number = derive_seed("noise", seed, split)
    labels = np.arange(count, dtype=np.int64) % len(KINDS)

    def render(rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        return np.stack([_noise(KINDS[row % len(KINDS)], Noise(number, np.array([row])), size) for row in rows])

    return rendered_set(f"noise/{split}", render, labels, KINDS, size)


def _noise(kind: str, draws: Noise, size: int) -> NDArray[np.uint8]:
    """(size, size, 3) uint8."""
    if kind == "gaussian":
        return np.clip(np.rint(128 + 64 * draws.normal((size, size, 3), kind)[0].numpy()), 0, 255).astype(np.uint8)
    side = size if kind == "uniform" else _GRAIN
    return square((draws.uniform((side, side, 3), kind)[0].numpy() * 256).astype(np.uint8), size)
