"""One training step (forward, backward, SGD with momentum) on the CPU, beside torch on two threads.

The networks of the coursework at the sizes that two cores train in minutes, and ResNet-18 on
photographs of 224 pixels. Both frameworks train the same architecture from random weights on the
same batch; minigrad, like torch, uses two threads.
"""

from __future__ import annotations

import numpy as np

import minigrad as mg
from experiments.benchmarks.harness import Row, race
from minigrad.kernels.runtime.threads import get_num_threads, set_num_threads
from minigrad.models import resnet18, resnext50_32x4d, small_cnn
from minigrad.models.resnet import BasicBlock, Bottleneck, ResNet
from minigrad.nn import (AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Dropout, Flatten, Linear,
                         MaxPool2d, ReLU)
from minigrad.optim import SGD

CLASSES, THREADS, ROUNDS = 7, 2, 9
NETWORKS = [  # name, builder, pixels, batch
    ("small CNN", lambda size: small_cnn(CLASSES, size=size), 64, 32),
    ("ResNet-18", lambda size: resnet18(CLASSES), 64, 32),
    ("ResNet-18, width 16", lambda size: resnet18(CLASSES, width=16), 64, 32),
    ("ResNeXt-50", lambda size: resnext50_32x4d(CLASSES), 64, 16),
    ("ResNet-18", lambda size: resnet18(CLASSES), 224, 8),
]


def run(peers: dict) -> list[Row]:
    """A row per network, beside torch if it is among the peers."""
    before = get_num_threads()
    set_num_threads(THREADS)
    try:
        return [_race(*network, peers) for network in NETWORKS]
    finally:
        set_num_threads(before)


def _race(name, build, size, batch, peers):
    mg.manual_seed(0)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, 3, size, size)).astype(np.float32)
    classes = rng.integers(0, CLASSES, batch)
    net = build(size)
    contenders = {"minigrad": (mg.cross_entropy, net, SGD, mg.Tensor(x), classes)}
    if "torch" in peers:
        torch = peers["torch"]
        torch.set_num_threads(THREADS)
        contenders["torch"] = (torch.nn.functional.cross_entropy, twin(torch, net), torch.optim.SGD,
                               torch.tensor(x), torch.tensor(classes))
    steps = {who: _step(*parts) for who, parts in contenders.items()}
    return race(f"{name}, {size} px, batch {batch}: training step", "image", batch, steps, ROUNDS)


def _step(loss, net, optimizer, x, classes):
    """A function that does one step of training; both frameworks spell it alike."""
    net.train()
    descent = optimizer(net.parameters(), lr=1e-3, momentum=0.9)

    def step():
        descent.zero_grad()
        loss(net(x), classes).backward()
        descent.step()

    return step


def twin(torch, net):
    """The same network in torch, with the same parameters; RuntimeError if its outputs differ."""
    with torch.no_grad():
        other = _layer(torch.nn, net)
        for theirs, ours in zip(other.parameters(), net.parameters(), strict=True):
            theirs.copy_(torch.from_numpy(ours.data))
        x = np.random.default_rng(0).standard_normal((2, 3, 64, 64)).astype(np.float32)
        theirs, ours = other.eval()(torch.tensor(x)).numpy(), net.eval()(x)
    if abs(theirs - ours).max() > 1e-3 * abs(ours).max():
        raise RuntimeError(f"the twin of {type(net).__name__} in torch computes something else")
    return other


def _layer(nn, module):
    """torch's layer for one of ours, in the order of its parameters."""
    layers = [_layer(nn, child) for _, child in module.named_children()]
    if isinstance(module, Conv2d):
        return nn.Conv2d(*module.channels, tuple(module.weight.shape[2:]), module.stride,
                         module.padding, groups=module.groups, bias=module.bias is not None)
    if isinstance(module, Linear):
        return nn.Linear(*module.weight.shape[::-1])
    if isinstance(module, BatchNorm2d):
        return nn.BatchNorm2d(len(module.weight))
    if isinstance(module, MaxPool2d):
        return nn.MaxPool2d(module.kernel_size, module.stride, module.padding)
    if isinstance(module, Dropout):
        return nn.Dropout(module.p)
    if isinstance(module, ResNet):
        return nn.Sequential(*layers[:2], nn.ReLU(), *layers[2:])
    if isinstance(module, (BasicBlock, Bottleneck)):
        return _residual(nn, layers, None if module.downsample is None else layers.pop())
    if layers:
        return nn.Sequential(*layers)
    return {ReLU: nn.ReLU, Flatten: nn.Flatten,
            AdaptiveAvgPool2d: lambda: nn.AdaptiveAvgPool2d(1)}[type(module)]()


def _residual(nn, layers, downsample):
    """relu(x + layers(x)), with a relu after each pair of layers but the last."""
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            parts = [[layer, nn.ReLU()] if i % 2 else [layer] for i, layer in enumerate(layers)]
            self.layers = nn.Sequential(*sum(parts, [])[:-1])
            self.downsample = nn.Identity() if downsample is None else downsample

        def forward(self, x):
            return nn.functional.relu(self.downsample(x) + self.layers(x))

    return Residual()
