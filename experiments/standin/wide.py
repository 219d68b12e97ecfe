"""The wider set, for pretraining: animals, things and patterns that are none of the seven breeds.

Each class is a function (pen, rng) that draws one specimen around the origin, about one unit in
every direction. Faces share `_face`, four-legged bodies `_body`.
"""

from __future__ import annotations

import numpy as np

from experiments.standin import things
from experiments.standin.breeds import DARK
from experiments.standin.canvas import Pen, ellipse, limb, mirrored, mixed, smooth, varied
from experiments.standin.heads import eye
from experiments.standin.things import any_colour

WHITE, PINK = (240, 238, 232), (220, 150, 144)


def _one_of(rng, *colours):
    return varied(rng, colours[rng.integers(len(colours))], 0.09)


def _prick(x: float, tall: float, wide: float) -> list:
    """The right one of two pointed ears."""
    return [(x - wide, -0.5), (x, -0.8 - tall), (x + wide, -0.35)]


def _round(x: float, y: float, radius: float) -> np.ndarray:
    """The right one of two round ears."""
    return ellipse(x, y, radius, radius)[::4]


def _face(pen: Pen, colour, *, ears=(), patches=(), muzzle=None, nose=DARK, eyes=(94, 60, 30),
          at=(0.4, -0.1, 0.12), fur=0.08, shape=(0.72, 0.98, 0.6)) -> None:
    """A head on its neck. `ears`: (outline of the right one, colour); `muzzle`: (half width, half
    height, colour); `at`: x, y, radius of the eyes; `shape`: half widths of crown, cheeks, jaw."""
    crown, cheek, jaw = shape
    pen = pen.turned(0, -0.1, 0.72)
    pen.part(limb([(0, 0.3), (0, 1.3), (0, 4)], (1.1 * cheek, 1.6 * cheek, 2.6)), colour, fur,
             light=0.2)
    for outline, tint in ears:
        for side in (-1, 1):
            pen.part(smooth(np.asarray(outline) * (side, 1)), tint, 0.5 * fur)
    skull = smooth(mirrored([(0.4 * crown, -0.92), (crown, -0.7), (cheek, 0.0), (0.9 * cheek, 0.45),
                             (jaw, 0.85), (0.3 * jaw, 1.0)]))
    pen.part(skull, colour, fur, patches)
    for side in (-1, 1):
        eye(pen, side * at[0], at[1], at[2], eyes)
    if muzzle:
        pen.part(ellipse(0, 0.5, *muzzle[:2]), muzzle[2], 0.3 * fur)
    if nose:
        pen.part(smooth([(-0.15, 0.26), (0.15, 0.26), (0, 0.44)]), nose, hair=0)
        for side in (-1, 1):
            pen.line([(0, 0.42), (0, 0.56), (0.24 * side, 0.66)], 0.045, DARK)


def _body(pen: Pen, colour, legs, fur: float = 0.0, patches=(), neck=None) -> Pen:
    """A grazing animal from the side, looking left; returns a pen for its head."""
    for x, shadow in ((-0.42, 0.3), (0.62, 0.3), (-0.6, 0), (0.48, 0)):
        pen.part(limb([(x, 0.1), (x, 0.95)], (0.2, 0.12)), mixed(legs, DARK, shadow))
    pen.part(smooth([(-0.75, -0.35), (0, -0.36), (0.75, -0.38), (0.86, 0.1), (0.4, 0.4),
                     (-0.5, 0.42), (-0.85, 0.1)]), colour, fur, patches)
    if neck:
        pen.part(limb([(-0.6, -0.1), (-0.85, -0.62)], (0.5, 0.32)), neck, fur)
    return pen.turned(-0.98, -0.7, 0.36)


def cat(pen, rng):
    colour = _one_of(rng, (60, 58, 60), (214, 140, 70), (150, 146, 140), (230, 220, 205))
    stripes = [(limb([(x, -1), (x * 0.8, -0.4)], (0.12, 0.05)), mixed(colour, DARK, 0.5))
               for x in (-0.3, 0, 0.3)] if rng.random() < 0.6 else []
    _face(pen, colour, patches=stripes, nose=PINK, at=(0.42, -0.05, 0.18), fur=0.06,
          ears=[(_prick(0.6, 0.45, 0.34), colour), (_prick(0.6, 0.22, 0.18), PINK)],
          muzzle=(0.34, 0.22, mixed(colour, WHITE, 0.5)),
          eyes=_one_of(rng, (120, 180, 70), (226, 186, 50)))
    for side in (-1, 1):
        for rise in (-0.12, 0.0, 0.12):
            pen.line([(0.2 * side, 0.28), (0.8 * side, 0.26 + rise)], 0.014, WHITE)


