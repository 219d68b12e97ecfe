"""Question 6: the logistic layer needs only its output to back-propagate.

Runs the engine's activations with their input overwritten, or freed, before backward, beside twins
that keep the input, as textbooks write the formulas; `q6_memory.py` weighs what the graph of a deep
network keeps alive in both cases. Functions whose output does not fix the slope (sin, x^2) show
where the idea ends.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import minigrad as mg
from experiments.claims import CORRECTED, HOLDS, Answer, Claim, check
from experiments.settings import Settings
from experiments.style import PALETTE, new_figure
from experiments.theory import q6_memory
from minigrad import Function

EXACT = 1e-12                    # largest error of a right formula in float64
ROUNDING = 4 * 2.0**-52          # four units in the last place of 1.0
SIN_PAIR = (0.5, math.pi - 0.5)  # one output, two slopes
SQUARE_PAIR = (-1.5, 1.5)


# --- the same activations, keeping the input -----------------------------------------------------

class SigmoidOfInput(Function):
    """y = s(x), y' = e / (1 + e)^2 with e = e^-|x|, which keeps its digits where s(x) nears 1."""

    def forward(self, x):
        return mg.sigmoid(x)

    def backward(self, gy, x):
        e = mg.exp(-mg.abs(x))
        return gy * e / (1 + e) ** 2


class TanhOfInput(Function):
    """y = tanh x, y' = 1 / cosh^2 x = 4 e / (1 + e)^2 with e = e^-2|x|."""

    def forward(self, x):
        return mg.tanh(x)

    def backward(self, gy, x):
        e = mg.exp(-2 * mg.abs(x))
        return gy * 4 * e / (1 + e) ** 2


class ReLUOfInput(Function):
    """y = max(x, 0), y' = 1 for x > 0, else 0."""

    def forward(self, x):
        return mg.relu(x)

    def backward(self, gy, x):
        return mg.where(x > 0, gy, 0)


class Activation(NamedTuple):
    """An op of the engine, its slope as a formula of its output, and its twin that keeps x."""

    op: Callable
    slope: str
    twin: type[Function]


ACTIVATIONS = {"sigmoid": Activation(mg.sigmoid, "y - y^2", SigmoidOfInput),
               "tanh": Activation(mg.tanh, "1 - y^2", TanhOfInput),
               "ReLU": Activation(mg.relu, "1 if y > 0, else 0", ReLUOfInput)}


def verify(settings: Settings) -> Answer:
    """Judge the formula, its derivation, what is kept for backward, and what that saves."""
    rng = np.random.default_rng(settings.seed)
    memory = {name: q6_memory.Memory(q6_memory.weigh(op), q6_memory.weigh(_run(twin)))
              for name, (op, _, twin) in ACTIVATIONS.items()}
    zero_from = first_zero_slope()
    return Answer(
        question="q6", title="Back-propagation from the output alone",
        story=("The slope of y = s(x) is y - y^2, so backward needs y and not x. Here x is "
               "overwritten or freed before backward, and the gradient does not change by one bit.",
               "The same goes for tanh (1 - y^2) and ReLU (is y > 0?).",
               "Why it matters: the next layer keeps y anyway, for the gradient of its weights. "
               "Keeping x as well doubles the memory of a deep network; keeping y costs nothing "
               "more.",
               "Not every function allows it: sin x and x^2 give the same output for inputs whose "
               "slopes differ.",
               f"It has a small price: from x = {zero_from:.1f} on, y rounds to 1 and its slope to "
               "0, where the formula with x still gives about 1e-16."),
        claims=(*_layer(rng), *(_output_only(name, rng) for name in ACTIVATIONS),
                q6_memory.claim(memory), _limits()),
        numbers={"slope_from_output_is_0_from_x": zero_from, **q6_memory.numbers(memory)},
        figures={"q6-memory": lambda: q6_memory.draw(memory), "q6-slopes": _draw_slopes},
        captions={"q6-memory": q6_memory.CAPTION,
                  "q6-slopes": "Slope against output as x runs from -5 to 5. Left: one slope for "
                               "each output, so the output is enough. Right: two, so it is not."})


# --- the layer, its formula and its slips --------------------------------------------------------

