"""Every plan of convolution on every distinct layer of some networks, all three maps, beside torch.

The plan that the table takes on this machine is named with each row. torch computes in its default
layout, and both use two threads. minigrad's images are channels-last, as its layers make them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import minigrad as mg
from experiments.benchmarks.harness import THREADS, Row, race, threads
from minigrad.function import trace
from minigrad.kernels.conv import plans
from minigrad.kernels.conv.merging import turned
from minigrad.kernels.runtime.window import Window, empty
from minigrad.models import efficientnet_lite0, lenet5, resnet18, resnext50_32x4d, small_cnn
from minigrad.ops.conv import Conv2d

ROUNDS = 7
NETWORKS = [  # name, builder, shape of a batch
    ("ResNet-18", resnet18, (16, 3, 224, 224)),
    ("ResNeXt-50", resnext50_32x4d, (8, 3, 224, 224)),
    ("EfficientNet-Lite0", efficientnet_lite0, (16, 3, 224, 224)),
    ("ResNet-18, width 16", partial(resnet18, width=16), (32, 3, 64, 64)),
    ("small CNN", partial(small_cnn, size=64), (32, 3, 64, 64)),
    ("LeNet-5", lenet5, (128, 1, 32, 32)),
]
TO_TORCH, TO_FASTEST = "taken / torch", "taken / fastest plan"
EVERY = {plan for order in plans.TABLE.values() for plan, _ in order.forward}


class Layer(NamedTuple):
    """What two calls of convolution have in common if all plans take as long for both."""

    x_shape: tuple
    w_shape: tuple
    window: Window
    groups: int

    def __str__(self) -> str:
        (_, c, h, w), (o, _, kh, kw) = self.x_shape, self.w_shape
        groups = f", {self.groups} groups" if self.groups > 1 else ""
        stride = f", stride {self.window.sh}" if self.window.sh > 1 else ""
        return f"{c} x {h} x {w} -> {o}, {kh} x {kw}{stride}{groups}"


def run(peers: dict[str, Any]) -> Iterator[Row]:
    """A row for each map of each layer that no network before it has."""
    seen: set[Layer] = set()
    with threads(THREADS):
        for name, build, shape in NETWORKS:
            for layer in layers(build(7), shape):
                if layer not in seen:
                    seen.add(layer)
                    yield from _rows(name, layer, peers)


def layers(net: Any, shape: tuple) -> list[Layer]:
    """The distinct convolutions of a network that is given a batch of that shape."""
    with trace() as calls, mg.no_grad():
        net.eval()(mg.Tensor(np.zeros((1, *shape[1:]), np.float32)))
    return list(dict.fromkeys(
        Layer((shape[0], *call.inputs[0].shape[1:]), tuple(call.inputs[1].shape),
              call.function.window, call.function.groups)
        for call in calls if isinstance(call.function, Conv2d)))


def _rows(network: str, layer: Layer, peers: dict) -> Iterator[Row]:
    rng = np.random.default_rng(0)
    sizes = layer.window.output_size(*layer.x_shape[2:])
    gy_shape = (layer.x_shape[0], layer.w_shape[0], *sizes)
    x, gy = (empty(shape, np.empty(0, np.float32)) for shape in (layer.x_shape, gy_shape))
    for array in (x, gy):
        array[...] = rng.standard_normal(array.shape)
    w = rng.standard_normal(layer.w_shape, np.float32)
    theirs = torch_maps(peers["torch"], layer, x, w, gy) if "torch" in peers else {}
    for task in plans.Order._fields:
        contenders, taken = contenders_of(task, layer, x, w, gy)
        if task in theirs:
            contenders["torch"] = theirs[task]
        row = race(f"{network}: {layer}: {task.replace('_', ' ')}; the table takes {taken}", "call",
                   1, contenders, ROUNDS)
        yield row._replace(extra=_standing(row, taken))


def _standing(row: Row, taken: str) -> dict[str, float]:
    """How the plan that the table takes stands beside torch, and beside the fastest plan."""
    plans_only = {name: t.median for name, t in row.timings.items() if name != "torch"}
    standing = {TO_FASTEST: plans_only[taken] / min(plans_only.values())}
    return standing | ({TO_TORCH: row.ratios[taken].median} if "torch" in row.timings else {})


def contenders_of(task: str, layer: Layer, x, w, gy) -> tuple[dict[str, Callable], str]:
    """({plan: a call that computes this map by it}, the name of the plan that the table takes)."""
    window, groups, size = layer.window, layer.groups, x.shape[2:]
    shapes = layer.x_shape, layer.w_shape
    back = window.mirrored(gy.shape[2:], size) if task == "input_gradient" else None
    if back is not None:                    # a convolution itself
        task, x, w, window = "forward", gy, turned(w, groups), back
        shapes = gy.shape, w.shape
    arguments = {"forward": (x, w, None, window, groups),
                 "input_gradient": (gy, w, window, size, groups),
                 "weight_gradient": (x, gy, window, groups)}[task]
    question = *shapes, window, groups, np.dtype(np.float32)
    fitting = [plan for plan in sorted(EVERY, key=name_of)
               if hasattr(plan, task) and plan.fits(*question)]
    return ({name_of(plan): partial(getattr(plan, task), *arguments) for plan in fitting},
            name_of(plans.choose(task, *question)))


def name_of(plan: Any) -> str:
    return plan.__name__.rpartition(".")[2]


def torch_maps(torch: Any, layer: Layer, x, w, gy) -> dict[str, Callable]:
    """The three maps in torch."""
    torch.set_num_threads(THREADS)
    x, w, gy = (torch.tensor(np.ascontiguousarray(array)) for array in (x, w, gy))
    stride, padding, dilation = layer.window[2:4], layer.window[4:6], layer.window[6:8]

    def gradient(*wanted):
        return torch.ops.aten.convolution_backward(
            gy, x, w, None, stride, padding, dilation, False, (0, 0), layer.groups, wanted)

    return {"forward": partial(torch.nn.functional.conv2d, x, w, None, stride, padding, dilation,
                               layer.groups),
            "input_gradient": partial(gradient, True, False, False),
            "weight_gradient": partial(gradient, False, True, False)}
