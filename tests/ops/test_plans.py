"""Plans of convolution beside the definition, and threads that change the time but no bit."""

import os
import signal
import threading
import time

import numpy as np
import pytest

import minigrad as mg
from minigrad.kernels import conv
from minigrad.kernels.conv import columns, depthwise, merging, winograd
from minigrad.kernels.elementwise import cpu as elementwise
from minigrad.kernels.norm import cpu as norm
from minigrad.kernels.pool import cpu as pool
from minigrad.kernels.runtime import threads
from minigrad.kernels.runtime.window import Window, empty
from tests.one_line import one_line


@pytest.fixture
def any_threads():
    """set_num_threads, taken back afterwards."""
    before = threads.get_num_threads()
    yield threads.set_num_threads
    threads.set_num_threads(before)


def images(rng, *shape, dtype=np.float32):
    """Random numbers, channels-last."""
    out = empty(shape, np.empty(0, dtype))
    out[...] = rng.standard_normal(shape)
    return out


def furthest(a, b):
    """The largest difference, relative to the largest of b."""
    return abs(a - b).max() / abs(b).max()


# ---- Winograd ------------------------------------------------------------------------------------

def test_a_network_takes_winograd_both_ways_and_is_as_accurate_as_it_says(monkeypatch,
                                                                          on_a_machine_with):
    on_a_machine_with("Haswell")
    rng = np.random.default_rng(0)
    window, used, forward = Window(3, 3, 1, 1, 1, 1), [], winograd.forward
    monkeypatch.setattr(winograd, "forward", lambda *args: used.append(1) or forward(*args))
    x, w, gy = images(rng, 4, 64, 18, 18), rng.standard_normal((48, 64, 3, 3)).astype("f"), images(
        rng, 4, 48, 18, 18)
    y, gx = conv.forward(x, w, window), conv.input_gradient(gy, w, window, (18, 18))
    assert len(used) == 2 and y.dtype == gx.dtype == np.float32
    exact = [a.astype(float) for a in (x, w, gy)]
    assert furthest(y, conv.forward(*exact[:2], window)) < 3e-6
    assert furthest(gx, conv.input_gradient(exact[2], exact[1], window, (18, 18))) < 3e-6


# ---- groups, blocks ------------------------------------------------------------------------------

@pytest.mark.parametrize("groups, channels, few", [
    (32, 4, 4), (32, 8, 8), (32, 64, 32), (6, 1, 1), (48, 1, 1), (64, 1, 2), (1, 3, 1), (7, 5, 1)])
