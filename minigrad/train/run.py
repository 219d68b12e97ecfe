"""A training run: the objects that it trains with, and how far it is. Callbacks are given it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Real

from minigrad.backend import random_state, set_random_state
from minigrad.optim import GradScaler
from minigrad.tensor import Tensor
from minigrad.train.history import History
from minigrad.train.identity import frozen_names
from minigrad.train.lines import better, lookup
from minigrad.train.metrics import MeanLoss, Metric, fresh

_LISTED = 10    # samples that are named


class Run:
    """`model`, `optimizer`, `scheduler`, `train`, `valid` (the loaders), and

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

    def __init__(self, model, optimizer, scheduler, train, valid,
                 metrics: Mapping[str, Callable[[], Metric]], loss: Callable,
                 monitor: str | None, scaler: GradScaler | None = None,
                 restore_best: bool = False):
        self.model, self.optimizer, self.scheduler = model, optimizer, scheduler
        self.train, self.valid = train, valid
        self.step = self.epoch = self.waited = 0
        self.history, self.best, self.seconds, self.lr = History(), None, 0.0, []
        self.scaler, self.skipped, self.unsaved = scaler, 0, 0
        self.left_out, self._left_out_now = {}, set()
        self.restore_best, self.best_weights = restore_best, None
        if "loss" in metrics:
            raise ValueError("fit: the metric 'loss' is the loss itself; give yours another name")
        self.metrics = {"loss": lambda: MeanLoss(loss), **metrics}
        self.meters = fresh(self.metrics)
        self.monitor = monitor or ("train.loss" if valid is None else "valid.loss")
        known = [f"{part}.{name}" for part in self.loaders
                 for name, meter in self.meters.items() if meter.single]
        if self.monitor not in known:
            raise ValueError(f"fit: monitor {self.monitor!r} is none of {', '.join(known)}, the "
                             "figures of one number")
        self.rewind()

    @property
    def loaders(self) -> dict:
        """{"train": ..., "valid": ...}, without what there is not."""
        both = {"train": self.train, "valid": self.valid}
        return {name: loader for name, loader in both.items() if loader is not None}

    def rewind(self) -> None:
        """Put the loaders at the start of the epochs that they are in, and note these places."""
        self.places = {}
        for name, loader in self.loaders.items():
            self.places[name] = {**loader.state_dict(), "position": 0}
            loader.load_state_dict(self.places[name])

    def end_epoch(self, valid: dict | None) -> bool:
        """Add the line of the epoch to the history; True if it is the best so far."""
        train = {name: meter.compute() for name, meter in self.meters.items()}
        line = {"epoch": self.epoch + 1, "lr": self.lr[0] if len(self.lr) == 1 else self.lr,
                "train": _plain(train), **({} if valid is None else {"valid": _plain(valid)}),
                "seconds": round(self.seconds, 3),
                **({} if self.scaler is None else {"skipped": self.skipped}),
                **({"left_out": len(self._left_out_now)} if self._may_leave_out() else {})}
        self.history.append(line)
        self.epoch += 1
        self.meters, self.seconds, self.skipped = fresh(self.metrics), 0.0, 0
        self._left_out_now = set()
        self.rewind()
        value = lookup(line, self.monitor)
        if not isinstance(value, Real):
            raise TypeError(f"fit: monitor {self.monitor!r} is a {type(value).__name__}, not a "
                            "number; watch another figure")
        improved = better(self.monitor, value, self.best and self.best["value"])
        if improved:
            self.best, self.waited = {"epoch": self.epoch, "value": value}, 0
            if self.restore_best:
                self.best_weights = {k: v.copy() for k, v in self.model.state_dict().items()}
        else:
            self.waited += 1
        return improved

    def note_left_out(self, loader) -> None:
        """Take over what a loader has left out in this epoch."""
        self.left_out.update(loader.skipped)
        self._left_out_now.update(name for name, _ in loader.skipped)
        self.history.left_out = self.left_out

    def left_out_lines(self) -> list[str]:
        """What to tell a person about it; nothing if nothing was left out."""
        if not self.left_out:
            return []
        lines = [f"  {name}: {reason}" for name, reason in self.left_out.items()]
        more = [f"  and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []
        total = sum(len(loader.dataset) for loader in self.loaders.values())
        return [f"left out: {len(lines)} of {total} samples, which could not be read",
                *lines[:_LISTED], *more]

    def _may_leave_out(self):
        return any(loader.on_error != "raise" for loader in self.loaders.values())

    def state_dict(self) -> dict:
        """All of it, for a checkpoint: what a run needs to go on as if it had never stopped."""
        optimizer = self.optimizer.state_dict()
        return {
            "step": self.step, "epoch": self.epoch, "waited": self.waited, "best": self.best,
            "seconds": self.seconds, "lr": self.lr, "history": list(self.history),
            "left_out": self.left_out, "left_out_now": sorted(self._left_out_now),
            "skipped": self.skipped, "scaler": self.scaler and self.scaler.state_dict(),
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
        for name in ("step", "epoch", "waited", "best", "seconds", "lr", "skipped"):
            setattr(self, name, state[name])
        set_random_state(state["random"])


def _plain(figures):
    """The figures as JSON has them."""
    return {name: value.tolist() if hasattr(value, "tolist") else value
            for name, value in figures.items()}


def trained(optimizer) -> list[Tensor]:
    """All Tensors of all groups."""
    return [p for group in optimizer.param_groups for p in group["params"]]
