"""What is taken for what: the confusion matrix, and precision, recall and F1 from its counts.

    fit(..., metrics={"accuracy": Accuracy, "recall": Recall,
                      "f1 of each": lambda: F1(average=None)})

Of class c the matrix has the right ones tp = m[c, c], all that are c in its row, and all that were
taken for c in its column. Precision is tp / column, recall tp / row, and F1 their harmonic mean,
2 tp / (row + column) (C. D. Manning, P. Raghavan and H. Schütze, "Introduction to Information
Retrieval", 2008, section 8.3; the averages: section 13.6).
"""

from collections.abc import Callable

import numpy as np

from minigrad.arguments import integer
from minigrad.engine import Tensor
from minigrad.train.metrics.metrics import Metric, check_shapes, check_targets, predicted_classes

Counts = np.ndarray     # an integer for each class, or one for all of them

AVERAGES = ("macro", "micro", "weighted", None)


class ConfusionMatrix(Metric):
    """m[i, j] = number of samples of class i that the model took for class j.

    As it needs to know the number of classes, its entry in `metrics` is a function:
    {"confusion": lambda: ConfusionMatrix(7)}. Raises ValueError for what is no such number.
    """

    single = False

    def __init__(self, num_classes: int) -> None:
        n = integer("ConfusionMatrix", "num_classes", num_classes)
        self.matrix = np.zeros((n, n), np.int64)

    def update(self, output: Tensor | np.ndarray, target: np.ndarray) -> None:
        _count(self.matrix, output, target, f"ConfusionMatrix({len(self.matrix)})")

    def compute(self) -> np.ndarray:
        return self.matrix.copy()


class ClassShare(Metric):
    """Base class: a share per class, and its mean over the classes as `average` says.

    "macro"     every class that occurs, as target or as guess, counts the same
    "weighted"  every class counts by its number of targets
    "micro"     the counts of all classes are summed first; with one class per sample all three
                figures are then the accuracy
    None        no mean: an array with a figure for each class

    A share of nothing, 0 / 0, counts as 0. This is scikit-learn's default, and the names of the
    averages are scikit-learn's, too. Raises ValueError for another average.

    A subclass says by `share` what its figure is a share of.
    """

    share: Callable[[Counts, Counts, Counts], tuple[Counts, Counts]]    # (part, whole) of them

    def __init__(self, average: str | None = "macro") -> None:
        if average not in AVERAGES:
            raise ValueError(f"{type(self).__name__}: average must be one of "
                             f"{', '.join(map(repr, AVERAGES))}, got {average!r}")
        self.average = average
        self.matrix: np.ndarray | None = None       # of as many classes as the model has

    @property
    def single(self) -> bool:  # type: ignore[override]  # read only
        return self.average is not None

    def update(self, output: Tensor | np.ndarray, target: np.ndarray) -> None:
        check_shapes(output, target)
        if self.matrix is None:
            self.matrix = np.zeros(output.shape[1:] * 2, np.int64)
        _count(self.matrix, output, target, type(self).__name__)

    def compute(self) -> float | np.ndarray:
        if self.matrix is None or not self.matrix.sum():
            raise ValueError(f"{type(self).__name__}: there were no samples")
        right, targets, guesses = self.matrix.diagonal(), self.matrix.sum(1), self.matrix.sum(0)
        if self.average == "micro":
            return float(_shares(*self.share(right.sum(), targets.sum(), guesses.sum())))
        shares = _shares(*self.share(right, targets, guesses))
        if self.average is None:
            return shares
        weights = targets if self.average == "weighted" else targets + guesses > 0
        return float(shares @ weights / weights.sum())


class Precision(ClassShare):
    """right / taken for the class: how far a guess of the model can be trusted.

    average: see `minigrad.train.metrics.confusion.ClassShare`.
    """

    share = staticmethod(lambda right, targets, guesses: (right, guesses))


class Recall(ClassShare):
    """right / of the class: how much of a class the model finds.

    average: see `minigrad.train.metrics.confusion.ClassShare`.
    """

    share = staticmethod(lambda right, targets, guesses: (right, targets))


class F1(ClassShare):
    """2 right / (of the class + taken for it): the harmonic mean of precision and recall.

    average: see `minigrad.train.metrics.confusion.ClassShare`.
    """

    share = staticmethod(lambda right, targets, guesses: (2 * right, targets + guesses))


def _shares(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole in float64, and 0 where there is nothing."""
    return np.where(whole > 0, part / np.maximum(whole, 1), 0.0)


def _count(matrix: np.ndarray, output: Tensor | np.ndarray, target: np.ndarray, name: str) -> None:
    """Add a batch to the matrix, which stays as it was if the batch does not fit."""
    predicted, target = predicted_classes(output, target)
    size = len(matrix)
    if output.shape[1] != size:
        raise ValueError(f"{name}: the model has {output.shape[1]} outputs, not {size}")
    check_targets(name, target, size)
    np.add.at(matrix, (target, predicted), 1)
