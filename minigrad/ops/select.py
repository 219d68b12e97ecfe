"""Taking one of several values, element by element: the larger, the one in bounds, a number or 0.

The gradients of such ops are selected too, never multiplied by 0, which would make NaN of infinity.
"""

from typing import Any

import numpy as np

from minigrad.arguments import number
from minigrad.backend import Array, device_of, generator, to_device
from minigrad.dtypes import has_integers
from minigrad.engine import Operand, Tensor, Values, data_of
from minigrad.function import Function
from minigrad.kernels.dropout import cpu as random
from minigrad.kernels.elementwise import cpu as kernel
from minigrad.ops.cost import Count, elements, free, per_element
from minigrad.ops.operands import FLOATING, NUMBERS, align, batch_of_one, binary
from minigrad.ops.shape import expand, stack

LIMITS = *NUMBERS, type(None)


class Maximum(Function):
    """y = max(a, b); at a tie each input receives half the gradient. NaN wins, for both."""

    cost = per_element(compare=1)

    def forward(self, a: Array, b: Array) -> Array:
        return np.maximum(a, b)

    def grad_a(self, gy: Values, a: Values, b: Values) -> Values:
        return where(a < b, 0, where(a == b, gy / 2, gy))

    def grad_b(self, gy: Values, a: Values, b: Values) -> Values:
        return where(a > b, 0, where(a == b, gy / 2, gy))


class Minimum(Function):
    """y = min(a, b); at a tie each input receives half the gradient. NaN wins, for both."""

    cost = per_element(compare=1)

    def forward(self, a: Array, b: Array) -> Array:
        return np.minimum(a, b)

    grad_a, grad_b = Maximum.grad_b, Maximum.grad_a


class Clip(Function):
    """y = min(max(x, low), high): one of the three, and that one has the gradient, x at a tie."""

    wraps = False

    def forward(self, x: Array, low: Array | float | None, high: Array | float | None) -> Array:
        self.inside = (x >= (-np.inf if low is None else low)) & (
            x <= (np.inf if high is None else high))
        return np.clip(x, low, high)

    def grad_x(self, gy: Values) -> Values:
        return where(self.inside, gy, 0)

    def grad_low(self, gy: Values, x: Values, low: Values, high: Values | None) -> Values:
        return where(x < low if high is None else (x < low) & (low < high), gy, 0)

    def grad_high(self, gy: Values, x: Values, low: Values | None, high: Values) -> Values:
        return where(x > high if low is None else (x > high) | (low > high), gy, 0)

    def cost(self, y: Tensor, x: Tensor, low: Any, high: Any) -> Count:
        return Count(compare=elements(y) * ((low is not None) + (high is not None)))


class Where(Function):
    """y = a where the condition holds, b elsewhere."""

    wraps = False
    cost = free

    def __init__(self, condition: Array) -> None:
        self.condition = condition

    def forward(self, a: Array, b: Array) -> Array:
        return np.where(self.condition, a, b)

    def grad_a(self, gy: Values) -> Values:
        return where(self.condition, gy, 0)

    def grad_b(self, gy: Values) -> Values:
        return where(self.condition, 0, gy)


class Dropout(Function):
    """y = x m / (1 - p) with a given mask m of zeros and ones."""

    cost = per_element(multiply=2)

    def __init__(self, mask: Array, p: float) -> None:
        self.mask = mask
        self.scale = 1 / (1 - p) if p < 1 else 0.0

    def forward(self, x: Values) -> Values:
        return masked(x * self.scale, self.mask)

    backward = forward  # the mask is constant, so the map is linear, and its own transpose


def maximum(a: Operand[Values], b: Operand[Values]) -> Values:
    """The larger of a and b, element by element."""
    return binary(Maximum(), a, b)


def minimum(a: Operand[Values], b: Operand[Values]) -> Values:
    """The smaller of a and b, element by element."""
    return binary(Minimum(), a, b)


def clip(x: Values, min: Operand[Values] | None = None,
         max: Operand[Values] | None = None) -> Values:
    """x limited to [min, max]: numbers, Tensors that broadcast with x, or None for no limit.

    The maximum where min > max. Raises ValueError if both are None, or one does not fit into the
    integers of x.
    """
    if min is None and max is None:
        raise ValueError("clip: give min, max or both")
    op = Clip()
    if type(min) in LIMITS and type(max) in LIMITS and x.dtype.char in FLOATING:
        return op(x, min, max)
    x, *limits = align(op, x, *(limit for limit in (min, max) if limit is not None))
    return op(x, None if min is None else limits[0], None if max is None else limits[-1])


