"""16-bit numbers on the GPU: their conversions bit for bit, every kernel against its specification.

The bound is that of float32 sums (test_cuda_kernels.py), and one rounding of the result.
"""

import math
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad import Tensor, optim
from minigrad.backend import keyed_generator
from minigrad.dtypes import number_type
from minigrad.kernels import conv
from minigrad.kernels.adaptive import cpu as adaptive
from minigrad.kernels.conv import gemm
from minigrad.kernels.conv import gpu as conv_gpu
from minigrad.kernels.dropout import cpu as dropout
from minigrad.kernels.norm import gpu as norm_gpu
from minigrad.kernels.pool import cpu as pool
from minigrad.kernels.runtime import cuda
from minigrad.kernels.runtime.window import Window
from minigrad.ops.activation import ReLU, Sigmoid, Tanh
from minigrad.ops.norm import BatchNorm, BatchNormReLU, ScaleShiftReLU
from minigrad.train import fit
from tests.engine.halves import EPS, HALVES
from tests.gpu.cuda_devices import DEVICES, host
from tests.gpu.test_cuda_kernels import TOLERANCE, Numbers, any_width, seeds, windows
from tests.gpu.test_cuda_training import NETS
from tests.train.training_run import objects

pytestmark = [pytest.mark.parametrize("xp", DEVICES, indirect=True),
              pytest.mark.parametrize("dtype", HALVES)]
