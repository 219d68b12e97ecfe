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

from minigrad.dtypes import number_type
from minigrad.graph import context

DTYPES = ("float16", "bfloat16")


@contextmanager
def autocast(dtype: str) -> Iterator[None]:
    """Inside this block, products take their inputs rounded to `dtype`, "float16" or "bfloat16".

    Raises ValueError for another dtype, RuntimeError where bfloat16 is not installed.
    """
    if dtype not in DTYPES:
        raise ValueError(f"autocast: dtype must be 'float16' or 'bfloat16', got {dtype!r}")
    before, context.autocast = context.autocast, number_type(dtype)
    try:
        yield
    finally:
        context.autocast = before
