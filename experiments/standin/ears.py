"""The ears of a dog, in the units of its head."""

from __future__ import annotations

import numpy as np

from experiments.standin.breeds import DARK, PINK, Dog
from experiments.standin.canvas import Pen, mixed, smooth

UPRIGHT = ("prick", "semi")             # stand behind the head, the others hang in front of it


def front_ears(pen: Pen, dog: Dog) -> None:
    """Both ears of a head seen from the front; the far one is foreshortened."""
    draw = {"drop": _drop, "button": _button}.get(dog.breed.ears, _upright)
    for side in (-1, 1):
        draw(pen, dog, side, 1 - 0.18 * max(0, dog.yaw * side))


def _upright(pen: Pen, dog: Dog, side: int, far: float) -> None:
    """Pointed, pink inside; the tip of a "semi" one falls forward."""
    breed, outer = dog.breed, dog.coat.ear
    pen = pen.turned(side * 0.75 * breed.crown, -0.58, breed.ear, side * dog.droop)
    wide, lean = (0.62, 0.62) if breed.crown > 0.9 else (0.52, 0.12)    # apple heads' stand out
    ear = np.array([(-wide * far, 0.15), (-0.36 * far, -0.4), (lean, -1.02),
                    (0.46 * far + 0.3 * lean, -0.35), (wide * far, 0.38)]) * (side, 1)
    if breed.ears == "semi":
        ear[2] = (side * 0.2, -0.66)
    pen.part(smooth(ear), outer, 0.5 * breed.fur)
    pen.part(smooth(ear * (0.58, 0.68) + (side * 0.06, -0.02)), _inside(outer), 0.3 * breed.fur,
             light=0.2)
    if breed.ears == "semi":
        tip = np.array([(-0.26, -0.62), (0.14, -0.84), (0.5, -0.5), (0.44, -0.12),
                        (0.22, -0.34)]) * (side, 1)
        pen.part(smooth(tip), _lighter(outer), 0.4 * breed.fur)


def _drop(pen: Pen, dog: Dog, side: int, far: float) -> None:
    """Hanging down along the cheek."""
    breed = dog.breed
    pen = pen.turned(side * 0.85 * breed.crown, -0.62, breed.ear, -side * dog.droop)
    ear = np.array([(-0.10, -0.06), (0.28, -0.16), (0.56 * far, 0.3), (0.55 * far, 0.85),
                    (0.26 * far, 1.12), (0.06, 0.72), (0.02, 0.3)]) * (side, 1)
    pen.part(smooth(ear), dog.coat.ear, 1.1 * breed.fur, light=0.34)


def _button(pen: Pen, dog: Dog, side: int, far: float) -> None:
    """Small, folded forward."""
    pen = pen.turned(side * 0.62, -0.80, dog.breed.ear, side * dog.droop)
    ear = np.array([(-0.32, 0.0), (0.1, -0.16), (0.52 * far, 0.1), (0.6 * far, 0.62),
                    (0.3, 0.74), (0.02, 0.36)]) * (side, 1)
    pen.part(smooth(ear), dog.coat.ear, light=0.3)


def side_ear(pen: Pen, dog: Dog) -> None:
    """The near ear of a head in profile that looks to the left."""
    breed, outer = dog.breed, dog.coat.ear
    pen = pen.turned(0, 0, breed.ear, 0.6 * dog.droop)
    if breed.ears == "drop":
        pen.part(smooth([(-0.25, -0.12), (0.15, -0.2), (0.5, 0.25), (0.42, 0.95), (0.1, 1.1),
                         (-0.16, 0.7)]), outer, breed.fur, light=0.34)
    elif breed.ears == "button":
        pen.part(smooth([(-0.3, -0.3), (0.2, -0.36), (0.5, 0.1), (0.3, 0.6), (-0.12, 0.3)]), outer)
    else:
        tall = 0.75 if breed.ears == "semi" else 1.05
        pen.part(smooth([(-0.4, 0.3), (-0.22, -0.35), (0.05, -tall), (0.34, -0.3), (0.42, 0.4)]),
                 outer, 0.5 * breed.fur)
        pen.part(smooth([(-0.25, 0.2), (-0.14, -0.25), (0.0, -0.6), (0.14, 0.1)]),
                 _inside(outer), light=0.2)
        if breed.ears == "semi":
            pen.part(smooth([(-0.28, -0.4), (0.1, -0.85), (0.26, -0.45), (-0.3, -0.12)]),
                     _lighter(outer), 0.4 * breed.fur)


def _inside(outer):
    return mixed(mixed(outer, PINK, 0.65), DARK, 0.12)


def _lighter(outer):
    return mixed(outer, (120, 120, 120), 0.12)
