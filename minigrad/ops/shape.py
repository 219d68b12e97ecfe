"""Moving elements without computing: reshape, permute, expand, index, concatenate, cast.

Each is a linear map that copies or drops elements, so its backward is the transposed map, and the
pairs below are each other's: Reshape with itself, Expand with a sum, Index with IndexAdd.
"""

import itertools
import math
import operator
from collections.abc import Iterable
from typing import Any, Union

import numpy as np

from minigrad import backend
from minigrad.arguments import ArgumentError
from minigrad.backend import Array, array_module
from minigrad.dtypes import CHARS, DTYPES, has_integers, known_dtype, number_type, result_type
from minigrad.engine import Tensor, Values, data_of
from minigrad.function import Function
from minigrad.indexing import is_basic, split
from minigrad.kernels.elementwise import cpu as elementwise
from minigrad.kernels.index import cpu as kernel
from minigrad.kernels.reduce import cpu as reduce
from minigrad.ops.cost import free, reduced

Shape = tuple[int, ...]
Dims = Union[int, tuple[int, ...], list[int], None]  # one axis, several, or all


class Reshape(Function):
    """y = the elements of x in C order, in another shape."""

    moves = view = True
    cost = free

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def forward(self, x: Array) -> Array:
        self.from_shape = x.shape
        return x.reshape(self.shape)

    def backward(self, gy: Values) -> Values:
        return reshape(gy, self.from_shape)


class Permute(Function):
    """y[i_{d0}, i_{d1}, ...] = x[i_0, i_1, ...] for the axes d."""

    moves = view = True
    cost = free

    def __init__(self, dims: Shape) -> None:
        self.dims = dims

    def forward(self, x: Array) -> Array:
        return x.transpose(self.dims)

    def backward(self, gy: Values) -> Values:
        return permute(gy, tuple(np.argsort(self.dims).tolist()))


class Expand(Function):
    """y = x repeated along axes of size 1 and along new leading axes, without a copy."""

    moves = view = True
    cost = free

    def __init__(self, shape: Shape, sums: bool = False) -> None:
        self.shape, self.sums = shape, sums

    def forward(self, x: Array) -> Array:
        self.from_shape, self.from_dtype = x.shape, x.dtype
        return np.broadcast_to(x, self.shape)

    def backward(self, gy: Values) -> Values:
        g = sum_to(gy, self.from_shape)
        return cast(g, self.from_dtype) if self.sums and self.from_dtype.char in CHARS else g


class SumTo(Function):
    """y = x summed over the axes along which `shape` would be repeated: Expand's transpose."""

    half_on_gpu = True
    cost = reduced("add")

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def forward(self, x: Array) -> Array:
        self.from_shape = x.shape
        lead = x.ndim - len(self.shape)
        stretched = [lead + i for i, n in enumerate(self.shape) if n == 1 != x.shape[lead + i]]
        return reduce.sum(x, (*range(lead), *stretched)).reshape(self.shape)

    def backward(self, gy: Values) -> Values:
        return expand(gy, self.from_shape)


class Index(Function):
    """y = x[index], basic or advanced indexing by NumPy's rules."""

    moves = view = True
    cost = free

    def __init__(self, index: tuple) -> None:
        self.index_ = index

    def forward(self, x: Array) -> Array:
        self.from_shape = x.shape
        return x[self.index_]

    def backward(self, gy: Values) -> Values:
        return IndexAdd(self.index_, self.from_shape)(gy)


class IndexAdd(Function):
    """y = zeros(shape); y[index] += x, repeated indices adding up: Index's transpose."""

    def __init__(self, index: tuple, shape: Shape) -> None:
        self.index_, self.shape = index, shape

    def forward(self, x: Array) -> Array:
        if any(hasattr(part, "dtype") for part in self.index_):
            return kernel.add_at(x, self.index_, self.shape)
        y = array_module(x).zeros(self.shape, x.dtype)
        y[self.index_] = x  # basic indexing takes no element twice
        return y

    def backward(self, gy: Values) -> Values:
        return Index(self.index_)(gy)


class Concatenate(Function):
    """y = x_1, x_2, ... one after another along one axis."""

    moves = True
    cost = free

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, *xs: Array) -> Array:
        self.ends = list(itertools.accumulate(x.shape[self.dim] for x in xs))
        return np.concatenate(xs, self.dim)

    def backward(self, gy: Values) -> tuple[Values, ...]:
        lead = (slice(None),) * (self.dim % gy.ndim)
        return tuple(getitem(gy, lead + (slice(start, end),))
                     for start, end in zip([0, *self.ends], self.ends))


