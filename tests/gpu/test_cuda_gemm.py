"""Convolution on tensor cores, against its specification and against what TF32 is."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad import set_float32_matmul_precision
from minigrad.dtypes import number_type
from minigrad.kernels import conv
from minigrad.kernels.conv import gemm, gpu
from minigrad.kernels.runtime.window import Window
from tests.engine.halves import BFLOAT16, EPS
from tests.gpu.cuda_devices import DEVICES, host
from tests.gpu.test_cuda_kernels import Numbers, any_width, same, seeds, wide, windows

EPS_OF = {"float32": 0, **EPS}      # sums of such small integers are exact in float32
pytestmark = pytest.mark.parametrize("xp", DEVICES, indirect=True)


@pytest.fixture
def tensor_cores(xp):
    """Float32 convolutions take this plan, and nothing else."""
    set_float32_matmul_precision("high")
    yield
    set_float32_matmul_precision("highest")


@pytest.mark.parametrize("channels, outputs, groups, plan", [
    (3, 8, 1, "tensor cores"), (32, 64, 2, "columns"), (31, 64, 2, "direct"),
    (32, 62, 2, "direct"), (1, 64, 64, "direct")])
def test_the_plan_of_a_convolution(xp, tensor_cores, channels, outputs, groups, plan):
    """Few channels in or out in each of several groups: no matrix product is worth it."""
    x = xp.empty((1, channels * groups, 4, 4), np.float32)
    assert gpu._plan(x, channels, outputs, groups) == plan


def tf32(x):
    """x rounded to 10 bits of mantissa: products of two such numbers are exact in float32."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + 0x1000) & 0xFFFFE000).view(np.float32)


def compare(xp, window, size, n, c, o, seed, long):
    """The three maps on numbers that TF32 holds exactly: the float32 bound is kept."""
    draw = Numbers(seed, np.float32)
    x, w = tf32(draw(n, c, *size)), tf32(draw(o, c, window.kh, window.kw))
    g = tf32(draw(n, o, *window.output_size(*size)))
    a, b, d = map(xp.asarray, (x, w, g))
    with any_width(long, ("backward", "shuffled")), mock.patch.object(gemm, "BLOCKS", 8):
        y = conv.forward(a, b, window)
        gx = conv.input_gradient(d, b, window, size)
        gw = conv.weight_gradient(a, d, window)
    x, w, g = wide(x, w, g)
    taps = window.kh * window.kw
    same(y, conv.forward(x, w, window), taps * c)
    same(gx, conv.input_gradient(g, w, window, size), taps * o)
    same(gw, conv.weight_gradient(x, g, window), g[:, 0].size)


@pytest.mark.parametrize("channels", [st.sampled_from([4, 8, 20]), st.sampled_from([1, 3, 6])],
                         ids=["by fours", "odd"])
def test_narrow_convolutions(xp, tensor_cores, channels):
    @given(windows(most=2), st.integers(1, 3), channels, channels, seeds, st.booleans())
    def check(case, n, c, o, seed, long):
        compare(xp, *case, n, c, o, seed, long)
    check()


def test_wide_convolutions(xp, tensor_cores):
    """More than 64 channels on one side; the tiles of the widest kernels are not full."""
    @given(windows(most=2), st.booleans(), seeds)
    def check(case, swap, seed):
        compare(xp, *case, 1, *((68, 4) if swap else (4, 68)), seed, False)
    check()


def test_many_pixels_are_summed_in_parts(xp, tensor_cores):
    compare(xp, Window(3, 3, 1, 1, 1, 1), (20, 20), 2, 4, 4, 0, False)


def test_tf32_rounds_what_it_multiplies(xp):
    """Once allowed, convolution computes with rounded inputs; before and after, it does not."""
    window, third = Window(1, 1, 1, 1, 0, 0), np.full((1, 1, 1, 1), 1 / 3, np.float32)
    x = xp.asarray(third)
    set_float32_matmul_precision("high")
    rounded = conv.forward(x, x, window)
    set_float32_matmul_precision("highest")
    assert host(rounded) == tf32(third) ** 2 != host(conv.forward(x, x, window)) == third**2


def shifted(xp, x, by):
    """x on the GPU, its memory `by` numbers behind an address that 16 divides."""
    memory = xp.empty(x.size + by, x.dtype)
    y = memory[by:].reshape(x.shape)
    y[...] = xp.asarray(x)
    assert (y.data.ptr - by * x.itemsize) % 16 == 0 and y.flags.c_contiguous
    return y


@pytest.mark.parametrize("where", ["x", "w", "gy", "all of them"])
@pytest.mark.parametrize("dtype, by", [("float32", 1), ("float32", 2), ("float16", 1),
                                       ("float16", 4), ("bfloat16", 1)])
def test_memory_that_starts_between_two_vectors(xp, tensor_cores, dtype, by, where):
    """Slices of a buffer need not start at a multiple of 16 bytes; copies of 16 bytes must.

    Filters lie as the kernel wants them, (kh, kw, C, O), or they would be copied before.
    """
    dtype = number_type("float32" if dtype == "bfloat16" and BFLOAT16 is None else dtype)
    rng, window, size = np.random.default_rng(0), Window(3, 3, 1, 1, 1, 1), (5, 4)
    x, w, gy = (tf32(rng.integers(-4, 5, shape)).astype(dtype)
                for shape in ((2, 5, 4, 8), (3, 3, 8, 16), (2, 5, 4, 16)))

    def place(name, array):
        return shifted(xp, array, by if where in (name, "all of them") else 0)

    a, k, d = (place(*pair) for pair in (("x", x), ("w", w), ("gy", gy)))
    back = place("w", np.ascontiguousarray(w.transpose(0, 1, 3, 2)))
    got = [conv.forward(a.transpose(0, 3, 1, 2), k.transpose(3, 2, 0, 1), window),
           conv.input_gradient(d.transpose(0, 3, 1, 2), back.transpose(2, 3, 0, 1), window, size),
           conv.weight_gradient(a.transpose(0, 3, 1, 2), d.transpose(0, 3, 1, 2), window)]
    x, gy = (v.astype(np.float64).transpose(0, 3, 1, 2) for v in (x, gy))
    w = w.astype(np.float64).transpose(3, 2, 0, 1)
    want = [conv.forward(x, w, window), conv.input_gradient(gy, w, window, size),
            conv.weight_gradient(x, gy, window)]
    for mine, theirs in zip(got, want):
        assert np.abs(host(mine).astype(np.float64) - theirs).max() <= EPS_OF[dtype.name] * np.abs(
            theirs).max()


def test_aligned_memory_takes_the_fast_kernels(xp):
    x = xp.empty((2, 4, 4, 8), np.float32)
    assert gemm._variant(16, 8, x, x) == (64, 4)
    assert gemm._variant(80, 8, x, x) == (128, 4)
    late = shifted(xp, np.ones((4, 8), np.float32), 1)
    assert gemm._variant(16, 8, x, late) == gemm._variant(16, 8, late, x) == (64, 1)
    assert gemm._variant(16, 8, x, late.T) == (64, 4)     # the launcher copies it
