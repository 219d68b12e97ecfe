"""Kinds of numbers in weights files, by torch's name: how they are stored, what NumPy gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Kind(NamedTuple):
    """The dtype of the bytes in the file; `widen` makes float32 of them, for NumPy to compute."""

    stored: np.dtype
    widen: Callable[[np.ndarray], np.ndarray] | None = None


def _from_bfloat16(bits):
    """bfloat16 is the upper half of a float32."""
    wide = bits.astype("<u4")
    wide <<= 16
    return wide.view("<f4")


def _from_float8_e5m2(bits):
    """float8_e5m2 is the upper half of a float16."""
    return (bits.astype("<u2") << 8).view("<f2").astype("<f4")


def _from_float8_e4m3fn(bits):
    """Sign, 4 bits of exponent (bias 7), 3 of fraction; no infinity, all ones is NaN.

    In the places that these fields have in a float16 (bias 15) the number is 2^8 too small.
    """
    magnitude = bits & 0x7f
    half = (magnitude.astype("<u2") << 7) | ((bits & 0x80).astype("<u2") << 8)
    return np.where(magnitude == 0x7f, np.float32(np.nan), half.view("<f2").astype("<f4") * 256)


KINDS = {name: Kind(np.dtype(stored), *widen) for name, (stored, *widen) in {
    "float64": ["<f8"],
    "float32": ["<f4"],
    "float16": ["<f2", lambda x: x.astype("<f4")],
    "bfloat16": ["<u2", _from_bfloat16],
    "float8_e5m2": ["u1", _from_float8_e5m2],
    "float8_e4m3fn": ["u1", _from_float8_e4m3fn],
    "int64": ["<i8"], "int32": ["<i4"], "int16": ["<i2"], "int8": ["i1"],
    "uint64": ["<u8"], "uint32": ["<u4"], "uint16": ["<u2"], "uint8": ["u1"],
    "bool": ["?"],
    "complex128": ["<c16"], "complex64": ["<c8"],
}.items()}


def itemsize(kind: str) -> int:
    """Bytes per number in the file."""
    return KINDS[kind].stored.itemsize