def fox(pen, rng):
    colour = _one_of(rng, (206, 104, 40), (186, 86, 36))
    cheeks = [(ellipse(s * 0.66, 0.52, 0.5, 0.5), WHITE, 0.08) for s in (-1, 1)]
    _face(pen, colour, patches=cheeks, fur=0.14, shape=(0.62, 1.06, 0.3),
          ears=[(_prick(0.55, 0.7, 0.34), DARK), (_prick(0.55, 0.5, 0.22), colour)],
          muzzle=(0.26, 0.3, mixed(colour, WHITE, 0.6)))


def bear(pen, rng):
    colour = _one_of(rng, (104, 68, 42), (50, 42, 40), (150, 112, 76))
    _face(pen, colour, fur=0.1, shape=(0.85, 1.0, 0.75), at=(0.36, -0.12, 0.075),
          ears=[(_round(0.72, -0.75, 0.3), colour), (_round(0.72, -0.72, 0.17), PINK)],
          muzzle=(0.46, 0.38, mixed(colour, (220, 180, 140), 0.5)))


def panda(pen, rng):
    patches = [(ellipse(s * 0.42, -0.06, 0.26, 0.32, 30 * s), DARK, 0.03) for s in (-1, 1)]
    _face(pen, varied(rng, WHITE, 0.03), patches=patches, fur=0.08, shape=(0.85, 1.06, 0.8),
          ears=[(_round(0.76, -0.74, 0.32), DARK)], muzzle=(0.36, 0.28, WHITE))


def rabbit(pen, rng):
    colour = _one_of(rng, (232, 228, 222), (164, 130, 98), (112, 104, 100))
    tall = rng.uniform(1.1, 1.5)
    ears = [(0.2, -0.7), (0.22, -1.2), (0.5, -0.8 - tall), (0.66, -1.2), (0.55, -0.6)]
    _face(pen.turned(0, 0.35, 0.85), colour, nose=PINK, at=(0.5, -0.1, 0.14), fur=0.06,
          ears=[(ears, colour), (np.array(ears) * (0.6, 0.8) + (0.17, -0.25), PINK)],
          muzzle=(0.3, 0.22, mixed(colour, WHITE, 0.6)), shape=(0.65, 0.85, 0.6))


def mouse(pen, rng):
    colour = _one_of(rng, (150, 146, 146), (196, 180, 160), (104, 92, 86))
    _face(pen.turned(0, 0.15, 0.9), colour, nose=PINK, at=(0.36, 0, 0.13), eyes=DARK, fur=0.03,
          ears=[(_round(0.85, -0.8, 0.55), colour), (_round(0.85, -0.78, 0.4), PINK)],
          muzzle=(0.28, 0.22, mixed(colour, WHITE, 0.4)), shape=(0.66, 0.9, 0.36))


def lion(pen, rng):
    colour = _one_of(rng, (214, 164, 92), (196, 146, 80))
    pen.part(ellipse(0, 0.0, 1.0, 1.02), _one_of(rng, (128, 72, 34), (92, 56, 34), (170, 104, 46)),
             0.26)
    _face(pen.turned(0, 0.05, 0.85), colour, fur=0.05, at=(0.38, -0.14, 0.1), eyes=(196, 146, 50),
          ears=[(_round(0.8, -0.72, 0.25), colour)], muzzle=(0.42, 0.32, mixed(colour, WHITE, 0.5)))


def koala(pen, rng):
    colour = varied(rng, (150, 150, 156), 0.08)
    _face(pen, colour, nose=None, fur=0.1, at=(0.46, -0.08, 0.1), shape=(0.8, 0.98, 0.74),
          ears=[(_round(1.0, -0.55, 0.46), colour), (_round(1.0, -0.52, 0.28), WHITE)])
    pen.part(ellipse(0, 0.12, 0.16, 0.27), DARK, hair=0)


