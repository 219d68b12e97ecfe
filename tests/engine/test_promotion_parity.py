"""Every op that takes two operands, in every pair of dtypes, as PyTorch: dtypes and values.

What torch refuses is compared elsewhere, by name (tests/engine/test_promotion.py).
"""

import operator
from itertools import product

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor
from minigrad.dtypes import number_type
from tests.engine.halves import BFLOAT16

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.skipif(BFLOAT16 is None, reason="ml_dtypes is not installed"),
              pytest.mark.filterwarnings("ignore::RuntimeWarning")]

DTYPES = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8",
          "bool"]
FIRST = {"bool": [True, False, True, False], "uint8": [0, 1, 200, 255],
         "float16": [0.0, -1.5, 65504.0, np.nan]}
SECOND = {"bool": [True, True, False, False], "uint8": [3, 1, 2, 255]}
CHECKERED = [True, False, True, False]
NUMBERS = [2, -1, True, 0, 300, 2**31, 2.5, -0.0, float("nan"), 1e300]
TOLERANCE = {"bfloat16": 2**-6, "float16": 2**-9, "float32": 1e-5, "float64": 1e-12}

OPERATORS = {f.__name__: f for f in (
    operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.eq,
    operator.lt, operator.ge, operator.and_, operator.or_, operator.xor, operator.lshift,
    operator.rshift)}
OPS = ["maximum", "minimum", "logical_and", "logical_or", "ne", "le", "gt"]
BINARY = {**{name: (f, f) for name, f in OPERATORS.items()},
          **{name: (getattr(mg, name), getattr(torch, name)) for name in OPS},
          "clip from below": (lambda a, b: mg.clip(a, min=b), lambda a, b: torch.clamp(a, min=b)),
          "clip from above": (lambda a, b: mg.clip(a, max=b), lambda a, b: torch.clamp(a, max=b)),
          "where": (lambda a, b: mg.where(CHECKERED, a, b),
                    lambda a, b: torch.where(torch.tensor(CHECKERED), a, b)),
          "stack": (lambda a, b: mg.stack([a, b]), lambda a, b: torch.stack([a, b])),
          "concatenate": (lambda a, b: mg.concatenate([a, b]), lambda a, b: torch.cat([a, b]))}
UNARY = ["neg", "abs", "exp", "log", "log1p", "expm1", "sqrt", "sin", "cos", "sign", "logical_not",
         "bitwise_not", "sigmoid", "tanh", "relu", "sum", "amax", "amin"]


def first(dtype):
    whole = [0, -1] + [np.iinfo(dtype).max, np.iinfo(dtype).min] if dtype.startswith("int") else []
    return FIRST.get(dtype) or whole or [0.0, -1.5, 1e30, np.nan]


def second(dtype):
    whole = [2, -3, 1, np.iinfo(dtype).max] if dtype.startswith("int") else []
    return SECOND.get(dtype) or whole or [2.0, -0.0, 0.5, np.inf]


def both(values, dtype):
    """The same values as a Tensor of ours and of torch's."""
    exact = np.array(values, np.int64 if "int" in dtype else None)
    return (Tensor(exact.astype(number_type(dtype))),
            torch.tensor(values, dtype=getattr(torch, dtype)))


def compare(name, mine, theirs):
    try:
        expected = theirs()
    except (RuntimeError, TypeError, OverflowError):
        return
    found, dtype = mine(), str(expected.dtype).partition(".")[2]
    assert (str(found.dtype), found.shape) == (dtype, tuple(expected.shape)), name
    exact = dtype not in TOLERANCE
    np.testing.assert_allclose(
        found.data if exact else found.data.astype(float),
        expected.numpy() if exact else expected.double().numpy(),
        rtol=TOLERANCE.get(dtype, 0), atol=0 if exact else 1e-12, err_msg=name)


@pytest.mark.parametrize("name", UNARY)
def test_one_operand(name):
    for dtype in DTYPES:
        x, y = both(first(dtype), dtype)
        compare(f"{name} {dtype}", lambda: getattr(mg, name)(x), lambda: getattr(torch, name)(y))


@pytest.mark.parametrize("name", BINARY)
def test_two_operands(name):
    f, g = BINARY[name]
    for a, b in product(DTYPES, DTYPES):
        for left, right in [(first(a), second(b)), (first(a), second(b)[0]),
                            (first(a)[1], second(b))]:
            x, y = zip(both(left, a), both(right, b))
            compare(f"{name} {a} {left}, {b} {right}", lambda: f(*x), lambda: g(*y))


@pytest.mark.parametrize("name", [*OPERATORS, "clip from below", "clip from above", "where"])
def test_an_array_and_a_number(name):
    f, g = BINARY[name]
    for dtype, value in product(DTYPES, NUMBERS):
        x, y = both(first(dtype), dtype)
        label = f"{name} {dtype}, {value!r}"
        compare(label, lambda: f(x, value), lambda: g(y, value))
        compare(label, lambda: f(x, np.array(value)[()]), lambda: g(y, value))
        if name in OPERATORS:
            compare(label, lambda: f(value, x), lambda: g(value, y))


EDGES = [-2.0, -0.0, 0.0, 0.5, 1.0, 2.0, np.nan, np.inf, -np.inf]
PAIRS = np.array(list(product(EDGES, EDGES))).T
TRIPLES = np.array(list(product(EDGES, EDGES[:2] + EDGES[3:7], EDGES[:2] + EDGES[3:7]))).T
GRADIENTS = {
    **{name: (getattr(mg, name), getattr(torch, name), PAIRS) for name in (
        "maximum", "minimum", "add", "sub", "mul", "div")},
    **{name: (getattr(mg, name), getattr(torch, name), [EDGES]) for name in (
        "abs", "sign", "exp", "log", "sqrt", "log1p", "expm1", "sin", "cos")},
    "pow": (mg.pow, torch.pow, [np.abs(PAIRS[0]), PAIRS[1]]),
    "clip": (mg.clip, torch.clamp, TRIPLES), "clip from below": (*BINARY["clip from below"], PAIRS),
    "clip from above": (*BINARY["clip from above"], PAIRS),
    "clip by numbers": (lambda x: mg.clip(x, -0.5, 0.5), lambda x: x.clamp(-0.5, 0.5), [EDGES]),
    "clip, broadcast": (mg.clip, torch.clamp, [np.ones((2, 3)), np.zeros((2, 1)), np.full(3, 0.5)])}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_at_zeros_ties_infinities_and_nan(name):
    f, g, arrays = GRADIENTS[name]
    xs = [Tensor(np.array(a), requires_grad=True) for a in arrays]
    ys = [torch.tensor(np.array(a), requires_grad=True) for a in arrays]
    y = g(*ys)
    v = np.random.default_rng(0).uniform(1, 2, tuple(y.shape))
    expected = torch.autograd.grad(y, ys, torch.tensor(v))
    for recorded in (False, True):
        found = mg.grad(f(*xs), xs, Tensor(v), create_graph=recorded)
        for ours, theirs in zip(found, expected):
            np.testing.assert_allclose(ours.data, theirs.numpy(), rtol=1e-12)
