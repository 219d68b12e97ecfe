"""Computations to draw: question 3, small networks, and random ones."""

from __future__ import annotations

import numpy as np

import minigrad as mg
from minigrad import Tensor, draw, nn

SVG = "{http://www.w3.org/2000/svg}"  # the namespace, as ElementTree writes it


def leaf(value, requires_grad=True):
    return Tensor(np.array(value, np.float64), requires_grad=requires_grad)


def question3():
    """The network of question 3: (its recording, its Tensors by name)."""
    w1, w2, w3, w4, w5, w6 = (leaf(v) for v in (0.6, 1.1, 1.74, 0.79, -0.13, 0.93))
    x1, x2, x3, x4, y = (leaf(v, False) for v in (-1.3, 0.55, 0.8, 0.7, 1.0))
    with draw.record() as graph:
        f1, f2, f3, f4 = w1 * x1, w2 * x2, w3 * x3, w4 * x4
        z1, z2 = f1 + f2, f3 + f4
        a1, a2 = mg.sigmoid(z1), mg.sigmoid(z2)
        f5, f6 = w5 * a1, w6 * a2
        z3 = f5 + f6
        yhat = mg.sigmoid(z3)
        e = y - yhat
        L = e ** 2
    names = {name: x for name, x in locals().items() if isinstance(x, Tensor)}
    return graph, names


def two_layer_net():
    mg.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    x = Tensor(np.linspace(-1, 1, 24, dtype=np.float32).reshape(8, 3))
    with draw.record() as graph:
        loss = mg.cross_entropy(net(x), np.arange(8) % 2)
    return graph, {"net": net, "x": x, "loss": loss}


class Block(nn.Module):
    def __init__(self, width):
        self.a, self.b = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x):
        return mg.relu(x + self.b(mg.relu(self.a(x))))


def residual_net():
    net = nn.Sequential(nn.Linear(4, 8), Block(8), Block(8), nn.Linear(8, 3))
    with draw.record() as graph:
        mg.cross_entropy(net(Tensor(np.ones((5, 4), np.float32))), np.arange(5) % 3)
    return graph, {"net": net}


def mlp(layers):
    net = nn.Sequential(*(m for _ in range(layers) for m in (nn.Linear(16, 16), nn.ReLU())))
    with draw.record() as graph:
        mg.mean(net(Tensor(np.ones((2, 16), np.float32))))
    return graph, {"net": net}


def random_graph(seed, ops=40):
    rng = np.random.default_rng(seed)
    values = [leaf(v) for v in rng.normal(size=5)]
    with draw.record() as graph:
        for _ in range(ops):
            i, j = len(values) - 1 - rng.integers(0, 5, 2)
            values.append(values[i] * values[j])
    return graph, {"first": values[0]}