class Cast(Function):
    """y = x in another dtype."""

    moves = True
    cost = free

    def __init__(self, dtype: np.dtype) -> None:
        self.dtype = dtype

    def forward(self, x: Array) -> Array:
        self.from_dtype = x.dtype
        return elementwise.cast(x, self.dtype)

    def backward(self, gy: Values) -> Values:
        return cast(gy, self.from_dtype)


class ToDevice(Function):
    """y = x on another device."""

    moves = True
    cost = free

    def __init__(self, device: str) -> None:
        self.device = device

    def forward(self, x: Array) -> Array:
        self.from_device = backend.device_of(x)
        return backend.to_device(x, self.device)

    def backward(self, gy: Values) -> Values:
        return ToDevice(self.from_device)(gy)


def reshape(x: Values, *shape: Any) -> Values:
    """x in another shape; one entry may be -1. Raises ArgumentError if the sizes differ."""
    shape = _ints(shape)
    try:
        return x if shape == x.shape else Reshape(shape)(x)
    except ValueError as error:
        raise ArgumentError(f"reshape: {error}") from None


def permute(x: Values, *dims: Any) -> Values:
    """x with its axes in the order `dims`. Raises ValueError unless dims is a permutation."""
    dims = tuple(_axis("permute", d, x.ndim) for d in _ints(dims))
    if sorted(dims) != list(range(x.ndim)):
        raise ValueError(f"permute: dims {dims} is not a permutation of the {x.ndim} axes of x")
    return x if dims == tuple(range(x.ndim)) else Permute(dims)(x)


def transpose(x: Values, dim0: int, dim1: int) -> Values:
    """x with two axes exchanged."""
    dims = list(range(x.ndim))
    i, j = _axis("transpose", dim0, x.ndim), _axis("transpose", dim1, x.ndim)
    if dims:
        dims[i], dims[j] = j, i
    return Permute(tuple(dims))(x)


def flatten(x: Values, start_dim: int = 0, end_dim: int = -1) -> Values:
    """x with the axes start_dim..end_dim (inclusive) merged into one."""
    shape = np.shape(data_of(x)) or (1,)
    start, end = (_axis("flatten", d, len(shape)) for d in (start_dim, end_dim))
    if start > end:
        raise ValueError(f"flatten: start_dim {start_dim} lies behind end_dim {end_dim}")
    return reshape(x, shape[:start] + (math.prod(shape[start:end + 1]),) + shape[end + 1:])


def squeeze(x: Values, dim: Dims = None) -> Values:
    """x without its axes of size 1: all of them, or those in `dim`, an axis or a tuple of them."""
    dims = range(x.ndim) if dim is None else dim if isinstance(dim, (tuple, list)) else [dim]
    drop = [_axis("squeeze", d, x.ndim) for d in dims]
    if len(set(drop)) < len(drop):
        raise ValueError(f"squeeze: {dim} names an axis twice")
    return reshape(x, tuple(n for d, n in enumerate(x.shape) if d not in drop or n != 1))


def unsqueeze(x: Values, dim: int) -> Values:
    """x with an axis of size 1 inserted before axis `dim`."""
    dim = _axis("unsqueeze", dim, x.ndim + 1)
    return reshape(x, (*x.shape[:dim], 1, *x.shape[dim:]))


def expand(x: Values, *shape: Any) -> Values:
    """x repeated, without a copy, along axes of size 1 to `shape` (-1 keeps a size).

    Raises ValueError if x cannot be repeated to that shape.
    """
    shape, have = _ints(shape), np.shape(data_of(x))
    lead = len(shape) - len(have)
    shape = tuple(have[i - lead] if n == -1 and i >= lead else n for i, n in enumerate(shape))
    if lead < 0 or -1 in shape or any(n != m != 1 for n, m in zip(shape[lead:], have)):
        raise ValueError(f"expand: shape {have} cannot be repeated to {shape}")
    return x if shape == have else Expand(shape)(x)


def spread(x: Values, shape: Shape) -> Values:
    """An operand of one op, repeated to `shape`: its gradient is summed before it is rounded."""
    return x if x.shape == shape else Expand(shape, sums=True)(x)


def sum_to(x: Values, shape: Iterable[int]) -> Values:
    """x summed down to `shape`, from which it could have been expanded; integers to int64."""
    shape = tuple(shape)
    if has_integers(x) and (x.shape != shape or not shape):  # () is a sum to torch even of a number
        x = cast(x, np.int64)
    return x if x.shape == shape else SumTo(shape)(x)


def getitem(x: Values, index: Any) -> Values:
    """x[index]: integers, slices, None, ..., integer arrays or Tensors, boolean masks.

    The axes come out as in torch, and uint8 is a mask; see `indexing`. What arrays and lists hold
    now counts, whatever happens to them later. Raises IndexError.
    """
    parts = index if isinstance(index, tuple) else (index,)
    if is_basic(parts):
        return Index(parts if ... in parts else parts + (...,))(x)  # ...: a view of one element too
    array = data_of(index)
    if type(array) is type(data_of(x)) is np.ndarray and array.dtype.kind == "i" and array.ndim:
        return Index((array.copy(),))(x)  # NumPy's rules are torch's
    basic, advanced = split(parts, x)
    if not advanced:
        return Index(basic + (...,))(x)
    view = x if all(part == slice(None) for part in basic) else Index(basic)(x)
    return Index(advanced)(view)


