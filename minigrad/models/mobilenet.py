"""MobileNets: networks for telephones, of convolutions that see one channel each.

The idea of V2 was the inverted residual: the shortcut joins thin layers, between them a 1x1
convolution widens to six times the channels, each is filtered for itself, and a 1x1 convolution
without an activation makes them thin again (Sandler et al., "MobileNetV2: inverted residuals and
linear bottlenecks", CVPR 2018, sections 3 and 4, table 2). V3 brought a search for the sizes of all
layers by measured time, squeeze-and-excitation, and hardswish, a swish made of cheap operations
(Howard et al., "Searching for MobileNetV3", ICCV 2019, sections 4 and 5, tables 1 and 2).
"""

from functools import partial

from minigrad import nn
from minigrad.models.layers import (Residual, SqueezeExcitation, conv_norm, draw_weights,
                                    features_and_classifier, inverted_residual, small_)
from minigrad.models.pretrained import builder

# Of V2, for each stage: expansion, channels, blocks, stride of the first.
_V2 = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
       (6, 320, 1, 1))
# Of V3, for each block: kernel size, expanded channels, channels, squeeze-and-excitation (0 or 1),
# stride.
_Rows = tuple[tuple[int, int, int, int, int], ...]
_LARGE: _Rows = (
    (3, 16, 16, 0, 1), (3, 64, 24, 0, 2), (3, 72, 24, 0, 1), (5, 72, 40, 1, 2), (5, 120, 40, 1, 1),
    (5, 120, 40, 1, 1), (3, 240, 80, 0, 2), (3, 200, 80, 0, 1), (3, 184, 80, 0, 1),
    (3, 184, 80, 0, 1), (3, 480, 112, 1, 1), (3, 672, 112, 1, 1), (5, 672, 160, 1, 2),
    (5, 960, 160, 1, 1), (5, 960, 160, 1, 1))
_SMALL: _Rows = (
    (3, 16, 16, 1, 2), (3, 72, 24, 0, 2), (3, 88, 24, 0, 1), (5, 96, 40, 1, 2), (5, 240, 40, 1, 1),
    (5, 240, 40, 1, 1), (5, 120, 48, 1, 1), (5, 144, 48, 1, 1), (5, 288, 96, 1, 2),
    (5, 576, 96, 1, 1), (5, 576, 96, 1, 1))


def _v3(rows: _Rows, first_hard: int, units: int, num_classes: int,
        dropout: float) -> nn.Sequential:
    """The blocks of the table, with hardswish from number first_hard on, and two linear layers with
    so many units between."""
    norm = partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)
    features: list[nn.Module] = [conv_norm(3, 16, 3, 2, activation=nn.Hardswish, norm=norm)]
    c_in = 16
    for i, (size, expanded, c_out, squeezes, stride) in enumerate(rows):
        squeeze = SqueezeExcitation(expanded, _multiple_of_8(expanded // 4), nn.ReLU,
                                    nn.Hardsigmoid) if squeezes else None
        block = inverted_residual(c_in, expanded, c_out, size, stride, squeeze, norm=norm,
                                  activation=nn.ReLU if i < first_hard else nn.Hardswish)
        features.append(Residual(nn.Sequential(*block), stride == 1 and c_in == c_out))
        c_in = c_out
    features.append(conv_norm(c_in, 6 * c_in, 1, activation=nn.Hardswish, norm=norm))
    return draw_weights(features_and_classifier(
        features, nn.Linear(6 * c_in, units), nn.Hardswish(), nn.Dropout(dropout),
        nn.Linear(units, num_classes)), linear=small_)


def _multiple_of_8(channels: int) -> int:
    """The nearest multiple of 8, from 8 on, that is not below nine tenths of the number."""
    nearest = max(8, (channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


@builder()
def mobilenet_v2(num_classes: int, dropout: float = 0.2) -> nn.Sequential:
    """MobileNetV2: 3 504 872 parameters with 1000 classes; the last layer is "classifier.1".

    x (N, 3, H, W) -> one score per class, (N, num_classes). num_classes None: 1000, or as many as
    the file of the weights has. weights: None for fresh ones, a file, or "imagenet";
    `minigrad.models.pretrained` lists other forms and the errors. dropout: the probability of the
    dropout before the last layer.
    """
    features: list[nn.Module] = [conv_norm(3, 32, 3, 2, activation=nn.ReLU6)]
    c_in = 32
    for expansion, c_out, count, first in _V2:
        for stride in (first, *[1] * (count - 1)):
            *inner, last = inverted_residual(c_in, c_in * expansion, c_out, 3, stride,
                                             activation=nn.ReLU6)
            block = nn.Sequential(*inner, *last.children())
            features.append(Residual(block, stride == 1 and c_in == c_out, name="conv"))
            c_in = c_out
    features.append(conv_norm(c_in, 1280, 1, activation=nn.ReLU6))
    return draw_weights(features_and_classifier(
        features, nn.Dropout(dropout), nn.Linear(1280, num_classes)), linear=small_)


@builder()
def mobilenet_v3_large(num_classes: int, dropout: float = 0.2) -> nn.Sequential:
    """MobileNetV3-Large: 5 483 032 parameters; the last layer is "classifier.3".

    See `mobilenet_v2`.
    """
    return _v3(_LARGE, 6, 1280, num_classes, dropout)


@builder()
def mobilenet_v3_small(num_classes: int, dropout: float = 0.2) -> nn.Sequential:
    """MobileNetV3-Small: 2 542 856 parameters; the last layer is "classifier.3".

    See `mobilenet_v2`.
    """
    return _v3(_SMALL, 3, 1024, num_classes, dropout)
