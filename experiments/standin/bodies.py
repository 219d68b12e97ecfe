"""The poses of a dog: portrait, sitting, standing, lying.

Each function draws a whole dog; the unit is half the length of its trunk, y points down. The origin
lies in the trunk (or between the eyes of a portrait). POSES tells how far each pose reaches.
"""

from __future__ import annotations

import numpy as np

from experiments.standin.breeds import DARK, Dog
from experiments.standin.canvas import Pen, ellipse, limb, mirrored, mixed, smooth
from experiments.standin.heads import front_head, side_head

WHITE_FRONT = ("swiss", "collar", "wolf")


def portrait(pen: Pen, dog: Dog) -> None:
    """Head and shoulders, from the front; the bust runs out of the picture below."""
    pen = pen.turned(0, 0, 0.62)
    breed, coat = dog.breed, dog.coat
    broad = 0.55 + 0.85 * breed.depth
    bust = smooth(mirrored([(0.5, 0.1), (0.75 * broad, 0.7), (1.25 * broad, 1.7),
                            (1.5 * broad, 3.4), (1.3 * broad, 4.2)]))
    pen.part(bust, coat.main, 1.2 * breed.fur, _chest(dog, 1.0, broad, 1.3))
    _scarf(pen.turned(0, 1.05, 0.85 * broad), dog)
    front_head(pen.turned(0, 0, 1, dog.tilt), dog)


def sitting(pen: Pen, dog: Dog) -> None:
    """Sitting upright, from the front."""
    breed, coat = dog.breed, dog.coat
    wide, tall = 0.25 + 0.8 * breed.depth, 0.55 + 0.9 * breed.legs
    foot = 1.55
    _tail(pen.turned(0.75 * wide, 1.3, 0.8, 20), dog, lying=True)
    torso = smooth(mirrored([(0.35 * wide, foot - 1.9 * tall - 0.3), (0.72 * wide, 0.45 - tall),
                             (wide, 0.45), (1.12 * wide, 1.1), (0.8 * wide, 1.5)]))
    pen.part(torso, coat.main, breed.fur, _chest(dog, 0.75 - tall, wide))
    sock = _sock(dog)
    for s in (-1, 1):
        pen.part(ellipse(s * 0.92 * wide, 1.12, 0.38 * wide, 0.46, 12 * s), coat.main, breed.fur)
        pen.part(ellipse(s * 0.98 * wide, foot, 0.32 * wide, 0.13), sock, 0.3 * breed.fur)
    leg = mixed(coat.main, coat.pale, 0.25) if coat.marks == "plain" else coat.main
    for s in (-1, 1):
        x = s * 0.36 * wide
        pen.part(limb([(x * 1.1, 0.3), (x, 0.95), (x, foot - 0.05)],
                      (0.52 * wide, 0.36 * wide, 0.32 * wide)), leg, 0.6 * breed.fur,
                 [(ellipse(x, foot - 0.1, 0.5 * wide, 0.55), sock, 0.03)])
        pen.part(ellipse(x * 1.05, foot, 0.25 * wide, 0.14), sock, 0.2 * breed.fur)
        for toe in (-0.1, 0.1):
            pen.line([(x * 1.05 + toe * wide, foot), (x * 1.05 + toe * wide, foot + 0.1)], 0.018,
                     mixed(sock, DARK, 0.55))
    head = pen.turned(0, 0.2 - tall * 1.25, breed.head * 1.22)
    _scarf(head.turned(0, 0.95, 0.8), dog)
    front_head(head.turned(0, 0, 1, dog.tilt), dog)


