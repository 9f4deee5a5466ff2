"""The in-distribution objects. Each function paints one class into [-1, 1]^2, standing on y = -1."""

from collections.abc import Callable

import numpy as np

from badood.data.miniworld.canvas import Canvas
from badood.data.miniworld.shapes import both, box, circle, cut, ellipse, half_plane, join, limb, melt, polygon, ring, rotate

Painter = Callable[[Canvas], None]

BRIGHT = ((214, 63, 58), (52, 113, 186), (240, 178, 50), (60, 150, 110), (133, 88, 165), (225, 120, 50), (70, 160, 185), (205, 95, 135))


def broccoli(c: Canvas) -> None:
    """A thick stem that branches into a crown of round florets."""
    x, y, dice = c.x, c.y, c.dice
    stem = dice.colour("stem", (164, 196, 106), (150, 190, 120))
    crown = dice.colour("crown", (56, 122, 52), (72, 138, 60), (44, 110, 66))
    wide, thick = dice.between(0.5, 0.66, "wide"), dice.between(0.19, 0.27, "thick")
    trunk = limb(x, y, (0.0, -0.85), (0.0, -0.1), thick, thick * 0.85)
    for side in (-1, 1):
        trunk = melt(trunk, limb(x, y, (0.0, -0.35), (side * wide * 0.8, 0.12), 0.13, 0.1), 0.15)
    c.paint(trunk, stem)
    places = [(-1.0, 0.1), (1.0, 0.1), (-0.62, 0.5), (0.62, 0.5), (0.0, 0.62), (-0.42, 0.14), (0.42, 0.14), (0.0, 0.3)]
    for number, (px, py) in enumerate(places):
        centre = (px * wide + dice.between(-0.05, 0.05, "px", number), py + dice.between(-0.05, 0.05, "py", number))
        c.paint(circle(x, y, centre, dice.between(0.26, 0.35, "floret", number)), crown * (0.86 + 0.04 * number), round=0.3, shine=0.5)


def candle(c: Canvas) -> None:
    """A wax candle with a burning wick on a dish."""
    x, y, dice = c.x, c.y, c.dice
    wax = dice.colour("wax", (240, 228, 200), (214, 80, 74), (90, 130, 190), (236, 190, 90), (150, 110, 175), (120, 170, 120))
    dish = dice.colour("dish", (176, 138, 70), (120, 120, 130), (150, 90, 60))
    half, top = dice.between(0.22, 0.32, "half"), dice.between(0.05, 0.32, "top")
    side = dice.either("handle")
    c.paint(ring(x, y, (side * 0.68, -0.8), 0.16, 0.055), dish * 0.9, round=0.06)
    c.paint(ellipse(x, y, (0.0, -0.86), dice.between(0.56, 0.66, "dish"), 0.14), dish, round=0.12)
    body = box(x, y, (0.0, (top - 0.82) / 2), half, (top + 0.82) / 2, 0.07)
    drip = dice.between(0.15, 0.45, "drip")
    c.paint(body, wax, round=half)
    c.paint(limb(x, y, (half * side * -0.8, top - 0.05), (half * side * -0.85, top - drip), 0.075), wax * 1.06, round=0.08)
    c.mark(ellipse(x, y, (0.0, top - 0.03), half * 0.86, 0.06), np.minimum(wax * 1.18, 1))
    black = dice.colour("wick", (60, 48, 44))
    c.paint(limb(x, y, (0.0, top), (0.0, top + 0.14), 0.028), black, round=0.05)
    lean, high = dice.between(-0.08, 0.08, "lean"), dice.between(0.3, 0.4, "high")
    flame = melt(circle(x, y, (0.0, top + 0.24), 0.145), limb(x, y, (0.0, top + 0.26), (lean, top + 0.2 + high), 0.11, 0.015), 0.08)
    c.paint(flame, dice.colour("flame", (250, 160, 40)), round=0.1, shine=0.1)
    c.mark(flame + 0.06, dice.colour("core", (255, 232, 130)))


