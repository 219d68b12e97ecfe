"""Normalisation layers: weight, bias, and running statistics as plain arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad import ops
from minigrad.arguments import integer, is_integer, plain
from minigrad.engine import Tensor
from minigrad.nn.layers import OpLayer
from minigrad.nn.module import Module, Parameter, unusual
from minigrad.ops.norm import factor_and_shift


class _BatchNorm(Module):
    """What `BatchNorm1d` and `BatchNorm2d` share: all but the axes of the input."""

    axes: tuple[int, ...] = ()  # the numbers of axes that the input may have
    usual = True    # affine and track_running_stats by default
    running_mean: np.ndarray | None
    running_var: np.ndarray | None
    num_batches_tracked: np.ndarray | None

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1,
                 affine: bool = True, track_running_stats: bool = True, *,
                 bias: bool = True) -> None:
        self.num_features = integer(type(self).__name__, "num_features", num_features)
        self.eps, self.momentum = plain(eps), plain(momentum)
        self.affine, self.track_running_stats = bool(affine), bool(track_running_stats)
        n, tracked = self.num_features, self.track_running_stats
        self.weight, self.bias = _weight_and_bias(n, affine, bias)
        self.register_buffer("running_mean", np.zeros(n, np.float32) if tracked else None)
        self.register_buffer("running_var", np.ones(n, np.float32) if tracked else None)
        self.register_buffer("num_batches_tracked", np.zeros((), np.int64) if tracked else None)

    def forward(self, input: Tensor, relu: int = 0) -> Tensor:
        """The normalised input; with `relu` 1 or 6, the ReLU or ReLU6 of that in the same
        op, for which `minigrad.nn.fuse` asks."""
        self.check(input)
        momentum = self.momentum
        if momentum is None and self.num_batches_tracked is not None:
            momentum = 1 / (int(self.num_batches_tracked) + 1)
        y = ops.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias,
                           self.training or self.running_mean is None, momentum, self.eps, relu)
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
        return y

    def factor_and_shift(self) -> tuple[np.ndarray, np.ndarray]:
        """f and s of evaluation, in which the output is input f + s, as plain arrays (C)."""
        one, zero = np.ones_like(self.running_mean), np.zeros_like(self.running_mean)
        weight, bias = (usual if p is None else p.data for p, usual in (
            (self.weight, one), (self.bias, zero)))
        return factor_and_shift(self.running_mean, self.running_var, weight, bias, self.eps)

    def check(self, input: Tensor) -> None:
        if input.ndim not in self.axes or input.shape[1] != self.num_features:
            raise ValueError(f"{type(self).__name__}({self.num_features}): input of shape "
                             f"{input.shape} needs {' or '.join(map(str, self.axes))} axes, and "
                             f"{self.num_features} channels in the second")

    def extra_repr(self) -> str:
        return ", ".join([f"{self.num_features}, eps={self.eps}, momentum={self.momentum}",
                          *unusual(self, affine=self.usual, track_running_stats=self.usual),
                          *_no_bias(self, self.affine)])


class BatchNorm1d(_BatchNorm):
    """Normalises each channel of x (N, C) or (N, C, L); the shape stays. See `ops.batch_norm`.

    Mean and variance are those of the batch in training, and the running ones in evaluation. The
    running ones start at mean 0 and variance 1, and each training batch moves them by `momentum`
    towards its own; momentum=None makes them the plain mean over all batches so far.

    affine=False: no weight and no bias. bias=False: no bias. track_running_stats=False: no running
    statistics, so that those of the batch are used in evaluation too. Checkpoints hold weight,
    bias, running_mean, running_var and num_batches_tracked.

    Raises ValueError for an input of another shape, and in training for one value per channel.
    """

    axes = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Normalises each channel of images x (N, C, H, W); everything else as in `BatchNorm1d`."""

    axes = (4,)