def concatenate(tensors: Iterable[Values], dim: int = 0) -> Values:
    """Join along an existing axis, in the dtype of `dtypes.result_type`.

    As in torch, those of shape (0,) fit everywhere. Raises ValueError if there is nothing to join.
    """
    tensors = _joined("concatenate", tensors)
    shapes = [x.shape for x in tensors]
    if () in shapes:
        raise ValueError("concatenate: a Tensor without dimensions has no axis to join along; use "
                         "stack, or unsqueeze it first")
    like = next((shape for shape in shapes if shape != (0,)), (0,))
    dim = _axis("concatenate", dim, len(like))
    if (0,) in shapes:
        nothing = like[:dim] + (0,) + like[dim + 1:]
        tensors = [reshape(x, nothing) if x.shape == (0,) else x for x in tensors]
    if len({x.dtype for x in tensors}) > 1:
        dtype = result_type(*tensors)
        tensors = [cast(x, dtype) for x in tensors]
    try:
        return Concatenate(dim)(*tensors)
    except ValueError:
        raise ValueError(f"concatenate: the shapes {', '.join(map(str, shapes))} differ elsewhere "
                         f"than in dim {dim}") from None


def stack(tensors: Iterable[Values], dim: int = 0) -> Values:
    """Join along a new axis `dim`."""
    tensors = _joined("stack", tensors)
    if len({x.shape for x in tensors}) > 1:
        raise ValueError("stack: every dimension must be the same, got the shapes "
                         + ", ".join(str(x.shape) for x in tensors))
    return concatenate([unsqueeze(x, dim) for x in tensors], dim)


def _joined(name: str, tensors: Iterable[Values]) -> list[Values]:
    """What is to be joined. Raises ValueError if that is nothing, TypeError for numbers."""
    tensors = list(tensors)
    if not tensors:
        raise ValueError(f"{name}: needs at least one Tensor")
    for x in tensors:
        if not hasattr(x, "shape"):
            raise TypeError(f"{name}: needs Tensors or arrays, got {x!r}")
    return tensors


def cast(x: Values, dtype: Any) -> Values:
    """x in another dtype; x itself if it has it. Integers and booleans leave the graph."""
    dtype = known_dtype("cast", dtype)
    if x.dtype == dtype:
        return x
    if isinstance(x, Tensor) and dtype.kind in "iub":
        x = x.detach()
    return Cast(dtype)(x)


def clone(x: Values) -> Values:
    """A copy of x that stays connected to the graph."""
    return Cast(x.dtype)(x)


def to(x: Values, *target: Any, device: Any = None, dtype: Any = None, non_blocking: bool = False,
       copy: bool = False) -> Values:
    """x on a device ("cpu", "cuda"), in a dtype, or in both, also those of another Tensor; the
    gradient travels back.

    x itself where nothing is to be done, unless with `copy`. Raises ArgumentError for what is
    neither device nor dtype.
    """
    result = x
    for wanted in (*target, device, dtype):
        if isinstance(wanted, Tensor):
            result = to(result, wanted.device, wanted.dtype)
        elif backend.names_device(wanted):
            place = backend.device(wanted)
            if backend.device_of(data_of(result)) != place:
                result = ToDevice(place)(result)
        elif wanted is not None:
            number = number_type(wanted)
            if number is None:
                raise ArgumentError(f"to: unknown device or dtype {wanted!r}: use 'cpu', 'cuda' or "
                                    f"one of {DTYPES}")
            result = cast(result, number)
    return clone(x) if copy and result is x else result


def _axis(name: str, dim: Any, ndim: int) -> int:
    """The axis `dim` counted from the front. Raises IndexError if there is none, TypeError if it is
    no integer.

    As in torch, 0 and -1 name an axis of a Tensor without dimensions too.
    """
    if type(dim) is not int:
        if isinstance(dim, (bool, np.bool_)):
            raise TypeError(f"{name}: dim must be the number of an axis, got {dim}")
        dim = operator.index(dim)
    ndim = max(ndim, 1)
    if not -ndim <= dim < ndim:
        raise IndexError(f"{name}: dim {dim} is outside [{-ndim}, {ndim - 1}]")
    return dim % ndim


def _ints(sizes: tuple) -> Shape:
    """(2, 3) from reshape(x, 2, 3) and from reshape(x, (2, 3))."""
    return tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
