"""Convolution and pooling kernels: every small size against the definition, adjoints, memory."""

from itertools import product

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor
from minigrad.kernels import conv
from minigrad.kernels.adaptive import cpu as adaptive
from minigrad.kernels.conv import columns
from minigrad.kernels.pool import cpu as pool
from minigrad.kernels.runtime.window import Window, direct_windows, empty, image, pixels, zeros
from tests.one_line import one_line

# (size, kernel, stride, padding, dilation) along one axis: all small ones, and those that fit; each
# of these meets others on the other axis
ALL_AXES = list(product(range(1, 10), range(1, 5), range(1, 4), range(3), range(1, 3)))
AXES = [(n, k, s, p, d) for n, k, s, p, d in ALL_AXES if n + 2 * p >= d * (k - 1) + 1]
FITTING = set(AXES)
POOL_AXES = [axis for axis in AXES if 2 * axis[3] <= axis[1]]


def pairs(axes, times=3):
    """(Window, image size): each of `axes` as the vertical one, random ones as the horizontal."""
    rng = np.random.default_rng(0)
    for (h, kh, sh, ph, dh), _ in product(axes, range(times)):
        w, kw, sw, pw, dw = axes[rng.integers(len(axes))]
        yield Window(kh, kw, sh, sw, ph, pw, dh, dw), (h, w)


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


