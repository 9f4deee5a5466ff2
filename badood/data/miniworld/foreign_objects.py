"""Objects that are never in-distribution. Each function paints one class into [-1, 1]^2, standing on y = -1."""

import numpy as np

from badood.data.miniworld.canvas import Canvas
from badood.data.miniworld.id_objects import BRIGHT, Painter
from badood.data.miniworld.shapes import Point, both, box, circle, cut, ellipse, half_plane, join, limb, melt, polygon, ring, rotate


def guitar(c: Canvas) -> None:
    """A waisted body with a sound hole and a long neck."""
    x, y, dice = c.x, c.y, c.dice
    wood, dark = dice.colour("wood", (206, 140, 70), (170, 90, 50), (200, 70, 60), (80, 120, 170)), dice.colour("dark", (70, 48, 40))
    c.paint(box(x, y, (0.0, 0.35), 0.085, 0.55, 0.02), dark, round=0.06)
    c.paint(box(x, y, (0.0, 0.86), 0.14, 0.12, 0.04), wood * 0.8, round=0.06)
    c.paint(melt(circle(x, y, (0.0, -0.55), 0.42), circle(x, y, (0.0, -0.02), dice.between(0.27, 0.33, "waist")), 0.2), wood, round=0.2)
    c.mark(circle(x, y, (0.0, -0.22), 0.14), dark)
    c.mark(box(x, y, (0.0, -0.64), 0.18, 0.04), dark)
    c.mark(box(x, y, (0.0, 0.0), 0.03, 0.66), dice.colour("strings", (235, 225, 205)), 0.6)


def key(c: Canvas) -> None:
    """A ring bow, a shaft and two teeth."""
    dice = c.dice
    x, y = rotate(c.x, c.y, dice.between(-0.9, 0.9, "turn"))
    metal = dice.colour("metal", (216, 172, 70), (160, 165, 176), (180, 110, 70))
    bow = dice.between(0.26, 0.32, "bow")
    c.paint(box(x, y, (0.15, -0.86), 0.17, 0.06, 0.02), metal, round=0.06)
    c.paint(box(x, y, (0.13, -0.62), 0.15, 0.06, 0.02), metal, round=0.06)
    c.paint(limb(x, y, (0.0, 0.3), (0.0, -0.9), 0.085), metal, round=0.08)
    c.paint(ring(x, y, (0.0, 0.56), bow, 0.115), metal, round=0.1)


def anchor(c: Canvas) -> None:
    """Ring, stock, shank and two flukes."""
    x, y, dice = c.x, c.y, c.dice
    iron = dice.colour("iron", (80, 96, 120), (60, 60, 70), (170, 80, 70), (190, 160, 90))
    c.paint(ring(x, y, (0.0, 0.78), 0.15, 0.06), iron, round=0.06)
    arc = both(ring(x, y, (0.0, -0.12), 0.68, 0.1), half_plane(x, y, (0.0, -0.22), np.pi / 2))
    c.paint(join(arc, limb(x, y, (0.0, 0.6), (0.0, -0.8), 0.1), limb(x, y, (-0.36, 0.38), (0.36, 0.38), 0.085)), iron, round=0.1)
    for side in (-1, 1):
        c.paint(polygon(x, y, ((side * 0.66, 0.14), (side * 0.92, -0.3), (side * 0.44, -0.28)), 0.03), iron, round=0.08)


def clock(c: Canvas) -> None:
    """A round alarm clock with two bells."""
    x, y, dice = c.x, c.y, c.dice
    case, face = dice.colour("case", *BRIGHT), dice.colour("face", (246, 242, 230))
    ink = dice.colour("ink", (50, 50, 60))
    for side in (-1, 1):
        c.paint(limb(x, y, (side * 0.4, -0.6), (side * 0.58, -0.9), 0.08), case * 0.7, round=0.08)
        c.paint(circle(x, y, (side * 0.46, 0.62), 0.25), case * 0.85, round=0.2)
    c.paint(circle(x, y, (0.0, -0.1), 0.76), case, round=0.2)
    c.paint(circle(x, y, (0.0, -0.1), 0.58), face, round=0.1, shine=0.15)
    for hour in range(4):
        c.mark(circle(x, y, (np.cos(hour * np.pi / 2) * 0.46, -0.1 + np.sin(hour * np.pi / 2) * 0.46), 0.05), ink)
    for name, reach, pen in (("hour", 0.28, 0.055), ("minute", 0.44, 0.04)):
        turn = dice.between(0, 6.28, name)
        c.mark(limb(x, y, (0.0, -0.1), (np.cos(turn) * reach, -0.1 + np.sin(turn) * reach), pen), ink)


