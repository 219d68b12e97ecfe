"""Element-wise arithmetic, with NumPy's broadcasting (see `operands.py`)."""

from __future__ import annotations

import numpy as np

from minigrad.function import Function
from minigrad.ops.compare import sign
from minigrad.ops.operands import binary
from minigrad.ops.shape import expand
from minigrad.tensor import Tensor


class Add(Function):
    """y = a + b."""

    def forward(self, a, b):
        return a + b

    def grad_a(self, gy):
        return gy

    def grad_b(self, gy):
        return gy


class Sub(Function):
    """y = a - b."""

    def forward(self, a, b):
        return a - b

    def grad_a(self, gy):
        return gy

    def grad_b(self, gy):
        return -gy


class Mul(Function):
    """y = a b."""

    def forward(self, a, b):
        return a * b

    def grad_a(self, gy, b):
        return gy * b

    def grad_b(self, gy, a):
        return gy * a


class Div(Function):
    """y = a / b."""

    def forward(self, a, b):
        return a / b

    def grad_a(self, gy, b):
        return gy / b

    def grad_b(self, gy, b, y):
        return -gy * y / b


class Pow(Function):
    """y = a^b, with dy/da = 0 where b = 0, and dy/db = 0 where a = 0 and b >= 0."""

    def forward(self, a, b):
        return a**b

    def grad_a(self, gy, a, b):
        if not hasattr(b, "dtype"):  # a Python number
            return gy * (b * a ** (b - 1)) if b else gy * 0
        return gy * b * where(b == 0, 1, a) ** where(b == 0, 0, b - 1)

    def grad_b(self, gy, a, b, y):
        zero = (a == 0) & (b >= 0)
        return gy * where(zero, 0, y) * log(where(zero, 1, a))


class Neg(Function):
    """y = -x."""

    def forward(self, x):
        return -x

    def backward(self, gy):
        return -gy


class Abs(Function):
    """y = |x|, y' = sign x (0 at 0)."""

    def forward(self, x):
        return np.abs(x)

    def backward(self, gy, x):
        return gy * sign(x)


class Exp(Function):
    """y = e^x."""

    def forward(self, x):
        return np.exp(x)

    def backward(self, gy, y):
        return gy * y


class Log(Function):
    """y = ln x."""

    def forward(self, x):
        return np.log(x)

    def backward(self, gy, x):
        return gy / x


class Log1p(Function):
    """y = ln(1 + x), accurate near 0."""

    def forward(self, x):
        return np.log1p(x)

    def backward(self, gy, x):
        return gy / (1 + x)


class Expm1(Function):
    """y = e^x - 1, accurate near 0."""

    def forward(self, x):
        return np.expm1(x)

    def backward(self, gy, y):
        return gy * (y + 1)


class Sqrt(Function):
    """y = x^(1/2)."""

    def forward(self, x):
        return np.sqrt(x)

    def backward(self, gy, y):
        return gy / (2 * y)


class Sin(Function):
    """y = sin x: many x share one y, so the input is needed."""

    def forward(self, x):
        return np.sin(x)

    def backward(self, gy, x):
        return gy * cos(x)


class Cos(Function):
    """y = cos x."""

    def forward(self, x):
        return np.cos(x)

    def backward(self, gy, x):
        return -gy * sin(x)


class Maximum(Function):
    """y = max(a, b); at a tie each input receives half the gradient. NaN wins."""

    def forward(self, a, b):
        return np.maximum(a, b)

    def grad_a(self, gy, a, b):
        return where(a > b, gy, where(a == b, gy / 2, 0))

    def grad_b(self, gy, a, b):
        return where(a < b, gy, where(a == b, gy / 2, 0))


class Minimum(Function):
    """y = min(a, b); at a tie each input receives half the gradient. NaN wins."""

    def forward(self, a, b):
        return np.minimum(a, b)

    def grad_a(self, gy, a, b):
        return where(a < b, gy, where(a == b, gy / 2, 0))

    def grad_b(self, gy, a, b):
        return where(a > b, gy, where(a == b, gy / 2, 0))


class Clip(Function):
    """y = min(max(x, low), high); the gradient passes where low <= x <= high, edges included."""

    def __init__(self, low, high):
        self.low, self.high = low, high

    def forward(self, x):
        low = -np.inf if self.low is None else self.low
        high = np.inf if self.high is None else self.high
        self.inside = (x >= low) & (x <= high)
        return np.clip(x, self.low, self.high)

    def backward(self, gy):
        return where(self.inside, gy, 0)


class Where(Function):
    """y = a where the condition holds, b elsewhere."""

    def __init__(self, condition):
        self.condition = condition

    def forward(self, a, b):
        return np.where(self.condition, a, b)

    def grad_a(self, gy):
        return where(self.condition, gy, 0)

    def grad_b(self, gy):
        return where(self.condition, 0, gy)


def add(a, b):
    """a + b."""
    return binary(Add(), a, b)


def sub(a, b):
    """a - b."""
    return binary(Sub(), a, b)


def mul(a, b):
    """a b, element by element."""
    return binary(Mul(), a, b)


def div(a, b):
    """a / b; integers divide to float32."""
    return binary(Div(), a, b)


def pow(a, b):
    """a to the power b."""
    if isinstance(b, Tensor) and not hasattr(a, "dtype"):
        a = Tensor(a, dtype=b.dtype if b.dtype.kind in "fc" else None).to(b.device)
    return binary(Pow(), a, b)


def maximum(a, b):
    """The larger of a and b, element by element."""
    return binary(Maximum(), a, b)


def minimum(a, b):
    """The smaller of a and b, element by element."""
    return binary(Minimum(), a, b)


def neg(x):
    """-x."""
    return Neg()(x)


def abs(x):
    """|x|."""
    return Abs()(x)


def exp(x):
    """e^x."""
    return Exp()(x)


def log(x):
    """Natural logarithm."""
    return Log()(x)


def log1p(x):
    """ln(1 + x)."""
    return Log1p()(x)


def expm1(x):
    """e^x - 1."""
    return Expm1()(x)


def sqrt(x):
    """Square root."""
    return Sqrt()(x)


def sin(x):
    """Sine, x in radians."""
    return Sin()(x)


def cos(x):
    """Cosine, x in radians."""
    return Cos()(x)


def clip(x, min=None, max=None):
    """x limited to [min, max], numbers or None for no limit. Raises ValueError if both are None."""
    if min is None and max is None:
        raise ValueError("clip: give min, max or both")
    return Clip(min, max)(x)


def where(condition, a, b):
    """a where `condition` (booleans), b elsewhere; all three broadcast."""
    if isinstance(condition, Tensor):
        condition = condition.data
        a = a if isinstance(a, Tensor) or isinstance(b, Tensor) else Tensor(a)
    operands = [x for x in (a, b) if isinstance(x, Tensor)]
    if operands:
        if not (hasattr(condition, "shape") and all(x.shape == condition.shape for x in operands)):
            shape = np.broadcast_shapes(np.shape(condition), *(np.shape(_data(x)) for x in (a, b)))
            a, b = (expand(x, shape) if isinstance(x, Tensor) and x.requires_grad else x
                    for x in (a, b))
        if hasattr(condition, "dtype"):
            condition = condition.copy()  # so that a later change cannot reach the backward
    return binary(Where(condition), a, b)


def _data(x):
    return x.data if isinstance(x, Tensor) else x
