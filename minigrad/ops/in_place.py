"""`x += y` and the like: in place, and recorded in the graph if it has to be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad.arguments import ArgumentError, DtypeError
from minigrad.changes import check_changeable
from minigrad.dtypes import fits
from minigrad.engine import Tensor, wrap
from minigrad.function import OUTPUT
from minigrad.graph import context


def operator_of(f: Callable[..., Any]) -> Callable[..., Tensor]:
    """The operator or method that changes a Tensor x in place to f(x, y), for the op function f.

    While the graph is recorded, x itself becomes the result: what used x before keeps the old place
    in the graph, and what uses it afterwards has the new one. As in torch the memory is written to,
    so an op that needs the old values raises in backward.

    Raises RuntimeError for a leaf that requires a gradient, and if another Tensor lies in the same
    memory, whose graph would not know of the change; DtypeError and ArgumentError if the dtype or
    the shape of the result does not fit x.
    """
    def change(x: Tensor, *others: Any, **options: Any) -> Tensor:
        in_graph = context.grad and any(getattr(y, "requires_grad", False)
                                        for y in (x, *others, *options.values()))
        before = _before(x, f.__name__) if in_graph else x.detach()
        result = f(before, *others, **options)
        if not fits(result.dtype, x.dtype):
            raise DtypeError(f"in-place {f.__name__}: the result is {result.dtype}, which does not "
                             f"fit into a Tensor of {x.dtype}")
        if result.shape != x.shape:
            raise ArgumentError(f"in-place {f.__name__}: the result has shape {result.shape}, and "
                                f"does not fit into a Tensor of shape {x.shape}")
        if not result.requires_grad:
            return x.copy_(result)
        _become(x, before, result.to(x.dtype))
        return x
    return change


def _before(x: Tensor, name: str) -> Tensor:
    """Another Tensor in the place that x has in the graph so far."""
    if x.is_leaf and x.requires_grad:
        raise RuntimeError(f"in-place {name} of a leaf Tensor that requires a gradient: compute a "
                           "new Tensor, or, to change a parameter, use no_grad()")
    before = wrap(x.data, x.node, x._version_counter)
    if context.trace is not None:  # which keeps every Tensor alive, and should keep its values
        before.data = x.data.copy()
        context.trace[:] = [call.substitute(x, before) for call in context.trace]
    elif x.version_counter().is_seen_by_others(x):
        raise RuntimeError(f"in-place {name} of a view, or of a Tensor of which there are views: "
                           "the others' graph would not know of it; write x = x + y for x += y")
    check_changeable(x.data)
    return before


def _become(x: Tensor, before: Tensor, y: Tensor) -> None:
    """x becomes y: it takes its values, in place, and its node.

    Where the op of y saved the old values of x for backward, it gets a copy of them.
    """
    node: Any = y.node
    counter = x.version_counter()
    for k, source in enumerate(node.sources):
        array, owner, _ = node.saved[k] or (None, None, None)
        if array is before.data or array is x.data and owner is (x.node or x):
            past = wrap(array.copy(), x.node)
            node.saved[k] = past.data, past, 0
        elif array is not None and source.position == OUTPUT:  # nobody else can change y.data
            node.saved[k] = array, None, None
    x.data[...] = y.data
    counter.version += 1
    node._version_counter = counter
    x.node, x._requires_grad = node, True
