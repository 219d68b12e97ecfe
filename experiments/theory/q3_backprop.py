"""Question 3: dL/dw3 of a small logistic network, worked out by hand.

    f1 = w1 x1, f2 = w2 x2, z1 = f1 + f2, a1 = s(z1)        s the logistic function
    f3 = w3 x3, f4 = w4 x4, z2 = f3 + f4, a2 = s(z2)
    f5 = w5 a1, f6 = w6 a2, z3 = f5 + f6, yhat = s(z3), L = (y - yhat)^2

One description of the network runs on Tensors, floats, complex numbers and dual numbers, and so
gives the derivative by routes that share nothing but that description.
"""

from __future__ import annotations

import cmath
import math
from typing import NamedTuple

import numpy as np

import minigrad as mg
from experiments.claims import CORRECTED, HOLDS, WRONG, Answer, Claim, check, spread
from experiments.settings import Settings
from experiments.style import new_figure
from minigrad import draw

# Given: w3, x3, w5, w6, y, and of the other inputs only the products w1 x1, w2 x2, w4 x4.
W3, X3, W5, W6, Y = 1.74, 0.8, -0.13, 0.93, 1.0
PRODUCTS = {"f1": -0.78, "f2": 0.605, "f4": 0.553}
# The written chain, factor by factor, and its product.
WRITTEN_CHAIN = {"dL/dL": 1.0, "2(y - yhat)": 0.6396, "d(y - yhat)/dyhat": -1.0, "s'(z3)": 0.6908,
                 "dz3/df6": 1.0, "w6": 0.93, "s'(z2)": 0.8064, "x3": 0.8}
WRITTEN = -0.2651
PRINTED = 5e-5  # half a unit of the fourth decimal, to which the answer is printed


class Network(NamedTuple):
    """Every value of the network, in the order in which it is computed."""

    f1: object
    f2: object
    z1: object
    a1: object
    f3: object
    f4: object
    z2: object
    a2: object
    f5: object
    f6: object
    z3: object
    yhat: object
    loss: object


def network(w3, sigmoid, *, w1=PRODUCTS["f1"], x1=1.0, w2=PRODUCTS["f2"], x2=1.0,
            w4=PRODUCTS["f4"], x4=1.0, x3=X3, w5=W5, w6=W6, y=Y) -> Network:
    """The network on any kind of number; as only products are given, x1 = x2 = x4 = 1."""
    f1, f2 = w1 * x1, w2 * x2
    z1 = f1 + f2
    a1 = sigmoid(z1)
    f3, f4 = w3 * x3, w4 * x4
    z2 = f3 + f4
    a2 = sigmoid(z2)
    f5, f6 = w5 * a1, w6 * a2
    z3 = f5 + f6
    yhat = sigmoid(z3)
    return Network(f1, f2, z1, a1, f3, f4, z2, a2, f5, f6, z3, yhat, (y - yhat) ** 2)


def logistic(z: float) -> float:
    """s(z) = 1 / (1 + e^-z)."""
    return 1 / (1 + math.exp(-z))


def slope(z: float) -> float:
    """s'(z) = s(z) (1 - s(z))."""
    return logistic(z) * (1 - logistic(z))


class Dual(NamedTuple):
    """value + slope e with e^2 = 0: arithmetic that carries a derivative forward."""

    value: float
    slope: float

    def __add__(self, other):
        return Dual(self.value + _dual(other).value, self.slope + _dual(other).slope)

    def __mul__(self, other):
        other = _dual(other)
        return Dual(self.value * other.value, self.value * other.slope + self.slope * other.value)

    def __rsub__(self, other):
        return _dual(other) + self * -1.0

    def __pow__(self, n):
        return Dual(self.value**n, n * self.value ** (n - 1) * self.slope)

    __radd__, __rmul__ = __add__, __mul__


def _dual(x) -> Dual:
    return x if isinstance(x, Dual) else Dual(x, 0.0)


def by_autograd(**factors) -> float:
    """Reverse mode: minigrad's backward."""
    w3 = mg.Tensor(np.float64(W3), requires_grad=True)
    network(w3, mg.sigmoid, **{k: mg.Tensor(np.float64(v)) for k, v in factors.items()}
            ).loss.backward()
    return w3.grad.item()


def by_hand() -> dict[str, float]:
    """The chain written down node by node: the right factors in the written order."""
    n = network(W3, logistic)
    return {"dL/dL": 1.0, "2(y - yhat)": 2 * (Y - n.yhat), "d(y - yhat)/dyhat": -1.0,
            "s'(z3)": slope(n.z3), "dz3/df6": 1.0, "w6": W6, "s'(z2)": slope(n.z2), "x3": X3}


