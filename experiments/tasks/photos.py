"""The two sets of photos: the user's, or the stand-in's, and the parts that a set is cut into.

    photos = find(settings)
    photos.dbi, photos.sdd          # ImageFolders of the same breeds
    photos.label                    # whose photos they are, for every table and figure
    train, valid, test = split(photos.dbi, recipe)
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from experiments import standin
from experiments.errors import UserError, one_line
from experiments.report.terminal import escaped
from experiments.settings import Settings
from experiments.tasks.recipe import Recipe
from minigrad.data import Dataset, ImageFolder, random_split
from minigrad.train.folder import identity

SETS = ("dbi", "sdd")
FEWEST = 13                 # photos in a set: with fewer, a part of DBI would be empty


class Photos(NamedTuple):
    """DBI and SDD, which have the same classes, and whose photos they are."""

    dbi: ImageFolder
    sdd: ImageFolder
    label: str
    drawn: bool             # by us: the stand-in


class Parts(NamedTuple):
    """What a set is cut into; no part shares a photo with another."""

    train: Dataset
    valid: Dataset
    test: Dataset


def find(settings: Settings) -> Photos:
    """The photos in `settings.data`, or the stand-in's, which are drawn first if need be.

    Raises UserError if the folder does not hold two sets that fit together.
    """
    if settings.data is not None:
        root = Path(settings.data)
        return Photos(*folders(root), f"photos of {root}", False)
    return Photos(*folders(stand_in(settings)), standin.LABEL, True)


def stand_in(settings: Settings) -> Path:
    """The folder of the stand-in of the profile, drawn if it is not in the cache.

    Raises UserError if the cache cannot be written.
    """
    try:
        return standin.ensure(settings.profile)
    except OSError as error:
        raise UserError(str(error)) from error


def folders(root: Path) -> tuple[ImageFolder, ImageFolder]:
    """The sets in `root`/dbi and `root`/sdd. Raises UserError, in one line, for what is amiss."""
    if not root.is_dir():
        raise UserError(f"--data {root}: {'not a folder' if root.exists() else 'no such folder'}; "
                        "give one that has dbi and sdd in it")
    missing = [name for name in SETS if not (root / name).is_dir()]
    if missing:
        raise UserError(f"--data {root}: there is no folder {' and no '.join(missing)} in it; make "
                        "both with python -m experiments prepare")
    dbi, sdd = (_folder(root / name) for name in SETS)
    if dbi.classes != sdd.classes:
        odd = sorted(set(dbi.classes) ^ set(sdd.classes))
        raise UserError(f"--data {root}: dbi and sdd must have the same classes, and only one of "
                        f"them has {', '.join(odd)}")
    return dbi, sdd


def _folder(path: Path) -> ImageFolder:
    try:
        found = ImageFolder(path)
    except (OSError, ValueError) as error:
        raise UserError(f"--data: {one_line(error)}") from error
    if len(found.classes) < 2:
        raise UserError(f"--data: {path} has one class only, {found.classes[0]}; there must be two "
                        "or more, each a folder of photos")
    if len(found) < FEWEST:
        raise UserError(f"--data: {path} has {len(found)} photos; there must be {FEWEST} or more")
    return found


def fingerprint(root: Path) -> list[str]:
    """Whether a folder is still the same: see `minigrad.train.folder.identity.fingerprint`."""
    return [identity.fingerprint(found) for found in folders(root)]


def split(dataset: Dataset, recipe: Recipe, valid: bool = True) -> Parts:
    """The recipe's parts of a set, drawn at random with the recipe's seed, whatever the run's."""
    return Parts(*random_split(dataset, recipe.parts(len(dataset), valid), recipe.split_seed))


def title(name: str) -> str:
    """The name of a class for people: `border_collie` is border collie."""
    return escaped(name).replace("_", " ")
