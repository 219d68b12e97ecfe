"""Adam and AdamW, as in torch.optim."""

from typing import Any

import numpy as np

from minigrad.arguments import plain
from minigrad.kernels.optim import cpu as kernel
from minigrad.optim.optimizer import Group, Item, Optimizer, Params, State

Betas = tuple[float, float]
_NOT_NEGATIVE = ("eps", "weight_decay", "momentum", "alpha", "lr_decay",
                 "initial_accumulator_value")


class Adaptive(Optimizer):
    """Base of the optimizers that scale the step of each element by its gradients so far.

    options: those of the constructor, as its `locals()`, which are the defaults of the groups.
    """

    def __init__(self, params: Params, options: dict[str, Any]) -> None:
        super().__init__(params, {name: value for name, value in options.items()
                                  if name not in ("self", "params", "chosen", "__class__")},
                         **options["chosen"])

    def check(self, group: Group) -> None:
        super().check(group)
        if "betas" in group:
            if np.shape(group["betas"]) != (2,):
                raise ValueError(f"{type(self).__name__}: betas must be two numbers, got "
                                 f"{group['betas']!r}")
            b1, b2 = group["betas"] = plain(tuple(group["betas"]))
            self.check_ranges(beta1=(b1, 0, 1), beta2=(b2, 0, 1))
        self.check_ranges(**{name: (group[name], 0) for name in _NOT_NEGATIVE if name in group})


class Adam(Adaptive):
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