def snowman(c: Canvas) -> None:
    """Three snowballs, a carrot, coal and a hat."""
    x, y, dice = c.x, c.y, c.dice
    snow, coal = dice.colour("snow", (236, 240, 248), (220, 230, 244), spread=0.03), dice.colour("coal", (48, 48, 56))
    scarf = dice.colour("scarf", *BRIGHT)
    for side in (-1, 1):
        c.paint(limb(x, y, (side * 0.25, -0.05), (side * 0.85, 0.2 + dice.between(-0.1, 0.1, "arm", side)), 0.04), coal * 1.6, round=0.05)
    c.paint(circle(x, y, (0.0, -0.5), 0.48), snow, round=0.4)
    c.paint(circle(x, y, (0.0, 0.05), 0.34), snow, round=0.3)
    c.paint(circle(x, y, (0.0, 0.45), 0.26), snow, round=0.22)
    c.paint(box(x, y, (0.0, 0.22), 0.26, 0.07, 0.06), scarf, round=0.06)
    c.paint(box(x, y, (0.0, 0.66), 0.34, 0.05, 0.03), coal, round=0.05)
    c.paint(box(x, y, (0.0, 0.82), 0.22, 0.17, 0.03), coal, round=0.1)
    for side in (-1, 1):
        c.mark(circle(x, y, (side * 0.1, 0.51), 0.04), coal)
    c.mark(limb(x, y, (0.0, 0.44), (0.2, 0.4), 0.05, 0.01), dice.colour("carrot", (240, 130, 50)))
    for button in (0.08, -0.1, -0.4):
        c.mark(circle(x, y, (0.0, button), 0.045), coal)


def butterfly(c: Canvas) -> None:
    """Four patterned wings and a thin body."""
    x, y, dice = c.x, c.y, c.dice
    wing, spot, body = dice.colour("wing", *BRIGHT), dice.colour("spot", *BRIGHT, (250, 240, 220)), dice.colour("body", (60, 48, 44))
    upper, lower = dice.between(0.4, 0.5, "upper"), dice.between(0.28, 0.36, "lower")
    for side in (-1, 1):
        c.paint(ellipse(*rotate(x - side * 0.4, y + 0.42, side * 0.5), (0.0, 0.0), lower, lower * 1.2), wing * 0.85, round=0.2)
        c.paint(ellipse(*rotate(x - side * 0.5, y - 0.3, -side * 0.7), (0.0, 0.0), upper * 0.85, upper * 1.15), wing, round=0.2)
        c.mark(circle(x, y, (side * 0.56, 0.36), 0.17), spot)
        c.mark(circle(x, y, (side * 0.42, -0.46), 0.12), spot)
        c.paint(limb(x, y, (0.0, 0.5), (side * 0.2, 0.86), 0.025), body, round=0.05)
    c.paint(limb(x, y, (0.0, 0.45), (0.0, -0.6), 0.1, 0.05), body, round=0.08)


def tree(c: Canvas) -> None:
    """A fir of three tiers."""
    x, y, dice = c.x, c.y, c.dice
    green, bark = dice.colour("green", (44, 110, 70), (70, 130, 60), (50, 120, 100)), dice.colour("bark", (120, 84, 56))
    c.paint(box(x, y, (0.0, -0.8), 0.12, 0.2, 0.02), bark, round=0.1)
    wide = dice.between(0.56, 0.74, "wide")
    for tier, (low, high, share) in enumerate(((-0.65, 0.1, 1.0), (-0.2, 0.5, 0.78), (0.2, 0.92, 0.55))):
        c.paint(polygon(x, y, ((-wide * share, low), (0.0, high), (wide * share, low)), 0.05), green * (0.9 + 0.08 * tier), round=0.25)


