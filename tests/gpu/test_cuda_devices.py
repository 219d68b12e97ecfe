"""Arrays on two devices, numbers that a GPU has not, a GPU that is not there: one line each."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, nn, ops, optim
from minigrad.backend import DeviceError, to_device
from minigrad.kernels.optim import gpu as optim_gpu
from minigrad.kernels.runtime import cuda
from tests.conftest import kept_settings
from tests.gpu.cuda_devices import DEVICES, host
from tests.one_line import one_line

on_both = pytest.mark.parametrize("xp", DEVICES, indirect=True)
on_stand_in = pytest.mark.parametrize("xp", ["stand-in"], indirect=True)
IMAGES, ROWS = (2, 3, 4, 4), (2, 3)


def ones(*shape, dtype=np.float32):
    return Tensor(np.ones(shape, dtype))


def backward_with(here, there):
    x = here(ones(3))
    x.requires_grad = True
    (x * 2).backward(there(ones(3)))


def hooked(here, there):
    x = here(ones(3))
    x.requires_grad = True
    x.register_hook(lambda g: there(g))
    (x * 2).sum().backward()


def stepped(here, there, kind=optim.SGD):
    p = here(ones(3))
    p.requires_grad = True
    p.grad = there(ones(3))
    kind([p], lr=1.0).step()


def in_high_precision(run):
    mg.set_float32_matmul_precision("high")
    run()


def assigned(here, there):
    here(ones(3))[:] = there(ones(3)).data


MIXED = {  # name: what to run on Tensors here and there
    "add": lambda here, there: here(ones(3)) + there(ones(3)),
    "add an array": lambda here, there: here(ones(3)) * there(ones(3)).data,
    "compare": lambda here, there: here(ones(3)) > there(ones(3)),
    "where": lambda here, there: ops.where(there(ones(3) > 0), here(ones(3)), 0.0),
    "where, plain": lambda here, there: ops.where((there(ones(3)) > 0).data, here(ones(3)), 0.0),
    "maximum": lambda here, there: ops.maximum(here(ones(3)), there(ones(3))),
    "concatenate": lambda here, there: ops.concatenate([here(ones(3)), there(ones(3))]),
    "stack": lambda here, there: ops.stack([here(ones(3)), there(ones(3))]),
    "matmul": lambda here, there: here(ones(3, 3)) @ there(ones(3, 3)),
    "matmul of stacks": lambda here, there: here(ones(2, 3, 3)) @ there(ones(2, 3, 3)),
    "linear": lambda here, there: nn.functional.linear(here(ones(2, 3)), there(ones(4, 3))),
    "bias": lambda here, there: nn.functional.linear(
        here(ones(2, 3)), here(ones(4, 3)), there(ones(4))),
    "conv2d": lambda here, there: ops.conv2d(here(ones(*IMAGES)), there(ones(5, 3, 2, 2))),
    "conv2d, bias": lambda here, there: ops.conv2d(
        here(ones(*IMAGES)), here(ones(5, 3, 2, 2)), there(ones(5))),
    "conv_transpose2d": lambda here, there: ops.conv_transpose2d(
        here(ones(*IMAGES)), there(ones(3, 5, 2, 2))),
    "conv2d, one number": lambda here, there: ops.conv2d(
        here(ones(1, 1, 4, 4)), there(ones(1, 1, 1, 1))),
    "conv2d, groups": lambda here, there: ops.conv2d(
        here(ones(2, 4, 4, 4)), there(ones(4, 1, 1, 1)), groups=4),
    "conv2d, TF32": lambda here, there: in_high_precision(lambda: ops.conv2d(
        here(ones(1, 1, 4, 4)), there(ones(1, 1, 1, 1)))),
    "batch_norm of one channel": lambda here, there: ops.batch_norm(
        here(ones(2, 1, 4, 4)), None, None, there(ones(1)), here(ones(1)), training=True),
    "running statistics of one channel": lambda here, there: ops.batch_norm(
        here(ones(2, 1, 4, 4)), there(ones(1)).data, there(ones(1)).data, here(ones(1)),
        here(ones(1)), training=True),
    "batch_norm": lambda here, there: ops.batch_norm(
        here(ones(*IMAGES)), None, None, there(ones(3)), here(ones(3)), training=True),
    "running statistics": lambda here, there: ops.batch_norm(
        here(ones(*IMAGES)), there(ones(3)).data, there(ones(3)).data, here(ones(3)),
        here(ones(3)), training=True),
    "running statistics, evaluation": lambda here, there: ops.batch_norm(
        here(ones(*IMAGES)), there(ones(3)).data, there(ones(3)).data, here(ones(3)),
        here(ones(3))),
    "mse_loss": lambda here, there: ops.mse_loss(here(ones(3)), there(ones(3))),
    "class weights": lambda here, there: ops.cross_entropy(
        here(ones(*ROWS)), np.array([0, 1]), there(ones(3)).data),
    "class weights, a Tensor": lambda here, there: ops.nll_loss(
        here(ones(*ROWS)), np.array([0, 1]), there(ones(3))),
    "gradient": backward_with, "hook": hooked, "step": stepped, "assignment": assigned,
    "Adam": lambda here, there: stepped(here, there, optim.Adam),
    "a layer": lambda here, there: there(nn.Linear(3, 2))(here(ones(2, 3)))}


@on_both
@pytest.mark.parametrize("direction", ["cpu meets cuda", "cuda meets cpu"])
@pytest.mark.parametrize("name", MIXED)
def test_two_devices_are_named(xp, name, direction):
    first, second = direction.split(" meets ")
    with one_line(DeviceError, "on 'cpu'", "on 'cuda'", '.to("cuda")') as caught:
        MIXED[name](lambda x: x.to(first), lambda x: x.to(second))
    assert isinstance(caught.value, RuntimeError)       # torch's
    assert isinstance(caught.value, TypeError)          # NumPy's and CuPy's


@on_both
def test_an_index_of_the_other_device(xp):
    """As in torch: the GPU takes the CPU's, and not the other way round."""
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    for index in (np.array([1, 0, 1]), x > 2, (slice(None), np.array([2, 0])),
                  Tensor(np.array([1, 1]))):
        a = Tensor(x, requires_grad=True)
        y = a.to("cuda")[index]
        (y * y).sum().backward()
        plain = index.data if isinstance(index, Tensor) else index
        b = Tensor(x, requires_grad=True)
        (b[plain] * b[plain]).sum().backward()
        assert (host(y.data) == x[plain]).all() and (a.grad.data == b.grad.data).all()
    with one_line(DeviceError, "Index", "on 'cpu'", "on 'cuda'"):
        Tensor(x)[xp.asarray(np.array([1, 0]))]


