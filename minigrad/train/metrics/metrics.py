"""Figures over a whole data set, added up batch by batch, and the interval around an accuracy.

    metric = Accuracy()
    metric.update(output, target)       # once per batch
    metric.compute()
    wilson(161, 193)                    # (low, high)

`fit` and `evaluate` take {name: class} and make an object of their own for every model and data
set, so one model's counts cannot run on into the next one's.
"""

import math
from collections.abc import Callable, Mapping
from statistics import NormalDist
from typing import Any

import numpy as np

from minigrad.arguments import integer
from minigrad.backend import array_module, device_of, on_gpu, to_device
from minigrad.engine import Tensor, data_of
from minigrad.ops import cross_entropy
from minigrad.train.metrics.weighing import denominator, is_sum


class Metric:
    """Base class: a subclass starts at zero in `__init__`, and writes `update` and `compute`.

    Its attributes are what a checkpoint in the middle of an epoch keeps of it: numbers, texts,
    arrays of NumPy and CuPy, None, and lists, tuples and dicts of them. Functions, such as a loss,
    are no counts and left out. A subclass whose figure is more than one number says so by
    `single = False`: it cannot be watched.
    """

    total: float = 0
    single = True

    def update(self, output: Tensor, target: np.ndarray) -> None:
        """Count one batch: output (N, C) of the model, target (N,) classes."""
        raise NotImplementedError(f"{type(self).__name__} does not define update")

    def compute(self) -> float | np.ndarray:
        """The figure over all samples so far. Raises ValueError if there were none."""
        raise NotImplementedError(f"{type(self).__name__} does not define compute")

    def state_dict(self) -> dict:
        """{attribute: its value, as a checkpoint can have it}. Raises TypeError naming one that
        cannot be saved."""
        return {name: _to_checkpoint(value, f"{type(self).__name__}.{name}")
                for name, value in vars(self).items() if not callable(value)}

    def load_state_dict(self, state: Mapping) -> None:
        """Go on counting where `state_dict` was taken."""
        vars(self).update({name: _from_checkpoint(value) for name, value in state.items()})

    def _mean(self, total: float) -> float:
        if not self.total:
            raise ValueError(f"{type(self).__name__}: there were no samples")
        return total / self.total


class Accuracy(Metric):
    """correct / total, where a sample is correct if its target has the (first) largest output.

    Samples with the target `ignore_index` are not counted; its default is that of the losses.
    """

    def __init__(self, ignore_index: int = -100) -> None:
        self.correct = self.total = 0
        self.ignore_index = ignore_index

    def update(self, output: Tensor | np.ndarray, target: np.ndarray) -> None:
        predicted, target = predicted_classes(output, target, self.ignore_index)
        self.correct += int((predicted == target).sum())
        self.total += len(target)

    def compute(self) -> float:
        return self._mean(self.correct)


class TopK(Accuracy):
    """The share of samples whose target is among the `k` largest outputs, as torch.topk has them.

    Of equal outputs the first counts as the larger one, so that k = 1 is `Accuracy`. Samples with
    the target `ignore_index` are not counted.

    Its entry in `metrics` is a function: {"top5": lambda: TopK(5)}. Raises ValueError for a k below
    1, for one above the number of the model's outputs, and for a target that is no class.
    """

    def __init__(self, k: int, ignore_index: int = -100) -> None:
        self.k = integer("TopK", "k", k)
        super().__init__(ignore_index)

    def update(self, output: Tensor | np.ndarray, target: np.ndarray) -> None:
        check_shapes(output, target)
        scores = data_of(output)
        xp, classes = array_module(scores), scores.shape[1]
        if self.k > classes:
            raise ValueError(f"TopK({self.k}): the model has {classes} outputs only")
        target = to_device(target, device_of(scores))
        keep = target != self.ignore_index
        scores, target = scores[keep], target[keep]
        check_targets(f"TopK({self.k})", target, classes)
        own = scores[xp.arange(len(target)), target][:, None]
        larger = (scores > own) | ((scores == own) & (xp.arange(classes) < target[:, None]))
        self.correct += int((larger.sum(1) < self.k).sum())
        self.total += len(target)