def bus(c: Canvas) -> None:
    """A long box with a row of windows."""
    x, y, dice = c.x, c.y, c.dice
    paint, glass = dice.colour("paint", *BRIGHT), dice.colour("glass", (180, 214, 232), (140, 190, 214))
    tyre, hub = dice.colour("tyre", (46, 46, 52)), dice.colour("hub", (180, 180, 186))
    high = dice.between(0.48, 0.62, "high")
    c.paint(box(x, y, (0.0, (high - 0.6) / 2), 0.96, (high + 0.6) / 2, 0.12), paint, round=0.15)
    for number in range(4):
        c.mark(box(x, y, (-0.68 + 0.4 * number, high - 0.3), 0.16, 0.17, 0.03), glass)
    c.mark(box(x, y, (0.84, high - 0.42), 0.08, 0.26, 0.03), glass)
    c.mark(box(x, y, (0.0, -0.22), 1.0, 0.05), dice.colour("band", (245, 240, 228)))
    for wx in (-0.55, 0.55):
        c.paint(circle(x, y, (wx, -0.62), 0.23), tyre, round=0.1)
        c.mark(circle(x, y, (wx, -0.62), 0.1), hub)


def lighthouse(c: Canvas) -> None:
    """A banded tower with a lamp room."""
    x, y, dice = c.x, c.y, c.dice
    band, wall = dice.colour("band", *BRIGHT), dice.colour("wall", (244, 240, 230))
    low = dice.between(0.36, 0.46, "low")
    tower = polygon(x, y, ((-low, -0.92), (-0.22, 0.36), (0.22, 0.36), (low, -0.92)), 0.02)
    c.paint(box(x, y, (0.0, 0.56), 0.16, 0.17, 0.02), dice.colour("lamp", (255, 226, 120)), round=0.1)
    c.paint(polygon(x, y, ((-0.26, 0.72), (0.0, 0.95), (0.26, 0.72)), 0.03), band * 0.85, round=0.1)
    c.paint(tower, wall, round=0.3)
    for number in range(3):
        c.mark(both(box(x, y, (0.0, 0.16 - 0.42 * number), 1.0, 0.1), tower), band)
    c.paint(box(x, y, (0.0, 0.38), 0.3, 0.055, 0.02), band * 0.7, round=0.05)
    c.mark(box(x, y, (0.0, -0.82), 0.09, 0.13, 0.05), band * 0.5)


def apple(c: Canvas) -> None:
    """A round fruit, dented at the top, with stalk and leaf."""
    x, y, dice = c.x, c.y, c.dice
    skin, stalk = dice.colour("skin", (206, 50, 46), (120, 176, 70), (232, 190, 80)), dice.colour("stalk", (110, 76, 50))
    wide = dice.between(0.22, 0.28, "wide")
    body = melt(circle(x, y, (-wide, -0.15), 0.56), circle(x, y, (wide, -0.15), 0.56), 0.15)
    for side in (-1, 1):
        body = melt(body, circle(x, y, (side * 0.18, -0.48), 0.44), 0.2)
    c.paint(body, skin, round=0.5, shine=0.5)
    c.paint(limb(x, y, (0.0, 0.22), (dice.between(-0.1, 0.1, "stalk"), 0.72), 0.05), stalk, round=0.05)
    c.paint(both(circle(x, y, (0.26, 0.3), 0.4), circle(x, y, (0.3, 0.82), 0.36)), dice.colour("leaf", (96, 160, 70)), round=0.1)


def jellyfish(c: Canvas) -> None:
    """A bell with trailing tentacles."""
    x, y, dice = c.x, c.y, c.dice
    skin = dice.colour("skin", (226, 140, 190), (150, 130, 214), (120, 180, 220), (240, 170, 130))
    for number in range(5):
        left = -0.5 + 0.25 * number
        wave = 0.07 * np.sin(y * 7 + dice.between(0, 6.28, "wave", number), dtype=np.float32)
        end = dice.between(-0.95, -0.6, "end", number)
        c.paint(limb(x + wave, y, (left, 0.1), (left * 1.1, end), 0.065, 0.035), skin * 0.85, round=0.06)
    high = dice.between(0.6, 0.78, "high")
    c.paint(both(ellipse(x, y, (0.0, 0.1), 0.74, high), half_plane(x, y, (0.0, 0.02), -np.pi / 2)) - 0.03, skin, round=0.4, shine=0.5)
    c.mark(ellipse(x, y, (0.0, 0.08), 0.62, 0.09), np.minimum(skin * 1.25, 1), 0.6)