@on_both
def test_no_kernel_gets_an_array_of_the_host(xp):
    """CuPy passes a NumPy array of one number by its value, where the kernel reads an address."""
    x = np.ones(1, np.float32)
    for arrays in ([xp.asarray(x)], [x]), ([x], [xp.asarray(x)]):
        with one_line(DeviceError, "sigmoid on the GPU", "on 'cpu'"):
            cuda.launch("elementwise", "sigmoid", *arrays)


@on_both
def test_other_mistakes_on_one_device_keep_their_own_words(xp):
    x = ones(2, 3).to("cuda")
    with pytest.raises(ValueError, match="matmul: shapes"):
        x @ x
    with pytest.raises(Exception) as caught:
        ops.concatenate([x, x[0]])
    assert not isinstance(caught.value, DeviceError)


@on_both
@pytest.mark.parametrize("dtype", [np.longdouble, np.clongdouble])
def test_numbers_that_a_gpu_has_not(xp, dtype):
    words = (np.dtype(dtype).name, "GPU", "float64", ".to('float64')")
    with one_line(TypeError, *words):
        ones(3).to("cuda").to(dtype)
    with one_line(TypeError, *words):
        Tensor(np.ones(3, dtype)).to("cuda")
    assert ones(3).to(dtype).dtype == dtype     # the CPU has them


def cuda_without_gpus(count):
    runtime = SimpleNamespace(getDeviceCount=count)
    return SimpleNamespace(is_available=lambda: False, ndarray=(),
                           cuda=SimpleNamespace(runtime=runtime))


def too_old():
    raise RuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient\nfor it")


def test_why_cuda_finds_no_gpu_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", cuda_without_gpus(too_old))
    with one_line(RuntimeError, "cudaErrorInsufficientDriver", "minigrad[cuda12]", "'cpu'"):
        to_device(np.ones(1), "cuda")
    monkeypatch.setitem(sys.modules, "cupy", cuda_without_gpus(lambda: 0))
    with one_line(RuntimeError, "needs an NVIDIA GPU", "finds none: use"):
        to_device(np.ones(1), "cuda")


def test_a_cupy_that_cannot_be_imported_is_not_called_missing(monkeypatch, tmp_path):
    (tmp_path / "cupy.py").write_text(
        "raise ImportError('CuPy is not correctly installed.\\nlibnvrtc.so: cannot open')")
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with one_line(RuntimeError, "cannot be imported", "libnvrtc.so", "minigrad[cuda12]"):
        to_device(np.ones(1), "cuda")


@on_stand_in
def test_each_device_has_its_own_tables(xp, monkeypatch):
    """What one launch for many arrays reads besides them lies where the arrays do."""
    g, made = [xp.asarray(np.ones(5, np.float32))], []
    monkeypatch.setattr(xp, "asarray", lambda x, make=xp.asarray: made.append(1) or make(x))
    optim_gpu._pieces_of.cache_clear()
    for device, fresh in ((0, 2), (0, 1), (1, 2), (0, 1), (1, 1)):    # the addresses are always new
        monkeypatch.setattr(xp.cuda.runtime, "getDevice", lambda: device)
        optim_gpu.scale(g, 2.0)
        assert len(made) == fresh
        made.clear()
    optim_gpu._pieces_of.cache_clear()
    assert host(g[0]).tolist() == [32.0] * 5


def test_settings_are_set_back_behind_a_test_that_leaves_them():
    before = mg.backend.random_state()
    with pytest.raises(ZeroDivisionError), kept_settings():
        mg.set_float32_matmul_precision("high")
        mg.graph.context.autocast, mg.graph.context.grad = np.dtype(np.float16), False
        mg.manual_seed(99)
        1 / 0
    assert mg.get_float32_matmul_precision() == "highest"
    assert mg.graph.context.autocast is None and mg.graph.context.grad
    assert mg.backend.random_state() == before


@on_both
def test_a_condition_without_a_device_goes_where_the_values_are(xp):
    x = ones(2).to("cuda")
    for condition, want in ([True, False], [1, 0]), (True, [1, 1]):
        for y in (ops.where(condition, x, 0), ops.where(condition, x.data, 0)):
            assert host(y.data if isinstance(y, Tensor) else y).tolist() == want
