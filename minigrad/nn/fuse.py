"""Layers one after another, and which neighbours among them share one op.

    y = run_layers(x, self.conv1, self.bn1, relu)       # relu(self.bn1(self.conv1(x)))

A ReLU or ReLU6 that follows a batch normalisation runs in one op with it: the numbers pass through
memory once instead of twice, forward and backward, and their bits stay the same (in evaluation: for
the channels-last images that convolutions make). In evaluation, on the CPU and without a graph, a
convolution scales and shifts its own output by the batch normalisation behind it, with the same
bits again. `Sequential` and the networks of `minigrad.models` run their layers through this module;
nothing else knows of the fusion.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np

from minigrad import ops
from minigrad.engine import Tensor
from minigrad.graph import context
from minigrad.nn.activation import ReLU, ReLU6
from minigrad.nn.norm import BatchNorm1d, BatchNorm2d
from minigrad.nn.spatial import Conv2d
from minigrad.ops.conv import conv2d_scaled

Layer = Callable[[Tensor], Tensor]      # a Module, or a function such as `minigrad.relu`

CONVOLUTIONS: set[Callable[..., Tensor]] = {Conv2d.forward}
"""The `forward` of convolutions, if it calls another op with the same parameters that it is given.
"""

_BATCH_NORMS = BatchNorm1d, BatchNorm2d
_FLOATS = np.float32, np.float64
_CALL = Conv2d.__call__
_RELUS = (1, ops.relu, ReLU), (6, ops.relu6, ReLU6)
# What a call of such a layer runs. One that runs anything else is never passed over.
_AS_WRITTEN: dict[type, tuple[Callable, Callable]] = {
    kind: (kind.__call__, kind.forward) for kind in (*_BATCH_NORMS, ReLU, ReLU6)}


def run_layers(x: Tensor, *layers: Layer) -> Tensor:
    """x through the layers, one after another: run_layers(x, f, g) is g(f(x)).

    Raises what a layer raises.
    """
    for step in steps(layers):
        x = step(x)
    return x


def steps(layers: Iterable[Layer]) -> Iterator[Layer]:
    """The functions to call in a row: the layers themselves, and in place of neighbours that share
    an op, one function. These are a batch normalisation and the ReLU or ReLU6 behind it, and in
    evaluation also the convolution before them.

    A layer of a subclass, one with hooks, and one whose forward was replaced (on the layer or on
    its class), is always called itself. So is every layer while ops are traced, as by
    `minigrad.profile` and `minigrad.draw`: a table or a picture shows each op in its own layer.
    """
    rest: list[Any] = list(layers)
    while rest:
        layer = rest.pop(0)
        if rest and context.trace is None and _scales(layer) and _is_fixed(rest[0]):
            norm = rest.pop(0)
            relu = _relu(rest[0]) if rest else 0
            if relu:
                rest.pop(0)
            yield partial(_convolve_scaled, layer, norm, relu)
        elif (rest and context.trace is None and _runs_as_written(layer, _BATCH_NORMS)
                and (relu := _relu(rest[0]))):
            rest.pop(0)
            yield partial(layer.forward, relu=relu)
        else:
            yield layer


def _convolve_scaled(conv: Any, norm: Any, relu: int, x: Tensor) -> Tensor:
    """relu(norm(conv(x))) in one op, or, where it does not fit, in two."""
    parts = conv.weight, norm.running_mean, norm.running_var, norm.weight, norm.bias
    if (context.grad or context.autocast is not None or x.device != "cpu" or x.ndim != 4
            or len(norm.running_mean) != len(conv.weight) or x.dtype not in _FLOATS
            or any(part is not None and part.dtype != x.dtype for part in parts)):
        return norm.forward(conv(x), relu=relu)
    factor, shift = norm.factor_and_shift()
    return conv.forward(x, op=partial(conv2d_scaled, factor=factor, shift=shift, relu=relu))


def _scales(layer: Any) -> bool:
    """Whether the layer is a convolution whose forward lets another op convolve."""
    kind = type(layer)
    return (isinstance(layer, Conv2d) and kind.forward in CONVOLUTIONS and layer.op is ops.conv2d
            and kind.__call__ is _CALL and "forward" not in vars(layer) and not layer._hooks)


def _is_fixed(layer: Any) -> bool:
    """Whether the layer is a batch normalisation by running statistics."""
    return (_runs_as_written(layer, (BatchNorm2d,)) and not layer.training
            and layer.running_mean is not None)


def _relu(layer: Any) -> int:
    """1 for a ReLU, 6 for a ReLU6, 0 for anything else."""
    for relu, op, kind in _RELUS:
        if layer is op or _runs_as_written(layer, (kind,)):
            return relu
    return 0


def _runs_as_written(layer: Any, kinds: tuple[type, ...]) -> bool:
    """Whether the layer is of one of these classes, and a call of it runs what is written there."""
    kind = type(layer)
    return (kind in kinds and _AS_WRITTEN[kind] == (kind.__call__, kind.forward)
            and "forward" not in vars(layer) and not layer._hooks)
