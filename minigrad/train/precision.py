"""The precisions that `fit` and `evaluate` compute in. Parameters and optimizer stay float32.

    "float32"   as the tensors are; on a GPU also as `set_float32_matmul_precision` says
    "tf32"      float32, with products on a GPU in TF32: 10 bits of mantissa instead of 23
    "bf16"      products take and give bfloat16 (see `autocast`)
    "fp16"      products take and give float16, and the loss is scaled (see `GradScaler`)
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from minigrad import backend
from minigrad.autocast import autocast
from minigrad.dtypes import is_half, number_type
from minigrad.engine import Tensor
from minigrad.nn import Module
from minigrad.optim import GradScaler

PRECISIONS = {"float32": None, "tf32": None, "bf16": "bfloat16", "fp16": "float16"}
LEAST_SCALE = 1.0   # gradients that overflow without being scaled do so for a reason of their own


def check_precision(name: str, precision: str) -> None:
    """ValueError for an unknown precision, RuntimeError for one that is not installed."""
    if precision not in PRECISIONS:
        raise ValueError(f"{name}: precision must be one of {', '.join(PRECISIONS)}, "
                         f"got {precision!r}")
    number_type(PRECISIONS[precision] or "float32")


def make_scaler(precision: str) -> GradScaler | None:
    """What scales the loss, if this precision needs it."""
    return GradScaler() if precision == "fp16" else None


def predict(model: Module, x: Tensor, precision: str) -> Tensor:
    """model(x) in this precision; what is computed from it later is computed in float32."""
    dtype = PRECISIONS[precision]
    with autocast(dtype) if dtype else nullcontext():
        y = model(x)
    return y.to("float32") if is_half(y) else y


@contextmanager
def products(precision: str) -> Iterator[None]:
    """Inside this block, float32 products on a GPU are as `precision` says."""
    if precision != "tf32":
        yield
        return
    usual = backend.get_float32_matmul_precision()
    backend.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        backend.set_float32_matmul_precision(usual)
