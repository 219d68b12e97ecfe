"""Which dtype comes out of an op, and what integers, booleans and NumPy's numbers do in it."""

import operator

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor
from minigrad.arguments import number
from minigrad.dtypes import fits, number_type, result_type
from tests.engine.halves import needs_bfloat16
from tests.one_line import one_line

NAMES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32",
         "float64"]
CODES = dict(zip("bu1248eEfd", NAMES))

# torch.result_type of two dtypes, in the order of NAMES: both with dimensions; the second without
BOTH = ["bu1248eEfd", "uu2248eEfd", "121248eEfd", "222248eEfd", "444448eEfd", "888888eEfd",
        "eeeeeeeffd", "EEEEEEfEfd", "fffffffffd", "dddddddddd"]
FIRST = ["bu1248eEfd", "uuuuuueEfd", "111111eEfd", "222222eEfd", "444444eEfd", "888888eEfd",
         "e" * 10, "E" * 10, "f" * 10, "d" * 10]
NUMBERS = [(True, BOTH[0]), (1, "8u1248eEfd"), (1.5, "ffffffeEfd")]  # with dimensions, a number

uint8, int8 = (lambda *values, d=d: Tensor(np.array(values, d)) for d in (np.uint8, np.int8))


def ones(name, shape=(2,)):
    return Tensor(np.ones(shape, np.float32)).to(name)


# ---- the rule ------------------------------------------------------------------------------------

@needs_bfloat16
@pytest.mark.parametrize("a, row", list(enumerate(BOTH)), ids=NAMES)
def test_the_common_dtype_is_torchs(a, row):
    for b, code in enumerate(row):
        x, y = ones(NAMES[a]), ones(NAMES[b])
        assert result_type(x, y) == number_type(CODES[code])
        for z in (x * y, mg.maximum(y, x), mg.concatenate([x, y]), mg.stack([y, x]),
                  mg.where([True, False], x, y), mg.clip(x, max=y)):
            assert z.dtype == number_type(CODES[code]) and z.data.astype(float).min() == 1
        assert (x * ones(NAMES[b], ())).dtype == number_type(CODES[FIRST[a][b]])
    for value, codes in NUMBERS:
        expected = number_type(CODES[codes[a]])
        assert (ones(NAMES[a]) * value).dtype == (value * ones(NAMES[a])).dtype == expected
        assert (ones(NAMES[a]) * np.array(value)).dtype == expected


def test_three_operands_and_plain_arrays_follow_the_same_rule():
    x = Tensor([1.0, 2.0])
    assert mg.clip(x, Tensor(0.0, dtype="float64"), 1.5).dtype == np.float32
    assert mg.clip(Tensor([1, 2]), 0, 1.5).data.tolist() == [1, 1.5]
    assert mg.add(np.ones(2, np.float32), np.float64(2)).dtype == np.float32
    assert mg.mul(np.ones(2, np.int64), np.ones(2, np.float32)).dtype == np.float32
    assert (ones("float64") * 1j).dtype == np.complex128 and (x * 1j).dtype == np.complex64


def test_no_integer_type_holds_uint64_and_signed_integers():
    with one_line(TypeError, "Add", "uint64", "int64", ".to(dtype)"):
        Tensor(np.ones(2, np.uint64)) + Tensor([1, 2])


@pytest.mark.parametrize("value", [np.float64(2), np.float32(2), np.array(2.0), np.longdouble(2)])
def test_a_number_of_numpy_widens_nothing(value):
    x = Tensor([0.5, 1.0], requires_grad=True)
    results = [x * value, value / x, x**value, value**x, mg.maximum(x, value), x.clip(0, value),
               mg.where(x > value, x, value), mg.pad(x, (1, 1), value), mg.leaky_relu(x, value),
               mg.dropout(x, value / 4), Tensor([1, 2]) * value]
    assert [y.dtype for y in results] == [np.dtype(np.float32)] * len(results)
    x.detach().copy_(value)
    assert type(number(value)) is float and number(np.bool_(True)) is True


# ---- casts, comparisons, sums --------------------------------------------------------------------

def test_integers_become_float64_without_a_detour():
    big = Tensor([16777217])
    assert big.to("float64").data.tolist() == [16777217.0]
    assert (big * Tensor([1.0], dtype="float64")).data.tolist() == [16777217.0]
    assert (big * 1.0).dtype == np.float32
    # torch compares in float32 what meets there
    assert (big == 16777216.0).item() and not (big == Tensor([16777216.0], dtype="float64")).item()
    assert (big > 16777216).item()


