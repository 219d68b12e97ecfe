"""One training step (forward, backward, SGD with momentum) on the CPU, beside torch on two threads.

Every library trains the same architecture from the same weights on the same batch. The small conv
net is trained beside MyGrad and tinygrad as well.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from experiments.benchmarks.harness import THREADS, Row, race, threads
from experiments.benchmarks.networks.cases import CASES, SMALL_CONV_NET, Case, step_of
from experiments.benchmarks.networks.numpy_peers import TRAINERS
from experiments.errors import one_line

ROUNDS = 9


def run(peers: dict[str, Any]) -> Iterator[Row]:
    """A row per network, beside torch if it is among the peers."""
    with threads(THREADS):
        for case in CASES:
            yield race(f"{case}: training step", "image", case.shape[0], _contenders(case, peers),
                       ROUNDS)


def _contenders(case: Case, peers: dict[str, Any]) -> dict[str, Any]:
    contenders = {"minigrad": step_of("minigrad", case)}
    if case is SMALL_CONV_NET:
        for name, trainer in TRAINERS.items():
            if name in peers:
                try:
                    contenders[name] = trainer(peers[name], case)
                except (RuntimeError, OSError) as error:    # tinygrad finds no compiler
                    print(f"{name} does not run here: measured without it ({one_line(error)})",
                          file=sys.stderr)
    if "torch" in peers:
        contenders["torch"] = step_of("torch", case)
    return contenders
