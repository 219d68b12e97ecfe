"""Layers one after another, and which neighbours among them share one op.

    y = run_layers(x, self.conv1, self.bn1, relu)       # relu(self.bn1(self.conv1(x)))

A ReLU or ReLU6 that follows a batch normalisation runs in one op with it: the numbers pass through
memory once instead of twice, forward and backward, and their bits stay the same (in evaluation: for
the channels-last images that convolutions make). `Sequential` and the networks of `minigrad.models`
run their layers through this module; nothing else knows of the fusion.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from minigrad import ops
from minigrad.engine import Tensor
from minigrad.graph import context
from minigrad.nn.activation import ReLU, ReLU6
from minigrad.nn.norm import BatchNorm1d, BatchNorm2d

Layer = Callable[[Tensor], Tensor]      # a Module, or a function such as `minigrad.relu`

_BATCH_NORMS = BatchNorm1d, BatchNorm2d
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
    """The functions to call in a row: the layers themselves, and one function for each batch
    normalisation with the ReLU or ReLU6 behind it.

    A layer of a subclass, one with hooks, and one whose forward was replaced (on the layer or on
    its class), is always called itself. So is every layer while ops are traced, as by
    `minigrad.profile` and `minigrad.draw`: a table or a picture shows each op in its own layer.
    """
    rest: list[Any] = list(layers)
    while rest:
        layer = rest.pop(0)
        if (rest and context.trace is None and _runs_as_written(layer, _BATCH_NORMS)
                and (relu := _relu(rest[0]))):
            rest.pop(0)
            yield partial(layer.forward, relu=relu)
        else:
            yield layer


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


def batch_norm_relu(norm: Layer, x: Tensor, relu: Layer = ops.relu) -> Tensor:
    """Deprecated: `minigrad.nn.fuse.run_layers(x, norm, relu)` does the same."""
    warnings.warn("nn.batch_norm_relu(norm, x) is now minigrad.nn.fuse.run_layers(x, norm, relu)",
                  DeprecationWarning, stacklevel=2)
    return run_layers(x, norm, relu)
