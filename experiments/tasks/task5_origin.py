"""Task V: which of the two sets a photo is from. The larger set is first cut to the smaller's size,
so that guessing is right half of the time."""

from __future__ import annotations

from functools import partial

from experiments.claims import HOLDS, Answer, Claim, Table, check
from experiments.settings import Settings
from experiments.tasks import plots, sheets
from experiments.tasks.photos import find, split
from experiments.tasks.recipe import Recipe
from experiments.tasks.scores import files, in_words, interval, mean, numbers, score
from experiments.tasks.starts import NETWORKS, available, find_start
from experiments.tasks.telling import digits, labelled, recipe_of, repeated
from experiments.tasks.training import Training, make
from minigrad.data import Dataset, random_split

NAMES = ("DBI", "SDD")
WRITTEN = {"train": 0.9324, "test": 0.8906}


class TwoSets(Dataset):
    """The photos of two data sets one after the other; their class is the set, 0 or 1."""

    def __init__(self, *sets: Dataset):
        self.sets = sets
        self.places = [(k, i) for k, dataset in enumerate(sets) for i in range(len(dataset))]
        self.targets = [k for k, _ in self.places]

    @property
    def samples(self):
        """(path, set) of every photo."""
        paths = [files(dataset) for dataset in self.sets]
        return [(paths[which][place], which) for which, place in self.places]

    @property
    def transform(self):
        """Those of the sets, which prepare the samples."""
        return tuple(dataset.transform for dataset in self.sets)

    def get(self, index, rng):
        which, place = self.places[index]
        return self.sets[which].get(place, rng)[0], which

    def name(self, index):
        which, place = self.places[index]
        return self.sets[which].name(place)

    def with_transform(self, transform):
        return TwoSets(*(dataset.with_transform(transform) for dataset in self.sets))


def balanced(dbi: Dataset, sdd: Dataset, seed: int) -> TwoSets:
    """As many photos of one set as of the other: of the larger one a random choice."""
    size = min(len(dbi), len(sdd))
    return TwoSets(*(random_split(s, (size, len(s) - size), seed)[0] for s in (dbi, sdd)))


def trainings(settings: Settings, recipe: Recipe | None = None) -> dict[str, list]:
    """What `verify` trains, as a chain for `crew`, behind what Task IV does with that network."""
    recipe = recipe_of(settings, recipe)
    name = available(settings, recipe)[-1]
    return {NETWORKS[name]: [partial(make, _tuning, name, recipe)]}


def _tuning(name, recipe, photos, settings):
    return _training(find_start(name, settings, recipe), recipe,
                     balanced(photos.dbi, photos.sdd, recipe.split_seed))


def _training(start, recipe, both):
    """A pretrained network with two outputs, on the photos of both sets."""
    return Training(f"task5-{start.architecture}", lambda: start.build(len(NAMES)),
                    split(both, recipe, valid=False), recipe)


def verify(settings: Settings, recipe: Recipe | None = None) -> Answer:
    """Train a network with two outputs on photos of both sets, and count."""
    recipe, photos = recipe_of(settings, recipe), find(settings)
    start = find_start(available(settings, recipe)[-1], settings, recipe)
    both = balanced(photos.dbi, photos.sdd, recipe.split_seed)
    training = _training(start, recipe, both)
    parts, histories, found = training.parts, [], {"train": [], "test": []}
    for model, history in training.networks(settings):
        histories.append(history)
        found["train"].append(score(model, parts.train, NAMES, recipe))
        found["test"].append(score(model, parts.test, NAMES, recipe))
    test = found["test"]
    size, larger = len(both) // 2, max(len(photos.dbi), len(photos.sdd))
    return labelled(Answer(
        question="task5", title="Which of the two sets a photo is from",
        story=(f"{size} photos of each set, of the larger one a random choice out of {larger}; "
               f"{len(parts.train)} are for training, {len(parts.test)} for the test, none for "
               f"validation. {start.name} ({start.source}) gets two outputs and is trained for "
               f"{recipe.epochs} epochs.{repeated(settings)}",
               f"It tells the sets apart in {in_words(test)} of the test photos, where guessing "
               "gives 0.500. Two sets of the same breeds can be told apart by how the photos were "
               "taken: a network that is trained on one has a reason to do worse on the other."),
        claims=(_sets(found, both.targets.count(0) - both.targets.count(1)),
                digits("task5", photos, settings, WRITTEN, found)),
        numbers={name: numbers(scores) for name, scores in found.items()},
        figures={"curves": lambda: plots.curves({start.name: histories}),
                 "confusion": lambda: plots.confusions(found),
                 "mistakes": lambda: sheets.mistakes(test[0])},
        captions={"curves": "Loss and accuracy in training; there is no validation set.",
                  "confusion": "Where the photos are from (rows) and what was guessed (columns).",
                  "mistakes": "Test photos attributed to the wrong set, the most certain mistakes "
                              "first."},
        tables=(Table("Accuracies with 95% intervals; written: on the coursework's photos, from "
                      "ImageNet.",
                      ("", "photos", "written", "measured"),
                      tuple((name, str(scores[0].total), f"{WRITTEN[name]:.4f}", in_words(scores))
                            for name, scores in found.items())),)),
        f"{photos.label}; {start.source}")


def _sets(found, more):
    """`more`: how many photos of DBI there are more than photos of SDD."""
    test, train = found["test"], found["train"]
    return Claim(
        "task5.sets", "the sets can be told apart",
        f"test {in_words(test)}, train {in_words(train)}",
        "Judged by the lower end of the 95% interval on the test photos.", HOLDS,
        check("lower end of the interval on the test photos", interval(test)[0], ">", 0.5),
        evidence=(check("photos of DBI minus photos of SDD", more, "==", 0),),
        routes={name: mean(scores) for name, scores in found.items()})
