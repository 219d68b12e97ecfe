"""Question 2: a network whose activations are all linear is one affine layer.

Over 200 random networks of `nn.Linear` layers, each followed by phi(z) = c z with a slope of its
own, this module composes W* and b*, reads the same two off the network (the Jacobian that autograd
finds, and the value at 0), and tries the written formulas and the remark "without loss of
generality c = 1" on them. Then one ReLU or tanh is put in, and the Jacobian starts to depend on x.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

import minigrad as mg
from experiments.claims import CORRECTED, HOLDS, Answer, Claim, check, spread
from experiments.settings import Settings
from experiments.style import PALETTE, new_figure
from minigrad import nn

NETS = 200
DEEPEST = 8                 # hidden layers
BOUND = 1e-12               # of relative errors: rounding in float64, with room for 9 layers
POINTS = 64                 # inputs at which the Jacobian of the nonlinear networks is taken
WIDTH = 6                   # units of the one nonlinear layer


class Slope(nn.Module):
    """phi(z) = c z."""

    def __init__(self, c: float):
        self.c = c

    def forward(self, x):
        return self.c * x


class Errors(NamedTuple):
    """What one random network showed: relative errors, 0 where two things agree exactly."""

    hidden: int             # number of hidden layers
    affine: float           # the network against one Linear layer with the composed W*, b*
    jacobian: float         # W* composed against the network's Jacobian
    value_at_0: float       # b* composed against the network's value at 0
    product: float          # all c = 1: W(n)...W(1) against the Jacobian
    sum_right: float        # all c = 1: the sum with b(n-1) against the value at 0
    sum_printed: float      # the same with b(n+1), which does not exist and counts as 0
    remark: float           # the network against prod c times the network with all c = 1
    remark_no_bias: float   # the same with every bias 0
    folded: float           # the network against all c = 1 with c W, c b for W, b


def verify(settings: Settings) -> Answer:
    """Judge the collapse, the formulas for W* and b*, and the remark on the slopes."""
    rng = np.random.default_rng(settings.seed)
    errors = [examine(i % (DEEPEST + 1), rng) for i in range(NETS)]
    worst = Errors(*(max(column) for column in zip(*errors)))
    singular = jacobian_spread(rng)
    return Answer(
        question="q2", title="Linear activations collapse to one layer",
        story=(f"{NETS} random networks with 0 to {DEEPEST} hidden layers and a slope c per layer "
               "were each replaced by a single layer. Nothing changed but the last digits.",
               "The single layer can be computed (multiply the matrices) or read off (the Jacobian "
               "is W*, the value at 0 is b*). Both ways agree.",
               "One index in the printed sum for b* is wrong: there is no b(n+1) in a network of n "
               "layers; b(n-1) is meant.",
               "The remark that c = 1 costs nothing is true, but not for the reason given. A bias "
               "passes only the slopes above it, so dividing the output by all of them is wrong. "
               "Put each slope into its own layer's weights and bias instead.",
               "One ReLU or tanh layer ends all this: the slope of the network then changes from "
               "input to input, which no single layer can do."),
        claims=(_collapse(worst, rng), _weights(worst), _index(worst), _remark(worst, errors),
                _nonlinear(singular)),
        numbers={"networks": len(errors), "most_hidden_layers": worst.hidden,
                 **{f"worst_{name}": getattr(worst, name) for name in Errors._fields[1:]}},
        figures={"q2-errors": lambda: _draw_errors(errors),
                 "q2-rank": lambda: _draw_spread(singular)},
        captions={"q2-errors": "Each point is one random network: replacing it by one layer costs "
                               "rounding only; rescaling the output as the remark says costs all "
                               "digits.",
                  "q2-rank": "How much the Jacobian varies over inputs, as singular values of the "
                             f"matrix of J(x) - J(x0). One nonlinear layer of {WIDTH} units gives "
                             f"up to {WIDTH} that are more than rounding; a linear network gives "
                             "none."})


# --- networks ------------------------------------------------------------------------------------

def affine(weight: np.ndarray, bias: np.ndarray) -> nn.Linear:
    """A float64 Linear layer with the given weight (O, I) and bias (O)."""
    layer = nn.Linear(weight.shape[1], weight.shape[0]).to("float64")
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer


def random_layers(sizes: Sequence[int], rng: np.random.Generator) -> list[nn.Linear]:
    """Layers from sizes[0] to sizes[-1]: W ~ N(0, 1/fan_in), to keep signals at scale, b ~ N(0, 1).
    """
    return [affine(rng.normal(0, fan_in**-0.5, (fan_out, fan_in)), rng.normal(0, 1, fan_out))
            for fan_in, fan_out in zip(sizes, sizes[1:])]


def network(layers: Sequence[nn.Linear], slopes: Sequence[float]) -> nn.Sequential:
    """Each layer followed by its linear activation."""
    return nn.Sequential(*(m for layer, c in zip(layers, slopes) for m in (layer, Slope(c))))


def compose(layers: Sequence[nn.Linear], slopes: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """(W*, b*), layer by layer: c (W (W* x + b*) + b) = (c W W*) x + c (W b* + b)."""
    weight = np.eye(layers[0].weight.shape[1])
    bias = np.zeros(len(weight))
    for layer, c in zip(layers, slopes):
        w, b = layer.weight.data, layer.bias.data
        weight, bias = c * (w @ weight), c * (w @ bias + b)
    return weight, bias


def read_off(net: nn.Module, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(W*, b*) of a network with `size` inputs that is affine: its Jacobian and value at 0."""
    origin = mg.Tensor(np.zeros(size))
    return mg.jacobian(net, origin).data, net(origin).data


