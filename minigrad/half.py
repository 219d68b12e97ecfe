"""16-bit floating-point numbers, in which arrays are stored: half the memory, half the traffic.

    float16     11 bits of precision, from 6e-8 to 65504      IEEE 754, NumPy's
    bfloat16     8 bits of precision, the range of float32    the package ml_dtypes', CuPy's too

An op on them computes in float32 and rounds its result once; see `Function`.
"""

from __future__ import annotations

import numpy as np

CHARS = "eE"  # numpy.dtype.char of float16, and of ml_dtypes' bfloat16


def is_half(x) -> bool:
    """Whether `x`, of whatever type, is an array of 16-bit floating-point numbers."""
    dtype = getattr(x, "dtype", None)
    return dtype is not None and dtype.char in CHARS


def widened(x):
    """`x`, whatever it is; an array of 16-bit floating-point numbers becomes float32, exactly."""
    return x.astype(np.float32) if is_half(x) else x


def kind(dtype) -> str:
    """numpy.dtype.kind, and "f" for bfloat16, which NumPy does not know for a number."""
    return "f" if dtype.char in CHARS else dtype.kind


def number_type(name) -> np.dtype:
    """The dtype of that name, or one itself; None if it is none of numbers or booleans.

    Raises RuntimeError for bfloat16 where the package that defines it is not installed.
    """
    if name == "bfloat16":
        try:
            import ml_dtypes
        except ImportError as error:
            raise RuntimeError("bfloat16 needs the package ml_dtypes, which is not installed: "
                               "pip install 'minigrad[bf16]', or use float16") from error
        name = ml_dtypes.bfloat16
    try:
        dtype = np.dtype(name)
    except TypeError:
        return None
    return dtype if kind(dtype) in "fiubc" else None
