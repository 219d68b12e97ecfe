"""Net 2 for sums and extrema over any axes; see test_cuda_kernels.py."""

import math
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad.dtypes import number_type
from minigrad.kernels.reduce import cpu as reduce
from minigrad.kernels.reduce import gpu as reduce_gpu
from minigrad.kernels.runtime import cuda
from tests.engine.halves import EPS, HALVES
from tests.gpu.cuda_devices import DEVICES, host
from tests.gpu.test_cuda_kernels import TOLERANCE, Numbers, any_width, seeds

on_both = pytest.mark.parametrize("xp", DEVICES, indirect=True)
pytestmark = on_both
fewer = settings(max_examples=max(1, settings.default.max_examples // 3))
sides = st.one_of(st.integers(0, 6), st.sampled_from([31, 32, 33, 70]))
EXTREMA = {"amax": reduce.amax, "amin": reduce.amin}


@st.composite
def cases(draw, least=0):
    """A shape of at most 5000 elements, and some of its axes: all, none, one or several."""
    shape = draw(st.lists(sides.map(lambda n: max(n, least)), max_size=4).map(tuple).filter(
        lambda shape: math.prod(shape) <= 5000))
    some = st.lists(st.sampled_from(range(len(shape))), unique=True) if shape else st.just([])
    axis = draw(st.one_of(st.none(), some.map(tuple)))
    if axis and draw(st.booleans()):
        axis = axis[0] - len(shape)
    return shape, axis, draw(st.booleans())


def terms(shape, axis):
    axes = range(len(shape)) if axis is None else np.atleast_1d(np.array(axis, int))
    return math.prod(shape[d] for d in axes)


def same_sum(got, x, axis, keepdims):
    """Off by 32 eps sqrt(K), in float64 1e-12, of sum |x|; and one rounding if it has 16 bits."""
    exact = x.astype(np.float64)
    want, got = exact.sum(axis=axis, keepdims=keepdims), host(got)
    assert got.dtype == x.dtype and got.shape == want.shape
    eps, single = EPS.get(x.dtype.name, 0), x.dtype != np.float64
    bound = TOLERANCE["float32" if single else "float64"] * np.abs(exact).sum(
        axis=axis, keepdims=keepdims) * (math.sqrt(terms(x.shape, axis)) if single else 1)
    assert (np.abs(got.astype(np.float64) - want) <= bound + eps * np.abs(want)).all()


@pytest.mark.parametrize("dtype", TOLERANCE)
@given(cases(), seeds, st.booleans(), st.integers(1, 3))
@example(((), None, False), 0, False, 1)
@example(((3, 40, 2, 40), (1, 3), False), 0, True, 1)
def test_sums(xp, dtype, case, seed, long, per_thread):
    (shape, axis, keepdims), draw = case, Numbers(seed, dtype)
    x = draw(*shape)
    with any_width(long), mock.patch.multiple(reduce_gpu, PER_THREAD=per_thread, BLOCKS=6):
        y = reduce.sum(xp.asarray(x), axis, keepdims)
    same_sum(y, x, axis, keepdims)


@pytest.mark.parametrize("dtype", TOLERANCE)
@given(cases(1), seeds, st.booleans(), st.sampled_from(sorted(EXTREMA)),
       st.sampled_from(["", "nan", "inf"]))
def test_extrema(xp, dtype, case, seed, long, name, special):
    (shape, axis, keepdims), draw = case, Numbers(seed, dtype)
    x = np.asarray(draw(*shape))
    if special and shape:
        x[draw.rng.random(shape) < 0.3] = np.nan if special == "nan" else -np.inf
    want = EXTREMA[name](x, axis, keepdims)
    with any_width(long), mock.patch.multiple(reduce_gpu, PER_THREAD=1, BLOCKS=6):
        y = host(EXTREMA[name](xp.asarray(x), axis, keepdims))
    assert y.dtype == dtype and y.shape == want.shape and np.array_equal(y, want, equal_nan=True)


@pytest.mark.parametrize("dtype", HALVES)
@fewer
@given(cases(1), seeds, st.booleans())
def test_sums_and_extrema_in_16_bits(xp, dtype, case, seed, long):
    shape, axis, keepdims = case
    x = Numbers(seed, number_type(dtype))(*shape)
    with any_width(long), mock.patch.multiple(reduce_gpu, PER_THREAD=1, BLOCKS=6):
        y = reduce.sum(xp.asarray(x), axis, keepdims)
        largest = reduce.amax(xp.asarray(x), axis, keepdims)
    same_sum(y, x, axis, keepdims)
    assert (host(largest) == reduce.amax(x.astype(np.float32), axis, keepdims)).all()
    assert largest.dtype == dtype


@pytest.mark.parametrize("dtype", HALVES)
def test_an_op_adds_16_bit_numbers_without_widening_them_all(xp, dtype, monkeypatch):
    seen, launch = [], cuda.launch
    monkeypatch.setattr(reduce_gpu, "launch", lambda file, kernel, inputs, *rest, **how:
                        seen.append(inputs[0].dtype) or launch(file, kernel, inputs, *rest, **how))
    x = mg.Tensor(np.full((40, 300), 0.25, number_type(dtype)), requires_grad=True).to("cuda")
    for y in (mg.sum(x, 0), mg.ops.sum_to(x, (300,))):
        assert y.dtype == dtype and (host(y.data) == 10).all()
    assert seen == [number_type(dtype)] * 2


@pytest.mark.parametrize("shape, axis", [((300_001,), 0), ((70_001, 33), 0), ((3, 40_000, 3), 1)])
def test_a_long_sum_is_off_by_a_few_roundings(xp, monkeypatch, shape, axis):
    """Also where each thread adds thousands of numbers, and would lose tens of roundings."""
    monkeypatch.setattr(reduce_gpu, "PER_THREAD", 10**6)
    x = np.random.default_rng(0).random(shape, np.float32) + np.float32(0.7)
    want = x.astype(np.float64).sum(axis)
    got = host(reduce.sum(xp.asarray(x), axis))
    assert np.abs(got / want - 1).max() <= 4 * np.finfo(np.float32).eps
    assert np.array_equal(got, host(reduce.sum(xp.asarray(x), axis)))


def test_what_threads_lose_is_joined_too(xp):
    """Each 2^-24 is lost beside a 1; all of them together are 3/4 of the sum's last digit."""
    x = np.zeros(256, np.float32)
    x[:96], x[128:224] = 1, 2.0**-24
    assert host(reduce.sum(xp.asarray(x))) == np.float32(96 + 2.0**-17)


def test_infinite_and_overflowing_sums_are_numpys(xp):
    inf = np.inf
    x = np.array([[1, inf, 2, 3], [1, -inf, 2, inf], [3e38, 3e38, 1, 3e38], [np.nan, 1, 2, 3],
                  [-inf, -inf, 5, 6]], np.float32)
    for rows in (x, x.repeat(300, 1)):      # one number per thread, and several
        got = host(reduce.sum(xp.asarray(rows), 1))
        assert np.array_equal(got, [inf, np.nan, inf, np.nan, -inf], equal_nan=True)


def test_reductions_of_nothing(xp):
    x = xp.asarray(np.empty((0, 3), np.float32))
    assert np.array_equal(host(reduce.sum(x, 0)), np.zeros(3))
    for f in EXTREMA.values():
        assert f(x, 1).shape == (0,) and f(x, (), True).shape == (0, 3)
        for axis in (0, None, (0, 1)):
            with pytest.raises(ValueError, match="nothing to take it of"):
                f(x, axis)
    with pytest.raises(np.exceptions.AxisError, match="axis 2 is out of bounds"):
        reduce.sum(x, 2)


def test_the_result_is_memory_of_its_own(xp):
    x = xp.asarray(np.ones((2, 1), np.float32))
    for axis in ((), 1):
        y = reduce.sum(x, axis)
        y.fill(5)
        assert (host(x) == 1).all()


def test_nothing_is_copied_unless_there_are_gaps(xp, monkeypatch):
    """Channels-last images over all but the channels, and over axes that are no neighbours."""
    x = xp.asarray(np.arange(120, dtype=np.float32).reshape(2, 3, 4, 5))
    images = xp.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    seen, launch = [], cuda.launch
    monkeypatch.setattr(reduce_gpu, "launch", lambda file, kernel, inputs, outputs, *rest, **how:
                        seen.append((inputs[0].data.ptr, outputs[0].size))
                        or launch(file, kernel, inputs, outputs, *rest, **how))
    reduce.sum(images, (0, 2, 3))
    reduce.sum(x, (0, 2, 3))
    assert [size for _, size in seen] == [3, 6, 3]
    assert [pointer for pointer, _ in seen[:2]] == [images.data.ptr, x.data.ptr]


@pytest.mark.parametrize("dtype", ["int64", "int8", "bool", "complex128"])
def test_other_numbers_are_added_by_cupy(xp, dtype):
    x = np.random.default_rng(0).integers(0, 2, (3, 4)).astype(dtype)
    with mock.patch.object(reduce_gpu, "launch", side_effect=ZeroDivisionError):
        y = reduce.sum(xp.asarray(x), 1)
    assert np.array_equal(host(y), x.sum(1)) and y.dtype == x.sum(1).dtype
