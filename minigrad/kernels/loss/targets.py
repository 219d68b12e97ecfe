"""What cross entropy is told beside its scores, and what both of its forms do alike."""

import math
from typing import Any, NamedTuple

import numpy as np

from minigrad.kernels.reduce import cpu as reduce


class Targets(NamedTuple):
    """The class of each row, what a row counts, and how the losses of all rows become one."""

    classes: Any  # (N, ...) of integers
    weight: Any  # (C), what each class counts, in the scores' dtype, or None for ones
    ignored: int  # the class number of rows that count nothing
    smoothing: float
    reduction: str  # "mean", "sum" or "none"
    total: object = None  # what a mean divides by: a number, or an array of one on the GPU

    def keep(self):
        """Which rows count, booleans (N, ...)."""
        return self.classes != self.ignored

    def safe(self):
        """The classes, with one that exists in ignored rows."""
        return np.where(self.keep(), self.classes, 0)

    def shares(self):
        """What each row counts (N, ...): 0 if it is ignored, else the weight of its class, or 1."""
        keep = self.keep()
        return keep if self.weight is None else np.where(keep, self.weight[self.safe()], 0)

    def reduced(self, rows):
        """The losses of rows (N, ...) as they are, their sum, or their mean."""
        if self.reduction == "none":
            return rows
        y = reduce.sum(rows)
        return y / self.total if self.reduction == "mean" else y

    def spread(self, gy):
        """The gradient of each row (N, ...) from the gradient of what `reduced` makes of them."""
        gy = gy / self.total if self.reduction == "mean" else gy
        return np.broadcast_to(gy, self.classes.shape)


def check_classes(classes, ignored, n_classes):
    """IndexError for a class number outside 0..n_classes-1, unless it is the ignored one."""
    bad = classes[(classes != ignored) & ((classes < 0) | (classes >= n_classes))]
    if bad.size:
        first = int(bad.reshape(-1)[0])
        raise IndexError(f"Target {first} is out of bounds: there are {n_classes} classes, "
                         f"0..{n_classes - 1} (or ignore_index={ignored})")


def total(shares):
    """Their sum as a number; nan instead of 0, so that an empty mean is nan as in torch."""
    return float(reduce.sum(shares).real) or math.nan
