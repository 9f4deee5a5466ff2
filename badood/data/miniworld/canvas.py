"""Where an object is painted: part over part, each shaded by its own roundness, with antialiased edges."""

from dataclasses import dataclass, field

import numpy as np

from badood.data.miniworld.dice import Dice
from badood.data.miniworld.shapes import Field, Number

_FAR = np.float32(1e3)


@dataclass
class Canvas:
    """B objects in the making.

    Attributes:
        x, y: (B, H, W) coordinates in which the object fills [-1, 1].
        pixel: (B, 1, 1) size of a pixel in those coordinates; edges are one pixel soft.
        light: direction the light comes from, a unit vector (x, y), each (B, 1, 1).
        dice: draws for these images.
        rgb: (3, B, H, W) in [0, 1], defined outside the object too (the colour of the nearest part), so that two objects can be blended.
        distance: (B, H, W) signed distance to the object's outline.
    """

    x: Field
    y: Field
    pixel: Field
    light: tuple[Field, Field]
    dice: Dice
    rgb: Field = field(init=False)
    distance: Field = field(init=False)

    def __post_init__(self) -> None:
        self.rgb = np.zeros((3, *self.x.shape), dtype=np.float32)
        self.distance = np.full_like(self.x, _FAR)

    def cover(self, distance: Field) -> Field:
        """(B, H, W) share of each pixel that lies inside."""
        return np.clip(np.float32(0.5) - distance / self.pixel, 0, 1)

    def paint(self, distance: Field, colour: Field, *, round: Number = 0.25, shine: float = 0.45) -> None:
        """A part over all earlier ones.

        Args:
            distance: (B, H, W) signed distance to its outline.
            colour: (3, B, 1, 1).
            round: how far from the outline the surface curves, in object units.
            shine: strength of light and shade on the curved rim.
        """
        alpha = np.maximum(self.cover(distance), (distance < self.distance).astype(np.float32) * (self.distance > self.pixel))
        self._blend(alpha, colour * self._shade(distance, round, shine))
        self.distance = np.minimum(self.distance, distance)

    def mark(self, distance: Field, colour: Field, strength: Number = 1.0) -> None:
        """A flat pattern on what is painted already; it does not reach beyond the object."""
        self._blend(self.cover(distance) * self.cover(self.distance) * strength, colour)

    def _shade(self, distance: Field, round: Number, shine: float) -> Field:
        """(B, H, W) brightness of a surface that is flat inside and curves down to its outline."""
        step = np.float32(0.5) / self.pixel
        dx, dy = np.zeros_like(distance), np.zeros_like(distance)
        np.subtract(distance[:, :, 2:], distance[:, :, :-2], out=dx[:, :, 1:-1])
        np.subtract(distance[:, :-2], distance[:, 2:], out=dy[:, 1:-1])
        towards = (dx * self.light[0] + dy * self.light[1]) * step
        rim = np.clip(1 + distance / round, 0, 1)
        return 1 + np.float32(shine) * rim * np.clip(towards, -1, 0.8)

    def _blend(self, alpha: Field, colour: Field) -> None:
        self.rgb += alpha * (colour - self.rgb)
