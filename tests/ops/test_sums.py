"""Sums in float32 to 1e-6 and better, over any axes and in any layout; no digit lost elsewhere."""

import math
import os

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor
from minigrad.kernels.adaptive import cpu as adaptive
from minigrad.kernels.norm import cpu as norm
from minigrad.kernels.pool import cpu as pool
from minigrad.kernels.reduce import cpu as reduce
from minigrad.kernels.runtime.window import Window
from minigrad.optim import clip_grad_norm_
from tests.gpu.cuda_devices import open_device

MILLIONS = 20 if os.environ.get("MINIGRAD_FULL") else 2
WORST = np.float32(0.5263158)  # of whose multiples many are rounded the same way


def equal_numbers(*shape):
    return np.full(shape, WORST, np.float32)


def off(y, n):
    """The largest relative error of sums of n such numbers."""
    return float(np.abs(np.asarray(y, np.float64) / (n * float(WORST)) - 1).max())


LAYOUTS = {
    "rows": (lambda n: equal_numbers(n // 8, 8), 0),
    "two columns": (lambda n: equal_numbers(n // 2, 2), 0),
    "wide rows": (lambda n: equal_numbers(n // 5000, 5000), 0),
    "one line": (equal_numbers, 0),
    "along rows": (lambda n: equal_numbers(8, n // 8), 1),
    "turned": (lambda n: equal_numbers(8, n // 8).T, 0),
    "Fortran order": (lambda n: np.asfortranarray(equal_numbers(n // 8, 8)), (0, 1)),
    "channels first": (lambda n: equal_numbers(20, 4, n // 8000, 100), (0, 2, 3)),
    "channels last": (lambda n: equal_numbers(20, n // 8000, 100, 4).transpose(0, 3, 1, 2),
                      (0, 2, 3)),
    "every other axis": (lambda n: equal_numbers(50, 4, n // 1000, 5), (0, 2)),
    "gaps": (lambda n: equal_numbers(n // 8, 16)[:, ::2], 0),
    "backwards": (lambda n: equal_numbers(n // 8, 8)[::-1, ::-1], 0),
    "all of what has gaps": (lambda n: equal_numbers(n // 8, 16)[:, ::2], None),
    "repeated": (lambda n: np.broadcast_to(equal_numbers(1, 8), (n // 8, 8)), 0),
    "repeated to the side": (lambda n: np.broadcast_to(equal_numbers(n // 40, 1), (n // 40, 40)),
                             0),
    "repeated between": (lambda n: np.broadcast_to(equal_numbers(2, 1, n // 80), (2, 40, n // 80)),
                         (0, 2)),
    "one number, everywhere": (lambda n: np.broadcast_to(WORST, (3, n // 12, 4)), (0, 1)),
    "all of what has gaps in two axes": (lambda n: equal_numbers(2, n // 8, 10)[:, ::2, ::3], None),
    "windows": (lambda n: np.lib.stride_tricks.sliding_window_view(equal_numbers(n // 4), 4),
                (0, 1))}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_sum_of_equal_numbers(name):
    make, axis = LAYOUTS[name]
    x = make(MILLIONS * 10**6)
    n = x.size if axis is None else math.prod(np.array(x.shape)[np.atleast_1d(axis)])
    y = reduce.sum(x, axis)
    assert y.dtype == np.float32 and y.shape == x.sum(axis).shape and off(y, n) <= 6e-7
    assert off(mg.mean(x, axis), 1) <= 7e-7
    assert reduce.sum(x, axis, True).shape == x.sum(axis, keepdims=True).shape


@pytest.mark.parametrize("n", [17, 33, 49, 65, 100, 255, 257, 4097, 65_537, 70_001])
@pytest.mark.parametrize("columns", [1, 2, 3, 37, 4097])
def test_a_sum_of_any_numbers_of_rows(n, columns):
    if n * columns > 300_000 and columns > 37:
        n = n % 50 + 17
    x = np.random.default_rng(n).standard_normal((n, columns)).astype(np.float32)
    for axis in (0, 1, None, (0, 1), ()):
        for array in (x, x.T.copy().T):
            y, exact = reduce.sum(array, axis), array.sum(axis, dtype=np.float64)
            scale = np.abs(array).sum(axis, dtype=np.float64)
            assert y.shape == exact.shape and (np.abs(y - exact) <= 6e-7 * scale).all()


@pytest.mark.parametrize("n", [reduce.LONG, reduce.LONG + 1, 200_003, 4 * reduce.LONG])
def test_a_sum_of_long_lines(n, rng):
    x = rng.random((2, n), np.float32)
    for array, axis in ((x, 1), (x[0], None), (x[:, ::-3], 1), (x.T, 0), (x, (0, 1))):
        y, exact = reduce.sum(array, axis), array.sum(axis, dtype=np.float64)
        assert y.shape == exact.shape and y.dtype == np.float32
        assert (np.abs(y - exact) <= 6e-7 * exact).all()


def test_what_is_not_finite_stays_so():
    x = np.ones((100, 50), np.float32)
    x[3, 1], x[90, 2], x[5, 3], x[6, 3] = np.inf, np.nan, np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        y = reduce.sum(x, 0)
    np.testing.assert_array_equal(y[:5], [100, np.inf, np.nan, np.nan, 100])
    assert reduce.sum(np.zeros((0, 5), np.float32), 0).tolist() == [0] * 5
    assert reduce.sum(np.zeros((5, 0, 40), np.float32), (0, 1)).shape == (40,)


def test_other_dtypes_keep_theirs():
    """The derivative by the complex step is in the imaginary part."""
    x = np.full((5000, 3), 0.1 + 1e-20j)
    assert norm.statistics(x, 1e-5)[0].imag == pytest.approx([1e-20] * 3)
    for dtype in ("float64", "complex64", "int32", "bool"):
        x = np.ones((5000, 3), dtype)
        assert reduce.sum(x, 0).dtype == x.sum(0).dtype and reduce.sum(x, 0).tolist() == [5000] * 3


ROWS = MILLIONS * 10**6 // 8


def test_a_broadcast_gradient_and_a_bias_gradient():
    b = Tensor(np.zeros(8, np.float32), requires_grad=True)
    x = equal_numbers(ROWS, 8)
    (Tensor(x) + b).backward(Tensor(x))
    assert off(b.grad.data, ROWS) <= 6e-7
    w, b.grad = Tensor(np.zeros((8, 2), np.float32)), None
    mg.linear(Tensor(x[:, :2]), w, b).backward(Tensor(x))
    assert off(b.grad.data, ROWS) <= 6e-7
    b.grad = None
    gy = equal_numbers(2, 8, ROWS // 1000, 500)
    mg.conv2d(Tensor(gy[:, :1]), Tensor(np.zeros((8, 1, 1, 1), np.float32)), b).backward(Tensor(gy))
    assert off(b.grad.data, gy.size // 8) <= 6e-7


def test_batch_statistics_and_their_gradients():
    x = equal_numbers(ROWS, 8)
    x[::2] += 1
    mean, var, _ = norm.statistics(x, 0.0)
    assert np.abs(mean / (float(WORST) + 0.5) - 1).max() <= 3e-7
    assert np.abs(var / 0.25 - 1).max() <= 1e-6
    assert np.abs(mg.var(x, 0, 0) / 0.25 - 1).max() <= 1e-6
    ones = np.ones(8, np.float32)
    _, _, gb = norm.gradient(equal_numbers(ROWS, 8), x, mean, ones, ones)
    assert off(gb, ROWS) <= 6e-7
    _, gf, gs = norm.fixed_gradient(equal_numbers(ROWS, 8), np.ones_like(x), ones, ones + x)
    assert off(gf, ROWS) <= 6e-7 and off(gs, ROWS) <= 6e-7


@pytest.mark.parametrize("mean", [1e3, 1e5])
def test_the_variance_around_a_large_mean(mean):
    x = (np.random.default_rng(0).standard_normal((40_000, 3)) + mean).astype(np.float32)
    exact = x.astype(np.float64).var(0)
    np.testing.assert_allclose(norm.statistics(x, 0.0)[1], exact, rtol=1e-6)
    np.testing.assert_allclose(mg.var(x, 0, 0), exact, rtol=3e-5)  # around the rounded mean


def test_the_variance_of_a_batch_that_begins_with_another_mean():
    """Blocks of rows centre on some of theirs, which may be far from the mean of all."""
    x = np.random.default_rng(0).standard_normal((1000, 2, 8, 8)).astype(np.float32)
    for far in (slice(None, 1), slice(None, None, 8), slice(None, 500)):
        y = np.moveaxis(x.copy(), 1, -1)
        y[far] += 1000
        exact = y.astype(np.float64).var((0, 1, 2))
        mean, var, _ = norm.statistics(np.moveaxis(y, -1, 1), 0.0)
        np.testing.assert_allclose(var, exact, rtol=1e-6)
        np.testing.assert_allclose(mean, y.mean((0, 1, 2), np.float64), rtol=1e-6, atol=1e-7)


def test_pooling_over_large_windows():
    x = equal_numbers(1, 2, 300, 301)
    assert off(mg.adaptive_avg_pool2d(x, 1), 1) <= 7e-7
    assert off(adaptive.average(x, (1, 2)), 1) <= 1e-6
    assert off(pool.average(x, Window(300, 301, 1, 1, 0, 0)), 1) <= 1e-6
    assert off(mg.avg_pool2d(x, (7, 9), 3), 1) <= 1e-6


def test_losses_softmax_and_norms():
    n = ROWS
    x = equal_numbers(n, 4)
    assert abs(mg.mse_loss(x, np.zeros_like(x)).item() / float(WORST) ** 2 - 1) <= 1e-6
    loss = mg.nll_loss(-x, np.zeros(n, int), np.float32([0.3] * 4))
    assert off(loss, 1) <= 1e-6
    assert off(mg.softmax(x, 0) * n * WORST, 1) <= 1e-6
    assert np.abs(mg.logsumexp(x, 0) - (math.log(n) + float(WORST))).max() <= 2e-6
    p = Tensor(x, requires_grad=True)
    p.grad = Tensor(x.copy())
    assert off(clip_grad_norm_(p, 1e9) / math.sqrt(x.size), 1) <= 1e-6
    top = np.zeros((2**24 + 2, 1), np.float32)
    p = Tensor(top, requires_grad=True)
    mg.amax(p).backward()
    assert p.grad.data[0, 0] == np.float32(1 / len(top))


@pytest.mark.parametrize("rows", [200_000])
def test_the_gpus_sums_too(monkeypatch, rows):
    """Few threads, so that each adds many numbers."""
    xp = open_device("stand-in", monkeypatch)
    monkeypatch.setattr("minigrad.kernels.norm.gpu.CHUNKS", 1)
    x = xp.asarray(equal_numbers(rows, 2))
    assert off(reduce.sum(x, 0).get(), rows) <= 1e-6
    ones = xp.asarray(np.ones(2, np.float32))
    _, _, gb = norm.gradient(x, x, 0 * ones, ones, ones)
    assert off(gb.get(), rows) <= 1e-6
    image = xp.asarray(equal_numbers(1, 1, 400, 500))
    assert off(pool.average(image, Window(400, 500, 1, 1, 0, 0)).get(), 1) <= 1e-6
    assert off(adaptive.average(image, (1, 2)).get(), 1) <= 1e-6


# ---- digits of small results ---------------------------------------------------------------------

X = np.linspace(-80, 80, 3201).astype(np.float32)


def test_the_logistic_function_keeps_all_digits():
    exact = 1 / (1 + np.exp(-X.astype(np.float64)))
    with np.errstate(all="raise"):
        y = mg.sigmoid(X)
    assert y.dtype == np.float32 and np.abs(y / exact - 1).max() <= 1e-6
    x = Tensor(X, requires_grad=True)
    mg.sigmoid(x).sum().backward()
    slope = exact * (1 / (1 + np.exp(X.astype(np.float64))))
    error = np.abs(x.grad.data - slope)
    assert (error <= np.where(X <= 0, 1e-6 * slope, 1e-7)).all()
    extreme = np.array([-np.inf, np.inf, np.nan, -3e38, 3e38, -0.0], np.float32)
    np.testing.assert_array_equal(mg.sigmoid(extreme), [0, 1, np.nan, 0, 1, 0.5])


def test_the_log_of_the_logistic_function():
    x = Tensor([-20.0], requires_grad=True)
    y = mg.log(mg.sigmoid(x))
    y.backward()
    assert y.item() == pytest.approx(-20, rel=1e-6) and x.grad.item() == pytest.approx(1, rel=1e-6)


def test_the_logistic_function_on_the_gpu(monkeypatch):
    xp = open_device("stand-in", monkeypatch)
    exact = 1 / (1 + np.exp(-X.astype(np.float64)))
    assert np.abs(mg.sigmoid(xp.asarray(X)).get() / exact - 1).max() <= 1e-6


def test_softplus_and_bce_keep_all_digits():
    z = X.astype(np.float64)
    exact = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
    x = Tensor(X, requires_grad=True)
    y = mg.softplus(x)
    y.sum().backward()
    assert np.abs(y.data / exact - 1).max() <= 1e-6
    assert np.abs(x.grad.data * (1 + np.exp(-z)) - 1).max() <= 1e-6
    for target, want in ((0, exact), (1, exact[::-1])):
        loss = mg.binary_cross_entropy_with_logits(X, np.full_like(X, target), "none")
        assert np.abs(loss / want - 1).max() <= 1e-6
