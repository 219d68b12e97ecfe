"""The user's photos: read once, kept small in memory, cut into three parts.

    found = find("flowers", side=73, share=0.15, seed=0, on_error="raise")
    found.train, found.valid, found.test        # data sets; test may be None
    found.classes, found.bad, found.left_out

A folder holds a folder for each class; or `train/`, with `valid/` (or `val/`) and `test/` beside it
if they exist, which then are the parts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.errors import UserError, one_line
from experiments.report.terminal import progress
from minigrad.data import Dataset, ImageError, ImageFolder, Resize, read_image, stratified_split
from minigrad.data.folder import advice, kinds
from minigrad.data.images import shown
from minigrad.kernels.runtime.threads import CORES

SHARE = 0.15                    # of the photos, for validation and for the test, if nobody says
FEWEST = 4                      # photos of a class: some for every part
_KEPT = 1 << 30                 # bytes of photos that are kept in memory; others are read each time
_VALID, _TEST = ("valid", "val", "validation"), ("test",)
_LISTED = 3                     # bad photos that an error names


class Photos(NamedTuple):
    """The three parts and the names of the classes.

    `bad` holds (path, reason) of each photo that cannot be read; `left_out` is a line on files that
    are no photos, or ""; `own_parts` says whether the user has cut the parts, as folders.
    """

    train: Dataset
    valid: Dataset
    test: Dataset | None
    classes: list[str]
    bad: list[tuple[str, str]]
    left_out: str
    own_parts: bool


class Small(Dataset):
    """The photos of an ImageFolder that can be read, their shorter side made `side` pixels long.

    They are read when this is made. The first GiB of them is kept; a transform that begins with
    `Resize(side)` gives the same as on the files, and faster. `bad` are those that cannot be read.
    """

    def __init__(self, folder: ImageFolder, side: int, tell: Callable[[str], None]):
        self.classes, self.shrink, self.bad = folder.classes, Resize(side), []
        self.samples, self.kept, room = [], [], _KEPT
        with ThreadPoolExecutor(CORES, "photos") as pool:
            readings = pool.map(self._read, (path for path, _ in folder.samples))
            for (path, label), photo in zip(folder.samples, readings):
                if isinstance(photo, ImageError):
                    self.bad.append((path, str(photo)))
                    continue
                room -= 3 * photo.width * photo.height
                self.samples.append((path, label))
                self.kept.append(photo if room > 0 else None)
                tell(f"{len(self.samples)} of {len(folder)} photos")
        self.targets = [label for _, label in self.samples]

    def get(self, index: int, rng: np.random.Generator) -> tuple:
        place = self._place(index)
        photo, (path, label) = self.kept[place], self.samples[place]
        if photo is None:
            photo = self.shrink(read_image(path))
        return self._prepare(photo, rng, place), label

    def name(self, index: int) -> str:
        return shown(self.samples[self._place(index)][0])

    def _read(self, path):
        try:
            return self.shrink(read_image(path))
        except ImageError as error:
            return error
        except ValueError as error:             # of a shape that would become too large
            return ImageError(f"cannot use image {shown(path)}: {error}")


def find(root: str, side: int, share: float | None, seed: int, on_error: str) -> Photos:
    """The photos in a folder. `share` of them is for validation, and as many for the test.

    Raises UserError, in one line, for a folder that holds no classes or too few photos, and for
    photos that cannot be read unless on_error is "skip".
    """
    whole, own = _folders(root)
    if own["valid"] and share is not None:
        raise UserError(f"--valid: {root} has a folder {own['valid'].name} of its own; leave "
                        "--valid out")
    if whole is not None:
        folders = [_image_folder(whole)]
    else:
        train = _image_folder(own["train"])
        folders = [train, *(_image_folder(own[part], train.classes) if own[part] else None
                            for part in ("valid", "test"))]
    with progress(f"{root}: reading", 0, 1) as tell:
        sets = [folder and Small(folder, side, tell) for folder in folders]
    small = [one for one in sets if one is not None]
    bad = [one for part in small for one in part.bad]
    if bad and on_error == "raise":
        raise UserError(_unreadable(bad, sum(len(one) + len(one.bad) for one in small)))
    _check_enough(sets[0], root, 1 if own["valid"] else FEWEST)
    ignored = sum((folder.ignored for folder in folders if folder is not None), Counter())
    left_out = kinds(ignored) + (f" ({advice(ignored)})" if advice(ignored) else "")
    return Photos(*_parts(sets, share or SHARE, seed), sets[0].classes, bad, left_out,
                  whole is None)


def _folders(root):
    """(the folder of classes, or None if it is cut already; {part: its folder or None})"""
    path = Path(root).expanduser()
    if not path.is_dir():
        raise UserError(f"{root}: {'not a folder' if path.exists() else 'no such folder'}; give "
                        "one that has a folder of photos for each class")
    inside = {entry.name: entry for entry in path.iterdir()
              if entry.is_dir() and not entry.name.startswith(".")}
    own = {part: next((inside[name] for name in names if name in inside), None)
           for part, names in (("train", ("train",)), ("valid", _VALID), ("test", _TEST))}
    cut = (own["train"] is not None and set(inside) <= {"train", *_VALID, *_TEST}
           and len(inside) > 1)
    return (None, own) if cut else (path, dict.fromkeys(own))


def _image_folder(path, classes=None):
    try:
        found = ImageFolder(path)
        if classes is not None and found.classes != classes:
            odd = sorted(set(found.classes) ^ set(classes))
            raise UserError(f"{path}: it must have the classes of the training photos; the "
                            f"difference is {', '.join(map(repr, odd[:5]))}")
        return found
    except (OSError, ValueError) as error:
        raise UserError(one_line(error)) from error


def _unreadable(bad, total):
    reasons = "; ".join(reason for _, reason in bad[:_LISTED])
    more = f"; and {len(bad) - _LISTED} more" if len(bad) > _LISTED else ""
    return (f"{len(bad)} of {total} photos cannot be read: {reasons}{more}. Mend or remove them, "
            "or leave them out with --on-error skip")


def _check_enough(photos, root, fewest):
    if len(photos.classes) < 2:
        raise UserError(f"{root}: there is one class only, {photos.classes[0]!r}; there must be "
                        "two or more, each a folder of photos")
    for label, name in enumerate(photos.classes):
        count = photos.targets.count(label)
        if count < fewest:
            raise UserError(f"{root}: class {name!r} has {count} photos that can be read; there "
                            f"must be {fewest} or more of each class")


def _parts(sets, share, seed):
    """(train, valid, test): the whole cut, or as the user has cut it."""
    if len(sets) == 1:
        return stratified_split(sets[0], (1 - 2 * share, share, share), seed)
    train, valid, test = sets
    if valid is None:
        train, valid = stratified_split(train, (1 - share, share), seed)
    return train, valid, test
