"""How fast a 3x3 convolution is computed, and how exactly: what walkthrough 10 measures with.

A way of computing it is a function of x (N, H, W, C) and w (3, 3, C, O) that gives y (N, H, W, O).
The unit of speed is G/s: 10^9 multiply-adds per second, of those that the definition counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from experiments.benchmarks.harness import race
from minigrad.kernels.runtime.threads import get_num_threads, set_num_threads


class Measured(NamedTuple):
    """Milliseconds, G/s, and the largest error as a share of the largest output."""

    milliseconds: float
    rate: float
    error: float


def multiply_adds(x: Any, w: Any) -> int:
    """9 N H W C O: those with the zeros around the image count too."""
    return x.size * 9 * w.shape[3]


def error(y: Any, want: Any) -> float:
    """max |y - want| / max |want|"""
    return float(np.abs(y - want).max() / np.abs(want).max())


def seconds(contenders: Mapping[str, Callable[[], object]], rounds: int = 5) -> dict[str, float]:
    """{name: the median of its seconds}, on one thread; the contenders take turns."""
    from threadpoolctl import threadpool_limits

    threads = get_num_threads()
    set_num_threads(1)                          # minigrad's
    try:
        with threadpool_limits(1, "blas"):      # those of NumPy's matrix products
            timings = race("", "call", 1, contenders, rounds).timings
    finally:
        set_num_threads(threads)
    return {name: timing.median for name, timing in timings.items()}


def yardstick(size: int = 768) -> float:
    """The G/s of a product of two square matrices of float32."""
    a, b = np.random.default_rng(0).standard_normal((2, size, size), np.float32)
    return size**3 / seconds({"product": lambda: a @ b}, 9)["product"] / 1e9


def compared(ways: Mapping[str, Callable], x: Any, w: Any, want: Any) -> dict[str, Measured]:
    """What is measured of each way; `want` is y in float64."""
    times = seconds({name: partial(way, x, w) for name, way in ways.items()})
    return {name: Measured(1e3 * times[name], multiply_adds(x, w) / times[name] / 1e9,
                           error(way(x, w), want)) for name, way in ways.items()}


def table(rows: Mapping[str, Measured]) -> str:
    """A line for each."""
    return "\n".join(
        f"{name:20}{row.milliseconds:8.1f} ms {row.rate:9.3f} G/s, error {row.error:.1e}"
        for name, row in rows.items())
