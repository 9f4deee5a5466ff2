"""Pictures of no object at all."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from badood.core.noise import Noise
from badood.core.seeds import derive_seed
from badood.data import dataset
from badood.data.miniworld.dice import Dice
from badood.data.miniworld.rendered import rendered_set
from badood.data.miniworld.shapes import Field, length, rotate
from badood.data.record import ImageSet

KINDS = ("waves", "checks", "rings", "marble")


@dataset("textures")
def textures(path: Path | None, split: str, *, count: int, seed: int = 0, size: int = 64) -> ImageSet:
    """Colourful waves, checks, rings and marble, in turn.

    Args:
        path: unused.
        split: "train" or "test"; the two share no image.
        count: number of images.
        seed: another seed, other images.
        size: height and width in px.
    """
    number = derive_seed("textures", seed, split)
    labels = np.arange(count, dtype=np.int64) % len(KINDS)

    def render(rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        return np.concatenate([_texture(KINDS[row % len(KINDS)], Dice(Noise(number, np.array([row]))), size) for row in rows])

    return rendered_set(f"textures/{split}", render, labels, KINDS, size)


def _texture(kind: str, dice: Dice, size: int) -> NDArray[np.uint8]:
    """(1, size, size, 3) uint8."""
    ticks = np.linspace(-1, 1, size, dtype=np.float32)
    down, across = (axis[None] for axis in np.meshgrid(ticks, ticks, indexing="ij"))
    bend = dice.between(0.1, 0.5, "bend")
    x: Field = across + bend * np.sin(3 * down + dice.between(0, 6, "bend y"))
    y: Field = down + bend * np.sin(3 * x + dice.between(0, 6, "bend x"))
    u, v = rotate(x, y, dice.between(0, 3.14, "angle"))
    wave = _PATTERNS[kind](u, v, dice.between(4, 14, "width"))
    first, second, third = (dice.noise.uniform((3,), name).numpy().T[:, :, None, None] for name in ("first", "second", "third"))
    rgb = first + wave * (second - first) + (third - first) * 0.4 * np.sin(2 * u + v)
    return np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 3, 0)


def _waves(u: Field, v: Field, width: Field) -> Field:
    return 0.5 + 0.5 * np.sin(u * width)


def _checks(u: Field, v: Field, width: Field) -> Field:
    return np.clip(0.5 + 3 * np.sin(u * width) * np.sin(v * width), 0, 1)


def _rings(u: Field, v: Field, width: Field) -> Field:
    return 0.5 + 0.5 * np.sin(1.5 * width * length(u, v))


def _marble(u: Field, v: Field, width: Field) -> Field:
    return np.abs(np.sin(u * width * 0.5 + 2 * np.sin(v * width * 0.4) + np.sin(u * v * width)))


_PATTERNS = dict(zip(KINDS, (_waves, _checks, _rings, _marble), strict=True))
