"""One look for every figure: a palette for all kinds of colour vision, and a blank figure.

The palette is that of Okabe & Ito, "Color Universal Design" (2008).
"""

from __future__ import annotations

import functools
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PALETTE = {"blue": "#0072b2", "orange": "#d55e00", "green": "#009e73", "purple": "#cc79a7",
           "yellow": "#e69f00", "sky": "#56b4e9", "black": "#000000", "grey": "#6f6f6f"}


def new_figure(width: float = 8.0, height: float = 4.5) -> Figure:
    """An empty matplotlib Figure of `width` x `height` inches that keeps labels from overlapping.

    It is no pyplot figure: it needs no display and goes away with its last reference. As the last
    line of a notebook's cell it is shown; in a script, `figure.savefig("name.png")`.
    """
    return _kind()(figsize=(width, height), layout="constrained", facecolor="white")


@functools.cache
def _kind() -> type[Figure]:
    """The class of the figures, made when the first is asked for: matplotlib takes its time."""
    from matplotlib.figure import Figure

    class ShownFigure(Figure):
        """A Figure that a notebook shows even if nobody has imported pyplot there."""

        def _repr_png_(self) -> bytes:
            buffer = io.BytesIO()
            self.savefig(buffer, format="png", dpi=96)
            return buffer.getvalue()

    return ShownFigure