class _InstanceNorm(_BatchNorm):
    """What `InstanceNorm1d` and `InstanceNorm2d` share. Unlike PyTorch's, the number of channels
    is checked even where there are no parameters."""

    usual = False

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1,
                 affine: bool = False, track_running_stats: bool = False, *,
                 bias: bool = True) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, bias=bias)

    def forward(self, input: Tensor, relu: int = 0) -> Tensor:
        alone = input.ndim == min(self.axes)    # one sample without the axis of the batch
        self.check(input[None] if alone else input)
        y = ops.instance_norm(input[None] if alone else input, self.running_mean, self.running_var,
                              self.weight, self.bias, self.training or self.running_mean is None,
                              self.momentum, self.eps)
        return y[0] if alone else y


class InstanceNorm1d(_InstanceNorm):
    """Normalises each channel of each sample of x (N, C, L) or (C, L). See `ops.instance_norm`.

    By default without weight and bias (`affine`), and with the statistics of the sample even in
    evaluation; track_running_stats=True: with running ones there, as `BatchNorm1d` has them.
    Raises ValueError for an input of another shape, and for one value per channel.
    """

    axes = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Normalises each channel of images (N, C, H, W) or (C, H, W); all else as in `InstanceNorm1d`.
    """

    axes = (3, 4)


class LayerNorm(Module):
    """Normalises the last axes of x, of normalized_shape, a size or several. See `ops.layer_norm`.

    weight and bias have that shape; elementwise_affine=False: neither. bias=False: no bias.
    """

    def __init__(self, normalized_shape: int | Sequence[int], eps: float = 1e-5,
                 elementwise_affine: bool = True, bias: bool = True) -> None:
        shape: Any = plain(normalized_shape)
        self.normalized_shape = shape = (shape,) if is_integer(shape) else tuple(shape)
        self.eps, self.elementwise_affine = plain(eps), bool(elementwise_affine)
        self.weight, self.bias = _weight_and_bias(shape, elementwise_affine, bias)

    def forward(self, input: Tensor) -> Tensor:
        return ops.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return ", ".join([f"{self.normalized_shape}, eps={self.eps}, "
                          f"elementwise_affine={self.elementwise_affine}",
                          *_no_bias(self, self.elementwise_affine and type(self) is LayerNorm)])


class RMSNorm(LayerNorm):
    """Divides x by its root mean square over the last axes, of normalized_shape. See
    `ops.rms_norm`, which says what eps=None means. weight has that shape."""

    def __init__(self, normalized_shape: int | Sequence[int], eps: float | None = None,
                 elementwise_affine: bool = True) -> None:
        super().__init__(normalized_shape, eps, elementwise_affine, False)  # type: ignore[arg-type]

    def forward(self, input: Tensor) -> Tensor:
        return ops.rms_norm(input, self.normalized_shape, self.weight, self.eps)


class GroupNorm(Module):
    """Normalises groups of the channels of x (N, C, ...). See `ops.group_norm`.

    weight and bias (num_channels); affine=False: neither. bias=False: no bias. Raises
    ValueError unless num_groups divides num_channels.
    """

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True,
                 *, bias: bool = True) -> None:
        self.num_groups = integer("GroupNorm", "num_groups", num_groups)
        self.num_channels = integer("GroupNorm", "num_channels", num_channels)
        if num_channels % num_groups:
            raise ValueError(f"GroupNorm: num_groups={num_groups} does not divide "
                             f"num_channels={num_channels}")
        self.eps, self.affine = plain(eps), bool(affine)
        self.weight, self.bias = _weight_and_bias(num_channels, affine, bias)

    def forward(self, input: Tensor) -> Tensor:
        return ops.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return ", ".join([f"{self.num_groups}, {self.num_channels}, eps={self.eps}, "
                          f"affine={self.affine}", *_no_bias(self, self.affine)])


class LocalResponseNorm(OpLayer, op=ops.local_response_norm):
    """Divides x (N, C, ...) by what neighbouring channels have. See `ops.local_response_norm`."""


def _weight_and_bias(shape: Any, affine: bool,
                     bias: bool) -> tuple[Parameter | None, Parameter | None]:
    """Ones and zeros of this shape, or None for either."""
    return (Parameter(np.ones(shape, np.float32)) if affine else None,
            Parameter(np.zeros(shape, np.float32)) if affine and bias else None)


def _no_bias(layer: Any, affine: bool) -> list[str]:
    return ["bias=False"] if affine and layer.bias is None else []
