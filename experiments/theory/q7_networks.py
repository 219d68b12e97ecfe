"""Question 7 (c) on networks: how gradients travel, how training goes, what activations cost.

Weights are drawn in one of two ways: "same" gives every activation the same N(0, 1 / units)
weights; "own" scales them by the gain that is recommended for the activation (sigmoid 1, tanh 5/3,
ReLU sqrt 2; `nn.init.calculate_gain`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

import minigrad as mg
from experiments.claims import CORRECTED, HOLDS, WRONG, Claim, check
from experiments.style import PALETTE, new_figure
from minigrad import nn, optim
from minigrad.ops.activation import ReLU, Sigmoid, Tanh

LAYERS = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}
LOOKS = {"sigmoid": ("logistic", "blue", "-"), "tanh": ("tanh", "orange", "--"),
         "relu": ("ReLU", "green", "-.")}
DEPTHS = (10, 20, 30, 40, 50)
UNITS, DRAWS = 64, 5                    # of the deep networks, and how many of each are drawn
POINTS, HIDDEN, RUNS, STEPS = 200, (32, 32, 32), 5, 200
LEARNT = 0.1                            # training loss below which the spirals count as learnt
NUMBERS, ROUNDS = 10_000, 101           # per timed call (they stay in the cache), and calls
CAPTION = ("Left: norm of the gradient after its way back through so many layers, for weights "
           "drawn the same for all (thin) and for each activation its own (thick). "
           f"Right: training loss on two spirals, {RUNS} starts each, same weights for all.")


def stack(sizes, activation: str, gain: float) -> list[nn.Module]:
    """Layers of the given sizes, each followed by the activation; biases 0, Xavier weights."""
    modules = []
    for fan_in, fan_out in zip(sizes, sizes[1:]):
        layer = nn.Linear(fan_in, fan_out).to("float64")
        nn.init.xavier_normal_(layer.weight, gain)
        nn.init.constant_(layer.bias, 0)
        modules += [layer, LAYERS[activation]()]
    return modules


# --- gradients through many layers ---------------------------------------------------------------

def propagate(seed: int) -> dict[tuple[str, str], np.ndarray]:
    """{(weights, activation): log10 of |dL/dx| / |dL/dy| for each of DEPTHS}, mean over DRAWS."""
    return {(weights, name): np.array([np.mean([_decades(name, weights, depth, seed + i)
                                                for i in range(DRAWS)]) for depth in DEPTHS])
            for weights in ("same", "own") for name in LAYERS}


def _decades(activation: str, weights: str, depth: int, seed: int) -> float:
    rng = np.random.default_rng(seed)
    mg.manual_seed(seed)
    gain = nn.init.calculate_gain(activation) if weights == "own" else 1.0
    net = nn.Sequential(*stack([UNITS] * (depth + 1), activation, gain))
    x = mg.Tensor(rng.standard_normal((UNITS, UNITS)), requires_grad=True)
    gy = rng.standard_normal((UNITS, UNITS))
    (gx,) = mg.grad(net(x), x, gy)
    return float(np.log10(np.linalg.norm(gx.data) / np.linalg.norm(gy)))


def relu_claim(propagation: Mapping[tuple[str, str], np.ndarray]) -> Claim:
    """ReLU against the others, by how far the gradient's norm has moved after the most layers."""
    change = {key: abs(float(decades[-1])) for key, decades in propagation.items()}
    lead = {weights: change[weights, "relu"] - min(change[weights, other]
                                                   for other in ("sigmoid", "tanh"))
            for weights in ("same", "own")}
    kept = {key: 10 ** float(decades[-1]) for key, decades in propagation.items()}
    return Claim(
        "q7.relu", "(c) Prefer ReLU for better gradient propagation",
        f"{DEPTHS[-1]} layers multiply the gradient by {kept['own', 'relu']:.2g} (ReLU), "
        f"{kept['own', 'tanh']:.3g} (tanh), {kept['own', 'sigmoid']:.0e} (logistic) with each its "
        f"own weights; by {kept['same', 'relu']:.0e}, {kept['same', 'tanh']:.2g}, "
        f"{kept['same', 'sigmoid']:.0e} with the same weights",
        "ReLU lets half of the signal through, so its weights must be larger by sqrt 2 (He et al., "
        "2015). Then the gradient keeps its size; without, it halves its square at every layer and "
        "tanh does better. The logistic function, with s' <= 1/4, is far behind in any case.",
        CORRECTED,
        check("decades that ReLU is further from 1 than the best other, same weights",
              lead["same"], "<=", 0.0),
        check("the same with weights drawn for each", lead["own"], "<=", 0.0),
        evidence=tuple(check(f"decades that the logistic function loses more, {weights} weights",
                             change[weights, "sigmoid"] - change[weights, "relu"], ">=", 1.0)
                       for weights in ("same", "own")))


