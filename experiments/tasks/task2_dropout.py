"""Task II: a small network on DBI, with and without dropout.

The same network is trained twice, from the same weights on the same batches. Accuracies `in
training` are those of the training batches as they pass, augmented and with dropout at work, as the
written answer has them; those `at rest` are of the trained network in evaluation mode, on the
photos as they are. Photos `not seen` are those for validation and for the test together.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from experiments.claims import HOLDS, Answer, Claim, Table, check
from experiments.settings import Settings
from experiments.style import PALETTE, new_figure
from experiments.tasks import plots, sheets
from experiments.tasks.photos import find, split
from experiments.tasks.recipe import Recipe
from experiments.tasks.scores import Score, Share, in_words, mean, numbers, score
from experiments.tasks.telling import digits, labelled, recipe_of, repeated
from experiments.tasks.training import Training, make, seeds
from minigrad.models import small_cnn
from minigrad.train import History

RATES = {"without dropout": 0.0, "with dropout": 0.5}
WRITTEN_GAPS = {"without dropout": 0.473, "with dropout": 0.325}


class Trials(NamedTuple):
    """The repeated trainings of one of the two networks, in the order of their seeds."""

    histories: list[History]
    train: list[Score]
    valid: list[Score]
    test: list[Score]

    def accuracy(self, part: str) -> Share:
        """In training ("train") or validation ("valid"), in the last epoch."""
        value = float(np.mean([h[-1][part]["accuracy"] for h in self.histories]))
        return Share.of(value, getattr(self, part)[0].total)

    @property
    def unseen(self) -> Share:
        """On all photos that were not trained on."""
        total = self.valid[0].total + self.test[0].total
        correct = sum(s.correct for s in (*self.valid, *self.test))
        return Share.of(correct / (total * len(self.test)), total)

    @property
    def gap(self) -> Share:
        """In training minus not seen: the written gap, on more photos than those for validation."""
        return self.accuracy("train") - self.unseen

    @property
    def gap_in_validation(self) -> Share:
        """In training minus validation in the last epoch: the written gap to the letter."""
        return self.accuracy("train") - self.accuracy("valid")

    @property
    def gap_at_rest(self) -> Share:
        """Train minus not seen, both of the network at rest."""
        return Share.of(mean(self.train), self.train[0].total) - self.unseen


def verify(settings: Settings, recipe: Recipe | None = None) -> Answer:
    """Train both networks, and compare what they know of photos seen and not seen."""
    recipe, photos = recipe_of(settings, recipe).for_small(), find(settings)
    parts = split(photos.dbi, recipe)
    trials = {name: _trials(name, recipe, photos, settings) for name in RATES}
    plain, dropout = trials.values()
    return labelled(Answer(
        question="task2", title="A small network, with and without dropout",
        story=(f"Two blocks of two convolutions, then 32 units: trained on {len(parts.train)} "
               f"photos of DBI for {recipe.epochs} epochs, watched on {len(parts.valid)}, tested "
               f"on {len(parts.test)}.{repeated(settings)}",
               f"In the last epoch {plain.accuracy('train'):.1%} of the training batches are "
               f"guessed right without dropout and {dropout.accuracy('train'):.1%} with it. Of the "
               f"photos that it never saw the one network knows {plain.unseen:.1%}, the other "
               f"{dropout.unseen:.1%}: the gap is {plain.gap:.1%} without and {dropout.gap:.1%} "
               "with dropout. In brackets are 95% intervals.",
               "That is how the answer measured it, and part of it is the measure: while the "
               "training batches are counted, dropout hides half of what the dense layers see. "
               f"With both networks at rest the gap is {plain.gap_at_rest:.1%} without and "
               f"{dropout.gap_at_rest:.1%} with dropout.",
               "A trap: OneCycleLR cycles the momentum, .95 to .85 and back, also for an SGD that "
               "was made without momentum. The written recipe therefore has momentum, whatever it "
               "says."),
        claims=(*_claims(plain, dropout),
                digits("task2", photos, settings,
                       {f"gap {n}": gap for n, gap in WRITTEN_GAPS.items()},
                       {f"gap {n}": t.gap_in_validation for n, t in trials.items()})),
        numbers={name: {part: numbers(getattr(t, part)) for part in ("train", "valid", "test")}
                 | {"gap": t.gap._asdict(), "gap in validation": t.gap_in_validation._asdict(),
                    "gap at rest": t.gap_at_rest._asdict()}
                 for name, t in trials.items()},
        figures={"curves": lambda: plots.curves({n: t.histories for n, t in trials.items()}),
                 "gap": lambda: _gaps(trials),
                 "classes": lambda: plots.by_class({n: t.test for n, t in trials.items()}),
                 "mistakes": lambda: sheets.mistakes(dropout.test[0])},
        captions={"curves": "Loss and accuracy by epoch, with and without dropout.",
                  "gap": "Accuracy of the training batches minus accuracy in validation, by epoch.",
                  "classes": "DBI test photos guessed right, by breed.",
                  "mistakes": "Test photos that the network with dropout got wrong, the most "
                              "certain mistakes first."},
        tables=(_table(trials, parts),)), photos.label)


def trainings(settings: Settings, recipe: Recipe | None = None) -> dict[str, list]:
    """What `verify` trains, as chains for `crew`."""
    recipe = recipe_of(settings, recipe).for_small()
    return {f"{name}, seed {seed}": [partial(make, _training, name, recipe, seed=seed)]
            for seed in seeds(settings) for name in RATES}


def _training(name, recipe, photos, settings):
    """One of the two networks on DBI."""
    dbi = photos.dbi
    return Training(f"task2-{name.replace(' ', '-')}",
                    lambda: small_cnn(len(dbi.classes), dropout=RATES[name], size=recipe.size),
                    split(dbi, recipe), recipe)


def _trials(name, recipe, photos, settings):
    """The networks of that name, and what they know."""
    training, found = _training(name, recipe, photos, settings), Trials([], [], [], [])
    for model, history in training.networks(settings):
        found.histories.append(history)
        for scores, part in zip(found[1:], training.parts):
            scores.append(score(model, part, photos.dbi.classes, recipe))
    return found


# --- claims and tables ---------------------------------------------------------------------------

def _claims(plain, dropout):
    return (
        Claim("task2.train", "training accuracy is higher without dropout",
              f"{plain.accuracy('train'):.3f} without, {dropout.accuracy('train'):.3f} with",
              "Dropout hides half of what the dense layers see, so the training photos are harder "
              "to learn by heart.", HOLDS,
              check("accuracy in training, without minus with",
                    plain.accuracy("train").value - dropout.accuracy("train").value, ">", 0),
              routes={"at rest, without": mean(plain.train), "at rest, with": mean(dropout.train)}),
        Claim("task2.gap", "the gap, training minus validation accuracy, is lower with dropout",
              f"from {plain.gap:.1%} to {dropout.gap:.1%}; by the validation photos alone from "
              f"{plain.gap_in_validation:.1%} to {dropout.gap_in_validation:.1%}; both networks at "
              f"rest from {plain.gap_at_rest:.1%} to {dropout.gap_at_rest:.1%}",
              "Judged by all photos not trained on, as those for validation are few. The training "
              "accuracy is that of the batches as they pass, as it was written.", HOLDS,
              check("gap, without minus with dropout", plain.gap.value - dropout.gap.value, ">", 0),
              routes={f"{label}, {name}": getattr(t, key).value
                      for label, key in (("gap", "gap"), ("by validation", "gap_in_validation"),
                                         ("at rest", "gap_at_rest"))
                      for name, t in zip(RATES, (plain, dropout))}))


def _table(trials, parts):
    def row(name, form, value, written=""):
        return (name, written, *(format(value(t), form) for t in trials.values()))

    gaps = ", ".join(f"{gap:.1%} {name.split()[0]}" for name, gap in WRITTEN_GAPS.items())
    rows = (*((f"{label} ({len(part)} photos)", "",
               *(in_words(getattr(t, key)) for t in trials.values()))
              for label, key, part in zip(("train", "validation", "test"),
                                          ("train", "valid", "test"), parts)),
            row("train, in the last epoch", ".3f", lambda t: t.accuracy("train")),
            row("validation, in the last epoch", ".3f", lambda t: t.accuracy("valid")),
            row("gap: train in the last epoch minus validation", ".1%",
                lambda t: t.gap_in_validation, gaps),
            row("gap: train in the last epoch minus not seen", ".1%", lambda t: t.gap),
            row("gap: train minus not seen, at rest", ".1%", lambda t: t.gap_at_rest))
    return Table("Accuracies on DBI at rest, with 95% intervals, and as the last epoch shows them; "
                 "written: on the coursework's photos.",
                 ("", "written", *trials), rows)


# --- figure --------------------------------------------------------------------------------------

def _gaps(trials):
    figure = new_figure(7.5, 3)
    ax = figure.subplots()
    for (name, t), colour in zip(trials.items(), plots.COLOURS):
        gaps = np.array([np.subtract(h.column("train.accuracy"), h.column("valid.accuracy"))
                         for h in t.histories])
        epochs = t.histories[0].column("epoch")
        ax.plot(epochs, gaps.mean(0), color=colour, label=name)
        if len(gaps) > 1:
            ax.fill_between(epochs, gaps.min(0), gaps.max(0), color=colour, alpha=0.15, linewidth=0)
    ax.axhline(0, color=PALETTE["grey"], linewidth=0.8)
    ax.set(xlabel="epoch", ylabel="train minus validation")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.grid(axis="y")
    ax.legend()
    return figure
