"""`python -m experiments runs [--in DIR]`: the runs that are kept, and what they take of the disk.

A run is the folder of an `experiments` command, with its trainings, or that of a `fit`. With
`--clean`, the step files that a finished run no longer needs are removed. The newest stays, from
which it can go on for more epochs, and so do its best weights.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import datetime
from numbers import Real
from pathlib import Path

from experiments.errors import UserError
from experiments.report.terminal import Screen, shown, table_lines
from experiments.results import read_text
from minigrad.train import History
from minigrad.train.folder.checkpoint import Checkpoints, read
from minigrad.train.folder.lock import Lock, holder
from minigrad.train.history.history import lookup, rank
from minigrad.weights import WeightsError

_DAMAGE = OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError
_HEADER = "run", "state", "best figures", "epochs", "last written", "MB"


@dataclass(frozen=True)
class Kept:
    """A run and what its folder tells of it; `trainings` are the folders of its step files."""

    folder: Path
    state: str
    finished: bool = False
    best: str = ""
    epochs: int | None = None
    trainings: tuple[Path, ...] = field(default=())

    @property
    def written(self) -> float:
        """When the newest of its files was written, in seconds since 1970."""
        return max((stat.st_mtime for stat in self._stats()), default=0.0)

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(stat.st_size for stat in self._stats())

    def _stats(self):
        """Of every file in it; links are not followed, and files may go while we look."""
        for place, _, names in os.walk(self.folder):
            for name in names:
                with suppress(OSError):
                    yield os.lstat(os.path.join(place, name))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--in", dest="folder", default="results", metavar="DIR",
                        help="the folder of the runs, or one run (default: results)")
    parser.add_argument("--clean", action="store_true",
                        help="remove the step files of finished runs, all but the newest of each "
                             "training; the best weights stay")
    parser.add_argument("--dry-run", action="store_true",
                        help="with --clean: only say what would be removed")


def run(args: argparse.Namespace) -> int:
    """List the runs or clean them.

    Raises UserError for a folder that is not there, and for files that cannot be removed.
    """
    folder = Path(args.folder).expanduser()
    if args.dry_run and not args.clean:
        raise UserError("--dry-run says what --clean would remove; add --clean")
    try:
        found, others = find(folder)
    except OSError as error:
        raise UserError(f"--in {folder}: {error.strerror}; give a folder of runs with --in DIR"
                        ) from error
    screen = Screen(sys.stdout)
    if args.clean:
        return _clean(screen, found, args.dry_run)
    if found:
        screen.print(table_lines(screen, _HEADER, [_row(kept, folder) for kept in found]))
    more = sum(_size(path) for kept in found for path in removable(kept))
    screen.print(["", *screen.wrapped(
        f"{len(found)} run{'s' * (len(found) != 1)} in {shown(folder)}, "
        f"{_megabytes(sum(kept.size for kept in found))} MB."
        + (f" {_megabytes(more)} MB of it are step files that nobody needs any more: "
           f"--clean removes them." if more else ""))])
    if others:
        screen.print(screen.wrapped(f"No runs: {', '.join(map(shown, others))}."))
    return 0


def find(folder: Path) -> tuple[list[Kept], list[str]]:
    """(the runs in `folder`, newest first, or itself if it is one; names of what else is there).

    Raises OSError if it is no folder that can be read.
    """
    itself = look(folder)
    if itself is not None:
        return [itself], []
    found, others = [], []
    for path in sorted(folder.iterdir()):
        kept = None if path.is_symlink() else look(path)
        inner = [kept] if kept else list(filter(None, map(look, _folders(path))))
        found += inner
        if not inner:
            others.append(path.name)
    return sorted(found, key=lambda kept: kept.written, reverse=True), others


def look(folder: Path) -> Kept | None:
    """What is in `folder`, if that is a run."""
    try:
        if (folder / "claims.json").exists() or "names" in _config(folder):
            return _experiments(folder)
        if (folder / "checkpoints").is_dir() or (folder / "history.jsonl").exists():
            return _training(folder)
    except PermissionError as error:
        return Kept(folder, f"cannot be read: {error.strerror}")
    return None


def running(folder: Path) -> str | None:
    """Who is at work in the folder, such as "process 12 on host"; None if nobody is."""
    who = holder(folder)
    if who is None:
        return None
    return "another process" if who["pid"] is None else (
        f"process {shown(who['pid'])} on {shown(who['host'])}")


def removable(kept: Kept) -> list[Path]:
    """The step files that a finished run needs no more: all but the newest of each training."""
    return [path for training in kept.trainings
            if kept.finished and not (training / "checkpoints").is_symlink()
            for path in Checkpoints(training / "checkpoints").paths()[:-1]]


def _config(folder: Path) -> dict:
    """config.json, empty if it cannot be had."""
    try:
        config = json.loads(read_text(folder / "config.json"))
    except (OSError, ValueError, RecursionError):
        return {}
    return config if isinstance(config, dict) else {}


def _training(folder: Path) -> Kept:
    """The folder of a `fit`."""
    who = running(folder)
    try:
        config, path = _config(folder), folder / "history.jsonl"
        if not config:
            return Kept(folder, "damaged: config.json")
        planned, monitor, patience = (int(config["settings"]["epochs"]), config["monitor"],
                                      config["patience"])
        history = History.read(path) if path.is_file() else History()
        best, waited = None, 0
        for line in history:
            value = lookup(line, monitor)
            before = math.nan if best is None else lookup(best, monitor)
            improved = rank(monitor, value) > rank(monitor, before)
            best, waited = (line, 0) if improved else (best, waited + 1)
        done = len(history)
        finished = done >= planned or (patience is not None and waited >= patience)
        state = (f"running, {who}" if who else "finished" if done >= planned else
                 f"finished early, after epoch {done} of {planned}" if finished else
                 f"stopped after epoch {done} of {planned}")
        return Kept(folder, state, finished and not who, _figures(best, monitor), done, (folder,))
    except _DAMAGE as error:
        return Kept(folder, f"damaged: {_reason(error, folder)}")


def _figures(best: dict | None, monitor: str) -> str:
    """"valid loss 0.1234, accuracy 0.9500 (epoch 7)"."""
    if best is None:
        return ""
    part = monitor.partition(".")[0]
    figures = ", ".join(f"{shown(name)} {value:.4f}" for name, value in best[part].items()
                        if isinstance(value, Real))
    return f"{part} {figures} (epoch {best['epoch']})"


def _experiments(folder: Path) -> Kept:
    """The folder of an `experiments` command; its trainings are in it."""
    trainings = [kept for kept in map(look, _folders(folder)) if kept and kept.trainings]
    who = running(folder) or next(filter(None, (running(kept.folder) for kept in trainings)), None)
    epochs = sum(kept.epochs for kept in trainings) if trainings else None
    try:
        path = folder / "claims.json"
        document = json.loads(read_text(path)) if path.exists() else {
            "requested": _config(folder)["names"], "questions": [], "claims": [],
            "complete": False}
        answered, asked = len(document["questions"]), len(document["requested"])
        state = (f"running, {who}" if who else "finished" if document["complete"] else
                 f"stopped, {answered} of {asked} questions answered")
        claims = document["claims"]
        odd = sum(not claim["as_documented"] for claim in claims)
        best = f"{len(claims)} claims, {f'{odd} of them not' if odd else 'all'} as documented"
        finished = document["complete"] is True and not who and all(k.finished for k in trainings)
        return Kept(folder, state, finished, best if claims else "", epochs,
                    tuple(kept.folder for kept in trainings))
    except _DAMAGE as error:
        return Kept(folder, f"damaged: claims.json ({_reason(error, folder)})", epochs=epochs)


def _reason(error: Exception, folder: Path) -> str:
    """What an error says, in one line, with names relative to the folder."""
    return shown(" ".join(str(error).replace(f"{folder}{os.sep}", "").split()))


def _folders(folder: Path) -> Iterator[Path]:
    """The folders in it, in order; none if it is no folder, or a link to one."""
    if folder.is_dir() and not folder.is_symlink() and os.access(folder, os.R_OK | os.X_OK):
        yield from (path for path in sorted(folder.iterdir()) if path.is_dir())


def _clean(screen: Screen, found: list[Kept], dry: bool) -> int:
    freed, failed = 0, []
    for kept in found:
        for training in kept.trainings:
            paths = [path for path in removable(kept) if path.parent.parent == training]
            if not paths:
                continue
            try:
                with nullcontext() if dry else Lock(training):
                    # if it is damaged, one of the others is the only one to go on from
                    read(Checkpoints(training / "checkpoints").paths()[-1])
                    sizes, refused = _remove(paths, dry)
            except (OSError, WeightsError) as error:
                screen.print(screen.wrapped(f"{shown(training)}: nothing removed: {error}"))
                continue
            screen.print(screen.wrapped(
                f"{shown(training)}: {len(sizes)} step file{'s' * (len(sizes) != 1)}, "
                f"{_megabytes(sum(sizes))} MB"))
            freed += sum(sizes)
            failed += refused
    screen.print([f"{'Would free' if dry else 'Freed'} {_megabytes(freed)} MB."])
    if failed:
        raise UserError(f"cannot remove {failed[0]}" + (
            f"; and {len(failed) - 1} more" if len(failed) > 1 else ""))
    return 0


def _remove(paths: list[Path], dry: bool) -> tuple[list[int], list[str]]:
    """(sizes of what is gone, or would be; what could not be removed, and why)."""
    sizes, refused = [], []
    for path in paths:
        size = _size(path)
        try:
            if not dry:
                path.unlink()
            sizes.append(size)
        except OSError as error:
            refused.append(f"{shown(path)}: {error.strerror}")
    return sizes, refused


def _row(kept: Kept, folder: Path) -> tuple[str, ...]:
    name = kept.folder.relative_to(folder) if kept.folder != folder else folder
    when = datetime.fromtimestamp(kept.written)
    return (shown(name), kept.state, kept.best, "" if kept.epochs is None else str(kept.epochs),
            f"{when:%Y-%m-%d %H:%M}", _megabytes(kept.size))


def _size(path: Path) -> int:
    """Bytes; 0 of a file that is gone."""
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}"
