"""Optimizer steps and gradient clipping on the GPU: all parameters in one launch of
kernels/optim.cu.

`items` are what `Optimizer.update` gets, one after another: (parameter, gradient, state).
"""

from __future__ import annotations

import functools
import math
from itertools import groupby

import numpy as np

from minigrad.backend import array_module, to_device
from minigrad.kernels.cuda import launch

CHUNK = 4096  # elements per block, as in optim.cu


def sgd(items, group):
    """See optim/sgd.py."""
    momentum = group["momentum"]
    for fresh, some in _alike(items, lambda state: not state):
        share = 1 - group["dampening"]
        if momentum and fresh:
            share = 1
            for p, _, state in some:
                state["momentum_buffer"] = array_module(p).zeros_like(p)
        _together("sgd", some, ["momentum_buffer"] if momentum else [], float(group["lr"]),
                  float(momentum), float(share), float(group["weight_decay"]),
                  int(group["nesterov"]))


def adam(items, group):
    """See optim/adam.py."""
    lr, (b1, b2), decay = group["lr"], group["betas"], group["weight_decay"]
    for p, _, state in items:
        if not state:
            zeros = array_module(p).zeros_like
            state.update(step=0, exp_avg=zeros(p), exp_avg_sq=zeros(p))
        state["step"] += 1
    for t, some in _alike(items, lambda state: state["step"]):
        decoupled = group["decoupled_weight_decay"]
        _together("adam", some, ["exp_avg", "exp_avg_sq"], lr / (1 - b1**t), math.sqrt(1 - b2**t),
                  float(b1), float(b2), float(1 - b1), float(1 - b2), float(group["eps"]),
                  0.0 if decoupled else float(decay), 1 - lr * decay if decoupled else 1.0)


def clip(gradients, limit):
    """Every element of every gradient limited to [-limit, limit], in place."""
    for some in _by_dtype(gradients):
        _launch("clip", [some], float(limit))


def scale(gradients, factor):
    """Every element of every gradient times the factor, in place."""
    for some in _by_dtype(gradients):
        _launch("scale", [some], float(factor))


def norm(gradients, order):
    """(sum |g|^order)^(1/order) over all elements of all gradients, math.inf: the largest |g|.

    A float, summed in the gradients' dtype; the host waits for the GPU once.
    """
    totals = []
    for some in _by_dtype(gradients):
        xp, dtype = array_module(some[0]), some[0].dtype
        sums, total = xp.empty(_tables(xp, _sizes(some))[0], dtype), xp.empty(1, dtype)
        _launch("powers", [some], float(order), outputs=[sums])
        launch("optim", "join_powers", [sums], [total], sums.size, float(order), blocks=1)
        totals.append(total.astype(np.float64))
    if not totals:
        return 0.0
    totals = to_device(xp.concatenate(totals), "cpu")
    return float(totals.max() if math.isinf(order) else totals.sum() ** (1 / order))


def _by_dtype(gradients):
    """Lists of arrays of equal dtype, none with gaps in its memory."""
    for _, some in groupby(sorted(gradients, key=_dtype), _dtype):
        yield [_dense(g) for g in some]


def _alike(items, key):
    """Lists of items of equal dtype and equal `key` of their state."""
    def both(item):
        return _dtype(item[0]), key(item[2])
    for (_, value), some in groupby(sorted(items, key=both), both):
        yield value, list(some)


def _dtype(x):
    return x.dtype.str


def _together(kernel, items, names, *numbers):
    """Gradients follow the parameters' layout; parameters and states are changed where they are."""
    params = [_dense(p) for p, _, _ in items]
    gradients = [_laid_out_as(p, g) for p, g, _ in items]
    states = [[_laid_out_as(p, state[name], same=True) for p, _, state in items] for name in names]
    _launch(kernel, [params, gradients, *states], *numbers)


def _launch(kernel, lists, *numbers, outputs=()):
    """One launch for the lists of arrays, whose corresponding ones have one size."""
    first = lists[0]
    xp, sizes = array_module(first[0]), _sizes(first)
    addresses = xp.asarray(np.array([a.data.ptr for some in lists for a in some], np.uint64))
    n_blocks, tables = _tables(xp, sizes)
    launch("optim", kernel, [addresses, *tables], outputs, len(sizes), *numbers, size=n_blocks,
           blocks=n_blocks, dtype=first[0].dtype)


def _sizes(arrays):
    return tuple(a.size for a in arrays)


@functools.lru_cache(16)
def _tables(xp, sizes):
    """How many blocks there are; sizes of the parameters, owners and starts of the blocks."""
    blocks = [(owner, start) for owner, n in enumerate(sizes) for start in range(0, n, CHUNK)]
    owners, starts = zip(*blocks) if blocks else ((), ())
    return len(blocks), (xp.asarray(np.array(sizes, np.int64)),
                         xp.asarray(np.array(owners, np.int32)),
                         xp.asarray(np.array(starts, np.int64)))


def _dense(p):
    """p; ValueError if there are gaps in its memory, which a kernel would run into."""
    if not (p.flags.c_contiguous or _order(p).flags.c_contiguous):
        raise ValueError(f"optimizer on the GPU: an array of shape {p.shape} and strides "
                         f"{p.strides} is not dense in memory; use .copy()")
    return p


def _order(p):
    return p.transpose(tuple(sorted(range(p.ndim), key=lambda d: (-p.strides[d], d))))


def _steps(a):
    """The strides that matter."""
    return [stride for stride, n in zip(a.strides, a.shape) if n > 1]


def _laid_out_as(p, g, same=False):
    """g in the memory layout of p: itself, or a copy unless it must be the same."""
    if _steps(g) == _steps(p):
        return g
    if same:
        raise ValueError("optimizer on the GPU: a parameter's state is not laid out as the "
                         "parameter; load it with load_state_dict")
    copy = array_module(p).empty_like(p)
    copy[...] = g
    return copy
