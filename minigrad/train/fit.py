"""The training loop.

    history = fit(model, train, valid, epochs=10, optimizer=optimizer, scheduler=scheduler,
                  clip_value=0.1, folder="runs/small", resume=True)

Epochs of steps (`step.py`), each followed by a look at the validation set. Everything that it
depends on is in a checkpoint (`folder/`), so that a run that was stopped goes on to the very bits
that it would have reached.
"""

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, nullcontext

from minigrad.arguments import integer
from minigrad.data import DataLoader, SampleError
from minigrad.nn import Module
from minigrad.ops import cross_entropy
from minigrad.optim import Optimizer
from minigrad.optim.lr_scheduler import LRScheduler
from minigrad.train import guard
from minigrad.train.evaluate import Metrics, check_loader, evaluate, usual_metrics
from minigrad.train.folder import RunFolder, check_finite
from minigrad.train.folder.about import about, begin_from, check_classes
from minigrad.train.folder.identity import describe
from minigrad.train.history import History
from minigrad.train.metrics import Metric
from minigrad.train.precision import check_precision, make_scaler, products
from minigrad.train.progress import Progress
from minigrad.train.run import Run
from minigrad.train.signals import Stop, leave
from minigrad.train.step import StepSettings, make_step, step_batches


def fit(model: Module, train: DataLoader, valid: DataLoader | None = None, *, epochs: int,
        optimizer: Optimizer, scheduler: LRScheduler | None = None, loss: Callable = cross_entropy,
        metrics: Metrics | None = None, clip_value: float | None = None,
        clip_norm: float | None = None, accumulate: int = 1, precision: str = "float32",
        callbacks: Sequence = (), patience: int | None = None, monitor: str | None = None,
        restore_best: bool = False, start_from: str | os.PathLike | None = None,
        folder: str | os.PathLike | None = None, resume: bool = False,
        save_every: int | None = None, keep: int = 2, progress: bool = True) -> History:
    """Train `model` for `epochs` epochs of the loader `train`; returns the history.

    Training starts at the first batch of each loader's current epoch. The epoch of `valid` goes up
    by one after each validation, as that of `train` does, so that shuffling and augmentation are
    new every time. Before training starts, one sample of each loader is prepared, so that a mistake
    in a transform shows at once and not after an epoch.
    scheduler: makes one step after every step of the optimizer.
    loss: (output, target) -> the mean over the batch, or the sum if its reduction is "sum".
    metrics: as in `evaluate`, beside the loss; default accuracy, where targets are classes. In
    training they are computed on the way, while the weights still change and dropout is on.
    clip_value, clip_norm: limits for every element, and for the norm of all gradients, in this
    order.
    accumulate: batches per step, whose gradients are weighted by what their losses divide by (see
    `denominator`): the gradient is that of one big batch (for which batch normalisation and dropout
    would come out differently). What is left at the end of an epoch makes a smaller step. A batch
    whose targets are all ignored adds nothing.
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
    and shapes must be the model's. A run that goes on has weights of its own, and ignores it.
    folder: where config.json, history.jsonl and checkpoints go (see `RunFolder`); a checkpoint
    after each epoch, and every `save_every` steps; the newest `keep` stay.
    resume: go on with the run in `folder`, if there is one, to the same bits, also within an epoch.
    These may differ from the first call: the number of epochs, of the loaders' workers,
    `save_every`, `keep`, callbacks, the place of the photographs, and, as long as no sample was
    left out, what a loader does on an error: a run that stopped at a damaged photograph can go on
    without it. The file may be deleted if its place is kept: see `minigrad.data.ImageFolder`.

    Samples that a loader left out, being made with on_error="skip" or "replace", are listed at the
    end; the history has them as `left_out`, {name: reason}, and counts them in each epoch.

    SIGINT (Ctrl-C), SIGTERM, SIGHUP and SIGUSR1 end the training after the current step: its state
    is saved, then KeyboardInterrupt or SystemExit(128 + number of the signal) is raised. A second
    signal ends it at once.

    Raises, before training starts: ValueError for settings that make no sense, or a run in `folder`
    that is another one; TypeError for what is no loader; FileExistsError if there is a run and not
    `resume`; BlockingIOError if another process is training there; `minigrad.data.SampleError` for
    a sample that cannot be prepared; OSError for a folder that cannot be written. Later:
    `NonFiniteError` in the step in which NaN or infinity appears, ValueError for a label that the
    model has no output for; nothing of that step is kept. At the end: `NotSavedError` if the disk
    refused the last checkpoint; the model, and the error's `history`, are those of the finished
    training.
    """
    epochs, accumulate, keep = _counts(epochs=epochs, accumulate=accumulate, keep=keep)
    patience, save_every = _counts(none=True, patience=patience, save_every=save_every)
    clip_value, clip_norm = (x if x is None else float(x) for x in (clip_value, clip_norm))
    check_loader("fit: train", train)
    if valid is not None:
        check_loader("fit: valid", valid)
    _check(train, epochs, accumulate, scheduler, callbacks)
    check_precision("fit", precision)
    if resume and folder is None:
        raise ValueError("fit: resume needs the folder of the run")
    classes = check_classes(train, valid)
    metrics = usual_metrics(train, loss) if metrics is None else dict(metrics)
    run = Run(model, optimizer, scheduler, train, valid, metrics, loss, monitor,
              make_scaler(precision), restore_best)
    recipe = StepSettings(loss, accumulate, clip_value, clip_norm, precision)
    identity = describe(run, {**recipe._asdict(), "monitor": run.monitor, "patience": patience})
    entries = about(model, train, valid)
    settings = {"epochs": epochs, "save_every": save_every, "keep": keep}
    with (closing(RunFolder(folder, keep)) if folder else nullcontext() as disk,
          closing(Progress(progress, epochs)) as bar):
        has_run = disk is not None and disk.enter(run, resume, identity, entries)
        if disk is not None and has_run:
            path = disk.load(run, settings)
            if _is_finished(run, epochs, patience):
                bar.say(f"{path}: this run is finished, after epoch {run.epoch}: nothing to do")
                return _end(run, disk, bar)
            bar.say(f"{path}: going on after step {run.step}, in epoch {run.epoch + 1}")
        elif start_from is not None:
            begin_from(start_from, model, classes)
        for loader in run.loaders.values():
            loader.peek()
        if disk is not None and not has_run:
            disk.begin({**settings, "start_from": start_from and os.fspath(start_from)})
        with Stop() as stop, products(precision):
            while not _is_finished(run, epochs, patience):
                try:
                    _train(run, recipe, disk, bar, stop, callbacks, save_every)
                    figures = _validate(run, precision, disk, bar, stop)
                except SampleError:     # the signal may have ended the loader's processes too
                    _leave_if_asked(run, stop, disk, bar)
                    raise
                improved = run.end_epoch(figures)
                bar.epoch(run.history[-1])
                _call(callbacks, "on_epoch_end", run)
                run.rewind()            # they may have gone over the loaders
                check_finite(run)
                if disk:
                    disk.save_epoch(run, improved)
                _leave_if_asked(run, stop, disk, bar)
        if run.epoch < epochs:
            bar.say(f"stopped early: no better {run.monitor} for {run.waited} epochs")
        return _end(run, disk, bar)