@pytest.mark.parametrize("a, b, dtype", [(2j, 2, "complex64"), (2, 2j, "complex64"),
                                         (2j, 3j, "complex64"), (1, 2.0, "float32"),
                                         (1, 2, "int64")])
def test_numbers_alone_under_a_condition_have_the_usual_precision(a, b, dtype):
    y = mg.where(Tensor([True, False]), a, b)
    assert y.dtype == dtype and y.data.tolist() == [a, b]


def test_a_sum_of_whole_numbers_is_int64():
    for dtype in ("bool", "uint8", "int8", "int16", "int32", "uint16", "uint32", "uint64"):
        assert mg.sum(Tensor(np.ones((2, 2), dtype)), 0).dtype == np.int64
        assert mg.sum_to(Tensor(np.ones((2, 2), dtype)), (1, 2)).dtype == np.int64
        assert mg.sum_to(Tensor(np.ones((2, 2), dtype)), (2, 2)).dtype == dtype  # no sum
        assert mg.sum_to(Tensor(np.ones((), dtype)), ()).dtype == np.int64
    assert (mg.sum(uint8(1, 2)) - 300).item() == -297


@pytest.mark.parametrize("f", [mg.exp, mg.log, mg.log1p, mg.expm1, mg.sqrt, mg.sin, mg.cos, mg.tanh,
                               mg.sigmoid, mg.softplus, mg.leaky_relu, lambda x: mg.softmax(x, 0),
                               lambda x: mg.log_softmax(x, 0), lambda x: mg.logsumexp(x, 0),
                               lambda x: mg.div(x, 2), lambda x: mg.div(300, x),
                               lambda x: mg.div(x, x)])
def test_what_has_no_whole_result_takes_whole_numbers_as_float32(f):
    for dtype in ("bool", "uint8", "int8", "uint16", "int64", "uint64"):
        x = np.array([1, 1, 0, 1], dtype) if dtype == "bool" else np.array([12, 9, 10, 7], dtype)
        with np.errstate(divide="ignore", invalid="ignore"):
            y, plain, exact = f(Tensor(x)), f(x), f(Tensor(x.astype(np.float32)))
        assert y.dtype == plain.dtype == np.float32
        np.testing.assert_array_equal(y.data, exact.data)


def test_8_bits_do_not_overflow_on_the_way():
    np.testing.assert_allclose(mg.exp(uint8(12)).data, [162754.79], rtol=1e-6)
    np.testing.assert_allclose(mg.log_softmax(uint8(0, 200), 0).data, [-200, 0])
    np.testing.assert_allclose(mg.logsumexp(int8(-100, 100), 0).data, 100)


# ---- whole numbers wrap around -------------------------------------------------------------------

@pytest.mark.parametrize("y, expected", [
    (lambda: uint8(1, 250) + 300, [45, 38]), (lambda: uint8(1, 250) * -1, [255, 6]),
    (lambda: uint8(1) - 2, [255]), (lambda: -uint8(1, 0), [255, 0]),
    (lambda: int8(100) + 100, [-56]),
    (lambda: uint8(3) > -1, [False]), (lambda: uint8(44) == 300, [True]),
    (lambda: abs(int8(-128)), [-128]), (lambda: uint8(3) / 300, [np.float32(0.01)]),
    (lambda: Tensor([True, False]) + True, [True, True]), (lambda: Tensor([True]) + 1, [2]),
    (lambda: Tensor([True, False]) * Tensor([True, True]), [True, False]),
    (lambda: Tensor([2, -1, 1, 3]) ** Tensor([-1, -3, -2, 2]), [0, -1, 1, 9]),
    (lambda: Tensor([3]) ** Tensor([-2**62]), [0]), (lambda: Tensor([True, False]) ** 2, [1, 0]),
    (lambda: Tensor([4, 9]) ** 0.5, [2, 3]),
    (lambda: mg.sign(Tensor([True, False])), [True, False]),
    (lambda: mg.sign(uint8(0, 200)), [0, 1]), (lambda: uint8(1, 200).clip(5, 100), [5, 100])])
def test_integers_and_booleans_compute_as_in_torch(y, expected):
    assert y().data.tolist() == expected


