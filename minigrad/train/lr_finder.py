"""A learning rate to begin with: raise it from tiny to huge, and watch the loss.

    test = find_lr(model, train, optimizer=SGD(model.parameters(), lr=0.01))
    test.suggestion        # such as 0.03
    test.plot()

This is the range test of L. N. Smith, "Cyclical learning rates for training neural networks" (WACV
2017), section 3.3. His grows linearly; here each step's rate is the same multiple of the one
before, so that every power of ten gets as many steps.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from minigrad.arguments import integer, plain
from minigrad.backend import random_state, set_random_state
from minigrad.data import DataLoader
from minigrad.nn import Module
from minigrad.ops import cross_entropy
from minigrad.optim.optimizer import Optimizer, trained_tensors
from minigrad.train import guard
from minigrad.train.evaluate import Batch, placed_batches, whole_epoch
from minigrad.train.metrics.weighing import shares
from minigrad.train.run import save_buffers
from minigrad.train.step import add_gradients

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEMORY = 0.9        # of the smoothed loss: the share that it keeps at each step
DIVERGED = 4.0      # the test ends at so many times the lowest smoothed loss


@dataclass(frozen=True)
class RangeTest:
    """What `find_lr` saw. `lr`: the rate of each step; `loss`: that of its batch, before the step;
    `smoothed`: the exponential mean of the losses so far, of which each step keeps 0.9, corrected
    for its start."""

    lr: list[float]
    loss: list[float]
    smoothed: list[float]

    @property
    def suggestion(self) -> float | None:
        """The rate at which the smoothed loss falls most steeply over log(lr); None if it does not.

        Looked for up to the lowest smoothed loss, and not in the first tenth of the steps, in which
        the mean is over few batches.
        """
        first, last = len(self.lr) // 10, int(np.argmin(self.smoothed)) + 1
        if last - first < 2:
            return None
        slopes = np.gradient(self.smoothed[first:], np.log(self.lr[first:]))[:last - first]
        steepest = int(slopes.argmin())
        return self.lr[first + steepest] if slopes[steepest] < 0 else None

    def plot(self) -> Figure:
        """A matplotlib Figure: the losses and the smoothed loss over the rate, the suggestion
        marked."""
        from minigrad.figures import PALETTE, new_figure

        figure = new_figure(6.0, 4.0)
        ax = figure.subplots()
        ax.plot(self.lr, self.loss, "-", color=PALETTE["sky"], linewidth=0.8, label="each batch")
        ax.plot(self.lr, self.smoothed, "-", color=PALETTE["blue"], linewidth=1.8, label="smoothed")
        if (rate := self.suggestion) is not None:
            ax.plot(rate, self.smoothed[self.lr.index(rate)], "o", markersize=8,
                    color=PALETTE["orange"], label=f"steepest: {rate:.2g}")
        low, high = min(*self.loss, *self.smoothed), max(self.smoothed)
        margin = 0.1 * (high - low) or 0.1
        ax.set(xscale="log", xlabel="learning rate", ylabel="loss",
               ylim=(low - margin, high + margin))
        ax.grid(axis="y", color="#dddddd")
        ax.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside upper center", ncols=3, frameon=False)
        return figure


def find_lr(model: Module, train: DataLoader, *, optimizer: Optimizer,
            loss: Callable = cross_entropy, start: float = 1e-7, stop: float = 10.0,
            steps: int = 100) -> RangeTest:
    """Train for up to `steps` steps, from the rate `start` to `stop`, and undo all of it.

    It ends early when the smoothed loss is more than four times its lowest, or the loss or a
    gradient is not finite, which only the first step has no excuse for. With
    several groups of parameters the rate is that of the fastest, and the others keep their ratio to
    it. The batches are those of the loader's current epoch from its first one on, then those of the
    next epochs if it is short. Afterwards, also after an error or Ctrl-C, the model, its gradients,
    the modes of its layers, the optimizer, the loader and the random state are as before, to the
    last bit. If a loop over this loader was under way, its next batch is a RuntimeError.

    loss: (output, target) -> the mean over the batch, as for `fit`. Take the same optimizer, loss
    and loader as in the training. Raises ValueError for rates that do not rise, for less than two
    steps, a loader without samples, or a label that the model has no output for; `NonFiniteError`
    if the first step already ends in NaN or infinity.
    """
    start, stop = plain(start), plain(stop)
    if not 0 < start < stop < math.inf:
        raise ValueError(f"find_lr: needs 0 < start < stop, got {start!r} and {stop!r}")
    steps = integer("find_lr", "steps", steps, 2)
    groups = optimizer.param_groups
    fastest = max(group["lr"] for group in groups)
    ratios = [group["lr"] / fastest if fastest else 1.0 for group in groups]
    test, mean, weight = RangeTest([], [], []), 0.0, 0.0
    with (_undo_at_end(model, train, optimizer), guard.quiet(),
          closing(_endless(model, train, loss)) as batches):
        for step, batch in zip(range(steps), batches):
            lr = start * (stop / start) ** (step / (steps - 1))
            for group, ratio in zip(groups, ratios):
                group["lr"] = lr * ratio
            try:
                value = _step(model, optimizer, loss, batch)
            except guard.NonFiniteError:
                if not step:
                    raise
                break
            mean, weight = MEMORY * mean + value, MEMORY * weight + 1
            test.lr.append(lr)
            test.loss.append(value)
            test.smoothed.append(mean / weight)
            lowest = min(test.smoothed)
            if mean / weight > lowest + (DIVERGED - 1) * abs(lowest):
                break
    return test


def _step(model: Module, optimizer: Optimizer, loss: Callable, batch: Batch) -> float:
    """One step; the loss before it."""
    model.zero_grad()
    optimizer.zero_grad()
    value, *_ = add_gradients(model, batch, trained_tensors(optimizer), loss,
                              f"find_lr, batch {batch[0] + 1}")
    optimizer.step()
    return value


def _endless(model: Module, loader: DataLoader, loss: Callable) -> Generator[Batch, None, None]:
    """Batch after batch, in epoch after epoch, without those whose targets are all ignored."""
    while True:
        empty = True
        with closing(placed_batches(model, loader)) as batches:
            for batch in batches:
                if any(shares(loss, [batch[-1]])):
                    empty = False
                    yield batch
        if empty:
            raise ValueError("find_lr: the loader gave no batches with targets that count")


@contextmanager
def _undo_at_end(model: Module, loader: DataLoader, optimizer: Optimizer) -> Iterator[None]:
    """At the end of this block all is as it was at its start."""
    originals = [(p, p.data, p.data.copy(), p.grad)
                 for p in (*model.parameters(), *trained_tensors(optimizer))]
    state, put_back = copy.deepcopy(optimizer.state_dict()), save_buffers(model)
    random, skipped = random_state(), loader.skipped
    try:
        with whole_epoch(model, loader):
            model.train()
            yield
    finally:
        for p, array, numbers, gradient in originals:
            array[...] = numbers
            p.grad = gradient
        put_back()
        optimizer.load_state_dict(state)
        loader.skipped = skipped
        set_random_state(random)
