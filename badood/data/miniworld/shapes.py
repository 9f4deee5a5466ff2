"""Signed distances to plane shapes: negative inside, in the units of the coordinates.

Coordinates are (B, H, W) float32, x to the right and y upwards; every other argument is a number or a (B, 1, 1) array, so one call draws the
shape in B images with B different proportions. Source of the formulas: Quilez, "2D distance functions".
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.floating[Any]]
"""(B, H, W), float32."""
Number = Field | float
Point = tuple[Number, Number]


def length(x: Field, y: Field) -> Field:
    """Distance to the origin."""
    return np.sqrt(x * x + y * y)


def rotate(x: Field, y: Field, angle: Number) -> tuple[Field, Field]:
    """Coordinates in which a shape appears turned by `angle` radians, anticlockwise."""
    c, s = np.cos(angle, dtype=np.float32), np.sin(angle, dtype=np.float32)
    return c * x + s * y, c * y - s * x


def circle(x: Field, y: Field, centre: Point, radius: Number) -> Field:
    """A disc."""
    return length(x - centre[0], y - centre[1]) - radius


def ring(x: Field, y: Field, centre: Point, radius: Number, half: Number) -> Field:
    """A circle drawn with a pen of width 2 `half`."""
    return np.abs(circle(x, y, centre, radius)) - half


def ellipse(x: Field, y: Field, centre: Point, rx: Number, ry: Number) -> Field:
    """An ellipse with half axes rx, ry; exact on the outline, close to it nearby."""
    px, py = (x - centre[0]) / rx, (y - centre[1]) / ry
    outer = length(px, py)
    return outer * (outer - 1) / (length(px / rx, py / ry) + np.float32(1e-6))


def box(x: Field, y: Field, centre: Point, half_width: Number, half_height: Number, corner: Number = 0.0) -> Field:
    """A rectangle with rounded corners of radius `corner`."""
    dx = np.abs(x - centre[0]) - half_width + corner
    dy = np.abs(y - centre[1]) - half_height + corner
    return length(np.maximum(dx, 0), np.maximum(dy, 0)) + np.minimum(np.maximum(dx, dy), 0) - corner


def limb(x: Field, y: Field, start: Point, end: Point, thick: Number, thin: Number | None = None) -> Field:
    """A line with round ends whose radius goes from `thick` at the start to `thin` at the end."""
    bx, by = end[0] - start[0], end[1] - start[1]
    px, py = x - start[0], y - start[1]
    along = np.clip((px * bx + py * by) / (bx * bx + by * by + 1e-9), 0, 1)
    radius = thick if thin is None else thick + (thin - thick) * along
    return length(px - along * bx, py - along * by) - radius


def polygon(x: Field, y: Field, corners: Sequence[Point], rounding: Number = 0.0) -> Field:
    """A closed polygon; `rounding` grows it and rounds the corners."""
    nearest: Field | None = None
    sign: Field = np.ones_like(x)
    for (ax, ay), (bx, by) in zip(corners, [corners[-1], *corners[:-1]], strict=True):
        ex, ey = bx - ax, by - ay
        px, py = x - ax, y - ay
        along = np.clip((px * ex + py * ey) / (ex * ex + ey * ey), 0, 1)
        qx, qy = px - ex * along, py - ey * along
        distance = qx * qx + qy * qy
        nearest = distance if nearest is None else np.minimum(nearest, distance)
        left, below, above = ex * py > ey * px, y >= ay, y < by
        flips = (left & below & above) | ~(left | below | above)
        sign = np.where(flips, -sign, sign)
    assert nearest is not None
    return sign * np.sqrt(nearest) - rounding


def half_plane(x: Field, y: Field, point: Point, angle: float) -> Field:
    """Everything behind a line through `point` whose outward normal has the given angle."""
    return (x - point[0]) * np.float32(np.cos(angle)) + (y - point[1]) * np.float32(np.sin(angle))


def join(*parts: Field) -> Field:
    """The union."""
    out = parts[0]
    for part in parts[1:]:
        out = np.minimum(out, part)
    return out


def melt(a: Field, b: Field, blend: Number) -> Field:
    """The union with a fillet about `blend` wide."""
    h = np.maximum(blend - np.abs(a - b), 0) / blend
    return np.minimum(a, b) - h * h * blend * np.float32(0.25)


def cut(a: Field, b: Field) -> Field:
    """a without b."""
    return np.maximum(a, -b)


def both(a: Field, b: Field) -> Field:
    """The intersection."""
    return np.maximum(a, b)