@pytest.mark.parametrize("act, error, words", [
    (lambda: -Tensor([True]), TypeError, ["negative"]),
    (lambda: Tensor([True]) - Tensor([True]), TypeError, ["subtract"]),
    (lambda: 1 - Tensor([True]), TypeError, ["Sub", "booleans", "~x"]),
    (lambda: Tensor([1.0]) - Tensor([True]), TypeError, ["Sub", "booleans"]),
    (lambda: Tensor([2]) ** -1, ValueError, ["pow", "-1.0"]),
    (lambda: uint8(2) ** 300, ValueError, ["pow", "300", "uint8"]),
    (lambda: uint8(2).clip(0, 300), ValueError, ["300", "uint8"]),
    (lambda: mg.where(Tensor([True]), uint8(1), -300), ValueError, ["-300", "uint8"]),
    (lambda: mg.where(Tensor([1]), 1, 2), TypeError, ["where", "booleans", "int64"]),
    (lambda: Tensor([1.0]) + None, TypeError, ["Add", "None"]),
    (lambda: Tensor([1.0]) < None, TypeError, ["needs numbers", "is None"]),
    (lambda: mg.dropout(Tensor([1])), TypeError, ["dropout", "int64"]),
    (lambda: Tensor([1], dtype="float33"), TypeError, ["float33", "bfloat16", "uint8"]),
    (lambda: mg.cast(Tensor([1]), "float33"), TypeError, ["cast", "float33", "uint8"]),
    (lambda: Tensor([1]).to("float33"), ValueError, ["float33", "cuda", "uint8"])])
def test_what_torch_refuses_is_refused(act, error, words):
    with one_line(error, *words):
        act()


# ---- bits ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("y, expected", [
    (lambda x: x & 6, [4, 4]), (lambda x: 6 & x, [4, 4]), (lambda x: x | 3, [7, 15]),
    (lambda x: x ^ 6, [3, 10]), (lambda x: ~x, [-6, -13]), (lambda x: x << 2, [20, 48]),
    (lambda x: x >> 1, [2, 6]), (lambda x: 1 << x, [32, 4096]),
    (lambda x: x & [True, False], [1, 0]),
    (lambda x: (x > 6) | (x == 5), [True, True]), (lambda x: (x > 6) ^ True, [True, False]),
    (lambda x: ~(x > 6), [True, False])])
def test_operators_work_on_bits(y, expected):
    result = y(Tensor([5, 12]))
    assert result.data.tolist() == expected
    assert result.dtype == np.array(expected).dtype


def test_bits_in_place():
    x, mask = Tensor([5, 12]), Tensor([True, False])
    memory = x.data
    for f, value, expected in [(operator.iand, 6, [4, 4]), (operator.ior, 1, [5, 5]),
                               (operator.ixor, 6, [3, 3]), (operator.ilshift, 2, [12, 12]),
                               (operator.irshift, 1, [6, 6])]:
        assert f(x, value).data is memory and memory.tolist() == expected
    mask |= Tensor([False, True])
    assert mask.data.tolist() == [True, True]
    for act in (lambda: Tensor([1.0]) & 1, lambda: Tensor([1]) & 1.5, lambda: ~Tensor([1.0]),
                lambda: Tensor([True]) << Tensor([True])):
        with one_line(TypeError, "needs integers"):
            act()


@needs_bfloat16
def test_in_place_the_kind_must_not_rise():
    for x, y in [("uint8", "int64"), ("float16", "float64"), ("bfloat16", "float32"),
                 ("float32", "bool"), ("int8", "bool")]:
        z = ones(x)
        z += ones(y)
        assert z.dtype == number_type(x) and z.data.astype(float).tolist() == [2, 2]
        assert fits(number_type(y), number_type(x))
    for x, y in [("bool", "int64"), ("int64", "float32"), ("float32", "complex64")]:
        with one_line(TypeError, "in-place", y, x):
            z = ones(x)
            z += ones(y)


# ---- clip, concatenate, shapes -------------------------------------------------------------------

def test_limits_may_be_tensors_and_have_gradients():
    x = Tensor([-1.0, 0.5, 3.0], requires_grad=True)
    low = Tensor(np.zeros((2, 1), np.float32), requires_grad=True)
    high = Tensor([1.0, 1.0, 2.0], requires_grad=True)
    y = mg.clip(x, low, high)
    y.sum().backward()
    assert y.data.tolist() == [[0, 0.5, 2]] * 2
    assert x.grad.data.tolist() == [0, 2, 0] and high.grad.data.tolist() == [0, 0, 2]
    assert low.grad.data.tolist() == [[1], [1]]
    x.grad = None
    mg.clip(x, np.zeros((2, 3))).sum().backward()
    assert x.grad.data.tolist() == [0, 2, 2] and x.grad.dtype == np.float32
    crossed = mg.clip(x, 2.0, 1.0)
    assert crossed.data.tolist() == [1, 1, 1]
    assert np.isnan(mg.clip(x, float("nan"), 1.0).data).all()


