"""Reductions, sorting and choosing: zeros, ties, NaN, dtypes and empty arrays."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor

inf, nan = math.inf, math.nan


def gradient(f, x):
    x = Tensor(np.array(x, float), requires_grad=True)
    mg.sum(f(x)).backward()
    return x.grad.data


# ---- products and running sums -------------------------------------------------------------------

@pytest.mark.parametrize("x, expected", [
    ([2, 3, 4], [12, 8, 6]), ([2, 0, 4], [0, 8, 0]), ([0, 0, 4], [0, 0, 0]), ([5], [1])])
def test_the_gradient_of_a_product_is_right_at_zeros(x, expected):
    np.testing.assert_array_equal(gradient(mg.prod, x), expected)
    np.testing.assert_array_equal(gradient(lambda v: mg.cumprod(v, 0)[-1], x), expected)


def test_second_derivatives_of_a_product_are_right_at_zeros():
    x = Tensor([2.0, 0.0, 4.0], requires_grad=True)
    (g,) = mg.grad(mg.prod(x), x, create_graph=True)
    rows = [mg.grad(g[i], x, retain_graph=True)[0].data for i in range(3)]
    np.testing.assert_array_equal(rows, [[0, 4, 0], [4, 0, 2], [0, 2, 0]])


def test_products_and_sums_of_integers_are_int64():
    x = Tensor(np.array([[100, 3], [4, 5]], np.int8))
    for y in (mg.prod(x), mg.cumprod(x, 0), mg.cumsum(x, 1), mg.sum(x), mg.count_nonzero(x)):
        assert y.dtype == np.int64
    assert mg.prod(x).item() == 6000 and mg.cumprod(x, 0).data.tolist() == [[100, 3], [400, 15]]
    assert mg.sum(x, dtype="int8").dtype == np.int8
    assert mg.mean(x, dtype="float64").item() == 28 and mg.prod(Tensor([])).item() == 1


def test_a_dtype_is_taken_before_the_sum():
    x = Tensor(np.full(3000, 100, np.float16))
    assert mg.sum(x, dtype="float32").item() == 300_000
    assert mg.mean(x, dtype="float32").dtype == np.float32


# ---- deviations and norms ------------------------------------------------------------------------

def test_std_of_equal_numbers_has_the_gradient_0():
    np.testing.assert_array_equal(gradient(mg.std, [2, 2, 2]), [0, 0, 0])
    np.testing.assert_array_equal(gradient(mg.norm, [0, 0]), [0, 0])
    np.testing.assert_allclose(gradient(lambda x: mg.norm(x, 3), [0, 1, -1]),
                               [0, 2**(-2 / 3), -2**(-2 / 3)])


def test_norms():
    x = Tensor([[3.0, -4.0], [0.0, 0.0]])
    for p, expected in [("fro", 5), (2, 5), (1, 7), (inf, 4), (-inf, 0), (0, 2), (0.5, 7 + 48**.5)]:
        assert mg.norm(x, p).item() == pytest.approx(expected, 1e-6), p
    assert x.norm(dim=1).data.tolist() == [5, 0] and x.norm(2, 0, True).shape == (1, 2)
    with pytest.raises(RuntimeError, match="needs a floating-point input"):
        mg.norm(Tensor([1, 2]))


def test_std_takes_correction_and_unbiased():
    x = np.arange(12.0).reshape(3, 4)
    for options, ddof in [({}, 1), ({"correction": 0}, 0), ({"unbiased": False}, 0)]:
        np.testing.assert_allclose(mg.std(x, 1, **options), x.std(1, ddof=ddof))
    spread, middle = mg.var_mean(Tensor(x), dim=0, keepdim=True)
    np.testing.assert_allclose(spread.data, x.var(0, ddof=1, keepdims=True))
    np.testing.assert_allclose(middle.data, x.mean(0, keepdims=True))


# ---- order ---------------------------------------------------------------------------------------

def test_equal_elements_stay_in_their_order_either_way():
    x = Tensor([1.0, 2.0, 1.0, 2.0, nan])
    assert mg.argsort(x).data.tolist() == [0, 2, 1, 3, 4]
    assert mg.sort(x, descending=True).indices.data.tolist() == [4, 1, 3, 0, 2]
    assert x.topk(2).indices.data.tolist() == [4, 1]
    assert x.topk(2, largest=False).values.data.tolist() == [1, 1]
    with pytest.raises(RuntimeError):
        x.topk(6)


def test_the_median_is_the_smaller_of_two_and_nan_wins():
    assert mg.median(Tensor([4.0, 1.0, 3.0, 2.0])).item() == 2
    found = mg.median(Tensor([[4.0, 1.0, 3.0, 2.0], [1.0, nan, 0.0, nan]]), 1)
    np.testing.assert_array_equal(found.values.data, [2, nan])
    assert found.indices.data.tolist() == [3, 1]
    assert math.isnan(mg.median(Tensor([1.0, nan])).item())
    np.testing.assert_array_equal(gradient(mg.median, [2, 1, 2, 3]), [0.5, 0, 0.5, 0])
    assert mg.median(Tensor([3, 1, 2], dtype="int32")).dtype == np.int32


def test_unique():
    x = Tensor([[3, 1], [1, 3]])
    values, inverse, counts = mg.unique(x, return_inverse=True, return_counts=True)
    assert values.data.tolist() == [1, 3] and counts.data.tolist() == [2, 2]
    assert inverse.data.tolist() == [[1, 0], [0, 1]]
    assert mg.unique(Tensor([[1, 2], [1, 2], [0, 5]]), dim=0).data.tolist() == [[0, 5], [1, 2]]


def test_nonzero_and_where_of_a_condition():
    x = Tensor([[0, 2], [3, 0]])
    assert mg.nonzero(x).data.tolist() == [[0, 1], [1, 0]]
    rows, columns = mg.where(x > 0)
    assert x[rows, columns].data.tolist() == [2, 3] and x.nonzero(as_tuple=True)[1].data[0] == 1
    assert mg.nonzero(Tensor(5)).shape == (1, 0) and mg.nonzero(Tensor(0)).shape == (0, 0)


def test_counts_and_classes():
    assert mg.bincount(Tensor([1, 3, 1]), minlength=6).data.tolist() == [0, 2, 0, 1, 0, 0]
    assert mg.bincount(Tensor([1, 0, 1]), Tensor([0.5, 1, 2])).data.tolist() == [1, 2.5]
    for dtype in (np.uint8, np.int8, np.int64):
        some = Tensor(np.array([1, 0, 1], dtype))
        assert mg.bincount(some, some).data.tolist() == [0, 2]
        assert mg.bincount(some[:0], some[:0], 2).data.tolist() == [0, 0]
    assert mg.one_hot(Tensor([[0, 2]])).data.tolist() == [[[1, 0, 0], [0, 0, 1]]]
    for wrong in (lambda: mg.bincount(Tensor([-1])), lambda: mg.one_hot(Tensor([1.0])),
                  lambda: mg.one_hot(Tensor([3]), 3), lambda: mg.one_hot(Tensor([-1]), 3)):
        with pytest.raises(RuntimeError):
            wrong()


# ---- chance --------------------------------------------------------------------------------------

@pytest.mark.parametrize("replacement", [True, False])
def test_multinomial_follows_its_probabilities(replacement):
    """The first of the drawn indices has them exactly: 5 standard deviations of 20 000 draws."""
    p, n = np.array([0.1, 0, 0.2, 0.7]), 20_000
    drawn = mg.multinomial(Tensor(np.tile(p * 3, (n, 1))), 2, replacement).data
    assert drawn.shape == (n, 2) and drawn.dtype == np.int64
    share = np.bincount(drawn[:, 0], minlength=4) / n
    assert (abs(share - p) <= 5 * np.sqrt(p * (1 - p) / n)).all()
    assert (drawn[:, 0] == drawn[:, 1]).any() == replacement
    if not replacement:  # the second: each of the others in proportion to what is left
        second = sum(p[i] * np.where(np.arange(4) == i, 0, p / (1 - p[i])) for i in (0, 2, 3))
        share = np.bincount(drawn[:, 1], minlength=4) / n
        assert (abs(share - second) <= 5 * np.sqrt(second * (1 - second) / n)).all()


def test_multinomial_is_repeatable_and_refuses_what_it_cannot_draw():
    p = Tensor([0.5, 0.5, 0.0])
    mg.manual_seed(3)
    first = p.multinomial(10, replacement=True).data
    mg.manual_seed(3)
    assert (p.multinomial(10, replacement=True).data == first).all()
    for x, count in [([0.5, 0.5, 0], 3), ([-1, 2], 1), ([nan, 1], 1), ([0, 0], 1), ([1, 1], 0)]:
        with pytest.raises(RuntimeError):
            mg.multinomial(Tensor(np.array(x, float)), count)
