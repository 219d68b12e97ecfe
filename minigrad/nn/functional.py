"""Functions under the names that torch.nn.functional has for them.

    import minigrad.nn.functional as F
    F.cross_entropy(model(x), y)

A line of PyTorch's either gives here what it gives there or raises an error: arguments that only
PyTorch has raise TypeError. (`inplace` is accepted; the result lies in new memory all the same.)
All of them are ops; `minigrad.ops` has more.
"""

from minigrad.hints import module_getattr
from minigrad.ops import (adaptive_avg_pool2d, adaptive_max_pool2d, avg_pool2d, batch_norm,
                          binary_cross_entropy_with_logits, conv2d, conv_transpose2d,
                          cross_entropy, dropout, dropout2d, leaky_relu, linear, log_softmax,
                          max_pool2d, mse_loss, nll_loss, pad, relu, sigmoid, softmax, softplus,
                          tanh)
from minigrad.ops import (celu, elu, gelu, glu, hardshrink, hardsigmoid, hardswish, hardtanh,
                          logsigmoid, mish, prelu, relu6, selu, silu, softmin, softshrink, softsign,
                          tanhshrink, threshold)
from minigrad.ops import embedding, scaled_dot_product_attention
from minigrad.ops import (group_norm, instance_norm, layer_norm, local_response_norm, normalize,
                          rms_norm)

__all__ = ["adaptive_avg_pool2d", "adaptive_max_pool2d", "avg_pool2d", "batch_norm",
           "binary_cross_entropy_with_logits", "conv2d", "conv_transpose2d", "cross_entropy",
           "dropout", "dropout2d", "leaky_relu", "linear", "log_softmax", "max_pool2d", "mse_loss",
           "nll_loss", "pad", "relu", "sigmoid", "softmax", "softplus", "tanh"]
__all__ += ["celu", "elu", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh",
            "logsigmoid", "mish", "prelu", "relu6", "selu", "silu", "softmin", "softshrink",
            "softsign", "tanhshrink", "threshold"]
__all__ += ["embedding", "scaled_dot_product_attention"]
__all__ += ["group_norm", "instance_norm", "layer_norm", "local_response_norm", "normalize",
            "rms_norm"]
__getattr__ = module_getattr(__name__)