def _end(run: Run, disk: RunFolder | None, bar: Progress) -> History:
    """What is left to do at the end; the history."""
    for line in run.left_out_lines():
        bar.say(line)
    if run.best_weights is not None and run.best is not None:
        run.model.load_state_dict(run.best_weights)
        bar.say(f"the model has the weights of epoch {run.best['epoch']}, the best")
    if disk:
        disk.end(run)
    return run.history


def _is_finished(run: Run, epochs: int, patience: int | None) -> bool:
    return run.epoch >= epochs or (patience is not None and run.waited >= patience)


def _train(run: Run, recipe: StepSettings, disk: RunFolder | None, bar: Progress, stop: Stop,
           callbacks: Sequence, save_every: int | None) -> None:
    """The steps of an epoch, from where the loader is."""
    start = time.perf_counter() - run.seconds
    run.model.train()
    with closing(step_batches(run, recipe.accumulate)) as batches:
        for part in batches:
            with guard.quiet():
                make_step(run, recipe, part)
            # the loader itself may be in the next epoch already: it was asked for one batch more
            position = run.places["train"]["position"] = part[-1][0] + 1
            run.seconds = time.perf_counter() - start
            run.note_left_out(run.train)
            bar.step(run.epoch + 1, position, len(run.train), run.meters)
            _call(callbacks, "on_step_end", run)
            if disk and save_every and run.step % save_every == 0:
                disk.save(run)
            _leave_if_asked(run, stop, disk, bar)
    run.note_left_out(run.train)        # of batches in which nothing was left


def _validate(run: Run, precision: str, disk: RunFolder | None, bar: Progress, stop: Stop
              ) -> dict | None:
    """The figures of the validation set; None if there is none."""
    valid = run.valid
    if valid is None:
        return None

    def each(position: int, meters: Mapping[str, Metric]) -> None:
        bar.step(run.epoch + 1, position, len(valid), meters, "validation  ")
        _leave_if_asked(run, stop, disk, bar)   # all of the validation is repeated on resuming

    start = time.perf_counter()
    figures = evaluate(run.model, valid, run.metrics, each, precision)
    valid.epoch += 1                # where evaluate has left it, or every epoch would be the same
    run.seconds += time.perf_counter() - start
    run.note_left_out(valid)
    return figures


def _leave_if_asked(run: Run, stop: Stop, disk: RunFolder | None, bar: Progress) -> None:
    """Save, and end as the signal asks, if there was one."""
    if not stop.requested:
        return
    path = disk and disk.save(run)
    saved = f"saved in {path}; resume=True goes on" if path else "not saved"
    if disk and disk.refusal and not path:
        saved += f" ({disk.refusal.strerror}); {disk.newest()}"
    message = f"stopped after step {run.step}, in epoch {run.epoch + 1}; {saved}"
    bar.say(message)
    leave(stop.requested, message)


def _call(callbacks: Sequence, method: str, run: Run) -> None:
    for callback in callbacks:
        if hasattr(callback, method):
            getattr(callback, method)(run)


def _counts(none: bool = False, **named: int | None) -> list:
    """The values as Python's integers, which JSON knows; None too, if that may be."""
    return [v if none and v is None else integer("fit", k, v) for k, v in named.items()]


def _check(train: DataLoader, epochs: int, accumulate: int, scheduler: LRScheduler | None,
           callbacks: Sequence) -> None:
    """The errors that need no start of training to be found."""
    steps = epochs * math.ceil(len(train) / accumulate)
    planned_steps = getattr(scheduler, "total_steps", steps)
    if planned_steps < steps:
        raise ValueError(f"fit: the {type(scheduler).__name__} is made for {planned_steps} steps, "
                         f"but {epochs} epochs have {steps}")
    for callback in callbacks:
        if not any(hasattr(callback, method) for method in ("on_step_end", "on_epoch_end")):
            raise TypeError(f"fit: the callback {type(callback).__name__} has neither on_step_end "
                            "nor on_epoch_end")
