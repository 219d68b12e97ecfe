"""The same network in torch, with the same parameters.

ReLUs work in place there, as in torchvision's networks. What is left to chance in training, dropout
aside, is left out: EfficientNet's twin skips no blocks, and so is one in evaluation only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import minigrad as mg
from minigrad.models.efficientnet import LiteBlock, SameConv2d
from minigrad.models.resnet import BasicBlock, Bottleneck, ResNet
from minigrad.nn import (AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Dropout, Flatten, Linear,
                         MaxPool2d, Module, ReLU, ReLU6)


def twin(torch: Any, net: Module, shape: Sequence[int]) -> Any:
    """`net` in torch, for images of that `shape`, (N, C, H, W); both are left in evaluation.

    RuntimeError if its outputs differ from those of `net`.
    """
    with torch.no_grad(), mg.no_grad():
        other = _layer(torch.nn, net).eval()
        for theirs, ours in zip(other.parameters(), net.parameters(), strict=True):
            theirs.copy_(torch.from_numpy(ours.data))
        x = np.random.default_rng(0).standard_normal((2, *shape[1:])).astype(np.float32)
        theirs, ours = other(torch.tensor(x)).numpy(), net.eval()(mg.Tensor(x)).data
    if abs(theirs - ours).max() > 1e-3 * abs(ours).max():
        raise RuntimeError(f"the twin of {type(net).__name__} in torch computes something else")
    return other


def _layer(nn, module):
    """torch's layer for one of ours, in the order of its parameters."""
    if isinstance(module, LiteBlock):
        return _lite_block(nn, module)
    layers = [_layer(nn, child) for _, child in module.named_children()]
    if isinstance(module, Conv2d):
        settings = dict(groups=module.groups, bias=module.bias is not None)
        sizes = *module.channels, tuple(module.weight.shape[2:]), module.stride
        if isinstance(module, SameConv2d):
            return _same_convolution(nn, *sizes, **settings)
        return nn.Conv2d(*sizes, module.padding, **settings)
    if isinstance(module, Linear):
        return nn.Linear(*module.weight.shape[::-1])
    if isinstance(module, BatchNorm2d):
        return nn.BatchNorm2d(len(module.weight), module.eps)
    if isinstance(module, MaxPool2d):
        return nn.MaxPool2d(module.kernel_size, module.stride, module.padding)
    if isinstance(module, Dropout):
        return nn.Dropout(module.p)
    if isinstance(module, ResNet):
        return nn.Sequential(*layers[:2], nn.ReLU(inplace=True), *layers[2:])
    if isinstance(module, (BasicBlock, Bottleneck)):
        shortcut = nn.Identity() if module.downsample is None else layers.pop()
        return _residual(nn, _with(layers, lambda: nn.ReLU(inplace=True))[:-1], shortcut,
                         nn.ReLU(inplace=True))
    if layers:
        return nn.Sequential(*layers)
    return {ReLU: lambda: nn.ReLU(inplace=True), ReLU6: lambda: nn.ReLU6(inplace=True),
            Flatten: nn.Flatten, AdaptiveAvgPool2d: lambda: nn.AdaptiveAvgPool2d(1)}[type(module)]()


def _lite_block(nn, block):
    layers = [_layer(nn, child) for _, child in block.named_children()
              if isinstance(child, (SameConv2d, BatchNorm2d))]
    layers = _with(layers, lambda: nn.ReLU6(inplace=True))[:-1]
    if not block.has_shortcut:
        return nn.Sequential(*layers)
    return _residual(nn, layers, nn.Identity(), nn.Identity())


def _with(layers, activation):
    """An activation behind each pair of layers, a convolution and its batch normalisation."""
    return [part for i in range(0, len(layers), 2) for part in (*layers[i:i + 2], activation())]


def _residual(nn, layers, shortcut, activation):
    """activation(shortcut(x) + layers(x))"""
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(*layers)
            self.shortcut, self.activation = shortcut, activation

        def forward(self, x):
            return self.activation(self.shortcut(x) + self.layers(x))

    return Residual()


def _same_convolution(nn, c_in, c_out, kernel_size, stride, **settings):
    """Padded as `SameConv2d` does: an odd pixel is below and to the right."""
    class Same(nn.Conv2d):
        def forward(self, x):
            k, s = kernel_size[0], stride
            total = [max((-(-n // s) - 1) * s + k - n, 0) for n in x.shape[2:]]
            odd_h, odd_w = (n % 2 for n in total)
            if odd_h or odd_w:
                x = nn.functional.pad(x, (0, odd_w, 0, odd_h))
            return nn.functional.conv2d(x, self.weight, self.bias, s,
                                        (total[0] // 2, total[1] // 2), 1, self.groups)

    return Same(c_in, c_out, kernel_size, stride, **settings)