class MeanLoss(Metric):
    """`loss(output, target)`, the mean over a batch, over all batches.

    A batch counts with what its mean divides by (see `denominator`), so that the figure does not
    depend on how the samples fall into batches. It is nan if all targets are ignored. For a loss
    that is a sum, it is that sum divided by the number of samples.
    """

    def __init__(self, loss: Callable = cross_entropy) -> None:
        self.loss, self.sum, self.total, self.batches = loss, 0.0, 0, 0

    def update(self, output: Tensor | np.ndarray, target: np.ndarray) -> None:
        self.add(float(self.loss(output, target)), target)

    def add(self, value: float, target: np.ndarray) -> None:
        """Count a batch whose loss is known."""
        self.batches += 1
        if is_sum(self.loss):
            self.sum += value
            self.total += len(target)
        elif weight := denominator(self.loss, target):
            self.sum += value * weight
            self.total += weight

    def compute(self) -> float:
        return math.nan if self.batches and not self.total else self._mean(self.sum)


def check_shapes(output: Tensor | np.ndarray, target: np.ndarray) -> None:
    """ValueError unless they are an output (N, classes) and a target (N,)."""
    if output.ndim != 2 or output.shape[:1] != target.shape:
        raise ValueError(f"metric: output (N, classes) and target (N,) are needed, got shapes "
                         f"{output.shape} and {target.shape}")


def check_targets(who: str, target: np.ndarray, classes: int) -> None:
    """ValueError unless the numbers in `target` (N,) are those of that many classes."""
    if len(target) and not 0 <= target.min() <= target.max() < classes:
        raise ValueError(f"{who}: there are targets from {target.min()} to {target.max()}, but "
                         f"classes are 0 to {classes - 1}")


def predicted_classes(output: Tensor | np.ndarray, target: np.ndarray,
                      ignore_index: int = -100) -> tuple[np.ndarray, np.ndarray]:
    """(the class of the largest output, the target) of each sample, as NumPy arrays (N,), without
    the samples whose target is `ignore_index`."""
    check_shapes(output, target)
    guesses, target = to_device(data_of(output).argmax(1), "cpu"), to_device(target, "cpu")
    keep = target != ignore_index
    return guesses[keep], target[keep]


def _to_checkpoint(value: Any, where: str) -> object:
    """A value that `_from_checkpoint` makes again; what a checkpoint has no word for is written as
    {"$kind": ...}."""
    if isinstance(value, (np.number, np.bool_)):        # before float, which np.float64 is too
        return {"$scalar": np.asarray(value)}
    if value is None or isinstance(value, (bool, int, float, str, np.ndarray)):
        return value
    if on_gpu(value):
        return {"$cuda": to_device(value, "cpu")}
    if type(value) in (list, tuple):
        items = [_to_checkpoint(item, f"{where}[{i}]") for i, item in enumerate(value)]
        return items if type(value) is list else {"$tuple": items}
    if type(value) is dict and all(isinstance(key, str) for key in value):
        return {key: _to_checkpoint(item, f"{where}[{key!r}]") for key, item in value.items()}
    raise TypeError(f"metric: {where} is a {type(value).__name__}, which a checkpoint cannot hold; "
                    "count in numbers, arrays, or lists, tuples and dicts (by text) of them")


def _from_checkpoint(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, list):
        return [_from_checkpoint(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = next(iter(value), None)
    if kind == "$scalar":
        return value[kind][()]
    if kind == "$cuda":
        return to_device(value[kind], "cuda")
    if kind == "$tuple":
        return tuple(_from_checkpoint(value[kind]))
    return {key: _from_checkpoint(item) for key, item in value.items()}


def new_meters(metrics: Mapping[str, Callable[[], Metric]]) -> dict[str, Metric]:
    """{name: a new object}. Raises TypeError for an entry that makes no Metric."""
    meters = {}
    for name, make in metrics.items():
        if not callable(make):
            raise TypeError(f"metric {name!r}: pass a class or a function that makes one, not a "
                            f"{type(make).__name__}, which would carry its counts along")
        meters[name] = make()
        if not isinstance(meters[name], Metric):
            raise TypeError(f"metric {name!r}: a {type(meters[name]).__name__} is no Metric")
    return meters


def compute_all(metrics: Mapping[str, Metric]) -> dict:
    """{name: figure}. Raises ValueError for a metric that has seen no samples."""
    return {name: metric.compute() for name, metric in metrics.items()}


def wilson(correct: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """(low, high): the confidence interval of an accuracy that was measured as correct / total.

    The p with |correct/total - p| <= z sqrt(p (1-p) / total), z the (1 + level)/2 quantile of the
    normal distribution (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927, p. 209). It stays within [0, 1]
    and has a width even if all or none are correct. Raises ValueError for counts that cannot be,
    and for a level outside (0, 1).
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