def _layer(rng: np.random.Generator) -> tuple[Claim, Claim, Claim]:
    """y = s(W x + b) with a square W, so that w_ij and w_ji can be confused: three claims on it."""
    w, b, x, gy = (rng.normal(0, 1, shape) for shape in ((4, 4), 4, 4, 4))
    leaf = mg.Tensor(x, requires_grad=True)
    y = mg.sigmoid(mg.linear(leaf, mg.Tensor(w), mg.Tensor(b)))
    (gx,) = mg.grad(y, leaf, gy)
    jacobian = mg.jacobian(lambda x: mg.sigmoid(mg.linear(x, mg.Tensor(w), mg.Tensor(b))), x).data
    step = np.array([mg.sigmoid(w @ (x + 1e-20j * e) + b).imag / 1e-20 for e in np.eye(4)]).T
    s = (y.data - y.data**2)[:, None]
    formula = s * w
    slipped = {"w_ji for w_ij": s * w.T, "a sum over j left": s * w.sum(1, keepdims=True) + 0 * w}
    errors = {name: largest(wrong - step) for name, wrong in slipped.items()}
    why = "Found by autograd and by the complex step, which shares no formula with it. "
    return (
        Claim("q6.formula", "dy/dx = (y - y^2) w",
              f"largest difference from the true derivative {largest(formula - step):.1e}",
              f"{why}The routes give dy_1/dx_1 of one layer.", HOLDS,
              check("formula against the complex step", largest(formula - step), "<=", EXACT),
              evidence=(check("autograd against the complex step", largest(jacobian - step), "<=",
                              EXACT),),
              routes={"(y - y^2) w": formula[0, 0], "autograd": jacobian[0, 0],
                      "complex step": step[0, 0]}),
        Claim("q6.half", "An intermediate line has a further factor 1/2",
              f"with it the derivative is off by {largest(formula / 2 - step):.2g}",
              "Nothing in the chain rule brings a 1/2 in, and the final line has none: it is a "
              "slip of the pen.", CORRECTED,
              check("1/2 (y - y^2) w against the complex step", largest(formula / 2 - step), "<=",
                    EXACT),
              check("the same without 1/2", largest(formula - step), "<=", EXACT)),
        Claim("q6.indices", "Sums and indices as the derivation writes them",
              ", ".join(f"{name}: off by {error:.2g}" for name, error in errors.items()),
              "dy_i/dx_j = (y_i - y_i^2) w_ij, without a sum. The sum belongs to the next step, "
              "dL/dx_j = sum_i dL/dy_i (y_i - y_i^2) w_ij. The two ways to slip are tried on a "
              "layer with more than one unit, where they show.", CORRECTED,
              check("the better of the slipped readings", min(errors.values()), "<=", EXACT),
              check("(y_i - y_i^2) w_ij against the complex step", largest(formula - step), "<=",
                    EXACT),
              evidence=(check("dL/dx as a sum over outputs, against autograd",
                              largest(gy @ formula - gx.data), "<=", EXACT),)))


def largest(a: np.ndarray) -> float:
    """Largest absolute value."""
    return float(np.abs(a).max())


# --- without the input ---------------------------------------------------------------------------

def _run(twin: type[Function]) -> Callable:
    """A Function class without hyper-parameters as a function."""
    return lambda x: twin()(x)


def slopes(f: Callable, x: np.ndarray) -> np.ndarray:
    """f'(x) by autograd, element by element."""
    leaf = mg.Tensor(np.array(x), requires_grad=True)
    (g,) = mg.grad(f(leaf), leaf, np.ones_like(leaf.data))
    return g.data


def kept_values(f: Callable) -> str:
    """The names of the values that the op f keeps for backward, as "x" or "x y"."""
    return " ".join(f(mg.Tensor([1.0], requires_grad=True)).node.needs)


def change_if_overwritten(f: Callable, x: np.ndarray) -> float:
    """How much f'(x) changes when x is filled with nan before backward: inf if backward refuses."""
    leaf = mg.Tensor(x.copy(), requires_grad=True)
    y = f(leaf)
    with mg.no_grad():
        leaf[...] = np.nan
    try:
        y.backward(np.ones_like(x))
    except RuntimeError:  # the engine noticed that a value it kept has been modified
        return math.inf
    return largest(leaf.grad.data - slopes(f, x))


def change_if_freed(f: Callable, x: np.ndarray) -> tuple[float, bool]:
    """How much f'(x) changes when nobody but the graph can hold x, and whether x is still there."""
    leaf = mg.Tensor(x, requires_grad=True)
    inner = leaf * 1.0
    memory = weakref.ref(inner.data)
    y = f(inner)
    del inner
    alive = memory() is not None
    y.backward(np.ones_like(x))
    return largest(leaf.grad.data - slopes(f, x)), alive


