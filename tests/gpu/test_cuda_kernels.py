"""Net 2: every kernel against its specification on the CPU, on drawn sizes, layouts and windows.

On the stand-in each launch runs its threads in three orders, between guard bytes, into outputs full
of NaN, with 32-bit or 64-bit indices. On a real GPU (`-m gpu`) the same tests run as they are.
"""

import contextlib
import math
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import minigrad as mg
from minigrad import optim
from minigrad.backend import keyed_generator
from minigrad.kernels import conv
from minigrad.kernels.adaptive import cpu as adaptive
from minigrad.kernels.conv import gpu as conv_gpu
from minigrad.kernels.dropout import cpu as dropout
from minigrad.kernels.norm import cpu as norm
from minigrad.kernels.norm import gpu as norm_gpu
from minigrad.kernels.pool import cpu as pool
from minigrad.kernels.runtime import cuda
from minigrad.kernels.runtime.window import Window
from minigrad.ops.activation import ReLU, Sigmoid, Tanh
from minigrad.ops.norm import BatchNorm, BatchNormReLU, ScaleShiftReLU
from tests.gpu.cuda_devices import DEVICES, every_order, host

TOLERANCE = {"float32": 32 * np.finfo(np.float32).eps, "float64": 1e-12}
pytestmark = [pytest.mark.parametrize("xp", DEVICES, indirect=True),
              pytest.mark.parametrize("dtype", TOLERANCE)]
sizes, seeds = st.integers(1, 6), st.integers(0, 2**32 - 1)


