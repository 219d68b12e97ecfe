"""16-bit numbers: every public op computes in float32 and rounds once, whatever it is made of."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, nn
from minigrad.data import ArrayDataset, DataLoader
from minigrad.dtypes import number_type
from minigrad.optim import Adam, clip_grad_norm_
from minigrad.train import fit
from tests.engine.halves import EPS, HALVES
from tests.gpu.cuda_devices import host, open_device

RNG = np.random.default_rng(0)


def draw(*shape, scale=1.0, rng=RNG):
    return (rng.standard_normal(shape) * scale).astype(np.float32)


LARGE = np.abs(draw(40, 6, scale=200)) + 200  # squares and sums beyond float16's 65504
IMAGES = np.abs(draw(2, 3, 40, 42, scale=20)) + 200
LABELS = RNG.integers(0, 6, 40)
W33 = draw(3, 4, 3, 3, scale=0.1)
CASES = {  # op, arrays
    "mean": (mg.mean, LARGE), "mean over rows": (lambda x: mg.mean(x, 0), LARGE),
    "var": (mg.var, LARGE / 4), "var over rows": (lambda x: mg.var(x, 0, 0, True), LARGE / 4),
    "logsumexp": (lambda x: mg.logsumexp(x, 1), LARGE),
    "softmax": (lambda x: mg.softmax(x, 0), LARGE / 50),
    "log_softmax": (lambda x: mg.log_softmax(x, 0), LARGE),
    "mse_loss": (mg.mse_loss, LARGE, LARGE + draw(40, 6, scale=100)),
    "mse_loss: none": (lambda x, y: mg.mse_loss(x, y, "none"), LARGE, LARGE + draw(40, 6)),
    "bce": (mg.binary_cross_entropy_with_logits, 300 * LARGE / 4, RNG.random((40, 6))),
    "cross_entropy": (lambda x: mg.cross_entropy(x, LABELS), 50 * LARGE),
    "cross_entropy: smoothed": (lambda x: mg.cross_entropy(x, LABELS, label_smoothing=0.1), LARGE),
    "cross_entropy: soft": (mg.cross_entropy, LARGE, mg.softmax(draw(40, 6), 1)),
    "nll_loss": (lambda x: mg.nll_loss(x, LABELS), -50 * LARGE),
    "adaptive_avg_pool2d": (lambda x: mg.adaptive_avg_pool2d(x, 1), IMAGES),
    "adaptive_avg_pool2d: bins": (lambda x: mg.adaptive_avg_pool2d(x, (3, 4)), IMAGES),
    "avg_pool2d": (lambda x: mg.avg_pool2d(x, 20), IMAGES),
    "max_pool2d": (lambda x: mg.max_pool2d(x, 3, 2), IMAGES),
    "upsample": (lambda x: mg.upsample_nearest2d(x, 3), IMAGES),
    "batch_norm: evaluation": (
        lambda x, w, b, m, v: mg.batch_norm(x, m, v, w, b), IMAGES, np.float32([3, 0.01, 2]),
        np.float32([-500, 2, 100]), np.float32([200, 210, 220]), np.float32([0.4, 400, 3])),
    "batch_norm: evaluation, relu": (
        lambda x, w, b, m, v: mg.batch_norm(x, m, v, w, b, relu=True), IMAGES,
        np.float32([3, 0.01, 2]), np.float32([-500, 2, 100]), np.float32([200, 210, 220]),
        np.float32([0.4, 400, 3])),
    "conv2d": (lambda x, w, b: mg.conv2d(x, w, b, padding=1), IMAGES, draw(4, 3, 3, 3), draw(4)),
    "conv_transpose2d": (mg.conv_transpose2d, IMAGES, W33, np.float32([-300, 2, -20, 150])),
    "linear": (mg.linear, LARGE, draw(5, 6), draw(5, scale=99)),
    "dropout": (lambda x: mg.nn.functional.dropout(x, 0.3), LARGE),
    "leaky_relu": (lambda x: mg.leaky_relu(x, 0.3), draw(40, 6)),
    "softplus": (mg.softplus, draw(40, 6, scale=9)), "sigmoid": (mg.sigmoid, draw(40, 6, scale=4)),
    "clip": (lambda x: mg.clip(x, 0.1, 0.7), draw(40, 6))}
BY_OUTPUT = "softmax", "softplus", "sigmoid"  # whose gradients are those of the rounded output


def rounded(x, dtype):
    return np.asarray(x, np.float32).astype(number_type(dtype))


def run(op, arrays, place=lambda x: x):
    """The output, and the gradients of the arrays."""
    mg.manual_seed(0)
    leaves = [Tensor(place(x), requires_grad=True) for x in arrays]
    y = op(*leaves)
    y.backward(Tensor(place(np.ones(y.shape, y.dtype))))
    return host(y.data), [host(x.grad.data) for x in leaves if x.grad is not None]


def check(name, dtype, place=lambda x: x, pixels=42):
    """One rounding of what float32 gives: value and gradients, where that is finite in 16 bits."""
    op, *arrays = CASES[name]
    arrays = [rounded(x[:, :, :pixels, :pixels] if x is IMAGES else x, dtype) for x in arrays]
    with np.errstate(over="ignore"):
        y, gradients = run(op, arrays, place=place)
    exact, exact_gradients = run(op, [x.astype(np.float32) for x in arrays])
    if name in BY_OUTPUT:
        gradients = exact_gradients = []
    for got, want in zip([y, *gradients], [exact, *exact_gradients], strict=True):
        assert got.dtype == dtype
        fits = np.abs(want) <= 65504
        got = got.astype(np.float32)
        slack = 1e-5 * np.abs(want).max(initial=0, where=fits) + 2.0**-24  # other orders of sums
        assert np.isfinite(got[fits]).all()
        assert (np.abs(got - want)[fits] <= EPS[dtype] * np.abs(want[fits]) + slack).all()
    assert np.isfinite(y.astype(np.float32)).all()


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", CASES)
def test_on_the_cpu(name, dtype):
    check(name, dtype)


@pytest.mark.parametrize("name", ["mean", "var", "mse_loss", "bce", "cross_entropy", "avg_pool2d",
                                  "cross_entropy: soft", "adaptive_avg_pool2d", "conv_transpose2d",
                                  "linear", "conv2d",
                                  "adaptive_avg_pool2d: bins", "batch_norm: evaluation"])
def test_on_the_gpu(name, monkeypatch):
    xp = open_device("stand-in", monkeypatch)
    check(name, "float16", xp.asarray, pixels=21)


def test_the_global_pooling_of_every_resnet():
    x = np.full((1, 1, 112, 112), 6, np.float16)
    assert mg.adaptive_avg_pool2d(x, 1).item() == 6
    with mg.autocast("float16"):
        assert mg.adaptive_avg_pool2d(Tensor(x), 1).item() == 6
    assert nn.AdaptiveAvgPool2d(1)(Tensor(x)).dtype == np.float16


@pytest.mark.parametrize("dtype", HALVES)
def test_losses_under_autocast_are_float32(dtype, rng):
    x, y = (Tensor(rounded(a, dtype)) for a in (LARGE, LARGE + 300))
    p = mg.softmax(draw(40, 6, rng=rng), 1)
    with mg.autocast(dtype):
        losses = [mg.mse_loss(x, y), mg.cross_entropy(x, LABELS), mg.cross_entropy(x, p),
                  mg.nll_loss(x, LABELS), mg.binary_cross_entropy_with_logits(x, y)]
        assert {loss.dtype for loss in losses} == {np.dtype(np.float32)}
        assert losses[0].item() > 65504 and mg.mean(x).dtype == dtype


def test_dtypes_that_meet_give_the_wider():
    x = Tensor(np.float16([[1, 2]]))
    assert mg.mse_loss(x, Tensor(np.float32([[1, 2]]))).dtype == np.float32
    assert mg.cross_entropy(x, [1]).dtype == np.float16


@pytest.mark.parametrize("dtype", HALVES)
def test_attention_under_autocast(dtype, rng):
    q, k, v = (Tensor(draw(2, 50, 16, scale=s, rng=rng), requires_grad=True)
               for s in (40, 40, 100))
    with mg.autocast(dtype):
        scores = mg.softmax(q @ mg.transpose(k, 1, 2) / 4, -1)
        y = scores @ v
    assert (scores.dtype, y.dtype) == (np.float32, dtype)
    y.sum().backward()
    assert all(np.isfinite(t.grad.data).all() for t in (q, k, v))
    exact = mg.softmax(q @ mg.transpose(k, 1, 2) / 4, -1) @ v
    assert np.abs(y.data.astype(np.float32) - exact.data).mean() < 200 * EPS[dtype]


@pytest.mark.parametrize("order", [1, 2, 3, math.inf])
def test_clipping_gradients_in_float16(order):
    p = Tensor(np.zeros(3000, np.float16), requires_grad=True)
    g = np.linspace(-400, 900, 3000).astype(np.float16)
    p.grad = Tensor(g.copy())
    exact = float(np.linalg.norm(g.astype(float), order))
    assert clip_grad_norm_(p, 1.0, order) == pytest.approx(exact, rel=1e-6)
    want = g.astype(np.float32) / np.float32(exact + 1e-6)
    assert p.grad.dtype == np.float16
    assert (np.abs(p.grad.data - want) <= EPS["float16"] * np.abs(want) + 2.0**-25).all()


def test_a_network_with_large_activations_trains_in_fp16(rng):
    """Its features are about 400, so that the sums of its pooling and its squares overflow."""
    mg.manual_seed(0)
    images = np.abs(rng.standard_normal((32, 1, 16, 16))).astype(np.float32)
    labels = np.arange(32) % 2
    images[labels == 1] *= 3
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                          nn.Linear(4, 2))
    model[0].weight.data *= 400
    model[-1].weight.data /= 400
    with mg.no_grad():
        assert mg.amax(model[:2][1](model[0](Tensor(images)))).item() > 400
    data = DataLoader(ArrayDataset(images, labels), batch_size=8)
    history = fit(model, data, epochs=16, optimizer=Adam(model.parameters(), lr=2e-3),
                  precision="fp16", progress=False)
    losses = history.column("train.loss")
    assert np.isfinite(losses).all() and losses[-1] < 0.8 * losses[0]
