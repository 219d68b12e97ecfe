"""Task III: ResNet-18 from scratch on DBI, then shown the DBI test photos and all of SDD."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from experiments.claims import HOLDS, Answer, Claim, Settings, Table, check
from experiments.tasks import plots, sheets
from experiments.tasks.photos import Photos, find, split
from experiments.tasks.recipe import Recipe
from experiments.tasks.scores import Score, in_words, interval, mean, numbers, score
from experiments.tasks.telling import digits, labelled, recipe_of, repeated
from experiments.tasks.training import seeds, train
from minigrad.models import MODELS
from minigrad.train import History

WRITTEN = {"DBI test": 0.3605, "SDD": 0.3074}


class Scratch(NamedTuple):
    """The repeated trainings, in the order of their seeds."""

    histories: list[History]
    train: list[Score]
    test: list[Score]
    sdd: list[Score]


def from_scratch(photos: Photos, recipe: Recipe, settings: Settings, architecture="resnet18"
                 ) -> Scratch:
    """A ResNet trained on DBI from nothing (Task IV compares with it), and what it knows."""
    parts, classes = split(photos.dbi, recipe), photos.dbi.classes
    found = Scratch([], [], [], [])
    for seed in seeds(settings):
        model, history = _trained(architecture, parts, len(classes), recipe, settings, seed)
        found.histories.append(history)
        for scores, part in zip(found[1:], (parts.train, parts.test, photos.sdd)):
            scores.append(score(model, part, classes, recipe))
    return found


def train_from_scratch(recipe: Recipe, architecture: str, settings: Settings) -> None:
    """Do the trainings of `from_scratch`, as work for `crew`."""
    dbi = find(settings).dbi
    for seed in seeds(settings):
        _trained(architecture, split(dbi, recipe), len(dbi.classes), recipe, settings, seed)


def _trained(architecture, parts, classes, recipe, settings, seed):
    return train(f"task3-{architecture}-from-scratch-width{recipe.width}",
                 lambda: MODELS[architecture](classes, width=recipe.width), parts, recipe,
                 settings, seed)


def trainings(settings: Settings, recipe: Recipe | None = None) -> dict[str, list]:
    """What `verify` trains, as chains for `crew`: the same that Task IV compares with."""
    return {"resnet18": [partial(train_from_scratch, recipe_of(settings, recipe), "resnet18")]}


def verify(settings: Settings, recipe: Recipe | None = None) -> Answer:
    """Train it, and compare the photos of its own set with those of the other."""
    recipe, photos = recipe_of(settings, recipe), find(settings)
    found = from_scratch(photos, recipe, settings)
    test, sdd = found.test, found.sdd
    measured = {"DBI test": test, "SDD": sdd}
    drop = mean(test) - mean(sdd)
    apart = interval(sdd)[1] < interval(test)[0]
    narrow = "" if recipe.width == 64 else (
        f", each layer with {recipe.width}/64 of the published number of channels,")
    return labelled(Answer(
        "task3", "ResNet-18 from scratch, on its own set and on the other",
        (f"ResNet-18{narrow} is trained on {found.train[0].total} photos of DBI for "
         f"{recipe.epochs} epochs.{repeated(settings)}",
         f"It then knows {in_words(test)} of the {test[0].total} test photos of DBI, and "
         f"{in_words(sdd)} of the {sdd[0].total} photos of SDD, of which it saw none. Guessing "
         f"would give {1 / len(test[0].classes):.3f}.",
         f"The other set costs {drop:.1%}; the 95% intervals "
         f"{'do not overlap' if apart else 'overlap'}."),
        (Claim("task3.sets", "SDD .3074 is below the DBI test set .3605",
               f"SDD {mean(sdd):.3f}, DBI test {mean(test):.3f}",
               "A network learns the set along with the breeds: SDD has other light, other places "
               "and dogs that do not sit in the middle. The direction is judged; the digits "
               "depend on the photos.", HOLDS,
               check("accuracy on the DBI test set minus accuracy on SDD", drop, ">", 0),
               evidence=(check("lower end of the interval on the DBI test set",
                               interval(test)[0], ">", 1 / len(test[0].classes)),)),
         *digits("task3", photos, settings, WRITTEN, measured)),
        {name: numbers(scores) for name, scores in {"DBI train": found.train, **measured}.items()},
        {"curves": lambda: plots.curves({"ResNet-18": found.histories}),
         "confusion": lambda: plots.confusions(measured),
         "classes": lambda: plots.by_class(measured),
         "mistakes-dbi": lambda: sheets.mistakes(test[0]),
         "mistakes-sdd": lambda: sheets.mistakes(sdd[0])},
        {"curves": f"Loss and accuracy over {recipe.epochs} epochs.",
         "confusion": "What the photos show (rows) and what was guessed (columns).",
         "classes": "Photos guessed right, by breed.",
         "mistakes-dbi": "DBI test photos guessed wrong, the most certain mistakes first.",
         "mistakes-sdd": "SDD photos guessed wrong, the most certain mistakes first."},
        (Table("Accuracies of ResNet-18 from scratch, with 95% intervals; written: on the "
               "coursework's photos.", ("", "photos", "written", "measured"),
               (("DBI train", str(found.train[0].total), "", in_words(found.train)),
                *((name, str(scores[0].total), f"{WRITTEN[name]:.4f}", in_words(scores))
                  for name, scores in measured.items()))),)),
        photos.label)
