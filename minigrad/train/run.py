"""A training run: the objects that it trains with, and how far it is. Callbacks are given it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Real

from minigrad.backend import random_state, set_random_state
from minigrad.optim import GradScaler
from minigrad.tensor import Tensor
from minigrad.train.history import History, better, lookup
from minigrad.train.identity import frozen_names
from minigrad.train.metrics import MeanLoss, Metric, fresh


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
    """

    def __init__(self, model, optimizer, scheduler, train, valid,
                 metrics: Mapping[str, Callable[[], Metric]], loss: Callable,
                 monitor: str | None, scaler: GradScaler | None = None):
        self.model, self.optimizer, self.scheduler = model, optimizer, scheduler
        self.train, self.valid = train, valid
        self.step = self.epoch = self.waited = 0
        self.history, self.best, self.seconds, self.lr = History(), None, 0.0, []
        self.scaler, self.skipped = scaler, 0
        if "loss" in metrics:
            raise ValueError("fit: the metric 'loss' is the loss itself; give yours another name")
        self.metrics = {"loss": lambda: MeanLoss(loss), **metrics}
        self.meters = fresh(self.metrics)
        self.monitor = monitor or ("train.loss" if valid is None else "valid.loss")
        known = [f"{part}.{name}" for part, there in (("train", train), ("valid", valid))
                 if there is not None for name, meter in self.meters.items() if meter.single]
        if self.monitor not in known:
            raise ValueError(f"fit: monitor {self.monitor!r} is none of {', '.join(known)}, the "
                             "figures of one number")
        self.rewind()

    def rewind(self) -> None:
        """Put the loaders at the start of the epochs that they are in, and note these places."""
        self.places = {}
        for name, loader in (("train", self.train), ("valid", self.valid)):
            if loader is not None:
                self.places[name] = {**loader.state_dict(), "position": 0}
                loader.load_state_dict(self.places[name])

    def end_epoch(self, valid: dict | None) -> bool:
        """Add the line of the epoch to the history; True if it is the best so far."""
        train = {name: meter.compute() for name, meter in self.meters.items()}
        line = {"epoch": self.epoch + 1, "lr": self.lr[0] if len(self.lr) == 1 else self.lr,
                "train": _plain(train), **({} if valid is None else {"valid": _plain(valid)}),
                "seconds": round(self.seconds, 3),
                **({} if self.scaler is None else {"skipped": self.skipped})}
        self.history.append(line)
        self.epoch += 1
        self.meters, self.seconds, self.skipped = fresh(self.metrics), 0.0, 0
        self.rewind()
        value = lookup(line, self.monitor)
        if not isinstance(value, Real):
            raise TypeError(f"fit: monitor {self.monitor!r} is a {type(value).__name__}, not a "
                            "number; watch another figure")
        improved = better(self.monitor, value, self.best and self.best["value"])
        if improved:
            self.best, self.waited = {"epoch": self.epoch, "value": value}, 0
        else:
            self.waited += 1
        return improved

    def state_dict(self) -> dict:
        """All of it, for a checkpoint: what a run needs to go on as if it had never stopped."""
        optimizer = self.optimizer.state_dict()
        return {
            "step": self.step, "epoch": self.epoch, "waited": self.waited, "best": self.best,
            "seconds": self.seconds, "lr": self.lr, "history": list(self.history),
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
        self.train.load_state_dict(self.places["train"])
        if self.valid is not None:
            self.valid.load_state_dict(self.places["valid"])
        for name, meter in self.meters.items():
            meter.load_state_dict(state["meters"][name])
        self.history = History(state["history"])
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
