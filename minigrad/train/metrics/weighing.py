"""What a loss divides by, which is how much its batch weighs among others.

The mean over several batches equals that of one big batch only if each batch counts with what its
own mean divides by. For cross entropy that is the sum of the class weights of the samples that are
not ignored.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.backend import device_of, to_device
from minigrad.dtypes import kind
from minigrad.engine import data_of
from minigrad.nn import CrossEntropyLoss, NLLLoss
from minigrad.ops import cross_entropy, nll_loss


def denominator(loss: Callable, target: np.ndarray) -> float:
    """What `loss`, a mean over a batch with these targets, divides by.

    For `cross_entropy`, `nll_loss`, a `functools.partial` of one, and their modules, it is the sum
    of the weights of the targets that are not ignored; for a loss with a method of this name, what
    that returns; for any other, the number of samples.
    """
    own, target = getattr(loss, "denominator", None), data_of(target)
    if own is not None:
        return float(own(target))
    function, options = _options(loss)
    if function not in (cross_entropy, nll_loss):
        return float(len(target))
    if kind(target.dtype) == "f":            # probabilities (N, C, ...)
        return target.size / target.shape[1]
    keep = target[target != options.get("ignore_index", -100)]
    weight = options.get("weight")
    if weight is None:
        return float(keep.size)
    weight = data_of(weight) if hasattr(weight, "dtype") else np.asarray(weight)
    return float(to_device(weight, device_of(keep))[keep].sum(dtype=np.float64))


def shares(loss: Callable, targets: list) -> list[float]:
    """How much each batch's loss counts in that of all of them: 1 for sums, which are added."""
    if is_sum(loss):
        return [1.0] * len(targets)
    parts = [denominator(loss, target) for target in targets]
    return [part / sum(parts) if part else 0.0 for part in parts]


def is_sum(loss: Callable) -> bool:
    """Whether the loss is known to be the sum over a batch instead of the mean."""
    return _options(loss)[1].get("reduction", getattr(loss, "reduction", "mean")) == "sum"


def ignored_target(loss: Callable | None) -> int | None:
    """The target that `loss` leaves out, if it says so; None if not, as for plain `cross_entropy`:
    where nobody has chosen such a target, a label of -100 is taken for a mistake."""
    return _options(loss)[1].get("ignore_index")


def _options(loss: Any) -> tuple[Any, dict[str, Any]]:
    """The function that computes the loss, and the options that its module or `functools.partial`
    passes to it."""
    if isinstance(loss, (CrossEntropyLoss, NLLLoss)):
        return cross_entropy, {"weight": loss.weight, "ignore_index": loss.ignore_index}
    options: dict[str, Any] = {}
    while isinstance(loss, functools.partial):
        loss, options = loss.func, {**loss.keywords, **options}
    return loss, options