# --- training ------------------------------------------------------------------------------------

def spirals(rng: np.random.Generator) -> tuple[mg.Tensor, mg.Tensor]:
    """POINTS points (x, y) on two interleaved spirals of one turn, and which of the two: 0 or 1."""
    radius = np.sqrt(rng.random((POINTS, 1)))
    arm = rng.integers(0, 2, (POINTS, 1))
    angle = 2 * np.pi * radius + np.pi * arm
    points = 2 * radius * np.hstack([np.cos(angle), np.sin(angle)])
    return mg.Tensor(points + rng.normal(0, 0.05, points.shape)), mg.Tensor(arm.astype(float))


def train_all(seed: int) -> dict[str, np.ndarray]:
    """{activation: training losses (RUNS, STEPS)}; run i starts from the same weights for all."""
    return {name: np.array([train(name, seed + i) for i in range(RUNS)]) for name in LAYERS}


def train(activation: str, seed: int) -> list[float]:
    """The loss before each of STEPS full-batch steps of Adam."""
    mg.manual_seed(seed)
    x, target = spirals(np.random.default_rng(seed))
    net = nn.Sequential(*stack([2, *HIDDEN, 1], activation, 1.0)[:-1])
    optimizer = optim.Adam(net.parameters(), lr=0.01)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = mg.binary_cross_entropy_with_logits(net(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def steps_to_learn(losses: np.ndarray) -> np.ndarray:
    """Steps until each run's loss is first below LEARNT; STEPS if it never is."""
    below = losses < LEARNT
    return np.where(below.any(axis=1), below.argmax(axis=1), STEPS)


def training_claim(curves: Mapping[str, np.ndarray]) -> Claim:
    """Do the larger slopes near 0 show in training?"""
    steps = {name: steps_to_learn(losses) for name, losses in curves.items()}
    slowest = max(int(steps["tanh"].max()), int(steps["relu"].max()))
    medians = {name: int(np.median(s)) for name, s in steps.items()}
    logistic = f"{medians['sigmoid']}" if medians["sigmoid"] < STEPS else f"over {STEPS}"
    return Claim(
        "q7.training", "(c) The smaller gradient is a reason to prefer tanh or ReLU",
        f"median steps to a loss of {LEARNT}: tanh {medians['tanh']}, ReLU {medians['relu']}, "
        f"logistic {logistic}",
        f"Three hidden layers of {HIDDEN[0]} units on two spirals, from the same weights: the "
        "slowest start with tanh or ReLU is ahead of the fastest with the logistic function.",
        HOLDS,
        check("steps of the slowest run with tanh or ReLU, less the fastest logistic one's",
              slowest - int(steps["sigmoid"].min()), "<", 0))


# --- time ----------------------------------------------------------------------------------------

class Timing(NamedTuple):
    """Seconds per call over NUMBERS float64 numbers: {what: (ROUNDS,)}, taken in turns."""

    forward: Mapping[str, np.ndarray]
    backward: Mapping[str, np.ndarray]

    def over_tanh(self, way: str, name: str) -> float:
        """Time of `name`, "forward" or "backward", over that of tanh: median over the rounds."""
        times = getattr(self, way)
        return float(np.median(times[name] / times["tanh"]))


def time_activations(seed: int) -> Timing:
    """Time the engine's formulas, and the textbook's 1 / (1 + e^-x), in turns in every round."""
    rng = np.random.default_rng(seed)
    x, gy = rng.normal(0, 1, (2, NUMBERS))
    ops = {"sigmoid": Sigmoid(), "tanh": Tanh(), "relu": ReLU()}
    forward = {name: lambda op=op: op.forward(x) for name, op in ops.items()}
    backward = {name: lambda op=op, y=op.forward(x): op.backward(gy, y)
                for name, op in ops.items()}
    forward["textbook_sigmoid"] = lambda: 1 / (1 + np.exp(-x))
    return Timing(_in_turns(forward), _in_turns(backward))


def _in_turns(calls: Mapping) -> dict[str, np.ndarray]:
    seconds = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return {name: np.array(s) for name, s in seconds.items()}


def logistic(x, exp):
    """s(x) = 1 / (1 + e^-x), with the exponential function that is given."""
    return 1 / (1 + exp(-x))


def rescaled_logistic(x, exp):
    """tanh x = 2 s(2x) - 1."""
    return 2 * logistic(2 * x, exp) - 1


def exponentials(formula) -> int:
    """How many exponentials the formula takes for a number."""
    calls = []

    def exp(x):
        calls.append(x)
        return math.exp(x)

    formula(0.5, exp)
    return len(calls)


def speed_claim(timing: Timing) -> Claim:
    """Is the logistic function faster? Judged by what both need, and not by this machine's clock:
    there it depends on the processor which of NumPy's tanh and exp has the faster code."""
    x = np.linspace(-50, 50, 20001)
    rescaled = float(np.abs((1 + mg.tanh(x / 2)) / 2 - mg.sigmoid(x)).max())
    back = float(np.abs(rescaled_logistic(x, np.exp) - mg.tanh(x)).max())
    fewer = exponentials(logistic) - exponentials(rescaled_logistic)
    forward, backward = (timing.over_tanh(way, "sigmoid") for way in ("forward", "backward"))
    textbook = timing.over_tanh("forward", "textbook_sigmoid")
    return Claim(
        "q7.speed", "(c) The computation of sigmoid is faster than tanh",
        f"one exponential for either; on this machine forward {forward:.1f} times tanh's time "
        f"({textbook:.1f} times as 1/(1+e^-x)), backward {backward:.1f} times",
        "s(x) = (1 + tanh(x/2)) / 2 and tanh x = 2 s(2x) - 1: each is the other and a few cheap "
        "steps, so neither can be much faster: the exponential is what takes the time. Which of "
        "the two a library has the faster code for depends on the processor. The engine computes s "
        "from e^-|x|, which cannot overflow and keeps the digits of small s.",
        WRONG,
        check("exponentials for s(x), less those for tanh x", fewer, "<", 0),
        evidence=(check("(1 + tanh(x/2)) / 2 against s(x)", rescaled, "<=", 1e-15),
                  check("2 s(2x) - 1 against tanh x", back, "<=", 1e-15)))


# --- for the record ------------------------------------------------------------------------------

def numbers(timing: Timing, propagation: Mapping, curves: Mapping[str, np.ndarray]) -> dict:
    """Medians and spreads of the times, gradient norms by depth, steps to learn."""
    times = {}
    for way in ("forward", "backward"):
        for name, seconds in getattr(timing, way).items():
            low, middle, high = np.quantile(seconds * 1e6, (0.25, 0.5, 0.75))
            times[f"{way}_{name}_us"] = f"{middle:.0f} ({low:.0f} to {high:.0f})"
    return {"timed_numbers": NUMBERS, **times, "depths": DEPTHS,
            "forward_time_over_tanh_s": timing.over_tanh("forward", "sigmoid"),
            "log10_gradient_ratio": {f"{name}, {weights} weights": decades
                                     for (weights, name), decades in propagation.items()},
            "steps_to_learn": {name: steps_to_learn(losses) for name, losses in curves.items()}}


def draw(propagation: Mapping[tuple[str, str], np.ndarray], curves: Mapping[str, np.ndarray]):
    """Gradient norm against depth, and training curves."""
    figure = new_figure(10, 4)
    left, right = figure.subplots(1, 2)
    for (weights, name), decades in propagation.items():
        if (weights, name) == ("same", "sigmoid"):
            continue  # its own gain is 1, so its two lines are one
        label, colour, style = LOOKS[name]
        left.plot((0, *DEPTHS), 10 ** np.array([0, *decades]), style, marker="o", markersize=3,
                  color=PALETTE[colour], linewidth=1 if weights == "same" else 2.2,
                  label=f"{label}, {'same or own' if name == 'sigmoid' else weights} weights")
    left.set(yscale="log", xlabel="layers", ylabel="gradient norm, input over output",
             xticks=(0, *DEPTHS))
    left.legend(fontsize=8)
    for name, losses in curves.items():
        label, colour, style = LOOKS[name]
        for i, run in enumerate(losses):
            right.plot(run, style, color=PALETTE[colour], linewidth=1, label=None if i else label)
    right.axhline(LEARNT, color=PALETTE["grey"], linewidth=0.8, linestyle=":")
    right.set(yscale="log", ylim=(1e-4, 1), xlabel="step of Adam", ylabel="training loss")
    right.legend()
    return figure
