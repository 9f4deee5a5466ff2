"""Random proportions and colours of B images; an image's draws depend on its own number and the draw's name only."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from badood.core.noise import Noise
from badood.data.miniworld.shapes import Field


@dataclass(frozen=True)
class Dice:
    """Named draws for B images."""

    noise: Noise
    prefix: str = ""

    def take(self, rows: NDArray[np.int64]) -> "Dice":
        """The draws of some of the images."""
        return Dice(self.noise.take(rows), self.prefix)

    def called(self, prefix: str) -> "Dice":
        """Other draws for the same images."""
        return Dice(self.noise, prefix)

    def between(self, low: float, high: float, *name: object) -> Field:
        """(B, 1, 1) uniform in [low, high]."""
        return np.float32(low) + np.float32(high - low) * self.noise.uniform((1, 1), self.prefix, *name).numpy()

    def chance(self, share: float, *name: object) -> Field:
        """(B, 1, 1), 1 with probability `share`, else 0."""
        return (self.between(0, 1, *name) < share).astype(np.float32)

    def either(self, *name: object) -> Field:
        """(B, 1, 1), -1 or 1."""
        return 2 * self.chance(0.5, *name) - 1

    def colour(self, name: str, *choices: tuple[int, int, int], spread: float = 0.07) -> Field:
        """(3, B, 1, 1) RGB in [0, 1]: one of the choices (0..255), lighter or darker, and moved a little in every channel."""
        table = np.asarray(choices, dtype=np.float32) / 255
        pick = np.minimum(self.between(0, len(choices), name, "pick").astype(np.int64), len(choices) - 1)[:, 0, 0]
        moved = table[pick] + spread * (2 * self.noise.uniform((3,), self.prefix, name, "spread").numpy() - 1)
        lightness = self.between(0.85, 1.1, name, "lightness")[:, 0]
        return np.clip(moved * lightness, 0.03, 1).T[:, :, None, None].astype(np.float32)
