"""Matrix products on the GPU: what CuPy does otherwise for stacks, bfloat16 and single numbers."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor
from minigrad.dtypes import number_type
from minigrad.kernels import conv
from minigrad.kernels.conv import gpu as conv_gpu
from minigrad.kernels.matmul.cpu import matmul
from minigrad.kernels.runtime.window import Window
from tests.engine.halves import EPS, HALVES
from tests.gpu.cuda_devices import DEVICES, host
from tests.gpu.fake_cublas import tf32_rounded

pytestmark = pytest.mark.parametrize("xp", DEVICES, indirect=True)
SHAPES = [((2, 3, 4), (2, 4, 5)), ((2, 1, 3, 3), (2, 1, 3, 3)), ((1, 3, 4), (1, 4, 5)),
          ((3, 4), (4, 5)), ((3, 1, 200), (3, 200, 1)), ((1, 200), (200, 1)),
          ((2, 0, 3), (2, 3, 2))]


def numbers(dtype, *shapes):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape).astype(number_type(dtype)) for shape in shapes]


def near(got, want, dtype):
    """Rounded once: half a unit in the last place, and what float32 sums are off by."""
    got = host(got)
    assert got.dtype == number_type(dtype) and got.shape == want.shape
    bound = EPS[dtype] * np.abs(want) + 1e-5
    assert (np.abs(got.astype(np.float64) - want) <= bound).all()


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_16_bits_are_added_in_float32_and_rounded_once(xp, dtype, shapes):
    a, b = numbers(dtype, *shapes)
    g, = numbers(dtype, np.matmul(*map(np.zeros, shapes)).shape)
    x, y = (Tensor(v, requires_grad=True) for v in (a, b))
    z = mg.matmul(x.to("cuda"), y.to("cuda"))
    z.backward(Tensor(g).to("cuda"))
    a, b, g = (v.astype(np.float64) for v in (a, b, g))
    near(z.data, a @ b, dtype)
    near(x.grad.data, g @ b.swapaxes(-1, -2), dtype)
    near(y.grad.data, a.swapaxes(-1, -2) @ g, dtype)


@pytest.mark.parametrize("dtype", HALVES)
def test_stacks_under_autocast(xp, dtype):
    """Of float32, transposed, of equal and of broadcast leading axes; both derivatives."""
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-4, 5, (2, 3, 3)).astype(np.float32) for _ in range(2))
    x, y = (Tensor(v, requires_grad=True) for v in (a, b))
    with mg.autocast(dtype):
        z = mg.matmul(x.to("cuda"), mg.transpose(y.to("cuda"), 1, 2))
        once = mg.matmul(x.to("cuda"), y[0].to("cuda"))
        spread = mg.matmul(x.to("cuda"), mg.unsqueeze(y[:1], 0).to("cuda"))
    assert z.dtype == once.dtype == spread.dtype == number_type(dtype)
    assert (host(z.data).astype(np.float32) == a @ b.swapaxes(1, 2)).all()
    assert (host(once.data).astype(np.float32) == a @ b[0]).all()
    assert (host(spread.data)[0].astype(np.float32) == a @ b[0]).all()
    (first,) = mg.grad((z * z).sum(), [x], create_graph=True)
    assert first.dtype == np.float32
    first.sum().backward()
    assert x.grad.shape == y.grad.shape == (2, 3, 3) and y.grad.device == "cpu"


@pytest.mark.parametrize("dtype", HALVES)
def test_a_linear_layer_of_one_output_adds_in_float32(xp, dtype):
    """Batch 1: added in 16 bits, 4096 ones stop at 256 (bfloat16) or 2048 (float16)."""
    x, w, b = (Tensor(v.astype(number_type(dtype))).to("cuda")
               for v in (np.ones((1, 4096)), np.ones((1, 4096)), np.zeros(1)))
    assert mg.nn.functional.linear(x, w, b).item() == 4096


@pytest.mark.parametrize("shapes", [((3, 4), (4, 5)), ((2, 3, 4), (2, 4, 5))], ids=["one", "stack"])
def test_high_precision_reaches_every_product(xp, shapes):
    """TF32 rounds the factors, of single products and of stacks; before and after it does not."""
    a, b = (v.astype(np.float32) for v in numbers("float32", *shapes))
    exact, rounded = a.astype(np.float64) @ b, tf32_rounded(a).astype(np.float64) @ tf32_rounded(b)
    x, y = map(xp.asarray, (a, b))
    for precision, want in (("highest", exact), ("high", rounded), ("highest", exact)):
        mg.set_float32_matmul_precision(precision)
        np.testing.assert_allclose(host(matmul(x, y)), want, rtol=0, atol=2e-6)
    assert np.abs(exact - rounded).max() > 1e-4


def test_high_precision_reaches_grouped_convolutions(xp, monkeypatch):
    monkeypatch.setattr(conv_gpu, "THIN", 0)
    x, w, window = *numbers("float32", (2, 8, 5, 5), (8, 4, 3, 3)), Window(3, 3, 1, 1, 1, 1)
    mg.set_float32_matmul_precision("high")
    got = host(conv.forward(xp.asarray(x), xp.asarray(w), window, 2))
    want = conv.forward(*(tf32_rounded(v).astype(np.float64) for v in (x, w)), window, 2)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)
    assert np.abs(got - conv.forward(x, w, window, 2)).max() > 1e-4


def test_float64_and_integers_stay_as_they_are(xp):
    mg.set_float32_matmul_precision("high")
    a, b = numbers("float64", (2, 3, 4), (2, 4, 5))
    np.testing.assert_allclose(host(matmul(xp.asarray(a), xp.asarray(b))), a @ b, rtol=1e-14)
    a, b = (v.astype(np.int64) for v in numbers("float64", (2, 3, 4), (2, 4, 5)))
    assert (host(matmul(xp.asarray(a), xp.asarray(b))) == a @ b).all()
