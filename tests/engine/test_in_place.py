"""`x += y` and the like while the graph is recorded: x is the result from there on."""

import gc
import operator

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, draw, grad, nn, no_grad
from minigrad.profile import profile
from tests.one_line import one_line

OPERATORS = {"iadd": (operator.iadd, operator.add), "isub": (operator.isub, operator.sub),
             "imul": (operator.imul, operator.mul), "itruediv": (operator.itruediv,
                                                                 operator.truediv),
             "ipow": (operator.ipow, operator.pow)}


def leaf(*values, dtype="float64"):
    return Tensor(np.array(values, dtype), requires_grad=True)


def values(x):
    return x.data.tolist()


@pytest.mark.parametrize("in_place, plain", OPERATORS.values(), ids=OPERATORS)
@pytest.mark.parametrize("operand", ["leaf", "result", "number", "constant", "itself"])
@pytest.mark.parametrize("target", ["result", "constant"])
def test_gradients_of_every_order_are_those_of_the_plain_op(in_place, plain, operand, target):
    found = []
    for f in (in_place, plain):
        x, w = leaf(1.5, 2.5), leaf(3.0, 0.5)
        y = x * 1 if target == "result" else Tensor(np.array([1.5, 2.5]))
        b = {"leaf": w, "result": w * 1, "number": 3.0, "constant": Tensor(np.array([2.0, 3.0])),
             "itself": y}[operand]
        z = f(y, b)
        assert (z is y) == (f is in_place)
        if not z.requires_grad:
            return
        z = (z * z * w).sum()
        first = grad(z, [x, w], create_graph=True, allow_unused=True)
        total = sum((g * g).sum() for g in first if g is not None)
        found.append([z, *first, *grad(total, [x, w], allow_unused=True)])
    for a, b in zip(*found):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a.data, b.data, rtol=1e-13)


def test_one_after_another_in_one_memory():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = x * 1
    memory, before = y.data, y
    y += w
    y *= w
    y -= 1.0
    y /= w
    y **= 2
    assert y is before and y.data is memory and not y.is_leaf
    y.sum().backward()
    z = ((x + w) * w - 1) / w
    expected = grad((z**2).sum(), [x, w])
    for ours, g in zip((x, w), expected):
        np.testing.assert_allclose(ours.grad.data, g.data, rtol=1e-14)


def test_a_residual_connection():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    out = mg.relu(x * w)
    out2 = out * w
    out2 += x
    mg.relu(out2).sum().backward()
    assert values(x.grad) == [3 * 3 + 1, 4 * 4 + 1] and values(w.grad) == [6, 16]


def test_a_sum_of_a_thousand_losses():
    x, total = leaf(1.0, 2.0), 0
    for i in range(1000):
        total += (x * i).sum()
    total.backward()
    assert values(x.grad) == [499500, 499500]


def test_a_constant_starts_to_require_a_gradient():
    total, w = Tensor(np.zeros(2)), leaf(1.0, 2.0)
    total += w * 3
    assert total.requires_grad and not total.is_leaf
    total.sum().backward()
    assert values(w.grad) == [3, 3] and total.grad is None


@pytest.mark.parametrize("f, name", [(mg.exp, "Exp"), (mg.sigmoid, "Sigmoid"), (mg.sqrt, "Sqrt")])
def test_an_op_that_needs_the_old_value_says_so(f, name):
    y = f(leaf(1.0, 2.0))
    y += 1
    with one_line(RuntimeError, name, "in place", "version 0 -> 1"):
        y.sum().backward()
    y = leaf(1.0, 2.0) * 1
    z = y * y
    y += 1
    with one_line(RuntimeError, "Mul", "in place"):
        z.sum().backward()


def test_a_later_change_of_the_result_is_noticed_too():
    y = leaf(1.0, 2.0) * 1
    y += 1
    z = y * y
    with no_grad():
        y += 1
    with one_line(RuntimeError, "Mul", "version 1 -> 2"):
        z.sum().backward()


def test_a_leaf_that_requires_a_gradient_is_refused_and_no_grad_allows_it():
    w = leaf(1.0, 2.0)
    with one_line(RuntimeError, "in-place sub", "leaf", "no_grad()"):
        w -= 1
    with no_grad():
        w -= 0.5
    assert w.is_leaf and w.node is None and values(w) == [0.5, 1.5]
    frozen = nn.Parameter(np.ones(2), requires_grad=False)
    frozen += leaf(1.0, 2.0)
    assert frozen.requires_grad and not frozen.is_leaf


