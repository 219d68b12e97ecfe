"""Question 7: tanh against the logistic function s(x) = 1 / (1 + e^-x).

Here: (a) their codomains, also after rounding, (b) the derivative of tanh written with s, and the
ratio of the two slopes, on which (c) rests. `q7_networks.py` measures the rest of (c): gradients
through 10 to 50 layers, training, and time.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from decimal import Decimal, localcontext

import numpy as np

import minigrad as mg
from experiments.claims import CORRECTED, HOLDS, Answer, Claim, check, spread
from experiments.settings import Settings
from experiments.style import PALETTE, new_figure
from experiments.theory import q7_networks
from experiments.theory.q6_sigmoid import slopes

EXACT = 1e-15
FAR = 1e4                                   # where a careless formula overflows: e^10000
CENTRE = 1.0                                # |x| up to which "at the centre" is taken to reach
TWICE = math.acosh((1 + math.sqrt(5)) / 2)  # slope ratio 2: cosh x is the golden ratio
EQUAL = math.acosh(1 + math.sqrt(3))        # slope ratio 1


def verify(settings: Settings) -> Answer:
    """Judge (a) and (b), and each remark of (c) by a measurement."""
    timing = q7_networks.time_activations(settings.seed)
    propagation = q7_networks.propagate(settings.seed)
    curves = q7_networks.train_all(settings.seed)
    twice, equal = (first(lambda x, level=level: slope_ratio(x) < level, 0.0, 5.0)
                    for level in (2, 1))
    rounded = {"tanh_is_1_from_x": first(lambda x: mg.tanh(x) == 1, 0.0, 100.0),
               "logistic_is_1_from_x": first(lambda x: mg.sigmoid(x) == 1, 0.0, 100.0),
               "logistic_is_0_up_to_x": -first(lambda x: mg.sigmoid(-x) == 0, 0.0, 1000.0)}
    return Answer(
        question="q7", title="tanh against the logistic function",
        story=("(a) and (b) are right. On a computer tanh reaches the 1 that it never reaches on "
               f"paper: in float64 from x = {rounded['tanh_is_1_from_x']:.2f} on.",
               "The slope of tanh is 4 times that of the logistic function at 0 and still twice at "
               f"|x| = {twice:.3f}. Beyond |x| = {equal:.3f} it is the smaller one.",
               "Through 50 layers of logistic units a gradient all but vanishes. It survives ReLU "
               "if the weights are drawn for ReLU. Drawn the same for all, tanh passes it on best.",
               "In training, from the same weights, tanh and ReLU have learnt two spirals long "
               "before the logistic network gets off its plateau.",
               "The logistic function is not the cheaper one: it is a rescaled tanh, with one "
               "exponential as tanh has. Which of them runs faster depends on the machine: here it "
               f"took {timing.over_tanh('forward', 'sigmoid'):.1f} times as long as tanh."),
        claims=(_codomain(rounded), _derivative(), _centre(twice), _smaller(equal),
                q7_networks.relu_claim(propagation), q7_networks.training_claim(curves),
                q7_networks.speed_claim(timing)),
        numbers={**rounded, "slope_ratio_is_2_at_x": twice, "slope_ratio_is_1_at_x": equal,
                 **q7_networks.numbers(timing, propagation, curves)},
        figures={"q7-slopes": _draw_slopes,
                 "q7-networks": lambda: q7_networks.draw(propagation, curves)},
        captions={"q7-slopes": "The two slopes, and how many times larger that of tanh is.",
                  "q7-networks": q7_networks.CAPTION})


# --- measurements --------------------------------------------------------------------------------

def first(condition: Callable[[float], bool], low: float, high: float) -> float:
    """The smallest float64 in (low, high] where `condition` holds, by bisection.

    It must hold at `high`, fail at `low` and change once in between; ValueError if an end is wrong.
    """
    if condition(low) or not condition(high):
        raise ValueError(f"the condition must change from false to true between {low} and {high}")
    while low < (middle := (low + high) / 2) < high:
        low, high = (low, middle) if condition(middle) else (middle, high)
    return high


def slope(f: Callable, x) -> np.ndarray:
    """f'(x) by autograd, element by element."""
    return slopes(f, np.asarray(x, float))


def slope_ratio(x) -> np.ndarray:
    """tanh'(x) / s'(x), which equals 2 (1 + cosh x) / cosh^2 x."""
    return slope(mg.tanh, x) / slope(mg.sigmoid, x)


def from_logistic(x: np.ndarray) -> np.ndarray:
    """4 (s(2x) - s(2x)^2), the written derivative of tanh."""
    s = mg.sigmoid(2 * x)
    return 4 * (s - s**2)


def margins(x: float) -> tuple[float, float]:
    """Distances of tanh x and s(x) from the nearer end of (-1, 1) and (0, 1), to 60 digits."""
    with localcontext() as context:
        context.prec = 60
        e = Decimal(x).exp()
        tanh, s = (e * e - 1) / (e * e + 1), e / (1 + e)
        return float(1 - abs(tanh)), float(min(s, 1 - s))


# --- claims --------------------------------------------------------------------------------------