def pig(pen, rng):
    colour = _one_of(rng, (236, 172, 166), (226, 154, 150), (90, 76, 76))
    _face(pen, colour, nose=None, fur=0, at=(0.46, -0.18, 0.09), shape=(0.8, 1.0, 0.75),
          ears=[([(0.3, -0.75), (0.75, -1.2), (1.05, -0.45)], mixed(colour, DARK, 0.12))],
          muzzle=(0.42, 0.3, mixed(colour, (200, 90, 90), 0.3)))
    for side in (-1, 1):
        pen.flat(ellipse(0.11 * side, 0.26, 0.05, 0.09), mixed(colour, DARK, 0.6))


def cow(pen, rng):
    dark = _one_of(rng, (48, 42, 42), (132, 78, 48))
    spots = [(ellipse(*rng.uniform((-0.7, -0.4), (0.7, 0.4)), *rng.uniform(0.12, 0.3, 2)), dark)
             for _ in range(5)]
    head = _body(pen, WHITE, WHITE, patches=spots, neck=WHITE)
    for side in (-1, 1):
        head.part(limb([(0.5 * side, -0.7), (0.8 * side, -1.3)], (0.22, 0.1)), (214, 200, 170),
                  hair=0)
    head.part(ellipse(0, 0, 0.8, 1.0), dark, patches=[(ellipse(0, -0.3, 0.2, 0.9), WHITE)])
    head.part(ellipse(0, 0.7, 0.62, 0.42), PINK, hair=0)
    for side in (-1, 1):
        eye(head, 0.4 * side, -0.15, 0.14, (60, 40, 30))


def sheep(pen, rng):
    wool = varied(rng, (232, 226, 214), 0.05)
    head = _body(pen, wool, (60, 54, 52), fur=0.12, neck=wool)
    for _ in range(9):
        pen.part(ellipse(*rng.uniform((-0.7, -0.4), (0.75, 0.25)), 0.24, 0.22), wool, 0.05)
    head.part(ellipse(0, 0, 0.7, 1.0), _one_of(rng, (54, 48, 48), (206, 178, 156)))
    head.part(ellipse(0, -0.8, 0.7, 0.45), wool, 0.1)
    for side in (-1, 1):
        eye(head, 0.36 * side, -0.05, 0.14, (190, 150, 60))


def horse(pen, rng):
    colour = _one_of(rng, (120, 70, 40), (60, 44, 38), (176, 120, 70), (206, 200, 194))
    mane = mixed(colour, DARK, 0.6)
    pen = pen.turned(0.12, 0.1, 0.9)
    pen.part(limb([(0.8, -0.2), (1.05, 0.1), (1.02, 0.6)], (0.14, 0.2, 0.1)), mane, 0.08)
    _body(pen, colour, colour)
    pen.part(limb([(-0.55, -0.05), (-0.78, -0.6), (-0.8, -0.95)], (0.6, 0.4, 0.3)), colour)
    pen.part(limb([(-0.45, -0.35), (-0.62, -0.8), (-0.72, -1.12)], (0.16, 0.18, 0.12)), mane, 0.08)
    pen.part(limb([(-0.75, -0.95), (-1.02, -0.7), (-1.2, -0.48)], (0.34, 0.26, 0.22)), colour)
    pen.part(smooth([(-0.78, -1.08), (-0.72, -1.34), (-0.62, -1.06)]), colour)
    eye(pen, -0.86, -0.88, 0.045, DARK)


def owl(pen, rng):
    colour = _one_of(rng, (132, 98, 62), (176, 166, 152), (90, 72, 58))
    pen.part(smooth([(-0.6, -0.8), (0.6, -0.8), (0.75, 0.2), (0.4, 0.95), (-0.4, 0.95),
                     (-0.75, 0.2)]), colour, 0.06, [
        (ellipse(0, 0.35, 0.42, 0.55), mixed(colour, WHITE, 0.5), 0.04)])
    for side in (-1, 1):
        pen.part(smooth([(0.3 * side, -0.75), (0.62 * side, -1.15), (0.66 * side, -0.6)]), colour)
        pen.part(ellipse(0.28 * side, -0.42, 0.3, 0.3), mixed(colour, WHITE, 0.65), 0.03)
        eye(pen, 0.28 * side, -0.42, 0.16, (236, 160, 40))
        pen.part(ellipse(0.68 * side, 0.25, 0.16, 0.5, -12 * side), mixed(colour, DARK, 0.3), 0.03)
    pen.part(smooth([(-0.09, -0.3), (0.09, -0.3), (0, -0.08)]), (220, 160, 60), hair=0)