def mug(c: Canvas) -> None:
    """A straight cup with a handle and something hot in it."""
    x, y, dice = c.x, c.y, c.dice
    china, tea = dice.colour("china", *BRIGHT, (236, 230, 220)), dice.colour("tea", (120, 70, 40), (160, 100, 50))
    side, half = dice.either("handle"), dice.between(0.46, 0.56, "half")
    c.paint(ring(x, y, (side * (half + 0.06), -0.12), 0.3, 0.085), china * 0.92, round=0.09)
    c.paint(box(x, y, (0.0, -0.15), half, 0.76, 0.12), china, round=0.35)
    c.paint(ellipse(x, y, (0.0, 0.58), half, 0.14), china * 1.1, round=0.06)
    c.mark(ellipse(x, y, (0.0, 0.57), half * 0.84, 0.095), tea)
    c.mark(circle(x, y, (0.0, -0.2), 0.2), np.minimum(china * 0.5 + 0.5, 1))


def bicycle(c: Canvas) -> None:
    """Two wheels, a frame, saddle and handlebar."""
    x, y, dice = c.x, c.y, c.dice
    frame, tyre = dice.colour("frame", *BRIGHT), dice.colour("tyre", (50, 50, 56))
    radius = dice.between(0.36, 0.41, "wheel")
    for wx in (-0.55, 0.55):
        c.paint(ring(x, y, (wx, -0.5), radius, 0.065), tyre, round=0.06)
        c.paint(circle(x, y, (wx, -0.5), 0.08), tyre, round=0.05)
    back, front, pedal, saddle, head = (-0.55, -0.5), (0.55, -0.5), (-0.05, -0.5), (-0.2, 0.15), (0.36, 0.2)
    pairs = ((back, pedal), (back, saddle), (pedal, saddle), (pedal, head), (saddle, head), (head, front))
    c.paint(join(*(limb(x, y, start, end, 0.055) for start, end in pairs)), frame, round=0.06)
    c.paint(limb(x, y, (-0.38, 0.26), (-0.08, 0.24), 0.08, 0.05), tyre, round=0.06)
    c.paint(join(limb(x, y, head, (0.3, 0.45), 0.05), limb(x, y, (0.3, 0.45), (0.5, 0.5), 0.05)), tyre, round=0.05)


def crown(c: Canvas) -> None:
    """Five points with balls on a jewelled band."""
    x, y, dice = c.x, c.y, c.dice
    gold, jewel = dice.colour("gold", (240, 190, 60), (220, 170, 90), (200, 200, 214)), dice.colour("jewel", *BRIGHT)
    high = dice.between(0.42, 0.6, "high")
    tips: list[Point] = [(-0.88, high), (-0.46, high + 0.1), (0.0, high + 0.2), (0.46, high + 0.1), (0.88, high)]
    between: list[Point] = [(-0.6, -0.05), (-0.2, 0.0), (0.2, 0.0), (0.6, -0.05)]
    teeth = [corner for pair in zip(tips, [*between, (0.72, -0.6)], strict=True) for corner in pair]
    c.paint(polygon(x, y, [(-0.72, -0.6), *teeth], 0.03), gold, round=0.2)
    for tip in tips:
        c.paint(circle(x, y, tip, 0.1), jewel, round=0.1)
    c.paint(box(x, y, (0.0, -0.6), 0.78, 0.14, 0.05), gold * 0.88, round=0.12)
    for number in (-1, 0, 1):
        c.mark(circle(x, y, (number * 0.45, -0.6), 0.085), jewel)


