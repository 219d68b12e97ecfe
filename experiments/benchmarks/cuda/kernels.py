"""Each kernel of a training step by itself on a GPU, beside what the card can do at most.

    python -m experiments.benchmarks gpu --kernels

The card's own two limits come first: how fast it copies, and how fast cuBLAS multiplies. A kernel
that moves memory is near its limit if its TB/s are near the copy's, a convolution if its TFLOP/s
are near the product's. Bytes are those that must be read and written once, whatever the kernel does
beyond that; one multiplication and addition are two operations.
"""

from __future__ import annotations

import json
import pathlib
import statistics
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

import minigrad as mg
from minigrad.dtypes import number_type
from minigrad.kernels import conv
from minigrad.kernels.norm import cpu as norm
from minigrad.kernels.pool import cpu as pool
from minigrad.kernels.reduce import cpu as reduce
from minigrad.kernels.runtime.window import Window

RESULTS = pathlib.Path("results/gpu-kernels.json")
ROUNDS, LAUNCHES = 7, 3  # the median of so many rounds of so many launches
BATCH = 64
# channels in and out, side of the image, side of the filter, stride: ResNet-18's
LAYERS = ((3, 64, 224, 7, 2), (64, 64, 56, 3, 1), (64, 128, 56, 3, 2), (128, 128, 28, 3, 1),
          (256, 256, 14, 3, 1), (512, 512, 7, 3, 1), (64, 128, 56, 1, 2))
MAPS = ((64, 112), (64, 56), (512, 7))  # channels and side of what is normalised
COPIED, MULTIPLIED = 2**29, 8192  # numbers, and the side of matrices, that find the card's limits


class Measured(NamedTuple):
    """One kernel: seconds per launch, and the bytes and operations that it needs at least."""

    name: str
    seconds: float
    bytes: int
    operations: int

    def __str__(self):
        return (f"{self.name:58}{1e6 * self.seconds:10.1f} us"
                f"{self.bytes / self.seconds / 1e12:7.2f} TB/s"
                f"{self.operations / self.seconds / 1e12:8.1f} TFLOP/s")


class Clock(NamedTuple):
    """How a GPU's time is taken: makes an event; milliseconds between two."""

    event: Callable
    milliseconds: Callable


def run(clock: Clock | None = None) -> list[Measured]:
    """All kernels, each told as it is measured; results/gpu-kernels.json has those so far."""
    import cupy
    clock = clock or Clock(cupy.cuda.Event, cupy.cuda.get_elapsed_time)
    rows = []
    before = mg.get_float32_matmul_precision()
    try:
        for name, launch, n_bytes, operations in workloads(cupy):
            rows.append(Measured(name, _seconds(launch, clock), n_bytes, operations))
            print(rows[-1], flush=True)
            RESULTS.parent.mkdir(parents=True, exist_ok=True)
            RESULTS.write_text(json.dumps([row._asdict() for row in rows], indent=1) + "\n")
    finally:
        mg.set_float32_matmul_precision(before)
    print(f"recorded in {RESULTS}", file=sys.stderr)
    return rows


def _seconds(launch, clock):
    """Median seconds per launch; the first two, which compile and choose, do not count."""
    launch(), launch()
    taken = []
    for _ in range(ROUNDS):
        start, end = clock.event(), clock.event()
        start.record()
        for _ in range(LAUNCHES):
            launch()
        end.record()
        end.synchronize()
        taken.append(clock.milliseconds(start, end) / 1000 / LAUNCHES)
    return statistics.median(taken)


def workloads(cupy) -> Iterator[tuple[str, Callable, int, int]]:
    """(name, launch, bytes, operations); float32 products are on tensor cores while "TF32"."""
    kinds = [("float32, TF32", "float32", "high"), ("float32", "float32", "highest")]
    try:
        number_type("bfloat16")
        kinds.insert(1, ("bfloat16", "bfloat16", "highest"))
    except RuntimeError as error:
        print(f"without bfloat16: {error}", file=sys.stderr)
    x = cupy.ones(COPIED, np.float32)
    yield "copy, by CuPy", x.copy, 2 * x.nbytes, 0
    del x
    for tag, dtype, precision in kinds:
        mg.set_float32_matmul_precision(precision)
        a = _images(cupy, 1, 1, MULTIPLIED, dtype)[0, 0]
        yield (f"product of {MULTIPLIED} x {MULTIPLIED}, cuBLAS, {tag}",
               lambda a=a: mg.matmul(a, a), 3 * a.nbytes, 2 * MULTIPLIED**3)
        yield from _convolutions(cupy, tag, dtype)
    for dtype in dict.fromkeys(dtype for _, dtype, _ in kinds):
        yield from _memory(cupy, dtype)


def _convolutions(cupy, tag, dtype):
    for c, o, side, k, stride in LAYERS:
        window = Window(k, k, stride, stride, k // 2, k // 2)
        out, _ = window.output_size(side, side)
        x, gy = _images(cupy, BATCH, c, side, dtype), _images(cupy, BATCH, o, out, dtype)
        w = _images(cupy, o, c, k, dtype)
        name = f"{tag}, {c} -> {o}, {k}x{k}, stride {stride}, {side} px"
        needs = x.nbytes + gy.nbytes + w.nbytes, 2 * BATCH * out * out * o * c * k * k
        yield f"convolution: {name}", lambda: conv.forward(x, w, window), *needs
        yield (f"its input's gradient: {name}",
               lambda: conv.input_gradient(gy, w, window, (side, side)), *needs)
        yield (f"its filters' gradient: {name}",
               lambda: conv.weight_gradient(x, gy, window), *needs)


def _memory(cupy, dtype):
    """What moves memory and computes little."""
    for c, side in MAPS:
        x, gy = (_images(cupy, BATCH, c, side, dtype) for _ in range(2))
        v, size = cupy.ones(c, np.float32), x.nbytes
        name = f"{dtype}, {BATCH} x {c} x {side} x {side}"
        yield f"batch statistics: {name}", lambda: norm.statistics(x, 1e-5), size, 0
        yield (f"normalisation and ReLU: {name}", lambda: norm.normalise(x, v, v, v, True),
               2 * size, 0)
        yield (f"gradient of both: {name}", lambda: norm.gradient(gy, x, v, v, v, x), 7 * size, 0)
        yield f"ReLU: {name}", lambda: mg.relu(x), 2 * size, 0
        yield f"a + b, by CuPy: {name}", lambda: x + gy, 3 * size, 0
        yield f"sum over images: {name}", lambda: reduce.sum(x, (0, 2, 3)), size, 0
    c, side = MAPS[0]
    window, x = Window(3, 3, 2, 2, 1, 1), _images(cupy, BATCH, c, side, dtype)
    y, winner = pool.maximum(x, window)
    size = x.nbytes + y.nbytes + winner.nbytes
    yield f"max pooling: {dtype}", lambda: pool.maximum(x, window), size, 0
    yield (f"its gradient: {dtype}", lambda: pool.scatter(y, winner, window, x.shape[2:]), size, 0)


def _images(cupy, n, c, side, dtype):
    """(n, c, side, side), channels-last in memory, of numbers between 0 and 1 that vary."""
    x = cupy.arange(n * side * side * c, dtype=np.float32) % 251 / 251
    return x.astype(number_type(dtype)).reshape(n, side, side, c).transpose(0, 3, 1, 2)
