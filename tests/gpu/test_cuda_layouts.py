"""How arrays lie in memory on the GPU, which is not as in NumPy: the stand-in and the real CuPy.

And what CuPy 14.2 refuses. On a real GPU the same tests say whether the stand-in still tells the
truth about it.
"""

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, ops
from minigrad.dtypes import number_type
from tests.engine.halves import needs_bfloat16
from tests.gpu.cuda_devices import DEVICES, host
from tests.gpu.fake_cupy import HostDeviceMix

pytestmark = pytest.mark.parametrize("xp", DEVICES, indirect=True)
SHAPE = 2, 3, 4, 5


def channels_last(xp):
    return xp.asarray(np.random.default_rng(0).standard_normal((2, 4, 5, 3)).astype("f")).transpose(
        0, 3, 1, 2)


IN_C_ORDER = {  # what CuPy gives in C order, where NumPy keeps the order of its input
    "a ufunc": lambda xp, x: xp.exp(x), "an operator": lambda xp, x: x + x,
    "a number": lambda xp, x: x * 2.0, "where": lambda xp, x: xp.where(x > 0, x, x),
    "clip": lambda xp, x: xp.clip(x, -1, 1), "maximum": lambda xp, x: xp.maximum(x, x),
    "concatenate": lambda xp, x: xp.concatenate([x, x]), "copy()": lambda xp, x: x.copy(),
    "stack": lambda xp, x: xp.stack([x, x]), "a comparison": lambda xp, x: x > 0,
    "ascontiguousarray": lambda xp, x: xp.ascontiguousarray(x)}
IN_ITS_ORDER = {
    "empty_like": lambda xp, x: xp.empty_like(x), "zeros_like": lambda xp, x: xp.zeros_like(x),
    "ones_like": lambda xp, x: xp.ones_like(x), "astype": lambda xp, x: x.astype(np.float64),
    "astype itself": lambda xp, x: x.astype(np.float32),
    "copy in order K": lambda xp, x: x.copy(order="K"), "asarray": lambda xp, x: xp.asarray(x),
    "a wider asarray": lambda xp, x: xp.asarray(x, np.float64)}


@pytest.mark.parametrize("name", IN_C_ORDER)
def test_in_c_order_whatever_the_input(xp, name):
    for x in channels_last(xp), xp.asarray(np.ones(SHAPE, np.float32)).transpose(3, 2, 1, 0):
        assert not x.flags.c_contiguous and IN_C_ORDER[name](xp, x).flags.c_contiguous


@pytest.mark.parametrize("name", IN_ITS_ORDER)
def test_in_the_order_of_the_input(xp, name):
    x = channels_last(xp)
    y = IN_ITS_ORDER[name](xp, x)
    assert [s // y.itemsize for s in y.strides] == [s // x.itemsize for s in x.strides]


def test_what_comes_from_the_host_and_goes_there(xp):
    """In C order, unless NumPy's array was in Fortran's."""
    x = np.ones((2, 4, 5, 3), np.float32).transpose(0, 3, 1, 2)
    assert xp.asarray(x).flags.c_contiguous and xp.array(x).flags.c_contiguous
    assert xp.asarray(x.transpose(1, 0, 2, 3)).flags.c_contiguous
    assert xp.asarray(np.ones(SHAPE).T).flags.f_contiguous
    for y in channels_last(xp), xp.asarray(np.ones(SHAPE).T):
        assert y.get().flags.c_contiguous and xp.asnumpy(y).flags.c_contiguous


@pytest.mark.parametrize("refused, error", [
    (lambda xp, x: np.asarray(x), TypeError), (lambda xp, x: x + np.ones(3), TypeError),
    (lambda xp, x: np.ones(3) + x, TypeError), (lambda xp, x: xp.maximum(x, np.ones(3)), TypeError),
    (lambda xp, x: xp.where(np.ones(3) > 0, x, x), TypeError),
    (lambda xp, x: xp.concatenate([x, np.ones(3)]), TypeError),
    (lambda xp, x: x.__setitem__(slice(None), np.ones(3)), (ValueError, HostDeviceMix)),
    (lambda xp, x: xp.ascontiguousarray(np.ones(3)), TypeError),
    (lambda xp, x: x.astype(np.longdouble), ValueError),
    (lambda xp, x: xp.asarray(np.ones(3, np.longdouble)), ValueError),
    (lambda xp, x: xp.zeros(3, np.clongdouble), ValueError),
    (lambda xp, x: xp.asarray(np.array(["a"])), ValueError),
    (lambda xp, x: xp.asarray(np.array([None])), ValueError),
    (lambda xp, x: x.astype(">f4"), ValueError)], ids=range(14))
def test_refused(xp, refused, error):
    with pytest.raises(error):
        refused(xp, xp.asarray(np.ones(3, np.float32)))


@needs_bfloat16
def test_stacks_of_bfloat16_are_refused(xp):
    x = xp.asarray(np.ones((2, 3, 3), number_type("bfloat16")))
    with pytest.raises(TypeError):
        x @ x
    assert host(x[0] @ x[0]).astype(float).tolist() == [[3.0] * 3] * 3


def test_big_endian_numbers_come_from_the_host(xp):
    x = Tensor(np.arange(3, dtype=">f4")).to("cuda")
    assert x.dtype == np.float32 and host(x.data).tolist() == [0, 1, 2]


@pytest.mark.parametrize("axes", [(0, 3, 1, 2), (3, 2, 1, 0), (1, 0, 2, 3)])
def test_a_chain_of_ops_gives_the_cpus_numbers_from_any_layout(xp, axes):
    """Convolution, batch norm, residual, pooling, concatenation, in and out of C order."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in (
        [(2, 3, 6, 6)[a] for a in np.argsort(axes)], (3, 3, 3, 3), (3,), (3,))]
    shift = np.zeros((2, 1, 6, 6))
    shift[0] = 1

    def run(device):
        x, w, scale, bias = (Tensor(a, requires_grad=True) for a in arrays)
        a, k, f, s = (v.to(device) for v in (x, w, scale, bias))
        a = a.permute(axes)
        y = ops.conv2d(a, k, padding=1)
        y = ops.batch_norm(y, None, None, f, s, training=True, relu=True) + a
        y = ops.where(y > 0.1, y, y * 0.5) + Tensor(shift).to(device)
        y = mg.cat([ops.max_pool2d(y, 2), ops.avg_pool2d(y, 2)], 1)
        loss = (mg.clip(y, -1, 1) * y).sum()
        loss.backward()
        return [host(v) for v in (y.data, *[p.grad.data for p in (x, w, scale, bias)])]

    for mine, theirs in zip(run("cuda"), run("cpu")):
        np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-12)
