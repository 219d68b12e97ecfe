"""New Tensors: of numbers and lists, of arrays, and filled by a rule.

    tensor([1.0, 2.0], requires_grad=True)
    zeros(2, 3, dtype="float64", device="cuda")
    full_like(x, 0.5)                   of the shape, dtype and device of x

They are no ops: no graph leads to what they make. `options` are dtype, device and requires_grad.
The dtype is float32, or, where numbers are given, the one that PyTorch makes of them. All raise
ArgumentError, a ValueError and a RuntimeError, for a negative size.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from minigrad.arguments import ArgumentError, is_integer, plain
from minigrad.backend import Array, is_array, to_device
from minigrad.dtypes import convert, kind, known_dtype
from minigrad.engine import Tensor
from minigrad.ops.shape import Shape, expand, _ints, reshape, to, transpose

NARROW = {"float64": "float32", "complex128": "complex64"}  # PyTorch's dtypes for Python's numbers


def made(array: Array, default: Any, dtype: Any = None, device: Any = None,
         requires_grad: bool = False) -> Tensor:
    """A Tensor of the array with these options; `default`: its dtype if none is given."""
    number = known_dtype("dtype", default if dtype is None else dtype)
    array = array if array.dtype == number else convert(array, number)
    return Tensor(array if device is None else to_device(array, device), requires_grad)


def sizes(*size: Any) -> Shape:
    """(2, 3) from zeros(2, 3) and from zeros((2, 3)). TypeError unless all are integers."""
    shape = tuple(map(operator.index, _ints(size)))
    if any(n < 0 for n in shape):
        raise ArgumentError(f"a size must not be negative, got {shape}")
    return shape


def like(x: Tensor, options: dict[str, Any]) -> dict[str, Any]:
    """The options, with dtype and device of x where they have none."""
    return {"dtype": x.dtype, "device": x.device,
            **{name: value for name, value in options.items() if value is not None}}


def tensor(data: Any, **options: Any) -> Tensor:
    """A new Tensor with a copy of the numbers, arrays or Tensors in `data`, nested lists or one.

    Raises ValueError for lists of unequal lengths, ArgumentError for integers that do not fit into
    their dtype, TypeError for what is no number.
    """
    data = data.data if isinstance(data, Tensor) else data
    array = data.copy() if is_array(data) else _array(data, options.get("dtype"))
    return made(array, array.dtype, **options)


def _array(data: Any, dtype: Any) -> np.ndarray:
    """Nested lists as an array: what has a dtype counts with it, Python's floats as float32."""
    data = _without_tensors(data)
    try:
        array = np.array(data, None if dtype is None else known_dtype("dtype", dtype))
        if dtype is None and array.dtype == np.uint64 and "uint64" not in _dtypes(data):
            raise OverflowError("an integer does not fit into int64")
    except OverflowError as error:
        raise ArgumentError(f"tensor: {error}") from None
    if dtype is None and array.dtype.name in NARROW and array.dtype.name not in _dtypes(data):
        return array.astype(NARROW[array.dtype.name])
    return array


def _without_tensors(data: Any) -> Any:
    if isinstance(data, (list, tuple)):
        return [_without_tensors(item) for item in data]
    return data.numpy(force=True).reshape(()) if isinstance(data, Tensor) else data


def _dtypes(data: Any) -> Iterator[str]:
    """The names of the dtypes of the arrays and NumPy's numbers in nested lists."""
    if isinstance(data, list):
        for item in data:
            yield from _dtypes(item)
    elif hasattr(data, "dtype"):
        yield data.dtype.name


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """`data` as a Tensor of that dtype on that device: without a copy where none is needed.

    A Tensor stays in its graph. Raises what `tensor` raises.
    """
    data = Tensor(data) if is_array(data) else data
    return (to(data, device, dtype) if isinstance(data, Tensor)
            else tensor(data, dtype=dtype, device=device))


def from_numpy(ndarray: np.ndarray) -> Tensor:
    """The array as a Tensor, which shares its memory. Raises TypeError for what is no array."""
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"from_numpy: expected np.ndarray (got {type(ndarray).__name__})")
    return Tensor(ndarray)


def full(size: Any, fill_value: Any, **options: Any) -> Tensor:
    """A Tensor of that size filled with a number, which says the dtype: int64, float32 or bool."""
    value = _array(fill_value, options.get("dtype"))
    return made(np.full(sizes(tuple(size)), value), value.dtype, **options)


