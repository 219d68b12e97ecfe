"""Batch normalisation layers: weight, bias, and running statistics as plain arrays."""

import numpy as np

from minigrad import ops
from minigrad.arguments import integer, plain
from minigrad.engine import Tensor
from minigrad.nn.module import Module, Parameter, unusual


class _BatchNorm(Module):
    """What `BatchNorm1d` and `BatchNorm2d` share: all but the axes of the input."""

    axes: tuple[int, ...] = ()  # the numbers of axes that the input may have
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
        self.weight = Parameter(np.ones(n, np.float32)) if affine else None
        self.bias = Parameter(np.zeros(n, np.float32)) if affine and bias else None
        self.register_buffer("running_mean", np.zeros(n, np.float32) if tracked else None)
        self.register_buffer("running_var", np.ones(n, np.float32) if tracked else None)
        self.register_buffer("num_batches_tracked", np.zeros((), np.int64) if tracked else None)

    def forward(self, input: Tensor, relu: bool = False) -> Tensor:
        """The normalised input; with `relu`, a ReLU of that in the same op, for which
        `minigrad.nn.fuse` asks."""
        if input.ndim not in self.axes or input.shape[1] != self.num_features:
            raise ValueError(f"{type(self).__name__}({self.num_features}): input of shape "
                             f"{input.shape} needs {' or '.join(map(str, self.axes))} axes, and "
                             f"{self.num_features} channels in the second")
        momentum = self.momentum
        if momentum is None and self.num_batches_tracked is not None:
            momentum = 1 / (int(self.num_batches_tracked) + 1)
        y = ops.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias,
                           self.training or self.running_mean is None, momentum, self.eps, relu)
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
        return y

    def extra_repr(self) -> str:
        return ", ".join([f"{self.num_features}, eps={self.eps}, momentum={self.momentum}",
                          *unusual(self, affine=True, track_running_stats=True),
                          *(["bias=False"] if self.affine and self.bias is None else [])])


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
