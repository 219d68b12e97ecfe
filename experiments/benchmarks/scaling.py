"""How time and memory of a training step grow with batch, image size, width and depth.

A small ResNet; one of the four numbers doubles three times while the others stay. A straight line
is fitted through the medians on logarithmic axes: its slope p says that the cost grows as n^p. To
expect are 1 for the batch and the depth, 2 for the side of the images; for the width 2 in
operations, and 1 in numbers that are kept. Less shows what does not grow with n.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from experiments.benchmarks.harness import THREADS, Row, race, row_of, threads
from experiments.benchmarks.memory import measurable, peaks
from experiments.benchmarks.networks.cases import Case, step_of
from minigrad.models.resnet import BasicBlock, ResNet

ROUNDS, MEMORY_ROUNDS = 5, 3
SIZES = {"batch": (8, 16, 32, 64), "pixels": (32, 64, 128, 256), "width": (8, 16, 32, 64),
         "depth": (1, 2, 4, 8)}
SLOPE = "log-log slope, "       # and the library, in `extra` of the last row of four


class Size(NamedTuple):
    """A network: images in the batch, their side, channels and blocks of the first stage."""

    batch: int = 16
    pixels: int = 64
    width: int = 16
    depth: int = 1      # of each of the four stages

    def case(self) -> Case:
        return Case("small ResNet", partial(_network, self.width, self.depth),
                    (self.batch, 3, self.pixels, self.pixels))


def run(peers: dict[str, Any]) -> Iterator[Row]:
    """Four rows of time and four of memory for each number, beside torch if it is among the peers.
    """
    with threads(THREADS):
        for axis, sizes in SIZES.items():
            yield from with_slopes(axis, sizes, (_time(axis, n, peers) for n in sizes))
    if measurable("scaling"):
        for axis, sizes in SIZES.items():
            yield from with_slopes(axis, sizes, (_memory(axis, n, peers) for n in sizes))


def with_slopes(axis: str, sizes: Sequence[int], rows: Iterator[Row]) -> Iterator[Row]:
    """The rows with n in `extra`; the last of them with the slopes as well."""
    seen = []
    for n, row in zip(sizes, rows, strict=True):
        seen.append(row)
        extra: Mapping[str, float] = {axis: n}
        if len(seen) == len(sizes):
            extra |= {f"{SLOPE}{who}": slope(sizes, [r.timings[who].median for r in seen])
                      for who in row.timings}
        yield row._replace(extra=extra)


def slope(sizes: Sequence[float], values: Sequence[float]) -> float:
    """p of the power a n^p that fits the values best, by least squares of their logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def _time(axis: str, n: int, peers: dict[str, Any]) -> Row:
    case = Size(**{axis: n}).case()
    names = ["minigrad", *(["torch"] if "torch" in peers else [])]
    return race(f"small ResNet, {axis} {n}: training step", "step", 1,
                {who: step_of(who, case) for who in names}, ROUNDS)


def _memory(axis: str, n: int, peers: dict[str, Any]) -> Row:
    workload = f"small ResNet, {axis} {n}: training step, peak memory"
    values = peaks(Size(**{axis: n}).case(), peers, workload, MEMORY_ROUNDS)
    return row_of(workload, "step", values, quantity="bytes")


def _network(width: int, depth: int, classes: int) -> ResNet:
    return ResNet(BasicBlock, [depth] * 4, classes, width)
