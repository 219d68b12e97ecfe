"""Pictures of computations: any graph as SVG, laid out here, or as DOT text for Graphviz.

    with draw.record() as graph:
        z = w * x + b
        loss = (sigmoid(z) - y) ** 2
    graph.save("neuron.svg", names=locals(), highlight=w)

Boxes show values and gradients dL/dvalue, arrows the local derivatives, and `highlight` colours the
chain rule's path. Large graphs are folded: one box per module. `draw.graph(loss)` does without a
recording and shows what the graph itself remembers.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from minigrad.draw import dot, svg
from minigrad.draw.nodes import Nodes, from_calls, from_output
from minigrad.draw.picture import Picture, compose
from minigrad.engine import Tensor
from minigrad.files import write_file
from minigrad.function import trace

__all__ = ["Graph", "graph", "record"]

PAGE = 750  # pixels


class Graph:
    """A computation that can be drawn, as often as one likes; made by `record` and `graph`."""

    def __init__(self, read: Callable[[], Nodes]) -> None:
        self._read = read

    def picture(self, names: Mapping[str, Any] | None = None, loss: Tensor | None = None,
                digits: int = 4, gradients: bool = True, highlight: Tensor | str | None = None,
                collapse: int | None = None, title: str | None = None) -> Picture:
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

        Raises ValueError for a loss or highlight that is not in the graph, and for a picture of too
        many boxes or lines; RuntimeError for gradients of a graph that an earlier backward freed.
        """
        return compose(self._read(), names or {}, loss, digits, gradients, highlight, collapse,
                       title)

    def svg(self, width: float = svg.WIDEST, **options: Any) -> str:
        """The picture as SVG text; other options as for `picture`.

        width: in pixels; what is longer is broken into rows of at most that width, unless a single
            box or its lines need more.
        """
        return svg.render(self.picture(**options), width)

    def dot(self, **options: Any) -> str:
        """The picture in Graphviz's DOT language; options as for `picture`."""
        return dot.render(self.picture(**options))

    def save(self, path: str | os.PathLike, **options: Any) -> None:
        """Write the picture to a `.svg` or `.dot` file; options as for `svg` and `dot`."""
        formats = {".svg": self.svg, ".dot": self.dot}
        suffix = Path(path).suffix
        if suffix not in formats:
            raise ValueError(f"draw: cannot save {str(path)!r}: the name must end in .svg or .dot")
        write_file(path, [formats[suffix](**options).encode()])

    def _repr_svg_(self) -> str:
        """What a notebook shows: broken into rows that its page is wide enough for."""
        return self.svg(width=PAGE)


@contextmanager
def record() -> Iterator[Graph]:
    """Yield a Graph of every op run inside the block, those without gradients included."""
    with trace() as calls:
        yield Graph(lambda: from_calls(calls))


def graph(output: Tensor) -> Graph:
    """The Graph behind a Tensor: its ops, leaves, and the values that backward will need.

    Raises ValueError if the Tensor has no graph.
    """
    from_output(output)
    return Graph(lambda: from_output(output))
