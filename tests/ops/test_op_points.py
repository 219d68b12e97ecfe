"""Points that random inputs never hit: kinks, ties, the edges of float range, NaN and infinity.

At a kink the gradient is a choice; here each choice is written down, and compared exactly. At
extreme inputs the true value and slope are finite, so no NaN, no infinity and no RuntimeWarning
(which pytest turns into an error) may come up on the way.
"""

import math

import numpy as np
import pytest

import minigrad as mg
from tests.ops.op_checks import leaves

inf, nan = math.inf, math.nan


def gradients(f, *inputs, dtype=np.float64):
    """f's value and the gradients of its sum, which are the same bits when they are recorded."""
    xs = leaves([np.array(x, dtype) for x in inputs])
    y = f(*xs)
    plain = mg.grad(mg.sum(y), xs, retain_graph=True)
    recorded = mg.grad(mg.sum(y), xs, create_graph=True)
    assert [g.numpy().tobytes() for g in plain] == [g.data.tobytes() for g in recorded]
    return y, [g.data for g in plain]


def image(pixels):
    return np.reshape(pixels, (1, 1, -1, len(pixels[0])))


# ---- kinks and ties: (f, inputs, the gradient of each input) -------------------------------------

KINKS = {
    "relu at 0": (mg.relu, [[0, -0.0, -1, 1]], [[0, 0, 0, 1]]),
    "leaky_relu at 0: the left slope": (lambda x: mg.leaky_relu(x, 0.25), [[0, -1, 1]],
                                        [[0.25, 0.25, 1]]),
    "abs at 0": (mg.abs, [[0, -0.0, -2, 2]], [[0, 0, -1, 1]]),
    "softplus at 0": (mg.softplus, [0], [0.5]),
    "clip: edges belong to the inside": (lambda x: mg.clip(x, -1, 2), [[-1.5, -1, 0, 2, 2.5]],
                                         [[0, 1, 1, 1, 0]]),
    "clip to one point": (lambda x: mg.clip(x, 1, 1), [[0, 1, 2]], [[0, 1, 0]]),
    "clip from below": (lambda x: mg.clip(x, min=1), [[0, 1, 2]], [[0, 1, 1]]),
    "clip from above": (lambda x: mg.clip(x, max=1), [[0, 1, 2]], [[1, 1, 0]]),
    "maximum: a tie is halved": (mg.maximum, [[1, 2, 3], [2, 2, 2]], [[0, 0.5, 1], [1, 0.5, 0]]),
    "minimum: a tie is halved": (mg.minimum, [[1, 2, 3], [2, 2, 2]], [[1, 0.5, 0], [0, 0.5, 1]]),
    "maximum with a number": (lambda x: mg.maximum(x, 0), [[-1, 0, 1]], [[0, 0.5, 1]]),
    "maximum with itself": (lambda x: mg.maximum(x, x), [[1, 2]], [[1, 1]]),
    "amax: ties share": (mg.amax, [[3, 1, 3, 3]], [[1 / 3, 0, 1 / 3, 1 / 3]]),
    "amin: ties share": (mg.amin, [[3, 1, 1, 3]], [[0, 0.5, 0.5, 0]]),
    "amax along an axis": (lambda x: mg.amax(x, 1), [[[1, 1], [0, 2]]], [[[0.5, 0.5], [0, 1]]]),
    "amax along two axes": (lambda x: mg.amax(x, (0, 1)), [[[2, 1], [0, 2]]],
                            [[[0.5, 0], [0, 0.5]]]),
    "max of all: ties share": (mg.max, [[1, 1]], [[0.5, 0.5]]),
    "min of all: ties share": (mg.min, [[1, 1]], [[0.5, 0.5]]),
    "max along an axis: the first": (lambda x: mg.max(x, 0).values, [[0, 1, 1]], [[0, 1, 0]]),
    "min along an axis: the first": (lambda x: mg.min(x, -1).values, [[1, 0, 0]], [[0, 1, 0]]),
    "max_pool2d: the first": (lambda x: mg.max_pool2d(x, 2), [image([[1, 1], [1, 1]])],
                              [image([[1, 0], [0, 0]])]),
    "max_pool2d: the last NaN": (lambda x: mg.max_pool2d(x, 2), [image([[9, nan], [nan, 1]])],
                                 [image([[0, 0], [1, 0]])]),
    "adaptive_max_pool2d: the first": (lambda x: mg.adaptive_max_pool2d(x, 1),
                                       [image([[1, 1], [1, 1]])], [image([[1, 0], [0, 0]])]),
    "adaptive_max_pool2d: the last NaN": (lambda x: mg.adaptive_max_pool2d(x, (1, 2)),
                                          [image([[nan, 1, 2], [nan, 3, 0]])],
                                          [image([[0, 0, 0], [1, 1, 0]])]),
    "max_pool2d: windows that overlap": (lambda x: mg.max_pool2d(x, 2, 1),
                                         [image([[1, 5, 5], [1, 5, 1]])],
                                         [image([[0, 2, 0], [0, 0, 0]])]),
    "max_pool2d: the padding never wins": (lambda x: mg.max_pool2d(x, 2, 1, 1), [image([[-7]])],
                                           [image([[4]])]),
    "power at 0": (lambda x: x**2, [[0, -3]], [[0, -6]]),
    "power 1 at 0": (lambda x: x**1, [[0]], [[1]]),
    "power 0 at 0": (lambda x: x**0, [[0, 2]], [[0, 0]]),
    "0 to the power of a Tensor": (mg.pow, [[0, 0, 0], [0, 1, 2]], [[0, 1, 0], [0, 0, 0]]),
    "logsumexp of equals": (lambda x: mg.logsumexp(x, 0), [[2, 2, 2, 2]], [[0.25] * 4]),
    "var of equals": (mg.var, [[2, 2, 2]], [[0, 0, 0]]),
}