def test_what_is_joined_needs_one_axis_and_may_be_empty():
    y = mg.concatenate([Tensor([1.0]), Tensor([1])])
    assert y.dtype == np.float32
    nothing = Tensor([], requires_grad=True)
    joined = mg.concatenate([nothing, Tensor([[1, 2]])], 1)
    joined.sum().backward()
    assert joined.data.tolist() == [[1, 2]] and nothing.grad.shape == (0,)
    with one_line(ValueError, "concatenate", "stack"):
        mg.concatenate([Tensor(1.0), y])
    with one_line(IndexError, "concatenate", "2"):
        mg.concatenate([y, y], 2)
    with one_line(ValueError, "stack"):
        mg.stack([])


def test_a_tensor_without_dimensions_has_an_axis_0():
    x = Tensor(2.0)
    for y in (x.squeeze(0), x.squeeze(-1), x.transpose(0, -1), x.permute()):
        assert y.shape == ()
    assert x.flatten(0, -1).shape == x.unsqueeze(-1).shape == mg.stack([x], -1).shape == (1,)
    for act in (lambda: x.squeeze(1), lambda: x.unsqueeze(1), lambda: x.transpose(0, 1)):
        with one_line(IndexError, "outside [-1, 0]"):
            act()


def test_squeeze_takes_several_axes():
    x = Tensor(np.ones((1, 2, 1)))
    assert x.squeeze((0, 2)).shape == (2,) and x.squeeze((0, 1)).shape == (2, 1)
    assert x.squeeze(()).shape == (1, 2, 1)
    with one_line(ValueError, "squeeze", "twice"):
        x.squeeze((0, -3))


def test_widths_of_numpy_are_explained():
    with one_line(ValueError, "pad", "(left, right, top, bottom)"):
        mg.pad(Tensor(np.ones((2, 2))), ((0, 0), (1, 1)))


def test_the_gradient_of_a_sign_is_zero_and_nan_has_the_sign_0():
    x = Tensor([-2.0, 0.0, 3.0, float("nan")], requires_grad=True)
    y = mg.sign(x)
    y.sum().backward()
    assert y.data.tolist() == [-1, 0, 1, 0] and x.grad.data.tolist() == [0, 0, 0, 0]
    a, b = (Tensor([float("nan"), 1.0, 1.0], requires_grad=True) for _ in range(2))
    mg.maximum(a, b * 1).sum().backward()
    assert a.grad.data.tolist() == b.grad.data.tolist() == [1, 0.5, 0.5]


@pytest.mark.parametrize("integer", ["int64", "int32", "int16", "int8", "uint8"])
@pytest.mark.parametrize("name", ["float32", "float16",
                                  pytest.param("bfloat16", marks=needs_bfloat16)])
def test_what_an_integer_has_no_room_for_becomes_what_it_is_as_float32(name, integer):
    """Whichever way it is converted, and without a warning."""
    x = mg.tensor([np.nan, np.inf, -np.inf, 300, -4.5, 6e4]).to(name)
    with np.errstate(invalid="ignore"):
        expected = x.data.astype(np.float32).astype(integer)
    assert expected[3] == np.array(300).astype(integer) and expected[4] == np.array(-4).astype(
        integer)
    zeros = mg.zeros(6, dtype=integer)
    ways = [x.to(integer), mg.tensor(x, dtype=integer), Tensor(x.data, dtype=integer),
            zeros.clone().copy_(x)]
    some = zeros.clone()
    some[mg.arange(6)] = x
    for y in (*ways, some):
        assert y.dtype == integer and (y.data == expected).all()


def test_numbers_too_large_for_a_dtype_become_infinite_without_a_warning():
    big = mg.tensor([1e300, -1e300], dtype="float64")
    for y in (big.float(), big.half(), mg.tensor(big, dtype="float32"), mg.zeros(2).copy_(big)):
        assert y.data.tolist() == [np.inf, -np.inf]
