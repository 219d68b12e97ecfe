"""Stochastic gradient descent with momentum, as torch.optim.SGD."""

from __future__ import annotations

from minigrad.optim.optimizer import Optimizer


class SGD(Optimizer):
    """g += wd p;  v = mu v + (1-damp) g (v = g at first);  p -= lr v, or lr (g + mu v) if nesterov.

    Sutskever et al., "On the importance of initialization and momentum", ICML 2013, as in torch:
    weight decay is added to the gradient, dampening does not touch the first step.
    """

    def __init__(self, params, lr=1e-3, momentum=0.0, dampening=0.0, weight_decay=0.0,
                 nesterov=False):
        super().__init__(params, lr)
        self.check(momentum=(momentum, 0, None), weight_decay=(weight_decay, 0, None))
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("SGD: nesterov needs momentum > 0 and dampening = 0, got "
                             f"momentum={momentum}, dampening={dampening}")
        self.momentum, self.dampening = momentum, dampening
        self.weight_decay, self.nesterov = weight_decay, nesterov

    def update(self, p, g, state):
        if self.weight_decay:
            g = g + self.weight_decay * p
        if self.momentum:
            if "velocity" in state:
                v = self.momentum * state["velocity"] + (1 - self.dampening) * g
            else:
                v = g.copy()
            state["velocity"] = v
            g = g + self.momentum * v if self.nesterov else v
        return p - self.lr * g
