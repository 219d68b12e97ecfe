"""The training loop.

    history = fit(model, train, valid, epochs=10, optimizer=optimizer, scheduler=scheduler,
                  clip_value=0.1, folder="runs/small", resume=True)

One step: the batches, forward, loss, backward, the guard against NaN, clipping, the optimizer, the
scheduler. Everything that it depends on is in a checkpoint, so that a run that was stopped goes on
to the very bits that it would have reached.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from itertools import islice
from numbers import Integral
from typing import NamedTuple

from minigrad.backend import random_state, set_random_state
from minigrad.nn import Module
from minigrad.ops import cross_entropy
from minigrad.optim import Optimizer, clip_grad_norm_, clip_grad_value_
from minigrad.train import guard
from minigrad.train.evaluate import evaluate, placed_batches
from minigrad.train.folder import RunFolder, check_finite
from minigrad.train.history import History
from minigrad.train.identity import describe
from minigrad.train.metrics import Accuracy, Metric
from minigrad.train.precision import LEAST_SCALE, check, make_scaler, predict, products
from minigrad.train.progress import Progress
from minigrad.train.run import Run, trained
from minigrad.train.signals import Stop, leave


def fit(model: Module, train, valid=None, *, epochs: int, optimizer: Optimizer, scheduler=None,
        loss: Callable = cross_entropy, metrics: Mapping[str, Callable[[], Metric]] | None = None,
        clip_value: float | None = None, clip_norm: float | None = None, accumulate: int = 1,
        precision: str = "float32",
        callbacks: Sequence = (), patience: int | None = None, monitor: str | None = None,
        folder: str | os.PathLike | None = None, resume: bool = False,
        save_every: int | None = None, keep: int = 2, progress: bool = True) -> History:
    """Train `model` for `epochs` epochs of the loader `train`; returns the history.

    The loaders begin with the epochs that they are in, at their first batches. Those of `valid` are
    counted on as those of `train` are, so that shuffling and augmentation differ in both.
    scheduler: makes one step after every step of the optimizer.
    loss: (output, target) -> the mean over the batch.
    metrics: as in `evaluate`, beside the loss; default accuracy. Those of training are taken on the
    way, with dropout on.
    clip_value, clip_norm: limits for every element, and for the norm of all gradients, in this
    order.
    accumulate: batches per step, whose gradients are weighted by their numbers of samples: the
    gradient of the mean over all of them, as of one big batch (for which batch normalisation and
    dropout would come out differently). What is left at the end of an epoch makes a smaller step.
    precision: "float32", "tf32", "bf16" or "fp16" (see train/precision.py), also of validation. In
    fp16 a step whose gradients overflow is left out, the scheduler's with it, and the loss is
    scaled less from then on; the history counts these steps as "skipped".
    callbacks: objects with `on_step_end(run)`, `on_epoch_end(run)` or both (see `Run`). What they
    change in model and optimizer is saved, their own state is not.
    monitor: the figure that is watched, default "valid.loss" or, without `valid`, "train.loss";
    the lower the better if its name ends in "loss", else the higher. patience: stop after so many
    epochs in a row that brought no better one.
    folder: where config.json, history.jsonl and checkpoints go (see `RunFolder`); a checkpoint
    after each epoch, and every `save_every` steps; the newest `keep` stay.
    resume: go on with the run in `folder`, if there is one, to the same bits, also within an epoch.
    It may be given more epochs.

    SIGINT and SIGTERM end it after the step, saved, with KeyboardInterrupt and SystemExit(143); a
    second one at once. Raises, before training starts: ValueError for settings that make no sense,
    or a run in `folder` that is another one; FileExistsError if there is one and not `resume`;
    OSError for a folder that cannot be written. Later: `NonFiniteError` in the step in which NaN or
    infinity appears, ValueError for a label that the model has no output for; nothing of that
    step is kept.
    """
    epochs, accumulate, keep = _counts(epochs=epochs, accumulate=accumulate, keep=keep)
    patience, save_every = _counts(none=True, patience=patience, save_every=save_every)
    _check(train, epochs, accumulate, scheduler, callbacks)
    check("fit", precision)
    if resume and folder is None:
        raise ValueError("fit: resume needs the folder of the run")
    metrics = {"accuracy": Accuracy} if metrics is None else metrics
    run = Run(model, optimizer, scheduler, train, valid, metrics, loss, monitor,
              make_scaler(precision))
    how = _Step(loss, accumulate, clip_value, clip_norm, precision)
    identity = describe(model, optimizer, scheduler, train, valid, metrics, {
        **how._asdict(), "monitor": run.monitor, "patience": patience})
    disk, bar = folder and RunFolder(folder, keep), Progress(progress, epochs)
    if disk:
        settings = {"epochs": epochs, "save_every": save_every, "keep": keep}
        path = disk.open(run, identity, settings, resume)
        if path and _finished(run, epochs, patience):
            bar.say(f"{path}: this run is finished, after epoch {run.epoch}: nothing to do")
            return run.history
        if path:
            bar.say(f"{path}: going on after step {run.step}, in epoch {run.epoch + 1}")
    with Stop() as stop, closing(bar), products(precision):
        while not _finished(run, epochs, patience):
            _train(run, how, disk, bar, stop, callbacks, save_every)
            improved = run.end_epoch(_validate(run, how, disk, bar, stop))
            bar.epoch(run.history[-1])
            _call(callbacks, "on_epoch_end", run)
            run.rewind()            # they may have gone over the loaders
            check_finite(run)
            if disk:
                disk.save_epoch(run, improved, last=_finished(run, epochs, patience))
            if stop.requested:
                _leave(run, stop, disk)
        if run.epoch < epochs:
            bar.say(f"stopped early: no better {run.monitor} for {run.waited} epochs")
    return run.history


class _Step(NamedTuple):
    """How a step is made."""

    loss: Callable
    accumulate: int
    clip_value: float | None
    clip_norm: float | None
    precision: str


def _finished(run, epochs, patience):
    return run.epoch >= epochs or (patience is not None and run.waited >= patience)


def _train(run, how, disk, bar, stop, callbacks, save_every):
    """The steps of an epoch, from where the loader is."""
    epoch, started = run.train.epoch, time.perf_counter() - run.seconds
    run.model.train()
    with closing(_groups(run.model, run.train, how.accumulate)) as groups:
        for group in groups:
            with guard.quiet():
                _step(run, how, group, epoch)
            # the loader itself may be in the next epoch already: it was asked for one batch more
            done = run.places["train"]["position"] = group[-1][0] + 1
            run.seconds = time.perf_counter() - started
            bar.step(run.epoch + 1, done, len(run.train), run.meters)
            _call(callbacks, "on_step_end", run)
            if disk and save_every and run.step % save_every == 0:
                disk.save(run)
            if stop.requested:
                _leave(run, stop, disk)


def _validate(run, how, disk, bar, stop):
    """The figures of the validation set; None if there is none."""
    if run.valid is None:
        return None

    def each(done, meters):
        bar.step(run.epoch + 1, done, len(run.valid), meters, "validation  ")
        if stop.requested:          # the whole validation is repeated on resuming
            _leave(run, stop, disk)

    started = time.perf_counter()
    figures = evaluate(run.model, run.valid, run.metrics, each, how.precision)
    run.valid.epoch += 1            # where evaluate has left it, or every epoch would be the same
    run.seconds += time.perf_counter() - started
    return figures


def _groups(model, loader, size):
    """Lists of up to `size` of (position, x, y)."""
    with closing(placed_batches(model, loader)) as batches:
        while group := list(islice(batches, size)):
            yield group


def _step(run, how, group, epoch):
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


def _leave(run, stop, disk):
    """Save, and end as the signal asks."""
    path = disk and disk.save(run)
    saved = f"saved in {path}; resume=True goes on" if path else "not saved"
    leave(stop.requested, f"stopped after step {run.step}, in epoch {run.epoch + 1}; {saved}")


def _call(callbacks, method, run):
    for callback in callbacks:
        if hasattr(callback, method):
            getattr(callback, method)(run)


def _counts(none=False, **named):
    """The values as Python's integers, which JSON knows; None too, if that may be."""
    for name, value in named.items():
        if not (none and value is None) and (not isinstance(value, Integral) or value < 1):
            raise ValueError(f"fit: {name} must be a positive integer, got {value!r}")
    return [None if value is None else int(value) for value in named.values()]


def _check(train, epochs, accumulate, scheduler, callbacks):
    """The errors that need no start of training to be found."""
    steps = epochs * math.ceil(len(train) / accumulate)
    planned = getattr(scheduler, "total_steps", steps)
    if planned < steps:
        raise ValueError(f"fit: the {type(scheduler).__name__} is made for {planned} steps, but "
                         f"{epochs} epochs have {steps}")
    for callback in callbacks:
        if not any(hasattr(callback, method) for method in ("on_step_end", "on_epoch_end")):
            raise TypeError(f"fit: the callback {type(callback).__name__} has neither on_step_end "
                            "nor on_epoch_end")
