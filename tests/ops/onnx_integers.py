"""ONNX's operators on quantised numbers; see tests/ops/onnx_operators.py."""

import minigrad as mg
from tests.ops.onnx_moves import DTYPES, unless

LIMITS = {"uint8": (0, 255), "int8": (-128, 127), "uint16": (0, 65535), "int16": (-32768, 32767)}


def beside(scale, x, axis, block_size):
    """A scale or zero point for each place of an axis or for each block, to broadcast beside x."""
    if block_size:
        return mg.repeat_interleave(scale, block_size, axis)
    if scale.ndim == 0 or scale.numel() == 1:
        return mg.reshape(scale, ())
    return mg.reshape(scale, (-1, *(1 for _ in x.shape[axis:][1:])))


def saturated(x, dtype):
    unless(dtype in LIMITS, "a dtype that minigrad does not have")
    return mg.cast(mg.clip(x, *LIMITS[dtype]), dtype)


def quantize(x, scale, zero_point=None, axis=1, block_size=0, output_dtype=0, precision=0,
             saturate=1):
    unless(not precision, "a division of another precision")
    unless(not output_dtype or output_dtype in DTYPES, "a dtype that minigrad does not have")
    dtype = DTYPES[output_dtype or 2] if zero_point is None else zero_point.dtype.name
    y = mg.round(mg.div(x, beside(scale, x, axis, block_size)))
    if zero_point is not None:
        y = mg.add(y, beside(zero_point, x, axis, block_size))
    return saturated(y, dtype)


def dequantize(x, scale, zero_point=None, axis=1, block_size=0, output_dtype=0):
    unless(not output_dtype, "a dtype other than that of the scale")
    y = mg.cast(x, "int32")
    if zero_point is not None:
        y = mg.sub(y, beside(mg.cast(zero_point, "int32"), x, axis, block_size))
    return mg.mul(mg.cast(y, scale.dtype), beside(scale, x, axis, block_size))


def shifted(x, zero_point):
    """x - zero_point in 32 bits, the zero point one for each row of x where it is not a number."""
    x = mg.cast(x, "int32")
    return x if zero_point is None else mg.sub(x, mg.cast(zero_point, "int32"))


def matmul_integer(a, b, a_zero_point=None, b_zero_point=None):
    if a_zero_point is not None and a_zero_point.ndim == 1:
        a_zero_point = mg.unsqueeze(a_zero_point, -1)
    return mg.matmul(shifted(a, a_zero_point), shifted(b, b_zero_point))


def quantized_matmul(a, a_scale, a_zero_point, b, b_scale, b_zero_point, y_scale, y_zero_point):
    y = matmul_integer(a, b, a_zero_point, b_zero_point)
    scale = mg.div(mg.mul(a_scale, b_scale), y_scale)
    y = mg.round(mg.mul(mg.cast(y, scale.dtype), scale))
    return saturated(mg.add(y, y_zero_point), y_zero_point.dtype.name)


INTEGERS = {
    "QuantizeLinear": quantize, "DequantizeLinear": dequantize, "MatMulInteger": matmul_integer,
    "QLinearMatMul": quantized_matmul,
}
