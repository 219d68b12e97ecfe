"""One photograph of the stand-in: which dog, which pose, where, and how well it was taken.

`dog_photo("dbi", ...)` is the studio: the dog in the middle of a clean picture. `dog_photo("sdd",
...)` is the street: other things about, the dog off-centre, small, half hidden or cut off, in poor
light. `wide_photo` shows something else than a dog, in either way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from experiments.standin.bodies import POSES
from experiments.standin.breeds import BREEDS, individual
from experiments.standin.canvas import Canvas
from experiments.standin.scenes import clutter, street, studio
from experiments.standin.wide import CLASSES

DOMAINS = ("dbi", "sdd")
SHAPES = ((4, 3), (3, 4), (1, 1), (3, 2), (2, 3))       # of pictures: width to height
OTHERS = ("cat", "rabbit", "sheep", "owl", "bird", "turtle")     # that share a street with a dog


@dataclass(frozen=True)
class Taking:
    """How pictures of one kind are taken."""

    side: float                     # the longer side in pixels: median, and spread of its logarithm
    side_spread: float
    quality: tuple[int, int]        # of the JPEG file
    careless: float                 # of the photographer, 0..1
    spread: float                   # how much individuals differ
    poses: tuple[float, ...]        # how frequent each of POSES is


def dog_photo(domain: str, breed: str, taking: Taking, rng) -> tuple[Image.Image, int]:
    """A photograph of a dog, and the quality to save it with."""
    canvas = _canvas(taking, rng)
    width, height = canvas.size
    in_studio = domain == "dbi"
    ground = studio(canvas) if in_studio else street(canvas)
    pose = rng.choice(list(POSES), p=taking.poses)
    draw, (left, top, right, bottom) = POSES[pose]
    dog = individual(BREEDS[breed], rng, taking.spread)
    fill = rng.uniform(0.78, 1.0) if in_studio else rng.uniform(0.55, 1.2)
    unit = fill * min(width / (right - left), height / (bottom - top)) * dog.breed.size ** 0.5
    stray = 0.03 if in_studio else 0.16
    x = width * (0.5 + rng.normal(0, stray)) - unit * (left + right) / 2
    y = height * (0.5 + rng.normal(0, stray / 2)) - unit * (top + bottom) / 2
    flip = bool(rng.random() < 0.5)
    if pose == "portrait":
        y = max(y, height - 2.3 * unit)                 # the bust goes on below the picture
    else:
        feet = y + unit * bottom
        y += max(0.0, (ground + 0.08) * height - feet)
        canvas.pen(x, y, unit).shadow(0.0, bottom - 0.06, 0.9 * right, 0.16)
    pen = canvas.pen(x, y, unit, flip)
    draw(pen.turned(0, 0, 1, 0 if in_studio else rng.normal(0, 5)), dog)
    if not in_studio and rng.random() < 0.2:            # another animal
        other = canvas.pen(width * rng.choice([0.14, 0.86]), height * rng.uniform(0.75, 0.95),
                           height * rng.uniform(0.12, 0.22), bool(rng.random() < 0.5))
        CLASSES[rng.choice(OTHERS)](other, rng)
    if not in_studio and rng.random() < 0.65:
        clutter(canvas)
    return _taken(canvas, taking, rng)


def wide_photo(kind: str, taking: Taking, rng) -> tuple[Image.Image, int]:
    """A photograph of something that is none of the seven breeds."""
    canvas = _canvas(taking, rng)
    width, height = canvas.size
    ground = studio(canvas) if rng.random() < 0.5 else street(canvas)
    unit = min(width, height) * rng.uniform(0.34, 0.48)
    x, y = (0.5 + rng.normal(0, 0.07, 2)) * (width, height)
    pen = canvas.pen(x, y, unit, bool(rng.random() < 0.5))
    CLASSES[kind](pen.turned(0, 0, 1, rng.normal(0, 8)), rng)
    if ground < 0.6 and rng.random() < 0.3:
        clutter(canvas)
    return _taken(canvas, taking, rng)


def _canvas(taking: Taking, rng) -> Canvas:
    shape = np.array(SHAPES[rng.integers(len(SHAPES))], float)
    side = taking.side * np.exp(taking.side_spread * np.clip(rng.normal(), -2, 2))
    width, height = (int(round(v)) for v in shape / shape.max() * side)
    return Canvas(width, height, rng)


def _taken(canvas: Canvas, taking: Taking, rng) -> tuple[Image.Image, int]:
    return (_developed(canvas.finished(), rng, taking.careless),
            int(rng.integers(*taking.quality, endpoint=True)))


def _developed(image: Image.Image, rng, careless: float) -> Image.Image:
    """What a camera makes of it: focus, exposure, colour cast, contrast, noise."""
    out_of_focus = rng.choice([0.1, rng.uniform(0.2, 1.3)]) * careless * max(image.size) / 160
    image = image.filter(ImageFilter.GaussianBlur(float(out_of_focus)))
    light = np.exp(rng.normal(0, 0.05 + 0.17 * careless) + rng.normal(0, 0.02 + 0.07 * careless, 3))
    contrast = np.exp(rng.normal(0, 0.05 + 0.12 * careless))
    x = np.asarray(image, np.float32) * light.astype(np.float32)
    x = 110 + (x - 110) * np.float32(contrast)
    grain = rng.normal(size=(*x.shape[:2], 1)).astype(np.float32)
    x += grain * np.float32(1.5 + 7 * careless * rng.random())
    return Image.fromarray(np.clip(x, 0, 255).astype(np.uint8))