def _codomain(rounded: dict[str, float]) -> Claim:
    nearest = [min(column) for column in zip(*(margins(x) for x in range(-60, 61)))]
    x = np.concatenate([np.linspace(-100, 100, 20001), [-FAR, FAR]])
    return Claim(
        "q7.codomain", "(a) tanh maps to (-1, 1), the logistic function to (0, 1)",
        "true of the functions; float64 rounds to 1.0 from "
        f"x = {rounded['tanh_is_1_from_x']:.4f} (tanh) and "
        f"{rounded['logistic_is_1_from_x']:.4f} (logistic) on",
        "With 60 digits both stay inside. In float64 they reach the ends, so the computed values "
        "lie in [-1, 1] and [0, 1], ends included: ln(1 - tanh^2 x) can be -inf.", HOLDS,
        check("smallest distance from an end, 60 digits, |x| <= 60", min(nearest), ">", 0.0),
        evidence=(check("tanh(20.) in float64", float(mg.tanh(np.float64(20))), "==", 1.0),
                  check("largest |tanh| in float64", float(np.abs(mg.tanh(x)).max()), "<=", 1.0),
                  check("smallest logistic value in float64", float(mg.sigmoid(x).min()), ">=",
                        0.0),
                  check("largest logistic value in float64", float(mg.sigmoid(x).max()), "<=",
                        1.0)))


def _derivative() -> Claim:
    x = np.concatenate([np.linspace(-50, 50, 200001), [-FAR, -745, -710, 710, 745, FAR]])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        written, tanh = from_logistic(x), slope(mg.tanh, x)
        by_sigmoid = slope(lambda t: 2 * mg.sigmoid(2 * t) - 1, x)
    worst = float(np.abs(written - tanh).max())
    point = 0.5
    exact = {"autograd through tanh": float(slope(mg.tanh, point)),
             "autograd through 2 s(2x) - 1": float(slope(lambda t: 2 * mg.sigmoid(2 * t) - 1,
                                                         point)),
             "complex step": float(np.tanh(point + 1e-20j).imag / 1e-20),
             "1 / cosh^2 x": 1 / math.cosh(point) ** 2}
    return Claim(
        "q7.derivative", "(b) tanh'(x) = 4 (s(2x) - s(2x)^2)",
        f"largest difference {worst:.1e} over {x.size} x from -{FAR:g} to {FAR:g}, all finite",
        "tanh x = 2 s(2x) - 1, so tanh'(x) = 4 s'(2x). No overflow at either end, because s is "
        f"computed with e^-|x|. The routes give tanh'({point}).", HOLDS,
        check("largest difference from the slope of tanh", worst, "<=", EXACT),
        evidence=(check("autograd through 2 s(2x) - 1 against the slope of tanh",
                        float(np.abs(by_sigmoid - tanh).max()), "<=", EXACT),
                  check("finite values", int(np.isfinite(written).sum()), "==", x.size),
                  check("warnings of overflow", len(caught), "==", 0),
                  check("the other routes agree", spread(exact), "<=", EXACT)),
        routes={"4 (s(2x) - s(2x)^2)": float(from_logistic(np.float64(point))), **exact})


def _centre(twice: float) -> Claim:
    ratio = slope_ratio(np.linspace(-CENTRE, CENTRE, 2001))
    return Claim(
        "q7.centre", "(c) The gradient of tanh is 2-4 times greater at the centre",
        f"4 at 0, falling to {ratio.min():.3f} at |x| = {CENTRE:g} and to 2 at |x| = {twice:.6f}",
        "tanh'/s' = 2 (1 + cosh x) / cosh^2 x. It is 2 where cosh x is the golden ratio.", HOLDS,
        check(f"smallest ratio for |x| <= {CENTRE:g}", float(ratio.min()), ">=", 2.0),
        evidence=(check("largest ratio there", float(ratio.max()), "<=", 4 + 1e-12),
                  check("ratio at 0", float(slope_ratio(0.0)), "==", 4.0),
                  check("x of ratio 2 against arcosh((1 + sqrt 5) / 2)", abs(twice - TWICE), "<=",
                        1e-12)))


def _smaller(equal: float) -> Claim:
    x = np.linspace(0, 8, 8001)
    ratio = slope_ratio(x)
    return Claim(
        "q7.smaller", "(c) The logistic function has the smaller gradient",
        f"for |x| < {equal:.6f}; at |x| = 8 its gradient is {1 / ratio[-1]:.0f} times the greater",
        "tanh saturates sooner: its tail falls as 4 e^-2|x|, that of s as e^-|x|. They cross where "
        "cosh x = 1 + sqrt 3. Around 0, where a layer of well-scaled weights works, it is right.",
        CORRECTED,
        check("smallest ratio tanh'/s' for |x| <= 8", float(ratio.min()), ">=", 1.0),
        check("the same up to the crossing", float(ratio[x < equal].min()), ">=", 1.0),
        evidence=(check("crossing against arcosh(1 + sqrt 3)", abs(equal - EQUAL), "<=", 1e-12),
                  check("largest slope of s against that of tanh", float(
                      slope(mg.sigmoid, 0.0) / slope(mg.tanh, 0.0)), "==", 0.25)))


# --- figure --------------------------------------------------------------------------------------

def _draw_slopes():
    figure = new_figure(9, 3.8)
    left, right = figure.subplots(1, 2)
    x = np.linspace(-5, 5, 1001)
    left.plot(x, slope(mg.tanh, x), color=PALETTE["orange"], linestyle="--", label="tanh'")
    left.plot(x, slope(mg.sigmoid, x), color=PALETTE["blue"], label="logistic s'")
    left.set(xlabel="x", ylabel="slope")
    left.legend()
    right.plot(x, slope_ratio(x), color=PALETTE["black"])
    for at, level in ((0, 4), (TWICE, 2), (EQUAL, 1)):
        right.plot([-at, at], [level, level], "o", color=PALETTE["orange"], markersize=5)
        right.annotate(f"{level} at |x| = {at:.3f}" if at else "4 at 0", (at, level), (8, 2),
                       textcoords="offset points")
    right.axhline(1, color=PALETTE["grey"], linewidth=0.8, linestyle=":")
    right.set(xlabel="x", ylabel="tanh' / s'", yticks=range(5), ylim=(0, 4.4))
    return figure
