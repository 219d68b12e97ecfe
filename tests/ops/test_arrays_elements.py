"""Functions of single elements: their accuracy, edges, dtypes and what PyTorch says of each."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor

inf, nan = math.inf, math.nan


# ---- erf -----------------------------------------------------------------------------------------

GRID = np.concatenate([np.linspace(-7, 7, 28_001), np.logspace(-300, 1, 3001),
                       -np.logspace(-20, 1, 3001), np.nextafter(0.46875, [0, 1])])


def test_erf_is_right_to_1e_15():
    exact = np.array([math.erf(x) for x in GRID])
    np.testing.assert_allclose(mg.erf(GRID), exact, rtol=1e-15, atol=0)


def test_erf_of_float32_is_rounded_once():
    x = GRID.astype(np.float32)
    exact = np.array([math.erf(v) for v in x.astype(np.float64)])
    np.testing.assert_array_equal(mg.erf(x), exact.astype(np.float32))


def test_erf_at_its_edges():
    y = mg.erf(np.array([nan, inf, -inf, 0.0, -0.0, 1e300]))
    np.testing.assert_array_equal(y, [nan, 1, -1, 0, -0.0, 1])
    assert np.signbit(y[4])
    assert mg.erf(Tensor([0, 1])).dtype == np.float32  # of integers
    assert mg.erf(np.zeros((0, 3))).shape == (0, 3)


# ---- rounding and remainders ---------------------------------------------------------------------

def test_halves_are_rounded_to_the_even_digit():
    x = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, nan, inf])
    np.testing.assert_array_equal(mg.round(x), [-2, -2, -0.0, 0, 2, 2, nan, inf])
    np.testing.assert_allclose(mg.round(Tensor([2.345, 1234.5]), decimals=-2).data, [0, 1200])
    np.testing.assert_allclose(mg.round(Tensor([2.346]), decimals=2).data, [2.35], rtol=1e-6)
    with pytest.raises(RuntimeError, match="int64 has no decimals"):
        mg.round(Tensor([1, 2]), decimals=1)


@pytest.mark.parametrize("f", [mg.floor, mg.ceil, mg.trunc, mg.round])
def test_integers_are_whole_already(f):
    x = Tensor([-3, 0, 5])
    y = f(x)
    assert y.dtype == np.int64 and (y == x).data.all()
    y.data[0] = 7
    assert x[0].item() == -3  # a copy


SIGNS = np.array([[7, -7, 7, -7], [3, 3, -3, -3]])


@pytest.mark.parametrize("dtype", ["int64", "int8", "float64", "float16"])
def test_remainders_have_the_sign_of_the_divisor_or_of_the_dividend(dtype):
    a, b = (Tensor(row.astype(dtype)) for row in SIGNS)
    for y, expected in [(a % b, [1, 2, -2, -1]), (mg.fmod(a, b), [1, -1, 1, -1]),
                        (a // b, [2, -3, -3, 2]), (mg.div(a, b, rounding_mode="trunc"),
                                                   [2, -2, -2, 2])]:
        assert y.dtype == dtype
        np.testing.assert_array_equal(y.data.astype(float), expected)


def test_the_operators_take_numbers_on_either_side_and_work_in_place():
    x = Tensor([5.5, -5.5])
    np.testing.assert_array_equal((x % 2).data, [1.5, 0.5])
    np.testing.assert_array_equal((7 % x).data, [1.5, -4])
    np.testing.assert_array_equal((7 // x).data, [1, -2])
    before = x.data
    x %= 4
    np.testing.assert_array_equal(x.data, [1.5, 2.5])
    x //= 2
    np.testing.assert_array_equal(x.data, [0, 1])
    assert x.data is before


@pytest.mark.parametrize("f", [mg.remainder, mg.fmod, mg.floor_divide,
                               lambda a, b: mg.div(a, b, rounding_mode="trunc")])
def test_integers_cannot_be_divided_by_0(f):
    with pytest.raises(RuntimeError, match="integers divided by 0"):
        f(Tensor([1, 2]), Tensor([1, 0]))


def test_floor_division_is_outside_the_graph_and_rounded_division_is_not():
    x = Tensor([3.7], requires_grad=True)
    assert not (x // 2).requires_grad
    mg.div(x, 2, rounding_mode="floor").backward()
    assert x.grad.data == [0]


# ---- what is compared ----------------------------------------------------------------------------

def test_close_and_equal():
    a, b = Tensor([1.0, nan, inf, -inf, 1e-9]), Tensor([1 + 1e-6, nan, inf, inf, 0])
    np.testing.assert_array_equal(mg.isclose(a, b).data, [True, False, True, False, True])
    assert mg.isclose(a, b, equal_nan=True)[1].item()
    assert mg.allclose(a[2:3], b[2:3]) is True and a.allclose(b) is False
    assert mg.equal(a[:1], a[:1]) is True and a.equal(a) is False  # NaN
    assert mg.equal(a, a[:2]) is False
    with pytest.raises(RuntimeError, match="dtypes float32 and int64 differ"):
        mg.isclose(a, Tensor([1]))


def test_nan_to_num():
    y = mg.nan_to_num(Tensor([nan, inf, -inf, 2]), nan=7)
    top = np.finfo(np.float32).max
    np.testing.assert_array_equal(y.data, np.float32([7, top, -top, 2]))
    x = Tensor([nan, inf, 2], requires_grad=True)
    mg.sum(x.nan_to_num(posinf=1.0)).backward()
    np.testing.assert_array_equal(x.grad.data, [0, 0, 1])


def test_a_gradient_passes_where_the_input_is_nan():
    for f in (mg.relu, mg.relu6):
        x = Tensor([nan, 0.5, 9, -9], requires_grad=True)
        mg.sum(f(x)).backward()
        assert x.grad.data[:2].tolist() == [1, 1] and x.grad.data[3] == 0, f


def test_slopes_at_the_origin():
    a, b = Tensor([0.0], requires_grad=True), Tensor([0.0], requires_grad=True)
    mg.atan2(a, b).backward()
    assert a.grad.data == b.grad.data == [0]
