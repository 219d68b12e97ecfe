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
from minigrad.ops.arrays import methods
from minigrad.ops.arrays.elements import (acos, acosh, addcdiv, addcmul, asin, asinh, atan, atan2,
                                          atanh, ceil, clamp_max, clamp_min, cosh, erf, exp2, floor,
                                          floor_divide, fmod, frac, lerp, log2, log10, nan_to_num,
                                          reciprocal, remainder, round, rsqrt, sinh, square, tan,
                                          trunc)
from minigrad.ops.arrays.gather import (gather, index_add, index_select, masked_fill, masked_select,
                                        scatter, scatter_add, take, take_along_dim)
from minigrad.ops.arrays.moves import (broadcast_tensors, chunk, diag, diagonal, flip, hstack,
                                       movedim, narrow, repeat, repeat_interleave, roll, select,
                                       split, tile, trace, tril, triu, unbind, vstack)
from minigrad.ops.arrays.order import (argsort, bincount, median, multinomial, one_hot, sort, topk,
                                       unique)
from minigrad.ops.arrays.piecewise import (celu, elu, hardshrink, hardsigmoid, hardswish, hardtanh,
                                           prelu, relu6, selu, softshrink, threshold)
from minigrad.ops.arrays.products import addmm, baddbmm, bmm, dot, einsum, mm, mv, outer, tensordot
from minigrad.ops.arrays.reductions import all, any, count_nonzero, cumprod, cumsum, prod
from minigrad.ops.compare import (allclose, bitwise_and, bitwise_left_shift, bitwise_not,
                                  bitwise_or, bitwise_right_shift, bitwise_xor, eq, equal, ge, gt,
                                  isclose, isfinite, isinf, isnan, le, logical_and, logical_not,
                                  logical_or, logical_xor, lt, ne)
from minigrad.ops.conv import conv2d, conv_transpose2d
from minigrad.ops.images.lines import (adaptive_avg_pool1d, adaptive_max_pool1d, avg_pool1d, conv1d,
                                       conv_transpose1d, max_pool1d)
from minigrad.ops.images.pixels import channel_shuffle, pixel_shuffle, pixel_unshuffle
from minigrad.ops.images.resize import interpolate
from minigrad.ops.linear import linear, matmul
from minigrad.ops.loss.classes import cross_entropy, nll_loss
from minigrad.ops.loss.distances import cosine_similarity, pairwise_distance
from minigrad.ops.loss.elements import (binary_cross_entropy, binary_cross_entropy_with_logits,
                                        huber_loss, kl_div, l1_loss, mse_loss, smooth_l1_loss,
                                        soft_margin_loss)
from minigrad.ops.norm import (batch_norm, group_norm, instance_norm, layer_norm,
                               local_response_norm, normalize, rms_norm)
from minigrad.ops.pad import pad
from minigrad.ops.pool import (adaptive_avg_pool2d, adaptive_max_pool2d, avg_pool2d, max_pool2d,
                               upsample_nearest2d)
from minigrad.ops.reduce import (amax, amin, argmax, argmin, logsumexp, max, mean, min, norm, std,
                                 std_mean, sum, var, var_mean)
from minigrad.ops.select import (clip, dropout, dropout1d, dropout2d, dropout3d, maximum, minimum,
                                 nonzero, where)
from minigrad.ops.sequence.attention import scaled_dot_product_attention
from minigrad.ops.sequence.embedding import embedding
from minigrad.ops.shape import (cast, clone, concatenate, expand, flatten, getitem, permute,
                                reshape, squeeze, stack, sum_to, to, transpose, unsqueeze)

REGISTRY = {name: f for name, f in list(globals().items())
            if getattr(f, "__module__", "").startswith("minigrad.ops.")}
# PyTorch has several names of each of these
cat, clamp, swapaxes, swapdims, ravel = concatenate, clip, transpose, transpose, flatten
divide, multiply, negative, subtract, true_divide = div, mul, neg, sub, div
broadcast_to, moveaxis = expand, movedim  # of which PyTorch takes the shape as one argument
ALIASES = ("broadcast_to cat clamp divide moveaxis multiply negative ravel subtract swapaxes "
           "swapdims true_divide").split()
if not TYPE_CHECKING:  # a type checker cannot run this; to it, every name above is public
    __all__ = [*REGISTRY, *ALIASES]

METHODS: tuple[Callable, ...] = (
    abs, acos, acosh, add, addcdiv, addcmul, addmm, all, allclose, amax, amin, any, argmax, argmin,
    argsort, asin, asinh, atan, atan2, atanh, baddbmm, bincount, bmm, ceil, chunk, clamp_max,
    clamp_min, clip, clone, cos, cosh, count_nonzero, cumprod, cumsum, diag, diagonal, div, dot, eq,
    equal, erf, exp, exp2, expand, expm1, flatten, flip, floor, floor_divide, fmod, frac, gather,
    ge, gt, index_add, index_select, isclose, isfinite, isinf, isnan, le, lerp, log, log10, log1p,
    log2, log_softmax, logical_and, logical_not, logical_or, logical_xor, logsumexp, lt,
    masked_fill, masked_select, matmul, max, maximum, mean, median, min, minimum, mm, movedim, mul,
    multinomial, mv, nan_to_num, narrow, ne, neg, nonzero, norm, outer, permute, pow, prod,
    reciprocal, relu, remainder, repeat, repeat_interleave, reshape, roll, round, rsqrt, scatter,
    scatter_add, select, sigmoid, sign, sin, sinh, softmax, sort, split, sqrt, square, squeeze, std,
    sub, sum, take, take_along_dim, tan, tanh, tile, to, topk, trace, transpose, tril, triu, trunc,
    unbind, unique, unsqueeze, var)

IN_PLACE = """
    abs add addcdiv addcmul addmm ceil clamp clamp_max clamp_min clip cos cumsum div divide erf exp
    expm1 floor floor_divide fmod index_add lerp log log10 log1p log2 masked_fill mul multiply
    nan_to_num neg pow reciprocal relu remainder round rsqrt scatter scatter_add sigmoid sign sin
    sqrt square sub subtract tan tanh tril triu trunc
""".split()  # the names f whose methods f_ change a Tensor in place

OPERATORS = {"add": add, "sub": sub, "mul": mul, "truediv": div, "floordiv": floor_divide,
             "mod": remainder, "pow": pow, "matmul": matmul,
             "and": bitwise_and, "or": bitwise_or, "xor": bitwise_xor,
             "lshift": bitwise_left_shift, "rshift": bitwise_right_shift}

COMPARISONS = {"eq": eq, "ne": ne, "lt": lt, "le": le, "gt": gt, "ge": ge}


def _reflected(f: Callable) -> Callable:
    return lambda self, other: f(other, self)


def _unless_none(f: Callable) -> Callable:
    """`x == None` is False, as for other objects, which lets Python compare by identity."""
    return lambda self, other: NotImplemented if other is None else f(self, other)


_attributes: dict[str, Any] = {
    **{f.__name__: f for f in METHODS}, **methods.ATTRIBUTES,
    **{name: globals()[name] for name in ALIASES if name != "cat"},
    **{f"{name}_": in_place.operator_of(globals()[name]) for name in IN_PLACE},
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
