"""The folder of a run.

    config.json                             what was run, where, with what versions and which seed
    history.jsonl                           a line per epoch
    checkpoints/step-NNNNNNNN.safetensors   the whole state after that step; the highest is latest
    checkpoints/best.safetensors            the weights of the best epoch, for `weights=`
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

from minigrad.backend import random_state
from minigrad.train import guard
from minigrad.train.checkpoint import Checkpoints
from minigrad.train.identity import differences, environment, listed
from minigrad.train.run import Run
from minigrad.weights import save
from minigrad.weights.atomic import write_file

_log = logging.getLogger(__name__)


class RunFolder:
    """Writes what a run leaves behind.

    A disk that refuses (full, say) does not end a run under way: a warning says so, the files that
    were there stay, and the next save is the next attempt. Only the last one, at the end, raises.
    """

    def __init__(self, path: str | os.PathLike, keep: int):
        self.path = Path(path)
        self.checkpoints = Checkpoints(self.path / "checkpoints", keep)

    def open(self, run: Run, identity: dict, settings: dict, resume: bool) -> Path | None:
        """Begin a run in this folder, or load into `run` where it was left; then the path of the
        checkpoint is returned.

        Raises TypeError for a metric that cannot be saved; FileExistsError if there is a run and
        not `resume`; ValueError if that run is another one; WeightsError if all of its checkpoints
        are damaged; OSError for a checkpoint that cannot be opened, and for a folder that cannot be
        written.
        """
        self.identity = identity
        for meter in run.meters.values():
            meter.state_dict()          # an error now, not at the first save
        self.checkpoints.folder.mkdir(parents=True, exist_ok=True)
        self.checkpoints.clean()
        there = self.checkpoints.paths()
        if there and not resume:
            raise FileExistsError(f"{self.path}: there is a run already ({there[-1].name}); pass "
                                  "resume=True to go on with it, or another folder")
        found = self.checkpoints.load() if there else None
        if found:
            path, state = found
            self._check(path, state)
            run.load_state_dict(state)
            run.history.save(self.path / "history.jsonl")
            return path
        config = {"environment": environment(), "seed": random_state()["seed"],
                  "settings": settings, **identity}
        text = json.dumps(config, indent=1, ensure_ascii=False)
        write_file(self.path / "config.json", [f"{text}\n".encode()])
        return None

    def _check(self, path, state):
        other = differences(state["identity"], self.identity)
        if other:
            raise ValueError(f"{path}: this is another run, which cannot go on here; it had "
                             f"{listed(other)}")
        moved = differences(state["environment"], environment())
        if moved:
            _log.warning("%s: last bits may differ from an uninterrupted run; it was saved with %s",
                         path, listed(moved))

    def save(self, run: Run, last: bool = False) -> Path | None:
        """Save the whole state; the path, or None if the disk refuses and it is not the `last`.

        Raises NonFiniteError instead of saving NaN or infinity.
        """
        state = {**run.state_dict(), "identity": self.identity, "environment": environment()}
        check_finite(run, state)
        return self._attempt(lambda: self.checkpoints.save(state), last)

    def save_epoch(self, run: Run, improved: bool, last: bool) -> None:
        """Save after an epoch: the weights, if they are the best so far, the state, the history."""
        if improved:
            best = self.checkpoints.folder / "best.safetensors"
            about = {"epoch": str(run.epoch), run.monitor: repr(run.best["value"])}
            self._attempt(lambda: save(best, run.model.state_dict(), about), last)
        self.save(run, last)
        self._attempt(lambda: run.history.save(self.path / "history.jsonl"), last)

    def _attempt(self, action, last):
        try:
            return action()
        except OSError as error:
            if last:
                raise
            _log.warning("%s; training goes on, what was saved before stays", error)
            return None


def check_finite(run: Run, state: dict | None = None) -> None:
    """NonFiniteError that names the first tensor of model and optimizer with NaN or infinity."""
    state = state or {"model": run.model.state_dict(), "optimizer": run.optimizer.state_dict()}
    values = list(state["model"].items())
    for number, entries in state["optimizer"]["state"].items():
        values += [(f"{name} of parameter {number}, in the optimizer,", value)
                   for name, value in entries.items() if hasattr(value, "dtype")]
    guard.check_values(values, f"after step {run.step} (epoch {run.epoch + 1})")