def written_sum(layers: Sequence[nn.Linear], indices: Sequence[int]) -> np.ndarray:
    """b(i) + W(n) b(j) + W(n) W(n-1) b(k) + ... for indices i, j, k, ...; a missing b is 0."""
    product, total = np.eye(len(layers[-1].bias)), 0.0
    for layer, index in zip(reversed(layers), indices):
        if index <= len(layers):
            total = total + product @ layers[index - 1].bias.data
        product = product @ layer.weight.data
    return total


def printed_indices(n: int) -> list[int]:
    """The bias indices of the printed sum: n, n+1, n-2, ..., 1."""
    return [n, *([n + 1] if n > 1 else []), *range(n - 2, 0, -1)]


def relative(a: np.ndarray, b: np.ndarray) -> float:
    """Largest |a - b| over the largest |b|."""
    return float(np.abs(a - b).max() / np.abs(b).max())


# --- measurements --------------------------------------------------------------------------------

def examine(hidden: int, rng: np.random.Generator) -> Errors:
    """Draw one network (widths, slopes, weights, biases) and measure everything on it."""
    n = hidden + 1
    layers = random_layers(rng.integers(2, 17, n + 1), rng)
    slopes = rng.uniform(0.5, 2, n) * rng.choice([-1, 1], n)
    ones = np.ones(n)
    size = layers[0].weight.shape[1]
    x = mg.Tensor(rng.standard_normal((16, size)))

    net, plain = network(layers, slopes), network(layers, ones)
    y = net(x).data
    weight, bias = compose(layers, slopes)
    jacobian, at_0 = read_off(net, size)
    jacobian_1, at_0_1 = read_off(plain, size)
    bare = [affine(layer.weight.data, 0 * layer.bias.data) for layer in layers]
    inside = [affine(c * layer.weight.data, c * layer.bias.data)
              for layer, c in zip(layers, slopes)]
    return Errors(
        hidden,
        affine=relative(affine(weight, bias)(x).data, y),
        jacobian=relative(weight, jacobian),
        value_at_0=relative(bias, at_0),
        product=relative(compose(layers, ones)[0], jacobian_1),
        sum_right=relative(written_sum(layers, range(n, 0, -1)), at_0_1),
        sum_printed=relative(written_sum(layers, printed_indices(n)), at_0_1),
        remark=relative(slopes.prod() * plain(x).data, y),
        remark_no_bias=relative(slopes.prod() * network(bare, ones)(x).data,
                                network(bare, slopes)(x).data),
        folded=relative(network(inside, ones)(x).data, y))


