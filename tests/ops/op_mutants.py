"""Wrong gradients, each a plausible mistake, which test_mutants.py demands to be caught.

    MUTANTS, SECOND     a Function, a line of the op table, and formulas for its backward
    COMPOSED            a line of the op table, and the whole op in other words, with a mistake
"""

from functools import partial

import numpy as np

from minigrad.kernels.pool import cpu as pool
from minigrad.kernels.runtime.window import Window
from minigrad.ops import (concatenate, cos, exp, expand, getitem, log, mean, minimum, permute,
                          reshape, sign, sum, sum_to, transpose, var, where)
from minigrad.ops.activation import LogSoftmax, ReLU, Sigmoid, Softmax
from minigrad.ops.arithmetic import Div, Mul, Pow, Smooth, SmoothByOutput
from minigrad.ops.conv import Conv2d, ConvInputGradient, ConvWeightGradient
from minigrad.ops.linear import Linear, MatMul
from minigrad.ops.loss.elements import BinaryCrossEntropy, _reduce
from minigrad.ops.norm import BatchNorm
from minigrad.ops.pool import AvgPool2d, LinearMap, MaxPool2d
from minigrad.ops.reduce import Amax, Sum
from minigrad.ops.select import Maximum, Where
from minigrad.ops.shape import Concatenate, Expand, Index, IndexAdd, Permute, SumTo
from tests.ops.op_samples import pair


def unpadded(window):
    return window._replace(ph=0, pw=0)


def turned(w):
    """Filters turned by 180 degrees: correlation taken for convolution."""
    return w[:, :, ::-1, ::-1]


def overwritten(self, gy):
    """Index's transpose with = for +=, which loses all but one of repeated elements."""
    gx = np.zeros(self.from_shape)
    gx[self.index_] = gy
    return gx


def normalised(self, gy, x, w, through_mean=1, through_variance=1, weight_gradient=1,
               bias_gradient=1):
    """The gradients of batch normalisation, each term times a factor that should be 1."""
    def channels(v):
        return v.reshape(1, -1, *[1] * (x.ndim - 2))

    dims, z = (0, *range(2, x.ndim)), (x - channels(self.mean)) * channels(self.scale)
    from_mean = gy.mean(dims, keepdims=True) * through_mean
    from_variance = z * (gy * z).mean(dims, keepdims=True) * through_variance
    return (channels(w * self.scale) * (gy - from_mean - from_variance),
            (gy * z).sum(dims) * weight_gradient, gy.sum(dims) * bias_gradient)


