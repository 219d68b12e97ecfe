"""Gradients that are set by hand, and what hooks may do with theirs."""

import numpy as np
import pytest

from minigrad import Tensor
from tests.one_line import one_line


def leaf(*values, dtype="float64"):
    return Tensor(np.array(values, dtype), requires_grad=True)


def values(x):
    return x.data.tolist()


# ---- .grad by hand, and hooks --------------------------------------------------------------------

@pytest.mark.parametrize("g, error, words", [
    (np.ones(2), TypeError, ["ndarray"]), (1.0, TypeError, ["float"]),
    (Tensor([1.0]), RuntimeError, ["(1,)", "(2,)"]),
    (Tensor([[1.0, 2.0]]), RuntimeError, ["(1, 2)", "(2,)"]),
    (Tensor([1, 2]), RuntimeError, ["int64", "float32"]),
    (Tensor([1j, 2j]), RuntimeError, ["complex128", "float32"])], ids=repr)
def test_a_gradient_set_by_hand_has_to_fit(g, error, words):
    x = leaf(1.0, 2.0, dtype="float32")
    with one_line(error, "grad", *words):
        x.grad = g
    with one_line(RuntimeError, "grad", "own gradient"):
        x.grad = x
    assert x.grad is None
    g = Tensor(np.ones(2, np.float32))
    x.grad = g
    assert x.grad is g
    x.grad = Tensor(np.ones(2))
    assert x.grad.dtype == np.float32


def test_a_hook_keeps_the_dtype():
    x = leaf(1.0, dtype="float32")
    x.register_hook(lambda g: g.to("float64"))
    with one_line(TypeError, "hook", "float32", "float64"):
        (x * 2).backward()


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_hook_that_changes_its_gradient_changes_no_other(create_graph):
    def double(g):
        g *= 2

    a, b = leaf(1.0), leaf(1.0)
    h = a * 1
    h.register_hook(double)
    (h + b).backward(create_graph=create_graph)
    assert values(a.grad) == [2] and values(b.grad) == [1]
