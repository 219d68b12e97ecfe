"""Figures over a whole data set, added up batch by batch, and the interval around an accuracy.

    metric = Accuracy()
    metric.update(output, target)       # once per batch
    metric.compute()
    wilson(161, 193)                    # (low, high)

`fit` and `evaluate` take {name: class} and make an object of their own for every model and data
set, so one model's counts cannot run on into the next one's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Integral
from statistics import NormalDist

import numpy as np

from minigrad.backend import array_module, device_of, on_gpu, to_device
from minigrad.ops import cross_entropy
from minigrad.tensor import Tensor


class Metric:
    """Base class: a subclass starts at zero in `__init__`, and writes `update` and `compute`.

    Its attributes are what a checkpoint in the middle of an epoch keeps of it: numbers, texts,
    arrays of NumPy and CuPy, None, and lists, tuples and dicts of them. Functions, such as a loss,
    are no counts and left out. A subclass whose figure is more than one number says so by
    `single = False`: it cannot be watched.
    """

    total, single = 0, True

    def update(self, output: Tensor, target: np.ndarray) -> None:
        """Count one batch: output (N, C) of the model, target (N,) classes."""
        raise NotImplementedError(f"{type(self).__name__} does not define update")

    def compute(self):
        """The figure over all samples so far. Raises ValueError if there were none."""
        raise NotImplementedError(f"{type(self).__name__} does not define compute")

    def state_dict(self) -> dict:
        """{attribute: its value, as a checkpoint can have it}. Raises TypeError naming one that
        cannot be saved."""
        return {name: _saved(value, f"{type(self).__name__}.{name}")
                for name, value in vars(self).items() if not callable(value)}

    def load_state_dict(self, state: Mapping) -> None:
        vars(self).update({name: _loaded(value) for name, value in state.items()})

    def _mean(self, total):
        if not self.total:
            raise ValueError(f"{type(self).__name__}: there were no samples")
        return total / self.total


class Accuracy(Metric):
    """correct / total, where a sample is correct if its target has the (first) largest output."""

    def __init__(self):
        self.correct = self.total = 0

    def update(self, output, target):
        predicted, target = predicted_classes(output, target)
        self.correct += int((predicted == target).sum())
        self.total += len(target)

    def compute(self) -> float:
        return self._mean(self.correct)


class TopK(Metric):
    """The share of samples whose target is among the `k` largest outputs, as torch.topk has them;
    of equal outputs the first is the larger one, so that k = 1 is `Accuracy`.

    Its entry in `metrics` is a function: {"top5": lambda: TopK(5)}. Raises ValueError for a k below
    1, for one above the number of the model's outputs, and for a target that is no class.
    """

    def __init__(self, k: int):
        if not isinstance(k, Integral) or k < 1:
            raise ValueError(f"TopK: k must be a positive integer, got {k!r}")
        self.k, self.correct, self.total = int(k), 0, 0

    def update(self, output, target):
        check_shapes(output, target)
        output = output.data if isinstance(output, Tensor) else output
        xp, classes = array_module(output), output.shape[1]
        if self.k > classes:
            raise ValueError(f"TopK({self.k}): the model has {classes} outputs only")
        target = to_device(target, device_of(output))
        if len(target) and not 0 <= target.min() <= target.max() < classes:
            raise ValueError(f"TopK({self.k}): there are targets from {target.min()} to "
                             f"{target.max()}, but classes are 0 to {classes - 1}")
        own = output[xp.arange(len(target)), target][:, None]
        ahead = (output > own) | ((output == own) & (xp.arange(classes) < target[:, None]))
        self.correct += int((ahead.sum(1) < self.k).sum())
        self.total += len(target)

    def compute(self) -> float:
        return self._mean(self.correct)


class MeanLoss(Metric):
    """The mean over samples of `loss(output, target)`, which is the mean over a batch.

    A batch counts with its number of samples, so a smaller last one does not weigh too much.
    """

    def __init__(self, loss: Callable = cross_entropy):
        self.loss, self.sum, self.total = loss, 0.0, 0

    def update(self, output, target):
        self.add(float(self.loss(output, target)), len(target))

    def add(self, mean: float, samples: int) -> None:
        """Count a batch whose mean is known."""
        self.sum += mean * samples
        self.total += samples

    def compute(self) -> float:
        return self._mean(self.sum)


def check_shapes(output, target) -> None:
    """ValueError unless they are an output (N, classes) and a target (N,)."""
    if output.ndim != 2 or output.shape[:1] != target.shape:
        raise ValueError(f"metric: output (N, classes) and target (N,) are needed, got shapes "
                         f"{output.shape} and {target.shape}")


def predicted_classes(output, target):
    """(the class of the largest output, the target) of each sample, as NumPy arrays (N,)."""
    check_shapes(output, target)
    output = output.data if isinstance(output, Tensor) else output
    return to_device(output.argmax(1), "cpu"), to_device(target, "cpu")


def _saved(value, where):
    """A value that `_loaded` makes again; what a checkpoint has no word for is {"$kind": ...}."""
    if isinstance(value, (np.number, np.bool_)):        # before float, which np.float64 is too
        return {"$scalar": np.asarray(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.ndarray):
        return value
    if on_gpu(value):
        return {"$cuda": to_device(value, "cpu")}
    if type(value) is list:
        return [_saved(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if type(value) is tuple:
        return {"$tuple": _saved(list(value), where)}
    if type(value) is dict and all(isinstance(key, str) for key in value):
        return {key: _saved(item, f"{where}[{key!r}]") for key, item in value.items()}
    raise TypeError(f"metric: {where} is a {type(value).__name__}, which a checkpoint cannot hold; "
                    "count in numbers, arrays, or lists, tuples and dicts (by text) of them")


def _loaded(value):
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, list):
        return [_loaded(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = next(iter(value), None)
    if kind == "$scalar":
        return value[kind][()]
    if kind == "$cuda":
        return to_device(value[kind], "cuda")
    if kind == "$tuple":
        return tuple(_loaded(value[kind]))
    return {key: _loaded(item) for key, item in value.items()}


def fresh(metrics: Mapping[str, Callable[[], Metric]]) -> dict[str, Metric]:
    """{name: a new object}. Raises TypeError for an entry that makes no Metric."""
    made = {}
    for name, make in metrics.items():
        if not callable(make):
            raise TypeError(f"metric {name!r}: pass a class or a function that makes one, not a "
                            f"{type(make).__name__}, which would carry its counts along")
        made[name] = make()
        if not isinstance(made[name], Metric):
            raise TypeError(f"metric {name!r}: a {type(made[name]).__name__} is no Metric")
    return made


def computed(metrics: Mapping[str, Metric]) -> dict:
    return {name: metric.compute() for name, metric in metrics.items()}


def wilson(correct: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """(low, high): the interval of an accuracy of which correct / total was seen.

    The p with |correct/total - p| <= z sqrt(p (1-p) / total), z the (1 + level)/2 quantile of the
    normal distribution (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927, p. 209). It stays within [0, 1]
    and has a width at 0 and at total, too. Raises ValueError for counts that cannot be, and for a
    level outside (0, 1).
    """
    if not 0 <= correct <= total or total < 1:
        raise ValueError(f"wilson: {correct} right of {total} cannot be")
    if not 0 < level < 1:
        raise ValueError(f"wilson: level must lie between 0 and 1, got {level}")
    z = NormalDist().inv_cdf((1 + level) / 2)
    p = correct / total
    middle = p + z * z / (2 * total)
    half = z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    low = 0.0 if correct == 0 else (middle - half) / scale      # exactly; rounding would miss it
    high = 1.0 if correct == total else (middle + half) / scale
    return low, high