VIEWS = {"x[0:1]": lambda x: x[0:1], "reshape": lambda x: x.reshape(2, 1), "T": lambda x: x[None].T,
         "view of a view": lambda x: x.reshape(2, 1)[0], "expand": lambda x: x.expand(3, 2)}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("base", [lambda: leaf(1.0, 2.0), lambda: leaf(1.0, 2.0) * 1,
                                  lambda: Tensor(np.array([1.0, 2.0]))],
                         ids=["leaf", "result", "constant"])
def test_views_and_what_has_views_cannot_follow(view, base):
    x = base()
    v, w = view(x), leaf(1.0)
    before = values(x)
    with one_line(RuntimeError, "view", "x = x + y"):
        v += w
    with one_line(RuntimeError, "in-place"):
        x += w
    assert values(x) == before and v.requires_grad == x.requires_grad
    del v
    gc.collect()  # the traceback of the error was a cycle of pytest's
    if not (x.is_leaf and x.requires_grad):
        x += w
        assert x.requires_grad


def test_two_views_of_what_is_gone():
    def pair():
        x = leaf(1.0, 2.0) * 1
        return x.reshape(2, 1), x.reshape(1, 2)

    a, b = pair()
    with one_line(RuntimeError, "view"):
        a += 1
    del b
    gc.collect()
    a += 1
    assert values(a) == [[2], [3]]


def test_a_view_alone_in_its_memory_is_as_good_as_a_result():
    x, w, b = leaf([[1.0, 2.0]]), leaf([3.0, 4.0], [5.0, 6.0]), leaf(1.0, 1.0)
    y = mg.linear(x, w)  # three axes: a reshaped product
    y += b
    y.sum().backward()
    assert values(b.grad) == [1, 1] and values(x.grad) == [[[8, 10]]]


def test_what_is_detached_sees_the_values():
    y = leaf(1.0, 2.0) * 1
    d = y.detach()
    y += 1
    assert values(d) == [2, 3] and not d.requires_grad


@pytest.mark.parametrize("x, y, error, words", [
    (Tensor([1, 2]), leaf(1.0, 2.0), TypeError, ["add", "float64", "int64"]),
    (Tensor([1.0]), leaf(1.0, 2.0), ValueError, ["add", "(2,)", "(1,)"]),
    (leaf(1.0) * 1, Tensor([1.0, 2.0]), ValueError, ["add", "(2,)", "(1,)"])], ids=range(3))
def test_results_that_do_not_fit(x, y, error, words):
    before, node = values(x), x.node
    with one_line(error, *words):
        x += y
    assert values(x) == before and x.node is node


def read_only():
    array = np.ones(2)
    array.flags.writeable = False
    return Tensor(array)


@pytest.mark.parametrize("make, words", [
    (lambda: Tensor([1.0, 2.0]).expand(3, 2), ["expand", "clone"]), (read_only, ["read-only"]),
    (lambda: (leaf(1.0, 2.0) * 1).expand(3, 2), ["expand", "clone"])], ids=range(3))
def test_memory_that_cannot_be_changed(make, words):
    x = make()
    before, node = values(x), x.node
    with one_line(RuntimeError, *words):
        x += 1
    with one_line(RuntimeError, *words), no_grad():
        x += 1
    with one_line(RuntimeError, *words), no_grad():
        x[0] = 1
    assert values(x) == before and x.node is node


@pytest.mark.parametrize("dtype, other", [("float32", "float64"), ("float16", "float32")])
def test_the_dtype_stays(dtype, other):
    x, w = leaf(1.0, 2.0, dtype=dtype), leaf(3.0, 4.0, dtype=other)
    y = x * 1
    y *= w
    assert y.dtype == dtype
    y.sum().backward()
    assert x.grad.dtype == dtype and w.grad.dtype == other
    assert values(x.grad) == [3, 4] and values(w.grad) == [1, 2]


def test_a_matrix_product_makes_a_new_tensor_as_in_torch():
    x, w = leaf([1.0, 2.0]), leaf([1.0, 2.0], [3.0, 4.0])
    y = old = x * 1
    y @= w
    assert y is not old and values(y) == [[7, 10]]


class Residual(nn.Module):
    """x W, and x added to it."""

    def __init__(self):
        self.fc = nn.Linear(2, 2)

    def forward(self, x):
        out = self.fc(x)
        out += x
        return out


def test_recordings_keep_the_values_of_before():
    x, w = leaf(2.0), leaf(3.0)
    with draw.record() as graph:
        y = x * w
        y += w
        z = y * 2
    boxes = {(b.symbol, dict(b.lines)["value"]) for b in graph.picture(loss=z).boxes}
    assert {("×", "6"), ("+", "9"), ("× 2", "18")} < boxes
    assert profile(Residual(), (1, 3, 2)).layers