def jacobian_spread(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Singular values of the rows J(x) - J(x0) over random x, relative to the largest J(x).

    The networks differ in one activation, after a layer of WIDTH units; everything else is linear,
    so J(x) = A diag(phi'(z)) B, and the differences span at most WIDTH dimensions.
    """
    first, second, third, last = random_layers([4, 8, WIDTH, 8, 5], rng)
    inputs = rng.normal(0, 2, (POINTS, 4))
    singular = {}
    for name, activation in (("linear", Slope(1.5)), ("ReLU", nn.ReLU()), ("tanh", nn.Tanh())):
        net = nn.Sequential(first, Slope(2.0), second, activation, third, Slope(0.5), last)
        rows = np.array([mg.jacobian(net, mg.Tensor(x)).data.ravel() for x in inputs])
        scale = np.linalg.norm(rows, axis=1).max()
        singular[name] = np.linalg.svd(rows[1:] - rows[0], compute_uv=False) / scale
    return singular


def rank(singular: np.ndarray) -> int:
    """Singular values that are more than rounding."""
    return int((singular > 1e-10).sum())


def bias_example() -> tuple[float, float]:
    """(network, rescaled) at x = 0 for y = 2 (2 (x + 1) + 1), that is n = 2, c = 2, W = b = 1."""
    one = affine(np.ones((1, 1)), np.ones(1))
    origin = mg.Tensor(np.zeros((1, 1)))
    return (network([one, one], [2, 2])(origin).item(),
            2 * 2 * network([one, one], [1, 1])(origin).item())


# --- claims --------------------------------------------------------------------------------------

def _collapse(worst: Errors, rng: np.random.Generator) -> Claim:
    layers, slopes = random_layers([3, 5, 4, 2], rng), [0.5, -2.0, 1.5]
    net = network(layers, slopes)
    jacobian, at_0 = read_off(net, 3)
    routes = {"composed": compose(layers, slopes)[0][0, 0],
              "Jacobian by autograd": jacobian[0, 0],
              "difference y(e1) - y(0)": net(mg.Tensor(np.eye(3)[0])).data[0] - at_0[0]}
    return Claim(
        "q2.collapse", "A network of linear activations is one layer, y = W* x + b*",
        f"worst relative difference over {NETS} networks {worst.affine:.1e}",
        "An affine map of an affine map is affine. W* and b* come out the same whether they are "
        "composed layer by layer or read off the network. The routes give W*[1, 1] of one example.",
        HOLDS, check("worst relative difference, network against one layer", worst.affine, "<=",
                     BOUND),
        evidence=(check("W* composed against the Jacobian", worst.jacobian, "<=", BOUND),
                  check("b* composed against the value at 0", worst.value_at_0, "<=", BOUND),
                  check("the routes agree", spread(routes), "<=", BOUND)),
        routes=routes)


def _weights(worst: Errors) -> Claim:
    return Claim(
        "q2.weights", "W* = W(n) ... W(1), with every c = 1",
        f"worst relative difference {worst.product:.1e}",
        "The Jacobian of the network, found by autograd, is the product of the weight matrices.",
        HOLDS, check("W(n)...W(1) against the Jacobian", worst.product, "<=", BOUND))


def _index(worst: Errors) -> Claim:
    return Claim(
        "q2.index", "b* = b(n) + W(n) b(n+1) + ... + W(n) ... W(2) b(1)",
        f"relative error {worst.sum_printed:.2g} as printed, {worst.sum_right:.1e} with b(n-1)",
        "A network of n layers has no b(n+1): the index slipped, b(n-1) is meant. Leaving the "
        "missing term out gives a wrong b*; with b(n-1) the sum is the network's value at 0.",
        CORRECTED,
        check("printed sum against the value at 0", worst.sum_printed, "<=", BOUND),
        check("sum with b(n-1) against the value at 0", worst.sum_right, "<=", BOUND))


def _remark(worst: Errors, errors: Sequence[Errors]) -> Claim:
    deep = [e.remark for e in errors if e.hidden]
    typical = float(np.median(deep)) if deep else math.nan
    exact, rescaled = bias_example()
    return Claim(
        "q2.wlog", "WLOG c = 1: any other c can be simulated by dividing y by prod c(i)",
        f"typical relative error {typical:.2g} with biases, {worst.remark_no_bias:.1e} without",
        "b(i) is scaled by c(i) ... c(n) only, not by all slopes. Example: y = 2 (2 (x + 1) + 1) "
        f"is {exact:g} at x = 0, but 4 times the network with c = 1 is {rescaled:g}. The "
        "conclusion stands: c(i) W(i) and c(i) b(i) in place of W(i) and b(i) do make c = 1.",
        CORRECTED,
        check("worst relative error of rescaling the output", worst.remark, "<=", BOUND),
        check("worst relative error with each c put into its layer", worst.folded, "<=", BOUND),
        evidence=(check("rescaling the output without biases", worst.remark_no_bias, "<=", BOUND),
                  check("example, network", exact, "==", 6.0),
                  check("example, rescaled", rescaled, "==", 8.0)))


def _nonlinear(singular: dict[str, np.ndarray]) -> Claim:
    ranks = {name: rank(values) for name, values in singular.items()}
    return Claim(
        "q2.nonlinear", "Beyond the answer: one nonlinear layer is enough to break the collapse",
        ", ".join(f"rank {r} with {name}" for name, r in ranks.items()),
        "One affine layer has the same Jacobian everywhere, so the differences J(x) - J(x0) have "
        f"rank 0. With one ReLU or tanh layer of {WIDTH} units, J = A diag(phi') B varies in up to "
        f"{WIDTH} directions.",
        HOLDS,
        check("smaller rank of ReLU and tanh", min(ranks["ReLU"], ranks["tanh"]), ">=", 1),
        evidence=(check("rank of the linear network", ranks["linear"], "==", 0),
                  check("largest rank against the units of the layer", max(ranks.values()), "<=",
                        WIDTH)),
        routes=ranks)


# --- figures -------------------------------------------------------------------------------------

def _draw_errors(errors: Sequence[Errors]):
    figure = new_figure(7.5, 4)
    axes = figure.subplots()
    series = (("rescaled output, as the remark says", "s", "orange", "remark", -0.2),
              ("one layer with W*, b*", "o", "blue", "affine", 0.2))
    for label, marker, colour, column, shift in series:
        # Within a depth the networks stand side by side, in the order in which they were drawn.
        points = [(e.hidden + shift + 0.25 * (i / len(errors) - 0.5),
                   max(getattr(e, column), 1e-17)) for i, e in enumerate(errors)]
        axes.plot(*zip(*points), marker, color=PALETTE[colour], markersize=3.5, label=label)
    axes.axhline(BOUND, color=PALETTE["black"], linewidth=1, linestyle="--")
    axes.text(DEEPEST + 0.4, 2 * BOUND, "allowed", ha="right")
    axes.set(yscale="log", ylim=(3e-18, 1e2), xticks=range(DEEPEST + 1), xlabel="hidden layers",
             ylabel="relative error (0 drawn at 1e-17)")
    axes.legend(loc="center left")
    return figure


def _draw_spread(singular: dict[str, np.ndarray]):
    figure = new_figure(7.5, 4)
    axes = figure.subplots()
    for marker, colour, (name, values) in zip("osD", ("blue", "orange", "green"),
                                              singular.items()):
        axes.plot(range(1, len(values) + 1), np.maximum(values, 1e-18), marker, markersize=5,
                  color=PALETTE[colour], label=f"{name}: rank {rank(values)}")
    axes.axvline(WIDTH + 0.5, color=PALETTE["black"], linewidth=1, linestyle="--")
    axes.text(WIDTH + 0.8, 1, f"the nonlinear layer has {WIDTH} units")
    axes.set(yscale="log", ylim=(1e-19, 1e2), xticks=range(0, len(values) + 1, 2),
             xlabel="singular value, by size",
             ylabel="size relative to the Jacobian (0 drawn at 1e-18)")
    axes.legend(loc="center right", bbox_to_anchor=(1, 0.6))
    return figure
