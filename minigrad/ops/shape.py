"""Moving elements without computing: reshape, permute, expand, index, concatenate, pad, cast.

Each is a linear map that copies or drops elements, so its backward is the transposed map, and the
pairs below are each other's: Reshape with itself, Expand with a sum, Index with IndexAdd.
"""

from __future__ import annotations

import math

import numpy as np

from minigrad import backend
from minigrad.backend import array_module
from minigrad.function import Function
from minigrad.half import number_type
from minigrad.kernels import index as kernel
from minigrad.kernels import reduce
from minigrad.tensor import Tensor


class Reshape(Function):
    """y = the elements of x in C order, in another shape."""

    moves = view = True

    def __init__(self, shape):
        self.shape = shape

    def forward(self, x):
        self.from_shape = x.shape
        return x.reshape(self.shape)

    def backward(self, gy):
        return reshape(gy, self.from_shape)


class Permute(Function):
    """y[i_{d0}, i_{d1}, ...] = x[i_0, i_1, ...] for the axes d."""

    moves = view = True

    def __init__(self, dims):
        self.dims = dims

    def forward(self, x):
        return x.transpose(self.dims)

    def backward(self, gy):
        return permute(gy, tuple(np.argsort(self.dims).tolist()))


class Expand(Function):
    """y = x repeated along axes of size 1 and along new leading axes, without a copy."""

    moves = view = True

    def __init__(self, shape):
        self.shape = shape

    def forward(self, x):
        self.from_shape = x.shape
        return np.broadcast_to(x, self.shape)

    def backward(self, gy):
        return sum_to(gy, self.from_shape)


class SumTo(Function):
    """y = x summed over the axes along which `shape` would be repeated: Expand's transpose."""

    half_on_gpu = True

    def __init__(self, shape):
        self.shape = shape

    def forward(self, x):
        self.from_shape = x.shape
        lead = x.ndim - len(self.shape)
        stretched = [lead + i for i, n in enumerate(self.shape) if n == 1 != x.shape[lead + i]]
        return reduce.sum(x, (*range(lead), *stretched)).reshape(self.shape)

    def backward(self, gy):
        return expand(gy, self.from_shape)


class Index(Function):
    """y = x[index], basic or advanced indexing."""

    moves = view = True

    def __init__(self, index):
        self.index_ = index

    def forward(self, x):
        self.from_shape = x.shape
        return x[self.index_]

    def backward(self, gy):
        return IndexAdd(self.index_, self.from_shape)(gy)


class IndexAdd(Function):
    """y = zeros(shape); y[index] += x, repeated indices adding up: Index's transpose."""

    def __init__(self, index, shape):
        self.index_, self.shape = index, shape

    def forward(self, x):
        parts = self.index_ if isinstance(self.index_, tuple) else (self.index_,)
        if any(part is not None and part is not ... and not isinstance(part, (int, slice))
               for part in parts):
            return kernel.add_at(x, self.index_, self.shape)
        y = array_module(x).zeros(self.shape, x.dtype)
        y[self.index_] = x  # basic indexing takes no element twice
        return y

    def backward(self, gy):
        return Index(self.index_)(gy)


class Concatenate(Function):
    """y = x_1, x_2, ... one after another along one axis."""

    moves = True

    def __init__(self, dim):
        self.dim = dim

    def forward(self, *xs):
        self.ends = np.cumsum([x.shape[self.dim] for x in xs]).tolist()
        return np.concatenate(xs, self.dim)

    def backward(self, gy):
        lead = (slice(None),) * (self.dim % gy.ndim)
        return tuple(getitem(gy, (*lead, slice(start, end)))
                     for start, end in zip([0, *self.ends], self.ends))


class Pad(Function):
    """y = x with `widths[d] = (before, after)` elements of `value` added around axis d."""

    def __init__(self, widths, value):
        self.widths, self.value = widths, value

    def forward(self, x):
        self.inner = tuple(slice(b, b + n) for (b, _), n in zip(self.widths, x.shape))
        return np.pad(x, self.widths, constant_values=self.value)

    def backward(self, gy):
        return getitem(gy, self.inner)


class Cast(Function):
    """y = x in another dtype."""

    moves = True

    def __init__(self, dtype):
        self.dtype = dtype

    def forward(self, x):
        self.from_dtype = x.dtype
        return x.astype(self.dtype)

    def backward(self, gy):
        return cast(gy, self.from_dtype)


class ToDevice(Function):
    """y = x on another device."""

    moves = True

    def __init__(self, device):
        self.device = device

    def forward(self, x):
        self.from_device = backend.device_of(x)
        return backend.to_device(x, self.device)

    def backward(self, gy):
        return ToDevice(self.from_device)(gy)


def reshape(x, *shape):
    """x in another shape; one entry may be -1. Raises ValueError if the sizes differ."""
    shape = _ints(shape)
    return x if shape == x.shape else Reshape(shape)(x)


def permute(x, *dims):
    """x with its axes in the order `dims`. Raises ValueError unless dims is a permutation."""
    dims = tuple(_axis("permute", d, x.ndim) for d in _ints(dims))
    if sorted(dims) != list(range(x.ndim)):
        raise ValueError(f"permute: dims {dims} is not a permutation of the {x.ndim} axes of x")
    return x if dims == tuple(range(x.ndim)) else Permute(dims)(x)


