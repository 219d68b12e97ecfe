"""Which dtype comes out of an op: PyTorch's rules, in one place.

    result_type(x, y, 2.5)      the dtype in which several arrays, Tensors or numbers meet
    fits(float64, float16)      whether a result may go into memory of another dtype
    has_integers(x)             whether ops that need fractions take x as float32
    finfo("bfloat16").max       the limits of a dtype
"""

import functools
from typing import Any

import numpy as np

CHARS = "eE"  # numpy.dtype.char of float16, and of ml_dtypes' bfloat16
KINDS = "b", "iu", "f", "c"  # the higher kind decides, whatever the widths
DTYPES = "float32, float64, float16, bfloat16, int64, int32, int16, int8, uint8, bool"
NAMES = {**{name: name for name in ("uint16 uint32 uint64 complex64 complex128 " + DTYPES.replace(
    ",", "")).split()}, "float": "float32", "double": "float64", "half": "float16", "long": "int64",
    "int": "int32", "short": "int16", "cfloat": "complex64", "cdouble": "complex128"}  # PyTorch's
_NUMBERS = [(bool, np.dtype(bool)), (int, np.dtype(np.int64)), (float, np.dtype(np.float32)),
            (complex, np.dtype(np.complex64))]


def is_half(x: Any) -> bool:
    """Whether `x`, of whatever type, is an array of 16-bit floating-point numbers."""
    dtype = getattr(x, "dtype", None)
    return dtype is not None and dtype.char in CHARS


def widen(x: Any) -> Any:
    """`x`, whatever it is; an array of 16-bit floating-point numbers becomes float32, exactly."""
    return x.astype(np.float32) if is_half(x) else x


def kind(dtype: np.dtype) -> str:
    """numpy.dtype.kind, and "f" for bfloat16, which NumPy does not know for a number."""
    return "f" if dtype.char in CHARS else dtype.kind


def convert(x: Any, dtype: Any) -> Any:
    """A copy of the array in another dtype, without a word of what it has no room for.

    What becomes of NaN and of numbers too large for an integer is up to the processor, as in
    PyTorch; those of bfloat16, whose own conversion gives 0, become what they are as float32.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return (widen(x) if np.dtype(dtype).kind in "iu" else x).astype(dtype)


def number_type(name: Any) -> np.dtype | None:
    """The dtype of that name; a dtype is its own name. None if it is not of numbers or booleans.

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


def known_dtype(where: str, name: Any) -> np.dtype:
    """The dtype of that name, or of that dtype. Raises TypeError if it is not of numbers."""
    dtype = name if isinstance(name, np.dtype) else number_type(name)
    if dtype is None:
        raise TypeError(f"{where}: unknown dtype {name!r}: use one of {DTYPES}")
    return dtype


def finfo(dtype: Any = np.float32) -> Any:
    """The limits of a floating-point dtype, such as max and eps, as numpy.finfo has them.

    Raises TypeError for another dtype.
    """
    dtype = known_dtype("finfo", dtype)
    if kind(dtype) not in "fc":
        raise TypeError(f"finfo: {dtype} is no floating-point dtype; use iinfo")
    if dtype.char == "E":
        import ml_dtypes    # which made the dtype
        return ml_dtypes.finfo(dtype)
    return np.finfo(dtype)


def has_integers(x: Any) -> bool:
    """Whether `x`, of whatever type, has a dtype of integers or booleans."""
    dtype = getattr(x, "dtype", None)
    return dtype is not None and dtype.kind in "iub"


def rank(dtype: np.dtype) -> int:
    """The place of a dtype among KINDS."""
    return next(i for i, kinds in enumerate(KINDS) if kind(dtype) in kinds)


def fits(dtype: np.dtype, into: np.dtype) -> bool:
    """Whether numbers of `dtype` may be stored as `into`: unless its kind is a lower one."""
    return rank(dtype) <= rank(into)


def result_type(*operands: Any) -> np.dtype:
    """The dtype in which operands (Tensors, arrays, Python numbers) meet.

    There are three groups: operands with dimensions, those without, and Python numbers. Within a
    group the higher kind decides, then the wider dtype. The first group decides; a later one counts
    only if its kind is higher. Raises TypeError for uint64 with signed integers, because no dtype
    holds both.
    """
    groups: tuple[list, list, list] = [], [], []  # with dimensions, without, numbers
    for x in operands:
        if hasattr(x, "dtype"):
            groups[not x.ndim].append(x.dtype)
        else:
            groups[2].append(next(dtype for t, dtype in _NUMBERS if isinstance(x, t)))
    return functools.reduce(_unless_higher, [functools.reduce(promote, g) for g in groups if g])


def promote(a: np.dtype, b: np.dtype) -> np.dtype:
    """The narrowest dtype for both a and b; any floating-point dtype is taken to hold integers.

    Raises TypeError if both are of integers and no dtype of integers holds both.
    """
    if a == b:
        return a
    if rank(a) != rank(b) and not {kind(a), kind(b)} == {"f", "c"}:
        return max(a, b, key=rank)
    if a.char in CHARS and b.char in CHARS:
        return np.dtype(np.float32)
    dtype = np.promote_types(a, b)
    if rank(dtype) > max(rank(a), rank(b)):
        raise TypeError(f"dtypes {a} and {b} have no integer type in common; bring them to one "
                        "with .to(dtype)")
    return dtype


def _unless_higher(dtype: np.dtype, other: np.dtype) -> np.dtype:
    """`dtype`, the one that counts, unless the kind of `other` is higher."""
    if rank(other) <= rank(dtype):
        return dtype
    return promote(dtype, np.dtype(np.complex64)) if kind(dtype) == "f" else other