def bird(pen, rng):
    colour = _one_of(rng, (200, 60, 50), (60, 120, 200), (230, 190, 60), (80, 76, 80))
    pen.part(limb([(0.5, 0.15), (1.05, 0.35)], (0.3, 0.2)), mixed(colour, DARK, 0.4))
    for x in (-0.1, 0.12):
        pen.line([(x, 0.5), (x, 0.95)], 0.04, (190, 130, 60))
    pen.part(smooth([(-0.55, -0.5), (-0.1, -0.35), (0.5, 0.0), (0.55, 0.3), (0.0, 0.6),
                     (-0.5, 0.2)]), colour, 0.03,
             [(ellipse(-0.3, 0.3, 0.4, 0.4), mixed(colour, WHITE, 0.6), 0.03)])
    pen.part(smooth([(-0.1, -0.1), (0.6, 0.1), (0.3, 0.35), (-0.05, 0.25)]),
             mixed(colour, DARK, 0.3))
    pen.part(ellipse(-0.42, -0.45, 0.32, 0.3), colour, 0.02)
    pen.part(smooth([(-0.7, -0.52), (-1.05, -0.42), (-0.7, -0.34)]), (226, 160, 50), hair=0)
    eye(pen, -0.5, -0.5, 0.06, DARK)


def fish(pen, rng):
    colour, other = any_colour(rng, 40, 240), any_colour(rng, 40, 240)
    pen.part(smooth([(0.5, 0), (1.05, -0.5), (0.9, 0), (1.05, 0.5)]), other, hair=0.1)
    pen.part(smooth([(-0.2, -0.4), (0.3, -0.85), (0.4, -0.3)]), other, hair=0.1)
    bands = [(ellipse(x, 0, 0.09, 0.7), other) for x in (-0.25, 0.1, 0.45)[:rng.integers(4)]]
    pen.part(smooth([(-1.0, 0.02), (-0.5, -0.45), (0.2, -0.45), (0.65, 0), (0.2, 0.45),
                     (-0.5, 0.45)]), colour, patches=bands, hair=0.12)
    eye(pen, -0.62, -0.12, 0.1, (240, 220, 120))


def butterfly(pen, rng):
    colour, other = any_colour(rng, 40, 245), any_colour(rng, 40, 245)
    for side in (-1, 1):
        for outline, spot in (([(0.05, 0), (0.5, -0.95), (1.0, -0.8), (0.85, -0.1)], (0.62, -0.5)),
                              ([(0.05, 0.05), (0.8, 0.05), (0.8, 0.7), (0.3, 0.8)], (0.55, 0.42))):
            pen.part(smooth(np.array(outline) * (side, 1)), colour,
                     patches=[(ellipse(spot[0] * side, spot[1], 0.2, 0.2), other)], hair=0.04)
        pen.line([(0, -0.5), (0.25 * side, -0.95)], 0.03, DARK)
    pen.part(ellipse(0, 0.05, 0.1, 0.6), DARK)


def turtle(pen, rng):
    skin = _one_of(rng, (120, 150, 80), (150, 140, 90))
    shell = _one_of(rng, (90, 80, 40), (70, 96, 60))
    for x in (-0.5, 0.5):
        pen.part(limb([(x, 0.3), (x * 1.2, 0.8)], (0.36, 0.3)), skin)
    pen.part(ellipse(-0.95, -0.02, 0.28, 0.24), skin)
    eye(pen, -1.02, -0.08, 0.05, DARK)
    cells = [(ellipse(x, y, 0.2, 0.17), mixed(shell, (230, 210, 140), 0.35))
             for x, y in ((-0.45, 0.1), (0, 0.15), (0.45, 0.1), (-0.24, -0.28), (0.24, -0.28))]
    pen.part(smooth([(-0.85, 0.4), (-0.6, -0.4), (0, -0.72), (0.6, -0.4), (0.85, 0.4)]), shell,
             patches=cells)


