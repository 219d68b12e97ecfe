"""Taking elements by index, and putting values where an index or a mask says.

An `index` of gather and scatter has the place along `dim` for each element, whose other places are
its own. Places may be negative. Each function makes a new Tensor. Places that x does not have raise
IndexError.
"""

from typing import Any

import numpy as np

from minigrad.arguments import demand
from minigrad.backend import Array, device_of, to_device
from minigrad.engine import Operand, Values, data_of
from minigrad.function import Function
from minigrad.ops.cost import free
from minigrad.ops.operands import in_float32
from minigrad.ops.select import where
from minigrad.ops.shape import Index, IndexAdd, _axis, cast, clone, expand, getitem, reshape


class Put(Function):
    """y = x, but values at the index."""

    moves = True
    cost = free

    def __init__(self, index: Any) -> None:
        self.index_ = index

    def forward(self, x: Array, values: Array) -> Array:
        y = x.copy()
        y[self.index_] = values
        return y

    def grad_x(self, gy: Values) -> Values:
        return Put(self.index_)(gy, 0)

    def grad_values(self, gy: Values) -> Values:
        return Index(self.index_)(gy)


def gather(x: Values, dim: int, index: Any) -> Values:
    """y[i][j][k] = x[i][index[i][j][k]][k] for dim=1; y has the shape of `index`.

    Raises RuntimeError for an index of more axes than x, or one that is longer along another axis.
    """
    return reshape(getitem(_vector(x), _grid("gather", dim, index, x)), index.shape)


def take_along_dim(x: Values, indices: Any, dim: int | None = None) -> Values:
    """`gather`, with x and `indices` broadcast except along dim; of the flattened x for None."""
    if dim is None:
        return gather(reshape(x, (-1,)), 0, reshape(indices, (-1,)))
    d = _axis("take_along_dim", dim, x.ndim)
    ends: Any = np.broadcast_shapes(x.shape[:d], indices.shape[:d]), np.broadcast_shapes(
        x.shape[d + 1:], indices.shape[d + 1:])
    x, indices = (expand(v, (*ends[0], v.shape[d], *ends[1])) for v in (x, indices))
    return gather(x, d, indices)


def take(x: Values, index: Any) -> Values:
    """The elements of the flattened x at an index of any shape."""
    return getitem(reshape(x, (-1,)), index)


def index_select(x: Values, dim: int, index: Any) -> Values:
    """x at the places of a vector `index` along `dim`."""
    y = getitem(_vector(x), _along("index_select", x, dim, index))
    return y if x.ndim else reshape(y, ())


def masked_select(x: Values, mask: Any) -> Values:
    """The elements of x where the mask holds, in a row; the two broadcast."""
    shape: tuple[int, ...] = np.broadcast_shapes(x.shape, mask.shape)
    return getitem(expand(x, shape), expand(mask, shape))


def masked_fill(x: Values, mask: Any, value: Operand[Values]) -> Values:
    """x, but `value`, a number or a Tensor without dimensions, where the mask holds."""
    return where(mask, _number(x, value), x)


def scatter(x: Values, dim: int, index: Any, src: Any) -> Values:
    """x, but y[i][index[i][j][k]][k] = src[i][j][k] for dim=1; `src` may be a number.

    Where an index repeats itself, the last value wins. To add them up: `scatter_add`. Raises as
    gather, and RuntimeError for a src of another dtype than x.
    """
    src = src if getattr(src, "ndim", 0) else expand(_number(x, src), index.shape)
    if 0 in index.shape:
        return clone(x)
    places, values = _spread("scatter", x, dim, index, src)
    return reshape(Put(places)(_vector(x), values), x.shape)


@in_float32()
def scatter_add(x: Values, dim: int, index: Any, src: Values) -> Values:
    """x, plus src[i][j][k] at y[i][index[i][j][k]][k] for dim=1. Raises as `scatter`."""
    if 0 in index.shape:
        return clone(x)
    places, values = _spread("scatter_add", x, dim, index, src)
    return x + reshape(IndexAdd(places, _vector(x).shape)(values), x.shape)


@in_float32()
def index_add(x: Values, dim: int, index: Any, source: Values, *, alpha: float = 1) -> Values:
    """x, plus alpha times the elements of `source` along `dim` at the places of the index."""
    places = _along("index_add", x, dim, index)
    source = _vector(source if alpha == 1 else source * alpha)
    return x + reshape(IndexAdd(places, _vector(x).shape)(source), x.shape)


def _vector(x: Any) -> Any:
    """x with an axis: torch takes a Tensor without one for a vector of one element."""
    return x if x.ndim else reshape(x, (1,))


def _number(x: Any, value: Any) -> Any:
    """A number as an array, or a Tensor without dimensions, in the dtype of x."""
    demand(getattr(value, "ndim", 0) == 0, "needs a number, or a Tensor without dimensions")
    return cast(value, x.dtype) if hasattr(value, "dtype") else np.full_like(
        data_of(x), value, shape=())


def _along(name: str, x: Any, dim: int, index: Any) -> tuple:
    """The index of the places of a vector along an axis."""
    return (*[slice(None)] * _axis(name, dim, x.ndim), _vector(data_of(index)).astype(np.int64))


def _grid(name: str, dim: int, index: Any, *xs: Any) -> tuple:
    """One index array per axis: `index` for `dim`, and for the others the element's own place."""
    d, places = _axis(name, dim, xs[0].ndim), _vector(data_of(index)).astype(np.int64)
    if not places.size:
        return (places.reshape(-1),)
    shapes = [_vector(x).shape for x in xs]
    demand(all(len(shape) == places.ndim and all(
        n <= shape[e] or e == d and shape is shapes[0] for e, n in enumerate(places.shape))
        for shape in shapes), f"{name}: index {index.shape} does not fit {shapes}")
    sides = tuple(map(slice, places.shape))
    grid = [to_device(axis, device_of(places)) for axis in np.ogrid[sides]]
    grid[d] = places
    return tuple(grid)


def _spread(name: str, x: Any, dim: int, index: Any, src: Any) -> tuple[tuple, Any]:
    """The grid of an index, and the part of `src` that goes there."""
    demand(src.dtype == x.dtype, f"{name}: src is {src.dtype}, x is {x.dtype}; use .to(dtype)")
    places = _grid(name, dim, index, x, src)
    return places, getitem(_vector(src), tuple(map(slice, _vector(index).shape)))
