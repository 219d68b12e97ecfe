"""The head of a dog, from the front and from the side.

The origin is the middle of the head, the unit is half its width, y points down.
"""

from __future__ import annotations

import numpy as np

from experiments.standin.breeds import DARK, Dog
from experiments.standin.canvas import Pen, ellipse, limb, mirrored, mixed, smooth
from experiments.standin.ears import UPRIGHT, front_ears, side_ear

TONGUE = (216, 104, 112)


def eye(pen: Pen, x: float, y: float, radius: float, colour, look: float = 0) -> None:
    """An eye with a dark rim, a pupil that looks `look` aside, and two highlights."""
    pen.flat(ellipse(x, y, 1.35 * radius, 1.25 * radius), DARK)
    pen.spot((x + 0.1 * look * radius, y), radius, colour)
    pen.spot((x + 0.2 * look * radius, y), 0.6 * radius, (14, 12, 12))
    pen.spot((x - 0.32 * radius, y - 0.38 * radius), 0.32 * radius, (250, 250, 250))
    pen.spot((x + 0.35 * radius, y + 0.4 * radius), 0.13 * radius, (200, 200, 205))


def front_head(pen: Pen, dog: Dog) -> None:
    """The head seen from the front, turned aside by `dog.yaw`."""
    breed, coat = dog.breed, dog.coat
    yaw = dog.yaw

    def face(points):
        """Features of the face move with the yaw, the more the closer they are to the middle."""
        p = np.array(points, float)
        p[:, 0] += 0.2 * yaw * (1 - 0.6 * np.minimum(1, p[:, 0] ** 2))
        return p

    if breed.ears in UPRIGHT:
        front_ears(pen, dog)
    skull = smooth(mirrored([(0.3 * breed.crown, -0.98), (0.92 * breed.crown, -0.72),
                             (0.98, -0.12), (0.90, 0.38), (breed.jaw, 0.80), (0.2, 1.0)]))
    pen.part(skull, coat.main, 0.8 * breed.fur, _face_marks(dog, face), light=0.28)
    if breed.ears not in UPRIGHT:
        front_ears(pen, dog)
    if coat.marks == "mask":
        _wrinkles(pen, coat, face)
    ex, ey, er = breed.eye
    for side in (-1, 1):
        (x, y), = face([(side * ex, ey)])
        squeeze = 1 - 0.12 * max(0, yaw * side)
        eye(pen, x, y, er * squeeze, coat.eyes, yaw)
        if coat.marks == "plain":                       # a brow, just a shade lighter
            pen.line([(x - 0.13, y - 2.1 * er), (x, y - 2.35 * er), (x + 0.13, y - 2.1 * er)],
                     0.05, mixed(coat.main, coat.pale, 0.5))
    _muzzle(pen.turned(0.2 * yaw + 0.24 * yaw * breed.muzzle[2], 0.42), dog)


def _face_marks(dog: Dog, face) -> list:
    """The patches of colour on the face."""
    coat, fur, wide = dog.coat, 0.04, dog.blaze
    if coat.marks == "plain":
        return [(face(ellipse(0, 0.55, 0.7, 0.5)), mixed(coat.main, coat.pale, 0.6), 0.08),
                (face(ellipse(0, -0.55, 0.3, 0.4)), mixed(coat.main, coat.accent, 0.25), 0.08)]
    if coat.marks == "mask":
        return [(face(ellipse(s * 0.5, 0.0, 0.30, 0.28)), mixed(coat.main, coat.accent, 0.75), fur)
                for s in (-1, 1)] + [(face(ellipse(0, 0.42, 0.72, 0.5)), coat.accent, fur)]
    dots = [(face(ellipse(s * 0.38, -0.44, 0.13, 0.10)), coat.accent, fur) for s in (-1, 1)]
    cheeks = [(face(ellipse(s * 0.66, 0.42, 0.34, 0.44, -20 * s)), coat.accent, fur)
              for s in (-1, 1)]
    if coat.marks == "points":
        return dots + cheeks + [(face(ellipse(0, 0.6, 0.5, 0.4)), coat.pale, fur)]
    blaze = face(smooth(mirrored([(0.05 * wide, -0.86), (0.12 * wide, -0.5), (0.09 * wide, -0.1),
                                  (0.30, 0.22), (0.42, 0.62), (0.2, 1.05)])))
    if coat.marks == "swiss":
        return dots + cheeks + [(blaze, coat.pale, fur)]
    if coat.marks == "collar":
        broad = blaze * (1.35, 1)
        return [(face(ellipse(s * 0.78, 0.55, 0.22, 0.3)), mixed(coat.main, coat.accent, 0.8), fur)
                for s in (-1, 1)] + [(broad, coat.pale, fur)]
    # "wolf": white goggles and cheeks leave a dark cap that runs down between the eyes
    white = smooth(mirrored([(0.10, -0.02), (0.10, -0.42), (0.30, -0.62 - 0.06 * wide),
                             (0.60, -0.50), (0.60, -0.18), (0.78, 0.0), (0.86, 0.4), (0.6, 0.95),
                             (0.1, 1.05)]), 4)
    return [(face(white), coat.pale, fur),
            (face(limb([(0, -0.5), (0, 0.0), (0, 0.25)], (0.16, 0.12, 0.06))), coat.main)]


