"""The rows as tables: for the page, and in Markdown for the README."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any, NamedTuple

from experiments.benchmarks.harness import Row, Timing
from experiments.benchmarks.report.record import rows_of
from experiments.benchmarks.roofline import LAYERS

IN_README = "training", "inference", "memory", "ops", "loader", "weights", "pyramids", "roofline"
TITLES = {"mygrad": "MyGrad", "autograd": "HIPS autograd", "torch": "PyTorch"}
_UNITS = {"seconds": ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")),
          "bytes": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))}


class Table(NamedTuple):
    """Cells of text; the first column is the workload."""

    header: tuple[str, ...]
    rows: list[tuple[str, ...]]


def contenders(row: Row) -> tuple[str, ...]:
    """What the columns of a row's table are: who took part, and which further numbers there are."""
    return *row.timings, *row.extra


def tables(rows: Iterable[Row], key: Callable[[Row], object] = contenders) -> list[Table]:
    """A table for each run of rows of which `key` says the same."""
    return [_table(list(group)) for _, group in groupby(rows, key)]


def markdown(document: dict[str, Any]) -> str:
    """The README's tables, with the command and the machine below them."""
    parts = []
    for name in IN_README:
        rows = rows_of(document, name)
        rows = ([row for row in rows if LAYERS in row.extra] if name == "roofline" else
                [row._replace(extra={}) for row in rows])
        for i, (header, cells) in enumerate(tables(rows)):
            head = (f"{name}: {header[0]}" if i == 0 else header[0], *header[1:])
            lines = [head, (":--", *("--:" for _ in head[1:])), *cells]
            parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    parts.append(f"`{document['command']}` on {origin(document)}")
    return "\n\n".join(parts)


def origin(document: dict[str, Any]) -> str:
    """On what and when it was measured, in a line."""
    about, versions = document["machine"], document["versions"]
    return (f"{about['processor']}, {about['cores']} cores, {about['threads']} threads, BLAS "
            f"kernel {about['BLAS kernel']}; "
            f"{', '.join(f'{k} {v}' for k, v in versions.items())}; {document['date'][:10]}.")


def _table(rows: list[Row]) -> Table:
    names = list(dict.fromkeys(name for row in rows for name in row.timings))
    names.sort(key=list(rows[0].timings)[-1].__eq__)        # the one of the ratios stays the last
    extra = list(dict.fromkeys(name for row in rows for name in row.extra))
    header = ["workload", "per", *(TITLES.get(name, name) for name in names), *extra]
    return Table(tuple(header), [
        (row.workload, row.unit, *(_cell(row, name) for name in names),
         *(f"{row.extra[name]:.3g}" if name in row.extra else "" for name in extra))
        for row in rows])


def _cell(row: Row, name: str) -> str:
    """The median and, in brackets, the quartiles, then the ratio to the last and its quartiles."""
    if name not in row.timings:
        return ""
    measured = with_unit(row.timings[name], row.quantity)
    if name == list(row.timings)[-1]:
        return measured
    r = row.ratios[name]
    return f"{measured}; {r.median:.2f}x ({r.low:.2f} to {r.high:.2f})"


def with_unit(t: Timing, quantity: str) -> str:
    """The median and, in brackets, the quartiles, all in the unit that fits the median."""
    scale, unit = next((u for u in _UNITS[quantity] if t.median >= u[0]), _UNITS[quantity][-1])
    median, low, high = (f"{value / scale:.3g}" if abs(value) < 1000 * scale
                         else f"{value / scale:.0f}" for value in t)
    spread = f" ({low} to {high})" if low != high else ""
    return f"{median} {unit}{spread}"
