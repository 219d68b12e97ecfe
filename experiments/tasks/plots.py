"""Drawings of trainings and accuracies, with matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from experiments.style import PALETTE, literal, new_figure, short
from experiments.tasks.photos import title
from experiments.tasks.scores import Score, interval, mean, per_class
from minigrad.train import History, wilson

COLOURS = [PALETTE[name] for name in ("blue", "orange", "green", "purple", "yellow", "sky")]


def curves(runs: Mapping[str, Sequence[History]]):
    """Loss and accuracy by epoch for each of `runs`, in training (solid) and validation (dashed).

    Repeated trainings: their mean, in a band from the lowest to the highest.
    """
    figure = new_figure(8.5, 3.6)
    for ax, what in zip(figure.subplots(1, 2), ("loss", "accuracy")):
        for (name, histories), colour in zip(runs.items(), COLOURS):
            for part, style in (("train", "-"), ("valid", "--")):
                if part in histories[0][0]:
                    column(ax, histories, f"{part}.{what}", colour, style,
                           literal(name) if part == "train" else None)
        ax.set(xlabel="epoch", ylabel=what)
        ax.grid(axis="y")
        ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_ylim(0, 1)
    lines = [ax.plot([], [], style, color=PALETTE["grey"], label=label)[0]
             for style, label in (("-", "in training"), ("--", "validation"))
             if style == "-" or any("valid" in h[0][0] for h in runs.values())]
    handles, labels = ax.get_legend_handles_labels()
    names = set(map(literal, runs))
    named = [h for h, label in zip(handles, labels) if label in names]
    columns = len(named) + 2 if len(named) < 4 else len(named)      # more are as wide as the figure
    figure.legend(handles=[*named, *lines], loc="outside upper center", ncols=columns)
    return figure


def column(ax, histories, name, colour, style, label):
    """One column of the histories over the epochs."""
    epochs = histories[0].column("epoch")
    values = np.array([history.column(name) for history in histories])
    ax.plot(epochs, values.mean(0), style, color=colour, label=label)
    if len(values) > 1:
        ax.fill_between(epochs, values.min(0), values.max(0), color=colour, alpha=0.15, linewidth=0)


def confusions(panels: Mapping[str, Sequence[Score]]):
    """A matrix for each of `panels`: rows are what the photos show, columns what was guessed."""
    names = next(iter(panels.values()))[0].classes
    classes, more = len(names), max(0.2 * (len(short(title(c))) - 14) for c in names)
    more = max(0, more) if classes < 6 else 0       # long names leave little of a small figure
    figure = new_figure((1.6 + 0.4 * classes) * len(panels) + more, 1.6 + 0.43 * classes + more)
    for ax, (name, scores) in zip(np.atleast_1d(figure.subplots(1, len(panels))), panels.items()):
        counts = sum(s.confusion for s in scores)
        shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
        ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (row, col), count in np.ndenumerate(counts):
            ax.text(col, row, count, ha="center", va="center", fontsize=9,
                    color="white" if shares[row, col] > 0.6 else "black")
        names, ticks = [literal(short(title(c))) for c in scores[0].classes], range(len(counts))
        ax.set_xticks(ticks, names, rotation=45, ha="right", rotation_mode="anchor")
        ax.set_yticks(ticks, names if ax.get_subplotspec().is_first_col() else [""] * len(names))
        ax.set(title=literal(name), xlabel="guess")
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    return figure


def by_class(groups: Mapping[str, Sequence[Score]]):
    """The share of each class that was guessed right, with its 95% interval, for each group."""
    classes = next(iter(groups.values()))[0].classes
    figure = new_figure(7.5, 0.7 + len(classes) * (0.16 + 0.16 * len(groups)))
    ax = figure.subplots()
    step = 0.8 / len(groups)
    for i, ((name, scores), colour) in enumerate(zip(groups.items(), COLOURS)):
        shares = [per_class(scores, c) for c in classes]
        totals = scores[0].confusion.sum(1).tolist()
        rows = np.arange(len(classes)) + step * (i - (len(groups) - 1) / 2)
        ax.barh(rows, np.nan_to_num(shares), height=0.9 * step, color=colour, label=literal(name))
        for row, share, total in zip(rows, shares, totals):
            if total:
                ax.plot(wilson(round(share * total), total), (row, row), color="black",
                        linewidth=0.8)
    ax.set_yticks(range(len(classes)), [literal(short(title(c))) for c in classes])
    ax.set(xlim=(0, 1), xlabel="share guessed right, with 95% interval")
    ax.invert_yaxis()
    figure.legend(loc="outside upper center", ncols=len(groups))
    return figure


def accuracies(rows: Mapping[str, Mapping[str, Sequence[Score] | float]]):
    """A row for each name, in it a point with a 95% interval for each set of photos; a plain
    number is drawn as an open diamond."""
    figure = new_figure(7.5, 0.9 + 0.55 * len(rows))
    ax = figure.subplots()
    kinds = list(dict.fromkeys(kind for points in rows.values() for kind in points))
    for row, points in enumerate(rows.values()):
        for kind, value in points.items():
            i = kinds.index(kind)
            height = row + 0.18 * (i - (len(kinds) - 1) / 2)
            if isinstance(value, float):
                ax.plot(value, height, "D", color=COLOURS[i], markerfacecolor="white")
            else:
                ax.plot(interval(value), (height, height), color=COLOURS[i])
                ax.plot(mean(value), height, "o", color=COLOURS[i])
    for kind, colour in zip(kinds, COLOURS):
        plain = any(isinstance(points.get(kind), float) for points in rows.values())
        ax.plot([], [], "D" if plain else "o-", color=colour, label=literal(kind),
                markerfacecolor="white" if plain else colour)
    ax.set_yticks(range(len(rows)), list(map(literal, rows)))
    ax.set(xlabel="accuracy", ylim=(len(rows) - 0.5, -0.5))
    ax.grid(axis="x")
    figure.legend(loc="outside upper center", ncols=len(kinds))
    return figure
