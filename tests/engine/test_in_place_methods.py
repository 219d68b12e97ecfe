"""x.add_(y) and its like: the values and the gradients of x.add(y), in the memory of x."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, grad, ops
from tests.one_line import one_line

OPERANDS = {"add": [0.5], "sub": [0.5], "subtract": [0.5], "mul": [2.0], "multiply": [2.0],
            "div": [4.0], "divide": [4.0], "pow": [3], "clamp": [0.5, 1.5], "clip": [0.5, 1.5],
            "addcdiv": [[2.0] * 3, [4.0] * 3], "addcmul": [[2.0] * 3, [4.0] * 3],
            "clamp_max": [1.5], "clamp_min": [0.5],
            "cumsum": [0], "fmod": [0.75], "remainder": [0.75], "lerp": [3.0, 0.25],
            "index_add": [0, [2, 0], [0.5, 0.25]], "masked_fill": [[True, False, True], 0.5],
            "scatter": [0, [2, 0], [0.5, 0.25]], "scatter_add": [0, [2, 0], [0.5, 0.25]],
            "addmm": [np.eye(3), np.ones((3, 3))]}
OPERANDS = {name: [Tensor(np.array(x)) if isinstance(x, (list, np.ndarray)) else x for x in xs]
            for name, xs in OPERANDS.items()}
# Its results are outside the graph, so that a Tensor in the graph cannot become one.
NAMES = [name for name in ops.IN_PLACE if name != "floor_divide"]
OF_MATRICES = {"addmm", "tril", "triu"}


def leaf(name=""):
    x = np.array([0.25, 1.0, 2.0])
    return Tensor(x + x[:, None] if name in OF_MATRICES else x, requires_grad=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_method_that_changes_x_has_the_gradients_of_the_one_that_does_not(name):
    operands = OPERANDS.get(name, [])
    x, w = leaf(name), leaf(name)
    y = x * w
    memory = y.data
    z = getattr(y, f"{name}_")(*operands)
    assert z is y and y.data is memory
    expected = getattr(x * w, name)(*operands)
    np.testing.assert_allclose(y.data, expected.data, rtol=1e-15)
    got = grad((y * y).sum(), [x, w], create_graph=True)
    want = grad((expected * expected).sum(), [x, w], create_graph=True)
    for one, other in zip([*got, *grad(sum(g.sum() for g in got), [x])],
                          [*want, *grad(sum(g.sum() for g in want), [x])]):
        np.testing.assert_allclose(one.data, other.data, rtol=1e-13)
    with one_line(RuntimeError, f"in-place {getattr(ops, name).__name__}", "leaf"):
        getattr(leaf(name), f"{name}_")(*operands)
    w = leaf(name)
    with mg.no_grad():
        getattr(w, f"{name}_")(*operands)
        assert w.is_leaf and w.tolist() == getattr(leaf(name), name)(*operands).tolist()


@pytest.mark.parametrize("name, arguments", [
    ("add", (0.5,)), ("zero", ()), ("fill", (3,)), ("normal", ()), ("uniform", ()),
    ("bernoulli", ()), ("clamp", (0, 1)), ("relu", ())])
def test_the_change_is_counted(name, arguments):
    x, w = Tensor(np.array([0.5, 0.75])), leaf()[:2]
    product = (x * w).sum()
    getattr(x, f"{name}_")(*arguments)
    with one_line(RuntimeError, "Mul", "in place"):
        product.backward()


def test_filling():
    x = leaf()
    y = x * 2
    y.fill_(7.0)
    (y * x).sum().backward()            # nothing flows back through what was overwritten
    assert y.tolist() == [7, 7, 7] and x.grad.tolist() == [7, 7, 7]
    value = Tensor(2.0, requires_grad=True)
    z = mg.zeros(3).fill_(value)
    z.sum().backward()
    assert value.grad.item() == 3
    assert mg.arange(3).fill_(2.9).tolist() == [2, 2, 2]
    assert mg.tensor([True, False]).zero_().tolist() == [False, False]
    big = mg.zeros(2, dtype=mg.int64).fill_(2**62 + 1)
    assert big.tolist() == [2**62 + 1] * 2
    with one_line(RuntimeError, "one number", "(2,)"):
        mg.zeros(3, 2).fill_(mg.ones(2))


def test_factors_and_rounding():
    x = mg.tensor([1.0, 2.0])
    assert x.add_(mg.tensor([1.0, 1.0]), alpha=2).tolist() == [3, 4]
    assert x.sub_(1, alpha=3).tolist() == [0, 1] and x.div_(2, rounding_mode="floor").tolist() == [
        0, 0]
    wide = mg.zeros(1, dtype=mg.float64).add(mg.ones(1, dtype=mg.int64), alpha=0.1)
    assert wide.item() == 0.1           # not float32's
    half = mg.tensor([1.0], dtype=mg.float16)
    assert half.add(half, alpha=0.0005).item() == 1 + 2**-10
    i = mg.tensor([7, -7])
    assert i.div(2, rounding_mode="floor").tolist() == [3, -4]
    assert i.div(2, rounding_mode="trunc").tolist() == [3, -3]
    assert i.to("int8").div(mg.tensor(2), rounding_mode="trunc").dtype == mg.int8
    w = leaf()
    w.div(0.3, rounding_mode="trunc").sum().backward()
    assert w.grad.tolist() == [0, 0, 0]
    for wrong, words in [(lambda: i.add(i, alpha=0.5), "alpha"), (lambda: i.add_(0.5), "float32"),
                         (lambda: i.div(0, rounding_mode="floor"), "divided by 0"),
                         (lambda: i.div(2, rounding_mode="up"), "'up'"),
                         (lambda: mg.ones(2).add_(mg.ones(2, 2)), "(2, 2)")]:
        with one_line(RuntimeError, words):
            wrong()
