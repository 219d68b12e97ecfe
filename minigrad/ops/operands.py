"""Bringing two operands together: torch's type promotion and NumPy's broadcasting.

Broadcasting costs the formulas of the ops nothing: an input that requires a gradient is expanded to
the common shape by an op of its own, whose backward sums the gradient back (`shape.Expand`).
`for_product` and `for_loss` say in which dtype ops take their operands under `autocast`.
"""

from __future__ import annotations

import numpy as np

from minigrad.half import is_half, kind
from minigrad.ops.shape import cast, expand
from minigrad.tensor import Tensor, mode


def binary(op, a, b):
    """Run `op` on two operands brought to one dtype, and to one shape where a gradient flows."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        if a.data.dtype is not b.data.dtype or a.data.shape != b.data.shape:
            a, b = _align(op, a, b)
    elif isinstance(a, Tensor):
        if type(b) is not float and type(b) is not int:
            a, b = _with_constant(op, a, b)
    elif isinstance(b, Tensor):
        if type(a) is not float and type(a) is not int:
            a, b = _with_constant(op, a, b)
    return op(a, b)


def for_product(*operands):
    """The operands of a product: under `autocast`, float32 becomes the 16-bit dtype."""
    dtype = mode.autocast
    return operands if dtype is None else [
        cast(x, dtype) if x is not None and x.dtype.char in "eEf" else x for x in operands]


def for_loss(x):
    """The operand of a loss or a softmax: under `autocast`, a 16-bit dtype becomes float32."""
    return x if mode.autocast is None or not is_half(x) else cast(x, np.float32)


def check_same_dtype(name, *operands):
    """TypeError if products would mix dtypes, which would silently widen the result.

    Complex numbers may join, for derivatives by the complex step.
    """
    dtypes = {x.dtype for x in operands if x is not None}
    if len(dtypes) > 1 and all(dtype.kind != "c" for dtype in dtypes):
        raise TypeError(f"{name}: dtypes {', '.join(sorted(map(str, dtypes)))} do not mix; "
                        "bring them to one with .to(dtype)")


def _with_constant(op, a, b):
    """A Tensor and something else: arrays become Tensors, numbers follow the Tensor's dtype."""
    a, b = (x.item() if isinstance(x, np.generic)
            else x if isinstance(x, (Tensor, int, float, complex)) else Tensor(x) for x in (a, b))
    return _align(op, a, b) if isinstance(a, Tensor) and isinstance(b, Tensor) else (a, b)


def _align(op, a, b):
    """Two Tensors in their common dtype, those that require a gradient in the common shape."""
    try:
        shape = np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        raise ValueError(f"{op.name}: shapes {a.shape} and {b.shape} do not broadcast") from None
    dtype = _result_dtype(a, b)
    return [expand(x, shape) if x.requires_grad else x for x in (cast(a, dtype), cast(b, dtype))]


def _result_dtype(a, b):
    """torch's promotion: a higher kind (bool < int < float) wins, then dimensions, then width."""
    kinds = ["b", "iu", "f", "c"]
    rank_a, rank_b = (next(r for r, k in enumerate(kinds) if kind(x.dtype) in k) for x in (a, b))
    if rank_a != rank_b:
        return a.dtype if rank_a > rank_b else b.dtype
    if (a.ndim == 0) != (b.ndim == 0):
        return b.dtype if a.ndim == 0 else a.dtype
    if is_half(a) and is_half(b) and a.dtype != b.dtype:
        return np.dtype(np.float32)
    return np.promote_types(a.dtype, b.dtype)
