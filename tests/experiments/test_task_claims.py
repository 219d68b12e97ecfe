"""The claims of the five tasks, judged on made-up scores: each comes out as the scores have it, and
otherwise with the scores exchanged."""

from types import SimpleNamespace

import numpy as np
import pytest

from experiments.claims import HOLDS, NOT_JUDGED, OPEN, WRONG
from experiments.coursework import PUBLISHED
from experiments.report.terminal import Screen, summary_lines
from experiments.settings import Settings
from experiments.tasks import task1_look, task2_dropout, task3_scratch, task4_transfer, task5_origin
from experiments.tasks.photos import Photos
from experiments.tasks.scores import Score, Share
from experiments.tasks.telling import digits, of_the_photos

CLASSES = tuple("abcdefg")


def scored(correct, total=200, first=0):
    """A Score of so many right answers; the right ones begin at photo `first`."""
    targets = np.arange(total) % len(CLASSES)
    wrong = np.roll(np.arange(total) >= correct, first)
    return Score(CLASSES, tuple(map(str, range(total))), targets,
                 (targets + wrong) % len(CLASSES), np.ones(total))


def history(train, valid):
    return [{"train": {"accuracy": train}, "valid": {"accuracy": valid}}]


def verdicts(claims):
    return {claim.id.split(".")[1]: claim.verdict for claim in claims}


# Task I

def table(size, distance, outside):
    return {"bytes": np.array(size, float), "distance": np.array(distance, float),
            "outside": np.array(outside, float)}


SIZES = ([10, 900], [12, 2500])
CHANCES = {"distance": 0.6, "outside": 0.6}


@pytest.mark.parametrize("sizes, chances, expected", [
    (SIZES, CHANCES, (HOLDS, HOLDS, HOLDS)),
    (([2, 900], [12, 2500]), CHANCES, (WRONG, HOLDS, HOLDS)),
    (([20, 900], [21, 2500]), CHANCES, (WRONG, HOLDS, HOLDS)),
    (([10, 900], [12, 1500]), CHANCES, (WRONG, HOLDS, HOLDS)),
    (([2, 13], [5, 26]), CHANCES, (WRONG, HOLDS, HOLDS)),
    (SIZES, {**CHANCES, "distance": 0.4}, (HOLDS, WRONG, HOLDS)),
    (SIZES, {**CHANCES, "distance": 0.52}, (HOLDS, WRONG, HOLDS)),
    (SIZES, {**CHANCES, "outside": 0.4}, (HOLDS, HOLDS, WRONG)),
])
def test_task1(sizes, chances, expected):
    claims = task1_look._claims(*(table(s, [1], [1]) for s in sizes), chances)
    assert tuple(c.verdict for c in claims) == expected
    drawn = [of_the_photos(c, Photos(None, None, "", True)) for c in claims]
    assert {c.verdict for c in drawn} == {NOT_JUDGED} and all(c.as_documented for c in drawn)
    assert all("these are drawn" in c.why for c in drawn)
    real = Photos(None, None, "", False)
    assert [of_the_photos(c, real) for c in claims] == list(claims)


def test_the_written_counts_are_the_courseworks():
    dbi, sdd = (tuple(counts.values()) for counts in PUBLISHED.values())
    assert dbi == (96, 93, 92, 83, 93, 94, 95) and sdd == (218, 150, 152, 150, 171, 200, 192)
    assert (sum(dbi), sum(sdd)) == (646, 1233)


# Task II

def trials(in_training, rest, unseen):
    """Accuracies of 1000 training photos, 500 for validation and 500 for the test."""
    return task2_dropout.Trials(
        [history(in_training, unseen)], [scored(round(rest * 1000), 1000)],
        [scored(round(unseen * 500), 500)], [scored(round(unseen * 500), 500)])


def test_task2():
    off, on = trials(0.9, 0.9, 0.45), trials(0.7, 0.8, 0.4)
    assert verdicts(task2_dropout._claims(off, on)) == {"train": HOLDS, "gap": HOLDS}
    assert verdicts(task2_dropout._claims(on, off)) == {"train": WRONG, "gap": WRONG}
    # a gap is a difference: where both accuracies are higher by as much it stays the same
    high = trials(0.95, 0.95, 0.65)
    assert verdicts(task2_dropout._claims(high, on)) == {"train": HOLDS, "gap": WRONG}
    gap, = (c for c in task2_dropout._claims(off, on) if c.id == "task2.gap")
    assert gap.as_written.value == pytest.approx(0.15)
    assert gap.routes["gap, without dropout"] == pytest.approx(0.45)
    assert gap.routes["at rest, with dropout"] == pytest.approx(0.4)


