"""The figures of the page, drawn from the rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from experiments.benchmarks.conv import TO_TORCH
from experiments.benchmarks.harness import Row
from experiments.benchmarks.report.tables import TITLES
from experiments.benchmarks.roofline import BANDWIDTH, INTENSITY, SPEED
from experiments.benchmarks.scaling import SIZES, SLOPE
from experiments.roofline import COLOURS
from experiments.style import PALETTE, new_figure

NAMED = [PALETTE[name] for name in ("blue", "orange", "green", "purple", "yellow", "sky")]


def drawings(name: str, rows: Sequence[Row]) -> dict[str, tuple[Callable, str]]:
    """{name of a figure: (a function that draws it, its caption)} of a benchmark's rows."""
    if name == "scaling":
        return {"scaling": (lambda: scaling(rows), (
            "Time and peak memory of a training step of a small ResNet, as one number doubles; "
            "p is the slope of the fitted line."))} if rows else {}
    if name == "roofline":
        return {"roofline": (lambda: roofline(rows), (
            "Each layer by its operations per byte, under the two ceilings that were measured. "
            "Above the slope lies what found its arrays in the cache."))} if rows else {}
    if name == "conv":
        rows = [row for row in rows if TO_TORCH in row.extra]
        return {"conv": (lambda: convolution(rows), (
            "Time of the plan that the table takes over that of PyTorch, for each map of each "
            "layer; left of 1 minigrad is faster."))} if rows else {}
    rows = [row for row in rows if len(row.timings) > 1]
    return {name: (lambda: ratios(rows), (
        "The ratio that the table gives: median and quartiles over the rounds. Left of 1 is less "
        "time, or less memory."))} if rows else {}


def ratios(rows: Sequence[Row]):
    """A line for each workload, a mark for each contender but the last."""
    figure = new_figure(8.5, 1.1 + 0.42 * len(rows))
    axes = figure.subplots()
    names = list(dict.fromkeys(name for row in rows for name in list(row.timings)[:-1]))
    for name, colour in zip(names, NAMED):
        found = [(y, row.ratios[name]) for y, row in enumerate(rows)
                 if name in list(row.timings)[:-1]]
        places, points = [y for y, _ in found], [r.median for _, r in found]
        spread = [[r.median - r.low for _, r in found], [r.high - r.median for _, r in found]]
        axes.errorbar(points, places, xerr=spread, fmt="o", color=colour, capsize=3,
                      label=TITLES.get(name, name))
    bases = {list(row.timings)[-1] for row in rows}
    base = TITLES.get(*bases, *bases) if len(bases) == 1 else "the last contender of the row"
    axes.set(xscale="log", xlabel=f"ratio to {base}", ylim=(len(rows) - 0.5, -0.5))
    axes.set_yticks(range(len(rows)), [_wrapped(row) for row in rows])
    _around_one(axes)
    if len(names) > 1:
        figure.legend(loc="outside upper center", ncols=len(names))
    return figure


def convolution(rows: Sequence[Row]):
    """A line for each network, a mark for each map of each of its layers."""
    networks = list(dict.fromkeys(map(network_of, rows)))
    figure = new_figure(8.5, 1.2 + 0.5 * len(networks))
    axes = figure.subplots()
    for shift, colour, map_ in zip((-0.22, 0, 0.22), NAMED,
                                   ("forward", "input gradient", "weight gradient")):
        found = [(row.extra[TO_TORCH], networks.index(network_of(row)) + shift)
                 for row in rows if f": {map_};" in row.workload]
        axes.plot(*zip(*found), "o", color=colour, alpha=0.7, label=map_)
    axes.set(xscale="log", xlabel="time of minigrad / time of PyTorch",
             ylim=(len(networks) - 0.5, -0.5))
    axes.set_yticks(range(len(networks)), networks)
    _around_one(axes)
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def network_of(row: Row) -> str:
    """Of a row of `conv`: the network whose layer it is."""
    return row.workload.partition(":")[0]


def scaling(rows: Sequence[Row]):
    """Two rows of panels, time and memory; a column for each number that grows."""
    quantities = list(dict.fromkeys(row.quantity for row in rows))
    figure = new_figure(11, 2.9 * len(quantities))
    panels = figure.subplots(len(quantities), len(SIZES), squeeze=False, sharey="row")
    for line, quantity in zip(panels, quantities):
        for axes, axis in zip(line, SIZES):
            group = [row for row in rows if row.quantity == quantity and axis in row.extra]
            _panel(axes, axis, group, 1 if quantity == "seconds" else 1e-6)
        line[0].set_ylabel("seconds a step" if quantity == "seconds" else "peak memory, MB")
    return figure


def _panel(axes, axis, rows, scale):
    axes.set(xscale="log", yscale="log", xlabel=axis)
    for who, colour, marker in zip(rows[0].timings if rows else (), NAMED, "os"):
        sizes = [row.extra[axis] for row in rows]
        slope = rows[-1].extra.get(f"{SLOPE}{who}")     # of a run that was not stopped
        label = TITLES.get(who, who) + (f", p = {slope:.2f}" if slope is not None else "")
        axes.plot(sizes, [scale * row.timings[who].median for row in rows], marker=marker,
                  color=colour, label=label)
        axes.set_xticks(sizes, [f"{n:g}" for n in sizes])
    axes.minorticks_off()
    _plain_numbers(axes.yaxis, (1, 2, 5))
    if rows:
        axes.legend(loc="upper left", fontsize="small")


def roofline(rows: Sequence[Row]):
    """The two measured ceilings, and the layers below them."""
    figure = new_figure(8.5, 5)
    axes = figure.subplots()
    peak = next(row.extra[SPEED] for row in rows if row.workload.startswith("ceiling"))
    bandwidth = next(row.extra[BANDWIDTH] for row in rows if BANDWIDTH in row.extra)
    layers = [row for row in rows if INTENSITY in row.extra]
    ends = [row.extra[INTENSITY] for row in layers] + [peak / bandwidth]
    x = np.geomspace(min(ends) / 2, max(ends) * 2, 200)
    axes.plot(x, np.minimum(peak, bandwidth * x), color=PALETTE["black"],
              label=f"ceilings: {peak:.0f} GFLOP/s, {bandwidth:.1f} GB/s")
    for kind, colour in COLOURS.items():
        found = [(row.extra[INTENSITY], row.extra[SPEED]) for row in layers
                 if row.workload.endswith(f", {kind}")]
        if found:
            axes.plot(*zip(*found), "o", color=PALETTE[colour], alpha=0.8, label=kind)
    axes.set(xscale="log", yscale="log", xlabel="arithmetic intensity, FLOP per byte",
             ylabel="GFLOP/s")
    for axis in (axes.xaxis, axes.yaxis):
        _plain_numbers(axis, (1,))
    axes.legend(loc="lower right")
    return figure


def _wrapped(row: Row) -> str:
    """The workload in two lines, if it is long."""
    head, colon, tail = row.workload.partition(": ")
    return f"{head}\n{tail}" if colon and len(row.workload) > 45 else row.workload


def _around_one(axes) -> None:
    """The axis of ratios, and the line that says: as long as the other."""
    left, right = axes.get_xlim()
    axes.set_xlim(min(left, 0.5), max(right, 2))
    axes.axvline(1, color=PALETTE["grey"], linewidth=0.8)
    _plain_numbers(axes.xaxis, (1, 1.5, 2, 3, 5, 7))


def _plain_numbers(axis, multiples: Sequence[float]) -> None:
    """0.5, 1 and 20 in place of powers of ten."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axis.set_major_locator(LogLocator(subs=multiples))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())
