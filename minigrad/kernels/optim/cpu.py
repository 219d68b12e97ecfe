"""Optimizer steps, and norms and limits of gradients, for lists of arrays of one device.

    for some in by_device(gradients):       # whatever devices they are on
        clip(some, 1.0)

`items` are what `Optimizer.update` gets, one after another: (parameter, gradient, state). Steps and
limits change the arrays in place.
"""

import itertools
import math

import numpy as np
from numpy.lib.array_utils import byte_bounds

from minigrad.backend import DEVICES, device_of
from minigrad.dtypes import is_half, widen
from minigrad.kernels.optim import gpu
from minigrad.kernels.runtime.cuda import gpu_form, memory_order
from minigrad.kernels.runtime.threads import for_each

BLOCK = 1 << 16  # elements updated at once: a handful of such arrays stays in a core's cache
SQUARES = 1024  # squares that BLAS adds up at a time


def by_device(items):
    """The items of each device as a list: arrays, or tuples that begin with one."""
    homes = [device_of(item[0] if isinstance(item, tuple) else item) for item in items]
    for device in DEVICES:
        some = [item for item, home in zip(items, homes) if home == device]
        if some:
            yield some


@gpu_form(gpu.sgd)
def sgd(items, group):
    """The steps of `optim.SGD`, which has the formula."""
    lr, momentum, decay = group["lr"], group["momentum"], group["weight_decay"]

    def update(p, g, buffer, share):
        if decay:
            g = g + decay * p
        if momentum:
            (v,) = buffer
            v *= momentum
            v += share * g
            g = g + momentum * v if group["nesterov"] else v
        p -= lr * g

    tasks = []
    for p, g, state in items:
        share = 1 - group["dampening"]
        if momentum and not state:
            state["momentum_buffer"], share = np.zeros_like(p), 1
        tasks += [(p, g, buffer, share) for p, g, *buffer in blocks(p, g, *state.values())]
    _update_all(update, tasks)


@gpu_form(gpu.adam, takes=gpu.without_amsgrad)
def adam(items, group):
    """The steps of `optim.Adam` and `optim.AdamW`, which have the formulas."""
    lr, (b1, b2), decay = group["lr"], group["betas"], group["weight_decay"]

    def update(p, g, m, v, largest, rate, root):
        if group["decoupled_weight_decay"]:
            p *= 1 - lr * decay
        elif decay:
            g = g + decay * p
        m *= b1
        m += (1 - b1) * g
        v *= b2
        v += (1 - b2) * (g * g)
        if largest:
            v = np.maximum(largest[0], v, out=largest[0])
        p -= rate * (m / (np.sqrt(v) / root + group["eps"]))

    tasks = []
    for p, g, state in items:
        if not state:
            state.update(step=0, exp_avg=np.zeros_like(p), exp_avg_sq=np.zeros_like(p))
        if group["amsgrad"] and "max_exp_avg_sq" not in state:
            state["max_exp_avg_sq"] = np.zeros_like(p)
        largest = [state["max_exp_avg_sq"]] if group["amsgrad"] else []
        t = state["step"] = state["step"] + 1
        rate, root = lr / (1 - b1**t), math.sqrt(1 - b2**t)
        parts = blocks(p, g, state["exp_avg"], state["exp_avg_sq"], *largest)
        tasks += [(p, g, m, v, largest, rate, root) for p, g, m, v, *largest in parts]
    _update_all(update, tasks)


def _update_all(update, tasks):
    """update(*task) for every task; threads share them if there are many blocks."""
    few = sum(p.size for p, *_ in tasks) < 2 * BLOCK
    if few or device_of(tasks[0][0]) != "cpu" or _overlap([p for p, *_ in tasks]):
        for task in tasks:
            update(*task)
    else:
        for_each(lambda task: update(*task), tasks)


def _overlap(arrays):
    """Whether two of them may share memory."""
    spans = sorted(map(byte_bounds, arrays))
    return any(start < end for (_, end), (start, _) in itertools.pairwise(spans))


@gpu_form(gpu.blocks)
def blocks(*arrays):
    """Corresponding pieces of arrays of one shape: views, small enough for several passes in cache.

    Arrays that lie in memory in one order are cut in that order, which is fastest; others along
    their first axis. On a GPU there is one piece.
    """
    size = arrays[0].size
    if size <= BLOCK:
        yield arrays
        return
    ordered = [a.transpose(memory_order(arrays[0])) for a in arrays]
    if all(a.flags.c_contiguous for a in ordered):
        arrays = [a.reshape(-1) for a in ordered]
    rows = max(1, BLOCK * len(arrays[0]) // size)
    for start in range(0, len(arrays[0]), rows):
        yield [a[start:start + rows] for a in arrays]


@gpu_form(gpu.clip)
def clip(gradients, limit):
    """Every element limited to [-limit, limit]."""
    for g in gradients:
        np.clip(g, -limit, limit, out=g)


@gpu_form(gpu.scale)
def scale(gradients, factor):
    """Every element times the factor."""
    with np.errstate(invalid="ignore"):     # infinity times 0
        for g in gradients:
            if is_half(g):
                g[...] = widen(g) * factor  # in float16 the factor itself would lose digits
            else:
                g *= factor


@gpu_form(gpu.unscale)
def unscale(gradients, factor):
    """Every element times the factor; whether all of them are finite then."""
    finite = True
    for g in gradients:
        g *= factor
        finite = finite and bool(np.isfinite(g).all())
    return finite


@gpu_form(gpu.norms)
def norms(gradients, order):
    """Norms of parts: their norm is (sum |g|^order)^(1/order) over all elements of all gradients.

    The parts are the gradients with elements; on a GPU, for which the host waits once, all of them
    together are one. order: positive, math.inf for the largest |g|.
    """
    return [_norm(g, order) for g in gradients if g.size]


@gpu_form(gpu.squared_norm)
def squared_norm(gradients):
    """sum g^2 over all elements of all gradients, each summed in its own dtype."""
    total = 0.0
    for g in gradients:
        flat = g.ravel(order="K")       # in the order of memory: no copy
        total += float(flat @ flat)
    return total


def _norm(g, order):
    """The norm of one gradient; the squares of float32 in blocks, whose sums float64 adds up."""
    g = widen(g).ravel("K")
    if order != 2 or g.dtype != np.float32:
        return float(np.linalg.norm(g, order))
    rows, rest = np.split(g, [g.size - g.size % SQUARES])
    rows = rows.reshape(-1, SQUARES)
    return math.sqrt(np.vecdot(rows, rows).sum(dtype=np.float64) + float(rest @ rest))
