"""Derivatives as functions: grad, jvp, jacobian, hessian. None of them touches a `.grad`."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad.arguments import ArgumentError
from minigrad.engine import Tensor, accumulate, data_of, propagate, wrap


def grad(outputs: Tensor | Sequence[Tensor], inputs: Tensor | Sequence[Tensor],
         grad_outputs: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
         allow_unused: bool = False) -> tuple[Tensor, ...]:
    """d sum <grad_outputs, outputs> / d inputs, as a tuple of Tensors; touches no `.grad`.

    outputs, inputs: Tensors or sequences of Tensors; an input may be a leaf or the result of an op.
    grad_outputs: as many arrays or Tensors as outputs, each of the shape of its output; it may be
    left out for outputs of a single element, and is 1 then. `create_graph` makes the gradients
    differentiable; `retain_graph`, which defaults to it, keeps the graph for another pass.

    Raises ValueError for another number of grad_outputs, RuntimeError for an input that requires no
    gradient, and for one that the outputs do not depend on; with `allow_unused` the latter gives
    None instead.
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
    result: list[Any] = []
    for i, x in enumerate(inputs):
        g = found.get(x.node or x)
        if g is None and not allow_unused:
            raise RuntimeError(f"grad: the outputs do not depend on input {i}; pass "
                               "allow_unused=True to get None for it")
        result.append(g if g is None or create_graph else wrap(g.astype(x.dtype)))
    return tuple(result)


def backward(tensors: Tensor | Sequence[Tensor], grad_tensors: Any = None,
             retain_graph: bool | None = None, create_graph: bool = False) -> None:
    """`Tensor.backward` of several Tensors at once: adds up in the `.grad` of their leaves."""
    tensors = _sequence(tensors)
    seeds = [None] * len(tensors) if grad_tensors is None else _sequence(grad_tensors)
    if len(seeds) != len(tensors):
        raise ArgumentError(f"backward: {len(tensors)} tensors but {len(seeds)} grad_tensors")
    retain = create_graph if retain_graph is None else retain_graph
    accumulate(tensors, seeds, create_graph, retain)


def jvp(f: Callable[..., Tensor], inputs: Sequence[Any],
        tangents: Sequence[Any]) -> tuple[Tensor, Tensor]:
    """(f(inputs), J t): the value of f and its derivative along `tangents`, exact to rounding.

    inputs, tangents: sequences of Tensors or arrays, in pairs of equal shapes; f takes Tensors and
    returns one Tensor. Raises ValueError if the shapes differ.

    The pullback v -> v^T J is linear in v, and its own pullback is J. So two reverse passes make
    one forward pass (J. Townsend, "A new trick for calculating Jacobian vector products", 2017).
    """
    xs, ts = _leaves(inputs), [np.asarray(data_of(t)) for t in tangents]
    if [x.shape for x in xs] != [t.shape for t in ts]:
        raise ValueError(f"jvp: inputs have shapes {[x.shape for x in xs]}, tangents "
                         f"{[t.shape for t in ts]}")
    y = f(*xs)
    zero = np.zeros_like(y.data)
    if y.requires_grad:
        v = Tensor(zero, requires_grad=True)
        pulled = grad(y, xs, v, create_graph=True, allow_unused=True)
        used = [(g, t.astype(g.dtype, copy=False)) for g, t in zip(pulled, ts)
                if g is not None and g.requires_grad]
        if used:
            (jt,) = grad([g for g, _ in used], v, [t for _, t in used])
            return y.detach(), jt
    return y.detach(), wrap(zero)


def jacobian(f: Callable[[Tensor], Tensor], x: Any) -> Tensor:
    """dy/dx for y = f(x), as a Tensor of shape (*y.shape, *x.shape).

    x: a Tensor or an array. There is one backward pass for each element of y.
    """
    (x,) = _leaves([x])
    return _rows(f(x), x)


def hessian(f: Callable[[Tensor], Tensor], x: Any) -> Tensor:
    """d^2y/dx^2 for y = f(x) with a single element, as a Tensor of shape (*x.shape, *x.shape).

    x: a Tensor or an array. Raises RuntimeError if y has several elements.
    """
    (x,) = _leaves([x])
    y = f(x)
    g = grad(y, x, create_graph=True, allow_unused=True)[0] if y.requires_grad else None
    return _rows(wrap(np.zeros_like(x.data)) if g is None else g, x)


def _rows(y: Tensor, x: Tensor) -> Tensor:
    """dy/dx, row by row."""
    rows = wrap(np.zeros((*y.shape, *x.shape), x.dtype))
    for index in np.ndindex(y.shape if y.requires_grad else (0,)):
        seed = np.zeros_like(y.data)
        seed[index] = 1
        (g,) = grad(y, x, seed, retain_graph=True, allow_unused=True)
        if g is not None:
            rows[index] = g
    return rows


def _leaves(inputs: Sequence[Any]) -> list[Tensor]:
    """Fresh leaves with the inputs' values, so that the caller's graph is not touched."""
    return [Tensor(data_of(x), requires_grad=True) for x in inputs]


def _sequence(x: Any) -> tuple:
    return tuple(x) if isinstance(x, (list, tuple)) else (x,)
