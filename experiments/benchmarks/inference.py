"""Evaluation of whole networks on the CPU, without a graph, beside torch on two threads.

Both libraries hold the same weights, in evaluation mode, and look at the same batch: minigrad under
`no_grad`, torch under `inference_mode`. Times are per image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import minigrad as mg
from experiments.benchmarks.harness import THREADS, Row, race, threads
from experiments.benchmarks.networks.cases import Case, fresh
from experiments.benchmarks.networks.twins import twin
from minigrad.models import efficientnet_lite0, resnet18, resnet34, resnext50_32x4d

ROUNDS = 9
CASES = [
    Case("ResNet-18", resnet18, (16, 3, 224, 224)),
    Case("ResNet-18", resnet18, (1, 3, 224, 224)),
    Case("ResNet-34", resnet34, (8, 3, 224, 224)),
    Case("ResNeXt-50", resnext50_32x4d, (8, 3, 224, 224)),
    Case("EfficientNet-Lite0", efficientnet_lite0, (20, 3, 224, 224)),
]


def run(peers: dict[str, Any]) -> Iterator[Row]:
    """A row per network, beside torch if it is among the peers."""
    with threads(THREADS):
        for case in CASES:
            yield race(f"{case}: evaluation", "image", case.shape[0], evaluators(case, peers),
                       ROUNDS)


def evaluators(case: Case, peers: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    """{library: a function that gives the scores of the batch}"""
    net, x, _ = fresh(case)
    images = mg.Tensor(x)

    def ours():
        with mg.no_grad():
            return net(images)

    net.eval()
    contenders = {"minigrad": ours}
    if "torch" in peers:
        torch = peers["torch"]
        torch.set_num_threads(THREADS)
        other, theirs = twin(torch, net, case.shape), torch.tensor(x)
        contenders["torch"] = torch.inference_mode()(lambda: other(theirs))
    return contenders
