"""Stochastic gradient descent with momentum, as torch.optim.SGD."""

from numbers import Real

import numpy as np

from minigrad.arguments import demand
from minigrad.kernels.optim import cpu as kernel
from minigrad.optim.optimizer import Group, Item, Params, Standard, State


class SGD(Standard):
    """g += wd p;  v = mu v + (1-damp) g (v = g at first);  p -= lr v, or lr (g + mu v) if nesterov.

    Sutskever et al., "On the importance of initialization and momentum", ICML 2013, as in torch:
    weight decay is added to the gradient, dampening does not touch the first step. maximize: uphill
    instead, with -g for g.
    """

    def __init__(self, params: Params, lr: float = 1e-3, momentum: float = 0.0,
                 dampening: float = 0.0, weight_decay: float = 0.0, nesterov: bool = False, *,
                 maximize: bool = False, **chosen: bool | None) -> None:
        super().__init__(params, locals())

    def check(self, group: Group) -> None:
        super().check(group)
        momentum, dampening = group["momentum"], group["dampening"]
        if not isinstance(dampening, Real):
            raise TypeError(f"SGD: dampening must be a number, got {dampening!r}")
        demand(not group["nesterov"] or momentum > 0 and dampening == 0, "SGD: nesterov needs "
               f"momentum > 0 and dampening = 0, got momentum={momentum}, dampening={dampening}")

    def update_together(self, items: list[Item], group: Group) -> None:
        kernel.sgd(items, group)

    def update(self, p: np.ndarray, g: np.ndarray, state: State, group: Group) -> None:
        kernel.sgd([(p, g, state)], group)
