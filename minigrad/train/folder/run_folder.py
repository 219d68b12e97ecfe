"""The folder of a run.

    config.json                             what was run, where, with what versions and which seed
    history.jsonl                           a line per epoch
    checkpoints/step-NNNNNNNN.safetensors   the whole state after that step; the highest is latest
    checkpoints/best.safetensors            the weights of the best epoch, for `weights=`
    lock                                    while a process trains here: which one (see `Lock`)

config.json and the metadata of best.safetensors also say what the network is: see `about`.
"""

import json
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from minigrad.backend import random_state
from minigrad.files import write_file
from minigrad.train import guard
from minigrad.train.folder.about import as_metadata
from minigrad.train.folder.checkpoint import Checkpoints
from minigrad.train.folder.identity import differences, environment, first_of, with_allowances
from minigrad.train.folder.lock import Lock
from minigrad.train.history import History
from minigrad.train.run import Run
from minigrad.weights import WeightsError, load, save

_log = logging.getLogger(__name__)
T = TypeVar("T")
_disk_log = logging.getLogger("minigrad.train.folder.disk")     # of saves that the disk refuses
_WAYS_ON = ("go on with what it had (on_error of a loader may differ, and a photograph that is "
            "gone keeps its place with ImageFolder(removed=[...])), or begin a new run in another "
            "folder with its weights: start_from=")


class NotSavedError(OSError):
    """Training is finished, and the disk refused its last state; `history` has its figures."""

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history


