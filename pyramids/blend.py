"""Multiresolution splines: join two images along a mask without a visible seam.

    blend(apple, orange, mask)   # apple where the mask is 1, orange where it is 0

P. J. Burt and E. H. Adelson, "A Multiresolution Spline With Application to Image Mosaics", ACM
Transactions on Graphics 2(4), 1983: each frequency band is blended over a width of its own size, so
that coarse shading changes slowly and fine texture quickly.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from minigrad.backend import Array, array_module
from pyramids.arguments import Axes, check_image, check_one_device
from pyramids.filters import round_to
from pyramids.lines import work_dtype
from pyramids.pyramid import collapse, gaussian_pyramid, laplacian_pyramid


def blend(a: Array, b: Array, mask: Array, levels: int | None = None,
          axes: Axes = (-2, -1)) -> Array:
    """L_k = M_k A_k + (1 - M_k) B_k: Laplacian levels A, B mixed by the Gaussian levels M of mask.

    a, b: images of one shape and dtype; mask: their shape along `axes` (H, W), values 0..1 or
    booleans; returns an image like a. More `levels` (None: all) mean a softer seam. Integers are
    mixed in floats, rounded once and saturate. ValueError for shapes that differ, values outside
    0..1 and wrong levels; TypeError for dtypes that differ or that no pyramid takes, and for arrays
    on different devices.
    """
    check_one_device(a, b, mask)
    a, axes = check_image(a, axes)
    b, _ = check_image(b, axes)
    if a.shape != b.shape:
        raise ValueError(f"images of shapes {a.shape} and {b.shape}: use two of one shape")
    if a.dtype != b.dtype:
        raise TypeError(f"images of dtypes {a.dtype} and {b.dtype}: use two of one dtype")
    work = work_dtype(a)
    weights = [gaussian_pyramid(m, levels, axes=axes) for m in _masks(mask, a, axes, work)]
    details = [laplacian_pyramid(x.astype(work), levels, axes=axes) for x in (a, b)]
    mixed = tuple(map(_mix, *weights, *details))
    return round_to(collapse(dataclasses.replace(details[0], levels=mixed)), a.dtype)


def _mix(m: Array, n: Array, x: Array, y: Array) -> Array:
    """m x + n y where m + n = 1, from the nearer side: exactly x if y = x, n = 0 or both."""
    return array_module(x).where(m > n, x + n * (y - x), y + m * (x - y))


def _masks(mask: Array, image: Array, axes: tuple[int, ...],
           dtype: np.dtype) -> tuple[Array, Array]:
    """mask and 1 - mask as arrays of `dtype` that broadcast against the image."""
    mask = array_module(mask).asarray(mask, dtype)
    shape = tuple(image.shape[axis] for axis in axes)
    if mask.shape != shape:
        raise ValueError(f"mask of shape {mask.shape}: use {shape}, the image's along its axes "
                         f"{axes}")
    low, high = float(mask.min()), float(mask.max())
    if not (0 <= low and high <= 1):
        raise ValueError(f"mask values {low:g} to {high:g}: use 0 (second image) to 1 (first "
                         "image)")
    mask = mask.reshape([n if axis in axes else 1 for axis, n in enumerate(image.shape)])
    return mask, 1 - mask
