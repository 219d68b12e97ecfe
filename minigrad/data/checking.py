"""Look at every file of a data set before anything is trained on it.

    found = check("photos/train")
    print(found)                # how many can be read, which cannot and why, what was left out
    for path, reason in found.bad:
        ...
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from numbers import Integral
from typing import NamedTuple

from minigrad.data.dataset import Dataset, Subset
from minigrad.data.folder import ImageFolder, advice, kinds
from minigrad.data.images import ImageError, read_image, shown

LOG_INTERVAL, REDRAW_INTERVAL = 5.0, 0.1        # seconds, in a log and on a terminal
_AHEAD = 8              # files that each thread may be ahead of the count
_LISTED = 20            # bad files that the text lists


class Checked(NamedTuple):
    """What `check` found.

    good: the number of files that can be read to their end; bad: (path, reason) of the others, in
    the order of the data set; ignored: see ImageFolder; smallest, largest: (width, height) of the
    photographs with the fewest and the most pixels, None if there are none.
    """

    good: int
    bad: list[tuple[str, str]]
    ignored: Counter[str]
    smallest: tuple[int, int] | None
    largest: tuple[int, int] | None

    def __str__(self):
        files = self.good + len(self.bad)
        sizes = "" if self.smallest is None else ", from {} x {} to {} x {} pixels".format(
            *self.smallest, *self.largest)
        lines = [f"{self.good} of {files} photographs can be read{sizes}"]
        lines += [f"  {shown(path)}: {reason}" for path, reason in self.bad[:_LISTED]]
        if len(self.bad) > _LISTED:
            lines.append(f"  and {len(self.bad) - _LISTED} more")
        if self.bad:
            lines.append('mend or remove them, or go on without them: DataLoader(..., '
                         'on_error="skip")')
        if self.ignored:
            lines.append(f"left out for their extension: {kinds(self.ignored)}")
        if advice(self.ignored):
            lines.append(advice(self.ignored))
        return "\n".join(lines)


def check(folder: str | os.PathLike | Dataset, workers: int = 2,
          progress: bool | Callable[[int, int], None] = True) -> Checked:
    """Read every photograph of a folder of classes, an ImageFolder or a Subset of one, to its end.

    The transform is not asked. workers: threads. progress: whether to say on stderr how far it is,
    or a function that is told (done, total). Raises as ImageFolder for a folder without classes,
    TypeError for a data set without files, ValueError for a number of workers that cannot be.
    """
    if not isinstance(workers, Integral) or workers < 1:
        raise ValueError(f"check: workers must be an integer of at least 1, got {workers!r}")
    dataset = folder if isinstance(folder, Dataset) else ImageFolder(folder)
    files, ignored = _files(dataset)
    paths = list(dict.fromkeys(files))                      # a Subset may name one twice
    bad, sizes = [], []
    with _teller(progress) as tell:
        for done, (path, found) in enumerate(_outcomes(paths, int(workers)), 1):
            if isinstance(found, ImageError):
                bad.append((path, _reason(found, path)))
            else:
                sizes.append(found)
            tell(done, len(paths))
    sizes.sort(key=lambda size: (size[0] * size[1], size))
    return Checked(len(sizes), bad, ignored, *((sizes[0], sizes[-1]) if sizes else (None, None)))


def _files(dataset):
    """(the paths of a data set's photographs, what its folder left out)"""
    if isinstance(dataset, Subset):
        paths, ignored = _files(dataset.dataset)
        return [paths[index] for index in dataset.indices], ignored
    if not isinstance(dataset, ImageFolder):
        raise TypeError(f"check: a data set of files is needed, an ImageFolder or a Subset of one, "
                        f"got {type(dataset).__name__}")
    return [path for path, _ in dataset.samples], dataset.ignored


def _outcomes(paths, workers):
    """(path, its size or its ImageError) in order, read a little ahead by threads."""
    pool, waiting = ThreadPoolExecutor(workers, "check"), deque()
    try:
        for path in paths:
            waiting.append((path, pool.submit(_size, path)))
            if len(waiting) > _AHEAD * workers:
                first, future = waiting.popleft()
                yield first, future.result()
        for path, future in waiting:
            yield path, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _size(path):
    try:
        return read_image(path).size
    except ImageError as error:
        return error


def _reason(error, path):
    return str(error).removeprefix(f"cannot read image {shown(path)}: ")


@contextmanager
def _teller(progress):
    """What is to be told (done, total) while the block runs."""
    if progress is not True:
        yield progress or (lambda done, total: None)
        return
    live = not sys.stderr.closed and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    interval, last = REDRAW_INTERVAL if live else LOG_INTERVAL, time.monotonic()

    def write(text):
        with suppress(OSError, ValueError):         # stderr is closed: no reason to stop
            sys.stderr.write(text)
            sys.stderr.flush()

    def tell(done, total):
        nonlocal last
        if time.monotonic() - last >= interval:
            last = time.monotonic()
            text = f"check: {done} of {total} photographs"
            write(f"\r\x1b[2K{text}" if live else f"{text}\n")

    try:
        yield tell
    finally:
        if live:
            write("\r\x1b[2K")
