"""One step of training: batches, forward, loss, backward, the guard against NaN, clipping, the
optimizer, the scheduler."""

import math
from collections.abc import Callable, Generator
from contextlib import closing
from itertools import islice
from typing import NamedTuple

import numpy as np

from minigrad.backend import random_state, set_random_state
from minigrad.engine import Tensor
from minigrad.nn import Module
from minigrad.optim import GradScaler, clip_grad_norm_, clip_grad_value_
from minigrad.optim.optimizer import trained_tensors
from minigrad.train import guard
from minigrad.train.evaluate import Batch, placed_batches
from minigrad.train.metrics import MeanLoss, ignored_target, shares
from minigrad.train.precision import LEAST_SCALE, predict
from minigrad.train.run import Run, save_buffers


class StepSettings(NamedTuple):
    """The settings of `fit` that every step follows, under the same names."""

    loss: Callable
    accumulate: int
    clip_value: float | None
    clip_norm: float | None
    precision: str


def step_batches(run: Run, size: int) -> Generator[list[Batch], None, None]:
    """Lists of up to `size` batches of the loader `run.train`."""
    with closing(placed_batches(run.model, run.train)) as batches:
        while part := list(islice(batches, size)):
            yield part


def make_step(run: Run, settings: StepSettings, batches: list[Batch]) -> None:
    """One step of the optimizer on batches from `step_batches`.

    If forward or backward fails, the model and the random state are what they were before.
    """
    params = trained_tensors(run.optimizer)
    parts = shares(settings.loss, [y for *_, y in batches])
    random, put_back = random_state(), save_buffers(run.model)
    run.optimizer.zero_grad()
    try:
        results = [
            add_gradients(run.model, batch, params, settings.loss, f"step {run.step + 1} (epoch "
                          f"{run.epoch + 1}, batch {batch[0] + 1})", settings.precision, share,
                          run.scaler) for batch, share in zip(batches, parts)]
    except BaseException:
        put_back()
        set_random_state(random)
        run.optimizer.zero_grad()
        raise
    if run.scaler is not None:
        run.scaler.unscale_(run.optimizer)
    if settings.clip_value is not None:
        clip_grad_value_(params, settings.clip_value)
    if settings.clip_norm is not None:
        clip_grad_norm_(params, settings.clip_norm)
    run.lr = [float(group["lr"]) for group in run.optimizer.param_groups]
    if run.scaler is None:
        run.optimizer.step()
        overflow = False
    else:
        overflow = not run.scaler.step(run.optimizer)
        run.scaler.update()
        run.skipped += overflow
    if not overflow and run.scheduler is not None:
        run.scheduler.step()
    run.step += 1
    for value, output, y in results:
        for name, meter in run.meters.items():
            if isinstance(meter, MeanLoss) and name == "loss":
                meter.add(value, y)
            else:
                meter.update(output, y)


def add_gradients(model: Module, batch: Batch, params: list[Tensor], loss: Callable, where: str,
                  precision: str = "float32", share: float = 1.0, scaler: GradScaler | None = None
                  ) -> tuple[float, Tensor, np.ndarray]:
    """Add a batch's share of a step's gradient to `.grad` of `params`; (loss, output, target).

    Where all targets are ignored there is no loss, and a share of 0. Raises `NonFiniteError`, which
    says `where`, if the loss or a gradient is not finite.
    """
    (_, names, x, y), random = batch, random_state()
    output = predict(model, x, precision)
    guard.check_labels(output, y, names, where, ignored_target(loss))
    result = loss(output, y)
    value = float(result)
    if not share:
        return value, output.detach(), y
    problem = "" if math.isfinite(value) else f"the loss is {value}"
    if not problem:
        result = result if share == 1 else result * share
        (result if scaler is None else scaler.scale(result)).backward()
        may_overflow = scaler is not None and scaler.get_scale() > LEAST_SCALE
        if not may_overflow and not math.isfinite(guard.squared_norm(params)):
            problem = "a gradient is not finite"
    if problem:
        set_random_state(random)
        raise guard.explain(model, lambda: loss(predict(model, x, precision), y), x, names,
                            f"{where}: {problem}")
    return value, output.detach(), y
