"""All levels of a pyramid in one array: level 0 on the left, the others stacked on its right."""

from __future__ import annotations

import numpy as np

from minigrad.backend import Array, array_module
from pyramids.pyramid import Pyramid


def mosaic(pyramid: Pyramid) -> Array:
    """One array that holds every level once, at its true size, zeros elsewhere.

    Levels (H, W), (h_1, w_1), ... along the two axes -> (max(H, h_1 + h_2 + ...), W + w_1); other
    axes stay. dtype: one that fits all levels. ValueError unless the pyramid has two axes, or if
    it has exact=True.
    """
    if len(pyramid.axes) != 2:
        raise ValueError(f"a mosaic needs a pyramid of 2 axes, this one has axes {pyramid.axes}")
    if pyramid.exact:
        raise ValueError("an exact=True pyramid holds bit patterns: show one without")
    shape = list(pyramid[0].shape)
    for axis, parts in zip(pyramid.axes, zip(*places(pyramid))):
        shape[axis] = max(part.stop for part in parts)
    dtype = np.result_type(*{level.dtype for level in pyramid})
    canvas = array_module(pyramid[0]).zeros(shape, dtype)
    for level, place in zip(pyramid, places(pyramid)):
        index: list = [slice(None)] * canvas.ndim
        for axis, part in zip(pyramid.axes, place):
            index[axis] = part
        canvas[tuple(index)] = level
    return canvas


def places(pyramid: Pyramid) -> list[tuple[slice, slice]]:
    """Where each level stands in the mosaic: a pair of slices (rows, columns) per level."""
    sizes = [tuple(level.shape[axis] for axis in pyramid.axes) for level in pyramid]
    (height, width), *others = sizes
    slices, top = [(slice(0, height), slice(0, width))], 0
    for h, w in others:
        slices.append((slice(top, top + h), slice(width, width + w)))
        top += h
    return slices
