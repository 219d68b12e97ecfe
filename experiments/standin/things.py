"""Things that stand about: people, furniture, plants, toys, buildings.

Each function (pen, rng) draws one; the pen's origin is where the thing touches the ground, and its
unit is about half the thing's height.
"""

from __future__ import annotations

import numpy as np

from experiments.standin.canvas import Pen, ellipse, limb, mixed, smooth, varied

SKIN = ((236, 196, 164), (198, 148, 110), (140, 94, 66), (96, 62, 44))
HAIR = ((40, 30, 26), (92, 60, 36), (196, 158, 96), (150, 150, 150))


def any_colour(rng, low: int = 30, high: int = 230) -> tuple[int, int, int]:
    """A random colour, now and then a vivid one."""
    return tuple(int(c) for c in rng.integers(low, high, 3))


def muted(rng, low: int = 70, high: int = 225) -> tuple[int, int, int]:
    """A random colour as walls and cloths have it: a grey with a tinge."""
    return varied(rng, mixed((rng.integers(low, high),) * 3, any_colour(rng), 0.55), 0)


def person(pen: Pen, rng) -> None:
    skin, hair = varied(rng, SKIN[rng.integers(4)], 0.06), varied(rng, HAIR[rng.integers(4)], 0.1)
    shirt, trousers = any_colour(rng), any_colour(rng, 20, 130)
    for s in (-1, 1):
        pen.part(limb([(0.14 * s, -0.9), (0.16 * s, -0.4), (0.17 * s, 0)], (0.28, 0.22, 0.18)),
                 trousers, hair=0.03)
        pen.part(limb([(0.3 * s, -1.5), (0.45 * s, -1.15), (0.42 * s, -0.8)], (0.18, 0.15, 0.12)),
                 shirt, hair=0.03)
        pen.spot((0.42 * s, -0.75), 0.08, skin)
    pen.part(smooth([(-0.34, -1.6), (0.34, -1.6), (0.32, -0.8), (-0.32, -0.8)]), shirt, hair=0.03)
    pen.part(ellipse(0, -1.98, 0.25, 0.28), hair, hair=0.05)
    pen.part(ellipse(0, -1.9, 0.20, 0.25), skin, hair=0)
    for s in (-1, 1):
        pen.spot((0.08 * s, -1.93), 0.025, (40, 30, 30))


def legs(pen: Pen, rng) -> None:
    cloth, shoe = any_colour(rng, 20, 150), any_colour(rng, 20, 120)
    for x in (0, 0.75):
        pen.part(limb([(x, -4.5), (x, -2), (x, -0.2)], (0.6, 0.55, 0.5)), cloth, hair=0.03)
        pen.part(ellipse(x - 0.15, -0.05, 0.42, 0.2), shoe, hair=0)


def sofa(pen: Pen, rng) -> None:
    cloth = muted(rng, 50, 210)
    pen.part(smooth([(-1.4, -1.3), (1.4, -1.3), (1.45, -0.4), (-1.45, -0.4)], 4), cloth, hair=0.04)
    for x in (-0.65, 0.65):
        pen.part(smooth([(x - 0.6, -0.8), (x + 0.6, -0.8), (x + 0.62, -0.3), (x - 0.62, -0.3)], 4),
                 varied(rng, cloth, 0.05), hair=0.04)
    for x in (-1.4, 1.4):
        pen.part(limb([(x, -0.9), (x, 0)], (0.35, 0.4)), cloth, hair=0.04)
    pen.part(smooth([(-1.4, -0.35), (1.4, -0.35), (1.4, 0), (-1.4, 0)], 4), cloth, hair=0.04)


def table(pen: Pen, rng) -> None:
    wood = varied(rng, ((128, 84, 48), (180, 140, 96), (70, 50, 40))[rng.integers(3)], 0.1)
    for x in (-1.0, 1.0):
        pen.part(limb([(x * 0.95, -1), (x, 0)], (0.14, 0.1)), wood)
    pen.part(smooth([(-1.25, -1.15), (1.25, -1.15), (1.3, -0.98), (-1.3, -0.98)], 3), wood)


def chair(pen: Pen, rng) -> None:
    wood = varied(rng, ((140, 92, 54), (70, 60, 56), (220, 214, 204))[rng.integers(3)], 0.1)
    for x in (-0.5, 0.5):
        pen.part(limb([(x, -2.0), (x, -0.8), (x, 0)], (0.13, 0.14, 0.1)), wood)
    for y in (-1.85, -1.5):
        pen.part(limb([(-0.5, y), (0.5, y)], (0.16, 0.16)), wood)
    pen.part(smooth([(-0.55, -0.9), (0.5, -0.9), (0.66, -0.66), (-0.66, -0.66)], 4),
             any_colour(rng), hair=0.04)
    for x in (-0.62, 0.62):
        pen.part(limb([(x, -0.7), (x, 0.05)], (0.12, 0.1)), wood)


def bench(pen: Pen, rng) -> None:
    wood = varied(rng, (122, 82, 50), 0.15)
    for y in (-0.95, -0.75, -0.42):
        pen.part(smooth([(-1.3, y), (1.3, y), (1.3, y + 0.13), (-1.3, y + 0.13)], 3), wood)
    for x in (-1.1, 1.1):
        pen.line([(x, -0.95), (x, 0)], 0.08, (60, 60, 64))