def standing(pen: Pen, dog: Dog) -> None:
    """Standing in profile, looking left or, with its head turned, at the viewer."""
    breed, coat = dog.breed, dog.coat
    d, foot = breed.depth, breed.depth * 0.55 + breed.legs
    rng = pen.canvas.rng
    stride = rng.uniform(-0.12, 0.12)
    _tail(pen.turned(0.98, -0.55 * d), dog)
    for x, step in ((-0.55, stride), (0.82, -stride)):          # the far legs
        _leg(pen, dog, x, step, foot - 0.05, 0.28)
    trunk = smooth([(-1.12, -0.25 * d), (-0.8, -0.95 * d), (-0.1, -0.82 * d), (0.65, -0.88 * d),
                    (1.06, -0.45 * d), (0.98, 0.25 * d), (0.5, 0.42 * d), (-0.15, 0.66 * d),
                    (-0.75, 0.72 * d), (-1.1, 0.3 * d)])
    pen.part(trunk, coat.main, breed.fur, _flank(dog, d), light=0.34)
    for x, step in ((-0.78, -stride), (0.72, stride)):
        _leg(pen, dog, x, step, foot, 0)
    thigh = smooth([(0.42, -0.35 * d), (0.95, -0.4 * d), (1.02, 0.2 * d), (0.78, 0.75 * d),
                    (0.5, 0.4 * d)])
    pen.part(thigh, coat.main, breed.fur, light=0.16)
    neck = limb([(-0.72, -0.3 * d), (-1.0, -0.95 * d), (-1.12, -0.95 * d - 0.35)],
                (1.05 * d, 0.8 * d, 0.62 * d))
    white = []
    if coat.marks == "collar":
        white = [(ellipse(-1.02, -0.6 * d, 0.42, 0.62, -20), coat.pale, 0.06)]
    elif coat.marks in WHITE_FRONT:
        white = [(ellipse(-1.25, -0.5 * d, 0.34, 0.7), coat.pale, 0.06)]
    pen.part(neck, coat.main, 1.3 * breed.fur, white, light=0.1)
    head = pen.turned(-1.2, -0.95 * d - 0.5, breed.head * 0.98)
    _scarf(head.turned(0.35, 0.85, 0.72, -25), dog)
    if rng.random() < 0.5:
        side_head(head.turned(0, 0, 0.95, dog.tilt), dog)
    else:
        front_head(head.turned(0, 0, 1, dog.tilt), dog)


def lying(pen: Pen, dog: Dog) -> None:
    """Lying down with the forelegs stretched to the left, head up and towards the viewer."""
    breed, coat = dog.breed, dog.coat
    d, foot = breed.depth, 0.75
    _tail(pen.turned(1.15, foot - 0.3, 0.9, 60), dog, lying=True)
    sock = _sock(dog)
    trunk = smooth([(-0.95, 0.1), (-0.7, -0.6 * d), (0.0, -0.75 * d), (0.75, -0.6 * d),
                    (1.2, 0.1), (1.15, foot - 0.1), (0.2, foot), (-0.8, foot)])
    pen.part(trunk, coat.main, breed.fur, light=0.34)
    pen.part(ellipse(0.82, 0.32, 0.42, 0.40), coat.main, breed.fur, light=0.2)
    pen.part(limb([(0.85, foot - 0.06), (0.45, foot - 0.04)], (0.2, 0.18)), sock, 0.3 * breed.fur)
    for y, x in ((foot - 0.14, -1.25), (foot - 0.02, -1.42)):
        pen.part(limb([(-0.5, y - 0.12), (-0.9, y), (x, y)], (0.32, 0.24, 0.2)), coat.main,
                 0.5 * breed.fur, [(ellipse(x, y, 0.4, 0.3), sock, 0.03)])
        pen.part(ellipse(x - 0.08, y, 0.16, 0.12), sock, 0.2 * breed.fur)
    chest = smooth([(-1.05, -0.35), (-0.55, -0.4), (-0.45, 0.3), (-0.7, foot - 0.15),
                    (-1.1, 0.4)])
    pen.part(chest, coat.pale if coat.marks in WHITE_FRONT else coat.main, 1.2 * breed.fur,
             light=0.2)
    head = pen.turned(-0.78, -0.55, breed.head * 1.05)
    _scarf(head.turned(0, 0.92, 0.8), dog)
    front_head(head.turned(0, 0, 1, dog.tilt), dog)


def _chest(dog: Dog, y: float, wide: float, scale: float = 1) -> list:
    """Patches of a chest seen from the front, from the throat at height `y` downwards."""
    coat = dog.coat
    if coat.marks in WHITE_FRONT:
        full = {"swiss": 0.5, "collar": 0.74, "wolf": 0.74}[coat.marks] * wide / scale
        bib = smooth(mirrored([(0.9 * full, -0.5), (full, 0.3), (0.9 * full, 0.8),
                               (0.45 * full, 1.5), (0.1 * full, 1.9)]))
        return [(bib * scale + (0, y), coat.pale, 0.09)]
    if coat.marks == "points":
        return [(ellipse(s * 0.3 * wide, y + 0.35 * scale, 0.22 * wide, 0.25), coat.accent, 0.04)
                for s in (-1, 1)]
    return [(ellipse(0, y + 0.5 * scale, 0.6 * wide, 1.1 * scale),
             mixed(coat.main, coat.pale, 0.45), 0.1)]


