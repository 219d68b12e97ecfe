"""RMSprop, Adagrad and Adadelta, as in torch.optim.

As in Adam, g += wd p first. Every product of arrays is one of elements; t counts the steps.
"""

import math

import numpy as np

from minigrad.optim.optimizer import Group, Params, Standard, State


class RMSprop(Standard):
    """v = a v + (1-a) g^2;  p -= lr g / (sqrt(v) + eps).

    Tieleman and Hinton, Coursera, "Neural networks for machine learning", lecture 6.5, 2012.
    centered: v - m^2 for v in the last formula, m = a m + (1-a) g (Graves, "Generating sequences
    with recurrent neural networks", 2013). momentum mu: b = mu b + g / (sqrt(v) + eps); p -= lr b.
    """

    def __init__(self, params: Params, lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8,
                 weight_decay: float = 0.0, momentum: float = 0.0, centered: bool = False, *,
                 maximize: bool = False, **chosen: bool | None) -> None:
        super().__init__(params, locals())

    def update(self, p: np.ndarray, g: np.ndarray, state: State, group: Group) -> None:
        names = ["square_avg"] + ["momentum_buffer"] * (group["momentum"] > 0) + (
            ["grad_avg"] * bool(group["centered"]))
        g, v = _begin(p, g, state, group, names), state["square_avg"]
        _average(v, g * g, group["alpha"])
        if group["centered"]:
            _average(state["grad_avg"], g, group["alpha"])
            v = v - state["grad_avg"] * state["grad_avg"]
        g = g / (np.sqrt(v) + group["eps"])
        if group["momentum"] > 0:
            state["momentum_buffer"] *= group["momentum"]
            state["momentum_buffer"] += g
            g = state["momentum_buffer"]
        p -= group["lr"] * g


class Adagrad(Standard):
    """v += g^2;  p -= lr / (1 + (t-1) lr_decay) g / (sqrt(v) + eps), v at first the given value.

    Duchi, Hazan and Singer, "Adaptive subgradient methods", JMLR 12, 2011.
    """

    def __init__(self, params: Params, lr: float = 1e-2, lr_decay: float = 0.0,
                 weight_decay: float = 0.0, initial_accumulator_value: float = 0.0,
                 eps: float = 1e-10, *, maximize: bool = False, **chosen: bool | None) -> None:
        super().__init__(params, locals())

    def update(self, p: np.ndarray, g: np.ndarray, state: State, group: Group) -> None:
        g = _begin(p, g, state, group, ["sum"], group["initial_accumulator_value"])
        state["sum"] += g * g
        rate = group["lr"] / (1 + (state["step"] - 1) * group["lr_decay"])
        p -= rate * (g / (np.sqrt(state["sum"]) + group["eps"]))


class Adadelta(Standard):
    """v = r v + (1-r) g^2;  d = sqrt(u + eps) / sqrt(v + eps) g;  u = r u + (1-r) d^2;  p -= lr d.

    Zeiler, "ADADELTA: an adaptive learning rate method", 2012, algorithm 1; r is rho.
    """

    def __init__(self, params: Params, lr: float = 1.0, rho: float = 0.9, eps: float = 1e-6,
                 weight_decay: float = 0.0, *, maximize: bool = False,
                 **chosen: bool | None) -> None:
        super().__init__(params, locals())

    def check(self, group: Group) -> None:
        super().check(group)
        self.check_ranges(rho=(group["rho"], 0, math.nextafter(1, 2)))      # 1 itself is legal

    def update(self, p: np.ndarray, g: np.ndarray, state: State, group: Group) -> None:
        g, eps = _begin(p, g, state, group, ["square_avg", "acc_delta"]), group["eps"]
        _average(state["square_avg"], g * g, group["rho"])
        g = np.sqrt(state["acc_delta"] + eps) / np.sqrt(state["square_avg"] + eps) * g
        _average(state["acc_delta"], g * g, group["rho"])
        p -= group["lr"] * g


def _begin(p: np.ndarray, g: np.ndarray, state: State, group: Group, names: list[str],
           value: float = 0.0) -> np.ndarray:
    """Count the step, in a state that begins with arrays of the value; the gradient with p's decay.
    """
    if not state:
        state.update(step=0, **{name: np.full_like(p, value) for name in names})
    state["step"] += 1
    return g + group["weight_decay"] * p if group["weight_decay"] else g


def _average(mean: np.ndarray, x: np.ndarray, share: float) -> None:
    """mean = share mean + (1-share) x, in place."""
    mean *= share
    mean += (1 - share) * x
