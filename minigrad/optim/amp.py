"""torch.amp's names: `autocast`, and a GradScaler that takes the device first.

    with amp.autocast("cuda", dtype="float16"):
        loss = model(x).mean()
    scaler = amp.GradScaler("cuda")
"""

from minigrad.autocast import autocast
from minigrad.optim import grad_scaler

__all__ = ["GradScaler", "autocast"]


class GradScaler(grad_scaler.GradScaler):
    """`minigrad.optim.GradScaler` for a device, which changes nothing."""

    def __init__(self, device: str = "cuda", init_scale: float = 2.0**16,
                 growth_factor: float = 2.0, backoff_factor: float = 0.5,
                 growth_interval: int = 2000, enabled: bool = True) -> None:
        super().__init__(init_scale, growth_factor, backoff_factor, growth_interval,
                         enabled=enabled)
