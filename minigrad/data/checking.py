"""Look at every file of a data set before anything is trained on it.

    findings = check("photos/train")
    print(findings)             # how many can be read, which cannot and why, what was left out
    for path, reason in findings.bad:
        ...
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import NamedTuple

from minigrad.arguments import demand, is_integer
from minigrad.data.dataset import Dataset, Subset
from minigrad.data.folder import ImageFolder, advice, kinds
from minigrad.data.images import ImageError, read_image, shown
from minigrad.progress import ProgressLine

_AHEAD = 32             # files that each thread is given at a time
_LISTED = 20            # bad files that the text lists


class Findings(NamedTuple):
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

    def __str__(self) -> str:
        files = self.good + len(self.bad)
        sizes = "" if self.smallest is None or self.largest is None else (
            ", from {} x {} to {} x {} pixels".format(*self.smallest, *self.largest))
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
          progress: bool | Callable[[int, int], None] = True) -> Findings:
    """Read every photograph of a folder of classes, an ImageFolder or a Subset of one, to its end.

    The transform is not run. workers: the number of threads. progress: whether to say on stderr how
    far it is, or a function that is called with (files so far, files in all). Raises what
    ImageFolder raises for a folder without classes, TypeError for a data set without files,
    ValueError if `workers` is no positive integer.
    """
    demand(is_integer(workers, 1),
           f"check: workers must be an integer of at least 1, got {workers!r}")
    dataset = folder if isinstance(folder, Dataset) else ImageFolder(folder)
    files, ignored = _files(dataset)
    paths = list(dict.fromkeys(files))                      # a Subset may name one twice
    bad, sizes = [], []
    with closing(ProgressLine(progress is True)) as line:
        for count, (path, result) in enumerate(_outcomes(paths, int(workers)), 1):
            if isinstance(result, ImageError):
                bad.append((path, str(result).removeprefix(f"cannot read image {shown(path)}: ")))
            else:
                sizes.append(result)
            if callable(progress):
                progress(count, len(paths))
            elif line.due():
                line.show(f"check: {count} of {len(paths)} photographs", count / len(paths))
    sizes.sort(key=lambda size: (size[0] * size[1], size))
    return Findings(len(sizes), bad, ignored, *((sizes[0], sizes[-1]) if sizes else (None, None)))


def _files(dataset: Dataset) -> tuple[list[str], Counter[str]]:
    """(the paths of a data set's photographs, what its folder left out)"""
    if isinstance(dataset, Subset):
        paths, ignored = _files(dataset.dataset)
        return [paths[index] for index in dataset.indices], ignored
    if not isinstance(dataset, ImageFolder):
        raise TypeError(f"check: a data set of files is needed, an ImageFolder or a Subset of one, "
                        f"got {type(dataset).__name__}")
    return [path for path, _ in dataset.samples], dataset.ignored


def _outcomes(paths: Sequence[str],
              workers: int) -> Iterator[tuple[str, tuple[int, int] | ImageError]]:
    """(path, its size or its ImageError) in order, some at a time read by threads."""
    with ThreadPoolExecutor(workers, "check") as pool:
        for start in range(0, len(paths), _AHEAD * workers):
            some = paths[start:start + _AHEAD * workers]
            yield from zip(some, pool.map(_size, some))


def _size(path: str) -> tuple[int, int] | ImageError:
    try:
        return read_image(path).size
    except ImageError as error:
        return error
