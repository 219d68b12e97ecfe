"""Fewer boxes for a large graph: one per call of a module, and one per chain of other ops.

A module's box holds consecutive ops of one call. A chain's box holds ops in a row: the only
computed input of each is the op before it, which has no other user. Neither kind of box can close a
cycle. Leaves that belong inside a box, such as a layer's parameters, disappear in it.
"""

import math
import operator
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from minigrad.arguments import is_integer
from minigrad.draw.nodes import Node, Nodes
from minigrad.nn import Module

READABLE = 60  # boxes; a picture with more is folded unless told otherwise
SHORTEST_CHAIN = 3


@dataclass
class _Box:
    members: list[int]  # indices of nodes, in order
    module: Module | None = None

    @property
    def folds(self) -> bool:
        return self.module is not None or len(self.members) > 1


def fold(nodes: Nodes, collapse: int | None) -> tuple[list[Node], list[int]]:
    """(folded nodes, index of the one that now stands for or contains each node).

    collapse: False never folds. True folds at the deepest level of modules that leaves at most
    `READABLE` boxes, None does so if there are more than `READABLE` nodes. A number is the level at
    which to fold (0: the model, 1: its children). Raises ValueError for another `collapse`.
    """
    if collapse is False or collapse is None and len(nodes) <= READABLE:
        return nodes, list(range(len(nodes)))
    if collapse is None or collapse is True:
        deepest = max((len(node.scope) for node in nodes), default=0)
        levels = list(range(max(deepest - 1, 1), 0, -1))
    elif is_integer(collapse, 0):
        levels = [operator.index(collapse)]
    else:
        raise ValueError("draw: collapse must be True, False, None or a level of modules (0, 1, "
                         f"2, ...), got {collapse!r}")
    for level in levels:
        boxes = _module_boxes(level, nodes)
        _add_chains(boxes, nodes)
        folded, index = _contract(boxes, nodes, _contents(boxes, nodes))
        if len(folded) <= READABLE:
            break
    return folded, index


def _module_boxes(level: int, nodes: Nodes) -> list[_Box]:
    """The box of each node: of the module that its scope enters at this level, or of its own."""
    boxes: list[_Box] = []
    box = _Box([])  # of the op before
    path: tuple[Module, ...] = ()  # to its module
    for i, node in enumerate(nodes):
        if not node.symbol:
            boxes.append(_Box([i]))
            continue
        before, path = path, _path(node.scope, level)
        if path and path == before:
            box.members.append(i)
        else:
            box = _Box([i], path[-1] if path else None)
        boxes.append(box)
    return boxes


def _path(scope: tuple[Module, ...], level: int) -> tuple[Module, ...]:
    """The modules down to the one that gets a box: the one at `level`, or a childless one above."""
    if len(scope) > level:
        return scope[:level + 1]
    return scope if scope and not any(scope[-1].named_children()) else ()


def _mains(nodes: Nodes, i: int) -> list[int]:
    """The results that node i takes further; beside a gradient, values without one do not count."""
    return [j for j in set(nodes[i].inputs)
            if nodes[j].symbol and (nodes[j].edge is not None or nodes[i].edge is None)]


def _add_chains(boxes: list[_Box], nodes: Nodes) -> None:
    """Give the ops outside of modules that stand in a row one box together."""
    users = Counter(j for node in nodes for j in set(node.inputs))
    chains: dict[int, list[int]] = {}  # last op so far -> the ops in a row that it ends
    for i, node in enumerate(nodes):
        if node.symbol and not boxes[i].module:
            before = _mains(nodes, i)
            follows = len(before) == 1 and users[before[0]] == 1 and not nodes[before[0]].pinned
            chains[i] = chains.pop(before[0], []) if follows else []
            chains[i].append(i)
    for chain in chains.values():
        if len(chain) >= SHORTEST_CHAIN:
            box = _Box(chain)
            for i in chain:
                boxes[i] = box


def _contents(boxes: list[_Box], nodes: Nodes) -> dict[int, _Box]:
    """{node: box} for what only one box uses: its parameters, and constants that it meets later.

    What the first op of a box takes in remains visible, unless other boxes feed this one.
    """
    users: dict[int, list[int]] = {}
    for i, node in enumerate(nodes):
        for j in node.inputs:
            users.setdefault(j, []).append(i)
    fed = {id(boxes[i]) for i in range(len(nodes))
           for j in _mains(nodes, i) if boxes[j] is not boxes[i]}
    modules = {id(box): box.module for box in boxes if box.module}
    owned = {key: set(map(nodes.find, module.parameters())) for key, module in modules.items()}
    contents: dict[int, _Box] = {}
    for j in sorted(users, reverse=True):
        box = contents.get(users[j][0], boxes[users[j][0]])
        side = not nodes[j].symbol or not boxes[j].folds and j not in {
            k for i in users[j] for k in _mains(nodes, i)}
        if not side or not box.folds or any(contents.get(i, boxes[i]) is not box for i in users[j]):
            continue
        late = id(box) in fed or box.members[0] not in users[j]
        if j in owned.get(id(box), ()) or late and not nodes[j].pinned:
            contents[j] = box
    return contents


def _contract(boxes: list[_Box], nodes: Nodes,
              contents: dict[int, _Box]) -> tuple[list[Node], list[int]]:
    """The nodes of the smaller graph, and the new index of every old node."""
    folded: list[Node] = []
    index = [0] * len(nodes)
    for i, node in enumerate(nodes):
        box = boxes[i]
        if i in contents or i != box.members[-1]:
            continue
        if not box.folds:
            folded.append(replace(node, inputs=[index[j] for j in node.inputs]))
        else:
            used = dict.fromkeys(j for k in box.members for j in nodes[k].inputs)
            outside = [index[j] for j in used if boxes[j] is not box and j not in contents]
            own: Iterable[Any] = box.module.parameters() if box.module else (
                (nodes[j].array for j in used if j in contents and nodes[j].edge is not None))
            folded.append(replace(
                node, inputs=list(dict.fromkeys(outside)), places=[], module=box.module,
                ops=len(box.members), parameters=sum(math.prod(p.shape) for p in own),
                symbol=_summary(box, nodes)))
        for k in box.members:
            index[k] = len(folded) - 1
    for j, box in contents.items():
        index[j] = index[box.members[-1]]
    return folded, index


def _summary(box: _Box, nodes: Nodes) -> str:
    """What a box of several ops is called."""
    if box.module:
        return type(box.module).__name__
    symbols = [nodes[i].symbol for i in box.members]
    return " ".join(symbols) if len(symbols) < 4 else f"{symbols[0]} … {symbols[-1]}"
