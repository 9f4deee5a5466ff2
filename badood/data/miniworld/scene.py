"""What stands around the object: sky and ground, a soft shadow, a few props; and the picture they make together."""

from dataclasses import dataclass

import numpy as np

from badood.data.miniworld.dice import Dice
from badood.data.miniworld.shapes import Field, circle, ellipse, length, limb

_SKIES = (
    (186, 216, 238),
    (238, 214, 190),
    (206, 226, 204),
    (214, 202, 232),
    (240, 226, 176),
    (176, 206, 214),
    (232, 198, 204),
    (222, 222, 226),
)
_GROUNDS = ((150, 178, 120), (196, 168, 126), (126, 156, 184), (176, 146, 160), (206, 190, 150), (134, 166, 160), (160, 160, 168))


@dataclass(frozen=True)
class Picture:
    """B pictures in two layers, so that a factor can change one of them.

    Attributes:
        x, y: (B, H, W) coordinates, [-1, 1] over the picture, y upwards.
        back: (3, B, H, W) RGB in [0, 1] of everything behind the object.
        front: (3, B, H, W) RGB of the object.
        alpha: (B, H, W) share of each pixel that the object covers.
    """

    x: Field
    y: Field
    back: Field
    front: Field
    alpha: Field

    def flat(self) -> Field:
        """(3, B, H, W) RGB of both layers."""
        return self.back + self.alpha * (self.front - self.back)


def backdrop(x: Field, y: Field, pixel: float, dice: Dice) -> Field:
    """(3, B, H, W) sky, a far hill or a sun, and ground; x, y run over [-1, 1] of the picture."""
    sky, ground = dice.colour("sky", *_SKIES), dice.colour("ground", *_GROUNDS)
    height = (y + 1) / 2
    rgb: Field = sky * (0.86 + 0.2 * height)
    glow = np.exp(-4 * length(x - dice.between(-0.7, 0.7, "glow x"), y - dice.between(0.1, 0.8, "glow y")) ** 2)
    rgb = rgb + (np.float32(1.0) - rgb) * glow * dice.between(0.1, 0.5, "glow")
    hill = ellipse(x, y, (dice.between(-0.9, 0.9, "hill x"), -0.5), dice.between(0.7, 1.3, "hill w"), dice.between(0.25, 0.75, "hill h"))
    rgb = _over(rgb, (sky + ground) / 2, soft(hill, 2 * pixel) * dice.chance(0.5, "hill"))
    horizon = dice.between(-0.55, -0.2, "horizon")
    floor = y - horizon - 0.05 * dice.between(-1, 1, "slope") * x
    return _over(rgb, ground * (0.82 + 0.25 * np.clip(horizon - y, 0, 1)), soft(floor, 3 * pixel))


def shadow(rgb: Field, x: Field, y: Field, foot: tuple[Field, Field], reach: Field, dice: Dice) -> Field:
    """The backdrop with a soft shadow where the object stands."""
    lean = dice.between(-0.3, 0.3, "shadow lean")
    fade = ((x - foot[0] - lean * reach) / (reach * 1.15)) ** 2 + ((y - foot[1]) / (reach * 0.3)) ** 2
    return rgb * (1 - dice.between(0.3, 0.5, "shadow") * np.exp(-1.6 * fade))


def props(rgb: Field, x: Field, y: Field, pixel: float, dice: Dice) -> Field:
    """The backdrop with a pebble, a tuft of grass, a sun; each is there in some of the images."""
    side = dice.either("prop side")
    px, py = side * dice.between(0.55, 0.9, "pebble x"), dice.between(-0.95, -0.75, "pebble y")
    stone = dice.colour("stone", (150, 146, 140), (176, 150, 124), (130, 140, 156))
    rgb = _over(
        rgb,
        stone * (1 + 0.5 * (y - py)),
        soft(ellipse(x, y, (px, py), dice.between(0.1, 0.22, "pebble w"), 0.1), pixel) * dice.chance(0.5, "pebble"),
    )
    grass = dice.colour("grass", (96, 150, 80), (130, 160, 90), (84, 130, 110))
    gx, tall = -side * dice.between(0.6, 0.9, "grass x"), dice.between(0.2, 0.4, "tall")
    for blade in (-1, 0, 1):
        tuft = limb(x, y, (gx + 0.03 * blade, -1.02), (gx + 0.13 * blade, -1.0 + tall), 0.045, 0.01)
        rgb = _over(rgb, grass, soft(tuft, pixel) * dice.chance(0.5, "grass"))
    sun = circle(x, y, (side * dice.between(0.55, 0.8, "ball x"), dice.between(0.62, 0.82, "ball y")), dice.between(0.08, 0.13, "ball r"))
    return _over(rgb, dice.colour("ball", (252, 238, 190), (250, 220, 200)), soft(sun, 2 * pixel) * dice.chance(0.3, "ball"))


def soft(distance: Field, width: Field | float) -> Field:
    """1 inside, 0 outside, going over within `width`."""
    return np.clip(np.float32(0.5) - distance / width, 0, 1)


def _over(rgb: Field, colour: Field, alpha: Field) -> Field:
    return rgb + alpha * (colour - rgb)
