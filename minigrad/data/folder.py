"""Photographs in folders: a folder for each class, in it the files.

    train = ImageFolder("photos/train", transform)
    train.classes           # ["border_collie", "pug"]: the folders' names, sorted by code point
    image, label = train[0]

Classes, their order and the extensions are torchvision's. Differences: names that begin with a dot
are left out (.DS_Store, ._dog.jpg, .ipynb_checkpoints), and every real file is listed once, however
many links lead to it. A file is not opened before its sample is asked for: one that cannot be read
is listed like any other, and `read_image` says what is wrong with it; `check` finds all of them.
"""

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from minigrad.arguments import demand
from minigrad.data.dataset import Dataset
from minigrad.data.images import read_image, shown

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
# Of photographs, too, and not in torchvision's list: `read_image` reads these under another name,
RENAMED = (".gif", ".jfif", ".jpe", ".jif", ".pbm", ".pnm", ".apng")
# and these not at all: the cameras' own and those of newer codecs.
UNREAD = (".heic", ".heif", ".hif", ".avif", ".jp2", ".jxl", ".dng", ".raw", ".cr2", ".cr3",
          ".nef", ".arw", ".orf", ".raf", ".rw2")
_KINDS = 6                  # that a message lists

_log = logging.getLogger(__name__)


class ImageFolder(Dataset):
    """The image files below root/CLASS for each class, as `samples`: (path, number of the class).

    Samples are sorted by class, then folder, then name. Links to files and folders are followed,
    except to a folder that holds them. `classes` picks some of the folders and sets their numbers.
    A root that begins with ~ is in the home folder. `removed` lists files, as pug/12.jpg, that were
    there once: they keep their places among the samples, cannot be read, and are left out by a
    loader with on_error="skip". So a training that they stopped can go on without them.

    `ignored` counts the files of these classes that are no samples because of their extension:
    Counter({".heic": 3, ".db": 1, "no extension": 1}). If photographs are among them, the log says
    so. Hidden files and those beside the class folders are not counted.
    """

    classes: list[str]

    def __init__(self, root: str | os.PathLike, transform: Callable | None = None,
                 classes: Sequence[str] | None = None, removed: Sequence[str] = ()) -> None:
        """Raises FileNotFoundError if there is no root, no class, or no image of a class;
        ValueError if a file is reached as two classes, or one of `removed` is there or in none;
        OSError for a folder that cannot be listed.
        """
        self.root = os.path.expanduser(os.fsdecode(root))
        self._set_transform(transform)
        entries = _visible_entries(self.root)
        folders = [entry.name for entry in entries if _is_folder(entry)]
        if not folders:
            images = sum(entry.name.lower().endswith(EXTENSIONS) for entry in entries)
            others = f", and {images} images that are in no class" * (images > 0)
            raise FileNotFoundError(
                f"ImageFolder: no folder in {shown(self.root)}{others}; it needs one for each "
                f"class, with the images in it, as {shown(os.path.join(self.root, 'pug', '1.jpg'))}"
            )
        self.classes = folders if classes is None else list(classes)
        for name in self.classes:
            if name not in folders:
                more = " ..." * (len(folders) > 10)
                raise FileNotFoundError(
                    f"ImageFolder: no folder {shown(name)} in {shown(self.root)}; there are "
                    f"{' '.join(map(shown, folders[:10]))}{more}")
            demand(self.classes.count(name) == 1,
                   f"ImageFolder: class {shown(name)} is named twice")
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}
        self.ignored: Counter[str] = Counter()
        self.removed = self._check_removed(removed)
        self.samples = self._scan()
        self.targets = [label for _, label in self.samples]
        photographs = advice(self.ignored)
        if photographs:
            _log.warning("ImageFolder: %s: left out %s", shown(self.root), photographs)

    def get(self, index: int, rng: np.random.Generator) -> tuple:
        """(upright RGB image, or what the transform makes of it; class). See `read_image`."""
        path, label = self.samples[self._place(index)]
        return self._prepare(read_image(path), rng, index), label

    def name(self, index: int) -> str:
        return shown(self.samples[self._place(index)][0])

    def _check_removed(self, removed: Sequence[str]) -> list[str]:
        """The paths of the files that were removed."""
        paths = [os.path.join(self.root, os.path.normpath(os.fsdecode(name))) for name in removed]
        for name, path in zip(removed, paths):
            demand(not os.path.lexists(path), f"ImageFolder: {shown(path)} is still there; take it "
                   "off `removed`, or away")
            demand(os.path.normpath(os.fsdecode(name)).split(os.sep)[0] in self.classes
                   and path.lower().endswith(EXTENSIONS), "ImageFolder: removed: "
                   f"{shown(os.fsdecode(name))} is no image of a class in {shown(self.root)}; name "
                   "it as CLASS/12.jpg")
        return paths

    def _scan(self) -> list[tuple[str, int]]:
        samples: list[tuple[str, int]] = []
        seen: dict[str, tuple[str, int]] = {}               # real path -> sample
        ancestors = _with_parents(os.path.realpath(self.root))
        for label, name in enumerate(self.classes):
            count = len(samples)
            ignored: Counter[str] = Counter()
            top = os.path.join(self.root, name)
            removed = [(path, path) for path in self.removed if path.startswith(top + os.sep)]
            for path, real in sorted([*_files(top, ancestors), *removed],
                                     key=lambda file: os.path.split(file[0])):
                if not path.lower().endswith(EXTENSIONS):
                    ignored[os.path.splitext(path)[1].lower() or "no extension"] += 1
                    continue
                sample = path, label
                first, known = seen.setdefault(real, sample)
                if known != label:
                    raise ValueError(f"ImageFolder: one file, two classes: {shown(first)} and "
                                     f"{shown(path)}; remove one of them")
                if first == path:
                    samples.append(sample)
            if len(samples) == count:
                other_files = f", but {kinds(ignored)}" * bool(ignored)
                way = advice(ignored)
                raise FileNotFoundError(
                    f"ImageFolder: no image of class {shown(name)} in {shown(self.root)}"
                    f"{other_files}; "
                    + (f"{way}; or " if way else f"put some there ({' '.join(EXTENSIONS)}) or ")
                    + "remove the folder")
            self.ignored += ignored
        return samples


