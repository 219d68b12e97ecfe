"""Adam and AdamW, as in torch.optim."""

import numpy as np

from minigrad.kernels.optim import cpu as kernel
from minigrad.optim.optimizer import Group, Item, Params, Standard, State

Betas = tuple[float, float]


class Adam(Standard):
    """m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;  p -= lr m/(1-b1^t) / (sqrt(v/(1-b2^t)) + eps).

    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1;
    weight decay is added to the gradient, or decoupled from it as AdamW says. amsgrad: v is the
    largest so far in the last formula (Reddi, Kale and Kumar, "On the convergence of Adam and
    beyond", ICLR 2018, algorithm 2). maximize: uphill instead, with -g for g.
    """

    def __init__(self, params: Params, lr: float = 1e-3, betas: Betas = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0.0, amsgrad: bool = False, *,
                 maximize: bool = False, decoupled_weight_decay: bool = False,
                 **chosen: bool | None) -> None:
        super().__init__(params, locals())

    def update_together(self, items: list[Item], group: Group) -> None:
        kernel.adam(items, group)

    def update(self, p: np.ndarray, g: np.ndarray, state: State, group: Group) -> None:
        kernel.adam([(p, g, state)], group)


class AdamW(Adam):
    """Adam after p -= lr wd p: the decay is decoupled from the gradient and its moments.

    Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2.
    """

    def __init__(self, params: Params, lr: float = 1e-3, betas: Betas = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0.01, amsgrad: bool = False, *,
                 maximize: bool = False, **chosen: bool | None) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize,
                         decoupled_weight_decay=True, **chosen)
