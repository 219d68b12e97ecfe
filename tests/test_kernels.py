"""Convolution and pooling kernels: every small size against the definition, adjoints, memory."""

from itertools import product

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor
from minigrad.kernels import conv, pool
from minigrad.kernels.window import Window, direct_windows, empty, image, pixels, zeros
from tests.one_line import one_line

# (size, kernel, stride, padding) along one axis: all that fit; each meets another one on the other
AXES = [(n, k, s, p) for n, k, s, p in product(range(1, 10), range(1, 5), range(1, 4), range(3))
        if n + 2 * p >= k]
POOL_AXES = [axis for axis in AXES if 2 * axis[3] <= axis[1]]


def pairs(axes, times=5):
    """(Window, image size): each of `axes` as the vertical one, random ones as the horizontal."""
    rng = np.random.default_rng(0)
    for (h, kh, sh, ph), _ in product(axes, range(times)):
        w, kw, sw, pw = axes[rng.integers(len(axes))]
        yield Window(kh, kw, sh, sw, ph, pw), (h, w)


def draw(rng, *shape):
    """Random numbers in any of three memory layouts: NCHW, channels-last, every second row."""
    layout = rng.integers(3)
    if layout == 0:
        return rng.standard_normal(shape)
    n, c, h, w = shape
    if layout == 1:
        return rng.standard_normal((n, h, w, c)).transpose(0, 3, 1, 2)
    return rng.standard_normal((n, c, 2 * h, w))[:, :, ::2]


def inner(a, b):
    return (a * b).sum()


def channels_last(a):
    """Is the memory of `a`, of shape (N, C, H, W), ordered N, H, W, C?"""
    return a.transpose(0, 2, 3, 1).flags.c_contiguous


def slow_conv(x, w, window):
    """The equation of kernels/conv.py, one output element at a time."""
    (kh, kw, sh, sw, ph, pw), (n, c, h, wd), o = window, x.shape, len(w)
    oh, ow = (h + 2 * ph - kh) // sh + 1, (wd + 2 * pw - kw) // sw + 1
    y = np.zeros((n, o, oh, ow))
    for b, f, i, j, u, v in product(*map(range, (n, o, oh, ow, kh, kw))):
        row, column = i * sh + u - ph, j * sw + v - pw
        if 0 <= row < h and 0 <= column < wd:
            y[b, f, i, j] += sum(x[b, k, row, column] * w[f, k, u, v] for k in range(c))
    return y


def test_direct_convolution_is_the_equation():
    rng = np.random.default_rng(0)
    for window, size in list(pairs(AXES, 1))[::7]:
        x, w = draw(rng, 2, 2, *size), draw(rng, 2, 2, window.kh, window.kw)
        np.testing.assert_allclose(conv.direct(x, w, window), slow_conv(x, w, window), atol=1e-13)


def test_convolution_is_direct_convolution_and_its_maps_are_adjoint():
    """<conv(x, w), g> = <x, input gradient(g, w)> = <w, weight gradient(x, g)>."""
    rng = np.random.default_rng(0)
    for window, size in pairs(AXES):
        n, c, o = rng.integers(1, 4, 3)
        x, w = draw(rng, n, c, *size), draw(rng, o, c, window.kh, window.kw)
        y = conv.forward(x, w, window)
        np.testing.assert_allclose(y, conv.direct(x, w, window), rtol=1e-12, atol=1e-12)
        g = draw(rng, *y.shape)
        gx, gw = conv.input_gradient(g, w, window, size), conv.weight_gradient(x, g, window)
        assert gx.shape == x.shape and gw.shape == w.shape
        scale = 1e-12 * max(1, inner(abs(y), abs(g)))
        assert abs(inner(y, g) - inner(x, gx)) <= scale
        assert abs(inner(y, g) - inner(w, gw)) <= scale


def test_max_pooling_is_the_definition_and_its_maps_are_adjoint():
    """y = gather(x) at the winners, <gather(x), g> = <x, scatter(g)>."""
    rng = np.random.default_rng(0)
    for window, size in pairs(POOL_AXES):
        x = draw(rng, 2, 3, *size) - 5  # all negative: a padding of zeros would win
        y, winner = pool.maximum(x, window)
        np.testing.assert_array_equal(y, pool.max_direct(x, window))
        np.testing.assert_array_equal(y, pool.gather(x, winner, window))
        g = draw(rng, *y.shape)
        gx = pool.scatter(g, winner, window, size)
        assert gx.shape == x.shape
        assert abs(inner(y, g) - inner(x, gx)) <= 1e-12 * max(1, inner(abs(y), abs(g)))


def test_average_pooling_is_the_definition_and_its_maps_are_adjoint():
    rng = np.random.default_rng(0)
    for window, size in pairs(POOL_AXES):
        x = draw(rng, 2, 3, *size)
        y = pool.average(x, window)
        np.testing.assert_allclose(y, pool.average_direct(x, window), rtol=1e-12, atol=1e-14)
        g = draw(rng, *y.shape)
        gx = pool.average_transpose(g, window, size)
        assert gx.shape == x.shape
        assert abs(inner(y, g) - inner(x, gx)) <= 1e-12 * max(1, inner(abs(y), abs(g)))


