"""Timing that can be trusted on a shared machine: contenders take turns, medians are compared."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import NamedTuple

from minigrad.kernels.runtime.threads import get_num_threads, set_num_threads
from minigrad.progress import ProgressLine

THREADS = 2     # of minigrad and of PyTorch, wherever more than one counts
_settings: dict[str, int | None] = {"rounds": None}


class Timing(NamedTuple):
    """Seconds (or bytes) per unit: the median, and the quartiles on both sides of it."""

    median: float
    low: float
    high: float


class Row(NamedTuple):
    """One workload: each contender's timing in seconds per `unit`, and its ratio to the last one's.

    A ratio is taken within each round, and then the median over the rounds. So a slow moment of the
    machine cancels, as it hits the contenders of one round alike. `extra` holds further numbers
    measured on the workload. quantity: "seconds", or "bytes" where memory is measured instead.
    """

    workload: str
    unit: str
    timings: Mapping[str, Timing]
    ratios: Mapping[str, Timing]
    extra: Mapping[str, float] = {}
    quantity: str = "seconds"


def set_rounds(count: int | None) -> None:
    """Measure everything so many times (at least 2) from now on; None: as each benchmark says."""
    _settings["rounds"] = count


def rounds_or(usual: int) -> int:
    """How many times to measure: as `set_rounds` said, or as usual."""
    return _settings["rounds"] or usual


@contextmanager
def threads(count: int) -> Iterator[None]:
    """minigrad uses so many threads inside the block."""
    before = get_num_threads()
    set_num_threads(count)
    try:
        yield
    finally:
        set_num_threads(before)


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
    for turn in turns(workload, rounds_or(rounds), warm_up=2):
        for name, run in contenders.items():
            duration = run() / per_run
            if turn >= 0:
                seconds[name].append(duration)
    return row_of(workload, unit, seconds)


def turns(workload: str, rounds: int, warm_up: int = 0) -> Iterator[int]:
    """-warm_up, ..., -1 for runs that do not count, then 0, ..., rounds - 1; says how far it is."""
    with closing(ProgressLine()) as line:
        for turn in range(-warm_up, rounds):
            if line.due():
                done = turn + warm_up
                line.show(f"{workload}: round {done + 1} of {rounds + warm_up}",
                          done / (rounds + warm_up))
            yield turn


def row_of(workload: str, unit: str, values: Mapping[str, Sequence[float]],
           extra: Mapping[str, float] = {}, quantity: str = "seconds") -> Row:
    """The Row of what each contender took in each round; ratios are to the last contender."""
    base = values[list(values)[-1]]
    return Row(workload, unit, {name: timing(vs) for name, vs in values.items()},
               {name: timing([v / b for v, b in zip(vs, base)]) for name, vs in values.items()},
               extra, quantity)


def timing(values: Sequence[float]) -> Timing:
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Timing(median, low, high)


def report(rows: Iterable[Row]) -> list[str]:
    """The rows as a table: median (quartiles) in us or MB, and ratios to the last contender."""
    lines = []
    for row in rows:
        lines.append(row.workload)
        base = list(row.timings)[-1]
        scale, unit = (1e6, "us") if row.quantity == "seconds" else (1e-6, "MB")
        for name, t in row.timings.items():
            line = (f"  {name:14}{scale * t.median:10.2f} {unit} per {row.unit}"
                    f"   ({scale * t.low:.2f} .. {scale * t.high:.2f})")
            if name != base:
                r = row.ratios[name]
                line += f"   {r.median:.2f}x {base} ({r.low:.2f} .. {r.high:.2f})"
            lines.append(line)
        lines += [f"  {name}: {value:.3g}" for name, value in row.extra.items()]
    return lines
