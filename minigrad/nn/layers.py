"""The layers: each holds its parameters and hyper-parameters, and calls the op of its name.

What the op computes, its formula and its source stand at the op (`minigrad.ops`).
"""

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad import ops
from minigrad.arguments import integer, plain
from minigrad.engine import Tensor
from minigrad.nn import init
from minigrad.nn.module import Module, Parameter


def weight_and_bias(shape: tuple[int, ...], n_bias: int) -> tuple[Parameter, Parameter | None]:
    """A fresh weight of this shape, and a bias of n_bias elements, or None if n_bias is 0.

    Both are drawn from U(-1/sqrt(fan_in), 1/sqrt(fan_in)), as in torch's linear and convolution
    layers, with the fan_in of the weight.
    """
    weight = Parameter(np.empty(shape, np.float32))
    init.kaiming_uniform_(weight, a=math.sqrt(5))  # its bound is 1/sqrt(fan_in) then
    if not n_bias:
        return weight, None
    bound = 1 / math.sqrt(init.fans(weight)[0])
    return weight, init.uniform_(Parameter(np.empty(n_bias, np.float32)), -bound, bound)


def bound(who: str, options: inspect.Signature, args: tuple,
          named: dict[str, Any]) -> dict[str, Any]:
    """{name: value} of all options, given or by default; a TypeError that names `who` for others.
    """
    try:
        given = options.bind(*args, **named)
    except TypeError as error:
        raise TypeError(f"{who}: {error}") from None
    given.apply_defaults()
    return given.arguments


class OpLayer(Module):
    """A layer that holds the options of an op and calls it: `class ELU(OpLayer, op=ops.elu)`.

    Its arguments are those of the op that come after the input, with their defaults.
    """

    op: Callable[..., Tensor]
    options = inspect.Signature()
    __signature__: inspect.Signature    # what help() shows of the class

    def __init_subclass__(cls, op: Callable[..., Tensor] | None = None) -> None:
        if op is not None:
            cls.op = staticmethod(op)
            _, *options = inspect.signature(op).parameters.values()
            cls.options = inspect.Signature([
                option for option in options if option.name not in ("dtype", "training")])
            if "__init__" not in vars(cls):
                cls.__signature__ = cls.options

    def __init__(self, *args: Any, **named: Any) -> None:
        for name, value in bound(type(self).__name__, self.options, args, named).items():
            setattr(self, name, plain(value))

    def forward(self, input: Tensor) -> Tensor:
        return self.op(input, **self.values())

    def values(self) -> dict[str, Any]:
        """{name: value} of the options as they are now."""
        return {name: getattr(self, name) for name in self.options.parameters}

    def extra_repr(self) -> str:
        """All options but those that are None or False by default, and stayed so."""
        return ", ".join(f"{name}={value!r}" for name, value in self.values().items()
                         if value or self.options.parameters[name].default not in (None, False))


class Linear(Module):
    """y = x w^T + b.  x (..., in_features) -> y (..., out_features); bias=False: without b.

    Raises ValueError for sizes that are no positive integers, and for an x that does not fit.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        in_features = integer("Linear", "in_features", in_features)
        out_features = integer("Linear", "out_features", out_features)
        self.weight, self.bias = weight_and_bias((out_features, in_features),
                                                 out_features if bias else 0)

    def forward(self, input: Tensor) -> Tensor:
        return ops.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        out_features, in_features = self.weight.shape
        return f"{in_features}, {out_features}" + (", bias=False" if self.bias is None else "")


class Flatten(Module):
    """Joins the axes start_dim to end_dim into one: (N, C, H, W) -> (N, C H W) by default."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = plain(start_dim), plain(end_dim)

    def forward(self, input: Tensor) -> Tensor:
        return ops.flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        dims = self.start_dim, self.end_dim
        return "" if dims == (1, -1) else "start_dim={}, end_dim={}".format(*dims)


class Unflatten(Module):
    """Splits the axis `dim` into axes of unflattened_size, of which one may be -1."""

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        self.dim, self.unflattened_size = plain(dim), tuple(plain(unflattened_size))

    def forward(self, input: Tensor) -> Tensor:
        dim = self.dim % input.ndim
        return ops.reshape(input, (*input.shape[:dim], *self.unflattened_size,
                                   *input.shape[dim + 1:]))

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


class Dropout(OpLayer, op=ops.dropout):
    """`ops.dropout` with probability p in training; the identity in evaluation.

    x of any shape -> y of the same. inplace: as in `ReLU`. Raises ValueError for p outside [0, 1].
    """

    p: float

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"{type(self).__name__}: p must lie in [0, 1], got {p}")
        super().__init__(p, bool(inplace))

    def forward(self, input: Tensor) -> Tensor:
        return self.op(input, self.p, self.training)


class Dropout1d(Dropout, op=ops.dropout1d):
    """`Dropout` of whole channels.  x (N, C, L) or (C, L)."""


class Dropout2d(Dropout, op=ops.dropout2d):
    """`Dropout` of whole channels.  x (N, C, ...) (Tompson et al., CVPR 2015, section 3.2)."""


class Dropout3d(Dropout, op=ops.dropout3d):
    """`Dropout` of whole channels.  x (N, C, D, H, W) or (C, D, H, W)."""


class Identity(Module):
    """y = x: stands where a network may have a layer or none."""

    def forward(self, input: Tensor) -> Tensor:
        return input
