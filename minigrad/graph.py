"""The graph of the ops that have run, and the pass back through it, from the results to the leaves.

    with no_grad(): ...     no graph is recorded; also `@no_grad` before a function
    backpropagate(...)      what `Tensor.backward` and `minigrad.grad` have in common

A graph consists of Nodes, one for each op that ran, and of leaf Tensors, with which it begins. A
Node refers to its parents, and nothing refers forward. So a graph has no cycles, and it is gone as
soon as nobody holds its last result. This module knows neither Tensors nor ops.
"""

import copy
import threading
from collections.abc import Iterable, Sequence
from contextlib import ContextDecorator
from operator import attrgetter
from typing import Any

import numpy as np

from minigrad.backend import check_devices, memory_error
from minigrad.memory import add_to


class _Context(threading.local):
    """What surrounds the ops that a thread runs."""

    grad: bool = True  # record the graph?
    trace: list | None = None  # a list to which every op appends a Call, or None
    scope: tuple = ()  # the modules that are running, outermost first; only while there is a trace
    autocast: np.dtype | None = None  # the 16-bit dtype in which products take their inputs


context = _Context()


class no_grad(ContextDecorator):
    """Inside this block, or in a decorated function, no graph is recorded: results do not require
    gradients."""

    mode = False
    before: tuple[bool, ...] = ()  # what held outside of each block that has begun

    def __new__(cls, f: Any = None) -> Any:
        """With f, the decorated function: `@no_grad` needs no brackets."""
        self = super().__new__(cls)
        return self if f is None else self(f)

    def __enter__(self) -> None:
        self.before, context.grad = (*self.before, context.grad), self.mode

    def __exit__(self, *error: object) -> None:
        *outer, context.grad = self.before
        self.before = tuple(outer)

    def _recreate_cm(self) -> Any:
        """One for each call of the decorated function, as other threads may call it meanwhile."""
        return copy.copy(self)


class enable_grad(no_grad):
    """Inside this block, or in a decorated function, the graph is recorded, even in a `no_grad`."""

    mode = True


def inference_mode(mode: Any = True) -> Any:
    """`no_grad`; with mode=False `enable_grad`."""
    return no_grad(mode) if callable(mode) else no_grad() if mode else enable_grad()


class set_grad_enabled(ContextDecorator):
    """Record the graph, or not, from here on; or only inside a block or a decorated function."""

    def __init__(self, mode: bool) -> None:
        self.before, self.mode, context.grad = context.grad, bool(mode), bool(mode)

    def __call__(self, f: Any) -> Any:
        context.grad = self.before
        return super().__call__(f)

    def __enter__(self) -> None:
        context.grad = self.mode

    def __exit__(self, *error: object) -> None:
        context.grad = self.before

    def _recreate_cm(self) -> Any:
        return type(self)(self.mode)


def is_grad_enabled() -> bool:
    """Whether the graph is recorded here."""
    return context.grad


class Node:
    """An op that ran, as the graph sees it; `minigrad.function` says how an op computes."""

    name: str
    needs: list[str]  # names of the values that backward needs
    sequence_number: int  # Nodes are numbered in the order in which they were made
    parents: Sequence[Any] = ()  # per input: the Node or the leaf Tensor it came from, or None
    # Per name in `needs`: (array, owner of its version counter, version when saved). The owner is
    # the Node or the Tensor that holds the counter; version None: nobody else can change the array.
    # In place of the tuple None if no gradient needs the value; in place of all once it was freed.
    saved: Sequence[Any] | None = ()
    hooks: Any = ()  # of the Tensor that the op made
    _version_counter: Any = None  # of the memory of that Tensor; see `Tensor.version_counter`

    def gradients(self, gy: Any, graph: bool, wanted: set | None) -> Iterable[tuple[Any, Any]]:
        """Pairs (parent, gradient) for the parents in `wanted`, or for all of them if it is None.

        gy: the gradient of the output, an array, or with `graph` a Tensor; so are the gradients.
        """
        raise NotImplementedError


def backpropagate(pending: dict, wanted: set | None, create_graph: bool,
                  retain_graph: bool) -> dict:
    """{Node or leaf Tensor: its gradient} for those in `wanted`, or for every leaf if it is None.

    pending: {Node or leaf Tensor: gradient} where the pass starts. Nodes run in the reverse of the
    order in which they were made, so that each has received all of its gradient before it passes
    it on. There is no recursion, however deep the graph is.
    """
    nodes, found = nodes_behind(pending), {}
    path = None
    if wanted is not None:
        path = set(wanted)  # and all that leads there
        for node in reversed(nodes):
            if not path.isdisjoint(node.parents):
                path.add(node)
    before, context.grad = context.grad, create_graph
    try:
        for node in nodes:
            if node not in pending:
                continue
            gy = pending.pop(node)
            if node.hooks:
                gy = node.hooks.run(gy)
            if wanted is not None and node in wanted:
                found[node] = gy
            if path is not None and path.isdisjoint(node.parents):
                continue
            try:
                for parent, g in node.gradients(gy, create_graph, path):
                    if parent not in pending:
                        pending[parent] = g
                    elif not add_to(pending, parent, g):
                        pending[parent] = pending[parent] + g
            except MemoryError as error:
                raise memory_error(error, f"backward of {node.name}") from error
            except Exception:
                check_devices(f"backward of {node.name}", gy,
                              [record[0] for record in node.saved or () if record])
                raise
            if not retain_graph:
                node.saved = None
        for leaf, g in pending.items():
            if wanted is None or leaf in wanted:
                found[leaf] = leaf._hooks.run(g) if leaf._hooks else g
    finally:
        context.grad = before
    return found


def nodes_behind(roots: Iterable) -> list:
    """Every Node that the roots, Nodes or leaf Tensors, depend on; those made last come first."""
    seen = {root for root in roots if isinstance(root, Node)}
    stack = list(seen)
    while stack:
        for parent in stack.pop().parents:
            if parent is not None and parent not in seen and isinstance(parent, Node):
                seen.add(parent)
                stack.append(parent)
    return sorted(seen, key=attrgetter("sequence_number"), reverse=True)