def by_differences() -> float:
    """(L(w3 + h) - L(w3 - h)) / 2h, h the cube root of the machine epsilon."""
    h = float(np.cbrt(np.finfo(float).eps))
    return (network(W3 + h, logistic).loss - network(W3 - h, logistic).loss) / (2 * h)


def by_complex_step() -> float:
    """Im L(w3 + ih) / h with h = 1e-20, which loses no digit to subtraction."""
    h = 1e-20
    return network(complex(W3, h), lambda z: 1 / (1 + cmath.exp(-z))).loss.imag / h


def by_dual_numbers() -> float:
    """Forward mode: w3 enters as w3 + e, and L comes out as L + (dL/dw3) e."""
    def sigmoid(z):
        z = _dual(z)
        return Dual(logistic(z.value), slope(z.value) * z.slope)
    return network(Dual(W3, 1.0), sigmoid).loss.slope


def verify(settings: Settings) -> Answer:
    """Five routes to dL/dw3, and what the written chain got right."""
    values = network(W3, logistic)
    chain = by_hand()
    exact = {"autograd": by_autograd(), "hand-written chain": math.prod(chain.values()),
             "complex step": by_complex_step(), "dual numbers": by_dual_numbers()}
    routes = {**exact, "central differences": by_differences()}
    gradient = exact["autograd"]
    agree = (check("routes without differences agree", spread(exact), "<=", 1e-12),
             check("central differences agree", abs(routes["central differences"] - gradient),
                   "<=", 1e-8))
    product = math.prod(WRITTEN_CHAIN.values())
    steepest, where = _steepest()
    s3, s2 = chain["s'(z3)"], chain["s'(z2)"]
    written_slopes = WRITTEN_CHAIN["s'(z3)"], WRITTEN_CHAIN["s'(z2)"]
    factored = _over_factorisations(settings.seed)

    claims = (
        Claim("q3.gradient", written="dL/dw3 = -0.2651", measured=f"dL/dw3 = {gradient!r}",
              why="Two of the eight factors, 0.6908 and 0.8064, stand where s'(z3) and s'(z2) "
                  "belong, and sigma' <= 1/4 for every input. With the right slopes, "
                  f"{s3:.6f} and {s2:.6f}, the gradient is {product / gradient:.1f} times smaller.",
              documented=WRONG, routes=routes, evidence=agree,
              as_written=check("distance from -0.2651", abs(gradient - WRITTEN), "<=", PRINTED)),
        Claim("q3.product",
              written="1 x 0.6396 x (-1) x 0.6908 x 1 x 0.93 x 0.8064 x 0.8 = -0.2651",
              measured=f"the product is {product:.7f}",
              why="The multiplication itself was done right; its factors are the trouble.",
              documented=HOLDS,
              as_written=check("distance of the product from -0.2651", abs(product - WRITTEN),
                               "<=", PRINTED)),
        Claim("q3.slopes", written="s'(z3) = 0.6908 and s'(z2) = 0.8064",
              measured=f"s'(z3) = {s3:.6f}, s'(z2) = {s2:.6f}",
              why="s' = s (1 - s) = 1/4 - (s - 1/2)^2 is at most 1/4, whatever the input: no "
                  "weights and no inputs make a logistic network with these two slopes.",
              documented=WRONG,
              as_written=check("larger error of the two", max(
                  abs(s3 - written_slopes[0]), abs(s2 - written_slopes[1])), "<=", PRINTED),
              evidence=(check("steepest slope over 2 000 001 inputs in [-10, 10]", steepest, "<=",
                              0.25),
                        check("input at which it is steepest", abs(where), "<=", 1e-5),
                        check("smaller written slope", min(written_slopes), ">", 0.25))),
        Claim("q3.error-factor", written="2(y - yhat) = 0.6396",
              measured=f"2(y - yhat) = {chain['2(y - yhat)']:.6f}, from yhat = {values.yhat:.6f}",
              why="Right to three decimals: 0.6396 belongs to yhat = 0.6802, as yhat rounded to "
                  "four decimals, 0.6801, gives 0.6398. The last digit is a slip of rounding.",
              documented=CORRECTED,
              as_written=check("distance from 0.6396", abs(chain["2(y - yhat)"] - 0.6396), "<=",
                               PRINTED),
              corrected=check("distance from 0.6398", abs(chain["2(y - yhat)"] - 0.6398), "<=",
                              PRINTED)),
        Claim("q3.plain-factors", written="the factors 0.93 and 0.8 are w6 and x3",
              measured="dz3/da2 = 0.93 and dz2/dw3 = 0.8 by autograd",
              why="df6/da2 = w6 and df3/dw3 = x3.", documented=HOLDS,
              as_written=check("larger error of the two", _plain_factor_error(), "<=", 1e-15)),
        Claim("q3.factorisation", written="w1x1 = -0.78, w2x2 = 0.605 and w4x4 = 0.553 suffice",
              measured=f"over {len(factored)} factorisations dL/dw3 varies by "
                       f"{spread(factored):.1e}",
              why="w1, x1, w2, x2, w4 and x4 enter through their products alone; these figures use "
                  "x1 = x2 = x4 = 1.", documented=HOLDS,
              as_written=check("spread over the factorisations", spread(factored), "<=", 1e-15)),
    )
    return Answer(
        question="q3", title="dL/dw3 by hand",
        story=(f"The network answers yhat = {values.yhat:.4f} where y = 1, so L = "
               f"{values.loss:.4f}. How does L change with w3?",
               "The chain from L back to w3: " + " x ".join(f"{v:.6g}" for v in chain.values())
               + f" = {gradient:.9f}.",
               f"Five independent routes agree: {', '.join(routes)}.",
               "The written answer multiplied correctly but put 0.6908 and 0.8064 where two slopes "
               "of the logistic function belong. Those slopes never exceed 1/4."),
        claims=claims,
        numbers={"dL/dw3": gradient, "chain": chain, "written chain": WRITTEN_CHAIN,
                 "network": values._asdict()},
        figures={"graph": _graph, "chain": lambda: _chain_figure(chain)},
        captions={"graph": "The graph of question 3 with every value, local derivative and "
                           "gradient; the chain from L to w3 is marked.",
                  "chain": "The factors other than 1, written and right: two of the written ones "
                           "lie above 1/4, the steepest slope a logistic function can have."})