def first_zero_slope() -> float:
    """The smallest multiple of 0.1 at which the engine's logistic slope is 0 in float64."""
    x = np.arange(0, 800) / 10
    return float(x[np.argmax(slopes(mg.sigmoid, x) == 0)])


def _output_only(name: str, rng: np.random.Generator) -> Claim:
    op, formula, twin = ACTIVATIONS[name]
    x = np.concatenate([np.linspace(-800, 800, 4001), rng.normal(0, 3, 4000)])
    difference = largest(slopes(op, x) - slopes(_run(twin), x))
    freed, alive = change_if_freed(op, x)
    return Claim(
        f"q6.{name.lower()}",
        "Backward needs only the output" if name == "sigmoid" else
        f"Beyond the answer: so it is for {name}, with slope {formula}",
        f"x overwritten or freed: same gradient; {difference:.2g} from the formula with x",
        f"The engine's {name} keeps y and not x. Its twin that keeps x refuses to go back once x "
        "is overwritten.", HOLDS,
        check("change of the gradient when x is overwritten", change_if_overwritten(op, x), "==",
              0.0),
        evidence=(check("kept for backward", kept_values(op), "==", "y"),
                  check("change of the gradient when x is freed", freed, "==", 0.0),
                  check("x is still in memory then", alive, "==", False),
                  check("difference from the formula with x, |x| <= 800", difference, "<=",
                        ROUNDING),
                  check("change of its twin when x is overwritten (inf: refused)",
                        change_if_overwritten(_run(twin), x), "==", math.inf)))


# --- where the output is not enough --------------------------------------------------------------

def square(x):
    """x^2."""
    return x * x


def _limits() -> Claim:
    gaps, outputs = [], []
    for f, pair in ((mg.sin, SIN_PAIR), (square, SQUARE_PAIR)):
        gaps.append(float(np.ptp(slopes(f, np.array(pair)))))
        outputs.append(float(np.ptp(f(np.array(pair)))))
    x = np.linspace(-30, 30, 6001)
    softplus = largest(slopes(mg.softplus, x) - mg.sigmoid(x))
    return Claim(
        "q6.limits", "Beyond the answer: not every function can do it; softplus can, sin and x^2 "
        "cannot",
        f"same output, slopes apart by {gaps[0]:.3g} (sin) and {gaps[1]:.3g} (x^2); softplus from "
        f"its output: error {softplus:.1e}",
        "The slope must be a function of the output. sin 0.5 = sin(pi - 0.5) and (-1.5)^2 = 1.5^2, "
        "but the slopes there have opposite signs. Softplus has y' = 1 - e^-y. ReLU gives 0 for "
        "many inputs, but they share their slope too.", HOLDS,
        check("smallest difference of slopes at equal outputs, sin and x^2", min(gaps), ">=", 1.0),
        evidence=(check("difference of those outputs", max(outputs), "<=", ROUNDING),
                  check("softplus from its output against s(x)", softplus, "<=", ROUNDING),
                  check("softplus keeps", kept_values(mg.softplus), "==", "y"),
                  check("sin keeps", kept_values(mg.sin), "==", "x")))


# --- figures -------------------------------------------------------------------------------------

def _draw_slopes():
    figure = new_figure(9, 3.8)
    panels = figure.subplots(1, 2)
    x = np.linspace(-5, 5, 1001)
    enough = (("sigmoid: $y - y^2$", mg.sigmoid, "blue", "-"),
              ("tanh: $1 - y^2$", mg.tanh, "orange", "--"),
              ("softplus: $1 - e^{-y}$", mg.softplus, "green", "-."))
    not_enough = ((r"$\sin x$", mg.sin, "purple", "-"), ("$x^2$", square, "black", "--"))
    for axes, title, curves in zip(panels, ("the output fixes the slope", "it does not"),
                                   (enough, not_enough)):
        for label, f, colour, style in curves:
            axes.plot(f(x), slopes(f, x), style, color=PALETTE[colour], label=label)
        axes.set(title=title, xlabel="output y", ylabel="slope dy/dx")
        axes.legend()
    panels[1].set(xlim=(-1.3, 4), ylim=(-4.2, 4.2))
    return figure
