"""Stochastic gradient descent with momentum, as torch.optim.SGD."""

from __future__ import annotations

import numpy as np

from minigrad.kernels import optim_cuda
from minigrad.optim.optimizer import Optimizer, blocks


class SGD(Optimizer):
    """g += wd p;  v = mu v + (1-damp) g (v = g at first);  p -= lr v, or lr (g + mu v) if nesterov.

    Sutskever et al., "On the importance of initialization and momentum", ICML 2013, as in torch:
    weight decay is added to the gradient, dampening does not touch the first step.
    """

    def __init__(self, params, lr=1e-3, momentum=0.0, dampening=0.0, weight_decay=0.0,
                 nesterov=False):
        super().__init__(params, {"lr": lr, "momentum": momentum, "dampening": dampening,
                                  "weight_decay": weight_decay, "nesterov": nesterov})

    def check(self, group):
        super().check(group)
        momentum, dampening = group["momentum"], group["dampening"]
        self.check_ranges(momentum=(momentum, 0, None),
                          weight_decay=(group["weight_decay"], 0, None))
        if group["nesterov"] and (momentum <= 0 or dampening != 0):
            raise ValueError("SGD: nesterov needs momentum > 0 and dampening = 0, got "
                             f"momentum={momentum}, dampening={dampening}")

    update_together = staticmethod(optim_cuda.sgd)

    def update(self, p, g, state, group):
        lr, momentum, decay = group["lr"], group["momentum"], group["weight_decay"]
        share = 1 - group["dampening"]
        if momentum and not state:
            state["momentum_buffer"], share = np.zeros_like(p), 1
        for p, g, *buffer in blocks(p, g, *state.values()):
            if decay:
                g = g + decay * p
            if momentum:
                (v,) = buffer
                v *= momentum
                v += share * g
                g = g + momentum * v if group["nesterov"] else v
            p -= lr * g