def starfish(c: Canvas) -> None:
    """Five tapering arms with rows of pale dots."""
    dice = c.dice
    x, y = rotate(c.x, c.y, dice.between(-3.14, 3.14, "turn"))
    skin = dice.colour("skin", (232, 128, 64), (222, 96, 110), (186, 100, 160), (236, 172, 80), (205, 80, 60), (110, 130, 190))
    thick, thin = dice.between(0.29, 0.37, "thick"), dice.between(0.08, 0.13, "thin")
    tips = []
    body = circle(x, y, (0.0, 0.0), 0.3)
    for arm in range(5):
        angle = np.pi / 2 + arm * 2 * np.pi / 5 + dice.between(-0.12, 0.12, "angle", arm)
        reach = dice.between(0.82, 0.95, "reach", arm)
        tips.append((np.cos(angle) * reach, np.sin(angle) * reach))
        body = melt(body, limb(x, y, (0.0, 0.0), tips[-1], thick, thin), 0.12)
    c.paint(body, skin, round=0.25, shine=0.5)
    pale = np.minimum(skin * 1.25 + 0.08, 1)
    c.mark(circle(x, y, (0.0, 0.0), 0.09), pale)
    for tx, ty in tips:
        for share, radius in ((0.3, 0.075), (0.55, 0.06), (0.78, 0.045)):
            c.mark(circle(x, y, (tx * share, ty * share), radius), pale)


def strawberry(c: Canvas) -> None:
    """A pointed fruit with seeds under a collar of leaves."""
    x, y, dice = c.x, c.y, c.dice
    fruit = dice.colour("fruit", (216, 44, 52), (228, 70, 76), (196, 34, 62))
    wide, tip = dice.between(0.2, 0.32, "wide"), dice.between(-0.72, -0.56, "tip")
    body = limb(x, y, (0.0, 0.05), (0.0, tip), 0.6, 0.24)
    for side in (-1, 1):
        body = melt(body, circle(x, y, (side * wide, 0.18), 0.42), 0.25)
    c.paint(body, fruit, round=0.45, shine=0.5)
    seed = dice.colour("seed", (250, 214, 120))
    for row, (sy, count) in enumerate(((0.22, 4), (-0.04, 3), (-0.3, 4), (-0.55, 3))):
        for number in range(count):
            sx = (number - (count - 1) / 2) * (0.36 - 0.06 * row) + dice.between(-0.02, 0.02, "seed", row, number)
            c.mark(ellipse(x, y, (sx, sy), 0.04, 0.06), seed)
    leaf = dice.colour("leaf", (78, 150, 62), (96, 164, 70), (60, 134, 74))
    c.paint(limb(x, y, (0.0, 0.55), (dice.between(-0.15, 0.15, "stem"), 0.98), 0.06, 0.05), leaf * 0.85, round=0.06)
    for number, angle in enumerate((-2.95, -2.35, -1.57, -0.8, -0.2)):
        turn, reach = angle + dice.between(-0.12, 0.12, "leaf", number), dice.between(0.4, 0.52, "reach", number)
        c.paint(limb(x, y, (0.0, 0.6), (np.cos(turn) * reach * 1.2, 0.6 + np.sin(turn) * reach), 0.13, 0.025), leaf, round=0.1)


def jeep(c: Canvas) -> None:
    """An off-road car from the side: square cabin, flat bonnet, big wheels, spare wheel behind."""
    x, y, dice = c.x, c.y, c.dice
    metal = dice.colour("metal", *BRIGHT, (110, 124, 80), (190, 180, 150))
    tyre, hub = dice.colour("tyre", (46, 46, 52)), dice.colour("hub", (176, 178, 184))
    glass = dice.colour("glass", (186, 220, 236), (150, 196, 220))
    high, bonnet = dice.between(0.36, 0.5, "high"), dice.between(0.22, 0.34, "bonnet")
    c.paint(circle(x, y, (-0.94, 0.0), 0.22), tyre, round=0.12)
    cabin = polygon(x, y, ((-0.82, -0.1), (-0.78, high), (bonnet - 0.12, high), (bonnet + 0.04, -0.1)), 0.05)
    c.paint(cabin, metal * 0.92, round=0.15)
    middle = (bonnet - 0.8) / 2
    c.mark(polygon(x, y, ((-0.7, 0.06), (-0.68, high - 0.07), (middle - 0.06, high - 0.07), (middle - 0.06, 0.06)), 0.02), glass)
    c.mark(
        polygon(x, y, ((middle + 0.06, 0.06), (middle + 0.06, high - 0.07), (bonnet - 0.2, high - 0.07), (bonnet - 0.09, 0.06)), 0.02),
        glass,
    )
    c.paint(box(x, y, (0.02, -0.22), 0.9, 0.24, 0.08), metal, round=0.18)
    c.mark(box(x, y, (middle, -0.22), 0.015, 0.2), metal * 0.7)
    c.paint(box(x, y, (0.9, -0.4), 0.1, 0.06, 0.03), hub, round=0.05)
    c.paint(circle(x, y, (0.84, -0.14), 0.075), dice.colour("lamp", (255, 236, 150)), round=0.06)
    radius = dice.between(0.29, 0.34, "wheel")
    for wx in (-0.52, 0.54):
        c.mark(circle(x, y, (wx, -0.52), radius + 0.07), metal * 0.55)
        c.paint(circle(x, y, (wx, -0.6), radius), tyre, round=0.12)
        c.mark(circle(x, y, (wx, -0.6), radius * 0.5), hub)
        c.mark(circle(x, y, (wx, -0.6), radius * 0.18), tyre)