@pytest.mark.parametrize("f, inputs, expected", KINKS.values(), ids=KINKS)
def test_gradients_at_kinks_and_ties(f, inputs, expected):
    for got, wanted in zip(gradients(f, *inputs)[1], expected, strict=True):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("f, expected", [(mg.argmax, 1), (mg.argmin, 0)])
def test_the_first_of_equals_is_found(f, expected):
    assert f(mg.Tensor([0.0, 3.0, 3.0, 0.0])).item() == expected
    assert f(mg.Tensor([0.0, 3.0, 3.0, 0.0]), dim=0, keepdim=True).numpy() == [expected]


def test_max_and_min_return_where_they_found_their_values():
    x = np.random.default_rng(0).standard_normal((3, 4))
    for f, at in ((mg.max, np.argmax), (mg.min, np.argmin)):
        for dim in (0, 1, -1):
            found = f(mg.Tensor(x), dim)
            np.testing.assert_array_equal(found.indices.data, at(x, axis=dim))
            np.testing.assert_array_equal(found.values.data, f(x, dim).values)


# ---- extreme inputs: (f, input, value, gradient of the value's sum) ------------------------------

def entropy(target, **options):
    return lambda logits: mg.cross_entropy(logits, np.array(target), **options)


def binary_entropy(target):
    return lambda x: mg.binary_cross_entropy_with_logits(x, np.array(target, x.dtype), "none")


def first(f):
    """The first element of what f gives along the last axis."""
    return lambda x: f(x, -1)[..., 0]


