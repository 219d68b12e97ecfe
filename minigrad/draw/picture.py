"""What a picture says, before it is decided how it looks: boxes and arrows with their texts.

Below that the highlighted path: every way from one value to the loss, and the chain rule along it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from minigrad.backend import Array, array_module
from minigrad.draw import text
from minigrad.draw.fold import fold
from minigrad.draw.nodes import Node, Nodes
from minigrad.engine import Tensor, propagate, wrap
from minigrad.function import Function

LARGEST = 6000  # boxes
LONGEST_PRODUCT = 12  # factors of the chain rule that are written out
EVERY_DIGIT = 17  # significant digits that tell any two float64 apart


@dataclass
class Box:
    """One value: its name, how it was computed, and what is known of it."""

    kind: str  # "parameter", "constant", "op", "folded" or "loss"
    name: str
    symbol: str  # the op or module
    lines: list[tuple[str, str]]  # pairs (kind of text: "value", "gradient" or "note", text)
    details: list[str]  # more lines, for a tooltip: the op's equation, all digits
    marked: bool = False  # on the highlighted path?


@dataclass
class Arrow:
    """One use of a value, from box to box, and the local derivative there."""

    source: int
    target: int
    label: str = ""  # the derivative, or the size of the Jacobian
    factor: str = ""  # the derivative, if it is a number
    flows: bool = False  # does a gradient come back this way?
    marked: bool = False


@dataclass
class Picture:
    """All that is shown, whatever the format. Arrows are ordered by their targets."""

    title: str
    boxes: list[Box]
    arrows: list[Arrow]
    loss: str = ""  # the name of what is differentiated
    caption: str = ""  # the chain rule along the highlighted path

    @property
    def description(self) -> str:
        """The picture in a sentence or two, for those who cannot see it."""
        boxes, arrows = (text.count(len(x), noun)
                         for x, noun in ((self.boxes, "node"), (self.arrows, "arrow")))
        loss = [f"{box.name}: {', '.join(t for _, t in box.lines)}" for box in self.boxes
                if box.kind == "loss"]
        return ". ".join([f"A computation of {boxes}, joined by {arrows}", *loss,
                          *[self.caption] * bool(self.caption)]) + "."


def compose(nodes: Nodes, names: Mapping[str, Any], loss: Tensor | None, digits: int,
            gradients: bool, highlight: Tensor | str | None, collapse: int | None,
            title: str | None) -> Picture:
    """The Picture of `nodes`; `minigrad.draw.Graph.picture` explains the other parameters."""
    if not nodes:
        raise ValueError("draw: nothing was recorded: no op ran on Tensors inside the `with` block")
    modules = text.give_names(nodes, names)
    root = _root(nodes, loss)
    if root is not None:
        nodes[root].name, nodes[root].pinned = nodes[root].name or "L", True
    if gradients:
        _differentiate(nodes, root)
    start = None if highlight is None else _start(nodes, highlight, root)
    few, index = fold(nodes, collapse)
    if len(few) > LARGEST:
        raise ValueError(f"draw: {len(few):,} boxes are too many for one picture (at most "
                         f"{LARGEST:,}): " + "pass collapse=True, or " * (collapse is False)
                         + "draw a smaller part")
    name = "" if root is None else nodes[root].name
    picture = Picture(title or "Computation" + f" of {name}" * bool(name),
                      [_box(node, modules, digits) for node in few],
                      [arrow for i in range(len(few))
                       for arrow in _arrows(few, i, gradients, digits)], name)
    if root is not None:
        picture.boxes[index[root]].kind = "loss"
    if start is not None and root is not None:
        paths = _mark(picture, index[start], index[root])
        picture.caption = _chain_rule(picture, nodes[start], nodes[root], paths, digits)
    return picture


def _root(nodes: Nodes, loss: Tensor | None) -> int | None:
    """The node to differentiate: `loss`, or else the last result that nothing uses, if a number."""
    if loss is not None:
        root = nodes.find(loss)
        if root is None or loss.numel() != 1 or loss.is_leaf:
            raise ValueError("draw: loss must be a result in the graph, of one element, that "
                             f"requires a gradient; this Tensor of shape {loss.shape} is not")
        nodes[root].array = loss.data
        return root
    used = {j for node in nodes for j in node.inputs}
    ends = [i for i, node in enumerate(nodes) if i not in used and node.symbol
            and node.edge is not None and node.array is not None and node.array.size == 1]
    return ends[-1] if ends else None


def _differentiate(nodes: Nodes, root: int | None) -> None:
    """Set the gradient of every node that L depends on; `.grad` and the graph stay as they are."""
    if any(node.symbol and node.edge is not None and node.edge.saved is None for node in nodes):
        raise RuntimeError("draw: an earlier backward freed this graph: draw it first, pass "
                           "retain_graph=True to that backward, or draw with gradients=False")
    if root is not None:
        loss = wrap(nodes[root].array, nodes[root].edge)
        wanted = {node.edge for node in nodes if node.edge is not None}
        gradients = propagate([loss], [None], wanted, create_graph=False, retain_graph=True)
        for node in nodes:
            node.gradient = gradients.get(node.edge)


def _box(node: Node, modules: Mapping[int, str], digits: int) -> Box:
    """What stands in a node's box."""
    folded = node.module is not None or node.ops > 1
    kind = ("folded" if folded else "op" if node.symbol else
            "constant" if node.edge is None else "parameter")
    symbol = node.symbol
    if node.module is not None and modules.get(id(node.module)):
        symbol = f"{modules[id(node.module)]}: {symbol}"
    lines: list[tuple[str, str]] = []
    details = [f"{node.name} = {symbol}".strip(" =") or kind]
    if folded and not node.module:
        lines.append(("note", text.count(node.ops, "op")))
    if folded and node.parameters:
        lines.append(("note", text.count(node.parameters, "parameter")))
    if node.module is not None:
        details += repr(node.module).split("\n")
    elif node.places and node.edge is not None:
        details += (type(node.edge).__doc__ or "").split("\n")[:1]  # its equation
    like = node.like
    if like is not None and (node.array is not None or like.size != 1):
        lines.append(("value", text.value(like, digits)))
        details.append(text.value(like, EVERY_DIGIT))
    if node.gradient is not None:
        lines.append(("gradient", text.gradient(node.gradient, digits)))
        details.append(text.gradient(node.gradient, EVERY_DIGIT))
    return Box(kind, node.name, symbol, lines, details)


