"""Every op: functions that take Tensors and give Tensors, or take arrays and give arrays.

Letters, the same in all of minigrad's ops and kernels:
    x, w, b, y          input, weight, bias, output; gx, gw, gb, gy are dL/dx, dL/dw, dL/db, dL/dy
    N, C, O             batch, input channels, output channels
    H, W, oh, ow        height and width of the input and of the output
    kh kw sh sw ph pw   a window's height and width, its strides, the padding
                        (packed in a `minigrad.kernels.window.Window`)

The imports below are the registry: a function listed here is public, and the tests demand a line in
their own table for each. The tables at the end give Tensor its methods and operators.
"""

from __future__ import annotations

import numpy as np

from minigrad.ops.activation import (leaky_relu, log_softmax, relu, sigmoid, softmax, softplus,
                                     tanh)
from minigrad.ops.adaptive import adaptive_avg_pool2d, adaptive_max_pool2d
from minigrad.ops.arithmetic import (abs, add, clip, cos, div, exp, expm1, log, log1p, maximum,
                                     minimum, mul, neg, pow, sin, sqrt, sub, where)
from minigrad.ops.compare import (eq, ge, gt, le, logical_and, logical_not, logical_or, lt, ne,
                                  sign)
from minigrad.ops.conv import conv2d, conv_transpose2d
from minigrad.ops.dropout import dropout, dropout2d
from minigrad.ops.linear import linear, matmul
from minigrad.ops.loss import (binary_cross_entropy_with_logits, cross_entropy, mse_loss, nll_loss)
from minigrad.ops.norm import batch_norm
from minigrad.ops.pool import avg_pool2d, max_pool2d, upsample_nearest2d
from minigrad.ops.reduce import (amax, amin, argmax, argmin, logsumexp, max, mean, min, sum, var)
from minigrad.ops.shape import (cast, clone, concatenate, expand, flatten, getitem, pad, permute,
                                reshape, squeeze, stack, sum_to, to, transpose, unsqueeze)
from minigrad.tensor import Tensor

REGISTRY = {name: f for name, f in list(globals().items())
            if getattr(f, "__module__", "").startswith("minigrad.ops.")}
cat, clamp = concatenate, clip  # PyTorch has both names of each
__all__ = [*REGISTRY, "cat", "clamp"]

METHODS = (abs, amax, amin, argmax, argmin, clip, clone, cos, exp, expand, expm1, flatten, log,
           log1p, log_softmax, logsumexp, matmul, max, maximum, mean, min, minimum, permute, pow,
           relu, reshape, sigmoid, sign, sin, softmax, sqrt, squeeze, sum, tanh, to, transpose,
           unsqueeze, var)

OPERATORS = {"add": add, "sub": sub, "mul": mul, "truediv": div, "pow": pow, "matmul": matmul,
             "and": logical_and, "or": logical_or}

COMPARISONS = {"eq": eq, "ne": ne, "lt": lt, "le": le, "gt": gt, "ge": ge}


def _reflected(f):
    return lambda self, other: f(other, self)


def _in_place(f):
    def changed(self, other):
        y = f(self.detach(), other)
        if not np.can_cast(y.dtype, self.dtype, "same_kind"):
            raise TypeError(f"in-place {f.__name__}: the result is {y.dtype}, which does not fit "
                            f"into a Tensor of {self.dtype}")
        return self.copy_(y)
    return changed


for _f in METHODS:
    setattr(Tensor, _f.__name__, _f)
Tensor.clamp = clamp
for _name, _f in OPERATORS.items():
    setattr(Tensor, f"__{_name}__", _f)
    setattr(Tensor, f"__r{_name}__", _reflected(_f))
    setattr(Tensor, f"__i{_name}__", _in_place(_f))
for _name, _f in COMPARISONS.items():
    setattr(Tensor, f"__{_name}__", _f)
Tensor.__neg__, Tensor.__abs__, Tensor.__invert__ = neg, abs, logical_not
Tensor.__getitem__ = getitem
Tensor.__iter__ = lambda self: (self[i] for i in range(len(self)))
Tensor.__hash__ = object.__hash__  # by identity, although == compares elements
Tensor.T = property(lambda self: permute(self, tuple(range(self.ndim))[::-1]))
