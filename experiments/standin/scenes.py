"""Where the dogs are: a clean studio or lawn, and the clutter of rooms, streets and parks.

`studio` and `street` paint the whole canvas and return the height of the ground as a share of the
picture's height. `clutter` adds things in front that are no dogs.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from experiments.standin.canvas import Canvas, mixed, varied
from experiments.standin.things import (ball, bench, bone, bowl, car, chair, fence, house, lamp,
                                        legs, muted, person, picture, plant, sofa, table, tree)


def wash(canvas: Canvas, top, bottom, grain: float = 0.05, blotches: float = 0.08,
         rows: tuple[float, float] = (0, 1)) -> None:
    """Fill a band of the canvas from colour `top` to `bottom`, with grain and soft blotches."""
    width, height = canvas.image.size
    first, last = (int(round(r * height)) for r in rows)
    if last <= first:
        return
    rng, n = canvas.rng, last - first
    ramp = np.linspace(0, 1, n, dtype=np.float32)[:, None, None]
    paint = np.asarray(top, np.float32) * (1 - ramp) + np.asarray(bottom, np.float32) * ramp
    coarse = Image.fromarray(rng.normal(size=(5, 6)).astype(np.float32))
    fine = Image.fromarray(rng.normal(size=(max(2, n // 4), max(2, width // 4))).astype(np.float32))
    noise = (blotches * np.asarray(coarse.resize((width, n), Image.BICUBIC))
             + grain * np.asarray(fine.resize((width, n), Image.BILINEAR)))
    paint = np.clip(paint * (1 + noise[:, :, None]), 0, 255).astype(np.uint8)
    canvas.image.paste(Image.fromarray(paint), (0, first))


def studio(canvas: Canvas) -> float:
    """A backdrop of paper, a lawn out of focus, or plain light: nothing to distract."""
    rng = canvas.rng
    kind = rng.choice(["paper", "lawn", "light"], p=[0.45, 0.35, 0.2])
    if kind == "paper":
        colour = muted(rng, 90, 235)
        wash(canvas, varied(rng, colour, 0.1), mixed(colour, (255, 255, 255), 0.25), 0.01)
        ground = rng.uniform(0.72, 0.85)
        floor = mixed(colour, (255, 255, 255), 0.3)
        wash(canvas, mixed(floor, colour, 0.3), floor, 0.01, 0.03, (ground - 0.05, 1))
    elif kind == "lawn":
        ground = rng.uniform(0.35, 0.6)
        far, grass = muted(rng, 90, 200), varied(rng, (96, 140, 62), 0.15)
        wash(canvas, mixed(far, (170, 200, 220), 0.5), mixed(far, grass, 0.5), 0.01, 0.12)
        for _ in range(12):                                     # lights out of focus
            x, y = rng.uniform(0, 1, 2) * (canvas.size[0], ground * canvas.size[1])
            canvas.pen(x, y, min(canvas.size)).spot((0, 0), rng.uniform(0.02, 0.08),
                                                    varied(rng, mixed(far, grass, 0.4), 0.15))
        canvas.image = canvas.image.filter(ImageFilter.BoxBlur(0.02 * canvas.image.size[1]))
        wash(canvas, mixed(grass, far, 0.25), grass, 0.12, 0.05, (ground, 1))
        ground = max(ground, 0.6)
    else:
        wash(canvas, (236, 236, 234), varied(rng, (214, 212, 208), 0.05), 0.01, 0.03)
        ground = 0.8
    return float(ground)


def street(canvas: Canvas) -> float:
    """A room, a street, a park, a beach or snow, with what stands around there."""
    rng = canvas.rng
    kind = rng.choice(["room", "street", "park", "beach", "snow"], p=[0.38, 0.24, 0.2, 0.1, 0.08])
    ground = float(rng.uniform(0.35, 0.65))
    if kind == "room":
        wall = muted(rng, 100, 235)
        wash(canvas, wall, varied(rng, wall, 0.08), 0.02, 0.06)
        if rng.random() < 0.4:                                  # wallpaper
            pen, stripe = canvas.pen(0, 0, canvas.size[0]), varied(rng, wall, 0.12)
            step = rng.uniform(0.06, 0.15)
            for x in np.arange(0, 1, step):
                pen.flat([(x, 0), (x + step / 2, 0), (x + step / 2, 2), (x, 2)], stripe)
        floor = varied(rng, rng.choice([(150, 104, 66), (120, 90, 80), (170, 160, 150),
                                        (90, 110, 130), (160, 60, 54)]), 0.15)
        wash(canvas, floor, mixed(floor, (30, 24, 20), 0.25), 0.08, 0.1, (ground, 1))
        pen = canvas.pen(0, ground * canvas.size[1], canvas.size[0])
        for _ in range(rng.integers(2, 6)):                     # boards or tiles
            y = rng.uniform(0.02, 0.6)
            pen.line([(0, y), (1, y + rng.normal(0, 0.01))], 0.006, mixed(floor, (30, 20, 16), 0.4))
        things = (sofa, sofa, table, chair, picture, picture, lamp, plant, person, person)
    elif kind == "street":
        wash(canvas, muted(rng, 130, 235), muted(rng, 130, 235), 0.02, 0.08)
        for _ in range(rng.integers(2, 5)):
            house(canvas.pen(rng.uniform(0, 1) * canvas.size[0], ground * canvas.size[1],
                             canvas.size[1] * rng.uniform(0.2, 0.4)), rng)
        wash(canvas, varied(rng, (140, 138, 136), 0.15), varied(rng, (112, 110, 110), 0.15), 0.1,
             0.08, (ground, 1))
        things = (person, person, car, lamp, tree, table)
    else:
        sky = varied(rng, (150, 190, 226), 0.12)
        wash(canvas, sky, mixed(sky, (250, 244, 230), 0.6), 0.01, 0.1)
        soil = {"park": (92, 130, 60), "beach": (214, 190, 142), "snow": (232, 238, 244)}[kind]
        soil = varied(rng, soil, 0.12 if kind == "park" else 0.05)
        wash(canvas, mixed(soil, sky, 0.25), soil, 0.12, 0.1, (ground, 1))
        things = {"park": (tree, tree, person, bench, plant), "beach": (person, ball, person),
                  "snow": (tree, person, house)}[kind]
    for _ in range(rng.integers(1, 5)):
        pen = canvas.pen(rng.uniform(0, 1) * canvas.size[0],
                         (ground + rng.uniform(0, 0.15)) * canvas.size[1],
                         canvas.size[1] * rng.uniform(0.16, 0.36))
        things[rng.integers(len(things))](pen, rng)
    return ground


def clutter(canvas: Canvas) -> None:
    """Things in front of the dog: toys, a bowl, a plant, somebody's legs, a chair, a fence."""
    rng = canvas.rng
    width, height = canvas.size
    for thing in rng.choice(2 * [ball, bowl, bone, plant] + [legs, chair, fence],
                            rng.integers(1, 4)):
        thing(canvas.pen(rng.choice([rng.uniform(0, 0.3), rng.uniform(0.7, 1)]) * width,
                         rng.uniform(0.85, 1.1) * height, height * rng.uniform(0.15, 0.4)), rng)
