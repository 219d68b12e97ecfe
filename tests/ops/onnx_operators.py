"""ONNX's operators under our names: arguments renamed and reordered, nothing computed here.

    OPERATORS["Transpose"](x, perm=[1, 0])      # is mg.permute(x, (1, 0))

Each function takes an operator's inputs, Tensors (None for one left out), by position, and its
attributes by name, and gives the output or a tuple of them. It calls public names of minigrad only:
a chain of them where the standard defines the operator as one. A form of an operator that we do not
offer raises NotOffered.
"""

import functools
import math

import minigrad as mg
from tests.ops.onnx_arrays import ARRAYS
from tests.ops.onnx_integers import INTEGERS
from tests.ops.onnx_layers import LAYERS
from tests.ops.onnx_moves import (DTYPES, compress, concatenate, constant, constant_of_shape,
                                  depth_to_space, expand, eye_like, flatten, gather, gather_nd,
                                  numbers, pad, range_of, reshape, scatter_nd, shape_of, size_of,
                                  slice_of, squeeze, transpose, unless, unsqueeze, widths)


def exactly(f):
    """An operator with as many inputs as f and no attributes."""
    return lambda *xs: f(*xs)


def folded(f):
    """An operator of any number of inputs."""
    return lambda *xs: functools.reduce(f, xs)


# ---- elementwise ---------------------------------------------------------------------------------

def clip(x, min=None, max=None):
    if min is None and max is None:
        return x
    return mg.clip(x, *(None if limit is None else limit.item() for limit in (min, max)))


def leaky_relu(x, alpha=0.01):
    return mg.leaky_relu(x, alpha)


def power(a, b):
    return mg.cast(mg.pow(a, b), a.dtype)


def bit_shift(a, b, direction):
    return {"LEFT": mg.bitwise_left_shift, "RIGHT": mg.bitwise_right_shift}[direction](a, b)


def mean_of(*xs):
    return mg.div(folded(mg.add)(*xs), len(xs))


def prelu(x, slope):
    return mg.where(mg.gt(x, 0), x, mg.mul(slope, x))


def elu(x, alpha=1.0):
    return mg.where(mg.gt(x, 0), x, mg.mul(alpha, mg.expm1(x)))


def selu(x, alpha=1.67326319217681884765625, gamma=1.05070102214813232421875):
    return mg.mul(gamma, elu(x, alpha))


def thresholded_relu(x, alpha=1.0):
    return mg.where(mg.gt(x, alpha), x, 0)


def hard_sigmoid(x, alpha=0.2, beta=0.5):
    return mg.clip(mg.add(mg.mul(alpha, x), beta), 0, 1)


def dropout(x, ratio=None, training_mode=None, seed=None):
    p = 0.5 if ratio is None else float(ratio)
    training = training_mode is not None and training_mode.item()
    unless(p == 0 or not training, "dropout in training: the mask depends on the generator")
    return mg.dropout(x, p, training=training), mg.eq(x, x)


def cast(x, to, saturate=1, round_mode="up"):
    unless(to in DTYPES, "a dtype that minigrad does not have")
    return mg.cast(x, DTYPES[to])


def cast_like(x, y, saturate=1, round_mode="up"):
    return mg.cast(x, y.dtype)


# ---- reductions ----------------------------------------------------------------------------------

def reduction(f):
    def reduce(x, axes=None, keepdims=1, noop_with_empty_axes=0):
        axes = numbers(axes) if isinstance(axes, mg.Tensor) else axes
        if not axes and noop_with_empty_axes:
            return f(mg.unsqueeze(x, -1), -1, False)
        return f(x, tuple(axes) if axes else None, bool(keepdims))
    return reduce


def sum_of(f):
    """The sum over f(x)."""
    return reduction(lambda x, dim, keepdim: mg.sum(f(x), dim, keepdim))


