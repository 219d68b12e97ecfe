"""RMSprop, Adagrad, Adadelta, Adamax, NAdam and RAdam, as in torch.optim.

As in Adam, g += wd p first; "decoupled" weight decay is p -= lr wd p instead, as in AdamW. Every
product of arrays is one of elements; t counts the steps.
"""

import math

import numpy as np

from minigrad.optim.adam import Adaptive, Betas
from minigrad.optim.optimizer import Group, Params, State


class RMSprop(Adaptive):
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


class Adagrad(Adaptive):
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


class Adadelta(Adaptive):
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


class Adamax(Adaptive):
    """m = b1 m + (1-b1) g;  u = max(b2 u, |g| + eps);  p -= lr / (1-b1^t) m / u.

    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 2.
    """

    def __init__(self, params: Params, lr: float = 2e-3, betas: Betas = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0.0, *, maximize: bool = False,
                 **chosen: bool | None) -> None:
        super().__init__(params, locals())

    def update(self, p: np.ndarray, g: np.ndarray, state: State, group: Group) -> None:
        g, (b1, b2) = _begin(p, g, state, group, ["exp_avg", "exp_inf"]), group["betas"]
        _average(state["exp_avg"], g, b1)
        largest = np.maximum(b2 * state["exp_inf"], abs(g) + group["eps"], out=state["exp_inf"])
        p -= group["lr"] / (1 - b1**state["step"]) * (state["exp_avg"] / largest)


class NAdam(Adaptive):
    """m, v as Adam's;  p -= lr (c g + c' m) / (sqrt(v / (1-b2^t)) + eps), where
    c = (1-mu_t) / (1 - mu_1 ... mu_t),  c' = mu_(t+1) / (1 - mu_1 ... mu_(t+1)) and
    mu_t = b1 (1 - 0.96^(t momentum_decay) / 2).

    Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016.
    """

    def __init__(self, params: Params, lr: float = 2e-3, betas: Betas = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0.0, momentum_decay: float = 4e-3,
                 decoupled_weight_decay: bool = False, *, maximize: bool = False,
                 **chosen: bool | None) -> None:
        super().__init__(params, locals())

    def update(self, p: np.ndarray, g: np.ndarray, state: State, group: Group) -> None:
        g, (b1, b2) = _begin(p, g, state, group, ["exp_avg", "exp_avg_sq"]), group["betas"]
        t, decay = state["step"], group["momentum_decay"]
        mu, following = (b1 * (1 - 0.5 * 0.96**(n * decay)) for n in (t, t + 1))
        product = float(np.float32(state.get("mu_product", 1.0)) * np.float32(mu))
        state["mu_product"] = product       # a float32 in torch
        _average(state["exp_avg"], g, b1)
        _average(state["exp_avg_sq"], g * g, b2)
        root = np.sqrt(state["exp_avg_sq"] / (1 - b2**t)) + group["eps"]
        p -= group["lr"] * (1 - mu) / (1 - product) * (g / root)
        p -= group["lr"] * following / (1 - product * following) * (state["exp_avg"] / root)


class RAdam(Adaptive):
    """m, v as Adam's, m' = m / (1-b1^t);  p -= lr m' r sqrt(1-b2^t) / (sqrt(v) + eps) with
    r^2 = (q-4) (q-2) s / ((s-4) (s-2) q),  s = 2 / (1-b2) - 1,  q = s - 2 t b2^t / (1-b2^t);
    while q <= 5, p -= lr m'.

    Liu et al., "On the variance of the adaptive learning rate and beyond", ICLR 2020, algorithm 2.
    """

    def __init__(self, params: Params, lr: float = 1e-3, betas: Betas = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0.0,
                 decoupled_weight_decay: bool = False, *, maximize: bool = False,
                 **chosen: bool | None) -> None:
        super().__init__(params, locals())

    def update(self, p: np.ndarray, g: np.ndarray, state: State, group: Group) -> None:
        g, (b1, b2) = _begin(p, g, state, group, ["exp_avg", "exp_avg_sq"]), group["betas"]
        t = state["step"]
        _average(state["exp_avg"], g, b1)
        _average(state["exp_avg_sq"], g * g, b2)
        change = state["exp_avg"] / (1 - b1**t)
        most, rest = 2 / (1 - b2) - 1, 1 - b2**t
        length = most - 2 * t * b2**t / rest
        if length > 5:
            square = (length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length)
            root = np.sqrt(state["exp_avg_sq"]) + group["eps"]
            change = change * (math.sqrt(rest) / root) * math.sqrt(square)
        p -= group["lr"] * change


def _begin(p: np.ndarray, g: np.ndarray, state: State, group: Group, names: list[str],
           value: float = 0.0) -> np.ndarray:
    """Count the step, in a state that begins with arrays of the value; the gradient with p's decay,
    or p decayed where that is decoupled."""
    if not state:
        state.update(step=0, **{name: np.full_like(p, value) for name in names})
    state["step"] += 1
    if group.get("decoupled_weight_decay"):
        p *= 1 - group["lr"] * group["weight_decay"]
        return g
    return g + group["weight_decay"] * p if group["weight_decay"] else g


def _average(mean: np.ndarray, x: np.ndarray, share: float) -> None:
    """mean = share mean + (1-share) x, in place."""
    mean *= share
    mean += (1 - share) * x
