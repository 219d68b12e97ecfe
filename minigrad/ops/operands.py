"""Bringing operands together: torch's type promotion and NumPy's broadcasting.

The formulas of the ops need not care about broadcasting. An operand that requires a gradient is
first expanded to the common shape by an op of its own, whose backward sums the gradient back
(`shape.spread`). `for_product` and `for_loss` say in which dtype ops take their operands under
`autocast`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from minigrad.arguments import number
from minigrad.dtypes import is_half, kind, result_type
from minigrad.engine import Operand, Tensor, Values
from minigrad.function import Function
from minigrad.graph import context
from minigrad.ops.shape import cast, spread, squeeze, unsqueeze

F = TypeVar("F", bound=Callable)
NUMBERS = float, int  # by `type(x) in NUMBERS` without bool, which takes the longer way
FLOATING = "fdeE"  # numpy.dtype.char of the dtypes that such a number does not change


def binary(op: Function, a: Operand[Values], b: Operand[Values]) -> Values:
    """Run `op` on two operands brought to one dtype, and to one shape where a gradient flows."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        if a.data.dtype is not b.data.dtype or a.data.shape != b.data.shape:
            a, b = align(op, a, b)
    elif isinstance(a, Tensor):
        if type(b) not in NUMBERS or a.data.dtype.char not in FLOATING:
            a, b = align(op, a, b)
    elif isinstance(b, Tensor):
        if type(a) not in NUMBERS or b.data.dtype.char not in FLOATING:
            a, b = align(op, a, b)
    elif not _alike(a, b):
        a, b = align(op, a, b)
    return op(a, b)


def align(op: Function, *operands: Any) -> list[Any]:
    """The operands in their common dtype; those that require a gradient in the common shape too.

    If there is a Tensor among them, arrays become Tensors, and NumPy's numbers Python's. Numbers
    stay numbers. If the common dtype is one of integers, a number that does not fit into it wraps
    around, as in torch.

    Raises ValueError if the shapes do not broadcast, and for a number that does not fit if the op
    refuses to wrap it (`wraps`); TypeError for dtypes that do not mix, and for booleans if the op
    refuses them (`bools`).
    """
    given = operands
    if any(isinstance(x, Tensor) for x in operands):
        operands = tuple(_operand(x, op) for x in operands)
    if not op.bools and any(isinstance(x, bool) or getattr(x, "dtype", 0) == bool
                            for x in operands):
        raise TypeError(f"{op.name}: not for booleans; ~x turns a mask around, a ^ b tells where "
                        "two differ, .to('int64') makes numbers of them")
    try:
        shape = np.broadcast_shapes(*(getattr(x, "shape", ()) for x in operands))
    except ValueError:
        shapes = " and ".join(str(x.shape) for x in operands if hasattr(x, "shape"))
        raise ValueError(f"{op.name}: shapes {shapes} do not broadcast") from None
    try:
        dtype = result_type(*operands)
    except TypeError as error:
        raise TypeError(f"{op.name}: {error}") from None
    if op.floating and dtype.kind in "iub":
        dtype = np.dtype(np.float32)
    return [_number_in(dtype, x, op, as_given) if not hasattr(x, "dtype")
            else spread(cast(x, dtype), shape) if getattr(x, "requires_grad", False)
            else cast(x, dtype) for x, as_given in zip(operands, given)]


def _alike(a: Any, b: Any) -> bool:
    """Whether NumPy gives f(a, b) the dtype that torch would, for arrays, numbers and lists."""
    if type(a) in NUMBERS or type(b) in NUMBERS:
        x = b if type(a) in NUMBERS else a
        return not hasattr(x, "dtype") or x.dtype.char in FLOATING
    return getattr(a, "dtype", None) is getattr(b, "dtype", a)


def _operand(x: Any, op: Function) -> Any:
    if x is None or isinstance(x, str):
        hint = "; to ask whether there is a Tensor, write `x is None`" if x is None else ""
        raise TypeError(f"{op.name}: needs numbers, arrays or Tensors, got {x!r}{hint}")
    x = number(x)
    return x if isinstance(x, (Tensor, int, float, complex)) else Tensor(x)


