"""The workloads in three libraries that stand beside this one: MyGrad and HIPS autograd, which
compute with NumPy, and tinygrad, which compiles C for its CPU device.

Each is used as its authors do where speed counts: MyGrad without its guard against writing into
arrays of the graph, tinygrad with its JIT.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from experiments.benchmarks.networks.cases import MOMENTUM, RATE, Case, fresh

Weights = Sequence[tuple[np.ndarray, np.ndarray]]


# --- training the small conv net -----------------------------------------------------------------

def mygrad_trainer(mygrad: Any, case: Case) -> Callable[[], Any]:
    """A function that makes one training step and returns the loss."""
    mygrad.turn_memory_guarding_off()
    nnet = importlib.import_module("mygrad.nnet")
    net, x, classes = fresh(case)
    parameters = [mygrad.tensor(p.data) for p in net.parameters()]
    velocities = [np.zeros_like(p.data) for p in parameters]

    def step():
        w1, b1, w2, b2, w3, b3 = parameters
        y = x
        for w, b in ((w1, b1), (w2, b2)):
            y = nnet.layers.conv_nd(y, w, stride=1) + b.reshape(1, -1, 1, 1)
            y = nnet.layers.max_pool(nnet.activations.relu(y), (2, 2), 2)
        scores = mygrad.matmul(y.reshape(len(x), -1), w3.T) + b3
        loss = nnet.losses.softmax_crossentropy(scores, classes)
        loss.backward()
        for p, velocity in zip(parameters, velocities):
            velocity *= MOMENTUM
            velocity += p.grad
            p.data -= RATE * velocity
            p.null_grad()
        return loss

    return step


def tinygrad_trainer(tinygrad: Any, case: Case) -> Callable[[], Any]:
    """A function that makes one training step and returns the loss; its first calls compile."""
    Tensor = tinygrad.Tensor
    net, x, classes = fresh(case)
    w1, b1, w2, b2, w3, b3 = parameters = [Tensor(p.data, device="CPU").realize()
                                           for p in net.parameters()]
    images, targets = (Tensor(array, device="CPU").realize()
                       for array in (x, classes.astype(np.int32)))
    descent = tinygrad.nn.optim.SGD(parameters, lr=RATE, momentum=MOMENTUM)

    @tinygrad.TinyJit
    def compiled():
        descent.zero_grad()
        y = images
        for w, b in ((w1, b1), (w2, b2)):
            y = y.conv2d(w, b).relu().max_pool2d((2, 2))
        loss = y.flatten(1).linear(w3.T, b3).sparse_categorical_crossentropy(targets).backward()
        return loss.realize(*descent.schedule_step())

    def step():
        with tinygrad.Context(TRAINING=1):
            loss = compiled()
        tinygrad.Device["CPU"].synchronize()
        return loss

    return step


TRAINERS = {"mygrad": mygrad_trainer, "tinygrad": tinygrad_trainer}


# --- the small ops -------------------------------------------------------------------------------

def mygrad_ops(mygrad: Any, x: np.ndarray, weights: Weights, chain: Callable) -> tuple:
    """The chain from 0.5 and the perceptron on x, forward and backward; each returns a gradient."""
    mygrad.turn_memory_guarding_off()
    leaf = mygrad.tensor(np.float32(0.5))
    parameters = [(mygrad.tensor(w), mygrad.tensor(b)) for w, b in weights]

    def run_chain():
        chain(leaf).backward()
        return leaf.grad

    def run_net():
        y = x
        for w, b in parameters:
            y = mygrad.tanh(mygrad.matmul(y, w.T) + b)
        (y * y).sum().backward()
        return parameters[0][0].grad

    return run_chain, run_net


def autograd_ops(autograd: Any, x: np.ndarray, weights: Weights, chain: Callable) -> tuple:
    """The same in HIPS autograd."""
    anp = importlib.import_module("autograd.numpy")

    def net(parameters):
        y = x
        for w, b in parameters:
            y = anp.tanh(anp.dot(y, w.T) + b)
        return anp.sum(y * y)

    of_chain, of_net = autograd.grad(chain), autograd.grad(net)
    return lambda: of_chain(np.float32(0.5)), lambda: of_net(weights)[0][0]


OPS = {"mygrad": mygrad_ops, "autograd": autograd_ops}