def nonzero(x: Values, as_tuple: bool = False) -> Any:
    """Where the elements are that are not 0: one row of places for each, (n, axes), as int64.

    With as_tuple one vector of places per axis, which together are an index. Not differentiable.
    """
    places: Any = np.nonzero(np.atleast_1d(data_of(x)))
    places = tuple(map(Tensor, places)) if isinstance(x, Tensor) else places
    return places if as_tuple else stack(places, 1)[:, :x.ndim]


def where(condition: Any, a: Any = None, b: Any = None) -> Any:
    """a where `condition` (booleans), b elsewhere; all three broadcast.

    where(condition) alone is nonzero(condition, as_tuple=True). Raises TypeError for a condition of
    numbers.
    """
    if a is None and b is None:
        return nonzero(condition, as_tuple=True)
    values: list[Any] = [a, b]
    if not hasattr(condition, "dtype"):  # True, or a list
        condition = np.array(condition)
        arrays = [x for x in map(data_of, values) if hasattr(x, "dtype")]
        homes = [device_of(x) for x in arrays if not isinstance(x, np.generic)]  # numbers have none
        if condition.dtype == bool and homes:
            condition = to_device(condition, homes[0])
    if isinstance(condition, Tensor):
        condition = condition.data
        if not (isinstance(a, Tensor) or isinstance(b, Tensor)):
            values[0] = Tensor(number(a), dtype=np.complex64 if isinstance(a, complex) else None)
    if getattr(condition, "dtype", bool) != bool:
        raise TypeError(f"where: the condition must hold booleans, got {condition.dtype}; compare "
                        "it with something, such as condition != 0")
    tensors = [x for x in values if isinstance(x, Tensor)]
    if tensors:
        if not all(x.shape == condition.shape for x in tensors):
            shape = _common(condition.shape, *(np.shape(data_of(x)) for x in values))
            values = [expand(x, shape) if isinstance(x, Tensor) and x.requires_grad else x
                      for x in values]
        condition = condition.copy("K")  # so that a later change cannot reach the backward
    return binary(Where(condition), *values)


def masked(x: Values, mask: Any) -> Values:
    """x where the mask holds, 0 elsewhere: also where x is infinite, which times 0 is NaN."""
    if not isinstance(x, Tensor):
        return kernel.masked(x, mask)
    return where(mask if mask.dtype == bool else mask != 0, x, 0)  # a GPU's hold ones and zeros


def dropout(x: Values, p: float = 0.5, training: bool = True, inplace: bool = False) -> Values:
    """In training, each element is zeroed with probability p and the others grow by 1 / (1 - p).

    The mask follows `minigrad.manual_seed`. inplace: as in `relu`. Raises ValueError for p outside
    [0, 1], TypeError for integers in training.

    Srivastava et al., JMLR 15, 2014, section 4, in the form that leaves evaluation untouched.
    """
    return _dropout(x, number(p), training, x.shape)


def dropout2d(x: Values, p: float = 0.5, training: bool = True, inplace: bool = False) -> Values:
    """dropout of whole channels: x (N, C, ...) loses or keeps each x[n, c]."""
    if x.ndim < 3:
        raise ValueError(f"dropout2d: needs (N, C, ...) with at least 3 axes, got {x.shape}")
    return _dropout(x, number(p), training, (*x.shape[:2], *[1] * (x.ndim - 2)))


@batch_of_one(3)
def dropout1d(x: Values, p: float = 0.5, training: bool = True, inplace: bool = False) -> Values:
    """dropout of whole channels: x (N, C, L) or (C, L)."""
    return dropout2d(x, p, training)


@batch_of_one(5)
def dropout3d(x: Values, p: float = 0.5, training: bool = True, inplace: bool = False) -> Values:
    """dropout of whole channels: x (N, C, D, H, W) or (C, D, H, W)."""
    return dropout2d(x, p, training)


def _dropout(x: Values, p: float, training: bool, mask_shape: tuple[int, ...]) -> Values:
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p must lie in [0, 1], got {p}")
    if not training or p == 0:
        return x
    if has_integers(x):
        raise TypeError(f"dropout: needs a floating-point input, got {x.dtype}")
    return Dropout(random.mask(data_of(x), generator("dropout"), mask_shape, p), p)(x)


def _common(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ValueError("where: the shapes {}, {} and {} of condition and values do not "
                         "broadcast".format(*shapes)) from None