# Function: (line of the table, {the mistake: (method, formula)})
MUTANTS = {
    Mul: ("mul", {
        "sign": ("grad_a", lambda self, gy, b: -gy * b),
        "its own value": ("grad_a", lambda self, gy, a: gy * a),
        "factor forgotten": ("grad_b", lambda self, gy: gy),
        "output for input": ("grad_b", lambda self, gy, y: gy * y),
        "factor 2": ("grad_b", lambda self, gy, a: gy * a * 2),
        "slightly off": ("grad_b", lambda self, gy, a: gy * a * (1 + 1e-6)),
    }),
    Div: ("div", {
        "multiplied": ("grad_a", lambda self, gy, b: gy * b),
        "sign": ("grad_b", lambda self, gy, b, y: gy * y / b),
        "divided once": ("grad_b", lambda self, gy, a, b: -gy * a / b),
        "output for input": ("grad_b", lambda self, gy, b, y: -gy * y / b**2),
        "divisor for dividend": ("grad_b", lambda self, gy, b: -gy / b),
    }),
    BinaryCrossEntropy: ("binary_cross_entropy", {
        "sign": ("grad_p", lambda self, gy, p, t: gy * (t - p) / (p * (1 - p))),
        "variance forgotten": ("grad_p", lambda self, gy, p, t: gy * (p - t)),
        "one term": ("grad_t", lambda self, gy, p: -gy * log(p)),
        "terms exchanged": ("grad_t", lambda self, gy, p: gy * (log(p) - log(1 - p))),
    }),
    Pow: ("pow", {
        "exponent forgotten": ("grad_a", lambda self, gy, a, b: gy * a**(b - 1)),
        "exponent not lowered": ("grad_a", lambda self, gy, b, y: gy * b * y),
        "sign": ("grad_a", lambda self, gy, a, b: -gy * b * a**(b - 1)),
        "logarithm forgotten": ("grad_b", lambda self, gy, y: gy * y),
        "logarithm of the exponent": ("grad_b", lambda self, gy, b, y: gy * y * log(b)),
    }),
    Maximum: ("maximum", {
        "the smaller one": ("grad_a", lambda self, gy, a, b: where(a < b, gy, 0)),
        "sign": ("grad_a", lambda self, gy, a, b: where(a > b, -gy, 0)),
        "both": ("grad_b", lambda self, gy: gy),
        "half": ("grad_b", lambda self, gy, a, b: where(a < b, gy / 2, 0)),
    }),
    Where: ("where", {
        "sides exchanged": ("grad_a", lambda self, gy: where(self.condition, 0, gy)),
        "both": ("grad_a", lambda self, gy: gy),
        "sign": ("grad_b", lambda self, gy: where(self.condition, 0, -gy)),
        "nothing": ("grad_b", lambda self, gy: gy * 0),
    }),
    SmoothByOutput: ("sqrt", {
        "2 forgotten": ("backward", lambda self, gy, y: gy / y),
        "input for output": ("backward", lambda self, gy, x: gy / (2 * x)),
        "multiplied": ("backward", lambda self, gy, y: gy * 2 * y),
        "sign": ("backward", lambda self, gy, y: -gy / (2 * y)),
    }),
    Smooth: ("sin", {
        "sign": ("backward", lambda self, gy, x: -gy * cos(x)),
        "of the output": ("backward", lambda self, gy, y: gy * cos(y)),
        "sine again": ("backward", lambda self, gy, y: gy * y),
        "slope at 0": ("backward", lambda self, gy: gy),
    }),
    Expand: ("add", {
        "not summed back": ("backward", lambda self, gy: gy),
        "one of the copies": ("backward", lambda self, gy: reshape(
            gy[tuple(slice(0, n) for n in (1,) * (gy.ndim - len(self.from_shape))
                     + self.from_shape)], self.from_shape)),
        "mean of the copies": ("backward", lambda self, gy: sum_to(gy, self.from_shape)
                               * (max(np.prod(self.from_shape), 1) / max(gy.size, 1))),
        "sign": ("backward", lambda self, gy: -sum_to(gy, self.from_shape)),
    }),
    Permute: ("permute", {
        "not inverted": ("backward", lambda self, gy: permute(gy, self.dims)),
        "reversed": ("backward", lambda self, gy: permute(
            gy, list(range(gy.ndim))[::-1])),
        "reshaped": ("backward", lambda self, gy: reshape(
            gy, tuple(gy.shape[i] for i in np.argsort(self.dims)))),
        "sign": ("backward", lambda self, gy: -permute(gy, np.argsort(self.dims).tolist())),
    }),
    Index: ("getitem", {
        "overwritten": ("backward", overwritten),
        "sign": ("backward", lambda self, gy: -IndexAdd(self.index_, self.from_shape)(gy)),
        "everywhere": ("backward", lambda self, gy: np.full(self.from_shape, gy.sum())),
        "factor 2": ("backward", lambda self, gy: IndexAdd(self.index_, self.from_shape)(
            2 * gy)),
    }),
    Concatenate: ("concatenate", {
        "all the first": ("backward", lambda self, gy: tuple(
            getitem(gy, (slice(None),) * (self.dim % gy.ndim) + (slice(0, end - start),))
            for start, end in zip([0, *self.ends], self.ends))),
        "in reverse": ("backward", lambda self, gy: tuple(
            np.split(np.flip(gy, self.dim), self.ends[:-1], self.dim))),
        "first axis": ("backward", lambda self, gy: tuple(
            gy[start:end] for start, end in zip([0, *self.ends], self.ends))),
        "sign": ("backward", lambda self, gy: tuple(np.split(-gy, self.ends[:-1], self.dim))),
    }),
    Sum: ("sum", {
        "mean": ("backward", lambda self, gy: expand(
            reshape(gy, self.kept(self.from_shape)) / max(1, np.prod(self.from_shape)),
            self.from_shape)),
        "not expanded": ("backward", lambda self, gy: reshape(gy, self.kept(self.from_shape))),
        "sign": ("backward", lambda self, gy: -expand(
            reshape(gy, self.kept(self.from_shape)), self.from_shape)),
        "gradients mixed": ("backward", lambda self, gy: np.full(self.from_shape, gy.mean()
                                                                 if gy.size else 0)),
    }),
    Amax: ("amax", {
        "everywhere": ("backward", lambda self, gy, x: expand(
            reshape(gy, self.kept(x.shape)), x.shape)),
        "everywhere else": ("backward", lambda self, gy, x, y: where(
            x == reshape(y, self.kept(x.shape)), 0, reshape(gy, self.kept(x.shape)))),
        "sign": ("backward", lambda self, gy, x, y: where(
            x == reshape(y, self.kept(x.shape)), reshape(-gy, self.kept(x.shape)), 0)),
        "shared by all": ("backward", lambda self, gy, x: expand(
            reshape(gy, self.kept(x.shape)) * (gy.size / x.size), x.shape)),
    }),
    Sigmoid: ("sigmoid", {
        "sign": ("backward", lambda self, gy, y: -gy * y * (1 - y)),
        "term lost": ("backward", lambda self, gy, y: gy * y),
        "slope of tanh": ("backward", lambda self, gy, y: gy * (1 - y * y)),
        "input for output": ("backward", lambda self, gy, x: gy * x * (1 - x)),
    }),
    ReLU: ("relu", {
        "always": ("backward", lambda self, gy: gy),
        "below 0": ("backward", lambda self, gy, x: where(x < 0, gy, 0)),
        "sign": ("backward", lambda self, gy, y: where(y > 0, -gy, 0)),
        "value for slope": ("backward", lambda self, gy, y: gy * y),
    }),
    Softmax: ("softmax", {
        "diagonal only": ("backward", lambda self, gy, y: y * gy),
        "diagonal of the Jacobian": ("backward", lambda self, gy, y: y * (1 - y) * gy),
        "sum not weighted": ("backward", lambda self, gy, y: y * (gy - sum(
            gy, self.dim, keepdim=True))),
        "sum over all axes": ("backward", lambda self, gy, y: y * (gy - sum(gy * y))),
        "sign of the sum": ("backward", lambda self, gy, y: y * (gy + sum(
            gy * y, self.dim, keepdim=True))),
    }),
    LogSoftmax: ("log_softmax", {
        "sum lost": ("backward", lambda self, gy: gy),
        "e^ forgotten": ("backward", lambda self, gy, y: gy - y * sum(
            gy, self.dim, keepdim=True)),
        "sum over all axes": ("backward", lambda self, gy, y: gy - exp(y) * sum(gy)),
        "weighted twice": ("backward", lambda self, gy, y: gy - exp(y) * sum(
            gy * exp(y), self.dim, keepdim=True)),
    }),
    MatMul: ("matmul", {
        "not transposed": ("grad_a", lambda self, gy, b: gy @ b),
        "sign": ("grad_a", lambda self, gy, b: -(gy @ transpose(b, -1, -2))),
        "exchanged": ("grad_b", lambda self, gy, a: gy @ a),
        "factor 2": ("grad_b", lambda self, gy, a: 2 * (transpose(a, -1, -2) @ gy)),
    }),
    Linear: ("linear", {
        "weight transposed": ("grad_x", lambda self, gy, w: gy @ w.T),
        "weight gradient transposed": ("grad_w", lambda self, gy, x: x.T @ gy),
        "mean over the batch": ("grad_w", lambda self, gy, x: gy.T @ x / max(1, len(x))),
        "bias summed over outputs": ("grad_b", lambda self, gy: gy.sum(-1)),
        "bias not summed": ("grad_b", lambda self, gy: gy),
    }),
    Conv2d: ("conv2d", {
        "filters turned": ("grad_x", lambda self, gy, w: ConvInputGradient(
            *self.settings)(gy, turned(w))),
        "padding forgotten": ("grad_x", lambda self, gy, w: ConvInputGradient(
            unpadded(self.window), self.groups, self.size)(gy, w)),
        "sign": ("grad_x", lambda self, gy, w: -ConvInputGradient(
            *self.settings)(gy, w)),
        "filter gradient turned": ("grad_w", lambda self, gy, x: turned(ConvWeightGradient(
            *self.settings)(x, gy))),
        "mean over the batch": ("grad_w", lambda self, gy, x: ConvWeightGradient(
            *self.settings)(x, gy) / max(1, len(x))),
        "bias not summed over the batch": ("grad_b", lambda self, gy: gy[:1].sum((0, 2, 3))),
        "dilation forgotten": ("grad_w", lambda self, gy, x: ConvWeightGradient(
            self.window._replace(dh=1, dw=1), self.groups, self.size)(x, gy)),
        "filters of the next group": ("grad_x", lambda self, gy, w: ConvInputGradient(
            *self.settings)(gy, np.roll(w, len(w) // self.groups, 0))),
        "groups in reverse": ("grad_w", lambda self, gy, x: np.concatenate(
            np.split(ConvWeightGradient(*self.settings)(x, gy), self.groups)[::-1])),
        "the first group for all": ("grad_x", lambda self, gy, w: ConvInputGradient(
            *self.settings)(gy, np.concatenate([w[:len(w) // self.groups]] * self.groups))),
    }),
    ConvInputGradient: ("conv_transpose2d", {
        "filters turned": ("grad_g", lambda self, gy, w: Conv2d(
            *self.settings)(gy, turned(w))[self.used]),
        "filters of the next group": ("grad_g", lambda self, gy, w: Conv2d(
            *self.settings)(gy, np.roll(w, len(w) // self.groups, 0))[self.used]),
        "the end instead of the beginning": ("grad_g", lambda self, gy, w: Conv2d(
            *self.settings)(gy, w)[..., -self.used[1].stop:, -self.used[2].stop:]),
        "filter gradient turned": ("grad_w", lambda self, gy, g: turned(ConvWeightGradient(
            *self.settings)(gy, g))),
        "groups in reverse": ("grad_w", lambda self, gy, g: np.concatenate(
            np.split(ConvWeightGradient(*self.settings)(gy, g), self.groups)[::-1])),
    }),
    BatchNorm: ("batch_norm: training", {
        "mean taken for fixed": ("backward", lambda self, gy, x, w: normalised(
            self, gy, x, w, through_mean=0)),
        "variance taken for fixed": ("backward", lambda self, gy, x, w: normalised(
            self, gy, x, w, through_variance=0)),
        "sign of the variance": ("backward", lambda self, gy, x, w: normalised(
            self, gy, x, w, through_variance=-1)),
        "unbiased variance": ("backward", lambda self, gy, x, w: normalised(
            self, gy, x, w, through_variance=x[:, 0].size / (x[:, 0].size - 1))),
        "weight forgotten": ("backward", lambda self, gy, x, w: normalised(
            self, gy, x, np.ones_like(w))),
        "weight gradient of x - m": ("backward", lambda self, gy, x, w: normalised(
            self, gy, x, w, weight_gradient=1 / self.scale)),
        "mean over the batch": ("backward", lambda self, gy, x, w: normalised(
            self, gy, x, w, bias_gradient=1 / len(x))),
    }),
    MaxPool2d: ("max_pool2d", {
        "shared by the window": ("backward", lambda self, gy: pool.average_transpose(
            gy, self.window, self.size)),
        "always the first": ("backward", lambda self, gy: pool.scatter(
            gy, 0 * self.winner, self.window, self.size)),
        "the next pixel": ("backward", lambda self, gy: pool.scatter(
            gy, (self.winner + 1) % (self.window.kh * self.window.kw), self.window, self.size)),
        "padding forgotten": ("backward", lambda self, gy: pool.scatter(
            gy, self.winner, unpadded(self.window), self.size)),
        "sign": ("backward", lambda self, gy: -pool.scatter(
            gy, self.winner, self.window, self.size)),
    }),
    AvgPool2d: ("avg_pool2d", {
        "not divided": ("backward", lambda self, gy: pool.average_transpose(
            gy, self.window, self.size) * (self.window.kh * self.window.kw)),
        "divided by the height": ("backward", lambda self, gy: pool.average_transpose(
            gy, self.window, self.size) * self.window.kw),
        "padding forgotten": ("backward", lambda self, gy: pool.average_transpose(
            gy, unpadded(self.window), self.size)),
        "stride 1": ("backward", lambda self, gy: pool.average_transpose(
            gy, Window(*self.window[:2], 1, 1, *self.window[4:]), self.size)),
    }),
}

# The backward of a backward: only second derivatives run these formulas.
SECOND = {
    SumTo: ("mul", {
        "sign": ("backward", lambda self, gy: -expand(gy, self.from_shape)),
        "mean of the copies": ("backward", lambda self, gy: expand(gy / 2, self.from_shape)),
    }),
    ConvInputGradient: ("conv2d", {
        "sign": ("grad_w", lambda self, gy, g: -ConvWeightGradient(
            *self.settings)(gy, g)),
        "filters turned": ("grad_g", lambda self, gy, w: Conv2d(
            *self.settings)(gy, turned(w))[self.used]),
    }),
    ConvWeightGradient: ("conv2d", {
        "filters turned": ("grad_x", lambda self, gy, g: ConvInputGradient(
            *self.settings)(g, turned(gy))),
        "factor 2": ("grad_g", lambda self, gy, x: 2 * Conv2d(
            *self.settings)(x, gy)[self.used]),
    }),
    LinearMap: ("max_pool2d", {
        "always the first": ("backward", lambda self, gy: LinearMap(
            partial(self.back, winner=0 * self.back.keywords["winner"]), self.there)(gy)),
        "sign": ("backward", lambda self, gy: -LinearMap(self.back, self.there)(gy)),
    }),
}


def binned(bins, divide=mean):
    """adaptive_avg_pool2d with other bins: bins(i, n, parts) -> (start, end)."""
    def f(x, output_size):
        for dim, parts in zip((2, 3), pair(output_size)):
            found = [slice(*bins(i, x.shape[dim], parts)) for i in range(parts)]
            x = concatenate([divide(x[(slice(None),) * dim + (each,)], dim, keepdim=True)
                             for each in found], dim)
        return x
    return f


def torch_bins(i, n, parts):
    return i * n // parts, -(-(i + 1) * n // parts)


def batch_norm_with(variance, add_eps_to_root=False):
    def f(x, running_mean, running_var, w, b, training, eps):
        dims, shape = (0, *range(2, x.ndim)), (1, -1) + (1,) * (x.ndim - 2)
        v = variance(x, dims)
        root = v**0.5 + eps if add_eps_to_root else (v + eps)**0.5
        return (x - mean(x, dims, keepdim=True)) / root * reshape(w, shape) + reshape(b, shape)
    return f


def huber_by(near):
    """huber_loss by another formula near(d, delta) for its derivative."""
    def f(x, y, reduction, delta):
        d = x - y
        limited = near(d, delta)
        return _reduce(limited * (d - limited / 2), reduction)
    return f


# Line of the table: {the mistake: the whole op with it, from other ops}
COMPOSED = {
    "huber_loss": {
        "without the limit": huber_by(lambda d, delta: d),
        "the sign of the distance": huber_by(lambda d, delta: delta * sign(d)),
        "one limit": huber_by(minimum),
        "the limit alone": huber_by(lambda d, delta: delta),
    },
    "adaptive_avg_pool2d": {
        "bins that end early": binned(lambda i, n, parts: (
            i * n // parts, max((i + 1) * n // parts, i * n // parts + 1))),
        "bins that start late": binned(lambda i, n, parts: (
            min(-(-i * n // parts), -(-(i + 1) * n // parts) - 1), -(-(i + 1) * n // parts))),
        "sums": binned(torch_bins, sum),
        "windows of one size": binned(lambda i, n, parts: (
            i * n // parts, min(n, i * n // parts + -(-n // parts)))),
    },
    "batch_norm: training": {
        "unbiased variance": batch_norm_with(lambda x, dims: var(x, dims, keepdim=True)),
        "variance of the batch axis alone": batch_norm_with(
            lambda x, dims: var(x, 0, correction=0, keepdim=True)),
        "eps beside the root": batch_norm_with(
            lambda x, dims: var(x, dims, correction=0, keepdim=True), add_eps_to_root=True),
    },
}
