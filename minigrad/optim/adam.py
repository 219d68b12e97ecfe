"""Adam and AdamW, as in torch.optim."""

from __future__ import annotations

import math

import numpy as np

from minigrad.kernels import optim_cuda
from minigrad.optim.optimizer import Optimizer, blocks


class Adam(Optimizer):
    """m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;  p -= lr m/(1-b1^t) / (sqrt(v/(1-b2^t)) + eps).

    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1;
    weight decay is added to the gradient, or decoupled from it as AdamW says.
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0,
                 decoupled_weight_decay=False):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps,
                                  "weight_decay": weight_decay,
                                  "decoupled_weight_decay": decoupled_weight_decay})

    def check(self, group):
        super().check(group)
        b1, b2 = group["betas"]
        self.check_ranges(beta1=(b1, 0, 1), beta2=(b2, 0, 1), eps=(group["eps"], 0, None),
                          weight_decay=(group["weight_decay"], 0, None))

    update_together = staticmethod(optim_cuda.adam)

    def update(self, p, g, state, group):
        lr, (b1, b2), decay = group["lr"], group["betas"], group["weight_decay"]
        if not state:
            state.update(step=0, exp_avg=np.zeros_like(p), exp_avg_sq=np.zeros_like(p))
        t = state["step"] = state["step"] + 1
        rate, root = lr / (1 - b1**t), math.sqrt(1 - b2**t)
        for p, g, m, v in blocks(p, g, state["exp_avg"], state["exp_avg_sq"]):
            if group["decoupled_weight_decay"]:
                p *= 1 - lr * decay
            elif decay:
                g = g + decay * p
            m *= b1
            m += (1 - b1) * g
            v *= b2
            v += (1 - b2) * (g * g)
            p -= rate * (m / (np.sqrt(v) / root + group["eps"]))


class AdamW(Adam):
    """Adam after p -= lr wd p: the decay is decoupled from the gradient and its moments.

    Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2.
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(params, lr, betas, eps, weight_decay, decoupled_weight_decay=True)