def of_sum(f, g=lambda x: x):
    """f of the sum over g(x)."""
    return reduction(lambda x, dim, keepdim: f(mg.sum(g(x), dim, keepdim)))


def logsumexp(x, dim, keepdim):
    return mg.logsumexp(x, tuple(range(x.ndim)) if dim is None else dim, keepdim)


def arg(f):
    def place(x, axis=0, keepdims=1, select_last_index=0):
        if not select_last_index:
            return f(x, axis, bool(keepdims))
        places = mg.flip(mg.arange(x.shape[axis]), 0)
        return mg.take(places, f(mg.flip(x, axis), axis, bool(keepdims)))
    return place


def along_axis(f):
    return lambda x, axis=-1: f(x, axis)


# ---- products, windows, normalisation, losses ----------------------------------------------------

def gemm(a, b, c=None, alpha=1.0, beta=1.0, transA=0, transB=0):
    y = mg.matmul(mg.transpose(a, 0, 1) if transA else a, mg.transpose(b, 0, 1) if transB else b)
    y = mg.mul(alpha, y)
    return y if c is None else mg.add(y, mg.mul(beta, c))


def given(sizes, otherwise=1):
    return tuple(sizes) if sizes else otherwise


def padded(x, pads, auto_pad, value=0.0):
    """x and the padding that an operator's window needs, an even one left to the window."""
    unless(x.ndim in (3, 4), "windows over three axes")
    unless(auto_pad in ("NOTSET", "VALID"), f"padding by the name {auto_pad}")
    if not pads:
        return x, 0
    count = len(x.shape[2:])
    before, after = tuple(pads[:count]), tuple(pads[count:])
    if before == after:
        return x, before
    return mg.pad(x, widths(x, dict(enumerate(zip(before, after), 2))), value=value), 0


def convolution(x, w, b=None, kernel_shape=None, strides=None, pads=None, dilations=None,
                group=1, auto_pad="NOTSET"):
    if auto_pad == "SAME_UPPER" and set(strides or [1]) == {1}:
        padding = "same"
    else:
        x, padding = padded(x, pads, auto_pad)
    f = mg.conv1d if x.ndim == 3 else mg.conv2d
    return f(x, w, b, given(strides), padding, given(dilations), group)


def transposed_convolution(x, w, b=None, kernel_shape=None, strides=None, pads=None,
                           output_padding=None, output_shape=None, dilations=None, group=1,
                           auto_pad="NOTSET"):
    unless(auto_pad == "NOTSET" and not output_shape, "padding that follows from the output's size")
    y, padding = padded(x, pads, auto_pad)
    unless(y is x, "uneven padding of a transposed convolution")
    f = mg.conv_transpose1d if x.ndim == 3 else mg.conv_transpose2d
    return f(x, w, b, given(strides), padding, given(output_padding, 0), group, given(dilations))


def max_pool(x, kernel_shape, strides=None, pads=None, dilations=None, ceil_mode=0,
             storage_order=0, auto_pad="NOTSET"):
    unless(not storage_order, "places counted down the columns")
    x, padding = padded(x, pads, auto_pad, -math.inf)
    f = mg.max_pool1d if x.ndim == 3 else mg.max_pool2d
    return f(x, tuple(kernel_shape), given(strides), padding, given(dilations), bool(ceil_mode),
             return_indices=True)


def average_pool(x, kernel_shape, strides=None, pads=None, dilations=None, ceil_mode=0,
                 count_include_pad=0, auto_pad="NOTSET"):
    unless(set(dilations or [1]) == {1}, "means of dilated windows")
    y, padding = padded(x, pads, auto_pad)
    unless(y is x or count_include_pad, "means that leave out uneven padding")
    f = mg.avg_pool1d if x.ndim == 3 else mg.avg_pool2d
    return f(y, tuple(kernel_shape), given(strides), padding, bool(ceil_mode),
             bool(count_include_pad))


def globally(f):
    return lambda x: f(x, tuple(range(x.ndim))[2:], True)


