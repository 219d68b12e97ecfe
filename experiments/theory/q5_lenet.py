"""Question 5: the trainable parameters of LeNet-5, counted on the model itself.

Both networks are built and run: the modern LeNet-5 that the answer describes, and the one that the
paper of 1998 describes (see minigrad/models/lenet.py), which has other layers in three places.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

import minigrad as mg
from experiments.claims import HOLDS, Answer, Check, Claim, check, spread
from experiments.settings import Settings
from experiments.style import PALETTE, new_figure
from minigrad.models import lenet5
from minigrad.profile import Profile, profile

WRITTEN = {"c1": 156, "s2": 0, "c3": 2416, "s4": 0, "c5": 48120, "f6": 10164, "output": 850}
PAPER = {"c1": 156, "s2": 12, "c3": 1516, "s4": 32, "c5": 48120, "f6": 10164, "output": 0}
# Section II-B again: each number that enters a unit is a connection, the bias included.
PAPER_CONNECTIONS = {"c1": 122304, "s2": 5880, "c3": 151600, "s4": 2000, "c5": 48120, "f6": 10164,
                     "output": 840}


class Network(NamedTuple):
    """A LeNet-5 and what was found on it."""

    table: Profile
    listed: int  # numbers in model.parameters() that require a gradient
    reached: int  # numbers in the parameters that a backward pass gave a gradient
    silent: int  # parameters that it gave a gradient of zeros only

    @property
    def by_layer(self) -> dict[str, int]:
        """Trainable parameters of the layers that have a name in the paper."""
        return {layer.name: layer.trainable for layer in self.table.layers if layer.name in PAPER}

    @property
    def connections(self) -> dict[str, int]:
        """What enters each unit, times the units, from the operations that were counted.

        A weighted sum with a bias has one multiplication per input, and a bias per unit.
        Subsampling has 5 operations for its 4 inputs and its bias. An output unit compares itself
        with 84 inputs and has no bias.
        """
        found = {}
        for layer in self.table.layers:
            if layer.name in ("c1", "c3", "c5", "f6"):
                found[layer.name] = layer.count.multiply + int(np.prod(layer.output))
            elif layer.name in ("s2", "s4"):
                found[layer.name] = layer.count.flops
            elif layer.name == "output":
                found[layer.name] = layer.count.multiply
        return found


def examine(variant: str, rng: np.random.Generator) -> Network:
    """Build a LeNet-5, profile it, and send a gradient through it."""
    model = lenet5(variant=variant)
    images = mg.Tensor(rng.standard_normal((8, 1, 32, 32)).astype(np.float32))
    mg.cross_entropy(model(images), rng.integers(0, 10, 8)).backward()
    reached = [p for p in model.parameters() if p.grad is not None]
    return Network(
        profile(model, (1, 1, 32, 32)),
        listed=sum(p.numel() for p in model.parameters() if p.requires_grad),
        reached=sum(p.numel() for p in reached),
        silent=sum(not np.any(p.grad.data) for p in reached))


def weights_and_biases(inputs: int, outputs: int) -> int:
    """Trainable numbers of a layer whose maps (or units) have `inputs` weights and a bias each."""
    return (inputs + 1) * outputs


def modern_formula() -> int:
    """Dense layers only: 5x5 filters on 1, 6 and 16 maps, then two full layers."""
    return sum(weights_and_biases(*layer) for layer in
               ((25, 6), (25 * 6, 16), (25 * 16, 120), (120, 84), (84, 10)))


def original_formula() -> int:
    """As above, but 6, 9 and 1 maps of C3 see 3, 4 and 6 maps; 6 and 16 subsampled maps have a
    coefficient and a bias; no trainable output."""
    return sum(weights_and_biases(*layer) for layer in
               ((25, 6), (1, 6), (25 * 3, 6), (25 * 4, 9), (25 * 6, 1), (1, 16), (25 * 16, 120),
                (120, 84)))


def verify(settings: Settings) -> Answer:
    """Count the written network, and the one of 1998 beside it."""
    mg.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    modern, original = examine("modern", rng), examine("1998", rng)
    ours, theirs = modern.table.total, original.table.total
    return Answer(
        question="q5", title="Trainable parameters of LeNet-5",
        story=(f"Built layer by layer, the LeNet-5 of today has {ours.trainable} trainable "
               f"parameters: {in_words(modern.by_layer)}. Pooling has none, and C5 alone "
               f"{modern.by_layer['c5'] / ours.trainable:.0%} of them.",
               f"The network of 1998 has {theirs.trainable}. Three things differ. A map of C3 sees "
               "3, 4 or all 6 maps of S2, which saves 900 weights. S2 and S4 have a coefficient "
               "and a bias per map, which adds 12 and 32.",
               f"And its 10 outputs compare F6 with {theirs.fixed} fixed numbers of +1 and -1, so "
               "the 850 trainable ones of the modern output are not there.",
               f"It has {sum(original.connections.values())} connections: weights are shared, so "
               f"each serves {sum(original.connections.values()) / theirs.trainable:.1f} of them "
               "on average.",
               "Both networks were run forward and backward; gradients arrive at every trainable "
               "parameter, and at no other."),
        claims=(_total(modern), _layers(modern), _original(original)),
        numbers={"modern": modern.table.to_dict(), "1998": original.table.to_dict(),
                 "connections of 1998": original.connections},
        figures={"q5-layers": lambda: _draw(modern.by_layer, original.by_layer)},
        captions={"q5-layers": "Trainable parameters by layer, modern against 1998; the scale is "
                               "logarithmic. The two differ in S2, C3, S4 and the output."})


# --- claims --------------------------------------------------------------------------------------

def _routes(network: Network, formula: int) -> dict[str, int]:
    return {"minigrad.profile": network.table.total.trainable,
            "model.parameters() that require a gradient": network.listed,
            "parameters that a backward pass reached": network.reached, "formula": formula}


def _evidence(network: Network, routes: dict[str, int]) -> tuple[Check, ...]:
    return (check("largest difference between the routes", spread(routes), "==", 0),
            check("parameters with a gradient of zeros only", network.silent, "==", 0))


def _total(modern: Network) -> Claim:
    routes = _routes(modern, modern_formula())
    return Claim(
        "q5.total", "LeNet-5 for 32x32 grey images has 61706 trainable parameters",
        f"{modern.table.total.trainable} by four routes",
        "True of the modern form: 5x5 filters, stride 1, every map of C3 on every map of S2, "
        "pooling without parameters, a linear output.",
        HOLDS, check("trainable parameters", modern.table.total.trainable, "==", 61706),
        evidence=_evidence(modern, routes), routes=routes)


def _layers(modern: Network) -> Claim:
    return Claim(
        "q5.layers", "C1 156, C3 2416, C5 48120, F6 10164, output 850", in_words(modern.by_layer),
        "Each map or unit has its weights and one bias: (25 + 1) 6, (150 + 1) 16, (400 + 1) 120, "
        "(120 + 1) 84, (84 + 1) 10.",
        HOLDS, check("trainable parameters by layer", in_words(modern.by_layer), "==",
                     in_words(WRITTEN)))


def _original(original: Network) -> Claim:
    routes = _routes(original, original_formula())
    return Claim(
        "q5.original", "Beyond the answer: the LeNet-5 of the 1998 paper has 60000 trainable "
                       "parameters",
        f"{original.table.total.trainable}: {in_words(original.by_layer)}",
        "The paper's own figure, and no rounded one. Of 61706 parameters 900 go with the partial "
        "C3 and 850 with the fixed output, and 12 + 32 come with the trainable subsampling.",
        HOLDS, check("trainable parameters", original.table.total.trainable, "==", 60000),
        evidence=(*_evidence(original, routes),
                  check("trainable parameters by layer", in_words(original.by_layer), "==",
                        in_words(PAPER)),
                  check("connections by layer", in_words(original.connections), "==",
                        in_words(PAPER_CONNECTIONS))),
        routes=routes)


def in_words(by_layer: dict[str, int]) -> str:
    """"C1 156, C3 2416, ...": the layers that have any."""
    return ", ".join(f"{name if name == 'output' else name.upper()} {n}"
                     for name, n in by_layer.items() if n)


# --- figure --------------------------------------------------------------------------------------

def _draw(modern: dict[str, int], original: dict[str, int]):
    figure = new_figure(7.5, 4.6)
    axes = figure.subplots()
    bars = (("modern", modern, PALETTE["blue"], -0.2), ("1998", original, PALETTE["orange"], 0.2))
    for label, by_layer, colour, shift in bars:
        rows = [row + shift for row in range(len(by_layer))]
        axes.barh(rows, by_layer.values(), height=0.36, color=colour,
                  label=f"{label}: {sum(by_layer.values()):,}")
        for row, value in zip(rows, by_layer.values()):
            axes.annotate(f"{value:,}", (max(value, 1), row), (4, 0), va="center",
                          textcoords="offset points")
    axes.set(xscale="log", xlim=(1, 3e5), yticks=range(len(modern)),
             yticklabels=[name if name == "output" else name.upper() for name in modern],
             xlabel="trainable parameters")
    axes.invert_yaxis()
    figure.legend(loc="outside upper center", ncols=2)
    return figure
