"""What a network says to every photo of a set, and what can be counted of that.

Accuracies come with Wilson's 95% interval: how far another draw of as many photos of the same kind
might have moved them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

import minigrad as mg
from experiments.tasks.recipe import Recipe
from minigrad.backend import to_device
from minigrad.data import DataLoader, Dataset, Subset
from minigrad.nn import Module
from minigrad.train import Metric, evaluate, wilson


@dataclass(frozen=True)
class Score:
    """Right answers and guesses for one set: `targets`, `guesses` (n,), `certainty` (n,) 0..1."""

    classes: tuple[str, ...]
    names: tuple[str, ...]          # the photos' files
    targets: np.ndarray
    guesses: np.ndarray
    certainty: np.ndarray           # softmax of the guessed class

    @property
    def total(self) -> int:
        return len(self.targets)

    @property
    def correct(self) -> int:
        return int((self.guesses == self.targets).sum())

    @property
    def accuracy(self) -> float:
        return self.correct / self.total

    @property
    def confusion(self) -> np.ndarray:
        """(K, K): how many photos of the class of the row got the guess of the column."""
        counts = np.zeros((len(self.classes),) * 2, dtype=np.int64)
        np.add.at(counts, (self.targets, self.guesses), 1)
        return counts

    @property
    def wrong(self) -> list[int]:
        """Photos guessed wrong, the most certain mistakes first."""
        missed = np.flatnonzero(self.guesses != self.targets)
        return missed[np.argsort(-self.certainty[missed], kind="stable")].tolist()

    def of(self, places: Sequence[int]) -> Score:
        """The same for some of the photos."""
        return Score(self.classes, tuple(self.names[i] for i in places), self.targets[places],
                     self.guesses[places], self.certainty[places])


class Guesses(Metric):
    """Keeps every answer."""

    def __init__(self):
        self.targets, self.guesses, self.certainty = [], [], []

    def update(self, output, target) -> None:
        likely = to_device(mg.softmax(output, 1).data, "cpu")
        self.targets.append(to_device(target, "cpu"))
        self.guesses.append(likely.argmax(1))
        self.certainty.append(likely.max(1))

    def compute(self) -> tuple[np.ndarray, ...]:
        return tuple(map(np.concatenate, (self.targets, self.guesses, self.certainty)))


def score(model: Module, dataset: Dataset, classes: Sequence[str], recipe: Recipe) -> Score:
    """Show every photo of a set to the network once, in order and unchanged but for its size."""
    loader = DataLoader(dataset.with_transform(recipe.test_view()), recipe.batch)
    answers = evaluate(model, loader, {"guesses": Guesses})["guesses"]
    return Score(tuple(classes), files(dataset), *answers)


def files(dataset: Dataset) -> tuple[str, ...]:
    """The paths of a set's photos, which `Dataset.name` escapes where they do not print."""
    if isinstance(dataset, Subset):
        inner = files(dataset.dataset)
        return tuple(inner[i] for i in dataset.indices)
    if hasattr(dataset, "samples"):
        return tuple(path for path, _ in dataset.samples)
    return tuple(dataset.name(i) for i in range(len(dataset)))


class Share(NamedTuple):
    """A share of photos, or a difference of two, and its 95% interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, total: int) -> Share:
        """With Wilson's interval, of `total` photos."""
        return cls(value, *wilson(round(value * total), total))

    def __sub__(self, other: Share) -> Share:
        """The difference to a share of other photos, with Newcombe's interval.

        d - sqrt((p - low_p)^2 + (high_q - q)^2) to d + sqrt((high_p - p)^2 + (q - low_q)^2), d = p
        - q (R. G. Newcombe, Statistics in Medicine 17, 1998, p. 873, method 10).
        """
        d = self.value - other.value
        return Share(d, d - math.hypot(self.value - self.low, other.high - other.value),
                     d + math.hypot(self.high - self.value, other.value - other.low))

    def __format__(self, form: str) -> str:
        return f"{self.value:{form}} ({self.low:{form}} to {self.high:{form}})"


# --- in words ------------------------------------------------------------------------------------

def mean(scores: Sequence[Score]) -> float:
    """The mean accuracy of repeated trainings."""
    return float(np.mean([s.accuracy for s in scores]))


def interval(scores: Sequence[Score]) -> tuple[float, float]:
    """Wilson's 95% interval of the mean accuracy on one set of photos."""
    return wilson(round(np.mean([s.correct for s in scores])), scores[0].total)


def in_words(scores: Sequence[Score]) -> str:
    """0.614 (0.532 to 0.690); for repeated trainings also their spread, a standard deviation."""
    low, high = interval(scores)
    text = f"{mean(scores):.3f}"
    if len(scores) > 1:
        text += f" ± {np.std([s.accuracy for s in scores], ddof=1):.3f}"
    return f"{text} ({low:.3f} to {high:.3f})"


def numbers(scores: Sequence[Score]) -> dict:
    """The same for machines."""
    return {"correct": [s.correct for s in scores], "total": scores[0].total,
            "accuracy": mean(scores), "interval": interval(scores),
            "confusion": [s.confusion for s in scores]}


def per_class(scores: Sequence[Score], name: str) -> float:
    """The share of a class's photos that were guessed right, over all trainings (nan: no photo)."""
    counts = sum(s.confusion for s in scores)[scores[0].classes.index(name)]
    total = counts.sum()
    return float(counts[scores[0].classes.index(name)] / total) if total else float("nan")
