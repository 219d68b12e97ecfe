"""Loss scaling, so that small gradients do not vanish in float16; torch.amp.GradScaler's way."""

import math
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from minigrad.arguments import demand, is_integer, plain
from minigrad.dtypes import is_half
from minigrad.engine import Tensor
from minigrad.kernels.optim import cpu as kernel
from minigrad.optim.clip import arrays_by_device, count_changes, gradients
from minigrad.optim.optimizer import Optimizer, trained_tensors

_CONSTANTS = "growth_factor", "backoff_factor", "growth_interval"
Loss = TypeVar("Loss", bound=Any)       # a Tensor, or a list or tuple of them


class GradScaler:
    """Multiplies the loss by a number, and the gradients by its inverse before they are used.

        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)      # before clipping; without clipping not needed
        scaler.step(optimizer)          # skipped if a gradient holds NaN or infinity
        scaler.update()

    Several losses and optimizers may share it: each optimizer's step is skipped for its own
    gradients alone, and one `update` comes after all steps. Then, if any step was skipped, the
    scale is multiplied by `backoff_factor`, and after `growth_interval` updates in a row without
    one by `growth_factor`, unless that is more than float32 holds. If it is not `enabled`, it does
    nothing but to call the optimizer's step. Micikevicius et al., "Mixed
    precision training", ICLR 2018, section 3.2; the constants are torch's.
    """

    def __init__(self, init_scale: float = 2.0**16, growth_factor: float = 2.0,
                 backoff_factor: float = 0.5, growth_interval: int = 2000, *,
                 enabled: bool = True) -> None:
        demand(init_scale > 0 and growth_factor > 1 > backoff_factor > 0
               and is_integer(growth_interval, 1),
               "GradScaler: needs init_scale > 0, growth_factor > 1, 0 < backoff_factor < 1 and "
               f"growth_interval > 0, got {init_scale}, {growth_factor}, {backoff_factor}, "
               f"{growth_interval}")
        self.enabled = enabled
        self._scale, self._growth_tracker = float(init_scale) if enabled else 1.0, 0
        self.growth_factor, self.backoff_factor = float(growth_factor), float(backoff_factor)
        self.growth_interval = plain(growth_interval)
        self._finite: dict[Optimizer, bool] = {}    # whether its gradients, unscaled, are finite
        self._after_step: set[Optimizer] = set()    # those whose `step` was called

    def get_scale(self) -> float:
        """The number that the loss is multiplied by."""
        return self._scale

    def scale(self, loss: Loss) -> Loss:
        """loss times the scale, in float32 if it is one number of 16 bits, which the product may
        not fit into; of a list or tuple of losses, each of them."""
        if not self.enabled:
            return loss
        if isinstance(loss, (list, tuple)):
            return type(loss)(self.scale(one) for one in loss)
        x: Any = loss
        x = x.to("float32") if isinstance(x, Tensor) and not x.ndim and is_half(x) else x
        return x * self._scale

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the gradients of the optimizer's parameters by the scale, in place.

        Raises RuntimeError if that was done already since the last `update`, ValueError for
        gradients in float16, which unscaled would vanish.
        """
        if not self.enabled:
            return
        demand(optimizer not in self._after_step, "GradScaler.unscale_: called after step() of "
               "this optimizer; update() comes first")
        demand(optimizer not in self._finite, "GradScaler.unscale_: called a second time for this "
               "optimizer since the last update()")
        grads = gradients(trained_tensors(optimizer))
        demand(all(grad.dtype != np.float16 for grad in grads), "GradScaler.unscale_: gradients in "
               "float16; keep parameters float32, and compute in float16 under autocast")
        inverse = _in_float32(1 / self._scale) if self._scale else math.inf
        self._finite[optimizer] = all([kernel.unscale(some, inverse)
                                       for some in arrays_by_device(grads)])
        count_changes(grads)

    def step(self, optimizer: Optimizer) -> bool:
        """optimizer.step(), and True; or False without it, if one of its gradients was not finite.

        Raises RuntimeError if it was called for this optimizer since the last `update`.
        """
        if not self.enabled:
            optimizer.step()
            return True
        demand(optimizer not in self._after_step, "GradScaler.step: called a second time for this "
               "optimizer since the last update()")
        if optimizer not in self._finite:
            self.unscale_(optimizer)
        if self._finite[optimizer]:
            optimizer.step()
        self._after_step.add(optimizer)
        return self._finite[optimizer]

    def update(self, new_scale: float | None = None) -> None:
        """Adapt the scale to what became of the steps, or set it to `new_scale`.

        Raises RuntimeError if there were no steps, and no `new_scale`.
        """
        if not self.enabled:
            return
        if new_scale is not None:
            self._scale = float(new_scale)
        elif not self._finite:
            raise RuntimeError("GradScaler.update: called without a step before it")
        elif not all(self._finite.values()):
            self._scale, self._growth_tracker = _in_float32(self._scale * self.backoff_factor), 0
        else:
            self._growth_tracker += 1
            if self._growth_tracker == self.growth_interval:
                self._growth_tracker = 0
                scale = _in_float32(self._scale * self.growth_factor)
                self._scale = scale if math.isfinite(scale) else self._scale
        self._finite, self._after_step = {}, set()

    def state_dict(self) -> dict[str, float]:
        """Scale, constants and the number of steps since the scale last changed, as torch's."""
        return {"scale": self._scale, "_growth_tracker": self._growth_tracker,
                **{name: getattr(self, name) for name in _CONSTANTS}}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Go on where `state_dict` was taken."""
        self._scale, self._growth_tracker = plain(state["scale"]), plain(state["_growth_tracker"])
        for name in _CONSTANTS:
            setattr(self, name, plain(state[name]))


def _in_float32(scale: float) -> float:
    """A scale as float32 has it, infinite if that cannot hold it."""
    with np.errstate(over="ignore"):
        return float(np.float32(scale))
