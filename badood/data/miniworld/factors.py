"""Covariate factors: the same object under other conditions. Strength 0 leaves the picture as it is, 1 is the strongest."""

from collections.abc import Callable

import numpy as np

from badood.data.miniworld.dice import Dice
from badood.data.miniworld.scene import Picture
from badood.data.miniworld.shapes import Field, length, rotate

LEVELS = 8  # 0 = clean ... 7
Factor = Callable[[Picture, Field, Dice], Field]
"""(picture, strength (B, 1, 1) in [0, 1], dice) -> (3, B, H, W) RGB."""


def palette(picture: Picture, strength: Field, dice: Dice) -> Field:
    """All hues turn round the colour circle, up to its other side."""
    angle = strength * np.float32(np.pi) * dice.either("palette")
    rgb = picture.flat()
    grey = rgb.mean(axis=0)
    c, s = np.cos(angle), np.sin(angle) / np.float32(np.sqrt(3))
    off = rgb - grey
    return grey + c * off + s * np.stack([off[2] - off[1], off[0] - off[2], off[1] - off[0]])


def texture(picture: Picture, strength: Field, dice: Dice) -> Field:
    """Stripes in two foreign colours cover the object's surface."""
    u, _ = rotate(picture.x, picture.y, dice.between(0, 3.14, "texture angle"))
    wave = np.clip(0.5 + 2 * np.sin(u * dice.between(14, 24, "texture width")), 0, 1)
    first, second = (dice.noise.uniform((3,), "texture", name).numpy().T[:, :, None, None] for name in ("first", "second"))
    pattern = first + wave * (second - first)
    front = picture.front + strength * np.float32(0.9) * (pattern * (0.4 + 0.6 * picture.front.mean(axis=0)) - picture.front)
    return picture.back + picture.alpha * (front - picture.back)


def background(picture: Picture, strength: Field, dice: Dice) -> Field:
    """A loud chequered wall replaces sky and ground."""
    u, v = rotate(picture.x, picture.y, dice.between(0, 1.57, "background angle"))
    width = dice.between(6, 11, "background width")
    checks = np.clip(0.5 + 3 * np.sin(u * width) * np.sin(v * width), 0, 1)
    first, second = (dice.noise.uniform((3,), "background", name).numpy().T[:, :, None, None] for name in ("first", "second"))
    back = picture.back + strength * (first + checks * (second - first) - picture.back)
    return back + picture.alpha * (picture.front - back)


def lighting(picture: Picture, strength: Field, dice: Dice) -> Field:
    """Night falls: a coloured lamp lights one side, the rest goes dark."""
    lamp = length(picture.x - dice.between(-0.8, 0.8, "lamp x"), picture.y - dice.between(-0.2, 0.8, "lamp y"))
    tint = dice.colour("lamp", (255, 190, 120), (140, 170, 255), (160, 255, 180))
    lit = 0.12 + 0.88 * np.exp(-2.2 * lamp * lamp)
    return picture.flat() * (1 + strength * (lit * tint - 1))


def blur(picture: Picture, strength: Field, dice: Dice) -> Field:
    """Out of focus: Gaussian with a standard deviation up to a fifteenth of the picture's width."""
    rgb = picture.flat()
    size = rgb.shape[-1]
    sigma = np.maximum(strength * np.float32(size / 15), 1e-3)[:, 0, :, None]
    offset = np.arange(size, dtype=np.float32)
    kernel = np.exp(-((offset[:, None] - offset[None]) ** 2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum(axis=2, keepdims=True)).astype(np.float32)
    return kernel @ rgb @ kernel.transpose(0, 2, 1)


def noise(picture: Picture, strength: Field, dice: Dice) -> Field:
    """Grain of the sensor: Gaussian with a standard deviation up to 0.35."""
    rgb = picture.flat()
    grain = dice.noise.normal((3, *rgb.shape[2:]), "grain").numpy().transpose(1, 0, 2, 3)
    return rgb + strength * np.float32(0.35) * grain


def occlusion(picture: Picture, strength: Field, dice: Dice) -> Field:
    """Plain slats stand in front, up to 55 % of the width."""
    u, _ = rotate(picture.x, picture.y, dice.between(-0.5, 0.5, "slat angle"))
    phase = np.mod(u * np.float32(2.2) + dice.between(0, 1, "slat phase"), 1)
    inside = np.clip((strength * np.float32(0.275) - np.abs(phase - 0.5)) * np.float32(14) + 0.5, 0, 1)
    rgb = picture.flat()
    return rgb + inside * np.minimum(1, 4 * strength) * (dice.colour("slat", (120, 90, 70), (70, 90, 110), (200, 200, 200)) - rgb)


def drawing(picture: Picture, strength: Field, dice: Dice) -> Field:
    """Colour fades into dark lines on paper."""
    rgb = picture.flat()
    grey = rgb.mean(axis=0)
    dx, dy = np.zeros_like(grey), np.zeros_like(grey)
    dx[:, :, 1:-1] = grey[:, :, 2:] - grey[:, :, :-2]
    dy[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    line = np.clip(3.5 * length(dx, dy) - 0.15, 0, 1)
    paper = dice.colour("paper", (250, 248, 240), (246, 240, 224), spread=0.02)
    return rgb + strength * (paper * (1 - np.float32(0.85) * line) - rgb)


FACTORS: dict[str, Factor] = {
    factor.__name__: factor for factor in (palette, texture, background, lighting, blur, noise, occlusion, drawing)
}
