"""Pictures of what GPU threads do with memory, all drawn from measured or computed arrays.

    lines_of_memory({"(N, H, W, C)": 1, "(N, C, H, W)": 56 * 56})   # what a warp makes memory fetch
    product_of_tiles(columns, w, y)                                 # what one block needs of each
    pixels_of_blocks(n=2, size=12, rows=128)                        # which pixels it makes
    outcomes({"forward": error, ...})                               # who lost a race

The walkthrough `07_gpu_kernels.py` shows them; each is at most 7.5 inches wide.
"""

from __future__ import annotations

import numpy as np

from experiments.style import PALETTE, new_figure

LINE = 32  # float32 numbers in a line of memory of 128 bytes, and threads in a warp
RIGHT, WRONG, UNWRITTEN = "sky", "orange", "black"


def lines_of_memory(steps):
    """The lines that a warp fetches, as rows of 32 numbers; {name: distance of two threads}."""
    from matplotlib.colors import ListedColormap

    figure = new_figure(7.5, 3.2)
    colours = ListedColormap(["#eeeeee", PALETTE["blue"]])
    for axes, (name, step) in zip(figure.subplots(1, len(steps), squeeze=False)[0], steps.items()):
        asked = np.arange(LINE) * step
        lines = np.unique(asked // LINE)
        used = np.isin(lines[:, None] * LINE + np.arange(LINE), asked)
        axes.pcolormesh(used, cmap=colours, vmin=0, vmax=1, edgecolor="white", linewidth=0.5)
        axes.set(ylim=(LINE, 0), xlabel="number in the line (blue: asked for)", ylabel="line",
                 title=f"{name}: {len(lines)} {'line' if len(lines) == 1 else 'lines'},\n"
                       f"{used.mean():.0%} of the bytes used")
    return figure


def product_of_tiles(columns, w, y, size=16):
    """columns (P, K) times w (K, O) is y (P, O): what the block of one tile, `size` wide, needs.

    It is the third tile from above; the upper six rows of tiles are shown.
    """
    from matplotlib.patches import Rectangle

    rows, top = 6 * size, 2 * size
    figure = new_figure(7.5, 3.6)
    widths = columns.shape[1], w.shape[1], y.shape[1]
    strips = (top, columns.shape[1], size), (0, size, len(w)), (top, size, size)
    names = f"columns {columns.shape}", f"times w {w.shape}", f"is y {y.shape}"
    for axes, array, (above, wide, high), name in zip(
            figure.subplots(1, 3, width_ratios=widths), (columns, w, y), strips, names):
        reach = np.abs(array).max()
        axes.imshow(array[:rows], cmap="RdBu", vmin=-reach, vmax=reach, aspect="auto")
        axes.set(ylim=(rows - 0.5, -0.5), title=name, xticks=range(0, array.shape[1] + 1, size),
                 yticks=range(0, rows + 1, size))
        axes.add_patch(Rectangle((-0.5, above - 0.5), wide, high, fill=False, linewidth=2,
                                 edgecolor=PALETTE["black"]))
    return figure


def pixels_of_blocks(n, size, rows):
    """Which block of `rows` output pixels makes each pixel of n images of size x size."""
    from matplotlib.colors import ListedColormap

    block = (np.arange(n * size * size) // rows).reshape(n, size, size)
    colours = ListedColormap([PALETTE[name] for name in ("sky", "yellow", "green", "purple")])
    figure = new_figure(7.5, 3)
    for image, axes in enumerate(figure.subplots(1, n, squeeze=False)[0]):
        axes.imshow(block[image] % 4, cmap=colours, vmin=0, vmax=3)
        for number in np.unique(block[image]):
            row, column = np.argwhere(block[image] == number).mean(0)
            axes.text(column, row, f"block {number}", ha="center", va="center")
        axes.set(title=f"image {image}", xlabel="column", ylabel="row",
                 xticks=range(0, size, 4), yticks=range(0, size, 4))
    return figure


def outcomes(errors):
    """Which elements came out right; {title: |difference| (rows, columns), NaN if never made}."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    figure = new_figure(7.5, 3.4)
    kinds = {"right": RIGHT, "wrong": WRONG, "not a number": UNWRITTEN}
    colours = ListedColormap([PALETTE[name] for name in kinds.values()])
    for axes, (title, error) in zip(figure.subplots(2, len(errors) // 2).flat, errors.items()):
        kind = np.where(np.isnan(error), 2, error > 1e-5)
        axes.imshow(kind, cmap=colours, vmin=0, vmax=2, interpolation="nearest")
        axes.set_title(title, fontsize=9)
        axes.set(xticks=range(0, error.shape[1] + 1, 16), yticks=range(0, len(error) + 1, 16))
    figure.legend(handles=[Patch(color=PALETTE[c], label=name) for name, c in kinds.items()],
                  loc="outside lower center", ncols=3, frameon=False)
    return figure
