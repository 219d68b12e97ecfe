"""The stories and tables of the tasks tell the made-up scores that they were given."""

from types import SimpleNamespace

import numpy as np
import pytest

from experiments.settings import Settings
from experiments.tasks import task1_look, task2_dropout, task3_scratch, task4_transfer, task5_origin
from experiments.tasks.photos import Parts
from experiments.tasks.recipe import QUICK
from experiments.tasks.scores import in_words
from tests.experiments.test_figures_tasks import (CLASSES, GOOD, POOR, Labels, history, photos_of,
                                                  scored, trials)

HALF = scored([0, 0, 0, 2, 0, 0])
# of six photos four are right, two, and three
WORDS = {4: "0.667 (0.300 to 0.903)", 2: "0.333 (0.097 to 0.700)", 3: "0.500 (0.188 to 0.812)"}


@pytest.fixture
def answer(monkeypatch):
    def of(module, settings=Settings(), **instead):
        for name, value in instead.items():
            monkeypatch.setattr(module, name, value)
        found = module.verify(settings, QUICK)
        texts = [*found.story, *found.captions.values()]
        for table in found.tables:
            texts += [table.caption, *table.header, *(cell for row in table.rows for cell in row)]
        assert not any(word in text for text in texts for word in ("None", "nan", "<", "array"))
        return found.story[1:], [table.rows for table in found.tables]
    return of


def test_scores_in_words():
    assert {s.correct: in_words([s]) for s in (GOOD, POOR, HALF)} == WORDS


def test_task1_tells_the_balance():
    assert task1_look._balance("DBI", np.array([3, 3])) == "in DBI all have 3"
    assert task1_look._balance("SDD", np.array([7, 2])) == "in SDD they have from 2 to 7"


def test_task2(answer):
    made = {"without dropout": trials(1, GOOD, GOOD, GOOD),
            "with dropout": trials(2, POOR, HALF, POOR)}
    story, (rows,) = answer(
        task2_dropout, _trials=lambda name, *rest: made[name], split=lambda *how: Parts(
            range(6), range(2), range(4)),
        find=lambda settings: photos_of(SimpleNamespace(classes=CLASSES), None))
    off, on = made.values()
    assert f"on 6 photos of DBI for {QUICK.small_epochs} epochs, watched on 2, tested on 4." in (
        story[0])
    assert (f"{off.accuracy('train'):.1%} of the training batches are guessed right without "
            f"dropout and {on.accuracy('train'):.1%} with it") in story[1]
    assert (f"knows {off.unseen:.1%}, the other {on.unseen:.1%}: the gap is {off.gap:.1%} without "
            f"and {on.gap:.1%} with dropout.") in story[1]
    assert f"is {off.gap_at_rest:.1%} without and {on.gap_at_rest:.1%} with" in story[2]
    assert off.unseen.value == pytest.approx(4 / 6) and on.unseen.value == pytest.approx(5 / 12)
    assert [row[0] for row in rows[:3]] == ["train (6 photos)", "validation (2 photos)",
                                            "test (4 photos)"]
    assert [row[2:] for row in rows[:3]] == [
        tuple(in_words(getattr(t, part)) for t in made.values())
        for part in ("train", "valid", "test")]
    assert rows[5][1] == "47.3% without, 32.5% with"
    assert rows[5][2:] == (f"{off.gap_in_validation:.1%}", f"{on.gap_in_validation:.1%}")
    assert rows[6][2:] == (f"{off.gap:.1%}", f"{on.gap:.1%}")
    assert rows[7][2:] == (f"{off.gap_at_rest:.1%}", f"{on.gap_at_rest:.1%}")