def _arrows(nodes: list[Node], i: int, gradients: bool, digits: int) -> list[Arrow]:
    """The arrows into node i, with the local derivatives of its op."""
    node, like = nodes[i], nodes[i].like
    arrows = [Arrow(j, i, flows=node.edge is not None and nodes[j].edge is not None)
              for j in node.inputs]
    if not gradients or like is None or node.edge is None or not node.places:
        return arrows
    slopes = _slopes(node.edge, like) if like.size == 1 else {}
    for place, arrow in zip(node.places, arrows):
        x = nodes[arrow.source].like
        if place in slopes and slopes[place].size == 1:
            arrow.label = arrow.factor = text.number(slopes[place], digits)
        elif arrow.flows and x is not None:
            arrow.label = f"{like.size}×{x.size}"
    return arrows


def _slopes(function: Function, y: Array) -> dict[int, Array]:
    """{argument position: dy/dx} for an op whose output y has a single element."""
    pairs = iter(function.gradients(array_module(y).ones_like(y), False, None))
    slopes, pair = {}, next(pairs, None)
    for place, edge in enumerate(function.parents):
        if pair is not None and edge is pair[0]:
            slopes[place], pair = pair[1], next(pairs, None)
    return slopes


# ---- the highlighted path ----

def _start(nodes: Nodes, highlight: Tensor | str, root: int | None) -> int:
    """The index of the value to highlight, given as a Tensor or by its name.

    Raises ValueError if it is not in the graph, or if there is no loss for a path to lead to.
    """
    if root is None:
        raise ValueError("draw: highlight needs a result of one element that requires a gradient")
    names = {node.name: i for i, node in enumerate(nodes) if node.name}
    index = names.get(highlight) if isinstance(highlight, str) else nodes.find(highlight)
    if index is None:
        what = highlight if isinstance(highlight, str) else f"a Tensor of shape {highlight.shape}"
        raise ValueError(f"draw: highlight: {what} is not in the graph; the names there are "
                         f"{', '.join(names)}")
    return index


def _mark(picture: Picture, first: int, last: int) -> int:
    """Mark the boxes and arrows on every path of gradients from box `last` back to box `first`.

    Returns the number of paths. Raises ValueError if there is none.
    """
    ways = [0] * len(picture.boxes)  # from `first` to each box
    ways[first] = 1
    leads = [False] * len(picture.boxes)  # to `last`?
    leads[last] = True
    arrows = [arrow for arrow in picture.arrows if arrow.flows]
    for arrow in arrows:  # ordered by target, so ways[source] is complete
        ways[arrow.target] += ways[arrow.source]
    for arrow in reversed(arrows):
        leads[arrow.source] |= leads[arrow.target]
    if not ways[last]:
        raise ValueError(f"draw: highlight: {picture.boxes[last].name} does not depend on "
                         f"{picture.boxes[first].name or 'this Tensor'}")
    for i, box in enumerate(picture.boxes):
        box.marked = leads[i] and ways[i] > 0
    for arrow in arrows:
        arrow.marked = picture.boxes[arrow.source].marked and picture.boxes[arrow.target].marked
    return ways[last]


def _chain_rule(picture: Picture, start: Node, root: Node, paths: int, digits: int) -> str:
    """`∂L/∂w = 2 × (−1) × 0.5 = −1`, factors from the loss back; less where that says too much."""
    if start.gradient is None:
        return ""  # drawn without gradients
    name = f"∂{root.name}/∂{start.name or 'x'}"
    if start.gradient.size > 1:
        return f"‖{name}‖ = {text.gradient(start.gradient, digits).split()[-1]}"
    result = text.number(start.gradient, digits)
    if paths > 1:
        return f"{name} = {result}, the sum over {paths:,} paths"
    factors = [arrow.factor for arrow in reversed(picture.arrows) if arrow.marked]
    if len(factors) > LONGEST_PRODUCT or not all(factors):
        return f"{name} = {result}"
    product = " × ".join(f"({f})" if f.startswith("−") else f for f in factors)
    return f"{name} = {product} = {result}"
