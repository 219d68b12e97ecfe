"""The memory that one training step takes at most, beside torch; each step in a fresh process.

Counted is what the process grows by from the moment at which network and batch are there: the
graph, the gradients, the optimizer's momentum, and whatever else the step has need of for a while.
The system says how much that is (the peak of the resident memory), so that nothing escapes.
On Linux only.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

from experiments.benchmarks.harness import THREADS, Row, rounds_or, row_of, threads, turns
from experiments.benchmarks.networks.cases import Case, step_of
from minigrad.models import resnet18, resnext50_32x4d

ROUNDS = 5
CASES = [Case("ResNet-18", resnet18, (16, 3, 224, 224)),
         Case("ResNeXt-50", resnext50_32x4d, (8, 3, 224, 224))]
_T = TypeVar("_T")


def run(peers: dict[str, Any]) -> Iterator[Row]:
    """A row per network, beside torch if it is among the peers."""
    if not measurable("memory"):
        return
    for case in CASES:
        values = peaks(case, peers, f"{case}: peak memory", ROUNDS)
        yield row_of(f"{case}: training step, peak memory beyond network and batch", "step",
                     values, quantity="bytes")


def measurable(benchmark: str) -> bool:
    """Whether this system tells the peak of a process; says so if it does not."""
    if sys.platform != "linux":
        print(f"benchmark {benchmark}: memory is measured on Linux only", file=sys.stderr)
    return sys.platform == "linux"


def peaks(case: Case, peers: dict[str, Any], workload: str, rounds: int) -> dict[str, list[float]]:
    """Bytes of a training step in each library, measured in turn."""
    values: dict[str, list[float]] = {"minigrad": [], **({"torch": []} if "torch" in peers else {})}
    for _ in turns(workload, rounds_or(rounds)):
        for who, list_ in values.items():
            list_.append(in_fresh_process(step_peak, who, case))
    return values


def step_peak(who: str, case: Case) -> int:
    """Bytes of the first training step of the case in "minigrad" or "torch"."""
    with threads(THREADS):
        return extra_peak(step_of(who, case))


def extra_peak(work: Callable[[], object]) -> int:
    """The most bytes by which this process is larger during `work` than before; on Linux only.

    The system counts pages, and memory that was in use before and is free now counts again only if
    it was given back: so it is, first. Meant for a fresh process.
    """
    if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):      # of the GNU C library
        libc.malloc_trim(0)
    before = _status("VmRSS")
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")     # forget the peak until now
    work()
    return _status("VmHWM") - before


def in_fresh_process(function: Callable[..., _T], *args: Any) -> _T:
    """function(*args) of a new process, which has imported nothing but what that needs."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *args).result()


def _status(field: str) -> int:
    """What the system says about this process, in bytes."""
    with open("/proc/self/status") as file:
        return 1024 * next(int(line.split()[1]) for line in file if line.startswith(field))
