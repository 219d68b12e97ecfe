"""Every op: functions that take Tensors and give Tensors, or take arrays and give arrays.

Letters, the same in all of minigrad's ops and kernels:
    x, w, b, y          input, weight, bias, output; gx, gw, gb, gy are dL/dx, dL/dw, dL/db, dL/dy
    N, C, O             batch, input channels, output channels
    H, W, oh, ow        height and width of the input and of the output
    kh kw sh sw ph pw   a window's height and width, its strides, the padding
                        (packed in a `minigrad.kernels.runtime.window.Window`)

The imports below are the registry: a function listed here is public, and the tests demand a line in
their own table for each. The tables at the end give Tensor its methods and operators.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from minigrad.engine import Tensor
from minigrad.ops import in_place
from minigrad.ops.activation import (gelu, glu, leaky_relu, log_softmax, logsigmoid, mish, relu,
                                     sigmoid, silu, softmax, softmin, softplus, softsign, tanh,
                                     tanhshrink)
from minigrad.ops.arithmetic import (abs, add, cos, div, exp, expm1, log, log1p, mul, neg, pow,
                                     sign, sin, sqrt, sub)
from minigrad.ops.arrays.elements import erf
from minigrad.ops.arrays.piecewise import (celu, elu, hardshrink, hardsigmoid, hardswish, hardtanh,
                                           prelu, relu6, selu, softshrink, threshold)
from minigrad.ops.compare import (bitwise_and, bitwise_left_shift, bitwise_not, bitwise_or,
                                  bitwise_right_shift, bitwise_xor, eq, ge, gt, le, logical_and,
                                  logical_not, logical_or, lt, ne)
from minigrad.ops.conv import conv2d, conv_transpose2d
from minigrad.ops.images.lines import (adaptive_avg_pool1d, adaptive_max_pool1d, avg_pool1d, conv1d,
                                       conv_transpose1d, max_pool1d)
from minigrad.ops.images.resize import interpolate
from minigrad.ops.images.windows import (channel_shuffle, fold, pixel_shuffle, pixel_unshuffle,
                                         unfold)
from minigrad.ops.linear import linear, matmul
from minigrad.ops.loss import binary_cross_entropy_with_logits, cross_entropy, mse_loss, nll_loss
from minigrad.ops.norm import (batch_norm, group_norm, instance_norm, layer_norm,
                               local_response_norm, normalize, rms_norm)
from minigrad.ops.pad import pad
from minigrad.ops.pool import (adaptive_avg_pool2d, adaptive_max_pool2d, avg_pool2d, max_pool2d,
                               upsample_nearest2d)
from minigrad.ops.reduce import amax, amin, argmax, argmin, logsumexp, max, mean, min, sum, var
from minigrad.ops.select import (alpha_dropout, clip, dropout, dropout1d, dropout2d, dropout3d,
                                 maximum, minimum, where)
from minigrad.ops.sequence.attention import scaled_dot_product_attention
from minigrad.ops.sequence.embedding import embedding
from minigrad.ops.shape import (cast, clone, concatenate, expand, flatten, getitem, permute,
                                reshape, squeeze, stack, sum_to, to, transpose, unsqueeze)

REGISTRY = {name: f for name, f in list(globals().items())
            if getattr(f, "__module__", "").startswith("minigrad.ops.")}
cat, clamp = concatenate, clip  # PyTorch has both names of each
if not TYPE_CHECKING:  # a type checker cannot run this; to it, every name above is public
    __all__ = [*REGISTRY, "cat", "clamp"]

METHODS = (abs, amax, amin, argmax, argmin, clip, clone, cos, erf, exp, expand, expm1, flatten, log,
           log1p, log_softmax, logsumexp, matmul, max, maximum, mean, min, minimum, permute, pow,
           relu, reshape, sigmoid, sign, sin, softmax, sqrt, squeeze, sum, tanh, to, transpose,
           unsqueeze, var)

OPERATORS = {"add": add, "sub": sub, "mul": mul, "truediv": div, "pow": pow, "matmul": matmul,
             "and": bitwise_and, "or": bitwise_or, "xor": bitwise_xor,
             "lshift": bitwise_left_shift, "rshift": bitwise_right_shift}

COMPARISONS = {"eq": eq, "ne": ne, "lt": lt, "le": le, "gt": gt, "ge": ge}


def _reflected(f: Callable) -> Callable:
    return lambda self, other: f(other, self)


def _unless_none(f: Callable) -> Callable:
    """`x == None` is False, as for other objects, which lets Python compare by identity."""
    return lambda self, other: NotImplemented if other is None else f(self, other)


_attributes: dict[str, Any] = {
    **{f.__name__: f for f in METHODS}, "clamp": clamp,
    "__neg__": neg, "__abs__": abs, "__invert__": bitwise_not, "__getitem__": getitem,
    "__iter__": lambda self: (self[i] for i in range(len(self))),
    "__hash__": object.__hash__,  # by identity, although == compares elements
    "T": property(lambda self: permute(self, tuple(range(self.ndim))[::-1]))}
for _name, _f in OPERATORS.items():
    _attributes |= {f"__{_name}__": _f, f"__r{_name}__": _reflected(_f)}
    if _f is not matmul:  # a @= b is a = a @ b, as in torch
        _attributes[f"__i{_name}__"] = in_place.operator_of(_f)
for _name, _f in COMPARISONS.items():
    _attributes[f"__{_name}__"] = _unless_none(_f) if _f in (eq, ne) else _f
for _name, _f in _attributes.items():
    setattr(Tensor, _name, _f)