def _flank(dog: Dog, d: float) -> list:
    """Patches of a trunk seen from the left side."""
    coat = dog.coat
    belly = smooth([(-1.3, 0.1 * d), (-0.6, 0.35 * d), (0.5, 0.22 * d), (1.1, 0.3 * d),
                    (0.6, 1.2 * d), (-1.2, 1.2 * d)])
    if coat.marks == "swiss":
        return [(ellipse(-1.2, 0.1 * d, 0.32, 0.9 * d), coat.pale, 0.08)]
    if coat.marks == "collar":
        return [(ellipse(-0.98, 0.0, 0.3, 1.2 * d, 8), coat.pale, 0.08),
                (belly, mixed(coat.pale, coat.main, 0.15), 0.06)]
    if coat.marks == "wolf":
        return [(belly, coat.pale, 0.06), (ellipse(-1.2, 0.2 * d, 0.35, 0.9 * d), coat.pale, 0.08)]
    shade = coat.accent if coat.marks == "points" else coat.pale
    return [(belly, mixed(coat.main, shade, 0.4), 0.08)]


def _sock(dog: Dog):
    """The colour of the feet."""
    coat = dog.coat
    if coat.marks in WHITE_FRONT:
        return coat.pale
    if coat.marks == "points":
        return coat.accent
    return mixed(coat.main, coat.pale, 0.5)


def _leg(pen: Pen, dog: Dog, x: float, step: float, foot: float, shadow: float) -> None:
    """One leg of a standing dog; `shadow` darkens it."""
    breed, coat = dog.breed, dog.coat
    top = coat.accent if coat.marks == "points" else coat.main
    if coat.marks == "wolf":
        top = mixed(coat.main, coat.pale, 0.75)
    if coat.marks == "swiss":
        top = coat.accent
    top, sock = (mixed(c, DARK, shadow) for c in (top, _sock(dog)))
    thick = 0.18 + 0.3 * breed.depth
    toe = x + step
    pen.part(limb([(x, 0.1), (x + 0.5 * step + 0.04, 0.5 * foot), (toe, foot)],
                  (thick, 0.7 * thick, 0.52 * thick)), top, 0.6 * breed.fur,
             [(ellipse(toe, foot, 0.3, 0.42 * foot), sock, 0.03)], light=0.24)
    pen.part(ellipse(toe - 0.06, foot + 0.03, 0.36 * thick, 0.2 * thick), sock, 0.2 * breed.fur)


def _tail(pen: Pen, dog: Dog, lying: bool = False) -> None:
    """The tail, from its root at the origin towards the right."""
    breed, coat = dog.breed, dog.coat
    kind = breed.tail
    wag = pen.canvas.rng.uniform(-15, 15)
    pen = pen.turned(0, 0, 1, wag + (0 if lying else -5))
    tip = coat.pale if coat.marks in WHITE_FRONT else mixed(coat.main, coat.pale, 0.5)
    if kind == "curl":
        coil = np.linspace(0.2, 2 * np.pi, 9)
        radius = 0.26 - 0.018 * np.arange(9)
        points = np.stack([0.06 - radius * np.cos(coil), -0.22 - radius * np.sin(coil)], 1)
        pen.part(limb(points[::-1][:7], np.linspace(0.1, 0.2, 7)), coat.main, light=0.4)
    elif kind == "bush":
        points = [(-0.1, 0.05), (0.25, -0.3), (0.22, -0.75), (-0.12, -0.92)]
        pen.part(limb(points, (0.25, 0.4, 0.42, 0.2)), coat.main, 0.14,
                 [(ellipse(-0.1, -0.9, 0.28, 0.24), tip, 0.08)])
    elif kind == "plume":
        points = [(-0.1, 0), (0.35, 0.02), (0.75, -0.12), (1.0, -0.4)]
        pen.part(limb(points, (0.18, 0.36, 0.42, 0.14)), coat.main, 0.16,
                 [(ellipse(0.98, -0.36, 0.24, 0.24), tip, 0.08)])
    elif kind == "otter":
        pen.part(limb([(-0.1, 0), (0.4, 0.02), (0.9, -0.1)], (0.26, 0.22, 0.1)), coat.main)
    else:
        pen.part(limb([(-0.05, 0), (0.25, -0.12), (0.42, -0.45), (0.4, -0.75)],
                      (0.13, 0.11, 0.09, 0.06)), coat.main)


def _scarf(pen: Pen, dog: Dog) -> None:
    """A neckerchief, if the dog wears one, around the origin; its unit is half the neck."""
    if dog.scarf is None:
        return
    pen.part(smooth([(-1.0, -0.25), (0, 0.0), (1.0, -0.25), (0.95, 0.12), (0.1, 0.85), (-0.1, 0.85),
                     (-0.95, 0.12)], 4), dog.scarf, light=0.35, hair=0.03)


POSES = {                               # the drawing, and its left, top, right and bottom
    "portrait": (portrait, (-0.85, -1.0, 0.85, 0.85)),
    "sitting": (sitting, (-1.1, -2.0, 1.1, 1.7)),
    "standing": (standing, (-2.0, -1.75, 1.85, 1.05)),
    "lying": (lying, (-1.65, -1.35, 1.65, 0.9)),
}
