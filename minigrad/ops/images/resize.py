"""Images and lines in another size: by the nearest pixel, or by sums of neighbours."""

import math
from typing import Any

import numpy as np

from minigrad.backend import array_module
from minigrad.engine import Values, data_of
from minigrad.ops.linear import matmul
from minigrad.ops.operands import in_float32
from minigrad.ops.pool import upsample_nearest2d
from minigrad.ops.reduce import check_floating
from minigrad.ops.shape import getitem, transpose

MODES = {"nearest": (3, 4, 5), "nearest-exact": (3, 4, 5), "linear": (3,),
         "bilinear": (4,), "bicubic": (4,), "trilinear": (5,)}  # the numbers of axes of x


def interpolate(x: Values, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
                align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
                antialias: bool = False) -> Values:
    """x in another size.  x (N, C, L), (N, C, H, W) or (N, C, D, H, W) -> (N, C, *size).

    size: a number for all axes or one for each; or scale_factor, which gives floor(scale_factor *
    old size). mode: "nearest" (the pixel that the left upper corner lies in), "nearest-exact" (the
    centre), or "linear", "bilinear", "trilinear" and "bicubic" (sums of two or four neighbours
    along each axis; what is infinite or NaN spoils the whole line). align_corners: corners keep
    their places, instead of edges. With recompute_scale_factor, places follow from the sizes even
    if scale_factor is given.

    Raises ValueError unless exactly one of size and scale_factor is given, for antialias, which is
    not offered, and for align_corners where it does not apply; NotImplementedError for a mode that
    does not go with the axes of x.
    """
    if mode not in MODES or x.ndim not in MODES[mode]:
        raise NotImplementedError(f"interpolate: no mode {mode!r} for an input of {x.ndim} axes")
    if antialias or (size is None) == (scale_factor is None):
        raise ValueError("interpolate: antialias is not offered" if antialias else
                         "interpolate: give either size or scale_factor")
    smooth = "linear" in mode or mode == "bicubic"
    if align_corners is not None and not smooth:
        raise ValueError(f"interpolate: align_corners does not go with mode {mode!r}")
    check_floating("interpolate", x)
    old: tuple[int, ...] = tuple(x.shape[2:])
    given = scale_factor if size is None else size
    given = tuple(given) if isinstance(given, (tuple, list)) else (given,) * len(old)
    if len(given) != len(old) or min(given) <= 0 or not min(old):
        raise ValueError(f"interpolate: size {size} and scale_factor {scale_factor} do not fit "
                         f"an input of shape {x.shape}")
    new = given if size is not None else tuple(math.floor(n * s) for n, s in zip(old, given))
    if mode == "nearest" and x.ndim == 4 and not any(m % n for m, n in zip(new, old)):
        return upsample_nearest2d(x, tuple(m // n for m, n in zip(new, old)))
    steps = [n / m if size is not None or recompute_scale_factor else 1 / s
             for n, m, s in zip(old, new, given)]
    if smooth:
        return _smooth(x, new, steps, bool(align_corners), mode == "bicubic")
    return _nearest(x, new, steps, 0.5 if mode == "nearest-exact" else 0.0)


@in_float32()  # in which the gradients of a pixel's copies are added
def _nearest(x: Values, new: tuple, steps: list, shift: float) -> Values:
    index: list[Any] = [slice(None), slice(None)]
    for n, m, step in zip(x.shape[2:], new, steps):
        places = (np.arange(m, dtype=np.float32) + np.float32(shift)) * np.float32(step)
        index.append(places.astype(int).clip(0, n - 1))
        x = getitem(x, tuple(index))
        index[-1] = slice(None)
    return x


@in_float32()
def _smooth(x: Values, new: tuple, steps: list, align_corners: bool, cubic: bool) -> Values:
    """One axis after the other: a product with the matrix that has each new pixel's weights."""
    xp = array_module(data_of(x))
    for d, step in enumerate(steps):
        weights = _weights(x.shape[d + 2], new[d], step, align_corners, cubic)
        x = matmul(transpose(x, d + 2, -1), xp.asarray(weights.T, x.dtype))
        x = transpose(x, d + 2, -1)
    return x


def _weights(n: int, m: int, step: float, align_corners: bool, cubic: bool) -> Any:
    """What each of m new pixels takes of each of n old ones, (m, n)."""
    i = np.arange(m)
    at = i * ((n - 1) / max(m - 1, 1)) if align_corners else (i + 0.5) * step - 0.5
    first = np.floor(at).astype(int)
    t = at - first
    shares = [_keys(1 + t), _keys(t), _keys(1 - t), _keys(2 - t)] if cubic else [1 - t, t]
    found = np.zeros((m, n))
    for k, share in enumerate(shares):
        found[i, (first + k - cubic).clip(0, n - 1)] += share
    return found


def _keys(t: Any) -> Any:
    """The weight of a pixel at distance t <= 2 (Keys, 1981, equation 4, with -0.75 as in torch)."""
    a = -0.75
    return np.where(t <= 1, ((a + 2) * t - a - 3) * t * t + 1, ((t - 5) * t + 8) * t * a - 4 * a)