class RunFolder:
    """Writes what a run leaves behind. Only one process at a time can be in a folder.

    A disk that refuses (full, say) does not end a run under way: a warning says so the first time,
    the files that were there stay, and the next save is the next attempt. At the end a message says
    how many saves were refused; it is an error if the last one was.
    """

    def __init__(self, path: str | os.PathLike, keep: int) -> None:
        self.path = Path(path)
        self.checkpoints = Checkpoints(self.path / "checkpoints", keep)
        self.refusal: OSError | None = None     # the last one
        self._best = self.checkpoints.folder / "best.safetensors"
        self._lock: Lock | None = None
        self._refusals = 0

    def enter(self, run: Run, resume: bool, identity: dict, about: dict) -> bool:
        """Take the folder, which is made if need be; returns whether there is a run to go on with.

        identity: what a run must have in common with this one to go on here (see identity.py);
        about: what its network is. Raises TypeError for a metric that cannot be saved;
        BlockingIOError if another process has the folder; FileExistsError if there is a run and not
        `resume`, or one that nobody can go on with; OSError for a folder that cannot be written.
        """
        self._identity, self._about = identity, about
        for meter in run.meters.values():
            meter.state_dict()          # an error now, not at the first save
        self.checkpoints.folder.mkdir(parents=True, exist_ok=True)
        self._lock = Lock(self.path)
        self.checkpoints.clean()
        paths = self.checkpoints.paths()
        if paths and not resume:
            raise FileExistsError(f"{self.path}: there is a run already ({paths[-1].name}); pass "
                                  "resume=True to go on with it, or another folder")
        if not paths and self._best.exists():
            raise FileExistsError(
                f"{self._best}: there are the best weights of a run whose step files are gone, so "
                "nothing can go on from here; begin a new run in another folder, with these "
                "weights by start_from=, or delete this one")
        return bool(paths)

    def close(self) -> None:
        """Leave the folder to others."""
        if self._lock:
            self._lock.close()

    def begin(self, settings: dict) -> None:
        """Write config.json."""
        self._write_config({"environment": environment(), "seed": random_state()["seed"],
                            "settings": settings, **self._identity, **self._about})

    def _write_config(self, config: dict) -> None:
        text = json.dumps(config, indent=1, ensure_ascii=False)
        # names of files that are no UTF-8 hold half characters, which JSON may have escaped alone
        write_file(self.path / "config.json", [f"{text}\n".encode(errors="backslashreplace")])

    def load(self, run: Run, settings: dict) -> Path:
        """Put `run` where it was left; the path of the checkpoint.

        Raises ValueError if that run is another one; WeightsError if all of its checkpoints are
        damaged; OSError for one that cannot be opened.
        """
        newest = self.checkpoints.load()
        assert newest is not None, "enter has said that there is a checkpoint"
        path, state = newest
        self._check(path, state)
        run.load_state_dict(state)
        self._save_history(run)
        self._attempt(lambda: self._renew(settings))
        self._check_best(run)
        return path

    def _renew(self, settings: dict) -> None:
        """Write down settings that are others now, more epochs, say."""
        try:
            config = json.loads((self.path / "config.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return                          # nothing needs it to go on
        old = config.get("settings", {})
        if old | settings != old:
            self._write_config({**config, "settings": old | settings})

    def _check(self, path: Path, state: dict) -> None:
        saved_identity = with_allowances(state["identity"], self._identity, state.get("left_out"))
        other = differences(saved_identity, self._identity)
        if other:
            raise ValueError(f"{path}: this is another run, which cannot go on here; it had "
                             f"{first_of(other)}; {_WAYS_ON}{os.fspath(path)!r}")
        changes = differences(state["environment"], environment())
        if changes:
            _log.warning("%s: last bits may differ from an uninterrupted run; it was saved with %s",
                         path, first_of(changes))

    def _check_best(self, run: Run) -> None:
        """See to it that best.safetensors is of the best epoch, and keep it if it is asked for."""
        if run.best is None:
            return
        try:
            saved = load(self._best)
            right = saved.metadata.get("epoch") == str(run.best["epoch"])
        except (OSError, WeightsError):
            right = False
        at_its_end = (run.best["epoch"], 0) == (run.epoch, run.places["train"]["position"])
        if at_its_end:                      # the process was killed between two files, say
            best = run.model.state_dict()
            if not right:
                self._save_best(run, run.best)
        elif right:
            best = saved
        else:
            _log.warning("%s does not hold the weights of the best epoch, %d, which are lost",
                         self._best, run.best["epoch"])
            return
        if run.restore_best:
            run.best_weights = {name: array.copy() for name, array in best.items()}

    def save(self, run: Run) -> Path | None:
        """Save the whole state; the path, or None if the disk refuses.

        Raises NonFiniteError instead of saving NaN or infinity.
        """
        state = {**run.state_dict(), "identity": self._identity, "about": self._about,
                 "environment": environment()}
        check_finite(run)
        path = self._attempt(lambda: self.checkpoints.save(state))
        run.unsaved = 0 if path else run.unsaved + 1
        return path

    def save_epoch(self, run: Run, improved: bool) -> None:
        """Save after an epoch: the state, the weights, if they are the best so far, the history."""
        self.save(run)
        if improved and run.best is not None:
            self._save_best(run, run.best)
        self._save_history(run)

    def end(self, run: Run) -> None:
        """NotSavedError if the last state is not on the disk."""
        if run.unsaved and self.refusal is not None:
            raise NotSavedError(
                f"training is finished, and its end could not be saved: {_reason(self.refusal)}; "
                f"{self.newest()}; the disk refused {self._refusals} files in all; free some room "
                "and repeat with resume=True, or save model.state_dict() elsewhere",
                run.history) from self.refusal
        if self._refusals:
            _disk_log.warning("%s: the disk refused %d files on the way; the last state is saved",
                              self.path, self._refusals)

    def newest(self) -> str:
        """What there is to go on from, in words."""
        paths = self.checkpoints.paths()
        return f"the newest checkpoint is {paths[-1]}" if paths else "there is no checkpoint"

    def _save_history(self, run: Run) -> None:
        self._attempt(lambda: run.history.save(self.path / "history.jsonl"))

    def _save_best(self, run: Run, best: Mapping) -> None:
        metadata = {**as_metadata(self._about), "epoch": str(best["epoch"]),
                    run.monitor: repr(best["value"])}
        self._attempt(lambda: save(self._best, run.model.state_dict(), metadata))

    def _attempt(self, action: Callable[[], T]) -> T | None:
        """What `action` gives, or None if the disk refuses."""
        try:
            return action()
        except OSError as error:
            self.refusal = error
            self._refusals += 1
            if self._refusals == 1:
                _disk_log.warning("%s; training goes on, what was saved before stays, and the next "
                                  "save is the next attempt", _reason(error))
            return None


def _reason(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


def check_finite(run: Run) -> None:
    """NonFiniteError that names the first tensor of model and optimizer with NaN or infinity."""
    values = list(run.model.state_dict().items())
    for number, entries in run.optimizer.state_dict()["state"].items():
        values += [(f"{name} of parameter {number}, in the optimizer,", value)
                   for name, value in entries.items() if hasattr(value, "dtype")]
    guard.check_values(values, f"after step {run.step} (epoch {run.epoch + 1})")
