"""Moving elements beyond `ops.shape`: turning, repeating, cutting into pieces, triangles, stacks.

As in torch, pieces (`narrow`, `select`, `chunk`, `split`, `unbind`) share the memory of x, and
`flip`, `roll`, `repeat` copy. Other than there, `diagonal` copies too.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.arguments import demand
from minigrad.backend import device_of, to_device
from minigrad.engine import Values, data_of
from minigrad.ops.reduce import sum
from minigrad.ops.select import where
from minigrad.ops.shape import (IndexAdd, _axis, _ints, clone, concatenate, expand, getitem,
                                permute, reshape)


def _at(x: Values, dim: int, part: Any) -> Values:
    """x indexed along one axis, which is counted from the front."""
    return getitem(x, (*[slice(None)] * dim, part))


def _axes(name: str, x: Any, *dims: Any) -> list[int]:
    """The axes named by one list or by several integers, counted from the front."""
    return [_axis(name, d, x.ndim) for d in _ints(dims)]


def _like(x: Any, array: np.ndarray) -> Any:
    """A NumPy array on the device of x."""
    return to_device(array, device_of(data_of(x)))


def select(x: Values, dim: int, index: int) -> Values:
    """x without the axis `dim`, at one place of it: x[..., index, ...]."""
    return _at(x, _axis("select", dim, x.ndim), index)


def narrow(x: Values, dim: int, start: int, length: int) -> Values:
    """`length` elements along `dim`, from `start` on. Raises RuntimeError for others than of x."""
    dim = _axis("narrow", dim, x.ndim)
    n = x.shape[dim]
    start = int(start) + n * (start < 0)
    demand(0 <= start <= start + length <= n,
           f"narrow: {length} elements from {start} on, of {n} along dim {dim}")
    return _at(x, dim, slice(start, start + length))


def split(x: Values, split_size: int | Sequence[int], dim: int = 0) -> tuple[Values, ...]:
    """Pieces along `dim` of that size, the last perhaps smaller; or of the sizes in a list.

    Raises RuntimeError unless sizes are positive and those of a list add up to that of the axis.
    """
    n = x.shape[_axis("split", dim, x.ndim)]
    if isinstance(split_size, int):
        demand(split_size > 0 or split_size == n == 0, f"split: pieces of size {split_size}")
        split_size = [min(split_size, n - start) for start in range(0, n or 1, split_size or 1)]
    demand(np.sum(split_size) == n, f"split: the sizes {split_size} do not add up to {n}")
    ends = np.cumsum(split_size).tolist()
    return tuple(narrow(x, dim, end - size, size) for end, size in zip(ends, split_size))


def chunk(x: Values, chunks: int, dim: int = 0) -> tuple[Values, ...]:
    """At most `chunks` pieces of one size along `dim`, the last perhaps smaller."""
    demand(chunks > 0, f"chunk: needs a positive number of chunks, got {chunks}")
    n = x.shape[_axis("chunk", dim, x.ndim)]
    return split(x, -(-n // chunks) if n else [0] * chunks, dim)


def unbind(x: Values, dim: int = 0) -> tuple[Values, ...]:
    """x at each place of the axis `dim`."""
    return tuple(select(x, dim, i) for i in range(x.shape[dim]))


def flip(x: Values, dims: Any, *more: int) -> Values:
    """x with the order along the axes `dims` reversed. RuntimeError for an axis named twice."""
    found: list[int] = _axes("flip", x, dims, *more)
    demand(len({*found}) == len(found), f"flip: dim {dims} names an axis twice")
    return clone(getitem(x, tuple(slice(None, None, -1 if d in found else None)
                                  for d in range(x.ndim))))


def roll(x: Values, shifts: int | Sequence[int], dims: Any = None) -> Values:
    """x shifted along each axis of `dims`, the last elements first; of the flattened x for None.

    Raises RuntimeError unless there is a shift for each axis.
    """
    if dims is None:
        return reshape(roll(reshape(x, (math.prod(x.shape),)), shifts, 0), x.shape)
    steps, axes = ([v] if isinstance(v, int) else list(v) for v in (shifts, dims))
    demand(len(steps) == len(axes), f"roll: shifts {shifts} and dims {dims} differ in length")
    for step, dim in zip(steps, axes):
        n = x.shape[dim] if x.ndim else 0
        k = n - step % (n or 1)
        x = concatenate([narrow(x, dim, k, n - k), narrow(x, dim, 0, k)], dim) if n else x
    return clone(x)


def movedim(x: Values, source: Any, destination: Any) -> Values:
    """x with each axis of `source` moved to its place in `destination`, the others in order."""
    here: list[int] = _axes("movedim", x, source)
    there: list[int] = _axes("movedim", x, destination)
    demand(len({*here}) == len(here) == len(there) == len({*there}),
           f"movedim: {source} and {destination} must be as many different axes")
    order = [d for d in range(x.ndim) if d not in here]
    for to, d in sorted(zip(there, here)):
        order.insert(to, d)
    return permute(x, order) if x.ndim else x


def repeat(x: Values, *sizes: Any) -> Values:
    """Copies of x, so many along each axis; more sizes than axes are for new ones in front.

    Raises RuntimeError for fewer.
    """
    counts: tuple[int, ...] = _ints(sizes)
    demand(len(counts) >= x.ndim, f"repeat: {counts} has fewer sizes than {x.shape} axes")
    shape = (*[1] * (len(counts) - x.ndim), *x.shape)
    one = reshape(x, tuple(side for n in shape for side in (1, n)))
    many = expand(one, tuple(side for pair in zip(counts, shape) for side in pair))
    return clone(reshape(many, tuple(count * n for count, n in zip(counts, shape))))


def tile(x: Values, *dims: Any) -> Values:
    """`repeat`, where missing sizes in front are 1."""
    counts: tuple[int, ...] = _ints(dims)
    return repeat(x, (*[1] * (x.ndim - len(counts)), *counts))


def repeat_interleave(x: Values, repeats: Any, dim: int | None = None, *,
                      output_size: int | None = None) -> Values:
    """Each element along `dim` so often in a row; `repeats` is a number or has one for each.

    Of the flattened x for None. `output_size` is not needed.
    """
    if dim is None:
        return repeat_interleave(reshape(x, (math.prod(x.shape),)), repeats, 0)
    often: Any = repeats if isinstance(repeats, int) else to_device(data_of(repeats), "cpu")
    demand(np.all(often >= 0), "repeat_interleave: repeats must not be negative")
    return _at(x, _axis("repeat", dim, x.ndim), np.repeat(np.arange(x.shape[dim]), often))


def tril(x: Values, diagonal: int = 0) -> Values:
    """x (..., n, m) with zeros above a diagonal: the main one, or so many to the right of it."""
    return where(_below("tril", x, diagonal), x, False)


def triu(x: Values, diagonal: int = 0) -> Values:
    """x (..., n, m) with zeros below a diagonal: the main one, or so many to the right of it."""
    return where(_below("triu", x, diagonal - 1), False, x)


def _below(name: str, x: Any, k: int) -> Any:
    """Where a matrix of the shape of x lies on or below its diagonal k."""
    demand(x.ndim > 1, f"{name}: needs at least two axes, got shape {x.shape}")
    return _like(x, np.tri(x.shape[-2], x.shape[-1], k, dtype=bool))


def diagonal(x: Values, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Values:
    """The diagonal of the axes dim1 and dim2, as the last axis; `offset` moves it to the right."""
    x = movedim(x, (dim1, dim2), (-2, -1))
    return getitem(x, (..., *_places(x, offset, *x.shape[-2:])))


_diagonal_of = diagonal


def _places(x: Any, k: int, rows: int, columns: int) -> tuple[Any, Any]:
    """The rows and the columns of the diagonal k of a matrix."""
    n = max(min(rows + min(k, 0), columns - max(k, 0)), 0)
    return _like(x, np.arange(n) + max(-k, 0)), _like(x, np.arange(n) + max(k, 0))


def diag(x: Values, diagonal: int = 0) -> Values:
    """The matrix that has the vector x on a diagonal; of a matrix x, that diagonal.

    Raises RuntimeError for an x of more axes, or of none.
    """
    demand(x.ndim in (1, 2), f"diag: needs a vector or a matrix, got shape {x.shape}")
    n = len(x) + max(diagonal, -diagonal)
    return _diagonal_of(x, diagonal) if x.ndim == 2 else IndexAdd(
        _places(x, diagonal, n, n), (n, n))(x)


def trace(x: Values) -> Values:
    """The sum of the diagonal of a matrix."""
    demand(x.ndim == 2, f"trace: needs a matrix, got shape {x.shape}")
    return sum(diagonal(x))


def broadcast_tensors(*tensors: Values) -> tuple[Values, ...]:
    """All in their common shape, without copies. Raises ValueError if they do not broadcast."""
    shape: tuple[int, ...] = np.broadcast_shapes(*(x.shape for x in tensors))
    return tuple(expand(x, shape) for x in tensors)


def vstack(tensors: Sequence[Values]) -> Values:
    """Join along axis 0; vectors are rows."""
    return concatenate([x if x.ndim > 1 else reshape(x, (1, -1)) for x in tensors], 0)


def hstack(tensors: Sequence[Values]) -> Values:
    """Join along axis 1, vectors along their only axis."""
    tensors = [x if x.ndim else reshape(x, (1,)) for x in tensors]
    return concatenate(tensors, 0 if tensors[0].ndim == 1 else 1)
