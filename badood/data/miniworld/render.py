"""From (seed, index, class, shift levels) to pixels; the same image whatever batch it is rendered in."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from badood.core.noise import Noise
from badood.core.seeds import derive_seed
from badood.data.miniworld.canvas import Canvas
from badood.data.miniworld.dice import Dice
from badood.data.miniworld.factors import FACTORS, LEVELS
from badood.data.miniworld.foreign_objects import AUXILIARY, FAR, NEAR
from badood.data.miniworld.id_objects import ID_PAINTERS
from badood.data.miniworld.scene import Picture, backdrop, props, shadow
from badood.data.miniworld.shapes import Field, rotate

PAINTERS = {**ID_PAINTERS, **AUXILIARY, **NEAR, **FAR}
_INK = np.float32(0.42)  # the outline's brightness, as a share of the object's
_COMPANIONS = 0.2  # share of the images with a second object
_BATCH = 16  # images painted at once: their arrays stay in the processor's cache


@dataclass(frozen=True)
class Pose:
    """How an object stands in the picture, all (B, 1, 1): half its height, where its foot is, -1 if mirrored, and its tilt in radians."""

    scale: Field
    foot: tuple[Field, Field]
    mirror: Field
    tilt: Field


@dataclass(frozen=True)
class Plan:
    """What N images show.

    Attributes:
        seed: with `index` it decides every draw.
        index: (N,) int64 image numbers.
        name: (N,) class names.
        partner: (N,) class names into which the object is morphed; unused where semantic is 0.
        semantic: (N,) 0 = the class itself ... 7 = the partner.
        covariate: (N,) strength of the factor, 0 = clean ... 7.
        factor: (N,) names of covariate factors; unused where covariate is 0.
    """

    seed: int
    index: NDArray[np.int64]
    name: NDArray[np.str_]
    partner: NDArray[np.str_]
    semantic: NDArray[np.int64]
    covariate: NDArray[np.int64]
    factor: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.index)

    def take(self, rows: NDArray[np.int64]) -> "Plan":
        """The given images."""
        return Plan(
            self.seed, self.index[rows], self.name[rows], self.partner[rows], self.semantic[rows], self.covariate[rows], self.factor[rows]
        )


def render(plan: Plan, size: int) -> NDArray[np.uint8]:
    """(N, size, size, 3) uint8 RGB."""
    out = np.empty((len(plan), size, size, 3), dtype=np.uint8)
    # images that run through the same code are painted together
    kinds = [
        f"{n}|{p if s else ''}|{f if c else ''}"
        for n, p, s, c, f in zip(plan.name, plan.partner, plan.semantic, plan.covariate, plan.factor, strict=True)
    ]
    for kind in sorted(set(kinds)):
        rows = np.flatnonzero(np.asarray(kinds) == kind)
        for first in range(0, len(rows), _BATCH):
            part = rows[first : first + _BATCH]
            rgb = _paint(plan.take(part), size)
            out[part] = np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 3, 0)
    return out


def _paint(plan: Plan, size: int) -> Field:
    """(3, B, size, size) of images of one kind."""
    dice = Dice(Noise(derive_seed("miniworld", plan.seed), plan.index))
    ticks = ((np.arange(size, dtype=np.float32) + 0.5) * 2 / size - 1).astype(np.float32)
    x = np.ascontiguousarray(np.broadcast_to(ticks, (len(plan), size, size)))
    y = -x.transpose(0, 2, 1).copy()
    scale = dice.between(0.62, 0.76, "scale")
    foot = (dice.between(-0.14, 0.14, "foot x"), dice.between(-0.88, -0.74, "foot y"))
    back = props(backdrop(x, y, 2 / size, dice), x, y, 2 / size, dice)
    back = shadow(back, x, y, foot, scale, dice)
    front, alpha = _object(plan, Pose(scale, foot, dice.either("mirror"), dice.between(-0.16, 0.16, "tilt")), x, y, dice)
    second = np.flatnonzero(dice.chance(_COMPANIONS, "companion"))
    if len(second):
        posed = _beside(scale[second], (foot[0][second], foot[1][second]), dice.take(second))
        behind, cover = _object(plan.take(second), posed, x[second], y[second], dice.take(second).called("companion"))
        front[:, second], alpha[second] = _over(front[:, second], alpha[second], behind, cover)
    picture = Picture(x, y, back, front, alpha)
    if not plan.covariate[0]:
        return picture.flat()
    strength = (plan.covariate / (LEVELS - 1)).astype(np.float32)[:, None, None]
    return FACTORS[str(plan.factor[0])](picture, strength, dice)


def _object(plan: Plan, pose: Pose, x: Field, y: Field, dice: Dice) -> tuple[Field, Field]:
    """RGB and coverage of the posed objects, morphed towards the partner by their semantic level."""
    canvas = _painted(str(plan.name[0]), pose, x, y, dice)
    distance, rgb = canvas.distance, canvas.rgb
    if plan.semantic[0]:
        partner = _painted(str(plan.partner[0]), pose, x, y, dice)
        share = (plan.semantic / (LEVELS - 1)).astype(np.float32)[:, None, None]
        distance = distance + share * (partner.distance - distance)
        rgb = rgb + share * (partner.rgb - rgb)
    ink = np.clip(1.1 + distance / (1.6 * canvas.pixel), 0, 1)  # a soft dark outline just inside the edge
    return rgb * (1 - ink * (1 - _INK)), canvas.cover(distance)


def _painted(name: str, pose: Pose, x: Field, y: Field, dice: Dice) -> Canvas:
    """The canvas with the class on it."""
    px, py = rotate(x - pose.foot[0], y - pose.foot[1] - pose.scale, pose.tilt)
    side = dice.either("light")
    light = (side * np.float32(0.6) * pose.mirror, np.full_like(side, 0.8))
    pixel = 2 / x.shape[-1] / pose.scale
    canvas = Canvas(px * pose.mirror / pose.scale, py / pose.scale, pixel.astype(np.float32), light, dice)
    PAINTERS[name](canvas)
    return canvas


def _beside(scale: Field, foot: tuple[Field, Field], dice: Dice) -> Pose:
    """The pose of a second, smaller object, partly behind the first."""
    x = foot[0] + dice.either("companion side") * dice.between(0.5, 0.62, "companion x")
    return Pose(
        scale * dice.between(0.42, 0.55, "companion scale"),
        (x, foot[1] + dice.between(0.02, 0.16, "companion y")),
        dice.either("companion mirror"),
        dice.between(-0.2, 0.2, "companion tilt"),
    )


def _over(front: Field, alpha: Field, behind: Field, cover: Field) -> tuple[Field, Field]:
    """RGB and coverage of one layer over another."""
    rest = cover * (1 - alpha)
    union = alpha + rest
    return np.where(union > 0, (alpha * front + rest * behind) / np.maximum(union, 1e-6), front), union