def _muzzle(pen: Pen, dog: Dog) -> None:
    """Cheeks, mouth and nose, around the middle of the muzzle."""
    breed, coat = dog.breed, dog.coat
    w, h, out = breed.muzzle
    colour = {"plain": mixed(coat.main, coat.pale, 0.55), "mask": coat.accent,
              "points": mixed(coat.accent, coat.pale, 0.5)}.get(coat.marks, coat.pale)
    if dog.panting:
        pen.part(ellipse(0, 0.95 * h, 0.62 * w, 0.55 * h), mixed(colour, DARK, 0.35), light=0.2)
        pen.part(smooth([(-0.13, 0.6 * h), (0.13, 0.6 * h), (0.16, 1.4 * h), (0, 1.75 * h),
                         (-0.16, 1.4 * h)]), TONGUE, hair=0)
        pen.line([(0, 0.7 * h), (0, 1.45 * h)], 0.03, mixed(TONGUE, DARK, 0.3))
    shape = smooth(mirrored([(0.42 * w, -h), (0.8 * w, -0.4 * h), (w, 0.3 * h),
                             (0.72 * w, 0.85 * h), (0.2 * w, 0.92 * h)]))
    pen.part(shape, colour, 0.35 * breed.fur, light=0.2 + 0.25 * out, hair=0.05)
    line = mixed(colour, DARK, 0.75 if sum(colour) > 200 else 0.5)
    pen.line([(0, -0.3 * h), (0, 0.3 * h)], 0.05, line)
    for s in (-1, 1):
        pen.line([(0, 0.3 * h), (s * 0.35 * w, 0.55 * h), (s * 0.75 * w, 0.38 * h)], 0.055, line)
        for dx, dy in ((0.45, 0.0), (0.6, 0.15), (0.5, 0.22)):
            pen.spot((s * dx * w, dy * h), 0.022, line)
    nose = smooth([(-0.24, -0.13), (0, -0.17), (0.24, -0.13), (0.2, 0.04), (0, 0.16), (-0.2, 0.04)])
    place = pen.turned(0, -0.52 * h, 0.55 + 0.9 * w)
    place.part(nose, coat.nose, light=0.35, hair=0)
    place.flat(ellipse(-0.07, -0.09, 0.08, 0.03), mixed(coat.nose, (255, 255, 255), 0.5))


def _wrinkles(pen: Pen, coat, face) -> None:
    """The folds on a pug's forehead."""
    fold = mixed(coat.main, coat.accent, 0.62)
    for y, wide, rise in ((-0.70, 0.24, 0.03), (-0.52, 0.36, 0.05), (-0.34, 0.24, 0.06)):
        pen.line(face([(-wide, y + rise), (-wide / 2, y - rise), (0, y + rise),
                       (wide / 2, y - rise), (wide, y + rise)]), 0.05, fold)
    for s in (-1, 1):
        pen.line(face([(s * 0.16, 0.0), (s * 0.3, 0.16), (s * 0.62, 0.32)]), 0.045, fold)


def side_head(pen: Pen, dog: Dog) -> None:
    """The head in profile, looking to the left."""
    breed, coat = dog.breed, dog.coat
    w, h, out = breed.muzzle
    long = 1.6 * out
    snout = {"mask": coat.accent, "points": coat.accent,
             "plain": mixed(coat.main, coat.pale, 0.4)}.get(coat.marks, coat.pale)
    if breed.ears in UPRIGHT:
        side_ear(pen.turned(0.12, -0.6, 0.9), dog)
    marks = []
    if coat.marks in ("swiss", "points"):
        marks = [(ellipse(-0.35, 0.5, 0.5, 0.4), coat.accent, 0.04),
                 (ellipse(-0.62, -0.5, 0.14, 0.1), coat.accent, 0.03)]
    elif coat.marks == "wolf":
        marks = [(smooth([(-1.2, -0.1), (-0.62, -0.52), (-0.42, 0.05), (0.1, 0.15), (0.25, 0.7),
                          (-0.3, 1.1), (-1.2, 0.9)]), coat.pale, 0.05)]
    elif coat.marks == "collar":
        marks = [(ellipse(-0.95, 0.1, 0.32, 0.9), coat.pale, 0.05)]
    elif coat.marks == "mask":
        marks = [(ellipse(-0.72, 0.2, 0.55, 0.6), coat.accent, 0.03)]
    skull = smooth([(-0.8, -0.42), (-0.35, -0.82), (0.25, -0.84), (0.8, -0.35), (0.85, 0.3),
                    (0.4, 0.75), (-0.3, 0.72), (-0.85, 0.4)])
    pen.part(skull, coat.main, 0.7 * breed.fur, marks)
    tip = -0.68 - 0.72 * long
    if dog.panting:
        pen.part(limb([(tip + 0.35, 0.5), (tip + 0.3, 0.95)], (0.24, 0.26)), TONGUE, hair=0)
    pen.part(limb([(-0.5, 0.2), (-0.6 - 0.4 * long, 0.24), (tip, 0.26)],
                  (1.9 * h, 1.7 * h, 1.3 * h)), snout, 0.3 * breed.fur,
             [(limb([(-0.4, 0.5), (tip, 0.5)], (0.3, 0.2)), mixed(snout, DARK, 0.15))])
    pen.line([(tip, 0.46), (-0.6 - 0.3 * long, 0.52), (-0.62, 0.42)], 0.055,
             mixed(snout, DARK, 0.6))
    if coat.marks in ("wolf", "swiss"):                 # a dark bridge of the nose
        pen.part(limb([(-0.55, -0.16), (tip + 0.15, 0.0)], (0.26, 0.1)), coat.main, light=0.1)
    pen.part(ellipse(tip - 0.5 * h, 0.1, 0.2, 0.16), coat.nose, light=0.4, hair=0)
    eye(pen, -0.52, -0.16, 1.05 * breed.eye[2], coat.eyes, -1)
    if breed.ears not in UPRIGHT:
        side_ear(pen.turned(0.22, -0.48), dog)
