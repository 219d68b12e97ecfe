"""Derivatives as functions: grad, jvp, jacobian, hessian. None of them touches a `.grad`."""

from __future__ import annotations

import numpy as np

from minigrad.tensor import Tensor, propagate, wrap


def grad(outputs, inputs, grad_outputs=None, create_graph=False, retain_graph=None,
         allow_unused=False):
    """d sum <grad_outputs, outputs> / d inputs, as a tuple of Tensors; touches no `.grad`.

    outputs, inputs: Tensors or sequences of them, inner nodes of the graph included; grad_outputs
    like outputs (default 1 for single elements); retain_graph defaults to create_graph. An input
    that the outputs do not depend on raises RuntimeError, or gives None if `allow_unused`.
    """
    outputs, inputs = _sequence(outputs), _sequence(inputs)
    seeds = [None] * len(outputs) if grad_outputs is None else _sequence(grad_outputs)
    if len(seeds) != len(outputs):
        raise ValueError(f"grad: {len(outputs)} outputs but {len(seeds)} grad_outputs")
    for i, x in enumerate(inputs):
        if not x.requires_grad:
            raise RuntimeError(f"grad: input {i} does not require a gradient")
    wanted = {x.node or x for x in inputs}
    retain = create_graph if retain_graph is None else retain_graph
    found = propagate(outputs, seeds, wanted, create_graph, retain)
    result = []
    for i, x in enumerate(inputs):
        g = found.get(x.node or x)
        if g is None and not allow_unused:
            raise RuntimeError(f"grad: the outputs do not depend on input {i}; pass "
                               "allow_unused=True to get None for it")
        result.append(g if g is None or create_graph else wrap(g.astype(x.dtype)))
    return tuple(result)


def jvp(f, inputs, tangents):
    """(f(inputs), J t): the derivative of f along `tangents`, exact to rounding.

    The pullback v -> v^T J is linear in v and its own pullback is J, so two reverse passes make one
    forward pass (J. Townsend, "A new trick for calculating Jacobian vector products", 2017).
    inputs, tangents: sequences of Tensors or arrays, equal shapes; f returns one Tensor. Raises
    ValueError if they differ.
    """
    xs, ts = _leaves(inputs), [np.asarray(_data(t)) for t in tangents]
    if [x.shape for x in xs] != [t.shape for t in ts]:
        raise ValueError(f"jvp: inputs have shapes {[x.shape for x in xs]}, tangents "
                         f"{[t.shape for t in ts]}")
    y = f(*xs)
    zero = wrap(np.zeros_like(y.data))
    if not y.requires_grad:
        return y, zero
    v = wrap(np.zeros_like(y.data))
    v.requires_grad = True
    pulled = grad(y, xs, v, create_graph=True, allow_unused=True)
    used = [(g, t.astype(g.dtype, copy=False)) for g, t in zip(pulled, ts)
            if g is not None and g.requires_grad]
    if not used:
        return y.detach(), zero
    (jt,) = grad([g for g, _ in used], v, [t for _, t in used])
    return y.detach(), jt


def jacobian(f, x):
    """dy/dx, a Tensor of shape (*y.shape, *x.shape): one backward pass per element of y = f(x)."""
    (x,) = _leaves([x])
    return _rows(f(x), x)


def hessian(f, x):
    """d^2y/dx^2 as a Tensor of shape (*x.shape, *x.shape), for f(x) with a single element."""
    (x,) = _leaves([x])
    y = f(x)
    g = grad(y, x, create_graph=True, allow_unused=True)[0] if y.requires_grad else None
    return _rows(wrap(np.zeros_like(x.data)) if g is None else g, x)


def _rows(y, x):
    rows = wrap(np.zeros((*y.shape, *x.shape), x.dtype))
    for index in np.ndindex(y.shape if y.requires_grad else (0,)):
        seed = np.zeros_like(y.data)
        seed[index] = 1
        (g,) = grad(y, x, seed, retain_graph=True, allow_unused=True)
        if g is not None:
            rows[index] = g
    return rows


def _leaves(inputs):
    """Fresh leaves with the inputs' values, so that the caller's graph is not touched."""
    return [Tensor(_data(x), requires_grad=True) for x in inputs]


def _data(x):
    return x.data if isinstance(x, Tensor) else x


def _sequence(x):
    return tuple(x) if isinstance(x, (list, tuple)) else (x,)
