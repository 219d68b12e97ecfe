"""One look for every figure, that of the figures of minigrad (see `minigrad/figures.py`).

Text sizes and line widths are matplotlib settings that `results.py` applies while a figure is
drawn.
"""

from __future__ import annotations

from minigrad.figures import PALETTE, new_figure

__all__ = ["PALETTE", "new_figure"]
