"""What walkthrough 10 draws: a tap and the columns, speeds, errors, and Winograd's matrices.

Each figure is 7.5 inches wide. Rows are those of `stopwatch.compared`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from experiments.style import PALETTE, new_figure
from experiments.teaching_aids.stopwatch import Measured

SHADES = ListedColormap(["white", "#e6e6e6", "#fff3c4", PALETTE["yellow"]])  # zero, pixel; seen


def tap_and_column(padded, columns) -> Figure:
    """An image (H + 2, W + 2) and its columns (H W, 9), with what tap (0, 2) sees in yellow."""
    figure = new_figure(7.5, 3.4)
    height, width = (size - 2 for size in padded.shape)
    for axes, numbers, seen, title in zip(
            figure.subplots(1, 2, width_ratios=(1, 1.6)), (padded, columns),
            (np.s_[:height, 2:2 + width], np.s_[:, 2]),
            ("x, padded; what tap (0, 2) sees", "the columns; tap (0, 2)")):
        shade = 1 * (numbers != 0)
        shade[seen] += 2
        axes.pcolormesh(shade, cmap=SHADES, edgecolors="white", vmin=0, vmax=3)
        _write(axes, numbers, "{:.0f}", 0.5)
        axes.set(title=title, xticks=[], yticks=[], ylim=(len(numbers), 0))
    return figure


def matrices(titled: Mapping[str, np.ndarray]) -> Figure:
    """Matrices by their titles, orange below 0 and violet above."""
    figure = new_figure(7.5, 2.9)
    widths = [matrix.shape[1] for matrix in titled.values()]
    for axes, (title, matrix) in zip(figure.subplots(1, len(titled), width_ratios=widths),
                                     titled.items()):
        reach = 2 * np.abs(matrix).max()        # dark shades would hide the numbers
        axes.imshow(matrix, cmap="PuOr", vmin=-reach, vmax=reach)
        _write(axes, matrix.round(9), "{:.2f}")
        axes.set(title=title, xticks=[], yticks=[])
    return figure


def _write(axes, numbers, how, shift=0.0):
    for i, j in np.ndindex(numbers.shape):
        if numbers[i, j] or shift:
            axes.text(j + shift, i + shift, how.format(numbers[i, j]), ha="center", va="center",
                      fontsize=7)


def speed_by_block(rows: Mapping[int, Measured], marks: Mapping[str, float]) -> Figure:
    """G/s by the bytes of a block, beside those of others as horizontal lines."""
    axes = new_figure(7.5, 2.6).subplots()
    kib = [size // 2**10 for size in rows]
    axes.plot(kib, [row.rate for row in rows.values()], "o-", color=PALETTE["blue"])
    for (name, rate), colour, style in zip(marks.items(), ("grey", "orange"), ("--", ":")):
        axes.axhline(rate, color=PALETTE[colour], linestyle=style, label=name)
    axes.set_xscale("log", base=2)
    axes.set(xlabel="KiB of columns in a block", ylim=0, title="G/s", xticks=kib, xticklabels=kib)
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    return axes.figure


def savings(rows: Mapping[str, Measured], shares: Sequence[float]) -> Figure:
    """The share of the products that each way computes, its time, and its error."""
    figure = new_figure(7.5, 2.4)
    left, middle, right = figure.subplots(1, 3, sharey=True)
    left.barh(list(rows), shares, color=PALETTE["blue"])
    middle.barh(list(rows), [row.milliseconds for row in rows.values()], color=PALETTE["blue"])
    _errors(right, rows)
    for axes, title in zip(figure.axes, ("share of the products", "milliseconds", "error")):
        axes.set_title(title)
    left.invert_yaxis()
    return figure


def side_by_side(layers: Mapping[str, Mapping[str, Measured]], ceiling: float) -> Figure:
    """G/s above and errors below, of the same ways for several layers; a dashed line at `ceiling`.
    """
    figure = new_figure(7.5, 4.2)
    grid = figure.subplots(2, len(layers), sharey=True)
    most = max(ceiling, *(row.rate for rows in layers.values() for row in rows.values()))
    for (title, rows), (above, below) in zip(layers.items(), grid.T):
        above.barh(list(rows), [row.rate for row in rows.values()], color=PALETTE["blue"])
        above.axvline(ceiling, color=PALETTE["grey"], linestyle="--")
        above.set(title=title, xlabel="G/s", xlim=(0, 1.05 * most))
        _errors(below, rows)
        below.set(xlabel="error")
    grid[0, 0].invert_yaxis()
    return figure


def _errors(axes, rows):
    errors = np.array([row.error for row in rows.values()])
    axes.semilogx(errors, list(rows), "o", color=PALETTE["orange"])
    axes.set_xlim(10 ** np.floor(np.log10(errors.min())), 10 ** np.ceil(np.log10(errors.max())))
    axes.xaxis.set_minor_formatter(NullFormatter())
