"""A computation as data: a list of nodes, each after the nodes that it was computed from.

There are two sources. A recording knows everything: every op, constant, value and module. A result
alone knows what backward needs: the ops on the way to leaves that require a gradient, and of the
values those that were saved.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from minigrad.backend import Array
from minigrad.engine import Tensor
from minigrad.function import Call, Function
from minigrad.graph import nodes_behind
from minigrad.nn import Module

SYMBOLS = {"Add": "+", "Sub": "−", "Mul": "×", "Div": "÷", "MatMul": "@", "Pow": "^", "Neg": "−"}


@dataclass
class Node:
    """One value: a leaf, the result of an op, or (after folding) the result of several ops."""

    symbol: str = ""  # the op; empty for a leaf
    array: Array | None = None  # the value; None where a result alone does not know it
    edge: Any = None  # the Function or leaf Tensor that a gradient flows to; None: constant
    inputs: list[int] = field(default_factory=list)  # indices of nodes
    places: list[int] = field(default_factory=list)  # per input its argument position; [] if folded
    scope: tuple[Module, ...] = ()  # the modules it was computed in, outermost first
    name: str = ""
    pinned: bool = False  # named by the user, so not to disappear in a chain
    gradient: Array | None = None  # dL/d(this value)
    module: Module | None = None  # folded: the module that the node stands for,
    ops: int = 1  # how many ops it stands for
    parameters: int = 0  # and how many trained numbers these own

    @property
    def like(self) -> Array | None:
        """An array of the value's shape and dtype, or None if these are not known."""
        return self.gradient if self.array is None else self.array


class Nodes(list[Node]):
    """Nodes in order; `find` tells which of them a Tensor is."""

    def __init__(self) -> None:
        self._index: dict[int, int] = {}

    def find(self, x: Tensor | Array | Function) -> int | None:
        """The index of the node that holds x (a Tensor, array or Function), or None."""
        return self._index.get(_key(x))

    def leaf(self, x: Tensor | Array) -> int:
        """The index of the Tensor or array x, which becomes a leaf unless it is a node already."""
        i = self._index.setdefault(_key(x), len(self))
        if i == len(self):
            self.append(Node(array=x.data, edge=(x.node or x) if x.requires_grad else None)
                        if isinstance(x, Tensor) else Node(array=x))
        return i

    def result(self, function: Function, inputs: Sequence[Any], array: Array | None,
               edge: Any, scope: tuple[Module, ...] = ()) -> None:
        """Append the node of what an op computed from `inputs`: values, or the Functions that made
        them; numbers and None stand for what has no node."""
        places = [place for place, x in enumerate(inputs)
                  if isinstance(x, Function) or hasattr(x, "dtype")]
        node = Node(_symbol(function, inputs), array, edge,
                    [self.leaf(inputs[place]) for place in places], places, scope)
        self._index[id(array if edge is None else edge)] = len(self)
        self.append(node)


def _key(x: Any) -> int:
    """What tells values apart: the op that made it, the leaf, or a constant's array."""
    if isinstance(x, Tensor):
        x = x.node or (x if x.requires_grad else x.data)
    return id(x)  # nodes keep all of these alive


def from_calls(calls: Iterable[Call]) -> Nodes:
    """The nodes of recorded `minigrad.function.Call`s."""
    nodes = Nodes()
    for function, inputs, output, scope in calls:
        nodes.result(function, inputs, output.data, output.node, scope)
    return nodes


def from_output(output: Tensor) -> Nodes:
    """The nodes behind one Tensor, as far as its graph remembers them.

    Raises ValueError if it has no graph.
    """
    if output.node is None:
        raise ValueError("draw: this Tensor has no graph, for none of its inputs required a "
                         "gradient; record it instead: `with draw.record() as graph:`")
    functions = nodes_behind([output.node])[::-1]  # in the order in which they ran
    values: dict[Any, Array] = {output.node: output.data}  # by edge, or place of a constant
    for function in functions:
        for place, array in _saved(function):
            edge = function if place < 0 else function.parents[place]
            values[(function, place) if edge is None else edge] = array
    nodes = Nodes()
    for function in functions:
        known = [values.get((function, place)) if edge is None else edge
                 for place, edge in enumerate(function.parents)]
        nodes.result(function, known, values.get(function), function)
    return nodes


def _saved(function: Function) -> Iterator[tuple[int, Array]]:
    """Pairs (argument position or -1 for the output, array) of what waits for backward."""
    try:
        values = function.unpack(graph=False)
    except RuntimeError:  # freed, or overwritten since
        return
    for (place, _), array in zip(function.sources, values):
        if array is not None:
            yield place, array


def _symbol(function: Function, inputs: Iterable[Any]) -> str:
    """How an op is written in a picture: `+`, `× 2`, `1 −`, `Tanh`, ..."""
    text = SYMBOLS.get(function.name, function.name)
    for place, x in enumerate(inputs):
        if isinstance(x, (int, float)):
            space = " " * (text != "^")
            text = f"{text}{space}{x:g}" if place else f"{x:g}{space}{text}"
    return text
