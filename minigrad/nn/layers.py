"""The layers: each holds its parameters and hyper-parameters, and calls one op."""

from __future__ import annotations

import math

import numpy as np

from minigrad import ops
from minigrad.nn import init
from minigrad.nn.module import Module, Parameter


def weight_and_bias(shape, n_bias):
    """torch's default for a weight and a bias of n_bias elements (0: none).

    Both U(-1/sqrt(fan_in), 1/sqrt(fan_in)).
    """
    weight = Parameter(np.empty(shape, np.float32))
    init.kaiming_uniform_(weight, a=math.sqrt(5))
    if not n_bias:
        return weight, None
    bound = 1 / math.sqrt(init.fans(weight)[0])
    return weight, init.uniform_(Parameter(np.empty(n_bias, np.float32)), -bound, bound)


class Linear(Module):
    """y = x w^T + b.  x (..., in_features) -> (..., out_features)."""

    def __init__(self, in_features, out_features, bias=True):
        check_positive("Linear", in_features=in_features, out_features=out_features)
        self.weight, self.bias = weight_and_bias((out_features, in_features),
                                                 out_features if bias else 0)

    def forward(self, x):
        return ops.linear(x, self.weight, self.bias)

    def extra_repr(self):
        out_features, in_features = self.weight.shape
        return f"{in_features}, {out_features}" + (", bias=False" if self.bias is None else "")


class Flatten(Module):
    """(N, ...) -> (N, everything else in one axis)."""

    def forward(self, x):
        return ops.flatten(x, 1)


class Dropout(Module):
    """In training, zero each element with probability p and scale the rest by 1 / (1 - p)."""

    def __init__(self, p=0.5):
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: p must lie in [0, 1], got {p}")
        self.p = p

    def forward(self, x):
        return ops.dropout(x, self.p, self.training)

    def extra_repr(self):
        return f"p={self.p}"


class Dropout2d(Dropout):
    """Dropout of whole channels (Tompson et al., CVPR 2015, section 3.2)."""

    def forward(self, x):
        return ops.dropout2d(x, self.p, self.training)


class Identity(Module):
    """y = x."""

    def forward(self, x):
        return x


class Sigmoid(Module):
    """Logistic function."""

    def forward(self, x):
        return ops.sigmoid(x)


class Tanh(Module):
    """Hyperbolic tangent."""

    def forward(self, x):
        return ops.tanh(x)


class ReLU(Module):
    """max(x, 0)."""

    def forward(self, x):
        return ops.relu(x)


class LeakyReLU(Module):
    """x for x > 0, negative_slope x otherwise."""

    def __init__(self, negative_slope=0.01):
        if not negative_slope >= 0:
            raise ValueError(f"LeakyReLU: negative_slope must be >= 0, got {negative_slope}")
        self.negative_slope = negative_slope

    def forward(self, x):
        return ops.leaky_relu(x, self.negative_slope)

    def extra_repr(self):
        return f"negative_slope={self.negative_slope}"


class Softplus(Module):
    """ln(1 + e^x)."""

    def forward(self, x):
        return ops.softplus(x)


def check_positive(name, **sizes):
    for key, value in sizes.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}: {key} must be a positive integer, got {value!r}")
