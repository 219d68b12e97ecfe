"""Curves of a training: what `History.plot` draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING

from minigrad.figures import PALETTE, new_figure
from minigrad.train.history.history import best_index, lookup

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PARTS = {"train": ("blue", "-", "in training"), "valid": ("orange", "--", "validation")}
_GROUPS = ("blue", "orange", "green", "purple", "yellow", "sky")    # of learning rates
_MARKED = 30            # epochs up to which each is a dot
_PANELS_IN_A_ROW = 2    # 730 pixels: no wider than the page of a notebook


def draw(history: Sequence[dict], names: Sequence[str] | None) -> Figure:
    """The figure of `History.plot`, which says what `names` are and what is raised.

    Epochs whose value is NaN or infinite interrupt a line, and are marked by a cross at the lower
    edge.
    """
    if not history:
        raise ValueError("history: there is no epoch yet, so there is nothing to plot")
    if isinstance(names, str):
        raise TypeError(f"history: pass a list of names, such as [{names!r}], not a text")
    names = _default_names(history) if names is None else names
    panels = {name: _lines(history, name) for name in names}
    if not panels:
        raise ValueError("history: there is no figure of one number to plot")
    epochs = [line["epoch"] for line in history]
    columns = min(len(panels), _PANELS_IN_A_ROW)
    rows = math.ceil(len(panels) / columns)
    figure = new_figure(3.75 * columns + 0.1, 3.4 * rows)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, (name, lines) in zip(axes, panels.items()):
        for i, (label, values) in enumerate(lines.items()):
            colour, style, text = _PARTS.get(label, (_GROUPS[i % len(_GROUPS)], "-", label))
            best = None if name == "lr" else best_index(name, values)
            _line(ax, epochs, values, best, PALETTE[colour], style, text)
        ax.set(xlabel="epoch", ylabel="learning rate" if name == "lr" else name,
               xlim=(min(epochs) - 0.5, max(epochs) + 0.5))
        ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        ax.grid(axis="y", color="#dddddd")
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False, fontsize=9,
                  ncols=2 if len(lines) > 2 else 1)
    for ax in axes[len(panels):]:
        ax.remove()
    return figure


def _default_names(history: Sequence[dict]) -> list[str]:
    """The figures of one number, as "loss", and "lr" if it changes."""
    names = dict.fromkeys(name for line in history for part in _PARTS
                          for name, value in line.get(part, {}).items() if isinstance(value, Real))
    changes = any(line.get("lr") != history[0].get("lr") for line in history)
    return [*names, *["lr"] * changes]


def _lines(history: Sequence[dict], name: str) -> dict[str, Sequence[float]]:
    """{"train", "valid" or the name of a group: its value in each epoch} of what a panel shows."""
    if name == "lr":
        rates = [line["lr"] if isinstance(line["lr"], list) else [line["lr"]] for line in history]
        groups = list(zip(*rates))
        return {f"group {i}" if len(groups) > 1 else "learning rate": values
                for i, values in enumerate(groups)}
    part, _, figure = name.partition(".")
    if part in _PARTS and figure:
        full = [name]
    else:
        full = [f"{part}.{name}" for part in _PARTS
                if any(name in line.get(part, {}) for line in history)]
    if not full:
        lookup(history[0], name)        # a KeyError that lists what there is
        raise ValueError(f"history: {name!r} is no figure of training or validation")
    return {key.partition(".")[0]: [_number(line, key) for line in history] for key in full}


def _number(line: dict, name: str) -> float:
    value = lookup(line, name)
    if not isinstance(value, Real):
        raise ValueError(f"history: {name!r} holds a {type(value).__name__}, not one number: plot "
                         "it yourself, from column()")
    return float(value)


def _line(ax: Axes, epochs: list[int], values: Sequence[float], best: int | None, colour: str,
          style: str, text: str) -> None:
    """One line, with its best epoch and the epochs that have no place on it."""
    finite = [math.isfinite(value) for value in values]
    if best is not None:
        text += f", best {values[best]:.4g} in epoch {epochs[best]}"
        ax.plot(epochs[best], values[best], "o", color=colour, markersize=9,
                markerfacecolor="none", clip_on=False)
    curve = [value if is_finite else math.nan for value, is_finite in zip(values, finite)]
    points = [i for i, is_finite in enumerate(finite)           # a line has no length there
              if is_finite and not any(finite[max(i - 1, 0):i] + finite[i + 1:i + 2])]
    dots = range(len(epochs)) if len(epochs) <= _MARKED else points
    ax.plot(epochs, curve, style, color=colour, label=text, linewidth=1.6, markersize=3.5,
            marker="o", markevery=list(dots))
    odd = [epoch for epoch, is_finite in zip(epochs, finite) if not is_finite]
    if odd:
        ax.plot(odd, [0.02] * len(odd), "x", color=colour, markersize=5, clip_on=False,
                transform=ax.get_xaxis_transform(), label=f"not finite in {len(odd)} epochs"
                if len(odd) > 1 else f"not finite in epoch {odd[0]}")
