"""What can be measured of a photograph, and how two sets of photos compare in it.

    table = measure(photos.dbi)             # {"brightness": (N,) array, ...}
    likelier(table_a, table_b)              # how often a photo of b has more of it than one of a
"""

from __future__ import annotations

import math
import os
from typing import NamedTuple

import numpy as np
from PIL import Image

from minigrad.data import ImageFolder, read_image

SHRUNK = 128                # pixels of the longer side where light, colour and edges are measured
EDGE = 0.08                 # length of the gradient, in parts of full scale per pixel, of an edge
TINY = 8                    # pixels of the sides of the picture by which photos are set apart


class Quantity(NamedTuple):
    """Something measured of every photo: its name, unit, and how to write a value."""

    name: str
    unit: str
    form: str = ".3f"


QUANTITIES = {
    "bytes": Quantity("size of the file", "kB", ",.0f"),
    "pixels": Quantity("pixels", "thousand", ",.0f"),
    "aspect": Quantity("width / height", ""),
    "brightness": Quantity("brightness", "0..1"),
    "contrast": Quantity("contrast", "0..1"),
    "colour": Quantity("colourfulness", "0..1"),
    "edges": Quantity("edges", "share of the pixels"),
    "outside": Quantity("edges in the outer half", "share of all edges"),
    "distance": Quantity("distance to the set's mean", "0..1"),
}


def measure(photos: ImageFolder) -> dict[str, np.ndarray]:
    """Every quantity for every photo of a set, in the order of its samples.

    Brightness and contrast are mean and deviation of the luma (ITU-R BT.601). Colourfulness is
    M3 of Hasler and Suesstrunk, "Measuring colourfulness in natural images", SPIE 5007, 2003. An
    edge is where the luma's gradient (central differences) exceeds `EDGE`; the outer half is what
    lies outside of a rectangle in the middle with half of the area. The distance is the root mean
    square difference between the photo and the mean photo of the set, both of 8x8 pixels.
    """
    rows, small = [], []
    for path, _ in photos.samples:
        image = read_image(path)
        small.append(np.asarray(image.resize((TINY, TINY), Image.Resampling.BOX), np.float32) / 255)
        rows.append((os.stat(path).st_size / 1000, image.width * image.height / 1000,
                     image.width / image.height, *look(image)))
    table = dict(zip(QUANTITIES, np.array(rows).T))
    table["distance"] = np.sqrt(((np.stack(small) - np.mean(small, 0)) ** 2).mean((1, 2, 3)))
    return table


def look(image: Image.Image) -> tuple[float, ...]:
    """(brightness, contrast, colourfulness, edges, edges in the outer half) of one photo."""
    factor = SHRUNK / max(image.size)
    shrunk = image.resize([max(3, round(side * factor)) for side in image.size],
                          Image.Resampling.BOX)
    r, g, b = np.moveaxis(np.asarray(shrunk, np.float32) / 255, -1, 0)
    luma = 0.299 * r + 0.587 * g + 0.114 * b
    opponents = r - g, (r + g) / 2 - b
    colour = (math.hypot(*(o.std() for o in opponents))
              + 0.3 * math.hypot(*(o.mean() for o in opponents)))
    edge = np.hypot(*np.gradient(luma)) > EDGE
    height, width = luma.shape
    top, left = (round(side * (1 - math.sqrt(0.5)) / 2) for side in (height, width))
    inner = edge[top:height - top, left:width - left]
    outside = 1 - inner.sum() / edge.sum() if edge.any() else 0.5
    return (float(luma.mean()), float(luma.std()), float(colour), float(edge.mean()),
            float(outside))


def likelier(a: np.ndarray, b: np.ndarray) -> float:
    """The chance that a random value of `b` exceeds one of `a`, ties counting half.

    The "common language effect size" of McGraw and Wong, Psychological Bulletin 111, 1992.
    """
    below = np.searchsorted(np.sort(a), b, "left").sum()
    upto = np.searchsorted(np.sort(a), b, "right").sum()
    return float((below + upto) / 2 / (len(a) * len(b)))


def in_words(chance: float) -> str:
    """Cohen's words for it: his d of 0.2, 0.5 and 0.8 are chances of .556, .638 and .714."""
    strength = abs(chance - 0.5) + 0.5
    for bound, word in ((0.714, "much"), (0.638, "clearly"), (0.556, "slightly")):
        if strength >= bound:
            return f"{word} {'higher' if chance > 0.5 else 'lower'}"
    return "about the same"
