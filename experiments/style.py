"""One look for every figure: a palette for all kinds of colour vision, and a blank figure.

The palette is that of Okabe & Ito, "Color Universal Design" (2008). Text sizes and line widths are
matplotlib settings that `results.py` applies while a figure is drawn.
"""

from __future__ import annotations

PALETTE = {"blue": "#0072b2", "orange": "#d55e00", "green": "#009e73", "purple": "#cc79a7",
           "yellow": "#e69f00", "sky": "#56b4e9", "black": "#000000", "grey": "#6f6f6f"}


def new_figure(width: float = 8.0, height: float = 4.5):
    """An empty matplotlib Figure of `width` x `height` inches that keeps labels from overlapping.

    It is no pyplot figure: it needs no display and goes away with its last reference.
    """
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", facecolor="white")
