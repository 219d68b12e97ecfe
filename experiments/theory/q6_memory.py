"""The memory of question 6: what a graph keeps alive for backward, counted and as allocated."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

import minigrad as mg
from experiments.claims import HOLDS, Claim, check
from experiments.style import PALETTE, new_figure
from minigrad import Function, nn

DEPTH, WIDTH, BATCH = 20, 64, 256  # of the network that is weighed
SHARE = 0.5                        # of the input-keeping network's memory, at most
CAPTION = (f"Kept alive for backward by {DEPTH} layers of {WIDTH} units and a batch of {BATCH} in "
           "float32. Parameters and batch, there in any case, are not counted.")


class Bytes(NamedTuple):
    """What a graph keeps alive: array buffers counted in it, and array memory still allocated."""

    counted: int
    allocated: int


class Memory(NamedTuple):
    """One network, weighed with activations that keep their output and with ones that keep x."""

    output: Bytes
    input: Bytes

    @property
    def share(self) -> float:
        return self.output.counted / self.input.counted

    @property
    def disagreement(self) -> float:
        """Largest relative difference of the two ways to weigh."""
        return max(abs(b.counted - b.allocated) / b.counted for b in self)


class Apply(nn.Module):
    """A function of one Tensor as a layer."""

    def __init__(self, f: Callable):
        self.f = f

    def forward(self, x):
        return self.f(x)


def weigh(activation: Callable) -> Bytes:
    """What DEPTH layers of WIDTH units with this activation keep alive for backward.

    Counted twice: by walking the graph, and by asking Python's allocator what NumPy still holds of
    the memory that it took during the forward pass. Parameters and batch, which the caller holds
    anyway, are left out.
    """
    net = nn.Sequential(*(m for _ in range(DEPTH)
                          for m in (nn.Linear(WIDTH, WIDTH), Apply(activation))),
                        nn.Linear(WIDTH, 1))
    batch = mg.Tensor(np.ones((BATCH, WIDTH), np.float32))
    tracemalloc.start()
    tracemalloc.clear_traces()
    try:
        loss = net(batch).mean()
        snapshot = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
    arrays = tracemalloc.DomainFilter(inclusive=True, domain=np.lib.tracemalloc_domain)
    allocated = sum(trace.size for trace in snapshot.filter_traces([arrays]).traces)
    return Bytes(kept_bytes(loss, [batch, *net.parameters()]), allocated)


def kept_bytes(loss: mg.Tensor, parameters: Sequence[mg.Tensor]) -> int:
    """Bytes of all distinct array buffers in the graph of `loss`, except those of `parameters`."""
    known = {id(buffer(t.data)) for t in parameters}
    buffers, seen, stack = {}, {loss.node}, [loss.node]
    while stack:
        node = stack.pop()
        held = [record[0] for record in node.saved if record is not None] + [*vars(node).values()]
        for array in held:
            if isinstance(array, np.ndarray) and id(buffer(array)) not in known:
                buffers[id(buffer(array))] = buffer(array).nbytes
        new = {edge for edge in node.parents if isinstance(edge, Function)} - seen
        seen |= new
        stack += new
    return sum(buffers.values())


def buffer(array: np.ndarray) -> np.ndarray:
    """The array that owns the memory of a view."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def claim(memory: Mapping[str, Memory]) -> Claim:
    """Half the memory or less, for every activation."""
    return Claim(
        "q6.memory", "Beyond the answer: keeping the output takes half the memory, or less",
        ", ".join(f"{name} {m.share:.0%}" for name, m in memory.items()) +
        f" ({memory['sigmoid'].output.counted / 1e6:.2f} of "
        f"{memory['sigmoid'].input.counted / 1e6:.2f} MB)",
        "The output of an activation is the input of the next layer, which keeps it in any case. "
        "An activation that keeps its own input adds a second array per layer. (Where nobody else "
        "needed y, keeping y or x would cost the same.)", HOLDS,
        check("largest share", max(m.share for m in memory.values()), "<=", SHARE),
        evidence=(check("counted against allocated bytes, relative",
                        max(m.disagreement for m in memory.values()), "<=", 0.01),))


def numbers(memory: Mapping[str, Memory]) -> dict:
    """The bytes and the network, for the record."""
    return {"layers": DEPTH, "units": WIDTH, "batch": BATCH,
            **{f"bytes_{name}_keeping_{what}": getattr(m, column).counted
               for name, m in memory.items()
               for what, column in (("y", "output"), ("x", "input"))}}


def draw(memory: Mapping[str, Memory]):
    """Two bars per activation."""
    figure = new_figure(7, 3.6)
    axes = figure.subplots()
    for shift, colour, label, column in ((-0.2, "orange", "keeping the input", "input"),
                                         (0.2, "blue", "keeping the output", "output")):
        sizes = [getattr(m, column).counted / 1e6 for m in memory.values()]
        bars = axes.bar(np.arange(len(memory)) + shift, sizes, 0.36, color=PALETTE[colour],
                        label=label)
        axes.bar_label(bars, fmt="%.2f", padding=2)
    axes.set(xticks=range(len(memory)), xticklabels=memory, ylabel="kept alive, MB")
    axes.margins(y=0.12)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
