"""The highlighted path: every way from one value to the loss, and the chain rule along it."""

from __future__ import annotations

from minigrad.draw import text

LONGEST_PRODUCT = 12  # factors written out


def start(nodes, highlight, root):
    """The index of the value to highlight, given as a Tensor or by its name.

    Raises ValueError if it is not in the graph, or if there is no loss for a path to lead to.
    """
    if root is None:
        raise ValueError("draw: highlight needs a result of one element that requires a gradient")
    named = {node.name: i for i, node in enumerate(nodes) if node.name}
    found = named.get(highlight) if isinstance(highlight, str) else nodes.find(highlight)
    if found is None:
        what = highlight if isinstance(highlight, str) else f"a Tensor of shape {highlight.shape}"
        raise ValueError(f"draw: highlight: {what} is not in the graph; the names there are "
                         f"{', '.join(named)}")
    return found


def mark(picture, first, last):
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


def chain_rule(picture, start, root, paths, digits):
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
