"""Loss scaling, so that small gradients do not vanish in float16; torch.amp.GradScaler's way."""

from __future__ import annotations

import math

import numpy as np

from minigrad.kernels import optim_cuda

_LARGEST = float(np.finfo(np.float32).max)


class GradScaler:
    """Multiplies the loss by a number, and the gradients by its inverse before they are used.

        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)      # before clipping; without clipping not needed
        scaler.step(optimizer)          # skipped if a gradient holds NaN or infinity
        scaler.update()

    After a skipped step the scale is multiplied by `backoff_factor`, after `growth_interval` steps
    in a row that were made by `growth_factor`, unless that is more than float32 holds. Micikevicius
    et al., "Mixed precision training", ICLR 2018, section 3.2; the constants are torch's.
    """

    def __init__(self, init_scale=2.0**16, growth_factor=2.0, backoff_factor=0.5,
                 growth_interval=2000):
        if not (init_scale > 0 and growth_factor > 1 > backoff_factor > 0 and growth_interval > 0):
            raise ValueError(
                "GradScaler: needs init_scale > 0, growth_factor > 1, 0 < backoff_factor < 1 and "
                f"growth_interval > 0, got {init_scale}, {growth_factor}, {backoff_factor}, "
                f"{growth_interval}")
        self._scale, self._growth_tracker = float(init_scale), 0
        self.growth_factor, self.backoff_factor = growth_factor, backoff_factor
        self.growth_interval = growth_interval
        self._finite = None     # whether the gradients are; None before they are unscaled

    def get_scale(self):
        """The number that the loss is multiplied by."""
        return self._scale

    def scale(self, loss):
        """loss times the scale."""
        return loss * self._scale

    def unscale_(self, optimizer):
        """Divide the gradients of the optimizer's parameters by the scale, in place.

        Raises RuntimeError if that was done already since the last `update`.
        """
        if self._finite is not None:
            raise RuntimeError("GradScaler.unscale_: called a second time since the last update()")
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"]
                     if p.grad is not None]
        on_gpu = [g.data for g in gradients if g.device == "cuda"]
        optim_cuda.scale(on_gpu, 1 / self._scale)
        self._finite = math.isfinite(optim_cuda.norm(on_gpu, math.inf))
        for g in gradients:
            if g.device == "cpu":
                g.data *= 1 / self._scale
                self._finite = self._finite and bool(np.isfinite(g.data).all())
            g.counter()[0] += 1

    def step(self, optimizer):
        """optimizer.step(), and True; or False without it, if a gradient was not finite."""
        if self._finite is None:
            self.unscale_(optimizer)
        if self._finite:
            optimizer.step()
        return self._finite

    def update(self):
        """Adapt the scale to what became of the step. Raises RuntimeError if there was none."""
        if self._finite is None:
            raise RuntimeError("GradScaler.update: called without a step before it")
        if not self._finite:
            self._scale, self._growth_tracker = self._scale * self.backoff_factor, 0
        else:
            self._growth_tracker += 1
            if self._growth_tracker == self.growth_interval:
                self._growth_tracker = 0
                if self._scale * self.growth_factor <= _LARGEST:
                    self._scale *= self.growth_factor
        self._finite = None

    def state_dict(self):
        """Scale, constants and the number of steps since the scale last changed, as torch's."""
        return {"scale": self._scale, "growth_factor": self.growth_factor,
                "backoff_factor": self.backoff_factor, "growth_interval": self.growth_interval,
                "_growth_tracker": self._growth_tracker}

    def load_state_dict(self, state):
        """Go on where `state_dict` was taken."""
        self._scale, self._growth_tracker = state["scale"], state["_growth_tracker"]
        for name in ("growth_factor", "backoff_factor", "growth_interval"):
            setattr(self, name, state[name])
