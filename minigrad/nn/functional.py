"""The ops under PyTorch's names of functions: what PyTorch's lines give, these give or refuse.

    import minigrad.nn.functional as F
    F.cross_entropy(model(x), y)

They are those of `minigrad.ops`, which has more. Arguments that PyTorch has in addition
(`inplace`, `beta`, ...) raise a TypeError.
"""

from minigrad.hints import module_getattr
from minigrad.ops import (adaptive_avg_pool2d, adaptive_max_pool2d, avg_pool2d, batch_norm,
                          binary_cross_entropy_with_logits, conv2d, conv_transpose2d,
                          cross_entropy, dropout, dropout2d, leaky_relu, linear, log_softmax,
                          max_pool2d, mse_loss, nll_loss, pad, relu, sigmoid, softmax, softplus,
                          tanh)

__all__ = ["adaptive_avg_pool2d", "adaptive_max_pool2d", "avg_pool2d", "batch_norm",
           "binary_cross_entropy_with_logits", "conv2d", "conv_transpose2d", "cross_entropy",
           "dropout", "dropout2d", "leaky_relu", "linear", "log_softmax", "max_pool2d", "mse_loss",
           "nll_loss", "pad", "relu", "sigmoid", "softmax", "softplus", "tanh"]
__getattr__ = module_getattr(__name__)
