"""A learning rate that falls when a figure no longer gets better."""

import math
from typing import Any

from minigrad.optim.lr_scheduler.base import (LRScheduler, PerGroup, check_optimizer, number,
                                              per_group)
from minigrad.optim.optimizer import Optimizer


class ReduceLROnPlateau(LRScheduler):
    """lr = max(factor lr, min_lr), after more than `patience` steps in a row with no better figure.

    step(figure): the figure of the epoch, such as the loss in validation. mode: the lower the
    better ("min"), or the higher ("max"). A figure is better by more than `threshold`, a share of
    the best one ("rel"), or as a number ("abs"). After a fall, `cooldown` steps are not counted.
    Changes of no more than eps are left out.
    """

    def __init__(self, optimizer: Optimizer, mode: str = "min", factor: float = 0.1,
                 patience: int = 10, threshold: float = 1e-4, threshold_mode: str = "rel",
                 cooldown: int = 0, min_lr: PerGroup = 0, eps: float = 1e-8) -> None:
        for name, value, known in (("mode", mode, ("min", "max")),
                                   ("threshold_mode", threshold_mode, ("rel", "abs"))):
            if value not in known:
                raise ValueError(f"ReduceLROnPlateau: {name} must be one of {', '.join(known)}, "
                                 f"got {value!r}")
        self.factor, self.patience = number("factor", factor), number("patience", patience)
        self.threshold, self.eps = number("threshold", threshold), number("eps", eps)
        if self.factor >= 1:
            raise ValueError(f"ReduceLROnPlateau: factor must be below 1, got {factor}")
        self.optimizer = check_optimizer(optimizer)
        self.min_lrs = per_group("ReduceLROnPlateau", "min_lr", min_lr, optimizer.param_groups)
        self.mode, self.threshold_mode = mode, threshold_mode
        self.cooldown = number("cooldown", cooldown)
        self.best: float = math.inf if mode == "min" else -math.inf
        self.cooldown_counter: float = 0
        self.num_bad_epochs = self.last_epoch = 0
        self._last_lr = self._rates()

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        current, sign = float(metrics), -1 if self.mode == "min" else 1
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        bound = (self.best * (1 + sign * self.threshold) if self.threshold_mode == "rel"
                 else self.best + sign * self.threshold)
        self.num_bad_epochs += 1
        if sign * current > sign * bound:
            self.best, self.num_bad_epochs = current, 0
        if self.cooldown_counter > 0:
            self.cooldown_counter, self.num_bad_epochs = self.cooldown_counter - 1, 0
        if self.num_bad_epochs > self.patience:
            added = len(self.optimizer.param_groups) - len(self.min_lrs)
            for group, least in zip(self.optimizer.param_groups,
                                    self.min_lrs + self.min_lrs[-1:] * added):
                lr = max(group["lr"] * self.factor, least)
                group["lr"] = lr if group["lr"] - lr > self.eps else group["lr"]
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = self._rates()

    def _resume(self, untouched: bool) -> None:
        pass