def _number_in(dtype: np.dtype, x: Any, op: Function, given: Any) -> Any:
    """The number x, wrapped around if `dtype` is one of integers and x does not fit into it.

    If the caller gave an array in its place, the result is a Tensor: a picture of the graph then
    shows where it comes in.
    """
    if isinstance(given, np.ndarray):
        return Tensor(np.asarray(_number_in(dtype, x, op, None), dtype))
    if dtype.kind not in "iu":
        return x
    low, high = np.iinfo(dtype).min or -np.iinfo(dtype).max, np.iinfo(dtype).max
    if not op.wraps and not low <= x <= high:
        raise ValueError(f"{op.name}: {x} does not fit into {dtype}")
    return np.asarray(x).astype(dtype).item()


def for_product(name: str, *operands: Any) -> Any:
    """The operands of a product, or None where one is left out, as `autocast` wants them.

    Inside it, floating-point numbers of up to 32 bits are rounded to its 16-bit dtype. Raises
    TypeError if they have several dtypes then: see `check_same_dtype`.
    """
    dtype = context.autocast
    if dtype is not None:
        operands = tuple(cast(x, dtype) if x is not None and x.dtype.char in "eEf" else x
                         for x in operands)
    check_same_dtype(name, *operands)
    return operands


def wide(x: Any) -> Any:
    """x, whatever it is; a Tensor or an array of 16-bit numbers becomes float32, exactly."""
    return cast(x, np.float32) if is_half(x) else x


def for_loss(x: Values) -> Values:
    """The operand of a loss or a softmax; inside `autocast`, a 16-bit dtype becomes float32."""
    return x if context.autocast is None else wide(x)


def in_float32(loss: bool = False) -> Callable[[F], F]:
    """Decorates a composition of ops: on 16-bit numbers it computes in float32 and rounds once.

    A single op does so by itself (see `Function`). But a composition would round after each op: the
    sum of squares in a variance, for one, would be infinite in float16 before it is divided. The
    result has 16 bits if all floating-point arguments have the same 16-bit dtype. The result of a
    `loss` inside `autocast` is float32 all the same.
    """
    def decorate(composition: F) -> F:
        @functools.wraps(composition)
        def rounded_once(*operands: Any, **options: Any) -> Any:
            if not any(map(is_half, (*operands, *options.values()))):
                return composition(*operands, **options)
            dtypes = {x.dtype for x in (*operands, *options.values())
                      if hasattr(x, "dtype") and kind(x.dtype) in "fc"}
            y = composition(*map(wide, operands),
                            **{name: wide(x) for name, x in options.items()})
            return y if len(dtypes) > 1 or loss and context.autocast else cast(y, dtypes.pop())
        return rounded_once  # type: ignore[return-value]  # it has the same parameters
    return decorate


def batch_of_one(axes: int) -> Callable[[F], F]:
    """Decorates an op on batches of `axes` axes: a single sample goes through it as a batch of one.
    """
    def decorate(op: F) -> F:
        @functools.wraps(op)
        def on_batches(x: Any, *args: Any, **named: Any) -> Any:
            if getattr(x, "ndim", axes) != axes - 1:
                return op(x, *args, **named)
            y = op(unsqueeze(x, 0), *args, **named)
            return tuple(squeeze(part, 0) for part in y) if type(y) is tuple else squeeze(y, 0)
        return on_batches  # type: ignore[return-value]  # it has the same parameters
    return decorate


def check_same_dtype(name: str, *operands: Any) -> None:
    """Raise TypeError if the operands of a product have several dtypes.

    To mix them would silently widen the result. Complex numbers may take part, because derivatives
    by the complex step need them. `name` is that of the op; operands may be None.
    """
    dtypes = {x.dtype for x in operands if x is not None}
    if len(dtypes) > 1 and all(dtype.kind != "c" for dtype in dtypes):
        raise TypeError(f"{name}: dtypes {', '.join(sorted(map(str, dtypes)))} do not mix; "
                        "bring them to one with .to(dtype)")