def mushroom(c: Canvas) -> None:
    """A stem under a spotted cap."""
    x, y, dice = c.x, c.y, c.dice
    stem, spot = dice.colour("stem", (240, 228, 206), (222, 206, 180)), dice.colour("spot", (250, 240, 226))
    cap = dice.colour("cap", (204, 50, 46), (160, 106, 66), (196, 130, 60), (130, 84, 150), (90, 110, 160))
    thick, wide, high = dice.between(0.18, 0.28, "thick"), dice.between(0.76, 0.95, "wide"), dice.between(0.68, 0.9, "high")
    c.paint(limb(x, y, (0.0, -0.76), (0.0, 0.05), thick * 1.25, thick * 0.9), stem, round=0.25)
    c.paint(ellipse(x, y, (0.0, 0.02), wide * 0.86, 0.15), stem * 0.8, round=0.1)
    dome = both(ellipse(x, y, (0.0, 0.0), wide, high), half_plane(x, y, (0.0, 0.02), -np.pi / 2))
    c.paint(dome - 0.03, cap, round=0.45, shine=0.5)
    for number, (sx, sy, radius) in enumerate(
        ((-0.5, 0.25, 0.11), (0.0, 0.5, 0.14), (0.5, 0.28, 0.12), (-0.16, 0.16, 0.08), (0.25, 0.12, 0.07))
    ):
        c.mark(ellipse(x, y, (sx * wide + dice.between(-0.05, 0.05, "spot", number), sy * high), radius * 1.1, radius), spot)


def teapot(c: Canvas) -> None:
    """A round pot with spout, handle, lid and knob."""
    x, y, dice = c.x, c.y, c.dice
    china, band = dice.colour("china", *BRIGHT, (232, 226, 214)), dice.colour("band", (246, 240, 226), (250, 210, 120), (60, 80, 120))
    wide, high = dice.between(0.54, 0.64, "wide"), dice.between(0.46, 0.58, "high")
    c.paint(ring(x, y, (-wide - 0.08, -0.16), 0.27, 0.07), china * 0.92, round=0.08)
    spout = melt(limb(x, y, (wide * 0.7, -0.4), (0.78, -0.05), 0.19, 0.11), limb(x, y, (0.76, -0.08), (0.94, 0.26), 0.11, 0.075), 0.08)
    c.paint(spout, china, round=0.14)
    c.paint(ellipse(x, y, (0.0, -0.78), wide * 0.62, 0.1), china * 0.8, round=0.08)
    c.paint(ellipse(x, y, (0.0, -0.25), wide, high), china, round=0.4, shine=0.5)
    level = dice.between(-0.4, -0.15, "level")
    c.mark(both(box(x, y, (0.0, level), 1.0, 0.09), ellipse(x, y, (0.0, -0.25), wide, high)), band, 0.85)
    c.paint(ellipse(x, y, (0.0, high - 0.3), wide * 0.6, 0.13), china * 1.05, round=0.1)
    c.paint(circle(x, y, (0.0, high - 0.1), 0.1), band, round=0.08)


def fish(c: Canvas) -> None:
    """A fish from the side: fins, forked tail, eye, stripes."""
    x, y, dice = c.x, c.y, c.dice
    skin, fin = dice.colour("skin", *BRIGHT), dice.colour("fin", (246, 190, 80), (230, 110, 80), (90, 130, 180), (240, 220, 160))
    high, tail = dice.between(0.36, 0.5, "high"), dice.between(0.36, 0.52, "tail")
    c.paint(polygon(x, y, ((-0.45, 0.0), (-0.94, tail), (-0.78, 0.0), (-0.94, -tail)), 0.05), fin, round=0.2)
    c.paint(polygon(x, y, ((-0.25, high * 0.7), (-0.1, high + 0.26), (0.3, high + 0.1), (0.4, high * 0.6)), 0.04), fin, round=0.15)
    c.paint(polygon(x, y, ((-0.05, -high * 0.7), (-0.15, -high - 0.2), (0.25, -high * 0.7)), 0.04), fin, round=0.15)
    body = melt(ellipse(x, y, (0.2, 0.0), 0.68, high), limb(x, y, (0.0, 0.0), (-0.6, 0.0), 0.22, 0.09), 0.2)
    c.paint(body, skin, round=0.35, shine=0.5)
    stripe = np.minimum(skin * 0.6 + 0.35, 1)
    for number in range(2):
        c.mark(both(ring(x, y, (-0.75 + 0.3 * number, 0.0), 0.6, 0.055), body + 0.03), stripe, dice.chance(0.75, "stripes"))
    c.mark(both(ring(x, y, (0.92, 0.0), 0.48, 0.025), body + 0.08), skin * 0.6)
    c.paint(limb(x, y, (0.16, -0.08), (-0.08, -0.18), 0.1, 0.05), fin, round=0.08)
    c.mark(circle(x, y, (0.62, 0.12), 0.11), np.ones_like(skin))
    c.mark(circle(x, y, (0.64, 0.12), 0.06), np.full_like(skin, 0.08))