some = settings(max_examples=max(1, settings.default.max_examples // 3))
sizes = st.integers(1, 4)


def same(got, want, dtype, terms=1, scale=1, roundings=1):
    """|got - want| <= one rounding of want, and 32 eps sqrt(terms) in units of the largest."""
    got = host(got)
    assert got.dtype == dtype and got.shape == want.shape
    scale = max(scale, np.abs(want[np.isfinite(want)]).max(initial=0))
    bound = TOLERANCE["float32"] * math.sqrt(terms) * scale + 2.0**-25  # float16 ends at 2^-24
    allowed = roundings * EPS[dtype] * np.abs(want) + bound if dtype != "float32" else bound
    difference = np.abs(got.astype(np.float64) - want)
    assert (difference <= allowed).all() or np.array_equal(got, want, equal_nan=True)


def draw(seed, dtype):
    return Numbers(seed, number_type(dtype))


def wide(*arrays):
    return [a.astype(np.float64) for a in arrays]


# ---- conversions ---------------------------------------------------------------------------------

CONVERSIONS = """
template <typename T, typename I> __global__ void narrow(I size, const float* x, T* y) {
    I i = thread_number<I>();
    if (i < size) y[i] = x[i];
}
template <typename T, typename I> __global__ void widen(I size, const T* x, float* y) {
    I i = thread_number<I>();
    if (i < size) y[i] = x[i];
}
"""


def convert(xp, name, x, dtype):
    """x through one of CONVERSIONS, for float16 or bfloat16."""
    half = number_type(dtype)
    names = [f"{kernel}<{dtype}, int>" for kernel in ("narrow", "widen")]
    module = xp.RawModule(code=cuda.COMMON.read_text() + CONVERSIONS,
                          options=("--std=c++17",), name_expressions=names)
    y = xp.empty(x.shape, half if name == "narrow" else np.float32)
    kernel = module.get_function(f"{name}<{dtype}, int>")
    kernel((-(-x.size // 256),), (256,), (np.int32(x.size), xp.asarray(x), y))
    return y.get()


def test_every_16_bit_number_is_widened_to_its_value(xp, dtype):
    x = np.arange(2**16, dtype=np.uint16).view(number_type(dtype))
    want = x.astype(np.float32)
    got = convert(xp, "widen", x, dtype)
    number = ~np.isnan(want)
    assert (got.view(np.uint32)[number] == want.view(np.uint32)[number]).all()
    assert np.isnan(got[~number]).all()


def test_floats_are_rounded_to_nearest_ties_to_even(xp, dtype):
    """All 16-bit numbers, what lies halfway between two, both neighbours of that, and any bits."""
    exact = np.arange(2**16, dtype=np.uint16).view(number_type(dtype)).astype(np.float32)
    exact = np.sort(exact[np.isfinite(exact)])
    ties = (exact[1:].astype(np.float64) + exact[:-1]) / 2
    ties = np.append(ties, [exact[-1] + (exact[-1] - ties[-1])] * 2).astype(np.float32)
    bits = np.random.default_rng(0).integers(0, 2**32, 200_000, np.uint32)
    infinity = np.float32(np.inf)
    x = np.concatenate([exact, ties, np.nextafter(ties, infinity), np.nextafter(ties, -infinity),
                        bits.view(np.float32), np.array([np.inf, -np.inf, -0.0], np.float32)])
    with np.errstate(all="ignore"):
        want = x.astype(number_type(dtype))
    got = convert(xp, "narrow", x, dtype)
    number = ~np.isnan(x)
    assert (got.view(np.uint16)[number] == want.view(np.uint16)[number]).all()
    assert np.isnan(got[~number].astype(np.float32)).all()


# ---- kernels -------------------------------------------------------------------------------------

@some
@given(windows(pooling=True), sizes, sizes, seeds, st.booleans())
def test_pooling(xp, dtype, case, n, c, seed, long):
    (window, size), numbers = case, draw(seed, dtype)
    x = numbers(n, c, *size, ties=True)
    y, winner = pool.maximum(wide(x)[0], window)
    g, z, taps = numbers(*y.shape), numbers(*x.shape), window.kh * window.kw
    with any_width(long):
        a = xp.asarray(x)
        got, places = pool.maximum(a, window)
        back = pool.scatter(xp.asarray(g), places, window, size)
        picked = pool.gather(xp.asarray(z), places, window)
        mean = pool.average(xp.asarray(z), window)
        spread = pool.average_transpose(xp.asarray(g), window, size)
    assert (host(got) == y).all() and (host(places) == winner).all() and host(got).dtype == dtype
    assert (host(picked) == pool.gather(*wide(z), winner, window)).all()
    same(back, pool.scatter(*wide(g), winner, window, size), dtype, taps)
    same(mean, pool.average(*wide(z), window), dtype, taps)
    same(spread, pool.average_transpose(*wide(g), window, size), dtype, taps)


@pytest.mark.parametrize("plan", ["direct", "columns", "tensor cores"])
@some
@given(windows(most=3), sizes, st.integers(1, 3), sizes, sizes, seeds, st.booleans())
def test_convolution_and_its_two_transposes(xp, dtype, plan, case, n, groups, c, o, seed, long):
    (window, size), numbers = case, draw(seed, dtype)
    groups += plan != "tensor cores"
    if plan == "tensor cores":     # one group; half of the time with copies of 16 bytes
        groups, c, o = 1, 8 * c if c % 2 else c, 8 * o if o % 2 else o
    x, w = numbers(n, groups * c, *size), numbers(groups * o, c, window.kh, window.kw)
    b, g = numbers(groups * o), numbers(n, groups * o, *window.output_size(*size))
    maps = conv_gpu.forward, conv_gpu.input_gradient, conv_gpu.weight_gradient
    orders = ("backward", "shuffled") if plan == "tensor cores" else ("forward", "shuffled")
    with any_width(long, orders), mock.patch.object(gemm, "BLOCKS", 8), mock.patch.multiple(
            conv_gpu, THIN=100 if plan == "direct" else 0, PIXELS_PER_CHUNK=5, CHUNKS=4):
        a, k, d = map(xp.asarray, (x, w, g))
        y = maps[0](a, k, window, groups, xp.asarray(b))
        gx, gw = maps[1](d, k, window, size, groups), maps[2](a, d, window, groups)
    x, w, g, b = wide(x, w, g, b)
    taps, bias = window.kh * window.kw, b.reshape(-1, 1, 1)
    product = conv.forward(x, w, window, groups)
    same(y, product + bias, dtype, taps * c,  # rounded before the bias is added, and after
         scale=np.abs(product).max() * (1 + EPS[dtype] / TOLERANCE["float32"]))
    same(gx, conv.input_gradient(g, w, window, size, groups), dtype, taps * o)
    same(gw, conv.weight_gradient(x, g, window, groups), dtype, g[:, 0].size)


def test_which_plan_a_convolution_takes(xp, dtype):
    """16 bits need no leave to use the tensor cores, float32 does."""
    x, w = (xp.asarray(draw(0, dtype)(*shape)) for shape in ((1, 8, 4, 4), (8, 8, 3, 3)))
    window, before = Window(3, 3, 1, 1, 1, 1), mg.get_float32_matmul_precision()
    assert before == "highest" and not gemm.usable(x.astype(np.float32), 1)
    with mock.patch.object(gemm, "forward", side_effect=ZeroDivisionError), pytest.raises(
            ZeroDivisionError):
        conv_gpu.forward(x, w, window)


@pytest.mark.parametrize("kind", [BatchNorm, BatchNormReLU])
@some
@given(st.integers(2, 40), st.one_of(sizes, st.integers(30, 35)), sizes, seeds, st.booleans())
def test_batch_norm_both_ways(xp, dtype, kind, n, c, width, seed, long):
    numbers, single = draw(seed, dtype), draw(seed + 1, "float32")
    x, w, b, g = numbers(n, c, width), single(c), single(c), numbers(n, c, width)
    exact, op = kind(1e-3), kind(1e-3)
    with any_width(long), mock.patch.multiple(norm_gpu, ROWS_PER_CHUNK=8, CHUNKS=5):
        y = op.forward(*map(xp.asarray, (x, w, b)))
        outputs = [y] if op.relu else []
        gradients = op.backward(*map(xp.asarray, (g, x, w)), *outputs)
    x, w, b, g, *outputs = wide(x, w, b, g, *map(host, outputs))
    want, terms = exact.forward(x, w, b), n * width
    scale = exact.scale.max() * (np.abs(x).max() + 1)
    for mine, theirs in zip((op.mean, op.var), (exact.mean, exact.var)):
        same(mine, theirs, "float32", terms, scale)
    same(y, want, dtype, terms, scale)
    dtypes, exact = (dtype, "float32", "float32"), exact.backward(g, x, w, *outputs)
    for mine, theirs, kind in zip(gradients, exact, dtypes):
        same(mine, theirs, kind, terms, terms * scale**2 * np.abs(g).max())


@some
@given(sizes, sizes, sizes, seeds, st.booleans())
def test_batch_norm_by_given_statistics_with_relu(xp, dtype, n, c, width, seed, long):
    numbers, single, op = draw(seed, dtype), draw(seed + 1, "float32"), ScaleShiftReLU()
    x, f, s, g = numbers(n, c, width), single(c), single(c), numbers(n, c, width)
    dtypes = dtype, "float32", "float32"
    with any_width(long):
        y = op.forward(*map(xp.asarray, (x, f, s)))
        gradients = op.backward(*map(xp.asarray, (g, x, f)), y)
    x, f, s, g, passed = wide(x, f, s, g, host(y))
    same(y, op.forward(x, f, s), dtype)
    for mine, theirs, kind in zip(gradients, op.backward(g, x, f, passed), dtypes):
        same(mine, theirs, kind, n * width, n * width * np.abs(g).max() * (np.abs(x).max() + 1))


@some
@given(sizes, sizes, st.tuples(*[st.integers(1, 9)] * 2), st.tuples(sizes, sizes), seeds,
       st.booleans())
def test_adaptive_pooling(xp, dtype, n, c, size, bins, seed, long):
    numbers = draw(seed, dtype)
    x, g = numbers(n, c, *size, ties=True), numbers(n, c, *bins)
    with any_width(long):
        a, d = xp.asarray(x), xp.asarray(g)
        mean, spread = adaptive.average(a, bins), adaptive.average_transpose(d, size)
        top, place = adaptive.maximum(a, bins)
        back, picked = adaptive.scatter(d, place, size), adaptive.gather(a, place)
    x, g = wide(x, g)
    same(mean, adaptive.average(x, bins), dtype, 81)
    same(spread, adaptive.average_transpose(g, size), dtype, 81)
    want, winner = adaptive.maximum(x, bins)
    assert (host(top) == want).all() and (host(picked) == want).all()
    assert (host(place) == winner).all() and host(top).dtype == dtype
    same(back, adaptive.scatter(g, winner, size), dtype, 81)


@some
@given(st.lists(st.integers(0, 5), max_size=4), seeds, st.booleans())
def test_activations(xp, dtype, shape, seed, long):
    x, g = (draw(seed + i, dtype)(*shape) for i in range(2))
    y = np.tanh(x.astype(np.float32)).astype(x.dtype)
    for op in (Sigmoid(), ReLU()):
        with any_width(long):
            forward = op.forward(xp.asarray(x))
        same(forward, op.forward(*wide(x)), dtype)
    for op in (Sigmoid(), Tanh(), ReLU()):
        with any_width(long):
            backward = op.backward(xp.asarray(g), xp.asarray(y))
        same(backward, op.backward(*wide(g, y)), dtype)


def test_relu_keeps_nan_and_dropout_draws_the_cpus_mask(xp, dtype):
    x = np.array([np.nan, -np.inf, -1, 0, np.inf], np.float32)
    y = mg.relu(xp.asarray(x.astype(number_type(dtype))))
    assert np.array_equal(host(y).astype(np.float32), np.maximum(x, 0), equal_nan=True)
    like = xp.empty(1, number_type(dtype))
    mask = dropout.mask(like, keyed_generator(3, "dropout"), (5, 7), 0.4)
    want = keyed_generator(3, "dropout").random((5, 7), "float32") >= np.float32(0.4)
    assert mask.dtype == dtype and np.array_equal(host(mask), want)


# ---- training ------------------------------------------------------------------------------------

def train(device, dtype, build, size):
    """The losses of ten steps under autocast, with a scaled loss, and the final weights."""
    mg.manual_seed(0)
    model = build().to(device)
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    scaler, rng, losses = optim.GradScaler(2.0**10), np.random.default_rng(0), []
    for _ in range(10):
        x = Tensor(rng.standard_normal((2, *size)).astype(np.float32)).to(device)
        optimizer.zero_grad()
        with mg.autocast(dtype):
            loss = mg.cross_entropy(model(x), rng.integers(0, 7, 2))
        scaler.scale(loss).backward()
        assert all(p.grad.dtype == np.float32 for p in model.parameters())
        assert scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    return losses, [host(p.data) for p in model.parameters()]


def test_ten_steps_are_the_cpus(xp, dtype):
    (cpu_losses, cpu), (gpu_losses, gpu) = (train(device, dtype, *NETS["small_cnn"])
                                            for device in ("cpu", "cuda"))
    np.testing.assert_allclose(gpu_losses, cpu_losses, rtol=8 * EPS[dtype])
    for ours, want in zip(gpu, cpu):
        np.testing.assert_allclose(ours, want, rtol=0, atol=8 * EPS[dtype])


def test_fit_skips_on_the_gpu_what_it_skips_on_the_cpu(xp, dtype):
    """With a scale of 2^16 some of the first steps overflow in float16."""
    histories = []
    for device in ("cpu", "cuda"):
        model, loader, valid, how = objects()
        model.to(device)
        histories.append(fit(model, loader, valid, epochs=1, progress=False, clip_value=1.0,
                             precision={"float16": "fp16", "bfloat16": "bf16"}[dtype], **how)[0])
    cpu, gpu = histories
    assert cpu.get("skipped") == gpu.get("skipped") and (dtype == "bfloat16" or cpu["skipped"])
    for part in ("train", "valid"):
        np.testing.assert_allclose(gpu[part]["loss"], cpu[part]["loss"], rtol=8 * EPS[dtype])


def test_a_recorded_backward_rounds_once_too(xp, dtype):
    v = np.linspace(-3, 3, 64).astype(np.float32).astype(number_type(dtype))
    x, gy = Tensor(xp.asarray(v), requires_grad=True), Tensor(xp.asarray(v[::-1].copy()))
    for f in (mg.sigmoid, mg.tanh):
        y = f(x)
        (g,) = mg.grad(y, x, gy, create_graph=True)
        y, v64 = host(y.data).astype(np.float64), v[::-1].astype(np.float64)
        want = v64 * (y * (1 - y) if f is mg.sigmoid else 1 - y * y)
        assert np.array_equal(host(g.data), want.astype(np.float32).astype(number_type(dtype)))
