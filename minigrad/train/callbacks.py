"""What is written down while `fit` trains, for other programs to read.

    fit(..., callbacks=[CSVLogger("runs/first/history.csv"), TensorBoardLogger("runs/first/board")])

Both write from the history of the run, which a resumed run has from its start: what was written of
an epoch that is repeated after a crash, or missed, is right again after the next epoch.
"""

import importlib
import logging
import os
import secrets
from contextlib import closing, suppress
from numbers import Real
from pathlib import Path

from minigrad.train.history import History, flatten
from minigrad.train.run import Run

_SUFFIX = ".minigrad"           # of the files that are a logger's own
_log = logging.getLogger(__name__)


class CSVLogger:
    """The history as CSV (see `History.to_csv`), with one row more after each epoch.

    The file is replaced as a whole, so that a program may read it at any time. A file that is there
    already is replaced too. A disk that refuses does not end the training: there is a warning, and
    the next epoch is the next attempt. Raises OSError for a folder that cannot be made, and
    IsADirectoryError for a path that is one.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path).expanduser()
        if self.path.is_dir():
            raise IsADirectoryError(f"CSVLogger: {self.path} is a folder; give a file in it")
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def on_epoch_end(self, run: Run) -> None:
        try:
            run.history.to_csv(self.path)
        except OSError as error:
            _log.warning("%s; training goes on", error)


class TensorBoardLogger:
    """The figures of the history as scalars for TensorBoard: `tensorboard --logdir FOLDER`.

    The step is the epoch; the names are "loss/train", "loss/valid", ..., which TensorBoard shows
    side by side, and "lr", "seconds". Figures of several numbers are "recall.0/train", ...; those
    that are no numbers, such as a confusion matrix, are left out.

    After each epoch it writes a new file of all epochs so far. This is marked as a restart, so that
    an open TensorBoard forgets the file before. Then the file before is removed, and so is what a
    logger of an earlier process left in this folder. Other files stay. A disk that refuses does not
    end the training: there is a warning, and the next epoch is the next attempt.

    Needs tensorboardX, or torch with tensorboard: ImportError if neither is there.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder, self._writer_class = Path(folder).expanduser(), _writer_class()

    def on_epoch_end(self, run: Run) -> None:
        try:
            earlier = list(self.folder.glob(f"*{_SUFFIX}"))
            self._write(run.history)
            for path in earlier:
                path.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("TensorBoardLogger: %s; training goes on", error)

    def _write(self, history: History) -> None:
        """A new file of the whole history."""
        # Only closing waits for the writer's thread: flushing may leave scalars in its queue.
        with closing(self._writer_class(str(self.folder), purge_step=1, filename_suffix=(
                f".{secrets.token_hex(4)}{_SUFFIX}"))) as writer:
            for line in history:
                for name, value in flatten(line).items():
                    if name != "epoch" and isinstance(value, Real):
                        writer.add_scalar(_tag(name), value, line["epoch"])


def _tag(name: str) -> str:
    """What TensorBoard calls a figure: "loss/train" for "train.loss"."""
    part, _, figure = name.partition(".")
    return f"{figure}/{part}" if part in ("train", "valid") else name


def _writer_class() -> type:
    """The SummaryWriter of tensorboardX, or that of torch."""
    for name in ("tensorboardX", "torch.utils.tensorboard"):
        with suppress(ImportError):
            return importlib.import_module(name).SummaryWriter
    raise ImportError("TensorBoardLogger needs tensorboardX, which is not installed: "
                      "pip install 'minigrad[tensorboard]'")
