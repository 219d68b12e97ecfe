"""Sorting, the largest few, counting, and choosing at random.

Values that are elements of x are differentiable; indices and counts are int64, outside the graph.
NaN counts as larger than all numbers. Equal elements stay in their order.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from minigrad.arguments import demand
from minigrad.backend import Array, device_of, generator, to_device
from minigrad.dtypes import has_integers, widen
from minigrad.engine import Tensor, Values, data_of
from minigrad.kernels.index.cpu import add_at
from minigrad.ops.arrays.gather import gather
from minigrad.ops.arrays.moves import flip, narrow
from minigrad.ops.compare import Elementwise, isnan
from minigrad.ops.cost import Count, elements
from minigrad.ops.reduce import Max, _filled_dims, _picked, sum
from minigrad.ops.select import where
from minigrad.ops.shape import _axis, cast, reshape, unsqueeze


class Median(Max):
    """y = the median of all x_i, of the two in the middle the smaller; equal ones share gy."""

    def forward(self, x: Array) -> Array:
        y = np.sort(x.reshape(-1))
        return np.where(y[-1] == y[-1], y[(len(y) - 1) // 2], y[-1])

    def cost(self, y: Any, x: Any) -> Count:
        return Count(compare=elements(x) * math.ceil(math.log2(elements(x) or 1)))


class SortResult(NamedTuple):
    """What sort and topk return, as in torch: Tensors, or arrays."""

    values: Any
    indices: Any


def argsort(x: Values, dim: int = -1, descending: bool = False, stable: bool = False) -> Values:
    """The indices along `dim` that sort x; equal elements stay in their order in any case."""
    if not x.ndim:
        return reshape(argsort(reshape(x, (1,)), dim), ())
    d = _axis("argsort", dim, x.ndim)
    if descending:  # backwards twice, so that equal elements keep their order
        return x.shape[d] - 1 - flip(argsort(flip(x, d), d), d)
    return Elementwise(np.argsort, axis=d, kind="stable")(x)


def sort(x: Values, dim: int = -1, descending: bool = False, stable: bool = False) -> SortResult:
    """(values, indices) of the elements in order along `dim`. See `argsort`."""
    indices = argsort(x, dim, descending)
    return SortResult(gather(x, dim, indices), indices)


def topk(x: Values, k: int, dim: int = -1, largest: bool = True,
         sorted: bool = True) -> SortResult:
    """(values, indices) of the k largest elements along `dim`, or the smallest; sorted anyway.

    Raises RuntimeError if there are fewer.
    """
    indices = argsort(x, dim, descending=largest)
    indices = narrow(indices, dim, 0, k) if x.ndim else indices
    return SortResult(gather(x, dim, indices), indices)


def median(x: Values, dim: int | None = None, keepdim: bool = False) -> Any:
    """Without `dim` the median of all elements; along one axis `(values, indices)`.

    That is the smaller of two in the middle, and NaN if there is one. Without `dim` equal elements
    share the gradient. Raises IndexError for an axis without elements.
    """
    _filled_dims("median", x, dim)
    if dim is None:
        return Median(None, False)(x)
    order = argsort(x, dim)
    if not x.ndim:
        return _picked(x, order, dim, keepdim)
    n, nans = x.shape[dim], sum(isnan(x), dim, keepdim=True)
    middle = where(data_of(nans) > 0, n - nans, (n - 1) // 2)  # behind the numbers: the first NaN
    return _picked(x, gather(order, dim, middle), dim, keepdim)


def unique(x: Values, sorted: bool = True, return_inverse: bool = False,
           return_counts: bool = False, dim: int | None = None) -> Any:
    """The different elements of x in order; along `dim` the different slices. Not differentiable.

    With return_inverse also where each element of x is among them, and with return_counts how often
    it is in x: a tuple then.
    """
    options: Any = {"return_inverse": return_inverse, "return_counts": return_counts, "axis": dim}
    values, _, *rest = np.unique(widen(data_of(x)), True, equal_nan=False, **options)
    parts = tuple(_as(x, part) for part in (values.astype(x.dtype), *rest))
    return parts if rest else parts[0]


def _as(x: Any, array: Any) -> Any:
    """A result that is outside the graph: a Tensor if x is one."""
    return Tensor(array) if isinstance(x, Tensor) else array


def bincount(x: Values, weights: Any = None, minlength: int = 0) -> Values:
    """How often each integer from 0 to the largest is in the vector x, or the sum of its weights.

    Not differentiable. Raises RuntimeError unless x is a vector of integers >= 0.
    """
    array, w = data_of(x), data_of(weights)
    demand(array.ndim == 1 and array.dtype.kind in "iu" and (array >= 0).all(),
           f"bincount: needs a vector of integers >= 0, got {array.dtype}, shape {array.shape}")
    if w is None:
        return _as(x, np.bincount(array, minlength=minlength))
    n = max(minlength, int(array.max()) + 1 if array.size else 0)
    return _as(x, add_at(w if w.dtype == np.float32 else w.astype(np.float64), (array,), (n,)))


def one_hot(x: Values, num_classes: int = -1) -> Values:
    """int64 (..., num_classes): 1 at the place that each integer of x says, 0 elsewhere.

    num_classes: one more than the largest unless given. Raises RuntimeError for an x of no
    integers, of negative ones, and for too few classes.
    """
    array = data_of(x)
    demand(array.dtype == np.int64, f"one_hot: needs int64, got {array.dtype}; use .to('int64')")
    n = int(array.max(initial=-1)) + 1 if num_classes == -1 else num_classes
    demand(n > 0 and ((array >= 0) & (array < n)).all(), f"one_hot: elements outside [0, {n - 1}]")
    return cast(unsqueeze(x, -1) == to_device(np.arange(n), device_of(array)), np.int64)


def multinomial(x: Values, num_samples: int, replacement: bool = False) -> Values:
    """Indices drawn with the probabilities x (K) or (N, K), up to a factor -> (..., num_samples).

    They follow `minigrad.manual_seed`; not differentiable. Raises RuntimeError for integers, for
    probabilities that are negative, not finite or all 0, and if without replacement fewer than
    num_samples are positive.

    Without replacement: the smallest of an exponential number over each probability, Efraimidis
    and Spirakis, Weighted random sampling with a reservoir, 2006.
    """
    demand(x.ndim in (1, 2) and num_samples > 0 and not has_integers(x), "multinomial: needs "
           f"(K) or (N, K) floats and a number of samples, got {x.dtype} {x.shape}, {num_samples}")
    p: Any = to_device(data_of(x), "cpu").astype(np.float64)
    usable = np.isfinite(p).all() and (p >= 0).all() and (
        (p > 0).sum(-1) >= (1 if replacement else num_samples)).all()
    demand(usable, "multinomial: probabilities must be finite, >= 0 and enough of them positive")
    rng = generator("multinomial")
    if replacement:
        below = np.cumsum(p, -1)[..., None, :]  # (..., 1, K)
        drawn = rng.random((*p.shape[:-1], num_samples, 1)) * below[..., -1:]
        places = (drawn >= below).sum(-1)
    else:
        with np.errstate(divide="ignore"):
            places = np.argsort(rng.exponential(size=p.shape) / p, -1)[..., :num_samples]
    return _as(x, to_device(places, device_of(data_of(x))))
