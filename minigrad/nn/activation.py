"""Activations as layers: each takes the options of its op, holds them, and calls it.

What an op computes stands at the op (`minigrad.ops`).
"""

import numpy as np

from minigrad import ops
from minigrad.engine import Tensor
from minigrad.nn.layers import OpLayer
from minigrad.nn.module import Module, Parameter


class Sigmoid(OpLayer, op=ops.sigmoid):
    """`ops.sigmoid` of each element."""


class Tanh(OpLayer, op=ops.tanh):
    """`ops.tanh` of each element."""


class LogSigmoid(OpLayer, op=ops.logsigmoid):
    """`ops.logsigmoid` of each element."""


class Softsign(OpLayer, op=ops.softsign):
    """`ops.softsign` of each element."""


class Tanhshrink(OpLayer, op=ops.tanhshrink):
    """`ops.tanhshrink` of each element."""


class ReLU(OpLayer, op=ops.relu):
    """`ops.relu` of each element.

    inplace=True is accepted because PyTorch's networks say it to save memory: the result is the
    same, in new memory, and the input stays as it is.
    """


class ReLU6(OpLayer, op=ops.relu6):
    """`ops.relu6` of each element. inplace: as in `ReLU`."""


class SELU(OpLayer, op=ops.selu):
    """`ops.selu` of each element. inplace: as in `ReLU`."""


class SiLU(OpLayer, op=ops.silu):
    """`ops.silu` of each element. inplace: as in `ReLU`."""


class Mish(OpLayer, op=ops.mish):
    """`ops.mish` of each element. inplace: as in `ReLU`."""


class Hardsigmoid(OpLayer, op=ops.hardsigmoid):
    """`ops.hardsigmoid` of each element. inplace: as in `ReLU`."""


class Hardswish(OpLayer, op=ops.hardswish):
    """`ops.hardswish` of each element. inplace: as in `ReLU`."""


class LeakyReLU(OpLayer, op=ops.leaky_relu):
    """`ops.leaky_relu` of each element, with this slope below 0. inplace: as in `ReLU`."""


class ELU(OpLayer, op=ops.elu):
    """`ops.elu` of each element. inplace: as in `ReLU`."""


class CELU(OpLayer, op=ops.celu):
    """`ops.celu` of each element. inplace: as in `ReLU`."""


class GELU(OpLayer, op=ops.gelu):
    """`ops.gelu` of each element; approximate: "none" or "tanh"."""


class Hardtanh(OpLayer, op=ops.hardtanh):
    """`ops.hardtanh` of each element. inplace: as in `ReLU`."""


class Hardshrink(OpLayer, op=ops.hardshrink):
    """`ops.hardshrink` of each element."""


class Softshrink(OpLayer, op=ops.softshrink):
    """`ops.softshrink` of each element."""


class Softplus(OpLayer, op=ops.softplus):
    """`ops.softplus` of each element."""


class Threshold(OpLayer, op=ops.threshold):
    """`ops.threshold` of each element. inplace: as in `ReLU`."""


class GLU(OpLayer, op=ops.glu):
    """`ops.glu`: one half of x along `dim` times the sigmoid of the other."""


class Softmax(OpLayer, op=ops.softmax):
    """`ops.softmax` along `dim`, which says what None means."""


class LogSoftmax(OpLayer, op=ops.log_softmax):
    """`ops.log_softmax` along `dim`."""


class Softmin(OpLayer, op=ops.softmin):
    """`ops.softmin` along `dim`."""


class Softmax2d(Module):
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