def snail(pen, rng):
    skin, shell = varied(rng, (196, 170, 130), 0.1), any_colour(rng, 80, 220)
    pen.part(limb([(-0.75, -0.3), (-0.65, 0.45), (0.0, 0.7), (0.95, 0.75)],
                  (0.28, 0.34, 0.34, 0.1)), skin)
    for x in (-0.9, -0.65):
        pen.line([(-0.75, -0.35), (x, -0.8)], 0.05, skin)
        pen.spot((x, -0.82), 0.06, DARK)
    pen.part(ellipse(0.2, 0.02, 0.62, 0.62), shell)
    turn = np.linspace(0, 5 * np.pi, 50)
    spiral = 0.034 * turn[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1) + (0.2, 0.02)
    pen.line(spiral, 0.06, mixed(shell, DARK, 0.5))


def car(pen, rng):
    things.car(pen.turned(0, 0.5, 0.8), rng)


def tree(pen, rng):
    things.tree(pen.turned(0, 1.0, 0.78), rng)


def house(pen, rng):
    things.house(pen.turned(0, 0.95, 0.72), rng)


def chair(pen, rng):
    things.chair(pen.turned(0, 1.0), rng)


def cup(pen, rng):
    colour = any_colour(rng, 50, 245)
    pen.part(limb([(0.5, -0.35), (0.95, -0.25), (0.9, 0.25), (0.45, 0.4)], (0.16,) * 4), colour,
             hair=0)
    pen.part(smooth([(-0.62, -0.6), (0.62, -0.6), (0.55, 0.3), (0.4, 0.75), (-0.4, 0.75),
                     (-0.55, 0.3)]), colour, hair=0,
             patches=[(ellipse(0, 0.1, 1, 0.1), any_colour(rng))])
    pen.flat(ellipse(0, -0.6, 0.56, 0.15), (84, 52, 34))


def flower(pen, rng):
    petal = any_colour(rng, 60, 250)
    pen.line([(0, 0), (0.1, 1.1)], 0.09, (70, 120, 50))
    pen.part(smooth([(0.08, 0.7), (0.5, 0.4), (0.7, 0.55), (0.3, 0.8)]), (80, 140, 60))
    count = rng.integers(5, 10)
    for k in range(count):
        leaf = pen.turned(0, -0.2, 0.8, 360 * k / count)
        leaf.part(ellipse(0, -0.55, 0.26, 0.42), petal, hair=0.03)
    pen.part(ellipse(0, -0.2, 0.26, 0.26), varied(rng, (226, 180, 50), 0.1), hair=0.15)


def mushroom(pen, rng):
    cap = _one_of(rng, (190, 44, 36), (150, 100, 60), (220, 180, 110))
    pen.part(limb([(0, -0.2), (0.02, 0.9)], (0.42, 0.5)), (232, 222, 204))
    dots = [(ellipse(*rng.uniform((-0.7, -0.8), (0.7, -0.1)), 0.12, 0.1), WHITE) for _ in range(6)]
    pen.part(smooth([(-0.95, 0.0), (-0.6, -0.7), (0, -0.95), (0.6, -0.7), (0.95, 0.0), (0, 0.12)]),
             cap, patches=dots, hair=0.03)


def boat(pen, rng):
    pen.line([(0, -1.0), (0, 0.4)], 0.07, (90, 64, 44))
    for side, tint in ((-1, any_colour(rng, 120, 250)), (1, WHITE)):
        sail = np.array([(0.08, -0.95), (0.75, 0.2), (0.08, 0.22)]) * (side, 1)
        pen.part(smooth(sail, 4), tint, hair=0)
    pen.part(smooth([(-1.0, 0.35), (1.0, 0.35), (0.65, 0.8), (-0.65, 0.8)], 4), any_colour(rng),
             hair=0.04)


def balloon(pen, rng):
    pen.line([(0, 0.4), (0.08, 0.75), (-0.05, 1.1)], 0.03, (90, 90, 90))
    pen.part(smooth([(0, -1.0), (0.6, -0.55), (0.5, 0.1), (0, 0.5), (-0.5, 0.1), (-0.6, -0.55)]),
             any_colour(rng, 40, 250), hair=0, light=0.4)


def ball(pen, rng):
    things.ball(pen.turned(0, 0.8, 2.4), rng)


CLASSES = {draw.__name__: draw for draw in (
    cat, fox, bear, panda, rabbit, mouse, lion, koala, pig, cow, sheep, horse, owl, bird, fish,
    butterfly, turtle, snail, car, tree, house, chair, cup, flower, mushroom, boat, balloon, ball)}
