"""One step of training: batches, forward, loss, backward, the guard against NaN, clipping, the
optimizer, the scheduler."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from typing import NamedTuple

from minigrad.backend import random_state, set_random_state
from minigrad.optim import clip_grad_norm_, clip_grad_value_
from minigrad.train import guard
from minigrad.train.evaluate import placed_batches
from minigrad.train.precision import LEAST_SCALE, predict
from minigrad.train.run import trained


class How(NamedTuple):
    """How a step is made."""

    loss: Callable
    accumulate: int
    clip_value: float | None
    clip_norm: float | None
    precision: str


def groups(model, loader, size):
    """Lists of up to `size` of (position, x, y)."""
    with closing(placed_batches(model, loader)) as batches:
        while group := list(islice(batches, size)):
            yield group


def make_step(run, how, group, epoch):
    """One step of the optimizer on a group of batches.

    If forward or backward fails, the model and the random state are what they were before.
    """
    params, samples = trained(run.optimizer), sum(len(y) for _, _, y in group)
    random, buffers = random_state(), [(b, b.copy()) for _, b in run.model.named_buffers()]
    run.optimizer.zero_grad()
    try:
        done = [_batch(run, how, params, batch, samples, epoch) for batch in group]
    except BaseException:
        for buffer, before in buffers:
            buffer[...] = before
        set_random_state(random)
        run.optimizer.zero_grad()
        raise
    if run.scaler is not None:
        run.scaler.unscale_(run.optimizer)
    if how.clip_value is not None:
        clip_grad_value_(params, how.clip_value)
    if how.clip_norm is not None:
        clip_grad_norm_(params, how.clip_norm)
    run.lr = [group["lr"] for group in run.optimizer.param_groups]
    if run.scaler is None:
        run.optimizer.step()
        made = True
    else:
        made = run.scaler.step(run.optimizer)
        run.scaler.update()
        run.skipped += not made
    if made and run.scheduler is not None:
        run.scheduler.step()
    run.step += 1
    for value, output, y in done:
        for name, meter in run.meters.items():
            meter.add(value, len(y)) if name == "loss" else meter.update(output, y)


def _batch(run, how, params, batch, samples, epoch):
    """Add a batch's share of the step's gradient to `.grad`; (loss, output, target)."""
    position, x, y = batch
    model, before = run.model, random_state()

    def names():
        return run.train.batch_names(epoch, position)

    where = f"step {run.step + 1} (epoch {run.epoch + 1}, batch {position + 1})"
    output = predict(model, x, how.precision)
    guard.check_labels(output, y, names, where)
    loss = how.loss(output, y)
    value = float(loss)
    problem = None if math.isfinite(value) else f"the loss is {value}"
    if not problem:
        loss = loss if len(y) == samples else loss * (len(y) / samples)
        (loss if run.scaler is None else run.scaler.scale(loss)).backward()
        may_overflow = run.scaler is not None and run.scaler.get_scale() > LEAST_SCALE
        if not may_overflow and not math.isfinite(guard.squared_norm(params)):
            problem = "a gradient is not finite"
    if problem:
        set_random_state(before)
        raise guard.explain(model, lambda: how.loss(predict(model, x, how.precision), y), x, names,
                            f"{where}: {problem}")
    return value, output.detach(), y