def umbrella(c: Canvas) -> None:
    """An open umbrella with a scalloped edge and a hooked handle."""
    x, y, dice = c.x, c.y, c.dice
    cloth, second = dice.colour("cloth", *BRIGHT), dice.colour("second", *BRIGHT, (245, 238, 225), (245, 238, 225))
    wood = dice.colour("wood", (126, 84, 54), (80, 74, 76), (170, 130, 80))
    high, side = dice.between(0.78, 0.95, "high"), dice.either("hook")
    c.paint(limb(x, y, (0.0, 0.1), (0.0, -0.74), 0.045), wood, round=0.05)
    c.paint(both(ring(x, y, (side * 0.16, -0.76), 0.16, 0.045), half_plane(x, y, (0.0, -0.74), np.pi / 2)), wood, round=0.05)
    c.paint(limb(x, y, (0.0, high - 0.06), (0.0, high + 0.08), 0.035), wood, round=0.05)
    dome = both(ellipse(x, y, (0.0, -0.02), 0.96, high), half_plane(x, y, (0.0, -0.02), -np.pi / 2))
    for centre in (-0.72, -0.24, 0.24, 0.72):
        dome = cut(dome, ellipse(x, y, (centre, -0.04), 0.25, 0.14))
    c.paint(dome, cloth, round=0.4, shine=0.45)
    c.mark(both(cut(ellipse(x, y, (0.0, -0.02), 0.5, high), ellipse(x, y, (0.0, -0.02), 0.02, high)), dome), second, 0.8)
    c.mark(both(ellipse(x, y, (0.0, -0.02), 0.26, high), dome), cloth, 0.9)


def cactus(c: Canvas) -> None:
    """A ribbed column with two bent arms in a pot."""
    x, y, dice = c.x, c.y, c.dice
    skin = dice.colour("skin", (84, 150, 90), (110, 160, 80), (70, 136, 116))
    pot = dice.colour("pot", (196, 104, 64), (90, 120, 170), (220, 180, 110), (170, 80, 90))
    top, thick = dice.between(0.55, 0.72, "top"), dice.between(0.21, 0.28, "thick")
    for side in (-1, 1):
        low, reach = dice.between(-0.25, 0.12, "low", side), dice.between(0.28, 0.5, "reach", side)
        elbow = (side * 0.62, low)
        arm = join(limb(x, y, (0.0, low), elbow, 0.135), limb(x, y, elbow, (side * 0.62, low + reach), 0.135))
        c.paint(arm, skin * 0.95, round=0.14)
    c.paint(limb(x, y, (0.0, -0.5), (0.0, top), thick), skin, round=thick, shine=0.5)
    for rib in (-0.5, 0.0, 0.5):
        c.mark(limb(x, y, (rib * thick, -0.5), (rib * thick, top), 0.018), skin * 0.68)
    flower = dice.colour("flower", (240, 120, 160), (250, 200, 80), (240, 90, 80))
    c.paint(circle(x, y, (0.0, top + thick), 0.11) + (1 - dice.chance(0.6, "flower")) * 9, flower, round=0.1)
    c.paint(polygon(x, y, ((-0.42, -0.52), (0.42, -0.52), (0.31, -0.94), (-0.31, -0.94)), 0.04), pot, round=0.3)
    c.paint(box(x, y, (0.0, -0.52), 0.5, 0.09, 0.04), pot * 1.08, round=0.08)


ID_PAINTERS: dict[str, Painter] = {
    painter.__name__: painter for painter in (broccoli, candle, starfish, strawberry, jeep, mushroom, teapot, fish, umbrella, cactus)
}