def test_the_first_of_equal_elements_wins_and_nan_wins_over_all():
    window = Window.of(2, 2, 0, "test")
    x = np.array([[[[1.0, 1, 2, np.nan], [1, 1, np.nan, 2]]]])
    y, winner = pool.maximum(x, window)
    np.testing.assert_array_equal(y, [[[[1, np.nan]]]])
    assert winner.tolist() == [[[[0, 1]]]]
    np.testing.assert_array_equal(pool.max_direct(x, window), y)
    g = pool.scatter(np.ones((1, 1, 1, 2)), winner, window, (2, 4))
    assert g.tolist() == [[[[1, 0, 0, 1], [0, 0, 0, 0]]]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtypes_are_kept_and_memory_is_channels_last(dtype):
    rng = np.random.default_rng(0)
    window, size = Window(3, 2, 2, 1, 1, 1), (5, 6)
    x, w = (draw(rng, *shape).astype(dtype) for shape in [(2, 3, *size), (4, 3, 3, 2)])
    y = conv.forward(x, w, window)
    g = draw(rng, *y.shape).astype(dtype)
    pooled, winner = pool.maximum(x, Window(2, 2, 2, 2, 0, 0))
    images = [y, pooled, winner.astype(dtype),
              pool.scatter(pooled, winner, Window(2, 2, 2, 2, 0, 0), size),
              pool.gather(x, winner, Window(2, 2, 2, 2, 0, 0)), pool.average(x, window),
              empty(x.shape, x), zeros(x.shape, x)]
    for a in images:
        assert a.dtype == dtype and channels_last(a)
    for a in (conv.input_gradient(g, w, window, size), pool.average_transpose(g, window, size)):
        assert a.dtype == dtype and a.strides[1] == a.itemsize  # cut out of its padding
    assert conv.weight_gradient(x, g, window).dtype == dtype


def test_images_keep_their_layout_through_ops():
    x = Tensor(np.ones((2, 3, 6, 6), np.float32), requires_grad=True)
    w = Tensor(np.ones((4, 3, 3, 3), np.float32), requires_grad=True)
    b = Tensor(np.ones(4, np.float32), requires_grad=True)
    y = mg.conv2d(x, w, b, padding=1)
    for a in (y, mg.relu(y), mg.tanh(y) * 2, mg.max_pool2d(mg.relu(y), 2), mg.avg_pool2d(y, 2)):
        assert channels_last(a.data)


def test_pixels_and_image_are_views_of_one_another():
    x = zeros((2, 3, 4, 5), np.empty(0))
    rows = pixels(x)
    assert rows.shape == (40, 3) and np.shares_memory(rows, x)
    assert np.shares_memory(image(rows, 2, 4, 5), x) and image(rows, 2, 4, 5).shape == x.shape
    plain = np.arange(24.0).reshape(1, 2, 3, 4)
    np.testing.assert_array_equal(image(pixels(plain), 1, 3, 4), plain)


def test_windows_are_where_the_equation_says():
    x = np.arange(20.0).reshape(1, 1, 4, 5)
    window = Window(2, 3, 2, 1, 1, 0)
    windows = direct_windows(x, window, value=-1)
    assert windows.shape == (1, 1, 3, 3, 2, 3)
    assert windows[0, 0, 0, 0].tolist() == [[-1, -1, -1], [0, 1, 2]]
    assert windows[0, 0, 1, 2].tolist() == [[7, 8, 9], [12, 13, 14]]
    padded = window.padded(x, -1)
    assert padded.shape == (1, 1, 6, 5) and np.array_equal(window.cropped(padded), x)


def test_output_sizes_against_counting():
    for (n, k, s, p) in AXES:
        places = [i for i in range(-p, n + p - k + 1) if (i + p) % s == 0]
        assert Window(k, 1, s, 1, p, 0).output_size(n, 1) == (len(places), 1)


@pytest.mark.parametrize("sizes, words", [
    ((0, 1, 0), ["kernel_size", ">= 1", "0"]), ((2, 0, 0), ["stride", ">= 1", "0"]),
    ((2, 1, -1), ["padding", ">= 0", "-1"]), (((2, 2, 2), 1, 0), ["kernel_size", "(2, 2, 2)"]),
    ((2, (1, 0), 0), ["stride", "(1, 0)"]), ((2, 1, 0.5), ["padding", "0.5"]),
    (("ab", 1, 0), ["kernel_size", "'ab'"])])
def test_a_wrong_window_names_the_op_and_the_parameter(sizes, words):
    with one_line(ValueError, "some op", *words):
        Window.of(*sizes, "some op")


def test_a_window_must_fit_the_image():
    with one_line(ValueError, "3x5", "4x4"):
        Window(3, 5, 1, 1, 0, 0).output_size(4, 4)
    x = Tensor(np.ones((1, 1, 2, 2)))
    for f in (lambda: mg.conv2d(x, Tensor(np.ones((1, 1, 3, 3)))), lambda: mg.max_pool2d(x, 3),
              lambda: mg.avg_pool2d(x, (1, 3))):
        with one_line(ValueError, "2x2"):
            f()


def test_an_empty_batch_passes():
    x = Tensor(np.ones((0, 2, 4, 4)), requires_grad=True)
    w = Tensor(np.ones((3, 2, 3, 3)), requires_grad=True)
    y = mg.max_pool2d(mg.conv2d(x, w), 2)
    y.sum().backward()
    assert y.shape == (0, 3, 1, 1) and x.grad.shape == x.shape and not w.grad.data.any()
