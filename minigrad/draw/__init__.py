"""Pictures of computations: any graph as SVG, laid out here, or as DOT text for Graphviz.

    with draw.record() as graph:
        z = w * x + b
        loss = (sigmoid(z) - y) ** 2
    graph.save("neuron.svg", names=locals(), highlight=w)

Boxes show values and gradients dL/dvalue, arrows the local derivatives, and `highlight` colours the
chain rule's path. Large graphs are folded: one box per module. `draw.graph(loss)` does without a
recording and shows what the graph itself remembers.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

from minigrad.draw import dot, svg
from minigrad.draw.nodes import from_calls, from_output
from minigrad.draw.picture import compose
from minigrad.function import trace

__all__ = ["Graph", "graph", "record"]

PAGE = 750  # pixels


class Graph:
    """A computation that can be drawn, as often as one likes; made by `record` and `graph`."""

    def __init__(self, read):
        self._read = read  # () -> Nodes

    def picture(self, names=None, loss=None, digits=4, gradients=True, highlight=None,
                collapse=None, title=None):
        """The texts and links of the picture, as a `minigrad.draw.picture.Picture`.

        names: {name: Tensor or Module}; other values are passed over, so `locals()` will do.
        loss: the Tensor to differentiate; by default the last result, if nothing uses it and it has
            one element. `.grad` is not touched and the graph stays alive; hooks run, as in any
            backward pass.
        digits: significant digits of numbers.
        gradients: False leaves out gradients and local derivatives.
        highlight: a Tensor, or its name; colours every path from it to the loss.
        collapse: True draws one box per module and per chain of other ops, False one per op; None
            decides by size; a number folds at that level of modules (1: the model's children).
        title: the heading.

        Raises ValueError for what is not in the graph and for a picture beyond all bounds,
        RuntimeError if gradients are asked of a graph that an earlier backward has freed.
        """
        return compose(self._read(), names or {}, loss, digits, gradients, highlight, collapse,
                       title)

    def svg(self, width=svg.WIDEST, **options):
        """The picture as SVG text; other options as for `picture`.

        width: in pixels; what is longer is broken into rows of at most that width, unless a single
            box or its lines need more.
        """
        return svg.render(self.picture(**options), width)

    def dot(self, **options):
        """The picture in Graphviz's DOT language; options as for `picture`."""
        return dot.render(self.picture(**options))

    def save(self, path, **options):
        """Write the picture to a `.svg` or `.dot` file; options as for `svg` and `dot`."""
        formats = {".svg": self.svg, ".dot": self.dot}
        suffix = Path(path).suffix
        if suffix not in formats:
            raise ValueError(f"draw: cannot save {str(path)!r}: the name must end in .svg or .dot")
        Path(path).write_text(formats[suffix](**options), encoding="utf-8")

    def _repr_svg_(self):
        """What a notebook shows: broken into rows that its page is wide enough for."""
        return self.svg(width=PAGE)


@contextmanager
def record():
    """Yield a Graph of every op run inside the block, those without gradients included."""
    with trace() as calls:
        yield Graph(lambda: from_calls(calls))


def graph(output):
    """The Graph behind a Tensor: its ops, leaves, and the values that backward will need.

    Raises ValueError if the Tensor has no graph.
    """
    from_output(output)
    return Graph(lambda: from_output(output))
