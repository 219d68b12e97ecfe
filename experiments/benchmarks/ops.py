"""What one op costs on tiny tensors, forward and backward, where only the engine's overhead counts.

Two workloads: a chain of 10 000 scalar ops, and a perceptron of three layers of 16 units on a batch
of 8, each op of which counts once. Both frameworks run the same ops on the same numbers.
"""

from __future__ import annotations

import numpy as np

import minigrad as mg
from experiments.benchmarks.harness import Row, race

CHAIN, LAYERS, WIDTH, BATCH = 10_000, 3, 16, 8


def chain(x):
    """10 000 scalar ops: products and sums, with numbers and with x."""
    y = x
    for _ in range(CHAIN // 4):
        y = y * 1.0001
        y = y + 0.001
        y = y * x
        y = y + x
    return y


def run(peers: dict) -> list[Row]:
    """Both workloads, beside torch if it is among the peers."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((BATCH, WIDTH)).astype(np.float32)
    weights = [(rng.standard_normal((WIDTH, WIDTH)) / 4).astype(np.float32) for _ in range(LAYERS)]
    biases = [np.zeros(WIDTH, np.float32) for _ in range(LAYERS)]
    target = rng.integers(0, WIDTH, BATCH)

    def of_minigrad():
        leaf = mg.Tensor(np.float32(0.5), requires_grad=True)
        params = [(mg.Tensor(w, True), mg.Tensor(b, True)) for w, b in zip(weights, biases)]
        inputs = mg.Tensor(x)
        return leaf, lambda: _mlp(mg, mg.linear, inputs, params, target)

    def of_torch(torch):
        leaf = torch.tensor(0.5, requires_grad=True)
        params = [(torch.tensor(w, requires_grad=True), torch.tensor(b, requires_grad=True))
                  for w, b in zip(weights, biases)]
        inputs, classes = torch.tensor(x), torch.tensor(target)
        return leaf, lambda: _mlp(torch, torch.nn.functional.linear, inputs, params, classes)

    pairs = {"minigrad": of_minigrad()}
    if "torch" in peers:
        peers["torch"].set_num_threads(1)
        pairs["torch"] = of_torch(peers["torch"])
    chains = {name: lambda leaf=leaf: chain(leaf).backward() for name, (leaf, _) in pairs.items()}
    nets = {name: net for name, (_, net) in pairs.items()}
    return [race("chain of 10 000 scalar ops, forward + backward", "op", CHAIN, chains),
            race("MLP 3 x 16, batch 8, forward + backward", "op", 20 * (2 * LAYERS + 2),
                 {name: lambda net=net: [net() for _ in range(20)] for name, net in nets.items()})]


def _mlp(module, linear, x, params, target):
    """Three linear layers with tanh, then the sum of squares: 2 x 3 + 2 ops, and their backward."""
    for w, b in params:
        x = module.tanh(linear(x, w, b))
    (x * x).sum().backward()