def test_groups_merge_until_each_has_enough_channels(groups, channels, few):
    assert merging.merged_groups(channels, groups) == few
    w = np.random.default_rng(0).standard_normal((2 * groups, channels, 1, 2))
    wide, now = merging.merged(w, groups)
    assert now == few and wide.shape == (2 * groups, channels * groups // few, 1, 2)
    assert np.count_nonzero(wide) == w.size
    np.testing.assert_array_equal(merging.unmerged(wide, groups, few), w)


@pytest.mark.parametrize("window", [
    Window(3, 3, 1, 1, 1, 1), Window(5, 5, 2, 2, 2, 2), Window(3, 2, 2, 1, 0, 3), Window(
        2, 3, 1, 3, 1, 0, 2, 2, 1, 2)], ids=["3x3", "5x5, stride 2", "wide padding", "dilated"])
@pytest.mark.parametrize("run_bytes", [0, 200, 2**20])
def test_depthwise_is_direct_convolution(monkeypatch, window, run_bytes):
    """Runs of one pixel, of some and of a row; blocks of images and of rows; any memory layout."""
    rng = np.random.default_rng(0)
    monkeypatch.setattr(depthwise, "RUN_BYTES", run_bytes)
    x, x2 = rng.standard_normal((2, 3, 5, 10, 12))
    w, w2 = rng.standard_normal((2, 5, 1, *window[:2]))
    b = rng.standard_normal(5)
    expected = conv.direct(x, w, window, 5)
    g = rng.standard_normal(expected.shape)
    for block_bytes in (0, 1000, 2**20):
        monkeypatch.setattr(depthwise, "BLOCK_BYTES", block_bytes)
        for order in ((0, 1, 2, 3), (0, 2, 3, 1), (3, 2, 1, 0)):
            back = np.argsort(order)
            like = x.transpose(order).copy().transpose(back)
            np.testing.assert_allclose(conv.forward(like, w, window, 5, b),
                                       expected + b.reshape(-1, 1, 1), 1e-12, 1e-12)
            gw = conv.weight_gradient(like, g, window, 5)
            np.testing.assert_allclose(
                (w2 * gw).sum(), (conv.direct(x, w2, window, 5) * g).sum(), 1e-11)
        gx = conv.input_gradient(g, w, window, (10, 12), 5)
        np.testing.assert_allclose((x2 * gx).sum(), (conv.direct(x2, w, window, 5) * g).sum(),
                                   1e-11)


@pytest.mark.parametrize("n, c, o", [(0, 256, 260), (0, 3, 5), (2, 0, 4), (2, 3, 0), (0, 0, 0)])
@pytest.mark.parametrize("k", [1, 3])
def test_convolutions_of_nothing(n, c, o, k):
    """No images, no channels or no filters: shapes as ever, and zeros where there is a sum."""
    window = Window(k, k, 1, 1, 1, 1)
    x, w = images(np.random.default_rng(0), n, c, 5, 6), np.ones((o, c, k, k), np.float32)
    y = conv.forward(x, w, window)
    assert y.shape == (n, o, *window.output_size(5, 6)) and not y.any()
    assert conv.input_gradient(y, w, window, (5, 6)).shape == x.shape
    np.testing.assert_array_equal(conv.weight_gradient(x, y, window), 0 * w)


def test_an_infinite_pixel_raises_no_warning_of_numpy_s(monkeypatch):
    """By none of the plans that compute more products than the definition has."""
    monkeypatch.setattr(winograd, "LEAST_PIXELS", 0)
    for c, o, groups in ((1, 1, 1), (16, 16, 1), (8, 8, 4)):
        window, x = Window(3, 3, 1, 1, 1, 1), images(np.random.default_rng(0), 2, c, 8, 8)
        x[:, :, 3, 1] = np.inf
        w = np.ones((o, c // groups, 3, 3), np.float32)
        with np.errstate(all="raise", under="ignore"):
            assert np.isinf(conv.forward(x, w, window, groups)).any()


def test_depthwise_of_no_images():
    window = Window(3, 3, 2, 2, 1, 1)
    x, w = np.zeros((0, 5, 8, 8), np.float32), np.ones((5, 1, 3, 3), np.float32)
    y = conv.forward(x, w, window, 5)
    assert y.shape == (0, 5, 4, 4)
    assert conv.input_gradient(y, w, window, (8, 8), 5).shape == x.shape
    np.testing.assert_array_equal(conv.weight_gradient(x, y, window, 5), 0 * w)


@pytest.mark.parametrize("value", [np.inf, np.nan])
@pytest.mark.parametrize("shape, channels, groups, stride", [
    ((8, 48, 16, 16), 48, 1, 1), ((1, 8, 9, 9), 12, 4, 1), ((1, 8, 9, 9), 8, 8, 2)],
    ids=["winograd", "merged groups", "depthwise, stride 2"])
@pytest.mark.parametrize("kernel", ["Haswell", "SkylakeX"])
def test_an_infinite_pixel_spoils_the_outputs_that_see_it(on_a_machine_with, kernel, shape,
                                                          channels, groups, stride, value):
    """Forward, and back through the same windows: 3 x 3 places in the channels of one group."""
    on_a_machine_with(kernel)
    rng = np.random.default_rng(0)
    x, w = images(rng, *shape), images(rng, channels, shape[1] // groups, 3, 3)
    window = Window(3, 3, stride, stride, 1, 1)
    x[0, 1, 5, 5] = value
    y = conv.forward(x, w, window, groups)
    seen = np.zeros(y.shape, bool)
    rows = slice(4, 7) if stride == 1 else slice(2, 4)
    first = channels // groups * (groups // 8)      # channel 1 is of the group 1, if there are 8
    seen[0, first:first + channels // groups, rows, rows] = True
    assert (np.isfinite(y) == ~seen).all()

    gy = images(rng, *y.shape)
    gy[0, 1, 3, 3] = value
    gx = conv.input_gradient(gy, w, window, shape[2:], groups)
    seen, first = np.zeros(shape, bool), shape[1] // groups * (groups // 8)
    rows = slice(2, 5) if stride == 1 else slice(5, 8)
    seen[0, first:first + shape[1] // groups, rows, rows] = True
    assert (np.isfinite(gx) == ~seen).all()


def test_merged_groups_compute_the_same():
    """64 groups of one channel become 2, for the convolution and for its three maps."""
    rng = np.random.default_rng(0)
    window = Window(3, 2, 2, 1, 1, 0)
    x, w = rng.standard_normal((2, 64, 6, 5)), rng.standard_normal((128, 1, 3, 2))
    y = conv.forward(x, w, window, 64)
    np.testing.assert_allclose(y, conv.direct(x, w, window, 64), 1e-12, 1e-12)
    g = rng.standard_normal(y.shape)
    gx, gw = conv.input_gradient(g, w, window, (6, 5), 64), conv.weight_gradient(x, g, window, 64)
    np.testing.assert_allclose([(x * gx).sum(), (w * gw).sum()], (y * g).sum(), 1e-10)


def test_large_filters_are_shared_out_by_tap_and_give_the_same_sum(monkeypatch):
    rng = np.random.default_rng(0)
    window = Window(3, 3, 2, 2, 1, 1)
    x, g = rng.standard_normal((7, 4, 9, 9)), rng.standard_normal((7, 70, 5, 5))
    results = []
    for limit, channels in ((2**30, 1), (0, 3), (0, 99)):
        monkeypatch.setattr(columns, "BLOCK_BYTES", limit)
        monkeypatch.setattr(columns, "TAP_CHANNELS", channels)
        results.append(conv.weight_gradient(x, g, window))
    np.testing.assert_allclose(results[1], results[0], 1e-12, 1e-12)
    np.testing.assert_allclose(results[2], results[0], 1e-12, 1e-12)


# ---- threads -------------------------------------------------------------------------------------

def everything():
    """The bytes of all kernels' results on arrays of several blocks each."""
    rng = np.random.default_rng(0)
    for c, o, groups, size, k, stride in [(3, 16, 1, 64, 3, 1), (16, 16, 1, 40, 3, 1),
                                          (64, 64, 1, 16, 3, 1), (64, 256, 1, 12, 3, 2),
                                          (64, 64, 16, 14, 3, 1), (64, 64, 64, 30, 3, 1),
                                          (64, 64, 64, 30, 5, 2), (64, 256, 1, 8, 1, 1),
                                          (80, 80, 1, 2, 3, 1), (256, 256, 1, 4, 3, 1),
                                          (256, 256, 1, 7, 3, 1)]:
        window = Window(k, k, stride, stride, k // 2, k // 2)
        x, b = images(rng, 16, c, size, size), rng.standard_normal(o).astype("f")
        w = rng.standard_normal((o, c // groups, k, k)).astype("f")
        y = conv.forward(x, w, window, groups, b)
        yield y
        yield conv.input_gradient(y, w, window, (size, size), groups)
        yield conv.weight_gradient(x, y, window, groups)
        mean, var, scale = norm.statistics(x, 1e-5)
        yield from (mean, var, scale, norm.normalise(x, mean, var, mean))
        yield from norm.gradient(x[::-1], x, mean, var, var)
        half, winner = pool.maximum(x, Window(2, 2, 2, 2, 0, 0))
        yield from (half, winner, pool.scatter(half, winner, Window(2, 2, 2, 2, 0, 0),
                                               (size, size)))


@pytest.mark.parametrize("change", [
    lambda x: x, lambda x: np.moveaxis(x, 1, -1), lambda x: x[:, :, ::2], lambda x: x[::-1],
    lambda x: np.broadcast_to(x[:1], x.shape), lambda x: x.astype(np.float64),
    lambda x: x.astype(np.int8)])
def test_large_arrays_are_shared_out_and_nothing_else_changes(any_threads, change):
    """Of any layout: addition, ReLU and its gradient are NumPy's, bit for bit."""
    any_threads(2)
    x = np.random.default_rng(0).standard_normal((6, 16, 200, 80)).astype("f")
    x[0, 0, 0, :4] = np.nan, -np.inf, np.inf, -0.0
    with np.errstate(invalid="ignore"):
        x = change(x)
    for y in (x, np.ascontiguousarray(x)):
        np.testing.assert_array_equal(mg.add(x, y), x + y)
    if x.dtype.kind == "f":
        y = elementwise.relu(x)
        np.testing.assert_array_equal(y, np.maximum(x, 0))
        np.testing.assert_array_equal(elementwise.relu_gradient(x, y), np.where(y <= 0, 0, x))


@pytest.mark.parametrize("kernel", ["Haswell", "SkylakeX"])
def test_results_are_the_same_bits_on_any_number_of_threads(any_threads, on_a_machine_with, kernel):
    on_a_machine_with(kernel)
    any_threads(1)
    expected = [a.tobytes() for a in everything()]
    for count in (2, 5):
        any_threads(count)
        assert [a.tobytes() for a in everything()] == expected


@pytest.mark.parametrize("count", [1, 2, 3])
def test_for_each_does_everything_once_and_passes_errors_on(any_threads, count):
    any_threads(count)
    done = []
    threads.for_each(done.append, range(50))
    assert sorted(done) == list(range(50))
    threads.for_each(done.append, [])
    for bad in range(4):
        with pytest.raises(ZeroDivisionError):
            threads.for_each(lambda item: 1 / (item - bad), range(4))
    with pytest.raises(IndexError):  # is an error too, not the end of the queue
        threads.for_each([].__getitem__, range(2))


def test_an_interrupt_waits_for_what_has_begun_and_sets_blas_back(any_threads):
    """Ctrl-C while another thread works: nothing runs any more when it is passed on."""
    any_threads(2)
    team, running, done = threads._team(os.getpid()), threading.Event(), []
    before = [library.num_threads for library in team.blas]

    def work(item):
        if threading.current_thread() is threading.main_thread():
            running.wait(10)
            signal.raise_signal(signal.SIGINT)
        running.set()
        time.sleep(0.05)
        done.append(item)

    with pytest.raises(KeyboardInterrupt):
        threads.for_each(work, range(2))
    assert len(done) == 1 and [library.num_threads for library in team.blas] == before


def test_calls_nest_and_come_from_many_threads(any_threads):
    any_threads(2)
    done = []

    def outer(i):
        threads.for_each(lambda j: done.append((i, j)), range(5))

    callers = [threading.Thread(target=threads.for_each, args=(outer, range(k, k + 4)), daemon=True)
               for k in (0, 4, 8, 12)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(20)
    assert sorted(done) == [(i, j) for i in range(16) for j in range(5)]


def test_blas_keeps_to_one_thread_and_then_no_longer(any_threads):
    team = threads._team(os.getpid())

    def now():
        return [library.num_threads for library in team.blas]

    before, inside = now(), []
    threads.for_each(lambda _: inside.append(now()), range(2))
    assert inside == [[1] * len(before)] * 2 and now() == before
    with pytest.raises(ZeroDivisionError):
        threads.for_each(lambda _: 1 / 0, range(2))
    assert now() == before


def test_threads_have_the_callers_error_state(any_threads):
    any_threads(3)
    with np.errstate(all="raise"), pytest.raises(FloatingPointError):
        threads.for_each(lambda k: np.float32(3e38) * np.float32(1 + 9 * (k == 5)), range(6))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_has_threads_of_its_own(any_threads):
    any_threads(2)
    threads.for_each(str, range(8))  # the parent's threads exist
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        done = []
        threads.for_each(done.append, range(8))
        os.write(writing, bytes(sorted(done)))
        os._exit(0)
    assert os.read(reading, 8) == bytes(range(8))
    os.waitpid(child, 0)


def test_the_number_of_threads_is_positive():
    with one_line(ValueError, "set_num_threads", "0"):
        threads.set_num_threads(0)


# ---- batch norm ----------------------------------------------------------------------------------

@pytest.mark.parametrize("shape", [(5, 3), (4, 3, 7), (40, 3, 30, 31), (2, 1, 4, 1)])
@pytest.mark.parametrize("channels_last", [False, True])
def test_statistics_of_many_blocks_keep_small_variances_of_large_numbers(monkeypatch, shape,
                                                                         channels_last):
    monkeypatch.setattr(norm, "BLOCK_BYTES", 2**11)
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(np.float32) + np.float32(1e3)
    if channels_last:
        x = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    dims = (0, *range(2, x.ndim))
    mean, var, scale = norm.statistics(x, 1e-5)
    assert mean.dtype == var.dtype == scale.dtype == np.float32
    np.testing.assert_allclose(mean, x.mean(dims, dtype=float), 1e-6)
    np.testing.assert_allclose(var, x.var(dims, dtype=float), 2e-4)
    y = mg.batch_norm(x, None, None, np.ones(shape[1], "f"), np.zeros(shape[1], "f"), training=True)
    assert y.shape == shape and y.dtype == np.float32


def test_max_pooling_of_infinite_pixels_in_one_image_of_several(monkeypatch):
    """Blocks of one image: only those with NaN or infinity take the careful way, and all agree."""
    rng = np.random.default_rng(0)
    x = images(rng, 4, 3, 6, 6)
    x[1, 0, 0, 0], x[2] = np.nan, -np.inf
    window = Window(3, 3, 2, 2, 1, 1)
    monkeypatch.setattr(pool, "BLOCK_BYTES", 1)
    y, winner = pool.maximum(x, window)
    np.testing.assert_array_equal(y, pool.max_direct(x, window))
    assert (pool.gather(np.ones_like(x), winner, window) == 1).all()  # never in the padding
