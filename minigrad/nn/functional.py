"""Functions under the names that torch.nn.functional has for them.

    import minigrad.nn.functional as F
    F.cross_entropy(model(x), y)

A line of PyTorch's either gives here what it gives there or raises an error: arguments that only
PyTorch has (`inplace`, `beta`, ...) raise TypeError. All of them are ops; `minigrad.ops` has more.
"""

from minigrad.hints import module_getattr
from minigrad.ops import (adaptive_avg_pool2d, adaptive_max_pool2d, avg_pool2d, batch_norm,
                          binary_cross_entropy_with_logits, conv2d, conv_transpose2d,
                          cross_entropy, dropout, dropout2d, leaky_relu, linear, log_softmax,
                          max_pool2d, mse_loss, nll_loss, one_hot, pad, relu, sigmoid, softmax,
                          softplus, tanh)

__all__ = ["adaptive_avg_pool2d", "adaptive_max_pool2d", "avg_pool2d", "batch_norm",
           "binary_cross_entropy_with_logits", "conv2d", "conv_transpose2d", "cross_entropy",
           "dropout", "dropout2d", "leaky_relu", "linear", "log_softmax", "max_pool2d", "mse_loss",
           "nll_loss", "one_hot", "pad", "relu", "sigmoid", "softmax", "softplus", "tanh"]
__getattr__ = module_getattr(__name__)
