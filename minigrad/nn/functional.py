"""Functions under the names that torch.nn.functional has for them.

    import minigrad.nn.functional as F
    F.cross_entropy(model(x), y)

A line of PyTorch's either gives here what it gives there or raises an error: arguments that only
PyTorch has raise TypeError. (`inplace` is accepted; the result lies in new memory all the same.)
All of them are ops; `minigrad.ops` has more.
"""

from minigrad.hints import module_getattr
from minigrad.ops import (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_max_pool1d,
                          adaptive_max_pool2d, avg_pool1d, avg_pool2d, batch_norm,
                          binary_cross_entropy, binary_cross_entropy_with_logits, celu,
                          channel_shuffle, conv1d, conv2d, conv_transpose1d, conv_transpose2d,
                          cosine_similarity, cross_entropy, dropout,
                          dropout1d, dropout2d, dropout3d, elu, embedding, gelu, glu, group_norm,
                          hardshrink, hardsigmoid, hardswish, hardtanh, huber_loss, instance_norm,
                          interpolate, kl_div, l1_loss, layer_norm, leaky_relu, linear,
                          local_response_norm, log_softmax, logsigmoid, max_pool1d, max_pool2d,
                          mish, mse_loss, nll_loss, normalize, one_hot, pad, pairwise_distance,
                          pixel_shuffle, pixel_unshuffle, prelu, relu, relu6, rms_norm,
                          scaled_dot_product_attention, selu, sigmoid, silu, smooth_l1_loss,
                          soft_margin_loss, softmax, softmin, softplus, softshrink, softsign, tanh,
                          tanhshrink, threshold)

__all__ = [name for name, f in globals().items()
           if getattr(f, "__module__", "").startswith("minigrad.ops.")]
__getattr__ = module_getattr(__name__)