def kinds(ignored: Mapping[str, int]) -> str:
    """What was left out, for people: "3 .heic, 1 .db and 4 files of 2 other kinds"."""
    ordered = sorted(ignored.items(), key=lambda item: (-item[1], item[0]))
    listed, rest = ordered[:_KINDS], ordered[_KINDS:]
    text = ", ".join(f"{count} {shown(kind)}" for kind, count in listed)
    return text + (f" and {sum(n for _, n in rest)} files of {len(rest)} other kinds" if rest
                   else "")


def advice(ignored: Mapping[str, int]) -> str:
    """Which photographs were left out and how they can be used; "" if there are none."""
    parts = [f"{kinds(counts)}: {way}" for extensions, way in (
        (UNREAD, "photographs of kinds that are not read, convert them to JPEG"),
        (RENAMED, "rename them to .jpg or .png, what is in them is read"))
        if (counts := {kind: n for kind, n in ignored.items() if kind in extensions})]
    return "; ".join(parts)


def _files(top: str, ancestors: set[str]) -> Iterator[tuple[str, str]]:
    """(path, real path) of all files below a folder, sorted; nothing of `above` is entered."""
    for folder, (real, entries) in sorted(_folders(top, ancestors).items()):
        for entry in entries:
            if not _is_folder(entry):
                yield entry.path, (os.path.realpath(entry.path) if entry.is_symlink()
                                   else os.path.join(real, entry.name))


def _folders(top: str, ancestors: set[str]) -> dict[str, tuple[str, list[os.DirEntry]]]:
    """{folder: (its real path, its entries)} of a folder and all below it, each real one once."""
    folders, waiting = {}, [top]
    seen = ancestors | _with_parents(os.path.dirname(os.path.realpath(top)))
    while waiting:
        folder = waiting.pop()
        real = os.path.realpath(folder)
        if real not in seen:
            seen.add(real)
            entries = _visible_entries(folder)
            folders[folder] = real, entries
            waiting += [entry.path for entry in reversed(entries) if _is_folder(entry)]
    return folders


def _visible_entries(folder: str) -> list[os.DirEntry]:
    """The entries of a folder, sorted by name, without the hidden ones."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not entry.name.startswith(".")),
                          key=lambda entry: entry.name)
    except OSError as error:
        raise type(error)(f"ImageFolder: cannot list {shown(folder)}: {error.strerror}") from error


def _is_folder(entry: os.DirEntry) -> bool:
    """Whether it is a folder or a link to one; a link in a circle is none, and no error."""
    return entry.is_dir(follow_symlinks=False) or (
        entry.is_symlink() and os.path.isdir(entry.path))


def _with_parents(path: str) -> set[str]:
    return {path, *map(str, Path(path).parents)}
