"""The graph of the ops that have run, and the pass back through it, from the results to the leaves.

    with no_grad(): ...     no graph is recorded
    backpropagate(...)      what `Tensor.backward` and `minigrad.grad` have in common

A graph consists of Nodes, one for each op that ran, and of leaf Tensors, with which it begins. A
Node refers to its parents, and nothing refers forward. So a graph has no cycles, and it is gone as
soon as nobody holds its last result. This module knows neither Tensors nor ops.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Any

import numpy as np

from minigrad.backend import check_devices, memory_error


class _Context(threading.local):
    """What surrounds the ops that a thread runs."""

    grad: bool = True  # record the graph?
    trace: list | None = None  # a list to which every op appends a Call, or None
    scope: tuple = ()  # the modules that are running, outermost first; only while there is a trace
    autocast: np.dtype | None = None  # the 16-bit dtype in which products take their inputs


context = _Context()


@contextmanager
def no_grad() -> Iterator[None]:
    """Inside this block no graph is recorded: results do not require gradients."""
    before, context.grad = context.grad, False
    try:
        yield
    finally:
        context.grad = before


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
                    pending[parent] = pending[parent] + g if parent in pending else g
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
