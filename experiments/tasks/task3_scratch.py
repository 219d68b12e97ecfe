"""Task III: ResNet-18 from scratch on DBI, then shown the DBI test photos and all of SDD."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from experiments.claims import HOLDS, Answer, Claim, Table, check
from experiments.settings import Settings
from experiments.tasks import plots, sheets
from experiments.tasks.photos import Photos, find, split
from experiments.tasks.recipe import Recipe
from experiments.tasks.scores import Score, in_words, interval, mean, numbers, score
from experiments.tasks.telling import digits, labelled, recipe_of, repeated
from experiments.tasks.training import Training, make
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
    training = scratch_training(architecture, recipe, photos, settings)
    parts, found = training.parts, Scratch([], [], [], [])
    for model, history in training.networks(settings):
        found.histories.append(history)
        for scores, part in zip(found[1:], (parts.train, parts.test, photos.sdd)):
            scores.append(score(model, part, photos.dbi.classes, recipe))
    return found


def scratch_training(architecture: str, recipe: Recipe, photos: Photos, settings: Settings
                     ) -> Training:
    """A ResNet of the recipe's width on DBI."""
    classes = len(photos.dbi.classes)
    return Training(f"task3-{architecture}-from-scratch-width{recipe.width}",
                    lambda: MODELS[architecture](classes, width=recipe.width),
                    split(photos.dbi, recipe), recipe)


def trainings(settings: Settings, recipe: Recipe | None = None) -> dict[str, list]:
    """What `verify` trains, as chains for `crew`: the same that Task IV compares with."""
    return {"resnet18": [partial(make, scratch_training, "resnet18", recipe_of(settings, recipe))]}


def verify(settings: Settings, recipe: Recipe | None = None) -> Answer:
    """Train it, and compare the photos of its own set with those of the other."""
    recipe, photos = recipe_of(settings, recipe), find(settings)
    found = from_scratch(photos, recipe, settings)
    test, sdd = found.test, found.sdd
    measured = {"DBI test": test, "SDD": sdd}
    drop = mean(test) - mean(sdd)
    separate = interval(sdd)[1] < interval(test)[0]
    narrow = "" if recipe.width == 64 else (
        f", each layer with {recipe.width}/64 of the published number of channels,")
    return labelled(Answer(
        question="task3", title="ResNet-18 from scratch, on its own set and on the other",
        story=(f"ResNet-18{narrow} is trained on {found.train[0].total} photos of DBI for "
               f"{recipe.epochs} epochs.{repeated(settings)}",
               f"It then knows {in_words(test)} of the {test[0].total} test photos of DBI, and "
               f"{in_words(sdd)} of the {sdd[0].total} photos of SDD, of which it saw none. "
               f"Guessing would give {1 / len(test[0].classes):.3f}.",
               f"The other set costs {drop:.1%}; the 95% intervals "
               f"{'do not overlap' if separate else 'overlap'}."),
        claims=(_sets(test, sdd),
                digits("task3", photos, settings, WRITTEN, measured)),
        numbers={name: numbers(scores)
                 for name, scores in {"DBI train": found.train, **measured}.items()},
        figures={"curves": lambda: plots.curves({"ResNet-18": found.histories}),
                 "confusion": lambda: plots.confusions(measured),
                 "classes": lambda: plots.by_class(measured),
                 "mistakes-dbi": lambda: sheets.mistakes(test[0]),
                 "mistakes-sdd": lambda: sheets.mistakes(sdd[0])},
        captions={"curves": f"Loss and accuracy over {recipe.epochs} epochs.",
                  "confusion": "What the photos show (rows) and what was guessed (columns).",
                  "classes": "Photos guessed right, by breed.",
                  "mistakes-dbi": "DBI test photos guessed wrong, the most certain mistakes first.",
                  "mistakes-sdd": "SDD photos guessed wrong, the most certain mistakes first."},
        tables=(Table("Accuracies of ResNet-18 from scratch, with 95% intervals; written: on the "
                      "coursework's photos.", ("", "photos", "written", "measured"),
                      (("DBI train", str(found.train[0].total), "", in_words(found.train)),
                       *((name, str(scores[0].total), f"{WRITTEN[name]:.4f}", in_words(scores))
                         for name, scores in measured.items()))),)),
        photos.label)


def _sets(test, sdd):
    return Claim(
        "task3.sets", "the network does worse on SDD than on the DBI test set",
        f"SDD {mean(sdd):.3f}, DBI test {mean(test):.3f}",
        "A network learns the set along with the breeds: SDD has other light, other places and "
        "dogs that do not sit in the middle.", HOLDS,
        check("accuracy on the DBI test set minus accuracy on SDD", mean(test) - mean(sdd), ">", 0),
        evidence=(check("lower end of the interval on the DBI test set", interval(test)[0], ">",
                        1 / len(test[0].classes)),))
