"""Activations as layers: each holds the options of the op of its name, and calls it.

What an op computes stands at the op (`minigrad.ops`).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad import ops
from minigrad.arguments import plain
from minigrad.engine import Tensor
from minigrad.nn.module import Module, Parameter, unusual


class _Activation(Module):
    """Calls `op`, the one that its class names, with the options that it was made with."""

    op: Callable[..., Tensor]
    options: tuple[str, ...] = ()   # their names
    inplace = False

    def __init_subclass__(cls, op: Callable[..., Tensor] | None = None) -> None:
        if op is not None:
            cls.op = staticmethod(op)

    def hold(self, inplace: bool = False, **options: Any) -> None:
        self.inplace, self.options = bool(inplace), tuple(options)
        for name, value in options.items():
            setattr(self, name, plain(value))

    def forward(self, input: Tensor) -> Tensor:
        return self.op(input, **{name: getattr(self, name) for name in self.options})

    def extra_repr(self) -> str:
        return ", ".join([*(f"{name}={getattr(self, name)!r}" for name in self.options),
                          *unusual(self, inplace=False)])


class _InPlace(_Activation):
    def __init__(self, inplace: bool = False) -> None:
        self.hold(inplace)


class Sigmoid(_Activation, op=ops.sigmoid):
    """`ops.sigmoid` of each element."""


class Tanh(_Activation, op=ops.tanh):
    """`ops.tanh` of each element."""


class LogSigmoid(_Activation, op=ops.logsigmoid):
    """`ops.logsigmoid` of each element."""


class Softsign(_Activation, op=ops.softsign):
    """`ops.softsign` of each element."""


class Tanhshrink(_Activation, op=ops.tanhshrink):
    """`ops.tanhshrink` of each element."""


class ReLU(_InPlace, op=ops.relu):
    """`ops.relu` of each element.

    inplace=True is accepted because PyTorch's networks say it to save memory: the result is the
    same, in new memory, and the input stays as it is.
    """


class ReLU6(_InPlace, op=ops.relu6):
    """`ops.relu6` of each element. inplace: as in `ReLU`."""


class SELU(_InPlace, op=ops.selu):
    """`ops.selu` of each element. inplace: as in `ReLU`."""


class SiLU(_InPlace, op=ops.silu):
    """`ops.silu` of each element. inplace: as in `ReLU`."""


class Mish(_InPlace, op=ops.mish):
    """`ops.mish` of each element. inplace: as in `ReLU`."""


class Hardsigmoid(_InPlace, op=ops.hardsigmoid):
    """`ops.hardsigmoid` of each element. inplace: as in `ReLU`."""


class Hardswish(_InPlace, op=ops.hardswish):
    """`ops.hardswish` of each element. inplace: as in `ReLU`."""


class LeakyReLU(_Activation, op=ops.leaky_relu):
    """`ops.leaky_relu` of each element, with this slope below 0. inplace: as in `ReLU`."""

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        self.hold(inplace, negative_slope=negative_slope)


class ELU(_Activation, op=ops.elu):
    """`ops.elu` of each element. inplace: as in `ReLU`."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        self.hold(inplace, alpha=alpha)


class CELU(ELU, op=ops.celu):
    """`ops.celu` of each element. inplace: as in `ReLU`."""


class GELU(_Activation, op=ops.gelu):
    """`ops.gelu` of each element; approximate: "none" or "tanh"."""

    def __init__(self, approximate: str = "none") -> None:
        self.hold(approximate=approximate)


class Hardtanh(_Activation, op=ops.hardtanh):
    """`ops.hardtanh` of each element. inplace: as in `ReLU`. Raises ValueError for min > max."""

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        self.hold(inplace, min_val=min_val, max_val=max_val)
        self(np.zeros(1))


class Hardshrink(_Activation, op=ops.hardshrink):
    """`ops.hardshrink` of each element."""

    def __init__(self, lambd: float = 0.5) -> None:
        self.hold(lambd=lambd)


class Softshrink(Hardshrink, op=ops.softshrink):
    """`ops.softshrink` of each element."""


class Softplus(_Activation, op=ops.softplus):
    """`ops.softplus` of each element."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.hold(beta=beta, threshold=threshold)


class Threshold(_Activation, op=ops.threshold):
    """`ops.threshold` of each element. inplace: as in `ReLU`."""

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        self.hold(inplace, threshold=threshold, value=value)


class GLU(_Activation, op=ops.glu):
    """`ops.glu`: one half of x along `dim` times the sigmoid of the other."""

    def __init__(self, dim: int = -1) -> None:
        self.hold(dim=dim)


class Softmax(_Activation, op=ops.softmax):
    """`ops.softmax` along `dim`, which says what None means."""

    def __init__(self, dim: int | None = None) -> None:
        self.hold(dim=dim)


class LogSoftmax(Softmax, op=ops.log_softmax):
    """`ops.log_softmax` along `dim`."""


class Softmin(Softmax, op=ops.softmin):
    """`ops.softmin` along `dim`."""


class Softmax2d(_Activation):
    """`ops.softmax` over the channels of images (N, C, H, W) or (C, H, W); ValueError for others.
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (3, 4):
            raise ValueError(f"Softmax2d: needs images (N, C, H, W) or (C, H, W), got "
                             f"{input.shape}")
        return ops.softmax(input, -3)


class PReLU(Module):
    """`ops.prelu` with a slope that is learnt: weight (num_parameters), one for all channels or one
    for each."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        self.num_parameters = num_parameters
        self.weight = Parameter(np.full(num_parameters, init, np.float32))

    def forward(self, input: Tensor) -> Tensor:
        return ops.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"
