"""What a picture says, before it is decided how it looks: boxes and arrows with their texts."""

from __future__ import annotations

from dataclasses import dataclass

from minigrad.backend import array_module
from minigrad.draw import path, text
from minigrad.draw.fold import fold
from minigrad.tensor import propagate, wrap

LARGEST = 6000  # boxes
EVERY_DIGIT = 17  # significant digits that tell any two float64 apart


@dataclass
class Box:
    """One value: its name, how it was computed, and what is known of it."""

    kind: str  # "parameter", "constant", "op", "folded" or "loss"
    name: str
    symbol: str  # the op or module
    lines: list  # pairs (kind of text: "value", "gradient" or "note", text)
    details: list  # more lines, for a tooltip: the op's equation, all digits
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
    boxes: list
    arrows: list
    loss: str = ""  # the name of what is differentiated
    caption: str = ""  # the chain rule along the highlighted path

    @property
    def description(self):
        """The picture in a sentence or two, for those who cannot see it."""
        boxes, arrows = (text.count(len(x), noun)
                         for x, noun in ((self.boxes, "node"), (self.arrows, "arrow")))
        loss = [f"{box.name}: {', '.join(t for _, t in box.lines)}" for box in self.boxes
                if box.kind == "loss"]
        return ". ".join([f"A computation of {boxes}, joined by {arrows}", *loss,
                          *[self.caption] * bool(self.caption)]) + "."


def compose(nodes, names, loss, digits, gradients, highlight, collapse, title):
    """The Picture of `nodes`; `minigrad.draw.Graph.picture` explains the other parameters."""
    if not nodes:
        raise ValueError("draw: nothing was recorded: no op ran on Tensors inside the `with` block")
    modules = text.give_names(nodes, names)
    root = _root(nodes, loss)
    if root is not None:
        nodes[root].name, nodes[root].pinned = nodes[root].name or "L", True
    if gradients:
        _differentiate(nodes, root)
    start = None if highlight is None else path.start(nodes, highlight, root)
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
    if start is not None:
        paths = path.mark(picture, index[start], index[root])
        picture.caption = path.chain_rule(picture, nodes[start], nodes[root], paths, digits)
    return picture


def _root(nodes, loss):
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
            and node.edge is not None and node.array.size == 1]
    return ends[-1] if ends else None


def _differentiate(nodes, root):
    """Set the gradient of every node that L depends on; `.grad` and the graph stay as they are."""
    if any(node.symbol and node.edge is not None and node.edge.saved is None for node in nodes):
        raise RuntimeError("draw: an earlier backward freed this graph: draw it first, pass "
                           "retain_graph=True to that backward, or draw with gradients=False")
    if root is not None:
        loss = wrap(nodes[root].array, nodes[root].edge)
        wanted = {node.edge for node in nodes if node.edge is not None}
        found = propagate([loss], [None], wanted, create_graph=False, retain_graph=True)
        for node in nodes:
            node.gradient = found.get(node.edge)


def _box(node, modules, digits):
    """What stands in a node's box."""
    folded = node.module is not None or node.ops > 1
    kind = ("folded" if folded else "op" if node.symbol else
            "constant" if node.edge is None else "parameter")
    symbol = node.symbol
    if node.module is not None and modules.get(id(node.module)):
        symbol = f"{modules[id(node.module)]}: {symbol}"
    lines, details = [], [f"{node.name} = {symbol}".strip(" =") or kind]
    if folded and not node.module:
        lines.append(("note", text.count(node.ops, "op")))
    if folded and node.parameters:
        lines.append(("note", text.count(node.parameters, "parameter")))
    if node.module is not None:
        details += repr(node.module).split("\n")
    elif node.places and node.edge is not None:
        details += (type(node.edge).__doc__ or "").split("\n")[:1]  # its equation
    if node.array is not None or node.gradient is not None and node.gradient.size != 1:
        lines.append(("value", text.value(node.like, digits)))
        details.append(text.value(node.like, EVERY_DIGIT))
    if node.gradient is not None:
        lines.append(("gradient", text.gradient(node.gradient, digits)))
        details.append(text.gradient(node.gradient, EVERY_DIGIT))
    return Box(kind, node.name, symbol, lines, details)


def _arrows(nodes, i, gradients, digits):
    """The arrows into node i, with the local derivatives of its op."""
    node = nodes[i]
    arrows = [Arrow(j, i, flows=node.edge is not None and nodes[j].edge is not None)
              for j in node.inputs]
    if not gradients or node.like is None or node.edge is None or not node.places:
        return arrows
    slopes = _slopes(node) if node.like.size == 1 else {}
    for place, arrow in zip(node.places, arrows):
        x = nodes[arrow.source].like
        if place in slopes and slopes[place].size == 1:
            arrow.label = arrow.factor = text.number(slopes[place], digits)
        elif arrow.flows and x is not None:
            arrow.label = f"{node.like.size}×{x.size}"
    return arrows


def _slopes(node):
    """{argument position: dy/dx} for an op with a single output element."""
    one = array_module(node.like).ones_like(node.like)
    pairs = iter(node.edge.gradients(one, False, None))
    slopes, pair = {}, next(pairs, None)
    for place, edge in enumerate(node.edge.edges):
        if pair is not None and edge is pair[0]:
            slopes[place], pair = pair[1], next(pairs, None)
    return slopes
