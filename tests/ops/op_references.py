"""The definitions that ops are compared with, in plain NumPy; any number type goes through them."""

import math

import numpy as np

import minigrad as mg
from tests.ops.op_samples import pair


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


def pad(x, pad, mode="constant", value=0):
    """One axis after the other: which element stands at each place from -before to n + after."""
    for axis, before, after in zip(range(x.ndim)[::-1], pad[::2], pad[1::2]):
        n, i = x.shape[axis], np.arange(-before, x.shape[axis] + after)
        if mode == "constant":
            edge = np.full((*x.shape[:axis], 1, *x.shape[axis + 1:]), value, x.dtype)
            x = np.concatenate([x, edge], axis).take(np.where((i >= 0) & (i < n), i, n), axis)
        else:
            x = x.take({"reflect": n - 1 - abs(n - 1 - abs(i)), "replicate": i.clip(0, n - 1),
                        "circular": i % max(n, 1)}[mode], axis)
    return x


def linear(x, w, b=0):
    return np.einsum("...i,oi->...o", x, w) + b


def conv2d(x, w, b=0, stride=1, padding=0, dilation=1, groups=1):
    """One group of filters after the other, each on its own channels."""
    c = w.shape[1]
    if padding == "same":
        totals = [d * (k - 1) for d, k in zip(pair(dilation), w.shape[2:])]
        ends = [(total // 2, total - total // 2) for total in totals]
    else:
        ends = [(p, p) for p in pair(0 if padding == "valid" else padding)]
    windows = _windows(x, w.shape[2:], stride, ends, dilation, 0)
    y = [np.einsum("nchwij,ocij->nohw", windows[:, g * c:(g + 1) * c], part)
         for g, part in enumerate(np.split(w, groups))]
    return np.concatenate(y, 1) + np.reshape(b, (-1, 1, 1))


def conv_transpose2d(x, w, b=0, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Every pixel spreads its channels' filters over the output."""
    (sh, sw), (dh, dw), kernel = pair(stride), pair(dilation), w.shape[2:]
    size = [(n - 1) * s + d * (k - 1) + 1 + e for n, s, d, k, e in
            zip(x.shape[2:], (sh, sw), (dh, dw), kernel, pair(output_padding))]
    o, per_group = w.shape[1], len(w) // groups
    y = np.zeros((len(x), o * groups, *size), x.dtype)
    for c, i, j, u, v in np.ndindex(*x.shape[1:], *kernel):
        g = c // per_group
        spread = np.outer(x[:, c, i, j], w[c, :, u, v])
        y[:, g * o:(g + 1) * o, i * sh + u * dh, j * sw + v * dw] += spread
    ph, pw = pair(padding)
    return y[:, :, ph:size[0] - ph, pw:size[1] - pw] + np.reshape(b, (-1, 1, 1))


def pool(reduce, padding_value):
    """A NumPy reduction over every window; ceil_mode keeps windows that reach over the end."""
    def pooled(x, kernel_size, stride, padding, dilation=1, ceil_mode=False):
        stride = kernel_size if stride is None else stride
        ends = [(p, p + s * ceil_mode) for p, s in zip(pair(padding), pair(stride))]
        windows = _windows(x, pair(kernel_size), stride, ends, dilation, padding_value)
        kept = [_pooled_size(*sizes, ceil_mode) for sizes in zip(
            x.shape[2:], *map(pair, (kernel_size, stride, padding, dilation)))]
        return reduce(windows[:, :, :kept[0], :kept[1]], axis=(4, 5))
    return pooled


def _pooled_size(n, k, s, p, d, ceil_mode):
    """How many windows start before the image's end and fit, or with ceil_mode nearly fit."""
    starts = range(-p, n, s)
    return sum(start + d * (k - 1) < n + p + (s - 1) * ceil_mode for start in starts)


def avg_pool2d(x, kernel_size, stride, padding, ceil_mode=False, count_include_pad=True,
               divisor_override=None):
    """The sum of each window, divided by that of ones, with padding of ones or of zeros."""
    def pooled(x, padding):
        return pool(np.sum, 0)(x, kernel_size, stride, padding, ceil_mode=ceil_mode)

    y = pooled(x, padding)
    if divisor_override is not None:
        return y / divisor_override
    ones = np.pad(np.ones((1, 1, *x.shape[2:])), ((0, 0), (0, 0), *[(p, p) for p in pair(padding)]),
                  constant_values=count_include_pad)
    return y / pooled(ones, 0)[:, :, :y.shape[2], :y.shape[3]]


def max_places(x, **options):
    """Where the one pixel with the value of the window's maximum stands, as row * W + column."""
    y = pool(np.max, -np.inf)(x, **options)
    places = np.zeros(y.shape, int)
    for at in np.ndindex(y.shape):
        (places[at],) = np.flatnonzero(x[at[:2]] == y[at])
    return places


def adaptive_pool(reduce):
    """One bin after the other."""
    def f(x, output_size):
        oh, ow = pair(output_size)
        y = np.empty((*x.shape[:2], oh, ow), x.dtype)
        for i, j in np.ndindex(oh, ow):
            rows, columns = _bin(i, oh, x.shape[2]), _bin(j, ow, x.shape[3])
            y[:, :, i, j] = reduce(x[:, :, rows, columns], (2, 3))
        return y
    return f


def _bin(i, parts, n):
    return slice(math.floor(i * n / parts), math.ceil((i + 1) * n / parts))


def upsample_nearest2d(x, scale_factor):
    sh, sw = pair(scale_factor)
    return x.repeat(sh, 2).repeat(sw, 3)


def batch_norm(x, mean, var, weight, bias, training, eps):
    """One channel after the other."""
    y = np.empty_like(x)
    for c in range(x.shape[1]):
        m, v = (np.mean(x[:, c]), np.var(x[:, c])) if training else (mean[c], var[c])
        y[:, c] = weight[c] * (x[:, c] - m) / np.sqrt(v + eps) + bias[c]
    return y


def rectified(f, ceiling=np.inf):
    """What f gives, or 0 where that is negative, and no more than the ceiling."""
    def g(*arrays, relu, **options):
        y = f(*arrays, **options)
        return np.where(y > ceiling, ceiling, y * (y > 0))
    return g


def _windows(x, kernel_size, stride, padding, dilation, value):
    """Every window of x, (N, C, oh, ow, kh, kw); padding: (before, after) of both axes."""
    (sh, sw), (dh, dw), (kh, kw) = pair(stride), pair(dilation), kernel_size
    x = np.pad(x, ((0, 0), (0, 0), *padding), constant_values=value)
    span = dh * (kh - 1) + 1, dw * (kw - 1) + 1
    windows = np.lib.stride_tricks.sliding_window_view(x, span, axis=(2, 3))
    return windows[:, :, ::sh, ::sw, ::dh, ::dw]


def dropped(f):
    """x / (1 - p) where f keeps; which those are is read off a run on ones from the same seed."""
    def reference(x, p, training):
        mg.manual_seed(0)
        kept = f(np.ones(x.shape), p, training) != 0
        return np.where(kept, x / (1 - p) if training and p < 1 else x, 0)
    return reference


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


def absolute(x, y, reduction):
    return _reduced(np.maximum(x - y, y - x), reduction)


def huber(x, y, reduction, delta):
    return _reduced(np.vectorize(lambda d: d * d / 2 if abs(d) <= delta else
                                 delta * abs(d) - delta * delta / 2)(x - y), reduction)


def smooth_l1(x, y, reduction, beta):
    return huber(x, y, reduction, beta) / beta if beta else absolute(x, y, reduction)


def binary_cross_entropy(p, y, reduction):
    return _reduced(-y * np.log(p) - (1 - y) * np.log(1 - p), reduction)


def soft_margin(x, target, reduction):
    return _reduced(np.log(1 + np.exp(-x * target)), reduction)


def divergence(x, y, reduction, log_target):
    losses = np.exp(y) * (y - x) if log_target else y * np.log(y) - y * x
    return losses.sum() / len(x) if reduction == "batchmean" else _reduced(losses, reduction)


def cosine(a, b, dim=-1):
    return (a * b).sum(dim) / np.sqrt((a * a).sum(dim) * (b * b).sum(dim))


def distance(a, b, p=2.0, eps=1e-6, keepdim=False):
    return (abs(a - b + eps)**p).sum(-1, keepdims=keepdim)**(1 / np.longdouble(p))


def _reduced(losses, reduction):
    return {"mean": np.mean, "sum": np.sum, "none": np.asarray}[reduction](losses)
