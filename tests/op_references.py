"""The definitions that ops are compared with, in plain NumPy; any number type goes through them."""

import numpy as np

import minigrad as mg
from tests.op_samples import pair


def over(reduce):
    """A NumPy reduction with torch's argument names."""
    return lambda x, dim, keepdim: reduce(x, axis=dim, keepdims=keepdim)


def var(x, dim, correction, keepdim):
    return np.var(x, axis=dim, ddof=correction, keepdims=keepdim)


def logsumexp(x, dim, keepdim):
    return np.log(np.exp(x).sum(axis=dim, keepdims=keepdim))


def softmax(x, dim):
    return np.exp(x) / np.exp(x).sum(axis=dim, keepdims=True)


def log_softmax(x, dim):
    return np.log(softmax(x, dim))


def flatten(x, start_dim, end_dim):
    end_dim %= max(x.ndim, 1)
    return x.reshape(*x.shape[:start_dim], np.prod(x.shape[start_dim:end_dim + 1], dtype=int),
                     *x.shape[end_dim + 1:])


def squeeze(x, dim):
    """Without all axes of size 1, or without `dim` if it is one of them."""
    return x if dim is not None and x.shape[dim] != 1 else np.squeeze(x, dim)


def expand(x, shape):
    return np.broadcast_to(x, [x.shape[-1] if n == -1 else n for n in shape])


def sum_to(x, shape):
    """Every element of x added to the one it would have been copied from."""
    y = np.zeros(shape, x.dtype)
    source = np.broadcast_to(np.arange(y.size).reshape(shape), x.shape)
    np.add.at(y.reshape(-1), source.ravel(), x.ravel())
    return y


def pad(x, pad, value):
    pairs = list(zip(pad[::2], pad[1::2]))[::-1]
    pairs = [(0, 0)] * (x.ndim - len(pairs)) + pairs
    return np.pad(x, pairs, constant_values=value) if pairs else x


def linear(x, w, b=0):
    return np.einsum("...i,oi->...o", x, w) + b


def conv2d(x, w, b=0, stride=1, padding=0):
    windows = _windows(x, w.shape[2:], stride, padding, 0)
    return np.einsum("nchwij,ocij->nohw", windows, w) + np.reshape(b, (-1, 1, 1))


def pool(reduce, padding_value):
    """A NumPy reduction over every window."""
    def pooled(x, kernel_size, stride, padding):
        stride = kernel_size if stride is None else stride
        return reduce(_windows(x, pair(kernel_size), stride, padding, padding_value), axis=(4, 5))
    return pooled


def _windows(x, kernel_size, stride, padding, value):
    """Every window of x, (N, C, oh, ow, kh, kw)."""
    (ph, pw), (sh, sw) = pair(padding), pair(stride)
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=value)
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel_size, axis=(2, 3))
    return windows[:, :, ::sh, ::sw]


def dropout(x, p, training):
    """x / (1 - p) where kept; which those are is read off a run on ones from the same seed."""
    mg.manual_seed(0)
    kept = mg.dropout(np.ones(x.shape), p, training) != 0
    return np.where(kept, x / (1 - p) if training and p < 1 else x, 0)


def nll_loss(logp, target, ignore_index, reduction, weight, label_smoothing=0.0):
    """One element at a time."""
    classes = logp.shape[1]
    weight = np.ones(classes) if weight is None else weight
    losses, total = np.zeros(target.shape, logp.dtype), 0
    for n, *place in np.ndindex(target.shape):
        here = (n, *place)
        t, scores = target[here], logp[(n, slice(None), *place)]
        if t != ignore_index:
            smooth = label_smoothing / classes * (weight * scores).sum()
            losses[here] = -(1 - label_smoothing) * weight[t] * scores[t] - smooth
            total += weight[t]
    return losses.sum() / total if reduction == "mean" else _reduced(losses, reduction)


def cross_entropy(logits, **options):
    return nll_loss(log_softmax(logits, 1), **options)


def mse_loss(x, y, reduction):
    return _reduced((x - y)**2, reduction)


def binary_cross_entropy_with_logits(x, y, reduction):
    p = 1 / (1 + np.exp(-x))
    return _reduced(-y * np.log(p) - (1 - y) * np.log(1 - p), reduction)


def _reduced(losses, reduction):
    return {"mean": np.mean, "sum": np.sum, "none": np.asarray}[reduction](losses)
