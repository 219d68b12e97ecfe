"""True adjoints: <pyr_down(x), y> = <x, pyr_down_T(y)>, to rounding, for every border and size.

    gx = pyr_down_T(gy, x.shape)   # the gradient: pyr_down is linear, and this is its transpose
    gx = pyr_up_T(gy)
    g = laplacian_T(cotangents)

With the zero border, `pyr_up` transposes `pyr_down`, up to a factor 2 per axis. Any other border
lets a filter read, beyond the edge, samples that lie inside; the transpose hands them back what
arrives there. That is why `pyr_up(gy) / 4` is not the gradient of `pyr_down`: it is wrong near the
edge.
"""

from __future__ import annotations

from functools import partial

from minigrad.backend import Array, array_module
from pyramids.arguments import Axes, Shape, check_float_image, check_out_shape
from pyramids.borders import Border, extension
from pyramids.filters import filter_strips, half_shape, kernel
from pyramids.lines import Taps, along, down_lines, up_lines
from pyramids.pyramid import Pyramid, check_laplacian

ZERO = extension("zero")


def pyr_down_T(gy: Array, shape: Shape, a: float = 0.375, border: str = "reflect101",
               axes: Axes = (-2, -1)) -> Array:
    """The transpose of `pyr_down` on images of `shape`: gx[j] = sum of gy[i] d y[i] / d x[j].

    gy (..., ceil(H/2), ceil(W/2)) float -> gx of `shape` = (..., H, W), same dtype. TypeError for
    integers, which round and so have no transpose; other errors as in `pyr_up`.
    """
    gy, axes = check_float_image(gy, axes)
    gx = array_module(gy).empty(check_out_shape(shape, gy.shape, axes), gy.dtype)
    lines = partial(_down_lines_T, taps=kernel(a), extend=extension(border))
    filter_strips(lines, gy, gx.shape, axes, gx.__setitem__)
    return gx


def pyr_up_T(gy: Array, a: float = 0.375, border: str = "reflect101",
             axes: Axes = (-2, -1)) -> Array:
    """The transpose of `pyr_up` to the shape of gy: gx[i] = sum of gy[j] d y[j] / d x[i].

    gy (..., H, W) float -> gx (..., ceil(H/2), ceil(W/2)), same dtype. TypeError for integers;
    other errors as in `pyr_down`.
    """
    gy, axes = check_float_image(gy, axes)
    gx = array_module(gy).empty(half_shape(gy.shape, axes), gy.dtype)
    taps = tuple(2 * w for w in kernel(a))
    lines = partial(_up_lines_T, taps=taps, extend=extension(border))
    filter_strips(lines, gy, gx.shape, axes, gx.__setitem__)
    return gx


def laplacian_T(pyramid: Pyramid) -> Array:
    """The transpose of `laplacian_pyramid`: g_k = G_k + D^T (g_{k+1} - U^T G_k), from the top down.

    `pyramid`, a Laplacian one of floats, holds the G_k, one cotangent per level; returns g_0, an
    array like level 0. TypeError for another kind, for integers and for exact=True.
    """
    check_laplacian(pyramid)
    if pyramid.dtype.kind != "f" or pyramid.exact:
        raise TypeError("laplacian_T needs a pyramid of floats without exact=True: others round, "
                        "and have no transpose")
    options = pyramid.a, pyramid.border, pyramid.axes
    g = pyramid[-1].copy()
    for level in pyramid[-2::-1]:
        g = level + pyr_down_T(g - pyr_up_T(level, *options), level.shape, *options)
    return g


def _down_lines_T(g: Array, axis: int, length: int, start: int, stop: int, taps: Taps,
                  extend: Border) -> Array:
    """Samples start..stop-1, of `length`, of the transpose of `down_lines`; start is even."""
    y = up_lines(g, axis, length, start, stop, taps, ZERO)
    return _add_border(y, 1, g, 2, axis, length, start, stop, taps, extend)


def _up_lines_T(g: Array, axis: int, length: int, start: int, stop: int, taps: Taps,
                extend: Border) -> Array:
    """Samples start..stop-1, of `length` = ceil(n/2), of the transpose of `up_lines`."""
    y = down_lines(g, axis, length, start, stop, taps, ZERO)
    return _add_border(y, 2, g, 1, axis, g.shape[axis], start, stop, taps, extend)


def _add_border(y: Array, y_spacing: int, g: Array, g_spacing: int, axis: int, n: int, start: int,
                stop: int, taps: Taps, extend: Border) -> Array:
    """y plus what g sends to the positions beyond 0..n-1, added where these were read from.

    Samples of y and of g stand at multiples of their spacing; y holds number start..stop-1.
    """
    for edge in (-2, -1, n, n + 1) if n > 1 else ():
        source = extend(edge, n)
        if source is None or source % y_spacing or not start <= source // y_spacing < stop:
            continue
        for position in range(max(edge - 2, 0), min(edge + 3, n)):
            if position % g_spacing == 0:
                sent = g[along(axis, position // g_spacing)].astype(y.dtype)
                y[along(axis, source // y_spacing - start)] += taps[abs(position - edge)] * sent
    return y