def _steepest() -> tuple[float, float]:
    """The largest s'(z) on a fine grid, and the z that has it."""
    z = np.linspace(-10, 10, 2_000_001)
    s = mg.sigmoid(z)
    i = int(np.argmax(s * (1 - s)))
    return float((s * (1 - s))[i]), float(z[i])


def _plain_factor_error() -> float:
    w3 = mg.Tensor(np.float64(W3), requires_grad=True)
    n = network(w3, mg.sigmoid)
    (dz3,) = mg.grad(n.z3, n.a2, retain_graph=True)
    (dz2,) = mg.grad(n.z2, w3)
    return max(abs(dz3.item() - WRITTEN_CHAIN["w6"]), abs(dz2.item() - WRITTEN_CHAIN["x3"]))


def _over_factorisations(seed: int, count: int = 200) -> dict[str, float]:
    """dL/dw3 with the given products split into random factors."""
    rng = np.random.default_rng(seed)
    found = {}
    for k in range(count):
        x1, x2, x4 = np.exp(rng.uniform(-3, 3, 3)) * rng.choice([-1, 1], 3)
        found[f"factorisation {k}"] = by_autograd(
            x1=x1, w1=PRODUCTS["f1"] / x1, x2=x2, w2=PRODUCTS["f2"] / x2,
            x4=x4, w4=PRODUCTS["f4"] / x4)
    return found


def _graph() -> str:
    """The network as a picture, the chain from L back to w3 marked."""
    inputs = {"w1": PRODUCTS["f1"], "x1": 1.0, "w2": PRODUCTS["f2"], "x2": 1.0, "w3": W3, "x3": X3,
              "w4": PRODUCTS["f4"], "x4": 1.0, "w5": W5, "w6": W6, "y": Y}
    leaves = {name: mg.Tensor(np.float64(v), requires_grad=True) for name, v in inputs.items()}
    with draw.record() as graph:
        values = network(sigmoid=mg.sigmoid, **leaves)._asdict()
    values["L"] = values.pop("loss")
    return graph.svg(names={**leaves, **values}, highlight="w3",
                     title="Question 3: from w3 to the loss, and back")


def _chain_figure(chain):
    """The factors of the written chain beside the right ones, and the bound on two of them."""
    names = [name for name in chain if chain[name] not in (1.0, -1.0)]
    at = np.arange(len(names))
    figure = new_figure(7.5, 3.6)
    axes = figure.subplots()
    for shift, values, label in ((-0.2, WRITTEN_CHAIN, "written"), (0.2, chain, "right")):
        bars = axes.bar(at + shift, [values[n] for n in names], 0.38, label=label)
        axes.bar_label(bars, fmt="%.4f", fontsize=8, label_type="center", color="white")
    slopes = [k for k, name in enumerate(names) if name.startswith("s'")]
    axes.hlines([0.25] * 2, np.array(slopes) - 0.45, np.array(slopes) + 0.45, color="black",
                linestyle="--", label="1/4, the steepest slope there is")
    axes.set(xticks=at, xticklabels=names, ylabel="factor", ylim=(0, 1.15))
    axes.legend(loc="upper left", ncols=3)
    return figure
