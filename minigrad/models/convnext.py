"""ConvNeXt: a ResNet that was brought up to the year 2022, choice by choice.

Its idea was that what vision transformers do better is mostly in their details: patches at the
beginning, one wide depthwise convolution per block in the place of attention, a bottleneck turned
inside out, layer normalisation and GELU, few of each; then convolutions are as good (Liu et al., "A
ConvNet for the 2020s", CVPR 2022, section 2, figures 2 and 4, appendix A.1).
"""

import numpy as np

from minigrad import nn, ops
from minigrad.engine import Tensor
from minigrad.models.layers import StochasticDepth, draw_weights
from minigrad.models.pretrained import builder

_BLOCKS, _CHANNELS = (3, 3, 9, 3), (96, 192, 384, 768)


class Permute(nn.Module):
    """x with its axes in the order `dims`."""

    def __init__(self, *dims: int) -> None:
        self.dims = dims

    def forward(self, x: Tensor) -> Tensor:
        return ops.permute(x, self.dims)


class LayerNorm2d(nn.LayerNorm):
    """`LayerNorm` over the channels of each pixel.  x (N, C, H, W) -> the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, input: Tensor) -> Tensor:
        return ops.permute(super().forward(ops.permute(input, (0, 2, 3, 1))), (0, 3, 1, 2))


class Block(nn.Module):
    """y = x + layer_scale branch(x), with stochastic depth of probability p in the branch: a 7x7
    convolution of each channel for itself, layer normalisation, and two linear layers per pixel.

    x (N, C, H, W) -> y (N, C, H, W)
    """

    def __init__(self, c: int, p: float) -> None:
        self.layer_scale = nn.Parameter(np.full((c, 1, 1), 1e-6, np.float32))
        self.block = nn.Sequential(
            nn.Conv2d(c, c, 7, padding=3, groups=c), Permute(0, 2, 3, 1), nn.LayerNorm(c, eps=1e-6),
            nn.Linear(c, 4 * c), nn.GELU(), nn.Linear(4 * c, c), Permute(0, 3, 1, 2))
        self.stochastic_depth = StochasticDepth(p)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.stochastic_depth(self.layer_scale * self.block(x))


@builder()
def convnext_tiny(num_classes: int, stochastic_depth_prob: float = 0.1) -> nn.Sequential:
    """ConvNeXt-Tiny: 28 589 128 parameters with 1000 classes; the last layer is "classifier.2".

    x (N, 3, H, W), H and W 32 or more -> one score per class, (N, num_classes). num_classes None:
    1000, or as many as the file of the weights has. weights: None for fresh ones, a file, or
    "imagenet"; `minigrad.models.pretrained` lists other forms and the errors.
    stochastic_depth_prob: the probability of skipping the last block in training; at the first one
    it is 0, and it grows evenly between.
    """
    features: list[nn.Module] = []
    last = sum(_BLOCKS) - 1
    rates = iter(stochastic_depth_prob * i / last for i in range(last + 1))
    c_in = 3
    for count, c in zip(_BLOCKS, _CHANNELS):
        features.append(nn.Sequential(LayerNorm2d(c_in), nn.Conv2d(c_in, c, 2, 2)) if features else
                        nn.Sequential(nn.Conv2d(3, c, 4, 4), LayerNorm2d(c)))
        features.append(nn.Sequential(*(Block(c, next(rates)) for _ in range(count))))
        c_in = c
    model = nn.Sequential({
        "features": nn.Sequential(*features), "avgpool": nn.AdaptiveAvgPool2d(1),
        "classifier": nn.Sequential(LayerNorm2d(c_in), nn.Flatten(), nn.Linear(c_in, num_classes))})
    # torchvision cuts the distribution at +-2, a hundred deviations away.
    draw_weights(model, *2 * [lambda weight: nn.init.normal_(weight, 0, 0.02)])
    return model