@st.composite
def axes(draw, pooling, most):
    """(size, kernel, stride, padding, dilation, extra padding) that fit together along one axis."""
    k, s, d = draw(st.integers(1, most)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    p = draw(st.integers(0, k // 2 if pooling else 3))
    n, extra = draw(st.integers(1, 9)), draw(st.integers(0, 1))
    assume(n + 2 * p + extra >= d * (k - 1) + 1)
    return n, k, s, p, d, extra


@st.composite
def windows(draw, pooling=False, most=4):
    """A Window and the size (H, W) of an image that it slides over."""
    rows, columns = draw(axes(pooling, most)), draw(axes(pooling, most))
    (h, *rows), (w, *columns) = rows, columns
    return Window(*(n for both in zip(rows, columns) for n in both)), (h, w)


class Numbers:
    """Arrays drawn from a seed, each in a memory layout of its own; small integers tie often."""

    def __init__(self, seed, dtype):
        self.rng, self.dtype = np.random.default_rng(seed), dtype

    def __call__(self, *shape, ties=False):
        axes = self.rng.permutation(len(shape))
        wide = [shape[a] * (1 + self.rng.integers(2)) for a in axes]
        x = (self.rng.integers(-1, 2, wide) if ties else self.rng.standard_normal(wide))
        x = x[tuple(slice(None, None, n // shape[a]) if shape[a] else slice(None)
                    for n, a in zip(wide, axes))]
        return x.astype(self.dtype, order="K").transpose(np.argsort(axes))


@contextlib.contextmanager
def any_width(wide, orders=("forward", "backward", "shuffled")):
    """These orders of threads, and 64-bit indices for arrays of any size if `wide`."""
    with every_order(orders), mock.patch.object(cuda, "INT_LIMIT", 0 if wide else 2**31):
        yield


def same(got, want, terms=1, scale=1):
    """|got - want| <= 32 eps sqrt(terms) (1e-12 in float64) times the largest value, or `scale`."""
    got = host(got)
    assert got.dtype in (np.float32, np.float64) and got.shape == want.shape
    bound = TOLERANCE[got.dtype.name] * (math.sqrt(terms) if got.dtype == np.float32 else 1)
    scale = max(scale, np.abs(want[np.isfinite(want)]).max(initial=0))
    np.testing.assert_allclose(got, want, rtol=0, atol=bound * scale)


def wide(*arrays):
    return [a.astype(np.float64) for a in arrays]


# ---- pooling -------------------------------------------------------------------------------------

@given(windows(pooling=True), sizes, sizes, seeds, st.booleans(),
       st.sampled_from(["", "nan", "inf"]))
def test_max_pooling_and_its_two_transposes(xp, dtype, case, n, c, seed, long, special):
    (window, size), draw = case, Numbers(seed, dtype)
    x = draw(n, c, *size, ties=True)
    if special:
        x[draw.rng.random(x.shape) < 0.3] = np.nan if special == "nan" else -np.inf
    y, winner = pool.maximum(x, window)
    g, z = draw(*y.shape), draw(*x.shape)
    with any_width(long):
        got, places = pool.maximum(xp.asarray(x), window)
        back = pool.scatter(xp.asarray(g), places, window, size)
        picked = pool.gather(xp.asarray(z), places, window)
    assert np.array_equal(host(got), y, equal_nan=True) and np.array_equal(host(places), winner)
    same(back, pool.scatter(*wide(g), winner, window, size), window.kh * window.kw)
    assert np.array_equal(host(picked), pool.gather(z, winner, window))


@given(windows(pooling=True), sizes, sizes, seeds, st.booleans())
def test_average_pooling_and_its_transpose(xp, dtype, case, n, c, seed, long):
    (window, size), draw = case, Numbers(seed, dtype)
    x, taps = draw(n, c, *size), window.kh * window.kw
    g = draw(n, c, *window.output_size(*size))
    with any_width(long):
        y = pool.average(xp.asarray(x), window)
        gx = pool.average_transpose(xp.asarray(g), window, size)
    same(y, pool.average(*wide(x), window), taps)
    same(gx, pool.average_transpose(*wide(g), window, size), taps)


sides = st.tuples(st.integers(1, 9), st.integers(1, 9))


@given(sides, sides, sizes, sizes, seeds, st.booleans())
def test_adaptive_average_pooling_and_its_transpose(xp, dtype, size, out, n, c, seed, long):
    draw = Numbers(seed, dtype)
    x, g = draw(n, c, *size), draw(n, c, *out)
    with any_width(long):
        y = adaptive.average(xp.asarray(x), out)
        gx = adaptive.average_transpose(xp.asarray(g), size)
    same(y, adaptive.average(*wide(x), out), math.prod(size))
    same(gx, adaptive.average_transpose(*wide(g), size), math.prod(out))


@given(sides, sides, sizes, sizes, seeds, st.booleans(), st.sampled_from(["", "nan", "inf"]))
def test_adaptive_max_pooling_and_its_two_transposes(xp, dtype, size, out, n, c, seed, long,
                                                     special):
    draw = Numbers(seed, dtype)
    x, z, g = draw(n, c, *size, ties=True), draw(n, c, *size), draw(n, c, *out)
    if special:
        x[draw.rng.random(x.shape) < 0.3] = np.nan if special == "nan" else -np.inf
    y, place = adaptive.maximum(x, out)
    with any_width(long):
        got, places = adaptive.maximum(xp.asarray(x), out)
        back = adaptive.scatter(xp.asarray(g), places, size)
        picked = adaptive.gather(xp.asarray(z), places)
    assert np.array_equal(host(got), y, equal_nan=True) and np.array_equal(host(places), place)
    same(back, adaptive.scatter(*wide(g), place, size), math.prod(out))
    assert np.array_equal(host(picked), adaptive.gather(z, place))


# ---- convolution ---------------------------------------------------------------------------------

@pytest.mark.parametrize("route", ["direct", "columns"])
@given(windows(), st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), seeds,
       st.booleans())
def test_convolution_and_its_two_transposes(xp, dtype, route, case, n, groups, c, o, seed, long):
    (window, size), draw = case, Numbers(seed, dtype)
    groups += route == "direct"  # one group never goes there
    b = draw(groups * o)
    x, w = draw(n, groups * c, *size), draw(groups * o, c, window.kh, window.kw)
    g = draw(n, groups * o, *window.output_size(*size))
    with any_width(long), mock.patch.multiple(
            conv_gpu, THIN=100 if route == "direct" else 0, PIXELS_PER_CHUNK=5, CHUNKS=4,
            COLUMN_BYTES=2000):
        y = conv_gpu.forward(xp.asarray(x), xp.asarray(w), window, groups, xp.asarray(b))
        gx = conv.input_gradient(xp.asarray(g), xp.asarray(w), window, size, groups)
        gw = conv.weight_gradient(xp.asarray(x), xp.asarray(g), window, groups)
    x, w, g, b = wide(x, w, g, b)
    taps = window.kh * window.kw
    same(y, conv.forward(x, w, window, groups) + b.reshape(-1, 1, 1), taps * c)
    same(gx, conv.input_gradient(g, w, window, size, groups), taps * o)
    same(gw, conv.weight_gradient(x, g, window, groups), g[:, 0].size)


# ---- batch normalisation -------------------------------------------------------------------------

@given(st.integers(2, 40), st.one_of(sizes, st.integers(30, 35)), sizes, seeds,
       st.sampled_from([1e-3, 0.1]), st.floats(-100, 100), st.booleans(), st.sampled_from([0, 1, 6]))
def test_batch_norm_both_ways(xp, dtype, n, c, width, seed, eps, mean, long, relu):
    draw = Numbers(seed, dtype)
    x, w, b, g = draw(n, c, width), draw(c), draw(c), draw(n, c, width)
    x += x.dtype.type(mean)
    exact, op = BatchNorm(eps), BatchNormReLU(eps, relu) if relu else BatchNorm(eps)
    with any_width(long), mock.patch.multiple(norm_gpu, ROWS_PER_CHUNK=8, CHUNKS=5):
        y = op.forward(*map(xp.asarray, (x, w, b)))
        gradients = op.backward(*map(xp.asarray, (g, x, w)), *[y] * bool(relu))
    x, w, b, g = wide(x, w, b, g)
    want = exact.forward(x, w, b)
    if relu:  # the kernel's own y decides, where rounding may
        top = 6 if relu == 6 else np.inf
        want, g = np.clip(want, 0, top), g * (host(y) > 0) * (host(y) < top)
    terms, most = n * width, np.abs(exact.mean).max() + 1  # x - mean loses digits of the mean
    scale = exact.scale.max()
    for mine, theirs in zip((op.mean, op.var), (exact.mean, exact.var)):
        same(mine, theirs.reshape(-1), terms, most)
    same(y, want, terms, most * scale)
    for mine, theirs, power in zip(gradients, exact.backward(g, x, w), (2, 1, 0)):
        same(mine, theirs, terms, terms * most * scale**power * np.abs(g).max())


@given(sizes, st.one_of(sizes, st.integers(30, 35)), sizes, seeds, st.booleans(),
       st.sampled_from([None, np.nan, np.inf]), st.sampled_from([1, 6]))
def test_batch_norm_by_running_statistics_and_relu(xp, dtype, n, c, width, seed, long, bad, relu):
    draw = Numbers(seed, dtype)
    x, f, s, g = draw(n, c, width), draw(c), draw(c), draw(n, c, width)
    if bad is not None:
        x[0, 0, 0] = bad
    op, exact = ScaleShiftReLU(relu), ScaleShiftReLU(relu)
    f *= 6  # some beyond the ceiling of ReLU6
    with any_width(long), np.errstate(invalid="ignore"):
        y = op.forward(*map(xp.asarray, (x, f, s)))
        gradients = op.backward(*map(xp.asarray, (g, x, f)), y)
        same(y, exact.forward(*wide(x, f, s)))
        wanted = exact.backward(*wide(g, x, f), host(y))
    for mine, theirs in zip(gradients, wanted):
        same(mine, theirs, n * width)


@given(st.integers(1, 40), seeds, st.floats(0, 1), st.integers(2, 50))
def test_running_statistics(xp, dtype, c, seed, momentum, n):
    draw = Numbers(seed, dtype)
    mean, var, *running = (np.ascontiguousarray(draw(c)) for _ in range(4))
    ours = [xp.asarray(a) for a in running]
    with every_order():
        norm.update_running(xp.asarray(mean), xp.asarray(var), *ours, momentum, n)
    running = wide(*running)
    norm.update_running(*wide(mean, var), *running, momentum, n)
    for mine, theirs in zip(ours, running):
        same(mine, theirs)


# ---- loss, activations, dropout ------------------------------------------------------------------

@given(sizes, st.one_of(sizes, st.integers(126, 131)), seeds, st.sampled_from([0.0, 0.1, 1.0]),
       st.sampled_from([1.0, 100.0]), st.booleans())
def test_cross_entropy_both_ways(xp, dtype, n, c, seed, smoothing, spread, long):
    draw = Numbers(seed, dtype)
    x, g = draw(n, c) * np.array(spread, dtype), draw(n)
    target = draw.rng.integers(0, c, n)
    target[draw.rng.random(n) < 0.2] = -100
    results = []
    for array in (mg.Tensor(x.astype(np.float64), True), mg.Tensor(xp.asarray(x), True)):
        with any_width(long):
            loss = mg.ops.cross_entropy(array, target, reduction="none", label_smoothing=smoothing)
            loss.backward(mg.Tensor(g.astype(array.dtype)).to(array.device))
        results.append((host(loss.data), host(array.grad.data)))
    for theirs, mine in zip(*results):
        same(mine, theirs, c)


@given(st.lists(st.integers(0, 5), max_size=4), seeds, st.booleans())
def test_activations(xp, dtype, shape, seed, long):
    draw = Numbers(seed, dtype)
    x, g = draw(*shape), draw(*shape)
    y = np.tanh(x)
    for op in (Sigmoid(), Tanh(), ReLU()):
        with any_width(long):
            forward, backward = op.forward(xp.asarray(x)), op.backward(xp.asarray(g), xp.asarray(y))
        same(forward, op.forward(*wide(x)))
        same(backward, op.backward(*wide(g, y)))


@given(st.lists(st.integers(0, 9), max_size=3), st.integers(0, 2**63), st.floats(0, 1),
       st.booleans())
def test_dropout_masks_are_numpys(xp, dtype, shape, seed, p, long):
    like = xp.empty(1, dtype)
    with any_width(long):
        mask = dropout.mask(like, keyed_generator(seed, "dropout"), shape, p)
    want = keyed_generator(seed, "dropout").random(shape, "float32") >= np.float32(p)
    assert mask.dtype == dtype and np.array_equal(host(mask), want)


# ---- optimizers ----------------------------------------------------------------------------------

OPTIONS = [(optim.SGD, {}), (optim.SGD, {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
           (optim.SGD, {"momentum": 0.9, "nesterov": True}),
           (optim.Adam, {"weight_decay": 0.1}), (optim.AdamW, {"weight_decay": 0.1}),
           (optim.SGD, {"momentum": 0.9, "maximize": True}),
           (optim.AdamW, {"maximize": True}), (optim.Adam, {"amsgrad": True, "maximize": True}),
           (optim.AdamW, {"amsgrad": True, "weight_decay": 0.1})]


@given(st.lists(st.lists(st.integers(1, 17), max_size=3), min_size=1, max_size=4),
       st.sampled_from(OPTIONS), seeds, st.integers(1, 3), st.floats(0.1, 2))
def test_optimizers_take_the_cpus_steps(xp, dtype, shapes, option, seed, steps, limit):
    (kind, options), draw = option, Numbers(seed, dtype)
    values = [draw(*shape).copy(order="K") for shape in shapes]
    gradients = [[draw(*shape) for shape in shapes] for _ in range(steps)]
    results = []
    for to in (lambda a: a.astype(np.float64), xp.asarray):
        params = [mg.Tensor(to(value), requires_grad=True) for value in values]
        optimizer = kind(params, lr=0.1, **options)
        for some in gradients:
            for p, g in zip(params, some):
                p.grad = mg.Tensor(to(g))
            optim.clip_grad_value_(params, limit)
            optimizer.step()
        results.append([host(p.data) for p in params])
    for theirs, mine in zip(*results):
        same(mine, theirs, 10 * steps)
