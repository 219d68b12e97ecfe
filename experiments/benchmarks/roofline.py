"""Every layer of ResNet-18 beside what this CPU can do at most, both measured in the same run.

The ceilings: a product of two large matrices in float32, on as many threads as minigrad uses, says
how many operations a second there can be; a copy of a large array, how many bytes of memory can be
moved. By the operations that it does and the bytes that it has to move, a layer cannot take less
than the longer of the two times; the share of the ceiling is that time over the measured one. A
layer whose arrays lie in the cache may move more bytes than memory would let it.

In each round all layers run one after another, forward and in training mode, each on the input that
it has in the network. Ops that share one pass through memory in a training (batch normalisation and
the ReLU behind it) run apart here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import minigrad as mg
from experiments.benchmarks.harness import (THREADS, Row, rounds_or, row_of, threads, timing, turns,
                                            wall_seconds)
from experiments.benchmarks.networks.cases import Case, fresh
from experiments.roofline import Roof, Work, work_of
from minigrad.function import trace
from minigrad.kernels.runtime.threads import for_each, slices
from minigrad.models import resnet18

ROUNDS = 7
CASE = Case("ResNet-18", resnet18, (16, 3, 224, 224))
GEMM, COPY = 2048, 2**28        # rows and columns of the matrices; bytes of the copied array
OURS, CEILING = "minigrad", "at most"
INTENSITY, SPEED, BANDWIDTH = "FLOP per byte", "GFLOP/s", "GB/s"
SHARE, OF_ALL, LAYERS = "share of the ceiling", "share of the time", "layers"


def run(peers: dict[str, Any]) -> Iterator[Row]:
    """Two ceilings, then a row for each layer in their order, then one for each kind of layer."""
    with threads(THREADS), mg.no_grad():
        works, calls = layers(CASE)
        ceilings = {f"{GEMM} x {GEMM} matrices multiplied, float32": _gemm(), "a copy": _copy()}
        seconds: dict[str, list[float]] = defaultdict(list)
        for turn in turns(f"roofline of {CASE}", rounds_or(ROUNDS), warm_up=1):
            for name, call in {**ceilings, **calls}.items():
                took = wall_seconds(call)
                if turn >= 0:
                    seconds[name].append(took)
    multiplied, copied = ceilings
    roof = Roof("CPU", "float32", 2 * GEMM**3 / min(seconds[multiplied]),
                2 * COPY / min(seconds[copied]))
    yield _ceiling(f"ceiling: {multiplied}", seconds[multiplied], {SPEED: roof.peak / 1e9})
    yield _ceiling(f"ceiling: {copied} of {COPY >> 20} MiB, read and written", seconds[copied],
                   {BANDWIDTH: roof.bandwidth / 1e9})
    for name, work in works.items():
        extra = {INTENSITY: work.intensity, SPEED: work.flops / _median(seconds[name]) / 1e9}
        yield _beside(f"{name}, {work.kind}", seconds[name], roof.seconds(work), extra)
    kinds = dict.fromkeys(work.kind for work in works.values())
    members = {kind: [name for name, work in works.items() if work.kind == kind] for kind in kinds}
    spent = {kind: [sum(turn) for turn in zip(*(seconds[name] for name in names))]
             for kind, names in members.items()}
    whole = sum(map(_median, spent.values()))
    for kind, names in members.items():
        yield _beside(f"{CASE}, forward, all of: {kind}", spent[kind],
                      sum(roof.seconds(works[name]) for name in names),
                      {LAYERS: len(names), OF_ALL: _median(spent[kind]) / whole})


def layers(case: Case) -> tuple[dict[str, Work], dict[str, Callable[[], object]]]:
    """{layer: its Work} and {layer: a function that runs it} for each op that computes."""
    net, x, _ = fresh(case)
    homes = {module: name for name, module in net.named_modules()}
    shared = {id(p) for p in net.parameters()}
    with trace() as calls:
        net(mg.Tensor(x))
    works, functions = {}, {}
    for call in calls:
        work = work_of(call, shared)
        if work.flops:
            home = next(homes[module] for module in reversed(call.scope) if module in homes)
            name = f"{home}.{call.function.name}".lstrip(".")
            while name in works:    # of a block: its ReLUs
                name += "'"
            works[name] = work
            functions[name] = lambda call=call: call.function(*call.inputs)
    return works, functions


def _gemm() -> Callable[[], object]:
    a, b = np.random.default_rng(0).random((2, GEMM, GEMM), np.float32)
    out = np.empty_like(a)

    def multiply():
        with threadpool_limits(THREADS, "blas"):
            np.matmul(a, b, out=out)

    return multiply


def _copy() -> Callable[[], object]:
    source = np.ones(COPY, np.uint8)
    target = np.zeros_like(source)
    parts = slices(COPY, 1, COPY // THREADS)
    return lambda: for_each(lambda part: np.copyto(target[part], source[part]), parts)


def _ceiling(workload: str, seconds: list[float], extra: dict[str, float]) -> Row:
    return row_of(workload, "call", {OURS: seconds}, extra)


def _beside(workload: str, seconds: list[float], least: float, extra: dict[str, float]) -> Row:
    """The row of a layer; its other contender is the ceiling, which needs `least` seconds."""
    values = {OURS: seconds, CEILING: [least] * len(seconds)}
    return row_of(workload, "call", values, extra | {SHARE: least / _median(seconds)})


def _median(seconds: list[float]) -> float:
    return timing(seconds).median