EXTREMES = {
    "sigmoid": (mg.sigmoid, [1e3, -1e3, 1e30, -1e30], [1, 0, 1, 0], [0, 0, 0, 0]),
    "sigmoid of infinity": (mg.sigmoid, [inf, -inf], [1, 0], [0, 0]),
    "tanh": (mg.tanh, [1e3, -1e3, 1e30], [1, -1, 1], [0, 0, 0]),
    "tanh of infinity": (mg.tanh, [inf, -inf], [1, -1], [0, 0]),
    "tanh near 0": (mg.tanh, [1e-30], [1e-30], [1]),
    "softplus": (mg.softplus, [1e4, -1e4, 1e30, -1e30], [1e4, 0, 1e30, 0], [1, 0, 1, 0]),
    "softplus of -infinity": (mg.softplus, [-inf], [0], [0]),
    "softplus where e^x is tiny": (mg.softplus, [-80], [math.exp(-80)], [math.exp(-80)]),
    "relu": (mg.relu, [1e30, -1e30, -inf], [1e30, 0, 0], [1, 0, 0]),
    "leaky_relu": (mg.leaky_relu, [1e30, -1e30], [1e30, -1e28], [1, 0.01]),
    "exp": (mg.exp, [-1e4, -inf, 80], [0, 0, math.exp(80)], [0, 0, math.exp(80)]),
    "expm1 near 0": (mg.expm1, [1e-30, -1e-30], [1e-30, -1e-30], [1, 1]),
    "expm1 far below 0": (mg.expm1, [-1e4, -inf], [-1, -1], [0, 0]),
    "log": (mg.log, [1e-30, 1e30], [-69.07755278982137, 69.07755278982137], [1e30, 1e-30]),
    "log1p near 0": (mg.log1p, [1e-30, -1e-30], [1e-30, -1e-30], [1, 1]),
    "log1p far above 0": (mg.log1p, [1e30], [69.07755278982137], [1e-30]),
    "sqrt": (mg.sqrt, [1e-30, 1e30], [1e-15, 1e15], [5e14, 5e-16]),
    "abs": (mg.abs, [-1e30, 1e-30], [1e30, 1e-30], [-1, 1]),
    "cube of a small number": (lambda x: x**3, [1e-10, 0], [1e-30, 0], [3e-20, 0]),
    "cube of a negative number": (lambda x: x**3, [-1e10], [-1e30], [3e20]),
    "reciprocal": (lambda x: 1 / x, [1e15, -1e-15], [1e-15, -1e15], [-1e-30, -1e30]),
    "power of a Tensor at 0": (lambda x: mg.pow(0, x), [1, 2], [0, 0], [0, 0]),
    "division of 0": (lambda x: 0 / x, [1e-10, 1e30], [0, 0], [0, 0]),
    "a masked infinity": (lambda x: mg.where(np.array([True, False]), x, 1), [2, inf], [2, 1],
                          [1, 0]),
    "clip of infinity": (lambda x: mg.clip(x, -1, 1), [inf, -inf], [1, -1], [0, 0]),
    "minimum with infinity": (lambda x: mg.minimum(x, inf), [3, -1e30], [3, -1e30], [1, 1]),
    "maximum with -infinity": (lambda x: mg.maximum(x, -inf), [3, -1e30], [3, -1e30], [1, 1]),
    "amax beside -infinity": (mg.amax, [3, -inf], 3, [1, 0]),
    "amin beside infinity": (mg.amin, [3, inf], 3, [1, 0]),
    "sum": (mg.sum, [1e30, -1e30, 1], 1, [1, 1, 1]),
    "mean of large numbers": (mg.mean, [1e37, 1e37], 1e37, [0.5, 0.5]),
    "variance 0 of large numbers": (mg.var, [1e8, 1e8, 1e8], 0, [0, 0, 0]),
    "variance of one number": (lambda x: mg.var(x, correction=0), [3], 0, [0]),
    "logsumexp, large": (lambda x: mg.logsumexp(x, 0), [1e4, 1e4], 1e4 + math.log(2), [0.5, 0.5]),
    "logsumexp, small": (lambda x: mg.logsumexp(x, 0), [-1e4, -1e4], math.log(2) - 1e4, [0.5, 0.5]),
    "logsumexp, apart": (lambda x: mg.logsumexp(x, 0), [1e4, -1e4], 1e4, [1, 0]),
    "logsumexp beside -infinity": (lambda x: mg.logsumexp(x, 0), [-inf, 2], 2, [0, 1]),
    "softmax, apart": (first(mg.softmax), [1e4, -1e4], 1, [0, 0]),
    "softmax, equal": (first(mg.softmax), [-1e4, -1e4], 0.5, [0.25, -0.25]),
    "softmax of a masked score": (first(mg.softmax), [-inf, 5], 0, [0, 0]),
    "log_softmax, apart": (first(mg.log_softmax), [-1e4, 1e4], -2e4, [1, -1]),
    "log_softmax, equal": (first(mg.log_softmax), [1e4, 1e4], -math.log(2), [0.5, -0.5]),
    "log_softmax beside a masked score": (first(mg.log_softmax), [5, -inf], 0, [0, 0]),
    "log_softmax of one class": (first(mg.log_softmax), [1e4], 0, [0]),
    "cross_entropy, right": (entropy([0]), [[1e4, -1e4]], 0, [[0, 0]]),
    "cross_entropy, wrong": (entropy([0]), [[-1e4, 1e4]], 2e4, [[-1, 1]]),
    "cross_entropy, undecided": (entropy([1]), [[1e4, 1e4]], math.log(2), [[0.5, -0.5]]),
    "cross_entropy beside a masked class": (entropy([0]), [[5, -inf]], 0, [[0, 0]]),
    "cross_entropy, smoothed": (entropy([0], label_smoothing=0.5), [[1e4, -1e4]], 5e3,
                                [[0.25, -0.25]]),
    "cross_entropy of an empty batch": (entropy(np.zeros(0, int), reduction="sum"),
                                        np.zeros((0, 3)), 0, np.zeros((0, 3))),
    "binary cross-entropy, right": (binary_entropy([1, 0]), [1e4, -1e4], [0, 0], [0, 0]),
    "binary cross-entropy, wrong": (binary_entropy([0, 1]), [1e4, -1e4], [1e4, 1e4], [1, -1]),
    "max_pool2d beside -infinity": (lambda x: mg.max_pool2d(x, 2), image([[-inf, 2], [-inf, 1]]),
                                    image([[2]]), image([[0, 1], [0, 0]])),
    "max_pool2d, negative and padded": (lambda x: mg.max_pool2d(x, 2, 2, 1), image([[-1e30]]),
                                        image([[-1e30]]), image([[1]])),
    "max_pool2d of an empty batch": (lambda x: mg.max_pool2d(x, 2), np.zeros((0, 1, 2, 2)),
                                     np.zeros((0, 1, 1, 1)), np.zeros((0, 1, 2, 2))),
    "avg_pool2d of large numbers": (lambda x: mg.avg_pool2d(x, 2), image([[1e37, 1e37]] * 2),
                                    image([[1e37]]), image([[0.25, 0.25]] * 2)),
    "conv2d of large numbers": (lambda x: mg.conv2d(x, np.ones((1, 1, 1, 2), x.dtype)),
                                image([[1e30, -1e30]]), image([[0]]), image([[1, 1]])),
    "linear of an empty batch": (lambda x: mg.linear(x, np.ones((2, 3), x.dtype)),
                                 np.zeros((0, 3)), np.zeros((0, 2)), np.zeros((0, 3))),
}


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-13), (np.float32, 4e-6)])
@pytest.mark.parametrize("f, x, value, slope", EXTREMES.values(), ids=EXTREMES)
def test_extreme_inputs(f, x, value, slope, dtype, tolerance):
    y, (gx,) = gradients(f, x, dtype=dtype)
    np.testing.assert_allclose(y.data, value, rtol=tolerance)
    np.testing.assert_allclose(gx, slope, rtol=tolerance)


