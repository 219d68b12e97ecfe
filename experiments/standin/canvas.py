"""Drawing with fur and light: smooth outlines, painted parts, noise.

    canvas = Canvas(160, 120, rng)              twice that size inside, halved at the end
    pen = canvas.pen(80, 60, 40)                origin at (80, 60), unit 40 pixels, y downwards
    pen.part(smooth([(-1, 0), (0, -1), (1, 0)]), (180, 140, 90), fur=0.05)
    pen.turned(0, -1, 0.5, 20).spot((0, 0), 0.2, (0, 0, 0))    a pen within a pen
    photo = canvas.finished()

An outline is an array of points (n, 2), closed, in the pen's units.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from minigrad.backend import keyed_generator

SUPERSAMPLING = 2
LIGHT = np.array((-0.6, -0.8))         # where the light comes from, seen from the centre


def smooth(points, steps: int = 6) -> np.ndarray:
    """The closed Catmull-Rom curve through `points` (n, 2), as an outline (n * steps, 2)."""
    p = np.asarray(points, float)
    before, after, beyond = np.roll(p, 1, 0), np.roll(p, -1, 0), np.roll(p, -2, 0)
    t = (np.arange(steps) / steps)[:, None]
    curve = 0.5 * (2 * p[:, None] + (after - before)[:, None] * t
                   + (2 * before - 5 * p + 4 * after - beyond)[:, None] * t ** 2
                   + (3 * p - before - 3 * after + beyond)[:, None] * t ** 3)
    return curve.reshape(-1, 2)


def ellipse(x: float, y: float, rx: float, ry: float, degrees: float = 0) -> np.ndarray:
    """The outline of an ellipse around (x, y), turned clockwise on the screen."""
    t = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    return rotated(np.stack([rx * np.cos(t), ry * np.sin(t)], 1), degrees) + (x, y)


def limb(points, widths) -> np.ndarray:
    """The outline of a strip along a centre line `points` (n, 2), `widths` (n,) wide at them."""
    p, half = np.asarray(points, float), np.asarray(widths, float)[:, None] / 2
    along = np.gradient(p, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-9
    across = np.stack([-along[:, 1], along[:, 0]], 1)
    ends = (p[0] - along[0] * half[0] * 0.8, p[-1] + along[-1] * half[-1] * 0.8)
    return smooth(np.concatenate([p + across * half, ends[1:], (p - across * half)[::-1],
                                  ends[:1]]), 5)


def mirrored(half) -> np.ndarray:
    """The whole of a symmetric shape from its right half (n, 2), listed from top to bottom."""
    right = np.asarray(half, float)
    return np.concatenate([right, (right * (-1, 1))[::-1]])


def rotated(points, degrees: float) -> np.ndarray:
    """`points` (n, 2) turned about the origin, clockwise on the screen."""
    turn = np.deg2rad(degrees)
    c, s = np.cos(turn), np.sin(turn)
    return np.asarray(points, float) @ np.array([[c, s], [-s, c]])


def varied(rng, colour, amount: float = 0.08) -> tuple[int, int, int]:
    """`colour` (r, g, b) made lighter or darker, and its hue shifted a little."""
    factor = 1 + amount * rng.normal() + 0.3 * amount * rng.normal(size=3)
    return tuple(int(c) for c in np.clip(np.asarray(colour) * factor, 4, 252))


def mixed(first, second, share: float) -> tuple[int, int, int]:
    """The colour that is `share` of the way from `first` to `second`."""
    return tuple(int(a + (b - a) * share) for a, b in zip(first, second))


@lru_cache(maxsize=1)
def _hair() -> np.ndarray:
    """A tile (512, 512) of streaky noise, about 1 in spread: what a coat looks like close up."""
    noise = keyed_generator(0, "hair").normal(size=(512, 512)).astype(np.float32)
    streaks = sum(np.roll(noise, (k, k // 3), (0, 1)) for k in range(6)) / 6 ** 0.5
    clumps = np.asarray(Image.fromarray(noise[::8, ::8]).resize((512, 512), Image.BICUBIC))
    return 0.8 * streaks + 0.5 * clumps


class Canvas:
    """A picture being drawn, `width` by `height` pixels when finished."""

    def __init__(self, width: int, height: int, rng: np.random.Generator):
        self.size = width, height
        self.rng = rng
        self.image = Image.new("RGB", (width * SUPERSAMPLING, height * SUPERSAMPLING))

    def pen(self, x: float, y: float, unit: float, flip: bool = False) -> Pen:
        """A pen with its origin at (x, y) and a unit of `unit` finished pixels."""
        unit *= SUPERSAMPLING
        matrix = np.diag((-unit if flip else unit, unit))
        return Pen(self, matrix, np.array((x, y), float) * SUPERSAMPLING)

    def finished(self) -> Image.Image:
        return self.image.reduce(SUPERSAMPLING)


class Pen:
    """Draws on a canvas in coordinates of its own: pixel = point @ matrix + origin."""

    def __init__(self, canvas: Canvas, matrix: np.ndarray, origin: np.ndarray):
        self.canvas, self.matrix, self.origin = canvas, matrix, origin
        self.unit = float(abs(np.linalg.det(matrix)) ** 0.5)

    def turned(self, x: float, y: float, scale: float = 1, degrees: float = 0) -> Pen:
        """A pen at (x, y) of this one, `scale` times as large, turned clockwise."""
        matrix = rotated(np.eye(2) * scale, degrees) @ self.matrix
        return Pen(self.canvas, matrix, np.array((x, y)) @ self.matrix + self.origin)

    def pixels(self, points) -> np.ndarray:
        return np.asarray(points, float) @ self.matrix + self.origin

    def part(self, outline, colour, fur: float = 0, patches=(), light: float = 0.3,
             hair: float = 0.07) -> None:
        """Paint a rounded, lit surface inside `outline`.

        `fur`: length of the tufts that leave the outline. `patches`: (outline, colour) or (outline,
        colour, fur) triples painted on the surface. `light`: contrast of the lit and dark side.
        `hair`: contrast of the texture.
        """
        outline = self._tufted(outline, fur)
        size = np.array(self.canvas.image.size)
        low = np.maximum(np.floor(outline.min(0)) - 2, 0).astype(int)
        high = np.minimum(np.ceil(outline.max(0)) + 2, size).astype(int)
        if (high - low < 2).any():
            return                                          # wholly outside the picture
        box = tuple(high - low)
        mask = Image.new("L", box)
        ImageDraw.Draw(mask).polygon(_pairs(outline - low), fill=255)
        paint = Image.new("RGB", box, tuple(colour))
        if patches:
            draw = ImageDraw.Draw(paint)
            for shape, tint, *patch_fur in patches:
                draw.polygon(_pairs(self._tufted(shape, *patch_fur) - low), fill=tuple(tint))
            if len(patches) and self.unit > 20:
                paint = paint.filter(ImageFilter.BoxBlur(max(1, self.unit * 0.012)))
        radius = max(1.0, 0.13 * float(min(np.ptp(outline, axis=0))))
        relief = light * _relief(mask, radius)
        shade = 1 + relief
        if hair:
            y, x = self.canvas.rng.integers(0, 512, 2)
            rows, columns = (np.arange(n) + o for n, o in zip(box[::-1], (y, x)))
            shade = shade + hair * _hair()[np.ix_(rows % 512, columns % 512)]
        lit = np.asarray(paint, np.float32) * shade[:, :, None] + 50 * relief[:, :, None]
        lit = Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))
        self.canvas.image.paste(lit, tuple(low), mask)

    def flat(self, outline, colour) -> None:
        """Fill `outline` evenly."""
        draw = ImageDraw.Draw(self.canvas.image)
        draw.polygon(_pairs(self.pixels(outline)), fill=tuple(colour))

    def spot(self, centre, radius: float, colour) -> None:
        """A round spot."""
        self.flat(ellipse(*centre, radius, radius), colour)

    def line(self, points, width: float, colour) -> None:
        """A line through `points` (rounded, if they are more than two), `width` wide."""
        p = self.pixels(points)
        if len(p) > 2:
            ends = np.concatenate([p[:1], p, p[-1:]])   # an open curve: leave out what closes it
            p = smooth(ends)[6:-11]
        draw = ImageDraw.Draw(self.canvas.image)
        draw.line(_pairs(p), fill=tuple(colour), joint="curve",
                  width=max(1, round(width * self.unit)))

    def shadow(self, x: float, y: float, rx: float, ry: float, strength: float = 0.4) -> None:
        """Darken a soft ellipse, as on the ground below a thing."""
        outline = self.pixels(ellipse(x, y, rx, ry))
        blur = 0.25 * float(min(np.ptp(outline, axis=0)))
        low = np.floor(outline.min(0) - 2 * blur).astype(int)
        mask = Image.new("L", tuple(np.ceil(outline.max(0) + 2 * blur).astype(int) - low))
        ImageDraw.Draw(mask).polygon(_pairs(outline - low), fill=int(255 * strength))
        self.canvas.image.paste((20, 18, 24), tuple(low), mask.filter(ImageFilter.BoxBlur(blur)))

    def _tufted(self, outline, fur: float = 0) -> np.ndarray:
        """The outline in pixels, with tufts up to `fur` units long, drooping a little."""
        p = self.pixels(outline)
        length = fur * self.unit
        if length < 1:
            return p
        closed = np.concatenate([p, p[:1]])
        run = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
        rng, count = self.canvas.rng, max(4, int(run[-1] / (0.75 * length)))
        root = np.arange(count) + rng.uniform(-0.3, 0.3, count)     # one tuft from root to root
        at = np.stack([root, root + 0.5], 1).ravel() * run[-1] / count
        p = np.stack([np.interp(at, run, closed[:, k], period=run[-1]) for k in (0, 1)], 1)
        along = np.roll(p, -1, 0) - np.roll(p, 1, 0)
        outward = np.stack([along[:, 1], -along[:, 0]], 1)
        outward /= np.linalg.norm(outward, axis=1, keepdims=True) + 1e-9
        turning = np.sum(p[:, 0] * np.roll(p[:, 1], -1) - p[:, 1] * np.roll(p[:, 0], -1))
        tuft = length * rng.uniform(0.1, 1.0, (count, 1)) ** 1.3
        p[1::2] += tuft * (np.sign(turning) * outward[1::2] + (0, 0.7))
        return p


def _relief(mask: Image.Image, radius: float) -> np.ndarray:
    """About -1..1: how much each point of a cushion with this outline faces the light."""
    coarse = max(1, int(radius / 2))                    # it is smooth: a small picture will do
    radius /= coarse
    soft = mask.reduce(coarse).filter(ImageFilter.GaussianBlur(radius))
    soft = np.asarray(soft, np.float32) / 255
    dx, dy = np.round(LIGHT * radius).astype(int)
    pad = max(abs(dx), abs(dy))
    wide = np.pad(soft, pad, mode="edge")
    rows, columns = soft.shape
    behind = wide[pad - dy:pad - dy + rows, pad - dx:pad - dx + columns]
    front = wide[pad + dy:pad + dy + rows, pad + dx:pad + dx + columns]
    relief = Image.fromarray(1.2 * (behind - front) - 0.9 * (1 - soft))
    return np.asarray(relief.resize(mask.size, Image.BILINEAR))


def _pairs(points) -> list[tuple[float, float]]:
    return [tuple(p) for p in points.tolist()]
