"""Methods of Tensor that are no functions of minigrad: other names, other forms, the state."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from minigrad.arguments import ArgumentError, DtypeError, demand
from minigrad.dtypes import number_type
from minigrad.engine import Tensor, wrap
from minigrad.ops.arrays import creation, random
from minigrad.ops.arrays.moves import movedim
from minigrad.ops.in_place import operator_of
from minigrad.ops.select import where
from minigrad.ops.shape import _axis, cast, expand, getitem, reshape, to, transpose


def size(x: Tensor, dim: int | None = None) -> Any:
    """The shape, or its entry `dim`."""
    return x.shape if dim is None else x.shape[_axis("size", dim, x.ndim)]


def stride(x: Tensor, dim: int | None = None) -> Any:
    """How far apart neighbours lie in memory, in elements: for each axis, or for one."""
    steps = tuple(step // x.data.itemsize for step in x.data.strides)
    return steps if dim is None else steps[_axis("stride", dim, x.ndim)]


def view(x: Tensor, *shape: Any) -> Tensor:
    """`reshape`, or with a dtype the same bytes as other numbers, outside the graph.

    Unlike PyTorch's, it copies where the elements do not lie in C order: images are channels-last.
    """
    if len(shape) == 1 and isinstance(shape[0], (np.dtype, type)):
        return wrap(x.data.view(number_type(shape[0])), counter=x.version_counter())
    return reshape(x, *shape)


def contiguous(x: Tensor, memory_format: Any = None) -> Tensor:
    """x with its elements in C order in memory: x itself if it is so, else a copy."""
    return x if x.data.flags.c_contiguous else reshape(reshape(x, -1), x.shape)


def unflatten(x: Tensor, dim: int, sizes: Any) -> Tensor:
    """x with the axis `dim` split into several. Raises ArgumentError if the sizes do not fit."""
    dim = _axis("unflatten", dim, x.ndim)
    return reshape(x, *x.shape[:dim], *sizes, *x.shape[dim + 1:])


def unfold(x: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """All parts of `size` along an axis, `step` apart, with their elements along a new last axis.

    Unlike PyTorch's, it copies.
    """
    d = _axis("unfold", dimension, x.ndim)
    demand(0 < step and 0 <= size <= x.shape[d], f"unfold: parts of {size} elements, {step} apart, "
           f"do not fit into an axis of {x.shape[d]}")
    starts = np.arange(0, x.shape[d] - size + 1, step)
    parts = getitem(x, (slice(None),) * d + (starts[:, None] + np.arange(size),))
    return movedim(parts, d + 1, -1)


def matrix_transpose(name: str, ranks: range, x: Tensor) -> Tensor:
    """x with its last two axes exchanged."""
    if x.ndim not in ranks:
        raise ArgumentError(f"{name}: not for a Tensor of {x.ndim} axes")
    return transpose(x, -1, -2) if x.ndim > 1 else x


def t(x: Tensor) -> Tensor:
    """x with its axes exchanged. Raises ArgumentError for more than two."""
    return matrix_transpose("t", range(3), x)


def type_(x: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """x in a dtype, which may be a FloatTensor or its name; without one, that name for x."""
    if dtype is None:
        name = next((n for n, t in creation.TYPES.items() if t.dtype == x.dtype.name), x.dtype.name)
        return f"torch.{name}" if x.device == "cpu" else f"torch.cuda.{name}"
    if isinstance(dtype, str):
        dtype = creation.TYPES.get(dtype.rpartition(".")[2], dtype)
    return cast(x, getattr(dtype, "dtype", dtype))


def tolist(x: Tensor) -> Any:
    """The elements as Python numbers in nested lists, or as one number."""
    return x.numpy(force=True).tolist()


def requires_grad_(x: Tensor, requires_grad: bool = True) -> Tensor:
    """Switch `requires_grad`; returns x."""
    x.requires_grad = requires_grad
    return x


def detach_(x: Tensor) -> Tensor:
    """Take x out of the graph; returns x. Raises RuntimeError for a view of another Tensor."""
    if getattr(x.node, "view", False):
        raise RuntimeError("detach_: this Tensor is a view of another one; use detach()")
    counter = x.version_counter()
    x.node, x._requires_grad, x._version_counter = None, False, counter
    return x


def retain_grad(x: Tensor) -> None:
    """Keep the gradient of this result of an op in `.grad` too. RuntimeError if it has none."""
    if x.node is not None and not any(getattr(f, "func", 0) is _keep for f in x.node.hooks):
        x.register_hook(partial(_keep, weakref.ref(x)))  # a hook that held x would make a cycle
    elif not x.requires_grad:
        raise RuntimeError("retain_grad: this Tensor does not require a gradient")


def _keep(place: Callable[[], Tensor | None], g: Tensor) -> None:
    x = place()
    if x is not None:
        x.grad = g if x.grad is None else x.grad + g


def zero(x: Tensor) -> Tensor:
    """Zeros, where x was."""
    return fill(x, 0)


def fill(x: Tensor, value: Any) -> Tensor:
    """A number, or that of a Tensor without axes, where x was, in its dtype."""
    if not isinstance(value, Tensor):
        value = creation.full_like(x, value)
    elif value.ndim:
        raise ArgumentError(f"fill_: the value must be one number, got the shape {value.shape}")
    return cast(where(np.True_, value, x), x.dtype)


def normal_(x: Tensor, mean: float = 0.0, std: float = 1.0, **options: Any) -> Tensor:
    """Draw the elements from the normal distribution; `generator` is the only option."""
    return x.copy_(random.normal(mean, std, x.shape, **creation.like(x, options)))


def uniform_(x: Tensor, low: float = 0.0, high: float = 1.0, **options: Any) -> Tensor:
    """Draw the elements uniformly from low <= y < high; `generator` is the only option."""
    if not low <= high:
        raise ArgumentError(f"uniform_: low must not be above high, got {low} and {high}")
    return x.copy_(random.rand_like(x, **options) * (high - low) + low)


def bernoulli_(x: Tensor, p: Any = 0.5, *, generator: Any = None) -> Tensor:
    """Draw 1 with probability p, a number or a Tensor, and 0 otherwise, for each element."""
    return x.copy_(random.bernoulli(x, p, generator=generator))


def contains(x: Tensor, element: Any) -> bool:
    """Whether an element of x is `element`, a number or one of the elements of a Tensor."""
    if not isinstance(element, (Tensor, bool, int, float, complex, np.generic)):
        raise DtypeError(f"in: a Tensor holds numbers, not a {element.__class__.__name__}")
    return bool((x == element).data.any())


def positive(x: Tensor) -> Tensor:
    """x itself. Raises DtypeError for booleans."""
    if x.dtype == bool:
        raise DtypeError("+x: not for booleans")
    return x


def _new(f: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The method that makes another Tensor with the dtype and the device of x."""
    return lambda x, *arguments, **options: f(*arguments, **creation.like(x, options))


