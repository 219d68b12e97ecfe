"""torch.amp's names: `autocast`, and a GradScaler that takes the device first.

    with amp.autocast("cuda", dtype="float16"):
        loss = model(x).mean()
    scaler = amp.GradScaler("cuda")
"""

from typing import Any

from minigrad.autocast import autocast
from minigrad.optim import grad_scaler

__all__ = ["GradScaler", "autocast"]


class GradScaler(grad_scaler.GradScaler):
    """`minigrad.optim.GradScaler` for a device, which changes nothing."""

    def __init__(self, device: str = "cuda", *constants: Any, **options: Any) -> None:
        super().__init__(*constants, **options)