def taps(window, size):
    """(i, j), (u, v), (row, column): which pixels of an image of that size meet which tap where."""
    kh, kw, sh, sw, ph, pw, dh, dw, *_ = window
    oh, ow = ((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in zip(
        size, (kh, kw), (sh, sw), (ph, pw), (dh, dw)))
    for i, j, u, v in np.ndindex(oh, ow, kh, kw):
        row, column = i * sh + u * dh - ph, j * sw + v * dw - pw
        if 0 <= row < size[0] and 0 <= column < size[1]:
            yield (i, j), (u, v), (row, column)


def slow_conv(x, w, window, groups, shape):
    """The equation of kernels/conv/__init__.py, one product at a time, into zeros of that shape."""
    y, c, per_group = np.zeros(shape), w.shape[1], len(w) // groups
    for (i, j), (u, v), (row, column) in taps(window, x.shape[2:]):
        for b, o, k in np.ndindex(len(x), *w.shape[:2]):
            y[b, o, i, j] += x[b, o // per_group * c + k, row, column] * w[o, k, u, v]
    return y


def slow_pool(reduce, x, window, shape, padding):
    """One list of pixels per window, the padding (a number or None) among them, then `reduce`."""
    y = np.empty(shape)
    met = {place: [] for place in np.ndindex(shape[2:])}
    for place, _, pixel in taps(window, x.shape[2:]):
        met[place].append(pixel)
    for b, c, i, j in np.ndindex(shape):
        pixels = [x[b, c, row, column] for row, column in met[i, j]]
        missing = window.kh * window.kw - len(pixels)
        y[b, c, i, j] = reduce(pixels + [padding] * missing)
    return y


def expected_size(size, window):
    """The output size of torch's formula, by counting places."""
    return tuple(len(range(-p, n + p - d * (k - 1), s)) for n, k, s, p, d in zip(
        size, *(window[i:i + 2] for i in (0, 2, 4, 6))))


# (groups, C, O): one group, two and four groups, one per channel with one or two filters each
GROUPS = [(1, 3, 2), (2, 4, 2), (4, 4, 8), (3, 3, 3), (3, 3, 6), (1, 1, 1), (1, 2, 3)]


def test_the_sweep_is_exhaustive():
    assert len(ALL_AXES) == 9 * 4 * 3 * 3 * 2 == 648
    assert {(window.kh, window.sh, window.ph, window.dh, size[0]) for window, size in pairs(AXES)
            } == {(k, s, p, d, n) for n, k, s, p, d in AXES}


def test_direct_convolution_is_the_equation():
    rng = np.random.default_rng(0)
    for at, (window, size) in enumerate(pairs(AXES, 1)):
        groups, c, o = GROUPS[at % len(GROUPS)]
        x, w = draw(rng, 1, c, *size), draw(rng, o, c // groups, window.kh, window.kw)
        y = conv.direct(x, w, window, groups)
        slow = slow_conv(x, w, window, groups, (1, o, *expected_size(size, window)))
        assert y.shape == slow.shape
        np.testing.assert_allclose(y, slow, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("groups, c, o", GROUPS)
def test_convolution_is_direct_convolution_and_its_maps_are_adjoint(groups, c, o):
    """<conv(x, w), g> = <x, input gradient(g, w)> = <w, weight gradient(x, g)>."""
    rng = np.random.default_rng(0)
    for window, size in pairs(AXES, 1):
        n = rng.integers(1, 4)
        x, w = draw(rng, n, c, *size), draw(rng, o, c // groups, window.kh, window.kw)
        y = conv.forward(x, w, window, groups)
        assert y.shape == (n, o, *expected_size(size, window))
        np.testing.assert_allclose(y, conv.direct(x, w, window, groups), rtol=1e-12, atol=1e-12)
        g = draw(rng, *y.shape)
        gx = conv.input_gradient(g, w, window, size, groups)
        gw = conv.weight_gradient(x, g, window, groups)
        assert gx.shape == x.shape and gw.shape == w.shape
        scale = 1e-12 * max(1, inner(abs(y), abs(g)))
        assert abs(inner(y, g) - inner(x, gx)) <= scale
        assert abs(inner(y, g) - inner(w, gw)) <= scale


def test_a_batch_in_blocks_is_the_batch_in_one(monkeypatch):
    """Blocks of two images, the last one shorter."""
    rng = np.random.default_rng(0)
    window, size, groups = Window(3, 2, 2, 1, 1, 0), (6, 5), 2
    x, w = draw(rng, 5, 4, *size), draw(rng, 6, 2, 3, 2)
    whole = conv.forward(x, w, window, groups)
    g = draw(rng, *whole.shape)
    maps = [lambda: conv.forward(x, w, window, groups),
            lambda: conv.input_gradient(g, w, window, size, groups),
            lambda: conv.weight_gradient(x, g, window, groups)]
    wholes = [f() for f in maps]
    image_bytes = 6 * 4 * whole[0, 0].size * x.itemsize
    monkeypatch.setattr(columns, "BLOCK_BYTES", 2 * image_bytes)
    monkeypatch.setattr(columns, "BLOCK_ROWS", 1)
    for f, expected in zip(maps, wholes):
        np.testing.assert_allclose(f(), expected, rtol=1e-12, atol=1e-12)


def test_max_pooling_is_the_definition_and_its_maps_are_adjoint():
    """y = gather(x) at the winners, <gather(x), g> = <x, scatter(g)>."""
    rng = np.random.default_rng(0)
    for window, size in pairs(POOL_AXES):
        x = draw(rng, 2, 3, *size) - 5  # all negative: a padding of zeros would win
        y, winner = pool.maximum(x, window)
        assert y.shape == winner.shape == (2, 3, *expected_size(size, window))
        np.testing.assert_array_equal(y, pool.max_direct(x, window))
        seen = np.isfinite(y)  # dilated windows may miss the image
        assert seen.all() or max(window.dh, window.dw) > min(size)
        read = pool.gather(x, winner, window)
        np.testing.assert_array_equal(y[seen], read[seen])
        g = draw(rng, *y.shape)
        gx = pool.scatter(g, winner, window, size)
        assert gx.shape == x.shape
        assert abs(inner(read, g) - inner(x, gx)) <= 1e-12 * max(1, inner(abs(read), abs(g)))


def test_direct_pooling_is_one_window_after_the_other():
    rng = np.random.default_rng(0)
    for window, size in pairs(POOL_AXES, 1):
        x = draw(rng, 1, 2, *size)
        shape = (1, 2, *expected_size(size, window))
        for direct, reduce, padding in [(pool.max_direct, max, -np.inf),
                                        (pool.average_direct, np.mean, 0)]:
            y = direct(x, window)
            assert y.shape == shape
            np.testing.assert_allclose(y, slow_pool(reduce, x, window, shape, padding), 1e-12,
                                       1e-14)


def test_average_pooling_is_the_definition_and_its_maps_are_adjoint():
    rng = np.random.default_rng(0)
    for window, size in pairs(POOL_AXES):
        x = draw(rng, 2, 3, *size)
        y = pool.average(x, window)
        assert y.shape == (2, 3, *expected_size(size, window))
        np.testing.assert_allclose(y, pool.average_direct(x, window), rtol=1e-12, atol=1e-14)
        g = draw(rng, *y.shape)
        gx = pool.average_transpose(g, window, size)
        assert gx.shape == x.shape
        assert abs(inner(y, g) - inner(x, gx)) <= 1e-12 * max(1, inner(abs(y), abs(g)))


def test_adaptive_maxima_are_bin_by_bin_and_their_maps_are_adjoint():
    """y = gather(x) at the places, <gather(x), g> = <x, scatter(g)>; more bins than pixels too."""
    rng = np.random.default_rng(0)
    for size, out in [((7, 5), (4, 2)), ((3, 2), (5, 7)), ((6, 4), (3, 2)), ((1, 1), (2, 1))]:
        x, g = draw(rng, 2, 3, *size), draw(rng, 2, 3, *out)
        y, place = adaptive.maximum(x, out)
        for i, j in np.ndindex(*out):
            rows, columns = (adaptive.bin_of(k, parts, n) for k, parts, n in zip((i, j), out, size))
            np.testing.assert_array_equal(y[:, :, i, j], x[:, :, rows, columns].max((2, 3)))
        np.testing.assert_array_equal(adaptive.gather(x, place), y)
        gx = adaptive.scatter(g, place, size)
        assert gx.shape == x.shape
        assert abs(inner(y, g) - inner(x, gx)) <= 1e-12 * max(1, inner(abs(y), abs(g)))


def test_the_first_of_equal_elements_wins_and_the_last_nan_wins_over_all():
    window = Window.of(2, 2, 0, "test")
    x = np.array([[[[1.0, 1, 2, np.nan], [1, 1, np.nan, 2]]]])
    y, winner = pool.maximum(x, window)
    np.testing.assert_array_equal(y, [[[[1, np.nan]]]])
    assert winner.tolist() == [[[[0, 2]]]]
    np.testing.assert_array_equal(pool.max_direct(x, window), y)
    g = pool.scatter(np.ones((1, 1, 1, 2)), winner, window, (2, 4))
    assert g.tolist() == [[[[1, 0, 0, 0], [0, 0, 1, 0]]]]


def test_the_padding_wins_over_nothing():
    """Not even over pixels of -inf: the first of those gets the gradient."""
    x = np.full((1, 1, 2, 2), -np.inf)
    window = Window.of(3, 1, 1, "test")
    y, winner = pool.maximum(x, window)
    assert (y == -np.inf).all() and winner.tolist() == [[[[4, 3], [1, 0]]]]
    assert pool.positions(winner, window, 2).tolist() == [[[[0, 0], [0, 0]]]]
    g = pool.scatter(np.ones_like(y), winner, window, (2, 2))
    assert g.tolist() == [[[[4, 0], [0, 0]]]]


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
    assert padded.shape == (1, 1, 6, 5) and np.array_equal(window.cropped(padded, (4, 5)), x)
    dilated = direct_windows(x, Window(2, 2, 1, 1, 0, 0, 3, 2), value=-1)
    assert dilated[0, 0, 0].tolist() == [[[0, 2], [15, 17]], [[1, 3], [16, 18]], [[2, 4], [17, 19]]]
    longer = window._replace(eh=1, ew=2)
    assert longer.padded(x, -1).shape == (1, 1, 7, 7)
    assert longer.output_size(4, 5) == (3, 5)
    assert direct_windows(x, longer, -1)[0, 0, 2, 4].tolist() == [[19, -1, -1], [-1, -1, -1]]


@pytest.mark.parametrize("axis", [0, 1])
def test_every_size_either_fits_or_is_refused_by_name(axis):
    """Of all 648 windows, on either axis; pooling refuses more padding than half the kernel."""
    def both(value, other):
        return (value, other) if axis == 0 else (other, value)

    for n, k, s, p, d in ALL_AXES:
        x, w = Tensor(np.ones((1, 1, *both(n, 9)))), Tensor(np.ones((1, 1, *both(k, 1))))
        calls = [("conv2d", lambda: mg.conv2d(x, w, None, both(s, 1), both(p, 0), both(d, 1))),
                 ("max_pool2d", lambda: mg.max_pool2d(x, both(k, 1), both(s, 1), both(p, 0),
                                                      both(d, 1)))]
        if d == 1:
            calls.append(("avg_pool2d", lambda: mg.avg_pool2d(x, both(k, 1), both(s, 1),
                                                              both(p, 0))))
        for name, call in calls:
            if 2 * p > k and name != "conv2d":
                with one_line(ValueError, name, "padding", f"{both(p, 0)}"):
                    call()
            elif (n, k, s, p, d) in FITTING:
                places = len(range(-p, n + p - d * (k - 1), s))
                assert call().shape == (1, 1, *both(places, 9))
            else:
                with one_line(ValueError, "kernel_size", "{}x{}".format(*both(n, 9))):
                    call()


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


# ---- the linear ops and their transposes ---------------------------------------------------------

FILTERS = {shape: np.random.default_rng(0).standard_normal(shape)
           for shape in [(4, 2, 3, 2), (4, 3, 2, 3)]}
LINEAR = {
    "conv2d": (lambda x: mg.conv2d(x, FILTERS[4, 2, 3, 2], None, 2, (1, 0), (1, 2), 2),
               (2, 4, 6, 7)),
    "conv2d, same": (lambda x: mg.conv2d(x, FILTERS[4, 2, 3, 2], padding="same", groups=2),
                     (2, 4, 4, 3)),
    "conv_transpose2d": (lambda x: mg.conv_transpose2d(x, FILTERS[4, 2, 3, 2], None, 3, 1, 2, 2),
                         (2, 4, 3, 2)),
    "conv_transpose2d, room for another window": (
        lambda x: mg.conv_transpose2d(x, FILTERS[4, 3, 2, 3], None, 1, 1, 1, 1, 2), (2, 4, 3, 2)),
    "avg_pool2d": (lambda x: mg.avg_pool2d(x, (3, 2), (2, 1), 1), (2, 3, 5, 4)),
    "adaptive_avg_pool2d, 7 -> 4": (lambda x: mg.adaptive_avg_pool2d(x, 4), (2, 3, 7, 7)),
    "adaptive_avg_pool2d, 3 -> 5": (lambda x: mg.adaptive_avg_pool2d(x, (5, 2)), (2, 3, 3, 4)),
    "adaptive_avg_pool2d, 6 -> 3": (lambda x: mg.adaptive_avg_pool2d(x, (3, 2)), (2, 3, 6, 4)),
    "adaptive_avg_pool2d, one": (lambda x: mg.adaptive_avg_pool2d(x, 1), (2, 3, 6, 4)),
    "upsample_nearest2d": (lambda x: mg.upsample_nearest2d(x, (2, 3)), (2, 3, 3, 4)),
    "batch_norm, evaluation": (
        lambda x: mg.batch_norm(x, np.zeros(3), np.array([1.0, 2, 3]), np.array([0.5, -1, 2]),
                                np.zeros(3)), (2, 3, 3, 4)),
}


@pytest.mark.parametrize("f, shape", LINEAR.values(), ids=LINEAR)
def test_backward_is_the_transpose_and_its_backward_is_the_map(f, shape):
    """<A x, v> = <x, A^T v>, and the transpose of A^T, taken by backward again, is A."""
    rng = np.random.default_rng(1)
    x = Tensor(draw(rng, *shape), requires_grad=True)
    y = f(x)
    v = Tensor(draw(rng, *y.shape), requires_grad=True)
    (gx,) = mg.grad(y, [x], v, create_graph=True)
    scale = 1e-12 * max(1, inner(abs(y.data), abs(v.data)))
    assert abs(inner(y.data, v.data) - inner(x.data, gx.data)) <= scale
    u = draw(rng, *shape)
    (again,) = mg.grad(gx, [v], u)
    np.testing.assert_allclose(again.data, f(u), rtol=1e-12, atol=1e-12)


def test_transposed_convolution_is_the_transpose_of_convolution():
    """<conv2d(x, w), g> = <x, conv_transpose2d(g, w)> for all strides, and all sizes they leave."""
    rng = np.random.default_rng(0)
    for window, size in pairs(AXES, 1):
        options = {"stride": window[2:4], "padding": window[4:6], "dilation": window[6:8]}
        x, w = draw(rng, 2, 4, *size), draw(rng, 2, 2, window.kh, window.kw)
        y = mg.conv2d(x, w, groups=2, **options)
        g = draw(rng, *y.shape)
        rest = tuple((n + 2 * p - span) % s for n, p, span, s in zip(
            size, window[4:6], window.span, window[2:4]))
        gx = mg.conv_transpose2d(g, w, groups=2, output_padding=rest, **options)
        assert gx.shape == x.shape
        assert abs(inner(y, g) - inner(x, gx)) <= 1e-12 * max(1, inner(abs(y), abs(g)))


def test_upsampling_copies_bits():
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32) / 3
    y = mg.upsample_nearest2d(x, 3)
    assert y.dtype == x.dtype and channels_last(y)
    assert (y == x.repeat(3, 2).repeat(3, 3)).all()
