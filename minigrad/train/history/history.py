"""What happened in each epoch: a list of lines, kept as JSON Lines.

    history = History.read("run/history.jsonl")
    history.column("valid.accuracy")        # one number per epoch
    history.best("valid.loss")              # the line of the best epoch
    history.plot().savefig("curves.png")    # in a notebook, `history.plot()` shows it
    history.to_csv("history.csv")
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from numbers import Real
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from minigrad.files import write_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_ROWS = 20                 # of the table in a notebook; more are shortened in the middle


class History(list):
    """A list with a dict per epoch: {"epoch", "lr", "train": {...}, "valid": {...}, "seconds"}.

    "epoch" counts from 1; "lr" is that of the epoch's last step, a list if there are several
    groups of parameters; "train" and "valid" have the loss and the metrics. In fp16 "skipped" is
    how many steps were left out because a gradient overflowed; where a loader may leave samples
    out, "left_out" is how many it has. `left_out` is {name: reason} of those of the whole run.
    """

    left_out: Mapping[str, str] = MappingProxyType({})

    def column(self, name: str) -> list:
        """The values of one entry, such as "epoch" or "valid.loss", in the order of epochs."""
        return [lookup(line, name) for line in self]

    def best(self, name: str) -> dict:
        """The first line with the best value of `name`: the lowest of a name that ends in "loss",
        else the highest. ValueError if the history is empty."""
        if not self:
            raise ValueError("history: there is no epoch yet")
        return max(self, key=lambda line: rank(name, lookup(line, name)))

    def save(self, path: str | os.PathLike) -> None:
        """Replace the file `path` as a whole, so that no crash leaves half a line.

        Of nan and the infinities, which JSON lacks, there are the texts "nan", "inf" and "-inf".
        """
        lines = (json.dumps(_map_values(line, _as_text), allow_nan=False) + "\n" for line in self)
        write_file(path, ["".join(lines).encode()])

    @classmethod
    def read(cls, path: str | os.PathLike) -> History:
        """Raises ValueError naming file and line where that is not JSON, OSError as `open` does."""
        lines = cls()
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    lines.append(_map_values(json.loads(line), _as_number))
                except ValueError as error:
                    raise ValueError(f"{os.fspath(path)}, line {number}: {error}") from None
        return lines

    def plot(self, names: Sequence[str] | None = None) -> Figure:
        """A matplotlib Figure of figures by epoch, a panel for each, the best epochs ringed.

        names: "loss" is the loss in training and in validation, "valid.loss" only the latter, "lr"
        the learning rates. Default: the loss, every metric that is one number, and the learning
        rates if they change. The best is the lowest of a name that ends in "loss", else the
        highest.

        Raises ValueError if there is no epoch yet and for a name whose values are not single
        numbers, KeyError for one that is not there, TypeError for a text instead of a list.
        """
        from minigrad.train.history.curves import draw  # matplotlib takes its time

        return draw(self, names)

    def to_csv(self, path: str | os.PathLike) -> None:
        """Write a table with a row per epoch; the file is replaced as a whole.

        The columns are "epoch", "lr", "train.loss", ... in the order of the lines. A list of
        numbers, such as the learning rates of several groups, has a column for each: "lr.0",
        "lr.1". Any other list, such as a confusion matrix, is one cell of JSON. A line that lacks a
        figure has an empty cell. NaN and the infinities are "nan", "inf" and "-inf". Raises OSError
        naming the path if it cannot be written.
        """
        rows, text = [flatten(line) for line in self], io.StringIO()
        header = list(dict.fromkeys(name for row in rows for name in row))
        table = csv.DictWriter(text, header, restval="", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        write_file(path, [text.getvalue().encode()])

    def _repr_html_(self) -> str:
        """A table for notebooks of the figures of one number, the row of the best epoch marked."""
        if not self:
            return "<p>History: no epoch yet</p>"
        rows = [_row(line) for line in self]
        watched = next((name for name in ("valid.loss", "train.loss") if name in rows[0]), None)
        best = None if watched is None else best_index(
            watched, [row.get(watched, math.nan) for row in rows])
        columns = list(dict.fromkeys(name for row in rows for name in row))
        head = "".join(f"<th>{escape(name)}</th>" for name in columns)
        half, body = _MOST_ROWS // 2, []
        numbers = [i for i in range(len(rows)) if len(rows) <= _MOST_ROWS or i == best
                   or not half <= i < len(rows) - half]
        for before, i in zip([-1, *numbers], numbers):
            if i > before + 1:
                body.append(f"<tr><td>...</td>{'<td></td>' * (len(columns) - 1)}</tr>")
            mark = ' style="font-weight: bold"' if i == best else ""
            cells = "".join(f"<td>{escape(_cell(rows[i].get(name, '')))}</td>" for name in columns)
            body.append(f"<tr{mark}>{cells}</tr>")
        note = "" if best is None else (
            f"<p>Bold: epoch {escape(str(rows[best]['epoch']))}, the best by {watched}.</p>")
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>{note}"


def lookup(line: dict, name: str) -> Any:
    """line["valid"]["loss"] for "valid.loss". Raises KeyError that lists what there is."""
    value = line
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            known = [f"{key}.{inner}" if inner else key for key, entry in line.items()
                     for inner in (entry if isinstance(entry, dict) else [None])]
            raise KeyError(f"history has no {name!r}; there are {', '.join(known)}")
        value = value[part]
    return value


def rank(name: str, value: float) -> tuple[bool, float]:
    """A key that is higher for better values: of a loss (its name ends so) for lower ones. NaN has
    the lowest."""
    is_number = not math.isnan(value)
    return is_number, (-value if name.endswith("loss") else value) if is_number else 0.0


def best_index(name: str, values: Sequence[float]) -> int | None:
    """Where the first best of `values` is, see `rank`; None if none is finite."""
    finite = [i for i, value in enumerate(values) if math.isfinite(value)]
    return max(finite, key=lambda i: rank(name, values[i]), default=None)


def flatten(line: dict) -> dict:
    """{"epoch": 1, "lr.0": 0.1, "train.loss": 0.5, ...}: numbers and texts only, see `to_csv`."""
    return dict(_cells("", line))


def _cells(name: str, value: Any) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from _cells(f"{name}.{key}" if name else str(key), entry)
    elif not isinstance(value, (list, tuple)):
        yield name, value
    elif value and all(isinstance(entry, Real) for entry in value):
        yield from ((f"{name}.{i}", entry) for i, entry in enumerate(value))
    else:
        yield name, json.dumps(_map_values(value, _as_text))


def _row(line: dict) -> dict:
    """{column: value} of the table in a notebook."""
    row: dict[str, object] = {}
    for key, value in line.items():
        if isinstance(value, dict):
            row |= {f"{key}.{k}": v for k, v in value.items() if isinstance(v, Real)}
        else:
            row[key] = value
    return row


def _cell(value: object) -> str:
    """A value as the table in a notebook shows it."""
    if isinstance(value, list):         # the learning rates of several groups
        return ", ".join(map(_cell, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _map_values(value: object, change: Callable[[object], object]) -> Any:
    """The same tree, with `change` made to each value in it."""
    if isinstance(value, dict):
        return {key: _map_values(entry, change) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_map_values(entry, change) for entry in value]
    return change(value)


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _as_number(value: Any) -> object:
    return float(value) if value in ("nan", "inf", "-inf") else value
