"""Adam, as torch.optim.Adam."""

from __future__ import annotations

import math

import numpy as np

from minigrad.optim.optimizer import Optimizer


class Adam(Optimizer):
    """m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;  p -= lr m/(1-b1^t) / (sqrt(v/(1-b2^t)) + eps).

    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1;
    weight decay is added to the gradient.
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(params, lr)
        self.check(beta1=(betas[0], 0, 1), beta2=(betas[1], 0, 1), eps=(eps, 0, None),
                   weight_decay=(weight_decay, 0, None))
        self.betas, self.eps, self.weight_decay = betas, eps, weight_decay

    def update(self, p, g, state):
        if self.weight_decay:
            g = g + self.weight_decay * p
        b1, b2 = self.betas
        t = state["step"] = state.get("step", 0) + 1
        m = state["m"] = b1 * state.get("m", 0) + (1 - b1) * g
        v = state["v"] = b2 * state.get("v", 0) + (1 - b2) * g * g
        scale = np.sqrt(v) / math.sqrt(1 - b2**t) + self.eps
        return p - self.lr / (1 - b1**t) * (m / scale)
