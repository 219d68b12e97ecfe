"""Two classic uses of a pyramid: a detail equaliser, and a coarse-to-fine search."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.backend import Array, array_module
from pyramids.arguments import check_finite, check_image, check_one_device
from pyramids.filters import round_to
from pyramids.pyramid import Pyramid, check_laplacian, collapse, gaussian_pyramid

RADIUS = 3  # a level's best position is off by at most so many pixels of the next finer one


def boost(pyramid: Pyramid, gains: Sequence[float]) -> Array:
    """The image of a Laplacian pyramid whose level k is multiplied by gains[k].

    Gains above 1 sharpen that band, below 1 smooth it; levels without a gain (the top at least)
    keep 1. Integers are rounded and saturate. TypeError unless it is a Laplacian pyramid;
    ValueError for more gains than differences, one that is NaN or infinite, or an exact=True
    pyramid.
    """
    check_laplacian(pyramid)
    if pyramid.exact:
        raise ValueError("an exact=True pyramid holds bit patterns: boost one without")
    if len(gains) >= len(pyramid):
        raise ValueError(f"{len(gains)} gains for a pyramid of {len(pyramid)} levels: use at most "
                         f"{len(pyramid) - 1}, finest first")
    check_finite(np.array([float(gain) for gain in gains]), "gains")
    scaled = tuple(_scale(level, gain) for level, gain in zip(pyramid, gains))
    return collapse(dataclasses.replace(pyramid, levels=scaled + pyramid[len(gains):]))


def _scale(level: Array, gain: float) -> Array:
    """level * gain in the level's dtype; integers stop where any image saturates."""
    product = level.astype(np.float64) * float(gain)
    if level.dtype.kind == "i":
        span = 2.0**(4 * level.dtype.itemsize)
        array_module(product).clip(product, -span, span, out=product)
    return round_to(product, level.dtype)


def match_template(image: Array, template: Array, levels: int | None = None) -> tuple[int, int]:
    """Where the template (h, w) fits best into the image (H, W): (row, column) of its corner.

    The normalised correlation is searched everywhere at the coarsest of `levels` levels only, then
    within a few pixels of the last position at each finer one. `levels` None: as many as leave the
    template 8 pixels or more a side. ValueError for a template larger than the image, without
    detail, or too small for `levels`, and for a NaN or infinite sample in either; TypeError for
    arrays on different devices.
    """
    check_one_device(image, template)
    image, template = check_image(image, (0, 1))[0], check_image(template, (0, 1))[0]
    if any(n > m for n, m in zip(template.shape, image.shape)) or image.ndim + template.ndim > 4:
        raise ValueError(f"template of shape {template.shape} in an image of shape {image.shape}: "
                         "use two (H, W) arrays, the template no larger")
    check_finite(image, "image")
    check_finite(template, "template")
    if template.min() == template.max():
        raise ValueError("the template is flat, which fits everywhere: use one with some detail")
    if levels is None:
        levels = max(1, (min(template.shape) // 8).bit_length())
    images, templates = (gaussian_pyramid(_scale_down(x), levels) for x in (image, template))
    corner, reach = (0, 0), images[-1].shape
    for large, small in zip(images[::-1], templates[::-1]):
        starts = [max(2 * c - RADIUS, 0) for c in corner]
        window = tuple(slice(start, 2 * c + r + n) for start, c, r, n in
                       zip(starts, corner, reach, small.shape))
        row, column = _best(large[window], small)
        corner = starts[0] + row, starts[1] + column
        reach = (RADIUS + 1,) * 2
    return corner


def _scale_down(x: Array) -> Array:
    """x over a power of 2, so that its squares can be summed: the fit stays the same."""
    x = x.astype(np.float64)
    return x / 2.0**(math.frexp(float(abs(x).max()))[1] - 1)


def _best(image: Array, template: Array) -> tuple[int, int]:
    """The position of the largest normalised correlation of the template with the image."""
    xp = array_module(image)
    h, w = template.shape
    pattern = template - template.mean()
    spectrum = xp.fft.rfft2(image) * xp.fft.rfft2(pattern, image.shape).conj()
    valid = slice(image.shape[0] - h + 1), slice(image.shape[1] - w + 1)
    match = xp.fft.irfft2(spectrum, image.shape)[valid]
    energy = _window_sums(image * image, h, w) - _window_sums(image, h, w)**2 / (h * w)
    score = match / xp.sqrt(xp.maximum(energy, 1e-12 * (image * image).max() + 1e-300))
    return divmod(int(score.argmax()), score.shape[1])


def _window_sums(x: Array, h: int, w: int) -> Array:
    """The sum over every h x w window of x."""
    return _line_sums(_line_sums(x, h).T, w).T


def _line_sums(x: Array, n: int) -> Array:
    """y[i] = x[i] + ... + x[i + n - 1]: runs of 1, 2, 4, ... rows, and n as a sum of these.

    On a GPU, CuPy's running sum (cumsum) may round differently each time; these slices do not.
    """
    total: Any = 0
    rows, run, length = 0, x, 1  # rows in the total; sums of `length` rows
    count = len(x) - n + 1
    while rows < n:
        if n & length:
            total = total + run[rows:rows + count]
            rows += length
        run, length = run[:-length] + run[length:], 2 * length
    return total
