"""The roofline: how fast a layer may be on a GPU, by the operations that it does per byte moved.

    works = layers(models.resnet18(), (3, 224, 224), batch=64)    # a Work per op that ran
    figure = draw({"ResNet-18": works}, {"by hand": Work("convolution", flops, moved)})

speed <= min(peak, intensity x bandwidth), intensity = operations / bytes. S. Williams, A. Waterman,
D. Patterson, "Roofline: an insightful visual performance model for multicore architectures",
Communications of the ACM 52(4), 2009.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

import minigrad as mg
from experiments.style import PALETTE, new_figure
from minigrad.function import trace
from minigrad.ops.activation import ReLU
from minigrad.ops.arithmetic import Add, Div
from minigrad.ops.conv import Conv2d
from minigrad.ops.linear import Linear
from minigrad.ops.norm import BatchNorm
from minigrad.ops.pool import MaxPool2d
from minigrad.ops.reduce import Sum
from minigrad.profile import RULES

KINDS = {Conv2d: "convolution", Linear: "linear layer", BatchNorm: "batch norm",
         MaxPool2d: "pooling", Sum: "pooling", Div: "pooling",
         ReLU: "ReLU, addition", Add: "ReLU, addition"}
COLOURS = {"convolution": "blue", "linear layer": "orange", "batch norm": "green",
           "pooling": "yellow", "ReLU, addition": "purple"}
ON_TENSOR_CORES = ("convolution", "linear layer")
LEFT, RIGHT, BOTTOM, TOP = 0.05, 2000, 0.1, 1200  # of the picture: FLOP/byte, TFLOP/s


class Work(NamedTuple):
    """Operations and bytes moved of one layer, for a batch."""

    kind: str
    flops: int
    moved: int

    @property
    def intensity(self) -> float:
        """FLOP per byte."""
        return self.flops / self.moved


class Roof(NamedTuple):
    """What a GPU can do at most: operations (FLOP/s) and bytes of its memory per second."""

    gpu: str
    unit: str
    peak: float
    bandwidth: float

    @property
    def ridge(self) -> float:
        """The intensity in FLOP per byte from which on memory is no longer the limit."""
        return self.peak / self.bandwidth

    def speed(self, intensity):
        """FLOP/s at most, at an intensity in FLOP per byte."""
        return np.minimum(self.peak, intensity * self.bandwidth)

    def seconds(self, work) -> float:
        """How long the work takes at least."""
        return max(work.flops / self.peak, work.moved / self.bandwidth)


ROOFS = (Roof("H100", "TF32", 989e12 / 2, 3.35e12),
         Roof("H100", "float32", 67e12, 3.35e12),
         Roof("A100", "TF32", 156e12, 2.039e12),
         Roof("A100", "float32", 19.5e12, 2.039e12))
"""Peaks and bandwidths as in NVIDIA's data sheets "NVIDIA H100 Tensor Core GPU" (column H100 SXM)
and "NVIDIA A100 Tensor Core GPU" (A100 80GB SXM). For TF32 the H100's gives the speed with
structured sparsity, twice that without. A multiply-add counts as 2 operations, as here.
"""


def layers(model, size, batch):
    """A Work for each op of `model` that computes, on `batch` images of `size` (C, H, W).

    Operations are those of minigrad.profile; bytes: all of every input and of the output moved
    once, in float32. One image runs; parameters, which all images share, move once per batch.
    NotImplementedError for an op that is not in KINDS.
    """
    parameters = {id(p) for p in model.parameters()}
    with mg.no_grad(), trace() as calls:
        model(mg.Tensor(np.ones((1, *size), np.float32)))
    works = [work_of(call, parameters, batch) for call in calls]
    return [work for work in works if work.flops]  # a reshape moves nothing


def work_of(call, parameters, batch=1):
    """The Work of one traced call, on `batch` times as many images; see `layers`.

    parameters: the ids of those of the network.
    """
    flops = batch * RULES[type(call.function)](call).flops
    tensors = [x for x in (*call.inputs, call.output) if isinstance(x, mg.Tensor)]
    moved = sum(x.data.nbytes * (1 if id(x) in parameters else batch) for x in tensors)
    return Work(_kind(call.function) if flops else "", flops, moved)


def _kind(op):
    for known, kind in KINDS.items():
        if isinstance(op, known):
            return kind
    raise NotImplementedError(f"roofline: no kind of layer for op {op.name}; add it to KINDS")


def draw(networks, routes):
    """Roofs with the layers of two networks {name: works} on them; below, `routes` {name: Work}."""
    figure = new_figure(9.5, 7)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4.2, 1 + 0.2 * len(routes)))
    _draw_roofs(upper)
    _draw_layers(upper, networks)
    for row, work in enumerate(routes.values()):
        lower.plot([LEFT, work.intensity], [row, row], color="#dddddd", zorder=1)
        lower.plot(work.intensity, row, "D", color=PALETTE["black"])
        lower.annotate(f"{work.intensity:.3g}", (work.intensity, row), (12, 0), va="center",
                       textcoords="offset points", backgroundcolor="white")
    lower.set_yticks(range(len(routes)), routes)
    lower.set_ylim(len(routes) - 0.4, -0.6)
    lower.set_title("One 3x3 convolution of ResNet-18, by what its threads ask memory for",
                    loc="left")
    lower.set_xlabel("arithmetic intensity, FLOP per byte")
    ridge = ROOFS[0].ridge
    for axes in (upper, lower):
        axes.axvline(ridge, color=PALETTE["grey"], linewidth=0.8, linestyle=":", zorder=0)
    upper.annotate(f"for TF32 on the H100, memory is\nthe limit up to {ridge:.0f} FLOP per byte",
                   (ridge, BOTTOM), (-6, 8), ha="right", textcoords="offset points")
    return figure


def _draw_roofs(axes):
    x = np.geomspace(LEFT, RIGHT, 400)
    styles = {"H100": PALETTE["black"], "A100": PALETTE["sky"]}
    for roof in ROOFS:
        axes.plot(x, roof.speed(x) / 1e12, color=styles[roof.gpu], zorder=1)
        axes.annotate(f"{roof.gpu}, {roof.unit}: {roof.peak / 1e12:g} TFLOP/s",
                      (RIGHT, roof.peak / 1e12), (6, 0), va="center", textcoords="offset points")
    for roof, side, ha, va in ((ROOFS[0], -4, "right", "bottom"), (ROOFS[2], 4, "left", "top")):
        axes.annotate(f"{roof.gpu}: {roof.bandwidth / 1e12:g} TB/s", (2, roof.speed(2) / 1e12),
                      (side, -side), ha=ha, va=va, textcoords="offset points")
    axes.set(xscale="log", yscale="log", xlim=(LEFT, RIGHT), ylim=(BOTTOM, TOP),
             ylabel="TFLOP/s at most")
    axes.set_title("Layers on the H100's roofs, every array moved once", loc="left")


def _draw_layers(axes, networks):
    seen = set()
    for (name, works), marker in zip(networks.items(), "o^"):
        for work in works:
            roof = ROOFS[0] if work.kind in ON_TENSOR_CORES else ROOFS[1]
            axes.plot(work.intensity, roof.speed(work.intensity) / 1e12, marker,
                      color=PALETTE[COLOURS[work.kind]], markeredgecolor="white")
            seen.add(work.kind)
    for kind in COLOURS:
        if kind in seen:
            axes.plot([], [], "s", color=PALETTE[COLOURS[kind]], label=kind)
    for name, marker in zip(networks, "o^"):
        axes.plot([], [], marker, color=PALETTE["grey"], label=name)
    axes.legend(loc="upper left")
