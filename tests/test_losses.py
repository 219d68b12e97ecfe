"""The losses: PyTorch's numbers to the last printed digit, extreme inputs, clear errors."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor
from tests.one_line import one_line

LOGITS = [[1.0, 2.0, 3.0], [1.0, 0.0, -1.0], [0.0, 0.0, 0.0]]
TARGET = [2, -100, 1]


def leaf(values):
    return Tensor(np.array(values, float), requires_grad=True)


@pytest.mark.parametrize("weight, smoothing, expected", [
    (None, 0.0, 0.753109), (None, 0.1, 0.803109), ([1, 2, 4], 0.0, 0.637941),
    ([1, 2, 4], 0.1, 0.654944)])
def test_cross_entropy_has_the_golden_numbers(weight, smoothing, expected):
    for target in (TARGET, np.array(TARGET), Tensor(TARGET)):
        for w in (weight, weight and Tensor(weight)):
            loss = mg.cross_entropy(leaf(LOGITS), target, w, label_smoothing=smoothing)
            assert abs(loss.item() - expected) < 1e-6 and loss.dtype == np.float64


def test_the_gradient_of_cross_entropy_is_softmax_minus_one_hot():
    x = leaf(LOGITS)
    mg.cross_entropy(x, TARGET).backward()
    expected = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    expected[[0, 2], [2, 1]] -= 1
    expected[1] = 0  # ignored
    np.testing.assert_allclose(x.grad.data, expected / 2, rtol=1e-14, atol=1e-16)


def test_an_ignored_batch_has_no_mean():
    x = leaf(LOGITS)
    assert math.isnan(mg.cross_entropy(x, [-100] * 3).item())
    assert mg.cross_entropy(x, [7] * 3, ignore_index=7, reduction="sum").item() == 0
    assert not mg.cross_entropy(x, [-100] * 3, reduction="none").data.any()


def test_extreme_scores_stay_finite():
    x = leaf([[1e4, -1e4], [-1e4, 1e4]])
    loss = mg.cross_entropy(x, [0, 0], reduction="none")
    loss.sum().backward()
    assert loss.data.tolist() == [0, 2e4] and x.grad.data.tolist() == [[0, 0], [-1, 1]]
    x = leaf([1e4, -1e4, 0.0])
    loss = mg.binary_cross_entropy_with_logits(x, Tensor(np.array([0.0, 1.0, 0.5])), "none")
    loss.sum().backward()
    assert loss.data.tolist() == [1e4, 1e4, math.log(2)] and x.grad.data.tolist() == [1, -1, 0]
    x = leaf([1e4, -1e4])
    loss = mg.binary_cross_entropy_with_logits(x, Tensor(np.array([1.0, 0.0])), "none")
    loss.sum().backward()
    assert not loss.data.any() and not x.grad.data.any()


def test_an_impossible_class_of_an_ignored_element_does_not_matter():
    x = leaf([[-math.inf, 1.0, 2.0], [0.0, 1.0, 2.0]])
    loss = mg.cross_entropy(x, [-100, 1])
    loss.backward()
    assert loss.item() == pytest.approx(math.log(1 + math.e + math.exp(-1)), rel=1e-15)
    assert not x.grad.data[0].any() and np.isfinite(x.grad.data).all()


def test_squares_and_reductions():
    x, y = leaf([1.0, 2.0, 4.0]), Tensor(np.zeros(3))
    assert mg.mse_loss(x, y).item() == 7 and mg.mse_loss(x, y, "sum").item() == 21
    assert mg.mse_loss(x, y, "none").data.tolist() == [1, 4, 16]


@pytest.mark.parametrize("act, error, words", [
    (lambda x: mg.cross_entropy(x, [0, 3, 1]), IndexError, ["Target 3 is out of bounds", "0..2"]),
    (lambda x: mg.cross_entropy(x, [0, -1, 1]), IndexError, ["Target -1 is out of bounds"]),
    (lambda x: mg.cross_entropy(x, [0, 1]), ValueError, ["(2,)", "(3, 3)"]),
    (lambda x: mg.cross_entropy(x, np.zeros((3, 1), int)), ValueError, ["(3, 1)", "(3, 3)"]),
    (lambda x: mg.cross_entropy(x[0], [0]), ValueError, ["cross_entropy", "(3,)"]),
    (lambda x: mg.cross_entropy(x, [0.0, 1.0, 2.0]), TypeError, ["integer", "float"]),
    (lambda x: mg.cross_entropy(x, TARGET, [1, 2]), ValueError, ["weight", "(2,)", "3 classes"]),
    (lambda x: mg.cross_entropy(x, TARGET, [1, 2, 3, 4]), ValueError, ["weight", "(4,)"]),
    (lambda x: mg.cross_entropy(x, TARGET, label_smoothing=1.5), ValueError,
     ["label_smoothing", "1.5"]),
    (lambda x: mg.cross_entropy(x, TARGET, reduction="avg"), ValueError, ["reduction", "'avg'"]),
    (lambda x: mg.nll_loss(x, [9, 0, 0]), IndexError, ["Target 9"]),
    (lambda x: mg.mse_loss(x, x[0]), ValueError, ["mse_loss", "(3, 3)", "(3,)"]),
    (lambda x: mg.binary_cross_entropy_with_logits(x, x[:1]), ValueError, ["(3, 3)", "(1, 3)"])])
def test_what_does_not_fit_is_named(act, error, words):
    with one_line(error, *words):
        act(leaf(LOGITS))
