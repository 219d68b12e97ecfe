"""Reductions at the edges of shapes: numbers, dim=(), nothing at all, axes that there are not."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor
from tests.one_line import one_line

SUMS = {"sum": 3.0, "mean": 3.0, "amax": 3.0, "amin": 3.0, "logsumexp": 3.0}
PLACES = "argmax", "argmin"


@pytest.fixture(params=[-1, 0, (0,), (), None], ids=str)
def dim(request):
    return request.param


@pytest.mark.parametrize("name", SUMS)
def test_a_number_has_one_axis_to_name(name, dim):
    x = Tensor(3.0, requires_grad=True)
    for keepdim in (False, True):
        y = getattr(mg, name)(x, dim, keepdim=keepdim)
        assert y.shape == () and y.item() == SUMS[name]
    y.backward()
    assert x.grad.item() == 1


@pytest.mark.parametrize("d", [-1, 0])
def test_a_number_and_one_axis(d):
    x = Tensor(3.0, requires_grad=True)
    for op in (mg.max, mg.min):
        values, indices = op(x, d)
        assert (values.item(), indices.item(), values.shape, indices.shape) == (3, 0, (), ())
    values.backward()
    assert x.grad.item() == 1
    assert mg.argmax(x, d).item() == mg.argmin(x, d, keepdim=True).item() == 0
    assert mg.softmax(x, d).item() == 1 and mg.log_softmax(x, d).item() == 0
    assert math.isnan(mg.var(x, d).item()) and mg.var(x, d, correction=0).item() == 0


@pytest.mark.parametrize("name", [*SUMS, "var"])
def test_no_axis_is_all_of_them(name):
    x, f = np.arange(6, dtype=np.float32).reshape(2, 3), getattr(mg, name)
    assert f(x, ()) == f(x, (0, 1)) and f(x, (), keepdim=True).shape == (1, 1)
    assert f(x, []).shape == ()


@pytest.mark.parametrize("name", [*SUMS, "var", "max", "min", *PLACES, "softmax", "log_softmax"])
def test_axes_that_there_are_not(name):
    x, f = Tensor(np.ones((2, 3), np.float32)), getattr(mg, name)
    for array, d, words in ((x, 2, ["dim 2", "[-2, 1]"]), (x, -3, ["dim -3"]),
                            (Tensor(1.0), 1, ["dim 1", "[-1, 0]"])):
        with one_line(IndexError, name, *words):
            f(array, d)
    if name in SUMS or name == "var":
        for d in ((0, 0), (1, -1)):
            with one_line(RuntimeError, name, "multiple times"):
                f(x, d)
    for d in (True, np.False_, (0, True), 1.0) if name != "var" else ():
        with one_line(TypeError):
            f(x, d)


@pytest.mark.parametrize("f", [
    lambda d: mg.squeeze(Tensor([[1.0]]), d), lambda d: mg.unsqueeze(Tensor([1.0]), d),
    lambda d: mg.flatten(Tensor([[1.0]]), d), lambda d: mg.transpose(Tensor([[1.0]]), d, 0),
    lambda d: mg.permute(Tensor([[1.0]]), d, 0), lambda d: mg.cat([Tensor([[1.0]])], d),
    lambda d: mg.stack([Tensor([1.0])], d)], ids=range(7))
def test_a_boolean_is_no_axis(f):
    for d in (True, False, np.True_):
        with one_line(TypeError, "axis"):
            f(d)


def test_a_boolean_says_whether_a_variance_is_unbiased():
    x = Tensor([1.0, 2, 6])
    assert x.var(True).item() == x.var(unbiased=True).item() == x.var(correction=None).item() == 7
    assert x.var(False).item() == x.var(0, unbiased=False).item() == x.var(0, False).item()
    np.testing.assert_allclose(x.var(False).item(), 14 / 3, rtol=1e-6)
    for act in (lambda: x.var(True, 1), lambda: x.var(0, 1, unbiased=True)):
        with one_line(TypeError, "var", "correction or unbiased"):
            act()


@pytest.mark.parametrize("name", ["max", "min", *PLACES])
def test_one_axis_means_one(name):
    with one_line(TypeError, name, "one axis"):
        getattr(mg, name)(Tensor([[1.0]]), (0, 1))


def test_sums_over_nothing():
    x = np.zeros((0, 3), np.float32)
    assert mg.sum(x).item() == 0 and mg.sum(x, 0).tolist() == [0] * 3
    assert np.isnan(mg.mean(x, 0)).all() and math.isnan(mg.mean(x)) and mg.mean(x, 1).shape == (0,)
    assert np.isnan(mg.var(x, 0)).all() and mg.logsumexp(x, 0).tolist() == [-math.inf] * 3


@pytest.mark.parametrize("name", ["amax", "amin", "max", "min", *PLACES])
def test_extrema_of_nothing(name):
    x, f = Tensor(np.zeros((0, 3), np.float32)), getattr(mg, name)
    with one_line(IndexError, name, "(0, 3)", "no elements"):
        f(x, 0)
    with one_line(IndexError if name in PLACES else RuntimeError, name, "no elements"):
        f(x)
    y = f(x, 1)
    assert getattr(y, "values", y).shape == (0,)


@pytest.mark.parametrize("correction, want", [(0, 2 / 3), (1, 1), (2, 2), (0.5, 0.8), (3, math.inf),
                                              (4, math.inf), (None, 1)])
def test_var_with_any_correction(correction, want):
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_allclose(mg.var(x, 1, correction), [want] * 2, rtol=1e-6)
    assert math.isnan(mg.var(Tensor([2.0]), correction=5).item())


def test_max_and_min_of_two_tensors():
    x, y = Tensor([1.0, 5.0], requires_grad=True), Tensor([[3.0], [0.0]])
    assert mg.max(x, y).data.tolist() == [[3, 5], [1, 5]]
    assert mg.min(x, y).data.tolist() == [[1, 3], [0, 0]]
    mg.max(x, y).sum().backward()
    assert x.grad.data.tolist() == [1, 2]
    assert mg.max(x, np.int64(0)).indices.item() == 1