# Task III

@pytest.mark.parametrize("test, sdd, expected", [
    (150, 100, HOLDS), (100, 150, WRONG), (100, 100, WRONG),
    (20, 10, OPEN),             # a network that guesses shows nothing
])
def test_task3(test, sdd, expected):
    claim = task3_scratch._sets([scored(test)], [scored(sdd)])
    assert claim.verdict == expected
    assert claim.as_written.value == pytest.approx((test - sdd) / 200)


# Task IV

def tuned(name, dbi, test, sdd):
    return task4_transfer.Tuned(SimpleNamespace(name=name), [], [scored(dbi)], [scored(test)],
                                [scored(sdd)])


def scratch(test, sdd):
    return task3_scratch.Scratch([], [scored(150)], [scored(test)], [scored(sdd)])


@pytest.mark.parametrize("models, test, expected", [
    ([(190, 180, 150), (190, 180, 160)], 100, (HOLDS, HOLDS, WRONG)),
    ([(190, 180, 150), (190, 180, 190)], 100, (HOLDS, WRONG, WRONG)),
    ([(190, 180, 190), (190, 180, 150)], 100, (HOLDS, WRONG, WRONG)),
    ([(180, 180, 150), (150, 150, 140)], 100, (HOLDS, HOLDS, HOLDS)),
    ([(190, 105, 90), (190, 180, 160)], 100, (WRONG, HOLDS, WRONG)),    # by chance, it may be
    ([(190, 130, 90), (190, 180, 160)], 100, (HOLDS, HOLDS, WRONG)),
    ([(190, 100, 90), (190, 180, 160)], 180, (WRONG, HOLDS, WRONG)),
])
def test_task4(models, test, expected):
    found = [tuned(f"m{i}", *m) for i, m in enumerate(models)]
    claims = task4_transfer._claims(found, scratch(test, 90))
    assert tuple(verdicts(claims)[k] for k in ("pretrained", "sets", "dbi")) == expected


def loop(*sdd):
    found = [tuned(f"m{i}", 190, 180, n) for i, n in enumerate(sdd)]
    printed = dict(zip((m.name for m in found),
                       task4_transfer.running_means([m.sdd[0] for m in found])))
    return found, printed


def test_the_loop_of_task4():
    found, printed = loop(180, 100, 140)
    assert list(printed.values()) == [0.9, 0.7, 0.7]
    assert verdicts(task4_transfer._loop_claims(found, printed)) == {"loop": WRONG,
                                                                     "ranking": HOLDS}
    found, printed = loop(180, 100, 150)
    assert verdicts(task4_transfer._loop_claims(found, printed))["ranking"] == WRONG
    own = {m.name: m.sdd[0].accuracy for m in found}
    assert verdicts(task4_transfer._loop_claims(found, own))["loop"] == OPEN    # no running means
    same, printed = loop(100, 100, 100)
    assert verdicts(task4_transfer._loop_claims(same, printed)) == {"loop": HOLDS, "ranking": HOLDS}


# Task V

@pytest.mark.parametrize("test, more, expected", [
    (150, 0, HOLDS), (50, 0, WRONG), (105, 0, WRONG), (150, 1, OPEN), (150, -1, OPEN)])
def test_task5(test, more, expected):
    claim = task5_origin._sets({"train": [scored(190)], "test": [scored(test)]}, more)
    assert claim.verdict == expected


# The written digits

@pytest.mark.parametrize("written, expected", [
    ({"x": 0.5, "y": 0.3}, HOLDS), ({"x": 0.5, "y": 0.5}, WRONG), ({"x": 0.4, "y": 0.3}, WRONG)])
def test_digits_of_scores_and_of_shares(written, expected):
    real, paper = Photos(None, None, "", False), Settings(profile="paper")
    claim = digits("t", real, paper, written, {"x": [scored(100)], "y": Share(0.3, 0.25, 0.35)})
    assert claim.verdict == expected and "0.3000" in claim.measured


def test_what_is_not_judged_is_counted_apart():
    claims = task1_look._claims(table([10], [1], [1]), table([2500], [1], [1]), CHANCES)
    drawn = of_the_photos(claims[0], Photos(None, None, "", True))
    text = "\n".join(summary_lines(Screen(SimpleNamespace(isatty=lambda: False, encoding="utf-8")),
                                   [drawn, *claims[1:]]))
    assert "2 claims: 2 ✓ holds" in text
    assert "Not judged here (1): task1.sizes." in text