def transpose(x, dim0, dim1):
    """x with two axes exchanged."""
    dims = list(range(x.ndim))
    i, j = _axis("transpose", dim0, x.ndim), _axis("transpose", dim1, x.ndim)
    dims[i], dims[j] = j, i
    return Permute(tuple(dims))(x)


def flatten(x, start_dim=0, end_dim=-1):
    """x with the axes start_dim..end_dim (inclusive) merged into one."""
    shape = np.shape(_data(x)) or (1,)
    start, end = (_axis("flatten", d, len(shape)) for d in (start_dim, end_dim))
    if start > end:
        raise ValueError(f"flatten: start_dim {start_dim} lies behind end_dim {end_dim}")
    return reshape(x, (*shape[:start], math.prod(shape[start:end + 1]), *shape[end + 1:]))


def squeeze(x, dim=None):
    """x without its axes of size 1: all of them, or `dim` if that has size 1."""
    drop = range(x.ndim) if dim is None else [_axis("squeeze", dim, x.ndim)]
    return reshape(x, tuple(n for d, n in enumerate(x.shape) if d not in drop or n != 1))


def unsqueeze(x, dim):
    """x with an axis of size 1 inserted before axis `dim`."""
    dim = _axis("unsqueeze", dim, x.ndim + 1)
    return reshape(x, (*x.shape[:dim], 1, *x.shape[dim:]))


def expand(x, *shape):
    """x repeated, without a copy, along axes of size 1 to `shape` (-1 keeps a size).

    Raises ValueError if x cannot be repeated to that shape.
    """
    shape, have = _ints(shape), np.shape(_data(x))
    lead = len(shape) - len(have)
    shape = tuple(have[i - lead] if n == -1 and i >= lead else n for i, n in enumerate(shape))
    if lead < 0 or -1 in shape or any(n != m != 1 for n, m in zip(shape[lead:], have)):
        raise ValueError(f"expand: shape {have} cannot be repeated to {shape}")
    return x if shape == have else Expand(shape)(x)


def sum_to(x, shape):
    """x summed down to `shape`, from which it could have been expanded."""
    return x if x.shape == tuple(shape) else SumTo(tuple(shape))(x)


def getitem(x, index):
    """x[index]: integers, slices, None, ..., integer arrays or Tensors, boolean masks."""
    return Index(tuple(map(_kept, index)) if isinstance(index, tuple) else _kept(index))(x)


def concatenate(tensors, dim=0):
    """Join along an existing axis. Raises ValueError if there is nothing to join."""
    tensors = tuple(tensors)
    if not tensors:
        raise ValueError("concatenate: needs at least one Tensor")
    return Concatenate(dim)(*tensors)


def stack(tensors, dim=0):
    """Join along a new axis `dim`."""
    return concatenate([unsqueeze(x, dim) for x in tensors], dim)


def pad(x, pad, value=0.0):
    """Add `value` around x: pad = (before, after) of the last axis, then of the one before it, ...

    torch.nn.functional.pad's order, constant mode; e.g. (left, right, top, bottom) for images.
    Raises ValueError for an odd number of widths, too many, or a negative one.
    """
    pad = _ints((pad,))
    if len(pad) % 2 or len(pad) > 2 * x.ndim or min(pad, default=0) < 0:
        raise ValueError(f"pad: {pad} must hold a pair of non-negative widths for each of at most "
                         f"{x.ndim} axes")
    if not any(pad):
        return x
    pairs = list(zip(pad[::2], pad[1::2]))[::-1]
    return Pad([(0, 0)] * (x.ndim - len(pairs)) + pairs, value)(x)


def cast(x, dtype):
    """x in another dtype; x itself if it has it. Integers and booleans leave the graph."""
    if isinstance(x, Tensor) and np.dtype(dtype).kind in "iub":
        x = x.detach()
    return x if x.dtype == dtype else Cast(np.dtype(dtype))(x)


def clone(x):
    """A copy of x that stays connected to the graph."""
    return Cast(x.dtype)(x)


def to(x, target):
    """x on a device ("cpu", "cuda") or in a dtype; the gradient travels back."""
    if isinstance(target, str) and target in backend.DEVICES:
        return x if backend.device_of(_data(x)) == target else ToDevice(target)(x)
    dtype = number_type(target)
    if dtype is None:
        raise ValueError(f"to: unknown device or dtype {target!r}: use 'cpu', 'cuda' or a NumPy "
                         "dtype of numbers")
    return cast(x, dtype)


def _axis(name, dim, ndim):
    """The axis `dim` counted from the front. Raises IndexError if there is none."""
    if not -ndim <= dim < ndim:
        raise IndexError(f"{name}: dim {dim} is outside [{-ndim}, {ndim - 1}]")
    return dim % ndim


def _ints(sizes):
    """(2, 3) from reshape(x, 2, 3) and from reshape(x, (2, 3))."""
    return tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes


def _kept(index):
    """The values of an index array or Tensor now: later changes cannot reach the backward."""
    return _data(index).copy() if hasattr(index, "dtype") else index


def _data(x):
    return x.data if isinstance(x, Tensor) else x
