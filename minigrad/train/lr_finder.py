"""A learning rate to begin with: raise it from tiny to huge, and watch the loss.

    found = find_lr(model, train, optimizer=SGD(model.parameters(), lr=0.01))
    found.suggestion        # such as 0.03
    found.plot()

This is the range test of L. N. Smith, "Cyclical learning rates for training neural networks" (WACV
2017), section 3.3. His grows linearly; here each step's rate is the same multiple of the one
before, so that every power of ten gets as many steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing, contextmanager
from dataclasses import dataclass
from numbers import Integral

import numpy as np

from minigrad.backend import random_state, set_random_state
from minigrad.nn import Module
from minigrad.ops import cross_entropy
from minigrad.optim import Optimizer
from minigrad.train import guard
from minigrad.train.evaluate import placed_batches
from minigrad.train.run import trained

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

    def plot(self):
        """A matplotlib Figure: the losses and the smoothed loss over the rate, the suggestion
        marked."""
        from minigrad.figures import PALETTE, new_figure

        figure = new_figure(6.0, 4.0)
        ax = figure.subplots()
        ax.plot(self.lr, self.loss, "-", color=PALETTE["sky"], linewidth=0.8, label="each batch")
        ax.plot(self.lr, self.smoothed, "-", color=PALETTE["blue"], linewidth=1.8,
                label="smoothed")
        suggestion = self.suggestion
        if suggestion is not None:
            ax.plot(suggestion, self.smoothed[self.lr.index(suggestion)], "o", markersize=8,
                    color=PALETTE["orange"], label=f"steepest: {suggestion:.2g}")
        low, high = min(*self.loss, *self.smoothed), max(self.smoothed)
        margin = 0.1 * (high - low) or 0.1
        ax.set(xscale="log", xlabel="learning rate", ylabel="loss",
               ylim=(low - margin, high + margin))
        ax.grid(axis="y", color="#dddddd")
        ax.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside upper center", ncols=3, frameon=False)
        return figure


def find_lr(model: Module, train, *, optimizer: Optimizer, loss: Callable = cross_entropy,
            start: float = 1e-7, stop: float = 10.0, steps: int = 100) -> RangeTest:
    """Train for up to `steps` steps, from the rate `start` to `stop`, and undo all of it.

    It ends early when the smoothed loss is more than four times its lowest, or not a number. With
    several groups the rate is that of the fastest, and the others keep their ratio to it. `train`
    is gone over from the start of the epoch that it is in, again and again if it is short.
    Afterwards, also after an error or Ctrl-C, the model, its gradients and modes, the optimizer,
    the place of the loader and the random state are what they were, to the last bit; a loop over
    this loader that was under way ends in its RuntimeError.

    loss: (output, target) -> the mean over the batch, as for `fit`. Take the same optimizer, loss
    and loader as in the training. Raises ValueError for rates that do not rise, for less than two
    steps, a loader without samples, or a label that the model has no output for; `NonFiniteError`
    if the first step already ends in NaN or infinity.
    """
    if not 0 < start < stop < math.inf:
        raise ValueError(f"find_lr: needs 0 < start < stop, got {start!r} and {stop!r}")
    if not isinstance(steps, Integral) or steps < 2:
        raise ValueError(f"find_lr: steps must be an integer of at least 2, got {steps!r}")
    groups = optimizer.param_groups
    fastest = max(group["lr"] for group in groups)
    ratios = [group["lr"] / fastest if fastest else 1.0 for group in groups]
    test, mean, weight = RangeTest([], [], []), 0.0, 0.0
    with (_undone(model, train, optimizer), guard.quiet(),
          closing(_endless(model, train)) as batches):
        for step, (epoch, position, x, y) in zip(range(steps), batches):
            lr = start * (stop / start) ** (step / (steps - 1))
            for group, ratio in zip(groups, ratios):
                group["lr"] = lr * ratio
            value = _step(model, train, optimizer, loss, (epoch, position, x, y), first=step == 0)
            if not math.isfinite(value):
                break
            mean, weight = MEMORY * mean + value, MEMORY * weight + 1
            test.lr.append(lr)
            test.loss.append(value)
            test.smoothed.append(mean / weight)
            lowest = min(test.smoothed)
            if mean / weight > lowest + (DIVERGED - 1) * abs(lowest):
                break
    return test


def _step(model, train, optimizer, loss, batch, first):
    """One step; the loss before it. Only the first has no excuse for what is not finite."""
    epoch, position, x, y = batch

    def names():
        return train.batch_names(epoch, position)

    where, before = f"find_lr, batch {position + 1}", random_state()
    model.zero_grad()
    optimizer.zero_grad()
    output = model(x)
    guard.check_labels(output, y, names, where)
    result = loss(output, y)
    value = float(result)
    if math.isfinite(value):
        result.backward()
        problem = first and not math.isfinite(guard.squared_norm(trained(optimizer)))
    else:
        problem = first
    if problem:
        set_random_state(before)
        raise guard.explain(model, lambda: loss(model(x), y), x, names,
                            f"{where}: loss or gradient is not finite in the first step")
    if math.isfinite(value):
        optimizer.step()
    return value


def _endless(model, loader):
    """(epoch, position, x, y) of batch after batch, in epoch after epoch."""
    while True:
        epoch, found = loader.epoch, False
        with closing(placed_batches(model, loader)) as batches:
            for position, x, y in batches:
                found = True
                yield epoch, position, x, y
        if not found:
            raise ValueError("find_lr: the loader gave no batches")


@contextmanager
def _undone(model, loader, optimizer):
    """At the end of this block all is as it was at its start."""
    arrays = [*model.state_dict().values(), *(p.data for p in trained(optimizer))]
    copies = [array.copy() for array in arrays]
    params = [*model.parameters(), *trained(optimizer)]
    gradients = [p.grad for p in params]
    modes = [(module, module.training) for _, module in model.named_modules()]
    kept, random = optimizer.state_dict(), random_state()
    kept["state"] = {number: {name: value.copy() if hasattr(value, "copy") else value
                              for name, value in entries.items()}
                     for number, entries in kept["state"].items()}
    place, skipped = loader.state_dict(), loader.skipped
    model.train()
    loader.load_state_dict({**place, "position": 0})
    try:
        yield
    finally:
        for array, copy in zip(arrays, copies):
            array[...] = copy
        for p, gradient in zip(params, gradients):
            p.grad = gradient
        for module, mode in modes:
            module.training = mode
        optimizer.load_state_dict(kept)
        loader.load_state_dict(place)
        loader.skipped = skipped
        set_random_state(random)
