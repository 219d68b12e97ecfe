"""Ops that compute on 16 bits by themselves on a GPU: kernels and cuBLAS get the 16-bit arrays, and
nothing of an input's size is made in float32, forward and backward."""

import math
from functools import partial

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor
from minigrad.dtypes import is_half, number_type
from minigrad.function import Function
from minigrad.kernels.runtime.window import Window
from minigrad.kernels.testing import emulator
from minigrad.ops.activation import GELU, ReLU, Sigmoid
from minigrad.ops.conv import Conv2d, ConvInputGradient, Convolution, ConvWeightGradient
from minigrad.ops.linear import Linear, MatMul
from minigrad.ops.norm import BatchNorm, BatchNormReLU, LayerNorm, ScaleShiftReLU
from minigrad.ops.pool import (AdaptiveAvgPool2d, AdaptiveMaxPool2d, AvgPool2d, LinearMap,
                               MaxPool2d)
from minigrad.ops.reduce import Sum
from minigrad.ops.shape import SumTo
from tests.engine.halves import HALVES
from tests.gpu import fake_cublas, fake_cupy

SIZE = (12, 12)
X = (2, 8, *SIZE)               # of images
POOLED = (2, 8, 4, 4)           # after windows of 3x3, or 4x4 bins
WINDOW, SAME = Window(3, 3, 3, 3, 0, 0), Window(3, 3, 1, 1, 1, 1)


def recorded(op):
    """The op that gives the gradient of this one: a LinearMap of what is pooled."""
    op.forward(fake_cupy.asarray(np.random.default_rng(0).random(X).astype(np.float16)))
    gy = fake_cupy.asarray(np.ones(POOLED, np.float16))
    return op.backward(Tensor(gy, requires_grad=True)).node


def transposed(op):
    """The transpose of the map that `recorded` gives: of images."""
    node = recorded(op)
    return LinearMap(node.back, node.there)


POOLS = [(MaxPool2d, WINDOW), (AvgPool2d, WINDOW), (AdaptiveAvgPool2d, (4, 4)),
         (AdaptiveMaxPool2d, (4, 4))]
# a name: (a function that makes the op, shapes of its inputs; those of one axis stay in float32)
CASES = {
    **{op.__name__: (partial(op, size), X) for op, size in POOLS},
    **{f"LinearMap, back from {op.__name__}": (lambda op=op, size=size: recorded(op(size)), POOLED)
       for op, size in POOLS},
    **{f"LinearMap, again, of {op.__name__}": (lambda op=op, size=size: transposed(op(size)), X)
       for op, size in POOLS},
    "BatchNorm": (lambda: BatchNorm(1e-5), X, (8,), (8,)),
    "BatchNormReLU": (lambda: BatchNormReLU(1e-5), X, (8,), (8,)),
    "ScaleShiftReLU": (ScaleShiftReLU, X, (8,), (8,)),
    "Sum": (lambda: Sum((0, 2, 3), False), X),
    "SumTo": (lambda: SumTo((8, 1, 1)), X),
    "Sigmoid": (Sigmoid, X), "ReLU": (ReLU, X), "GELU": (lambda: GELU(False), X),
    "LayerNorm": (lambda: LayerNorm(1e-5), (40, 30), (30,), (30,)),
    "Conv2d": (lambda: Conv2d(SAME, 1, SIZE), X, (8, 8, 3, 3)),
    "Conv2d, depthwise": (lambda: Conv2d(SAME, 8, SIZE), X, (8, 1, 3, 3)),
    "ConvInputGradient": (lambda: ConvInputGradient(SAME, 1, SIZE), X, (8, 8, 3, 3)),
    "ConvWeightGradient": (lambda: ConvWeightGradient(SAME, 1, SIZE), X, X),
    "MatMul": (MatMul, (40, 30), (30, 24)), "Linear": (Linear, (40, 30), (24, 30)),
}


# What takes the pixels at places, or puts them there, by an index: no kernel gets an array.
INDEXED = {"LinearMap, again, of MaxPool2d", *(
    f"LinearMap, {which} AdaptiveMaxPool2d" for which in ("back from", "again, of"))}
BACK_INDEXED = {"AdaptiveMaxPool2d", "LinearMap, back from MaxPool2d",
                *(name for name in INDEXED if "Adaptive" in name)}


def address(array):
    return array.__array_interface__["data"][0]


@pytest.fixture
def watched(monkeypatch):
    """(addresses, dtypes) of what kernels and cuBLAS get; shapes of what is made in float32."""
    if emulator.MISSING:
        pytest.skip(emulator.MISSING)
    fake_cupy.install(monkeypatch)
    given, wide = [], []

    def kernel(self, grid, block, args, call=emulator.HostKernel.__call__):
        given.append([arg.host for arg in args if hasattr(arg, "host")])
        return call(self, grid, block, args)

    def product(a, b, matmul=fake_cublas.matmul):
        given.append([a, b])
        return matmul(a, b)

    def made(self, host, *rest, init=fake_cupy.ndarray.__init__):
        if host.dtype in (np.float32, np.float64):
            wide.append(host.shape)
        init(self, host, *rest)
    monkeypatch.setattr(emulator.HostKernel, "__call__", kernel)
    monkeypatch.setattr(fake_cublas, "matmul", product)
    monkeypatch.setattr(fake_cupy.ndarray, "__init__", made)
    return given, wide


def on_device(values):
    """Images lie in memory with their channels last, as kernels take them."""
    if values.ndim != 4:
        return fake_cupy.asarray(values)
    return fake_cupy.asarray(np.moveaxis(values, 1, 3).copy()).transpose(0, 3, 1, 2)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", CASES)
def test_nothing_is_widened(name, dtype, watched):
    (make, *shapes), (given, wide) = CASES[name], watched
    rng = np.random.default_rng(1)

    def tensor(shape, dtype=dtype):
        values = rng.standard_normal(shape).astype(number_type(dtype))
        return Tensor(on_device(values), requires_grad=True)

    op = make()
    inputs = [tensor(shape, "float32" if len(shape) == 1 else dtype) for shape in shapes]
    sizes = {math.prod(shape) for shape in shapes if len(shape) > 1}

    def check(*arrays, sums=()):
        made = set(map(math.prod, wide)) - {*sums}      # statistics, and partial sums of weights
        assert not made & sizes and max(made, default=0) < max(sizes), "a copy in float32"
        seen = {address(array) for call in given for array in call if is_half(array)}
        for array in arrays:
            assert address(array) in seen, "the kernel got another array than the 16-bit one"
        given.clear()
        wide.clear()

    given.clear()
    wide.clear()
    y = op(*inputs)
    assert is_half(y.data)
    check(*(x.data.host for x in inputs[:1] if name not in INDEXED))

    gy = tensor(y.shape)
    gradients = mg.grad(y, inputs, gy)
    assert [g.dtype for g in gradients] == [x.dtype for x in inputs]
    # the gradient of a sum is a view, and weights are rearranged, in 16 bits
    others = "Sum", "SumTo", "ConvWeightGradient", *BACK_INDEXED
    check(*[gy.data.host] * (name not in others),
          sums=sizes if name == "LayerNorm" else ())    # its products are summed over the rows


def test_the_table_has_every_such_op():
    def below(kind):
        return {kind, *(c for k in kind.__subclasses__() for c in below(k))}

    ours = {kind.__name__ for kind in below(Function)
            if kind.half_on_gpu and kind.__module__.startswith("minigrad.")}
    assert ours - {Convolution.__name__} == {name.partition(",")[0] for name in CASES}
