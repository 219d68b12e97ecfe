"""Every op of the table on the GPU: the CPU's values and gradients, and nothing crosses over."""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad.backend import to_device
from tests.gpu import fake_cupy
from tests.gpu.cuda_devices import DEVICES, host
from tests.ops.array_table import ARRAYS
from tests.ops.op_checks import upstream
from tests.ops.op_table import TABLE


def moved(x, device):
    """x with the plain arrays in it (conditions, targets, running statistics) on the device."""
    if isinstance(x, (tuple, list)):
        return type(x)(moved(part, device) for part in x)
    return to_device(x, device) if isinstance(x, np.ndarray) else x


def on(device, op, options):
    """The op as a function of Tensors on that device, which may have no numbers of 80 bits."""
    def f(*args, **options):
        args = [np.float32 if a is np.longdouble else a for a in args]
        options = {name: moved(value, device) for name, value in options.items()}
        return op.function(*moved(args, device), **options)
    return op._replace(function=f).bound(options)


def run(f, arrays, device, differentiable):
    """f's value and gradients for a fixed random cotangent, as NumPy arrays."""
    xs = [mg.Tensor(a).to(device) for a in arrays]
    for x in xs:
        x.requires_grad = differentiable
    y = f(*xs)
    assert y.device == device
    if not differentiable:
        return [host(y.data)]
    v = mg.Tensor(upstream(host(y.data))).to(device)
    gs = mg.grad(y, xs, v, create_graph=True)
    y.backward(v)
    assert all(g.device == x.grad.device == device for g, x in zip(gs, xs))
    return [host(a.data) for a in (y, *gs, *[x.grad for x in xs])]


@pytest.fixture(autouse=True)
def no_reductions_of_floats(monkeypatch):
    """The stand-in refuses those here: kernels of our own do them."""
    for name in ("sum", "mean", "amax", "amin", "max", "min"):
        def only_others(a, *args, of=getattr(fake_cupy.module, name), **options):
            assert a.dtype.kind in "iubc"
            return of(a, *args, **options)
        monkeypatch.setattr(fake_cupy.module, name, only_others)


@pytest.mark.parametrize("xp", DEVICES, indirect=True)
@pytest.mark.parametrize("name", [*sorted(TABLE.keys() - {"to: where it is"}), *ARRAYS])
def test_an_op_gives_on_the_gpu_what_it_gives_on_the_cpu(xp, name):
    op = {**TABLE, **ARRAYS}[name]

    @settings(max_examples=3 if name in TABLE else 1, phases=[Phase.generate])
    @given(st.data())
    def compare(data):
        sample = data.draw(op.samples)
        arrays = [np.asarray(a) for a in sample.arrays]
        differentiable = op.kind != "constant"
        results = [run(on(device, op, sample.options), arrays, device, differentiable)
                   for device in ("cpu", "cuda")]
        for a, b in zip(*results):
            assert a.dtype == b.dtype and a.shape == b.shape
            np.testing.assert_allclose(b, a, rtol=1e-12, atol=1e-12)

    compare()