def rocket(c: Canvas) -> None:
    """A pointed hull with a porthole, fins and a flame."""
    dice = c.dice
    x, y = rotate(c.x, c.y, dice.between(-0.6, 0.6, "turn"))
    hull, fin = dice.colour("hull", (232, 232, 236), (200, 210, 224)), dice.colour("fin", *BRIGHT)
    c.paint(limb(x, y, (0.0, -0.55), (0.0, -0.92), 0.16, 0.03), dice.colour("flame", (250, 170, 50)), round=0.1)
    for side in (-1, 1):
        c.paint(polygon(x, y, ((side * 0.2, -0.15), (side * 0.55, -0.66), (side * 0.2, -0.55)), 0.04), fin, round=0.1)
    wide = dice.between(0.6, 0.68, "wide")
    body = both(circle(x, y, (0.3 - wide, 0.0), wide + 0.02), circle(x, y, (wide - 0.3, 0.0), wide + 0.02))
    body = both(melt(body, limb(x, y, (0.0, 0.75), (0.0, -0.4), 0.06, 0.3), 0.2), half_plane(x, y, (0.0, -0.6), -np.pi / 2))
    c.paint(body, hull, round=0.25)
    c.mark(both(body, half_plane(x, y, (0.0, 0.42), -np.pi / 2)), fin)
    c.mark(circle(x, y, (0.0, 0.12), 0.16), fin * 0.7)
    c.mark(circle(x, y, (0.0, 0.12), 0.11), dice.colour("glass", (170, 214, 240)))


def ladder(c: Canvas) -> None:
    """Two rails and five rungs."""
    dice = c.dice
    x, y = rotate(c.x, c.y, dice.between(-0.35, 0.35, "lean"))
    wood = dice.colour("wood", (196, 140, 80), (150, 150, 160), (200, 80, 70), (90, 130, 170))
    half = dice.between(0.3, 0.42, "half")
    for number in range(5):
        c.paint(limb(x, y, (-half, -0.72 + 0.36 * number), (half, -0.72 + 0.36 * number), 0.065), wood * 0.88, round=0.07)
    for side in (-1, 1):
        c.paint(limb(x, y, (side * half, -0.92), (side * half, 0.92), 0.08), wood, round=0.08)


def sailboat(c: Canvas) -> None:
    """A hull with a mast and two sails."""
    x, y, dice = c.x, c.y, c.dice
    hull, sail, mast = dice.colour("hull", *BRIGHT), dice.colour("sail", (246, 240, 226), *BRIGHT), dice.colour("mast", (110, 78, 54))
    top = dice.between(0.8, 0.94, "top")
    c.paint(limb(x, y, (0.0, -0.5), (0.0, top), 0.04), mast, round=0.05)
    c.paint(polygon(x, y, ((0.1, -0.36), (0.1, top - 0.08), (0.78, -0.36)), 0.02), sail, round=0.25)
    c.paint(polygon(x, y, ((-0.1, -0.36), (-0.1, top - 0.25), (-0.62, -0.36)), 0.02), sail * 0.9, round=0.25)
    c.paint(polygon(x, y, ((-0.88, -0.48), (0.94, -0.48), (0.62, -0.9), (-0.6, -0.9)), 0.05), hull, round=0.2)


def balloon(c: Canvas) -> None:
    """A hot-air balloon: striped envelope, ropes, basket."""
    x, y, dice = c.x, c.y, c.dice
    cloth, second, basket = (
        dice.colour("cloth", *BRIGHT),
        dice.colour("second", *BRIGHT, (246, 238, 222)),
        dice.colour("basket", (150, 104, 62)),
    )
    for side in (-1, 1):
        c.paint(limb(x, y, (side * 0.34, -0.25), (side * 0.14, -0.72), 0.022), basket * 0.7, round=0.05)
    bag = melt(circle(x, y, (0.0, 0.3), dice.between(0.6, 0.66, "bag")), limb(x, y, (0.0, 0.1), (0.0, -0.34), 0.42, 0.16), 0.2)
    c.paint(bag, cloth, round=0.45, shine=0.5)
    c.mark(both(cut(ellipse(x, y, (0.0, 0.25), 0.44, 0.8), ellipse(x, y, (0.0, 0.25), 0.17, 0.8)), bag), second, 0.9)
    c.paint(box(x, y, (0.0, -0.82), 0.18, 0.13, 0.04), basket, round=0.1)


AUXILIARY: dict[str, Painter] = {painter.__name__: painter for painter in (guitar, key, anchor, clock, snowman, butterfly)}
NEAR: dict[str, Painter] = {painter.__name__: painter for painter in (tree, bus, lighthouse, apple, jellyfish, mug)}
FAR: dict[str, Painter] = {
    "hot-air balloon" if painter is balloon else painter.__name__: painter
    for painter in (bicycle, crown, rocket, ladder, sailboat, balloon)
}