def zeros(*size: Any, **options: Any) -> Tensor:
    """Zeros of that size, zeros(2, 3) or zeros((2, 3)). Raises TypeError without a size."""
    return full(given(size, options), 0.0, **options)


def ones(*size: Any, **options: Any) -> Tensor:
    """Ones of that size, ones(2, 3) or ones((2, 3)). Raises TypeError without a size."""
    return full(given(size, options), 1.0, **options)


def given(size: tuple, options: dict[str, Any]) -> Shape:
    """The size, which may be an option."""
    if not size and "size" not in options:
        raise TypeError("the size is missing: (2, 3), or () for a single number")
    return _ints(size or (options.pop("size"),))


def full_like(x: Tensor, fill_value: Any, **options: Any) -> Tensor:
    """A Tensor filled with a number, of the shape, and by default the dtype and device, of x."""
    value = _array(fill_value, like(x, options)["dtype"])
    return made(np.full_like(x.data, value.item(), value.dtype), value.dtype, **options)


def zeros_like(x: Tensor, **options: Any) -> Tensor:
    """Zeros of the shape of x; see `full_like`."""
    return full_like(x, 0, **options)


def ones_like(x: Tensor, **options: Any) -> Tensor:
    """Ones of the shape of x; see `full_like`."""
    return full_like(x, 1, **options)


empty, empty_like = zeros, zeros_like  # zeros are as good as what happens to lie in memory


def arange(start: Any = 0, end: Any = None, step: Any = 1, **options: Any) -> Tensor:
    """start, start + step, ... below `end`; arange(n) is 0, ..., n - 1.

    int64 if all three are integers, else float32. Raises ArgumentError for a step of 0, for one
    that leads away from the end, and for infinite numbers.
    """
    start, end, step = map(plain, (0, start, step) if end is None else (start, end, step))
    if not all(map(math.isfinite, (start, end, step))) or not step or (end - start) * step < 0:
        raise ArgumentError(f"arange: steps of {step} do not lead from {start} to {end}")
    default = "int64" if all(isinstance(n, int) for n in (start, end, step)) else "float32"
    if known_dtype("arange", options.get("dtype") or default).kind in "iu":
        start, end, step = int(start), int(end), int(step)
    return made(start + step * np.arange(math.ceil((end - start) / step)), default, **options)


def linspace(start: Any, end: Any, steps: int, **options: Any) -> Tensor:
    """`steps` numbers at equal distances, the first `start`, the last `end`."""
    return made(np.linspace(plain(start), plain(end), sizes(steps)[0]), "float32", **options)


def eye(n: int, m: int | None = None, **options: Any) -> Tensor:
    """Ones on the diagonal of n rows and m columns (default n), zeros elsewhere."""
    rows, columns = sizes(n, n if m is None else m)
    return made(np.eye(rows, columns), "float32", **options)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """The coordinates of all points of a grid, from those along each axis: views, in the graph.

    indexing: "xy" exchanges the first two axes of the results.
    """
    axes: Any = _ints(tensors)
    views = [expand(reshape(x, (-1, *[1] * (len(axes) - 1 - i))), [y.numel() for y in axes])
             for i, x in enumerate(axes)]
    return tuple(transpose(y, 0, 1) if indexing == "xy" and y.ndim > 1 else y for y in views)


def is_tensor(x: Any) -> bool:
    """Whether x is a Tensor."""
    return isinstance(x, Tensor)


def numel(x: Tensor) -> int:
    """Number of elements."""
    return x.numel()


def is_floating_point(x: Tensor) -> bool:
    """Whether the Tensor holds floating-point numbers: neither integers, booleans nor complex."""
    return kind(x.dtype) == "f"


class TensorType(NamedTuple):
    """FloatTensor and its like: T([1, 2]) is a Tensor of that dtype, T(2, 3) has that size."""

    name: str
    dtype: str

    def __call__(self, *data: Any) -> Tensor:
        if len(data) == 1 and not is_integer(data[0]):
            return tensor(data[0], dtype=self.dtype)
        return zeros(data or (0,), dtype=self.dtype)


TYPES = {f"{name}Tensor": TensorType(f"{name}Tensor", dtype) for name, dtype in zip(
    "Float Double Half BFloat16 Long Int Short Char Byte Bool".split(),
    "float32 float64 float16 bfloat16 int64 int32 int16 int8 uint8 bool".split())}
__all__ = [name for name, f in list(globals().items()) if getattr(f, "__module__", "") == __name__
           and not name.startswith("_") and name not in ("made", "sizes", "given", "like")]
