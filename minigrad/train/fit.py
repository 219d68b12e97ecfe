"""The training loop.

    history = fit(model, train, valid, epochs=10, optimizer=optimizer, scheduler=scheduler,
                  clip_value=0.1, folder="runs/small", resume=True)

Epochs of steps (`step.py`), each followed by a look at the validation set. Everything that it
depends on is in a checkpoint (`folder.py`), so that a run that was stopped goes on to the very bits
that it would have reached.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, nullcontext
from numbers import Integral

from minigrad.nn import Module
from minigrad.ops import cross_entropy
from minigrad.optim import Optimizer
from minigrad.train import guard
from minigrad.train.about import about, begin_from, check_classes
from minigrad.train.evaluate import check_loader, evaluate
from minigrad.train.folder import RunFolder, check_finite
from minigrad.train.history import History
from minigrad.train.identity import describe
from minigrad.train.metrics import Accuracy, Metric
from minigrad.train.precision import check, make_scaler, products
from minigrad.train.progress import Progress
from minigrad.train.run import Run
from minigrad.train.signals import Stop, leave
from minigrad.train.step import How, groups, make_step


def fit(model: Module, train, valid=None, *, epochs: int, optimizer: Optimizer, scheduler=None,
        loss: Callable = cross_entropy, metrics: Mapping[str, Callable[[], Metric]] | None = None,
        clip_value: float | None = None, clip_norm: float | None = None, accumulate: int = 1,
        precision: str = "float32",
        callbacks: Sequence = (), patience: int | None = None, monitor: str | None = None,
        restore_best: bool = False, start_from: str | os.PathLike | None = None,
        folder: str | os.PathLike | None = None, resume: bool = False,
        save_every: int | None = None, keep: int = 2, progress: bool = True) -> History:
    """Train `model` for `epochs` epochs of the loader `train`; returns the history.

    The loaders begin with the epochs that they are in, at their first batches. Those of `valid` are
    counted on as those of `train` are, so that shuffling and augmentation differ in both. Before
    training starts, one sample of each is prepared, so that a mistake in a transform costs no
    epoch.
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
    epochs in a row that brought no better one. restore_best: at the end, give the model the
    weights of the best epoch instead of the last one's.
    start_from: begin with the weights of this run folder or file (see `weights.load`), whose names
    and shapes must be the model's; a run that goes on has its own, and does not look at it.
    folder: where config.json, history.jsonl and checkpoints go (see `RunFolder`); a checkpoint
    after each epoch, and every `save_every` steps; the newest `keep` stay.
    resume: go on with the run in `folder`, if there is one, to the same bits, also within an epoch.
    What may differ from then: the number of epochs, of the loaders' workers, `save_every`, `keep`,
    callbacks, the place of the photographs, and, as long as no sample was left out, what a loader
    does on an error: a run that stopped at a damaged photograph goes on without it. The file may
    be gone then, if it keeps its place: see `minigrad.data.ImageFolder`.

    Samples that a loader left out, being made with on_error="skip" or "replace", are listed at the
    end; the history has them as `left_out`, {name: reason}, and counts them in each epoch.

    SIGINT (Ctrl-C), SIGTERM, SIGHUP and SIGUSR1 end it after the step, saved, with
    KeyboardInterrupt or SystemExit(128 + number of the signal); a second one at once. Raises,
    before training starts: ValueError for settings that make no sense, or a run in `folder` that is
    another one; TypeError for what is no loader; FileExistsError if there is a run and not
    `resume`; BlockingIOError if another process is training there; `minigrad.data.SampleError` for
    a sample that cannot be prepared; OSError for a folder that cannot be written. Later:
    `NonFiniteError` in the step in which NaN or infinity appears, ValueError for a label that the
    model has no output for; nothing of that step is kept. At the end: `NotSavedError` if the disk
    refused the last checkpoint; the model, and the error's `history`, are those of the finished
    training.
    """
    epochs, accumulate, keep = _counts(epochs=epochs, accumulate=accumulate, keep=keep)
    patience, save_every = _counts(none=True, patience=patience, save_every=save_every)
    check_loader("fit: train", train)
    if valid is not None:
        check_loader("fit: valid", valid)
    _check(train, epochs, accumulate, scheduler, callbacks)
    check("fit", precision)
    if resume and folder is None:
        raise ValueError("fit: resume needs the folder of the run")
    classes = check_classes(train, valid)
    metrics = {"accuracy": Accuracy} if metrics is None else metrics
    run = Run(model, optimizer, scheduler, train, valid, metrics, loss, monitor,
              make_scaler(precision), restore_best)
    how = How(loss, accumulate, clip_value, clip_norm, precision)
    identity = describe(model, optimizer, scheduler, train, valid, metrics, {
        **how._asdict(), "monitor": run.monitor, "patience": patience})
    entries = about(model, train, valid)
    settings = {"epochs": epochs, "save_every": save_every, "keep": keep}
    with (closing(RunFolder(folder, keep)) if folder else nullcontext() as disk,
          closing(Progress(progress, epochs)) as bar):
        begun = disk is not None and disk.enter(run, resume)
        if begun:
            path = disk.load(run, identity, entries, settings)
            if _finished(run, epochs, patience):
                bar.say(f"{path}: this run is finished, after epoch {run.epoch}: nothing to do")
                return _ended(run, disk, bar)
            bar.say(f"{path}: going on after step {run.step}, in epoch {run.epoch + 1}")
        elif start_from is not None:
            begin_from(start_from, model, classes)
        for loader in run.loaders.values():
            loader.peek()
        if disk and not begun:
            disk.begin(identity, entries,
                       {**settings, "start_from": start_from and os.fspath(start_from)})
        with Stop() as stop, products(precision):
            while not _finished(run, epochs, patience):
                _train(run, how, disk, bar, stop, callbacks, save_every)
                improved = run.end_epoch(_validate(run, how, disk, bar, stop))
                bar.epoch(run.history[-1])
                _call(callbacks, "on_epoch_end", run)
                run.rewind()            # they may have gone over the loaders
                check_finite(run)
                if disk:
                    disk.save_epoch(run, improved)
                if stop.requested:
                    _leave(run, stop, disk, bar)
        if run.epoch < epochs:
            bar.say(f"stopped early: no better {run.monitor} for {run.waited} epochs")
        return _ended(run, disk, bar)


def _ended(run, disk, bar):
    """What is left to do at the end; the history."""
    for line in run.left_out_lines():
        bar.say(line)
    if run.best_weights is not None:
        run.model.load_state_dict(run.best_weights)
        bar.say(f"the model has the weights of epoch {run.best['epoch']}, the best")
    if disk:
        disk.end(run)
    return run.history


def _finished(run, epochs, patience):
    return run.epoch >= epochs or (patience is not None and run.waited >= patience)


def _train(run, how, disk, bar, stop, callbacks, save_every):
    """The steps of an epoch, from where the loader is."""
    epoch, started = run.train.epoch, time.perf_counter() - run.seconds
    run.model.train()
    with closing(groups(run.model, run.train, how.accumulate)) as batches:
        for group in batches:
            with guard.quiet():
                make_step(run, how, group, epoch)
            # the loader itself may be in the next epoch already: it was asked for one batch more
            done = run.places["train"]["position"] = group[-1][0] + 1
            run.seconds = time.perf_counter() - started
            run.note_left_out(run.train)
            bar.step(run.epoch + 1, done, len(run.train), run.meters)
            _call(callbacks, "on_step_end", run)
            if disk and save_every and run.step % save_every == 0:
                disk.save(run)
            if stop.requested:
                _leave(run, stop, disk, bar)
    run.note_left_out(run.train)        # of batches in which nothing was left


def _validate(run, how, disk, bar, stop):
    """The figures of the validation set; None if there is none."""
    if run.valid is None:
        return None

    def each(done, meters):
        bar.step(run.epoch + 1, done, len(run.valid), meters, "validation  ")
        if stop.requested:          # the whole validation is repeated on resuming
            _leave(run, stop, disk, bar)

    started = time.perf_counter()
    figures = evaluate(run.model, run.valid, run.metrics, each, how.precision)
    run.valid.epoch += 1            # where evaluate has left it, or every epoch would be the same
    run.seconds += time.perf_counter() - started
    run.note_left_out(run.valid)
    return figures


def _leave(run, stop, disk, bar):
    """Save, and end as the signal asks."""
    path = disk and disk.save(run)
    saved = f"saved in {path}; resume=True goes on" if path else "not saved"
    if disk and not path:
        saved += f" ({disk.refusal.strerror}); {disk.newest()}"
    message = f"stopped after step {run.step}, in epoch {run.epoch + 1}; {saved}"
    bar.say(message)
    leave(stop.requested, message)


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
