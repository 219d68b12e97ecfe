"""What the convolutional families share: blocks of layers, and how their weights are drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from minigrad import nn, ops
from minigrad.backend import array_module
from minigrad.engine import Tensor

_M = TypeVar("_M", bound=nn.Module)


def conv_norm(c_in: int, c_out: int, kernel_size: int = 3, stride: int = 1, groups: int = 1, *,
              activation: Callable[[], nn.Module] | None = nn.ReLU,
              norm: Callable[[int], nn.Module] = nn.BatchNorm2d) -> nn.Sequential:
    """Convolution without bias, normalisation, and an activation, or none.

    x (N, c_in, H, W) -> (N, c_out, ceil(H/stride), ceil(W/stride)), for an odd kernel_size.
    """
    conv = nn.Conv2d(c_in, c_out, kernel_size, stride, kernel_size // 2, groups=groups, bias=False)
    return nn.Sequential(conv, norm(c_out), *([] if activation is None else [activation()]))


def features_and_classifier(features: Iterable[nn.Module], *classifier: nn.Module,
                            pooled: int | tuple[int, int] = 1) -> nn.Sequential:
    """Layers for images, the mean of each map (or `pooled` means of it), and linear layers."""
    return nn.Sequential({
        "features": nn.Sequential(*features), "avgpool": nn.AdaptiveAvgPool2d(pooled),
        "flatten": nn.Flatten(), "classifier": nn.Sequential(*classifier)})


class SqueezeExcitation(nn.Module):
    """y = x s with s = gate(fc2(activation(fc1(mean of each map)))): what all channels hold weighs
    each of them. `squeeze` is the number of units between fc1 and fc2.

    x (N, C, H, W) -> y of the same shape. Hu et al., CVPR 2018, section 3, figure 1.
    """

    def __init__(self, channels: int, squeeze: int, activation: Callable[[], nn.Module],
                 gate: Callable[[], nn.Module]) -> None:
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1, self.fc2 = nn.Conv2d(channels, squeeze, 1), nn.Conv2d(squeeze, channels, 1)
        self.activation, self.scale_activation = activation(), gate()

    def forward(self, x: Tensor) -> Tensor:
        s = self.activation(self.fc1(self.avgpool(x)))                          # (N, squeeze, 1, 1)
        return x * self.scale_activation(self.fc2(s))


def inverted_residual(c_in: int, expanded: int, c_out: int, kernel_size: int, stride: int,
                      squeeze: nn.Module | None = None, *, activation: Callable[[], nn.Module],
                      norm: Callable[[int], nn.Module] = nn.BatchNorm2d) -> list[nn.Module]:
    """1x1 convolution to `expanded` channels (unless there are so many), one of each channel for
    itself, `squeeze` if it is given, and 1x1 to `c_out` channels without an activation.

    x (N, c_in, H, W) -> (N, c_out, ceil(H/stride), ceil(W/stride)). Sandler et al., "MobileNetV2",
    CVPR 2018, table 1.
    """
    layer = partial(conv_norm, activation=activation, norm=norm)
    return [*([] if expanded == c_in else [layer(c_in, expanded, 1)]),
            layer(expanded, expanded, kernel_size, stride, expanded),
            *([] if squeeze is None else [squeeze]), layer(expanded, c_out, 1, activation=None)]


class Residual(nn.Module):
    """y = x + block(x) with stochastic depth of probability p in the branch; y = block(x) if not
    `has_shortcut`, because the shapes differ. name: that of the block in files of weights.
    """

    def __init__(self, block: nn.Module, has_shortcut: bool, p: float = 0.0,
                 name: str = "block") -> None:
        setattr(self, name, block)
        self.stochastic_depth, self.has_shortcut, self.name = StochasticDepth(p), has_shortcut, name

    def forward(self, x: Tensor) -> Tensor:
        y = getattr(self, self.name)(x)
        return x + self.stochastic_depth(y) if self.has_shortcut else y


class StochasticDepth(nn.Dropout):
    """In training, each example's x is zeroed with probability p, and others grow by 1 / (1 - p);
    the identity in evaluation. It stands at the end of a branch beside a shortcut.

    x (N, ...) -> y of the same shape. Huang et al., ECCV 2016, section 3, in the form that leaves
    evaluation untouched. Raises ValueError for p outside [0, 1].
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or not self.p:
            return input
        one_each = (len(input.data), *[1] * (input.ndim - 1))
        ones = array_module(input.data).ones(one_each, input.dtype)
        return input * ops.dropout(Tensor(ones), self.p)


def fan_out_(weight: Tensor) -> Tensor:
    """`nn.init.kaiming_normal_` with fan_out and the gain of relu."""
    return nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")


def small_(weight: Tensor) -> Tensor:
    """`nn.init.normal_` with a deviation of 0.01."""
    return nn.init.normal_(weight, 0, 0.01)


def draw_weights(model: _M, conv: Callable[[Tensor], Tensor] = fan_out_,
                 linear: Callable[[Tensor], Tensor] | None = None) -> _M:
    """Do `conv` to the weight of each convolution and `linear` to that of each linear layer, unless
    it is None; all biases of both become 0. Returns the model.
    """
    for _, layer in model.named_modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            draw = conv if isinstance(layer, nn.Conv2d) else linear
            if draw is not None:
                draw(layer.weight)
            if layer.bias is not None:
                nn.init.constant_(layer.bias, 0)
    return model
