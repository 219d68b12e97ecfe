"""Mixed precision: which ops compute on 16-bit numbers, as torch.autocast decides it.

    with mg.autocast("bfloat16"):
        loss = mg.cross_entropy(model(x), target)
    loss.backward()         # outside; gradients of float32 parameters are float32

    matmul, linear, conv2d, conv_transpose2d    take their inputs rounded to the 16-bit type
    losses, softmax, log_softmax                take them in float32, and give float32
    everything else                             takes them as they come

Small gradients vanish in float16, whose least number is 6e-8: scale the loss (`optim.GradScaler`).
"""

from __future__ import annotations

from contextlib import contextmanager

from minigrad.half import number_type
from minigrad.tensor import mode

DTYPES = ("float16", "bfloat16")


@contextmanager
def autocast(dtype):
    """Inside this block, products are of numbers rounded to `dtype`, "float16" or "bfloat16".

    Raises ValueError for another dtype, RuntimeError where bfloat16 is not installed.
    """
    if dtype not in DTYPES:
        raise ValueError(f"autocast: dtype must be 'float16' or 'bfloat16', got {dtype!r}")
    before, mode.autocast = mode.autocast, number_type(dtype)
    try:
        yield
    finally:
        mode.autocast = before
