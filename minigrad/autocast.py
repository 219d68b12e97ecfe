"""Mixed precision: which ops compute on 16-bit numbers, by the rules of torch.autocast.

    with mg.autocast("bfloat16"):
        loss = mg.cross_entropy(model(x), target)
    loss.backward()         # outside; gradients of float32 parameters are float32

    matmul, linear, conv2d, conv_transpose2d    take their inputs rounded to the 16-bit type
    losses, softmax, log_softmax                take them in float32, and give float32
    everything else                             takes them as they come

The smallest positive number in float16 is 6e-8, and smaller gradients vanish: scale the loss with
`optim.GradScaler`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from minigrad.dtypes import number_type
from minigrad.graph import context

DTYPES = ("float16", "bfloat16")


@contextmanager
def autocast(device_type: Any = None, dtype: Any = None, enabled: bool = True,
             cache_enabled: bool | None = None) -> Iterator[None]:
    """Inside this block, products take their inputs rounded to `dtype`, float16 or bfloat16.

    It is given alone, or second, as in torch, after the type of the device, which alone stands for
    float16 on "cuda" and bfloat16 on "cpu". enabled: False switches it off inside the block.
    cache_enabled changes nothing.
    Raises ValueError for another dtype, RuntimeError where bfloat16 is not installed.
    """
    if dtype is None:
        dtype = {"cuda": "float16", "cpu": "bfloat16"}.get(device_type, device_type)
    kind = number_type(dtype) if dtype is not None else None
    if kind is None or kind.name not in DTYPES:
        raise ValueError(f"autocast: dtype must be 'float16' or 'bfloat16', got {dtype!r}")
    before, context.autocast = context.autocast, kind if enabled else None
    try:
        yield
    finally:
        context.autocast = before
