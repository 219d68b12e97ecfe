"""Compression: quantised pyramids, what they cost in bits, and how far off they are.

    code = encode(image, steps=8)      # closed loop: no pixel is off by more than 4
    decode(code), code.bits_per_pixel
    collapse(quantise(pyramid, 8))     # open loop: the errors of all levels add up

Burt & Adelson 1983, section IV, quantise the levels of the true pyramid (open loop). `encode`
predicts each level from the already decoded coarser one instead, as the decoder will, so what the
coarser levels lost is put right by the finer ones.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad.backend import Array, array_module
from pyramids.arguments import Axes, Shape, check_finite, check_one_device
from pyramids.filters import pyr_up, saturate
from pyramids.pyramid import Pyramid, check_laplacian, gaussian_pyramid


Steps = float | Sequence[float]


@dataclass(frozen=True, eq=False)
class Code:
    """What `decode` needs: the numbers q_k = symbols[k] of every level, finest first, and how they
    were made. `bits_per_pixel` is what an entropy coder would spend on them.
    """

    symbols: tuple[Array, ...]
    steps: tuple[float, ...]
    dtype: np.dtype
    a: float
    border: str
    axes: tuple[int, ...]

    @property
    def bits_per_pixel(self) -> float:
        return bits_per_pixel(self.symbols)


def encode(image: Array, steps: Steps, levels: int | None = None, a: float = 0.375,
           border: str = "reflect101", axes: Axes = (-2, -1)) -> Code:
    """q_k = round((I_k - pyr_up(R_{k+1})) / steps[k]), R_k the decoded I_k: closed loop.

    `steps`: quantiser steps, one number or one per level, finest first; whole numbers for integer
    images. Whatever the coarser steps, |decode(code) - image| <= steps[0] / 2; for floats, plus
    2 eps (max|image| + steps[0]) for rounding. ValueError for steps that are not positive or not as
    many as levels, and for a NaN or infinite sample; other errors as in `gaussian_pyramid`.
    """
    images = gaussian_pyramid(image, levels, a, border, axes)
    check_finite(images[0], "image")
    steps = _check_steps(steps, len(images), images.dtype)
    symbols, decoded = [], None
    for level, step in zip(images[::-1], steps[::-1]):
        prediction = _prediction(decoded, level.shape, images)
        symbols.append(_symbols(_wide(level) - prediction, step))
        decoded = _decode_level(prediction, symbols[-1], step, images.dtype)
    return Code(tuple(symbols[::-1]), steps, images.dtype, a, border, images.axes)


def decode(code: Code) -> Array:
    """R_k = q_k steps[k] + pyr_up(R_{k+1}), from the top down to the image R_0."""
    decoded: Any = None  # an array, once there is one
    for symbols, step in zip(code.symbols[::-1], code.steps[::-1]):
        prediction = _prediction(decoded, symbols.shape, code)
        decoded = _decode_level(prediction, symbols, step, code.dtype)
    return decoded


def quantise(pyramid: Pyramid, steps: Steps) -> Pyramid:
    """L_k rounded to multiples of steps[k], halves to even: open loop.

    `steps` as in `encode`, same errors. TypeError unless it is a Laplacian pyramid, ValueError if
    it has exact=True.
    """
    check_laplacian(pyramid)
    if pyramid.exact:
        raise ValueError("an exact=True pyramid holds bit patterns: quantise one without")
    steps = _check_steps(steps, len(pyramid), pyramid.dtype)
    for k, level in enumerate(pyramid):
        check_finite(level, f"level {k}")
    levels = (_decode_level(0, _symbols(_wide(level), step), step, level.dtype)
              for level, step in zip(pyramid, steps))
    return dataclasses.replace(pyramid, levels=tuple(levels))


def entropy(array: Array) -> float:
    """-sum p log2 p over the distinct values of an array: bits per sample (first order).

    ValueError for NaN, which is not even equal to itself, and infinite values.
    """
    xp = array_module(array)
    check_finite(array, "array")
    _, counts = xp.unique(array, return_counts=True)
    p = counts / array.size
    return float(abs((p * xp.log2(p)).sum()))


def bits_per_pixel(levels: Sequence[Array]) -> float:
    """The sum of the levels' entropies times their sizes, per sample of the finest level."""
    return sum(entropy(level) * level.size for level in levels) / levels[0].size


def psnr(a: Array, b: Array, peak: float = 255) -> float:
    """10 log10(peak^2 / mean (a - b)^2) in dB; inf if the images are equal.

    ValueError for images of different shapes, a NaN or infinite sample, or a peak that is not
    positive; TypeError for images on different devices.
    """
    check_one_device(a, b)
    if a.shape != b.shape:
        raise ValueError(f"images of shapes {a.shape} and {b.shape}: use two of one shape")
    if not 0 < peak < math.inf:
        raise ValueError(f"peak = {peak}: use the largest value of a sample, such as 255")
    check_finite(a, "first image")
    check_finite(b, "second image")
    error = float(((_wide(a) - _wide(b)).astype(np.float64)**2).mean())
    return 10 * math.log10(peak**2 / error) if error else math.inf


def _wide(array: Array) -> Array:
    """Integers as int64, so that differences and products fit; floats as they are."""
    return array.astype(np.int64) if array.dtype.kind in "iu" else array


def _prediction(decoded: Array | None, shape: Shape, options: Pyramid | Code) -> Array | int:
    """pyr_up(decoded) to `shape`, wide; 0 at the top, where nothing is decoded yet."""
    if decoded is None:
        return 0
    return _wide(pyr_up(decoded, shape, options.a, options.border, options.axes))


def _symbols(difference: Array, step: float) -> Array:
    """round(difference / step), halves to even: they must not all go one way and add up."""
    return array_module(difference).rint(difference / step).astype(difference.dtype)


def _decode_level(prediction: Array | int, symbols: Array, step: float, dtype: np.dtype) -> Array:
    """prediction + symbols * step, as an array of `dtype`."""
    return saturate(prediction + symbols * step, dtype).astype(dtype, copy=False)


def _check_steps(steps: Any, levels: int, dtype: np.dtype) -> tuple[float, ...]:
    steps = (steps,) * levels if np.isscalar(steps) else tuple(steps)
    if len(steps) != levels:
        raise ValueError(f"{len(steps)} steps for {levels} levels: use one number, or one per "
                         "level")
    for step in steps:
        if not 0 < step < math.inf or dtype.kind in "iu" and step != int(step):
            kind = "whole " if dtype.kind in "iu" else ""
            raise ValueError(f"step {step} for a {dtype} image: use {kind}numbers above 0")
    return tuple(map(int if dtype.kind in "iu" else float, steps))