NAN = {
    "relu": (mg.relu, [nan, 1], [nan, 1]),
    "clip": (lambda x: mg.clip(x, 0, 1), [nan, 2], [nan, 1]),
    "maximum": (lambda x: mg.maximum(x, 1), [nan, 2], [nan, 2]),
    "minimum": (lambda x: mg.minimum(x, 1), [nan, 2], [nan, 1]),
    "amax": (mg.amax, [1, nan], nan),
    "max": (lambda x: mg.max(x, 0).values, [1, nan], nan),
    "max_pool2d": (lambda x: mg.max_pool2d(x, 2), image([[9, nan], [1, 2]]), image([[nan]])),
    "softmax": (lambda x: mg.softmax(x, 0), [1, nan], [nan, nan]),
    "logsumexp": (lambda x: mg.logsumexp(x, 0), [1, nan], nan),
}


@pytest.mark.parametrize("f, x, value", NAN.values(), ids=NAN)
def test_nan_is_never_hidden(f, x, value):
    np.testing.assert_array_equal(f(mg.Tensor(np.array(x, float))).data, value)


# ---- dtypes and indices --------------------------------------------------------------------------

@pytest.mark.parametrize("f", [lambda x: mg.cast(x, np.float32), lambda x: x.to("float32")])
def test_a_gradient_returns_in_the_dtype_of_its_input(f):
    """Through float32 the values are rounded; the gradient is widened again, and not changed."""
    y, (gx,) = gradients(f, [1 / 3, 2 / 3])
    assert y.dtype == np.float32 and gx.dtype == np.float64
    np.testing.assert_array_equal(gx, [1, 1])


@pytest.mark.parametrize("f", [lambda x: mg.cast(x, int), lambda x: mg.cast(x, bool),
                               lambda x: x > 0, mg.argmax])
def test_what_has_no_gradient_leaves_the_graph(f):
    assert not f(mg.Tensor([1.0, 2.0], requires_grad=True)).requires_grad


@pytest.mark.parametrize("index", [np.array([2, 0, 2]), mg.Tensor([2, 0, 2]), [2, 0, 2],
                                   (mg.Tensor([2, 0, 2]),), ((2, 0, 2),)])
def test_an_index_may_be_a_list_an_array_or_a_tensor(index):
    """Element 2 is taken twice, so it receives twice the gradient."""
    y, (gx,) = gradients(lambda x: x[index], [10, 20, 30])
    np.testing.assert_array_equal(y.data, [30, 10, 30])
    np.testing.assert_array_equal(gx, [1, 0, 2])


def test_adaptive_bins_overlap_and_keep_to_themselves():
    """7 -> 4 means rows 0-2, 1-4, 3-6, 5-7; infinity stays in the bins that it lies in."""
    x = np.eye(7).reshape(7, 1, 7, 1)
    rows = mg.adaptive_avg_pool2d(x, (4, 1))[:, 0, :, 0].T
    assert [np.flatnonzero(row).tolist() for row in rows] == [[0, 1], [1, 2, 3], [3, 4, 5], [5, 6]]
    x = np.array([1.0, 2, np.inf]).reshape(1, 1, 1, 3)
    assert mg.adaptive_avg_pool2d(x, (1, 2)).ravel().tolist() == [1.5, np.inf]


def test_a_size_that_adaptive_pooling_is_not_told_stays():
    x = np.arange(24.0).reshape(1, 1, 4, 6)
    for pool in (mg.adaptive_avg_pool2d, mg.adaptive_max_pool2d):
        assert pool(x, (None, 2)).shape == (1, 1, 4, 2) and pool(x, (2, None)).shape == (1, 1, 2, 6)
        np.testing.assert_array_equal(pool(x, None), x)
