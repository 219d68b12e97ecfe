"""Convolution on tensor cores, against its specification and against what TF32 is."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad import set_float32_matmul_precision
from minigrad.kernels import conv, gemm_cuda
from minigrad.kernels.window import Window
from tests.cuda_devices import DEVICES, host
from tests.test_cuda_kernels import Numbers, any_width, same, seeds, wide, windows

pytestmark = pytest.mark.parametrize("xp", DEVICES, indirect=True)


@pytest.fixture
def tensor_cores(xp):
    """Float32 convolutions take this route, and nothing else."""
    set_float32_matmul_precision("high")
    yield
    set_float32_matmul_precision("highest")


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
    with any_width(long, ("backward", "shuffled")), mock.patch.object(gemm_cuda, "BLOCKS", 8):
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