def picture(pen: Pen, rng) -> None:
    pen = pen.turned(0, rng.uniform(-1.8, -1.2), 0.5)
    w, h = rng.uniform(0.5, 1.0, 2)
    frame = any_colour(rng, 20, 200)
    for scale, colour in ((1.0, frame), (0.82, any_colour(rng, 120, 250))):
        pen.flat(np.array([(-w, -h), (w, -h), (w, h), (-w, h)]) * scale, colour)
    pen.spot((0.1, 0.1), 0.4 * w, any_colour(rng))


def lamp(pen: Pen, rng) -> None:
    pen.line([(0, -2.0), (0, 0)], 0.07, (70, 66, 64))
    pen.part(smooth([(-0.3, -2.4), (0.3, -2.4), (0.5, -1.85), (-0.5, -1.85)], 3),
             varied(rng, (240, 214, 150), 0.12), hair=0)


def plant(pen: Pen, rng) -> None:
    green = varied(rng, (70, 120, 58), 0.2)
    for angle in rng.uniform(-65, 65, 9):
        leaf = pen.turned(0, -0.5, rng.uniform(0.7, 1.2), angle)
        leaf.part(smooth([(0, 0), (0.16, -0.5), (0, -1.1), (-0.16, -0.5)]), varied(rng, green, 0.1),
                  hair=0.03)
    pen.part(smooth([(-0.35, -0.6), (0.35, -0.6), (0.25, 0), (-0.25, 0)], 3),
             any_colour(rng, 60), hair=0)


def tree(pen: Pen, rng) -> None:
    bark = varied(rng, (96, 70, 50))
    pen.part(limb([(0, -1.6), (0.02, -0.8), (0, 0.05)], (0.2, 0.26, 0.36)), bark)
    leaves = varied(rng, (74, 116, 54), 0.2)
    for _ in range(6):
        x, y = rng.normal(0, 0.4), rng.normal(-2.0, 0.35)
        pen.part(ellipse(x, y, rng.uniform(0.4, 0.7), rng.uniform(0.35, 0.6)),
                 varied(rng, leaves, 0.08), 0.08, hair=0.15)


def house(pen: Pen, rng) -> None:
    wall = muted(rng, 90, 225)
    w, h = rng.uniform(0.6, 1.2), rng.uniform(1.4, 2.6)
    pen.flat([(-w, -h), (w, -h), (w, 0.1), (-w, 0.1)], wall)
    if rng.random() < 0.5:
        pen.flat([(-1.1 * w, -h), (0, -h - 0.6), (1.1 * w, -h)], varied(rng, (150, 74, 56), 0.15))
    glass = varied(rng, (90, 110, 130), 0.2)
    for y in np.arange(-h + 0.25, -0.4, 0.6):
        for x in (-0.55 * w, 0.0, 0.55 * w):
            pen.flat(np.array([(-0.12, 0), (0.12, 0), (0.12, 0.32), (-0.12, 0.32)]) + (x, y), glass)


def car(pen: Pen, rng) -> None:
    paint = any_colour(rng, 20, 235)
    pen.part(smooth([(-0.7, -0.6), (-0.45, -0.98), (0.4, -0.98), (0.75, -0.6)], 4), paint, hair=0)
    pen.flat(smooth([(-0.52, -0.62), (-0.36, -0.88), (0.32, -0.88), (0.54, -0.62)], 4),
             (150, 180, 200))
    pen.part(smooth([(-1.3, -0.55), (1.3, -0.6), (1.35, -0.15), (-1.35, -0.15)], 4), paint, hair=0)
    for x in (-0.75, 0.75):
        pen.spot((x, -0.15), 0.24, (30, 30, 32))
        pen.spot((x, -0.15), 0.12, (160, 160, 164))


def ball(pen: Pen, rng) -> None:
    band = ellipse(0, -0.35, 0.5, 0.09, rng.uniform(0, 180))
    pen.part(ellipse(0, -0.35, 0.35, 0.35), any_colour(rng, 30, 245), hair=0,
             patches=[(band, any_colour(rng, 30, 245))])


def bowl(pen: Pen, rng) -> None:
    colour = any_colour(rng, 60, 235)
    pen.part(smooth([(-0.55, -0.4), (0.55, -0.4), (0.7, 0), (-0.7, 0)], 4), colour, hair=0)
    pen.flat(ellipse(0, -0.4, 0.5, 0.12), mixed(colour, (40, 24, 18), 0.7))


def bone(pen: Pen, rng) -> None:
    pen = pen.turned(0, -0.15, 0.6, rng.uniform(-40, 40))
    colour = varied(rng, (236, 224, 200), 0.06)
    for x in (-0.6, 0.6):
        for y in (-0.14, 0.14):
            pen.part(ellipse(x, y, 0.2, 0.18), colour, hair=0)
    pen.part(limb([(-0.6, 0), (0.6, 0)], (0.24, 0.24)), colour, hair=0, light=0.15)


def fence(pen: Pen, rng) -> None:
    colour = varied(rng, ((230, 226, 220), (120, 84, 54), (70, 74, 78))[rng.integers(3)], 0.08)
    for x in np.arange(-1.5, 1.6, 0.5):
        pen.part(limb([(x, -1.0), (x, 0.3)], (0.2, 0.2)), colour)
    pen.part(limb([(-1.8, -0.7), (1.8, -0.7)], (0.14, 0.14)), colour)
