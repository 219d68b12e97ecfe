"""What one op costs on tiny tensors, forward and backward, where only the engine's overhead counts.

Two workloads: a chain of 10 000 scalar ops, and a perceptron of three layers of 16 units on a batch
of 8, each op of which counts once. All libraries run the same ops on the same numbers; in MyGrad
the chain is float64, which it makes of a Python number and a scalar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import minigrad as mg
from experiments.benchmarks.harness import Row, race
from experiments.benchmarks.networks.numpy_peers import OPS

CHAIN, LAYERS, WIDTH, BATCH, RUNS = 10_000, 3, 16, 8, 20


def chain(x):
    """10 000 scalar ops: products and sums, with numbers and with x."""
    y = x
    for _ in range(CHAIN // 4):
        y = y * 1.0001
        y = y + 0.001
        y = y * x
        y = y + x
    return y


def run(peers: dict[str, Any]) -> Iterator[Row]:
    """Both workloads, beside those of MyGrad, HIPS autograd and torch that are among the peers."""
    pairs = contenders(peers)
    chains = {name: pair[0] for name, pair in pairs.items()}
    nets = {name: pair[1] for name, pair in pairs.items()}
    yield race("chain of 10 000 scalar ops, forward + backward", "op", CHAIN, chains)
    yield race("MLP 3 x 16, batch 8, forward + backward", "op", RUNS * (2 * LAYERS + 2), {
        name: lambda net=net: [net() for _ in range(RUNS)] for name, net in nets.items()})


def contenders(peers: dict[str, Any]) -> dict[str, tuple[Callable, Callable]]:
    """{library: (the chain from 0.5, the perceptron)}, functions that return a gradient."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((BATCH, WIDTH)).astype(np.float32)
    weights = [((rng.standard_normal((WIDTH, WIDTH)) / 4).astype(np.float32),
                np.zeros(WIDTH, np.float32)) for _ in range(LAYERS)]
    pairs = {"minigrad": _like_torch(mg, mg.linear, x, weights)}
    pairs |= {name: ops(peers[name], x, weights, chain) for name, ops in OPS.items()
              if name in peers}
    if "torch" in peers:
        torch = peers["torch"]
        torch.set_num_threads(1)
        pairs["torch"] = _like_torch(torch, torch.nn.functional.linear, x, weights)
    return pairs


def _like_torch(module, linear, x, weights):
    """Both in minigrad or in torch, which spell them alike: 2 x 3 + 2 ops and their backward."""
    leaf = module.tensor(0.5, requires_grad=True)
    parameters = [[module.tensor(array, requires_grad=True) for array in pair] for pair in weights]
    inputs = module.tensor(x)

    def run_chain():
        leaf.grad = None
        chain(leaf).backward()
        return leaf.grad

    def run_net():
        y = inputs
        for w, b in parameters:
            w.grad = b.grad = None
            y = module.tanh(linear(y, w, b))
        (y * y).sum().backward()
        return parameters[0][0].grad

    return run_chain, run_net
