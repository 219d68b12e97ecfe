"""What x[index] means: PyTorch's rules, which differ from NumPy's where arrays come in.

    basic, advanced = split(index, x)       x[basic][advanced] is torch's x[index]
    assign(x, index, values)                x[index] = values

Integers, slices, None and ... come first and give a view; then arrays and masks index into that
view. NumPy treats an integer beside an array as an array of one element, which can move an axis;
here, as in torch, it moves none. The axes of one array, or of several in a row, take the place of
the axes that they index. If there is a gap between the arrays, their axes come first.
"""

import operator
from typing import Any

import numpy as np

from minigrad.backend import device_of, is_array, on_gpu, to_device
from minigrad.dtypes import convert

BASIC = int, type(None), type(...)  # NumPy agrees with torch on these, and on slices of them


def split(index: Any, x: Any) -> tuple[tuple, tuple]:
    """(basic, advanced) for the array or Tensor x; advanced is () if there are no arrays.

    The arrays in `advanced` are copies, on the device of x. Raises IndexError for what cannot be an
    index.
    """
    parts = [_part(part) for part in (index if isinstance(index, tuple) else (index,))]
    taken = sum(_axes(part) for part in parts)
    if taken > x.ndim:
        raise IndexError(f"too many indices: {taken} for {x.ndim} axes of shape {x.shape}")
    device = device_of(x if is_array(x) else x.data)
    dots = [i for i, part in enumerate(parts) if part is ...] or [len(parts)]
    if len(dots) > 1:
        raise IndexError("an index can have ... only once")
    parts[dots[0]:dots[0] + 1] = [slice(None)] * (x.ndim - taken)
    basic: list[Any] = []
    advanced: list[Any] = []
    axis = 0
    for part in parts:
        if not hasattr(part, "dtype"):
            basic.append(part)
            advanced += [] if isinstance(part, int) else [slice(None)]
        else:
            covered = x.shape[axis:axis + _axes(part)]
            if part.dtype == bool and part.shape != covered:
                raise IndexError(f"index: a mask of shape {part.shape} does not fit {covered}, the "
                                 f"axes from {axis} on of shape {x.shape}")
            part = part if device == "cpu" else _on_gpu(part, axis, x.shape)
            basic += [slice(None)] * _axes(part) or [None]
            advanced.append(part if part.ndim else part.reshape(1))
        axis += _axes(part)
    return tuple(basic), tuple(advanced) if any(hasattr(p, "dtype") for p in advanced) else ()


def is_basic(parts: tuple) -> bool:
    """Whether these parts of an index are only integers, slices of integers, None and `...`."""
    for part in parts:
        if type(part) is slice:
            if not (type(part.start) in BASIC and type(part.stop) in BASIC
                    and type(part.step) in BASIC):
                return False
        elif type(part) not in BASIC:
            return False
    return True


def assign(x: Any, index: Any, values: Any) -> None:
    """x[index] = values, for arrays. Raises IndexError for what cannot be an index."""
    basic, advanced = split(index, x)
    if getattr(values, "dtype", x.dtype) != x.dtype:
        values = convert(values, x.dtype)
    if advanced:
        x[basic + (...,)][advanced] = values
    else:
        x[basic] = values


def _part(part: Any) -> Any:
    """One part of an index: Tensors and lists become arrays, integers int, and uint8 a mask."""
    if part is None or part is ...:
        return part
    if isinstance(part, slice):
        return slice(*(end if end is None else operator.index(end)
                       for end in (part.start, part.stop, part.step)))
    if is_array(getattr(part, "data", None)):
        part = part.data  # of a Tensor
    if not is_array(part):
        if hasattr(part, "__index__") and not isinstance(part, bool):
            return operator.index(part)
        if isinstance(part, (list, tuple)) and not len(part):
            part = np.zeros(0, int)
    try:
        array = part.copy() if on_gpu(part) else np.array(part)
    except ValueError as error:
        raise IndexError(f"index: {error}") from None
    if array.dtype.kind not in "iub":
        raise IndexError("index: needs integers, slices, None, ..., or arrays of integers or "
                         f"booleans, got {part!r}")
    if array.dtype == np.uint8:
        return array != 0
    return int(array) if not array.ndim and array.dtype != bool else array


def _axes(part: Any) -> int:
    """How many axes a part of an index takes."""
    if part is None or part is ...:
        return 0
    return part.ndim if hasattr(part, "dtype") and part.dtype == bool else 1


def _on_gpu(part: Any, axis: int, shape: tuple[int, ...]) -> Any:
    """The index array on the GPU.

    Raises IndexError if it comes from the CPU and is out of bounds, because CuPy would wrap it
    around. An index that is on the GPU already goes unchecked: to look at it, the CPU would wait.
    """
    if not on_gpu(part) and part.dtype != bool and part.size:
        low, high, n = part.min(), part.max(), shape[axis]
        if not -n <= low <= high < n:
            raise IndexError(f"index {high if high >= n else low} is out of bounds for axis {axis} "
                             f"with size {n}")
    return to_device(part, "cuda")
