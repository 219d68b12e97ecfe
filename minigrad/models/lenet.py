"""LeNet-5: the form in use today, and the network of 1998 that it descends from.

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
recognition", Proceedings of the IEEE 86(11), 1998: section II-B has the layers, appendix A the
squashing function and the initial weights. Sizes below are maps@height x width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from minigrad import nn, ops
from minigrad.backend import generator
from minigrad.engine import Tensor
from minigrad.models.pretrained import builder

_M = TypeVar("_M", bound=nn.Module)

# Table I of the paper: the maps of S2 that each map of C3 sees. In this order: every run of three
# neighbours (around the corner too), every run of four, three sets of two pairs, all.
C3_SOURCES = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)


@builder(classes=10, weights_at=2)
def lenet5(num_classes: int, variant: str = "modern") -> LeNet5:
    """LeNet-5 for grey images, x (N, 1, 32, 32) -> one score per class, (N, num_classes).

    variant "modern" (61706 parameters): ReLU, max pooling, every C3 map sees every S2 map, and a
    linear output layer. variant "1998" (60000 trainable parameters): A tanh(S a), trainable
    subsampling, the paper's partial connections, and at the output fixed codes of +-1, 840 numbers
    that are not trained. The highest score wins, and `cross_entropy` trains both. The last layer is
    called "output".

    num_classes (10 if None) and weights: see `minigrad.models.pretrained`. Raises ValueError for
    another variant and, when the network runs, for images of another size.
    """
    builders = {"modern": _modern, "1998": _original}
    if variant not in builders:
        raise ValueError(f"lenet5: variant must be 'modern' or '1998', got {variant!r}")
    return builders[variant](num_classes)


def _modern(num_classes: int) -> LeNet5:
    return LeNet5(
        c1=nn.Conv2d(1, 6, 5), c1_relu=nn.ReLU(),  # 6@28x28
        s2=nn.MaxPool2d(2),  # 6@14x14
        c3=nn.Conv2d(6, 16, 5), c3_relu=nn.ReLU(),  # 16@10x10
        s4=nn.MaxPool2d(2),  # 16@5x5
        c5=nn.Conv2d(16, 120, 5), c5_relu=nn.ReLU(), flat=nn.Flatten(),  # 120@1x1 -> 120
        f6=nn.Linear(120, 84), f6_relu=nn.ReLU(),
        output=nn.Linear(84, num_classes))


def _original(num_classes: int) -> LeNet5:
    return LeNet5(
        c1=_fresh(nn.Conv2d(1, 6, 5), 25), c1_squash=Squash(),  # 6@28x28
        s2=Subsample(6), s2_squash=Squash(),  # 6@14x14
        c3=PartialConv2d(C3_SOURCES, 5), c3_squash=Squash(),  # 16@10x10
        s4=Subsample(16), s4_squash=Squash(),  # 16@5x5
        c5=_fresh(nn.Conv2d(16, 120, 5), 400), c5_squash=Squash(), flat=nn.Flatten(),
        f6=_fresh(nn.Linear(120, 84), 120), f6_squash=Squash(),
        output=Codes(84, num_classes))


class LeNet5(nn.Module):
    """Named layers, run in the order in which they are given.

    x (N, 1, 32, 32) -> what the last layer gives; ValueError for another shape.
    """

    def __init__(self, **layers: nn.Module) -> None:
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x: Tensor) -> Tensor:
        if tuple(x.shape[1:]) != (1, 32, 32):
            raise ValueError(f"lenet5: needs grey images of 32x32, shape (N, 1, 32, 32), got "
                             f"{tuple(x.shape)}; pad 28x28 digits by 2 on each side")
        for _, layer in self.named_children():
            x = layer(x)
        return x


class Squash(nn.Module):
    """f(a) = A tanh(S a) with A = 1.7159, S = 2/3, so that f(1) = 1 and f(-1) = -1 (appendix A)."""

    def forward(self, x: Tensor) -> Tensor:
        return 1.7159 * ops.tanh(2 / 3 * x)


class Subsample(nn.Module):
    """y = w s + b with s the sum of each 2x2 block: one coefficient w and one bias b per map.

    x (N, C, H, W) -> y (N, C, H/2, W/2), for even H and W; weight and bias (C, 1, 1).
    """

    def __init__(self, channels: int) -> None:
        self.weight = nn.Parameter(np.empty((channels, 1, 1), np.float32))
        self.bias = nn.Parameter(np.empty((channels, 1, 1), np.float32))
        _fresh(self, 4)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        blocks = ops.reshape(x, (n, c, h // 2, 2, w // 2, 2))
        return ops.sum(blocks, (3, 5)) * self.weight + self.bias


class PartialConv2d(nn.Module):
    """A convolution in which output map i sees only the input maps sources[i].

    x (N, C, H, W) -> (N, len(sources), H - k + 1, W - k + 1) with k = kernel_size. `weight` holds
    one k x k filter for each connected pair of maps, those of the first output map first.
    """

    def __init__(self, sources: Sequence[Sequence[int]], kernel_size: int) -> None:
        self.sources = sources
        ends = np.cumsum([len(maps) for maps in sources]).tolist()
        self.filters = [slice(start, end) for start, end in zip([0, *ends], ends)]
        k = kernel_size
        self.weight = nn.Parameter(np.concatenate(
            [_draw(k * k * len(maps), (len(maps), k, k)) for maps in sources]))
        self.bias = nn.Parameter(np.concatenate(
            [_draw(k * k * len(maps), (1,)) for maps in sources]))

    def forward(self, x: Tensor) -> Tensor:
        inputs = [x[:, i:i + 1] for i in range(x.shape[1])]
        outputs = [ops.conv2d(ops.concatenate([inputs[j] for j in maps], 1),
                              ops.unsqueeze(self.weight[filters], 0), self.bias[i:i + 1])
                   for i, (maps, filters) in enumerate(zip(self.sources, self.filters))]
        return ops.concatenate(outputs, 1)

    def extra_repr(self) -> str:
        return f"{len(self.weight)} filters for {len(self.sources)} maps"


class Codes(nn.Module):
    """score_i = -sum_j (x_j - code_ij)^2: how near x comes to the code of class i.

    x (N, features) -> (N, num_classes). A score is the negative of the paper's Euclidean radial
    basis unit, so that the nearest class scores highest; the cross entropy of the scores is then
    the paper's criterion (9) without its constant j. The codes are fixed, +1 or -1 with equal
    probability, which the paper allows; its authors used 7x12 bitmaps of stylised characters.
    """

    def __init__(self, features: int, num_classes: int) -> None:
        bits = generator("lenet5 codes").integers(0, 2, (num_classes, features))
        self.codes = nn.Parameter((2 * bits - 1).astype(np.float32), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        d = ops.unsqueeze(x, 1) - self.codes                            # (N, classes, features)
        return -ops.sum(d * d, 2)


def _draw(fan_in: int, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers from U(-2.4/F, 2.4/F) with F = fan_in, the inputs of a unit (appendix A)."""
    return generator("init").uniform(-2.4 / fan_in, 2.4 / fan_in, shape).astype(np.float32)


def _fresh(layer: _M, fan_in: int) -> _M:
    """The layer, with weights and biases that `_draw` has drawn."""
    for p in layer.parameters():
        p.data = _draw(fan_in, p.shape)
    return layer
