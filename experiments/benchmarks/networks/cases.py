"""The networks that are trained, evaluated and weighed, and one step of each.

`step_of("torch", case)` is a function that makes one training step in that library, of the same
network from the same weights on the same batch, whatever the library: SGD with momentum on the
cross entropy. It returns the loss.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import minigrad as mg
from experiments.benchmarks.harness import THREADS
from experiments.benchmarks.networks.twins import twin
from minigrad import nn
from minigrad.models import lenet5, resnet18, resnet34, resnext50_32x4d, small_cnn
from minigrad.optim import SGD

CLASSES, RATE, MOMENTUM = 7, 1e-3, 0.9


class Case(NamedTuple):
    """A network, `build(classes)`, and the shape (N, C, H, W) of the batch that it is given."""

    name: str
    build: Callable[[int], nn.Module]
    shape: tuple[int, int, int, int]

    def __str__(self) -> str:
        return f"{self.name}, {self.shape[2]} px, batch {self.shape[0]}"


def small_conv_net(classes: int) -> nn.Sequential:
    """Two 5x5 convolutions of 16 and 32 channels, each with ReLU and max pooling; a linear layer.

    x (N, 3, 32, 32) -> one score per class, (N, classes)
    """
    return nn.Sequential(nn.Conv2d(3, 16, 5), nn.ReLU(), nn.MaxPool2d(2),           # 16@14x14
                         nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2),          # 32@5x5
                         nn.Flatten(), nn.Linear(800, classes))


SMALL_CONV_NET = Case("small conv net", small_conv_net, (32, 3, 32, 32))
CASES = [
    Case("ResNet-18", resnet18, (16, 3, 224, 224)),
    Case("ResNet-18", resnet18, (32, 3, 64, 64)),
    Case("ResNet-34", resnet34, (8, 3, 224, 224)),
    Case("ResNeXt-50", resnext50_32x4d, (8, 3, 224, 224)),
    Case("ResNeXt-50", resnext50_32x4d, (16, 3, 64, 64)),
    Case("ResNet-18, width 16", partial(resnet18, width=16), (32, 3, 64, 64)),
    Case("small CNN", partial(small_cnn, size=64), (32, 3, 64, 64)),
    Case("LeNet-5", lenet5, (128, 1, 32, 32)),
    SMALL_CONV_NET,
]


def fresh(case: Case) -> tuple[Any, np.ndarray, np.ndarray]:
    """The network and a batch, images and classes; the same numbers at every call."""
    mg.manual_seed(0)
    rng = np.random.default_rng(0)
    x = rng.standard_normal(case.shape).astype(np.float32)
    return case.build(CLASSES), x, rng.integers(0, CLASSES, len(x))


def step_of(who: str, case: Case) -> Callable[[], Any]:
    """A function that makes one training step of the case in "minigrad" or "torch"."""
    net, x, classes = fresh(case)
    if who == "minigrad":
        return _step(mg.cross_entropy, net, SGD, mg.Tensor(x), classes)
    torch = importlib.import_module("torch")
    torch.set_num_threads(THREADS)
    return _step(torch.nn.functional.cross_entropy, twin(torch, net, case.shape), torch.optim.SGD,
                 torch.tensor(x), torch.tensor(classes))


def _step(cross_entropy, net, optimizer, x, classes):
    """One step of training; both libraries spell it alike."""
    net.train()
    descent = optimizer(net.parameters(), lr=RATE, momentum=MOMENTUM)

    def step():
        descent.zero_grad()
        loss = cross_entropy(net(x), classes)
        loss.backward()
        descent.step()
        return loss

    return step
