"""Timing that can be trusted on a shared machine: contenders take turns, medians are compared."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple


class Timing(NamedTuple):
    """Seconds per run: median, and the quartiles on both sides of it."""

    median: float
    low: float
    high: float


class Row(NamedTuple):
    """One workload: each contender's timing in seconds per `unit`, and its ratio to the last one's.

    A ratio is taken within each round, and then the median over the rounds. So a slow moment of the
    machine cancels, as it hits the contenders of one round alike. `extra` holds further numbers
    measured on the workload.
    """

    workload: str
    unit: str
    timings: Mapping[str, Timing]
    ratios: Mapping[str, Timing]
    extra: Mapping[str, float] = {}


def race(workload: str, unit: str, per_run: int, contenders: Mapping[str, Callable[[], object]],
         rounds: int = 21) -> Row:
    """Run the contenders in turn, `rounds` times after two to warm up; `per_run` units a run."""
    return timed_race(workload, unit, per_run, {
        name: partial(wall_seconds, run) for name, run in contenders.items()}, rounds)


def wall_seconds(run: Callable[[], object]) -> float:
    """How long a run takes, by the clock."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def timed_race(workload: str, unit: str, per_run: int,
               contenders: Mapping[str, Callable[[], float]], rounds: int) -> Row:
    """The same for contenders that time themselves: each makes a run and returns its seconds."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(-2, rounds):
        for name, run in contenders.items():
            duration = run() / per_run
            if turn >= 0:
                seconds[name].append(duration)
    base = seconds[list(contenders)[-1]]
    return Row(workload, unit, {name: timing(ts) for name, ts in seconds.items()},
               {name: timing([t / b for t, b in zip(ts, base)]) for name, ts in seconds.items()})


def timing(values) -> Timing:
    low, median, high = statistics.quantiles(values, n=4)
    return Timing(median, low, high)


def report(rows: list[Row]) -> list[str]:
    """The rows as a table: median (quartiles) in microseconds, and ratios to the last contender."""
    lines = []
    for row in rows:
        lines.append(row.workload)
        base = list(row.timings)[-1]
        for name, t in row.timings.items():
            line = (f"  {name:14}{1e6 * t.median:10.2f} us per {row.unit}"
                    f"   ({1e6 * t.low:.2f} .. {1e6 * t.high:.2f})")
            if name != base:
                r = row.ratios[name]
                line += f"   {r.median:.2f}x {base} ({r.low:.2f} .. {r.high:.2f})"
            lines.append(line)
        lines += [f"  {name}: {value:.3g}" for name, value in row.extra.items()]
    return lines