def test_task3(answer):
    found = task3_scratch.Scratch([history(1)], [GOOD], [GOOD], [POOR])
    story, (rows,) = answer(task3_scratch, from_scratch=lambda *how: found,
                            find=lambda settings: photos_of(None, None))
    assert f"each layer with {QUICK.width}/64 of the published number" in story[0]
    assert f"is trained on 6 photos of DBI for {QUICK.epochs} epochs." in story[0]
    assert story[1] == (f"It then knows {WORDS[4]} of the 6 test photos of DBI, and {WORDS[2]} of "
                        "the 6 photos of SDD, of which it saw none. Guessing would give 0.333.")
    assert story[2] == "The other set costs 33.3%; the 95% intervals overlap."
    assert rows == (("DBI train", "6", "", WORDS[4]), ("DBI test", "6", "0.3605", WORDS[4]),
                    ("SDD", "6", "0.3074", WORDS[2]))


@pytest.mark.parametrize("right, words", [(91, "overlap"), (82, "do not overlap")])
def test_task3_tells_whether_intervals_overlap(answer, right, words):
    def of(count):
        return [scored([0] * count + [1] * (200 - count), [0] * 200)]

    # of 200: 110 from .481 to .617, 91 from .387 to .524, and 82 from .344 to .479
    found = task3_scratch.Scratch([], of(9), of(110), of(right))
    story, _ = answer(task3_scratch, from_scratch=lambda *how: found,
                      find=lambda settings: photos_of(None, None))
    assert story[2].endswith(f"the 95% intervals {words}.")


def test_task4(answer):
    names = "ResNet-18", "ResNet-34", "ResNeXt-50"
    tuned = {name: task4_transfer.Tuned(
        SimpleNamespace(name=name, source="a file", width=16, architecture="resnet18"),
        [history(1)], [GOOD], [HALF], [sdd]) for name, sdd in zip(names, (POOR, GOOD, HALF))}
    scratch = task3_scratch.Scratch([history(5)], [POOR], [POOR], [HALF])
    story, (rows,) = answer(
        task4_transfer, available=lambda *how: names, find_start=lambda name, *how: name,
        fine_tune=lambda name, *how: tuned[name], from_scratch=lambda *how: scratch,
        find=lambda settings: photos_of(None, None))
    assert story[0].startswith("ResNet-18 and ResNet-34 and ResNeXt-50: a file. All their weights "
                               "are then trained on 6 photos of DBI")
    assert "All networks have 16/64 of the published" in story[0]
    assert story[1] == (f"ResNet-18 comes to {WORDS[3]} on the DBI test photos and {WORDS[2]} on "
                        f"SDD; from scratch, with as many epochs, to {WORDS[2]} and {WORDS[3]}.")
    assert story[2].endswith("the right figures on SDD: ResNet-18 0.333 for 0.333, ResNet-34 0.500 "
                             "for 0.667, ResNeXt-50 0.500 for 0.500.")
    assert story[3].endswith("ResNet-18 0.667 for 0.500, ResNet-34 0.667 for 0.500, ResNeXt-50 "
                             "0.667 for 0.500.")
    assert rows[1] == ("ResNet-34", "0.9891", WORDS[4], WORDS[3], "0.9152, undone 0.9376",
                       WORDS[4], "0.5000")
    assert rows[3] == ("ResNet-18 from scratch", "", "", WORDS[2], "", WORDS[3], "")


def test_task5(answer):
    start = SimpleNamespace(name="ResNeXt-50", source="a file", architecture="resnext50_32x4d")
    scores = {"train": GOOD, "test": POOR}
    story, (rows,) = answer(
        task5_origin, available=lambda *how: ["ResNeXt-50"], find_start=lambda *how: start,
        find=lambda settings: photos_of(range(8), range(6)),
        _training=lambda *how: SimpleNamespace(
            parts=Parts("train", "", "test"),
            networks=lambda settings: [(None, history(1))]),
        balanced=lambda *how: Labels([0, 1] * 6),
        score=lambda model, part, classes, recipe: scores[part])
    assert story[0].startswith("6 photos of each set, of the larger one a random choice out of 8; "
                               "5 are for training, 4 for the test")
    assert f"ResNeXt-50 (a file) gets two outputs and is trained for {QUICK.epochs} epochs" in (
        story[0])
    assert story[1].startswith(f"It tells the sets apart in {WORDS[2]} of the test photos")
    assert rows == (("train", "6", "0.9324", WORDS[4]), ("test", "6", "0.8906", WORDS[2]))