ATTRIBUTES: dict[str, Any] = {
    **{f.__name__: f for f in (size, stride, view, contiguous, unflatten, unfold, t, tolist,
                               detach_, retain_grad, normal_, uniform_, bernoulli_,
                               requires_grad_)},
    **{name: lambda x, dtype=dtype: cast(x, dtype) for name, dtype in {
        "float": "float32", "double": "float64", "half": "float16", "bfloat16": "bfloat16",
        "long": "int64", "int": "int32", "short": "int16", "bool": "bool"}.items()},
    **{f"new_{f.__name__}": _new(f) for f in (creation.zeros, creation.ones, creation.full,
                                              creation.tensor)},
    "type": type_, "new_empty": _new(creation.empty),
    "cpu": lambda x: to(x, "cpu"),
    "cuda": lambda x, device="cuda", non_blocking=False: to(x, device),
    **dict.fromkeys(("view_as", "reshape_as"), lambda x, other: reshape(x, other.shape)),
    "expand_as": lambda x, other: expand(x, other.shape),
    "type_as": lambda x, other: to(x, other),
    "dim": lambda x: x.ndim, "ndimension": lambda x: x.ndim, "nelement": lambda x: x.data.size,
    "element_size": lambda x: x.data.itemsize,
    "is_floating_point": creation.is_floating_point,
    "is_contiguous": lambda x: x.data.flags.c_contiguous,
    "data_ptr": lambda x: x.data.ctypes.data if x.device == "cpu" else x.data.data.ptr,
    "mT": property(lambda x: matrix_transpose("mT", range(2, 65), x)),  # 64 axes are NumPy's limit
    "is_cuda": property(lambda x: x.device == "cuda"),
    "grad_fn": property(lambda x: x.node),
    "zero_": operator_of(zero), "fill_": operator_of(fill),
    "__contains__": contains, "__pos__": positive,
    "__reversed__": lambda x: getitem(x, slice(None, None, -1)) if x.ndim else x,
}