def nll_loss(logp, target, weight=None, ignore_index=-100, reduction="mean"):
    return mg.nll_loss(logp, target, weight, ignore_index, reduction)


def cross_entropy(x, target, weight=None, ignore_index=-100, reduction="mean"):
    return (mg.cross_entropy(x, target, weight, ignore_index, reduction), mg.log_softmax(x, 1))


OPERATORS = {
    **{name: exactly(f) for name, f in {
        "Abs": mg.abs, "Add": mg.add, "And": mg.logical_and, "Cos": mg.cos, "Equal": mg.eq,
        "Exp": mg.exp, "Greater": mg.gt, "GreaterOrEqual": mg.ge, "Identity": mg.clone,
        "Less": mg.lt, "LessOrEqual": mg.le, "Log": mg.log, "MatMul": mg.matmul, "Mul": mg.mul,
        "Neg": mg.neg, "Not": mg.logical_not, "Or": mg.logical_or, "Relu": mg.relu,
        "Sigmoid": mg.sigmoid, "Sign": mg.sign, "Sin": mg.sin, "Softplus": mg.softplus,
        "Sqrt": mg.sqrt, "Sub": mg.sub, "Tanh": mg.tanh, "Where": mg.where,
        "BitwiseAnd": mg.bitwise_and, "BitwiseOr": mg.bitwise_or, "BitwiseXor": mg.bitwise_xor,
        "BitwiseNot": mg.bitwise_not}.items()},
    "BitShift": bit_shift,
    "Max": folded(mg.maximum), "Min": folded(mg.minimum), "Sum": folded(mg.add), "Mean": mean_of,
    "Pow": power, "Clip": clip,
    "Softsign": lambda x: mg.div(x, mg.add(1, mg.abs(x))),
    "Mish": lambda x: mg.mul(x, mg.tanh(mg.softplus(x))),
    "LeakyRelu": leaky_relu, "PRelu": prelu, "Elu": elu, "Selu": selu,
    "ThresholdedRelu": thresholded_relu, "HardSigmoid": hard_sigmoid,
    "Dropout": dropout, "Cast": cast, "CastLike": cast_like,
    "ReduceSum": reduction(mg.sum), "ReduceMean": reduction(mg.mean),
    "ReduceMax": reduction(mg.amax), "ReduceMin": reduction(mg.amin),
    "ReduceL1": sum_of(mg.abs), "ReduceSumSquare": sum_of(lambda x: mg.mul(x, x)),
    "ReduceL2": of_sum(mg.sqrt, lambda x: mg.mul(x, x)), "ReduceLogSum": of_sum(mg.log),
    "ReduceLogSumExp": reduction(logsumexp), "ArgMax": arg(mg.argmax), "ArgMin": arg(mg.argmin),
    "Softmax": along_axis(mg.softmax), "LogSoftmax": along_axis(mg.log_softmax),
    "Reshape": reshape, "Flatten": flatten, "Transpose": transpose, "Squeeze": squeeze,
    "Unsqueeze": unsqueeze, "Expand": expand, "Concat": concatenate, "Slice": slice_of,
    "Gather": gather, "Compress": compress, "GatherND": gather_nd, "ScatterND": scatter_nd,
    "Pad": pad, "DepthToSpace": depth_to_space, "Constant": constant,
    "ConstantOfShape": constant_of_shape, "Shape": shape_of, "Size": size_of, "Range": range_of,
    "EyeLike": eye_like,
    "Gemm": gemm, "Conv": convolution, "ConvTranspose": transposed_convolution,
    "MaxPool": max_pool, "AveragePool": average_pool, "GlobalAveragePool": globally(mg.mean),
    "GlobalMaxPool": globally(mg.amax),
    "NegativeLogLikelihoodLoss": nll_loss, "SoftmaxCrossEntropyLoss": cross_entropy,
    **ARRAYS, **INTEGERS, **LAYERS,
}
