"""Optimizer steps, and norms and limits of gradients, on the GPU: optim.cu behind the functions of
cpu.py, with all arrays of a list in one launch.
"""

import functools
import math
from itertools import groupby

import numpy as np

from minigrad.backend import array_module, to_device
from minigrad.kernels.runtime.cuda import launch, memory_order

CHUNK = 4096  # elements per block


def sgd(items, group):
    momentum = group["momentum"]
    for (_, fresh), some in _alike(items, lambda item: (_dtype(item[0]), not item[2])):
        share = 1 - group["dampening"]
        if momentum and fresh:
            share = 1
            for p, _, state in some:
                state["momentum_buffer"] = np.zeros_like(p)
        _together("sgd", some, ["momentum_buffer"] if momentum else [], float(group["lr"]),
                  float(momentum), float(share), float(group["weight_decay"]),
                  int(group["nesterov"]))


def without_amsgrad(items, group):
    """Whether `adam` is for this group: there is no kernel for amsgrad."""
    return not group["amsgrad"]


def adam(items, group):
    lr, (b1, b2), decay = group["lr"], group["betas"], group["weight_decay"]
    for p, _, state in items:
        if not state:
            state.update(step=0, exp_avg=np.zeros_like(p), exp_avg_sq=np.zeros_like(p))
        state["step"] += 1
    for (_, t), some in _alike(items, lambda item: (_dtype(item[0]), item[2]["step"])):
        decoupled = group["decoupled_weight_decay"]
        _together("adam", some, ["exp_avg", "exp_avg_sq"], lr / (1 - b1**t), math.sqrt(1 - b2**t),
                  float(b1), float(b2), float(1 - b1), float(1 - b2), float(group["eps"]),
                  0.0 if decoupled else float(decay), 1 - lr * decay if decoupled else 1.0)


def blocks(*arrays):
    return [arrays]


def _changed(kernel, gradients, number):
    for some in _dense_by_dtype(gradients):
        _launch(kernel, [some], float(number))


clip, scale = functools.partial(_changed, "clip"), functools.partial(_changed, "scale")


def unscale(gradients, factor):
    scale(gradients, factor)
    return math.isfinite(_norm(gradients, math.inf))


def norms(gradients, order):
    return [_norm(gradients, order)]


def squared_norm(gradients):
    return _norm(gradients, 2) ** 2


def _norm(gradients, order):
    """(sum |g|^order)^(1/order) over all elements of all gradients, math.inf: the largest |g|.

    A float: blocks are summed in the gradients' dtype, and their sums, for which the host waits
    once, in float64.
    """
    sums = []
    for some in _dense_by_dtype(gradients):
        xp = array_module(some[0])
        of_blocks = xp.empty(len(_pieces(some)), some[0].dtype)
        _launch("powers", [some], float(order), outputs=[of_blocks])
        sums.append(of_blocks.astype(np.float64))
    if not sums:
        return 0.0
    sums = to_device(xp.concatenate(sums), "cpu")
    return float(sums.max(initial=0) if math.isinf(order) else sums.sum() ** (1 / order))


def _dense_by_dtype(gradients):
    """Lists of arrays of equal dtype, none with gaps in its memory."""
    return [[_dense(g) for g in some] for _, some in _alike(gradients, _dtype)]


def _alike(items, key):
    """(key, list of the items that have it) for all keys."""
    for value, some in groupby(sorted(items, key=key), key):
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
    addresses = np.array([a.data.ptr for some in lists for a in some], np.uint64)
    pieces = _pieces(first)
    launch("optim", kernel, [array_module(first[0]).asarray(addresses), pieces], outputs,
           len(first), *numbers, size=len(pieces), blocks=len(pieces), dtype=first[0].dtype)


def _pieces(arrays):
    """(array's number, begin, end) for each block of a launch, as an array on the GPU."""
    xp = array_module(arrays[0])
    return _pieces_of(xp, xp.cuda.runtime.getDevice(), tuple(a.size for a in arrays))


@functools.lru_cache(16)
def _pieces_of(xp, device, sizes):  # an array on one GPU is of no use on another
    pieces = [(owner, start, min(start + CHUNK, n)) for owner, n in enumerate(sizes)
              for start in range(0, n, CHUNK)]
    return xp.asarray(np.array(pieces, np.int64).reshape(-1, 3))


def _dense(p):
    """p; ValueError if there are gaps in its memory, which a kernel would run into."""
    if not p.transpose(memory_order(p)).flags.c_contiguous:
        raise ValueError(f"optimizer on the GPU: an array of shape {p.shape} and strides "
                         f"{p.strides} is not dense in memory; use .copy()")
    return p


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
