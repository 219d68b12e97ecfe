"""A training run: the objects that it trains with, and how far it is. Callbacks are given it."""

import math
from collections.abc import Callable, Mapping
from numbers import Real

from minigrad.backend import random_state, set_random_state
from minigrad.data import DataLoader
from minigrad.engine import data_of
from minigrad.graph import no_grad
from minigrad.nn import Module
from minigrad.optim import GradScaler, Optimizer
from minigrad.optim.lr_scheduler import LRScheduler
from minigrad.train.evaluate import Metrics
from minigrad.train.history.history import History, lookup, rank
from minigrad.train.metrics import MeanLoss, compute_all, new_meters
from minigrad.train.tuning import frozen_names

# what a checkpoint has as it is
_NUMBERS = "step", "epoch", "waited", "best", "seconds", "lr", "skipped"
_MOST_NAMES = 10    # of samples that were left out


class Run:
    """A run has `model`, `optimizer`, `scheduler`, the loaders `train` and `valid`, and

    loaders     {"train": ..., "valid": ...}, the latter only if there is one
    step        steps so far, those that were skipped among them
    epoch       finished epochs
    history     their lines (`History`)
    meters      {"loss": ..., and the metrics} of the current epoch so far
    monitor     the name of the watched figure, such as "valid.loss"
    best        {"epoch", "value"} of the best epoch, or None
    waited      epochs since then
    places      {"train": the state of that loader, "valid": ...}: where a checkpoint puts them
    seconds     time spent on the current epoch
    lr          the learning rates of the last step, one per group
    scaler      what scales the loss (a `minigrad.optim.GradScaler`), or None
    skipped     steps of the current epoch that were left out because a gradient overflowed
    left_out    {name: reason} of the samples that the loaders left out
    best_weights    those of the best epoch, if the model is to have them at the end, or None
    unsaved     how many saves in a row the disk has refused
    """

    def __init__(self, model: Module, optimizer: Optimizer, scheduler: LRScheduler | None,
                 train: DataLoader, valid: DataLoader | None, metrics: Metrics, loss: Callable,
                 monitor: str | None, scaler: GradScaler | None = None, restore_best: bool = False
                 ) -> None:
        self.model, self.optimizer, self.scheduler = model, optimizer, scheduler
        self.train, self.valid = train, valid
        self.loaders = {"train": train} if valid is None else {"train": train, "valid": valid}
        self.step = self.epoch = self.waited = 0
        self.history, self.seconds = History(), 0.0
        self.lr: list[float] = []
        self.best: dict | None = None
        self.scaler, self.skipped, self.unsaved = scaler, 0, 0
        self.left_out: dict[str, str] = {}
        self._left_out_now: set[str] = set()
        self.restore_best = restore_best
        self.best_weights: dict | None = None
        if "loss" in metrics:
            raise ValueError("fit: the metric 'loss' is the loss itself; give yours another name")
        self.metrics = {"loss": lambda: MeanLoss(loss), **metrics}
        self.meters = new_meters(self.metrics)
        self.monitor = monitor or ("train.loss" if valid is None else "valid.loss")
        figures = [f"{part}.{name}" for part in self.loaders
                   for name, meter in self.meters.items() if meter.single]
        if self.monitor not in figures:
            raise ValueError(f"fit: monitor {self.monitor!r} is none of {', '.join(figures)}, the "
                             "figures of one number")
        self.rewind()

    def rewind(self) -> None:
        """Put each loader at the first batch of its current epoch, and note these places."""
        self.places = {}
        for name, loader in self.loaders.items():
            self.places[name] = {**loader.state_dict(), "position": 0}
            loader.load_state_dict(self.places[name])

    def end_epoch(self, valid: dict | None) -> bool:
        """Add the line of the epoch to the history; True if it is the best so far."""
        line = {"epoch": self.epoch + 1, "lr": self.lr[0] if len(self.lr) == 1 else self.lr,
                "train": _json_values(compute_all(self.meters))}
        if valid is not None:
            line["valid"] = _json_values(valid)
        line["seconds"] = round(self.seconds, 3)
        if self.scaler is not None:
            line["skipped"] = self.skipped
        if any(loader.on_error != "raise" for loader in self.loaders.values()):
            line["left_out"] = len(self._left_out_now)
        self.history.append(line)
        self.epoch += 1
        self.meters, self.seconds, self.skipped = new_meters(self.metrics), 0.0, 0
        self._left_out_now = set()
        self.rewind()
        value = lookup(line, self.monitor)
        if not isinstance(value, Real):
            raise TypeError(f"fit: monitor {self.monitor!r} is a {type(value).__name__}, not a "
                            "number; watch another figure")
        before = self.best["value"] if self.best else math.nan
        if rank(self.monitor, float(value)) <= rank(self.monitor, before):
            self.waited += 1
            return False
        self.best, self.waited = {"epoch": self.epoch, "value": value}, 0
        if self.restore_best:
            self.best_weights = {k: v.copy() for k, v in self.model.state_dict().items()}
        return True

    def note_left_out(self, loader: DataLoader) -> None:
        """Take over what a loader has left out in this epoch."""
        self.left_out.update(loader.skipped)
        self._left_out_now.update(name for name, _ in loader.skipped)
        self.history.left_out = self.left_out

    def left_out_lines(self) -> list[str]:
        """Lines that tell which samples were left out; none if no sample was."""
        if not self.left_out:
            return []
        lines = [f"  {name}: {reason}" for name, reason in self.left_out.items()]
        more = [f"  and {len(lines) - _MOST_NAMES} more"] if len(lines) > _MOST_NAMES else []
        total = sum(len(loader.dataset) for loader in self.loaders.values())
        return [f"left out: {len(lines)} of {total} samples, which could not be read",
                *lines[:_MOST_NAMES], *more]

    def state_dict(self) -> dict:
        """All of it, for a checkpoint: what a run needs to go on as if it had never stopped."""
        optimizer = self.optimizer.state_dict()
        return {
            **{name: getattr(self, name) for name in _NUMBERS}, "history": list(self.history),
            "left_out": self.left_out, "left_out_now": sorted(self._left_out_now),
            "scaler": self.scaler and self.scaler.state_dict(),
            "meters": {name: meter.state_dict() for name, meter in self.meters.items()},
            "places": self.places, "random": random_state(),
            "model": self.model.state_dict(), "frozen": frozen_names(self.model),
            "optimizer": {**optimizer, "state": {
                str(number): state for number, state in optimizer["state"].items()}},
            "scheduler": self.scheduler and self.scheduler.state_dict()}

    def load_state_dict(self, state: Mapping) -> None:
        """Go on where `state_dict` was taken. Raises ValueError if model, optimizer, scheduler or
        a loader does not fit."""
        self.model.load_state_dict(state["model"])
        for name, p in self.model.named_parameters():
            p.requires_grad = name not in state["frozen"]
        optimizer = state["optimizer"]
        self.optimizer.load_state_dict({**optimizer, "state": {
            int(number): entries for number, entries in optimizer["state"].items()}})
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state["scheduler"])
        self.places = state["places"]
        for name, loader in self.loaders.items():
            loader.load_state_dict(self.places[name])
        for name, meter in self.meters.items():
            meter.load_state_dict(state["meters"][name])
        self.history = History(state["history"])
        self.left_out = self.history.left_out = dict(state.get("left_out", {}))
        self._left_out_now = set(state.get("left_out_now", ()))
        if self.scaler is not None:
            self.scaler.load_state_dict(state["scaler"])
        for name in _NUMBERS:
            setattr(self, name, state[name])
        set_random_state(state["random"])


def _json_values(figures: Mapping[str, object]) -> dict[str, object]:
    """The figures as JSON has them."""
    return {k: v.tolist() if hasattr(v, "tolist") else v for k, v in figures.items()}


def save_buffers(model: Module) -> Callable[[], None]:
    """A function that puts the buffers of a model back as they are now, even if a forward has put
    others in their places."""
    originals = [(module, name, value, data_of(value).copy())
                 for _, module in model.named_modules()
                 for name, value in module.named_buffers(recurse=False)]

    def put_back() -> None:
        with no_grad():
            for module, name, value, numbers in originals:
                value[...] = numbers
                setattr(module, name, value)

    return put_back
