"""What the figures of the tasks, of a training on one's own photos and of the roofline show, drawn
from made-up scores: labels, legends, and bars and curves that are the numbers."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from experiments import roofline
from experiments.own_photos import page
from experiments.own_photos.plan import Plan
from experiments.roofline import ROOFS, Work
from experiments.settings import Settings
from experiments.style import PALETTE
from experiments.tasks import (plots, sheets, task1_look, task2_dropout, task3_scratch,
                               task4_transfer, task5_origin)
from experiments.tasks.photos import Parts, Photos
from experiments.tasks.recipe import QUICK
from experiments.tasks.scores import Score
from experiments.tasks.statistics import QUANTITIES
from minigrad.train import History, wilson
from minigrad.train.lr_finder import RangeTest
from tests.experiments.figure_parts import (bars, labels, legend, middles, named, pictures, scales,
                                            texts, ticks)

CLASSES = "border_collie", "pug", "co$t"
NAMES = ["border collie", "pug", r"co\$t"]


def scored(guesses, targets=(0, 0, 0, 0, 1, 1), classes=CLASSES):
    """A Score of as many photos as there are guesses, the first one the most certain."""
    return Score(classes, tuple(f"{i}.jpg" for i in range(len(guesses))), np.array(targets),
                 np.array(guesses), np.linspace(0.9, 0.4, len(guesses)))


GOOD, POOR = scored([0, 0, 0, 1, 1, 2]), scored([1, 1, 0, 2, 1, 0])


def history(start, valid=True, epochs=3):
    def part(k, more):
        return {"loss": start + k + more, "accuracy": start / 10 + k / 5 + more / 4}
    return History({"epoch": k + 1, "lr": 0.1, "train": part(k, 0),
                    **({"valid": part(k, 0.5)} if valid else {})} for k in range(epochs))


def colour(name):
    return PALETTE[name]


# --- the drawings --------------------------------------------------------------------------------

def test_curves_of_one_and_of_repeated_trainings():
    runs = {"one": [history(1)], "t$o": [history(2), history(4, epochs=3)]}
    figure = plots.curves(runs)
    loss, accuracy = figure.axes
    for ax, what in ((loss, "loss"), (accuracy, "accuracy")):
        assert labels(ax) == ("epoch", what)
        drawn = [line for line in ax.lines if len(line.get_xdata())]
        assert [line.get_linestyle() for line in drawn] == ["-", "--"] * 2
        assert [line.get_color() for line in drawn] == [colour("blue")] * 2 + [colour("orange")] * 2
        for line, (histories, part) in zip(drawn, [(h, part) for h in runs.values()
                                                   for part in ("train", "valid")]):
            columns = [h.column(f"{part}.{what}") for h in histories]
            assert list(line.get_xdata()) == [1, 2, 3]
            assert np.allclose(line.get_ydata(), np.mean(columns, 0))
        bands = ax.collections
        assert len(bands) == 2      # of the repeated trainings alone, from the least to the largest
        ys = bands[0].get_paths()[0].vertices[:, 1]
        columns = [h.column(f"train.{what}") for h in runs["t$o"]]
        assert (ys.min(), ys.max()) == (np.min(columns), np.max(columns))
    assert accuracy.get_ylim() == (0, 1)
    assert legend(figure) == ["one", r"t\$o", "in training", "validation"]


def test_curves_without_validation():
    figure = plots.curves({"x": [history(1, valid=False)]})
    assert [len([a for a in ax.lines if len(a.get_xdata())]) for ax in figure.axes] == [1, 1]
    assert legend(figure) == ["x", "in training"]


def test_confusions_are_counted_row_by_row():
    figure = plots.confusions({"one": [GOOD], "both": [GOOD, POOR]})
    first, second = figure.axes
    assert (first.get_title(), second.get_title()) == ("one", "both")
    want = np.array([[3, 1, 0], [0, 1, 1], [0, 0, 0]])
    assert texts(first) == list(map(str, want.ravel()))
    assert [text.get_position() for text in first.texts[:4]] == [(0, 0), (1, 0), (2, 0), (0, 1)]
    assert np.allclose(pictures(first)[0], [[0.75, 0.25, 0], [0, 0.5, 0.5], [0, 0, 0]])
    assert [text.get_color() for text in first.texts] == ["white"] + ["black"] * 8
    assert texts(second) == list(map(str, (want + [[1, 2, 1], [1, 1, 0], [0, 0, 0]]).ravel()))
    assert first.images[0].get_clim() == (0, 1)
    assert ticks(first, "x") == ticks(second, "x") == ticks(first, "y") == dict(enumerate(NAMES))
    assert ticks(second, "y") == {0: "", 1: "", 2: ""}
    assert first.get_xlabel() == second.get_xlabel() == "guess"


def test_classes_with_their_intervals():
    figure = plots.by_class({"one": [GOOD], "both": [GOOD, POOR]})
    ax, = figure.axes
    assert bars(ax) == {"one": [0.75, 0.5, 0], "both": [0.5, 0.5, 0]}
    assert middles(ax) == {"one": [-0.2, 0.8, 1.8], "both": [0.2, 1.2, 2.2]}
    assert legend(figure) == ["one", "both"] and ticks(ax, "y") == dict(enumerate(NAMES))
    intervals = [(tuple(line.get_xdata()), line.get_ydata()[0]) for line in ax.lines]
    assert intervals == [(wilson(3, 4), -0.2), (wilson(1, 2), 0.8), (wilson(2, 4), 0.2),
                         (wilson(1, 2), 1.2)]       # and none of a class without photos
    assert ax.get_xlabel() == "share guessed right, with 95% interval"
    assert ax.get_xlim() == (0, 1) and ax.yaxis_inverted()


def test_accuracies_as_points_with_intervals_and_plain_numbers():
    figure = plots.accuracies({"a": {"test": [GOOD], "SDD": [GOOD, POOR], "loop": 0.25},
                               "b": {"test": [POOR]}})
    ax, = figure.axes
    drawn = [(np.ravel(line.get_xdata()).tolist(), np.round(np.ravel(line.get_ydata()), 9).tolist(),
              line.get_marker()) for line in ax.lines if len(np.ravel(line.get_xdata()))]
    # of six photos four are right, and two; of both trainings three in the mean
    assert drawn == [
        ([*wilson(4, 6)], [-0.18] * 2, "None"), ([4 / 6], [-0.18], "o"),
        ([*wilson(3, 6)], [0, 0], "None"), ([pytest.approx(0.5)], [0], "o"),
        ([0.25], [0.18], "D"),
        ([*wilson(2, 6)], [0.82] * 2, "None"), ([2 / 6], [0.82], "o")]
    assert legend(figure) == ["test", "SDD", "loop"]
    handles = figure.legends[0].get_lines()
    assert [handle.get_marker() for handle in handles] == ["o", "o", "D"]
    assert handles[2].get_markerfacecolor() == "white" != handles[0].get_markerfacecolor()
    assert ticks(ax, "y") == {0: "a", 1: "b"} and ax.get_xlabel() == "accuracy"
    assert ax.get_ylim() == (1.5, -0.5)


def test_a_sheet_has_a_place_for_every_picture(tmp_path):
    for name, shade in (("a", 10), ("b", 200)):
        Image.new("RGB", (40, 20), (shade,) * 3).save(tmp_path / f"{name}.png")
    paths = [str(tmp_path / f"{name}.png") for name in "ab"]
    page = sheets.sheet([("first", [sheets.Picture(paths[0], ("one", "two"))]),
                         ("", [sheets.Picture(path) for path in paths])], side=60)
    gap, line = sheets.GAP, sheets.LINE
    assert page.size == (4 * (60 + gap) + gap, line + 60 + 2 * line + gap + 60 + gap + gap)
    second = gap + line + 60 + 2 * line + gap       # the top of the second row
    for (x, y), shade in (((gap, gap + line), 10), ((gap, second), 10),
                          ((gap + 60 + gap, second), 200)):
        assert page.getpixel((x + 30, y + 30)) == (shade,) * 3
        assert to_hex(np.array(page.getpixel((x, y))) / 255) == sheets.BACK    # nothing is cut off
    ink = np.asarray(page.convert("L")) < 128
    assert ink[gap:gap + line].any() and ink[gap + line + 60:second].any()      # its texts
    assert not ink[:, gap + 60 + gap + 60 + 1:].any()


def test_the_most_certain_mistakes_come_first(monkeypatch):
    seen = []
    monkeypatch.setattr(sheets, "sheet", lambda rows, side: seen.extend([rows, side]))
    sheets.mistakes(POOR, columns=2)
    rows, side = seen
    assert side == sheets.WIDE and [heading for heading, _ in rows] == ["", ""]
    found = [[(p.path, p.lines) for p in pictures] for _, pictures in rows]
    assert found == [[("0.jpg", ("pug 90%", "is border collie")),
                      ("1.jpg", ("pug 80%", "is border collie"))],
                     [("3.jpg", ("co$t 60%", "is border collie")),
                      ("5.jpg", ("border collie 40%", "is pug"))]]
    many = scored([1] * 30, [0] * 30)
    seen.clear()
    sheets.mistakes(many)
    assert [len(pictures) for _, pictures in seen[0]] == [6] * 4       # no more than 24
    seen.clear()
    sheets.mistakes(scored([0, 1], [0, 1]))
    assert seen[0] == [("No photo was guessed wrong.", ())]


# --- the tasks -----------------------------------------------------------------------------------

def photos_of(*folders):
    return Photos(*folders, "photos of here", False)


@pytest.fixture
def drawn(monkeypatch):
    """A function that gives the figures of a task, in which nothing is trained, as what was asked
    of plots and sheets; drawings of the task's own are figures."""
    def of(module, settings=Settings(), **instead):
        for name, value in instead.items():
            monkeypatch.setattr(module, name, value)
        for name in ("curves", "confusions", "by_class", "accuracies"):
            monkeypatch.setattr(plots, name, lambda panels, name=name: Asked(name, panels))
        monkeypatch.setattr(sheets, "mistakes", lambda score: Asked("mistakes", score))
        answer = module.verify(settings, QUICK)
        return {name: draw() for name, draw in answer.figures.items()}
    return of


class Asked(SimpleNamespace):
    def __init__(self, name, given):
        super().__init__(name=name, given=given, supxlabel=lambda text, **look: self.note(text))

    def note(self, text):
        self.foot = text


class Labels(list):
    """As much of a data set as is asked of it here."""

    @property
    def targets(self):
        return [*self]


def asked(figures):
    assert {figure.foot.partition(";")[0] for figure in figures.values()} == {"photos of here"}
    return {name: (figure.name, figure.given) for name, figure in figures.items()}


def test_task1(monkeypatch):
    def table(shift):
        return {key: np.arange(1.0, 6) + shift + i for i, key in enumerate(QUANTITIES)}

    dbi, sdd = table(0), table(3)
    figure = task1_look._histograms(dbi, sdd)
    assert [ax.get_xlabel() for ax in figure.axes] == [
        f"{q.name}, {q.unit}" if q.unit else q.name for q in QUANTITIES.values()]
    assert legend(figure) == ["DBI", "SDD"]
    for ax, key in zip(figure.axes, QUANTITIES):
        assert [set(line.get_xdata()) for line in ax.lines] == [{np.median(dbi[key])},
                                                                {np.median(sdd[key])}]
        filled = [sum(bar.get_height() for bar in group) for group in ax.containers]
        assert filled == pytest.approx([1, 1])      # shares of each set
        outlines = [patch for patch in ax.patches if patch.get_label() in ("DBI", "SDD")]
        for patch, values in zip(outlines, (dbi[key], sdd[key])):
            edges = patch.get_path().vertices[:, 0]
            assert edges.min() == min(dbi[key]) and edges.max() == max(sdd[key])
            assert patch.get_path().vertices[:, 1].max() >= 1 / len(values)

    sets = {name: SimpleNamespace(classes=CLASSES, targets=targets)
            for name, targets in (("DBI", [0, 0, 1, 2, 2, 2]), ("SDD", [0, 1, 1]))}
    figure = task1_look._counts(sets)
    ax, = figure.axes
    assert bars(ax) == {"DBI": [2, 1, 3], "SDD": [1, 2, 0]}
    assert middles(ax) == {"DBI": [-0.2, 0.8, 1.8], "SDD": [0.2, 1.2, 2.2]}
    assert texts(ax) == ["2", "1", "3", "1", "2", "0"] and legend(figure) == ["DBI", "SDD"]
    assert ticks(ax, "y") == dict(enumerate(NAMES)) and ax.get_xlabel() == "photos"
    assert ax.yaxis_inverted()


def test_task1_shows_the_same_photos_of_each_breed_for_a_seed(monkeypatch):
    monkeypatch.setattr(task1_look, "sheet", lambda rows: rows)
    found = SimpleNamespace(classes=CLASSES[:2], samples=[(f"{i}.jpg", i % 2) for i in range(40)])
    rows = task1_look._sheet(found, 3)
    assert [title for title, _ in rows] == NAMES[:2]
    for label, (_, row) in enumerate(rows):
        places = [int(picture.path.partition(".")[0]) for picture in row]
        assert len(set(places)) == task1_look.SHOWN == 8 and places == sorted(places)
        assert {place % 2 for place in places} == {label}
    assert rows == task1_look._sheet(found, 3) != task1_look._sheet(found, 4)


def trials(start, *scores):
    return task2_dropout.Trials([history(start), history(start + 1)], *([s, s] for s in scores))


def test_task2(drawn):
    made = {"without dropout": trials(1, GOOD, GOOD, GOOD),
            "with dropout": trials(2, POOR, GOOD, POOR)}
    figures = drawn(task2_dropout, _trials=lambda name, *rest: made[name],
                    find=lambda settings: photos_of(SimpleNamespace(classes=CLASSES), None),
                    split=lambda *how: Parts(range(6), range(2), range(4)))
    gap = figures.pop("gap")
    assert asked(figures) == {
        "curves": ("curves", {name: t.histories for name, t in made.items()}),
        "classes": ("by_class", {name: t.test for name, t in made.items()}),
        "mistakes": ("mistakes", POOR)}
    ax, = gap.axes
    assert list(named(ax)) == legend(ax) == list(made) and gap.get_supxlabel() == "photos of here"
    for (x, y), t in zip(named(ax).values(), made.values()):
        assert x == [1, 2, 3]
        assert np.allclose(y, np.mean([np.subtract(h.column("train.accuracy"),
                                                   h.column("valid.accuracy"))
                                       for h in t.histories], 0))
    assert labels(ax) == ("epoch", "train minus validation") and len(ax.collections) == 2
    assert set(ax.lines[-1].get_ydata()) == {0}


def test_task3(drawn):
    found = task3_scratch.Scratch([history(1)], [GOOD], [GOOD], [POOR])
    figures = drawn(task3_scratch, from_scratch=lambda *how: found,
                    find=lambda settings: photos_of(None, None))
    both = {"DBI test": [GOOD], "SDD": [POOR]}
    assert asked(figures) == {
        "curves": ("curves", {"ResNet-18": found.histories}), "confusion": ("confusions", both),
        "classes": ("by_class", both), "mistakes-dbi": ("mistakes", GOOD),
        "mistakes-sdd": ("mistakes", POOR)}


def test_task4(drawn):
    names = "ResNet-18", "ResNet-34", "ResNeXt-50"
    half = scored([0, 0, 0, 2, 0, 0])
    tuned = {name: task4_transfer.Tuned(
        SimpleNamespace(name=name, source="a file", width=16, architecture="resnet18"),
        [history(k)], [GOOD], [half], [sdd])
        for k, (name, sdd) in enumerate(zip(names, (POOR, GOOD, half)))}
    scratch = task3_scratch.Scratch([history(5)], [POOR], [POOR], [half])
    figures = drawn(task4_transfer, available=lambda *how: names,
                    find_start=lambda name, *how: name, fine_tune=lambda name, *how: tuned[name],
                    from_scratch=lambda *how: scratch, find=lambda settings: photos_of(None, None))
    printed = task4_transfer.running_means([POOR, GOOD, half])
    assert asked(figures) == {
        "accuracies": ("accuracies", {
            **{name: {"DBI test": m.test, "SDD": m.sdd, "SDD as the loop prints it": p}
               for (name, m), p in zip(tuned.items(), printed)},
            "ResNet-18 from scratch": {"DBI test": [POOR], "SDD": [half]}}),
        "curves": ("curves", {name: m.histories for name, m in tuned.items()}),
        "scratch": ("curves", {"ResNet-18, pretrained": tuned["ResNet-18"].histories,
                               "from scratch": scratch.histories}),
        "confusion": ("confusions", {"ResNet-34, DBI test": [half], "ResNet-34, SDD": [GOOD]}),
        "classes": ("by_class", {name: m.sdd for name, m in tuned.items()}),
        "mistakes": ("mistakes", GOOD)}         # those of the best on SDD


def test_task5(drawn):
    scores = {"train": GOOD, "test": POOR}
    start = SimpleNamespace(name="ResNeXt-50", source="a file", architecture="resnext50_32x4d")
    figures = drawn(
        task5_origin, available=lambda *how: ["ResNet-18", "ResNeXt-50"],
        find_start=lambda name, *how: start if name == "ResNeXt-50" else None,
        find=lambda settings: photos_of(range(8), range(6)),
        _training=lambda *how: SimpleNamespace(
            parts=Parts("train", "", "test"),
            networks=lambda settings: [(None, history(1, valid=False))]),
        balanced=lambda *how: Labels([0, 1]),
        score=lambda model, part, classes, recipe: scores[part])
    assert asked(figures) == {
        "curves": ("curves", {"ResNeXt-50": [history(1, valid=False)]}),
        "confusion": ("confusions", {"train": [GOOD], "test": [POOR]}),
        "mistakes": ("mistakes", POOR)}


# --- one's own photos, other figures -------------------------------------------------------------

@pytest.mark.parametrize("guesses, classes, names", [
    ([0, 1, 1], CLASSES, ["curves", "confusion", "classes", "mistakes"]),
    ([0, 0, 1], CLASSES, ["curves", "confusion", "classes"]),
    ([0, 1, 1], tuple(map(str, range(31))), ["curves", "classes", "mistakes"]),
    ([0, 1, 1], tuple(map(str, range(30))), ["curves", "confusion", "classes", "mistakes"])])
def test_the_page_of_a_training(guesses, classes, names, monkeypatch, tmp_path):
    score, lines, figures = scored(guesses, (0, 0, 1), classes), history(1), {}
    for name in ("curves", "confusions", "by_class"):
        monkeypatch.setattr(plots, name, lambda panels, name=name: (name, panels))
    monkeypatch.setattr(sheets, "mistakes", lambda score: ("mistakes", score))
    monkeypatch.setattr(page, "_drawn", lambda name, draw, caption, folder: figures.update(
        {name: (*draw(), caption)}) or "")
    parts = [Labels([0, 0, 1])] * 3
    page.report(page.Outcome(
        "here", lines, page.Photos(*parts, list(classes), [], "", False),
        Plan("resnet18", size=16, lr=0.1, batch=2, epochs=3), tmp_path, score, "test", True))
    assert list(figures) == names
    assert figures["curves"][:2] == ("curves", {"resnet18": [lines]})
    assert figures["classes"][:2] == ("by_class", {"test photos": [score]})
    assert figures.get("confusion", (0, {"test photos": [score]}))[1] == {"test photos": [score]}
    assert "mistakes" not in names or (figures["mistakes"][1] == score
                                       and "at most 24" in figures["mistakes"][2])


def test_the_search_for_a_learning_rate():
    found = RangeTest([1e-3, 1e-2, 1e-1, 1.0], [3.0, 2.5, 1.0, 4.0], [3.0, 2.7, 1.5, 2.0])
    figure = found.plot()
    ax, = figure.axes
    curves = named(ax)
    assert curves.pop("each batch") == (found.lr, found.loss)
    assert curves.pop("smoothed") == (found.lr, found.smoothed)
    assert curves == {"steepest: 0.01": ([1e-2], [2.7])} and found.suggestion == 1e-2
    assert legend(figure) == ["each batch", "smoothed", "steepest: 0.01"]
    assert labels(ax) == ("learning rate", "loss") and scales(ax) == ("log", "linear")
    assert ax.get_ylim() == pytest.approx((1.0 - 0.2, 3.0 + 0.2))


def test_the_roofline():
    works = [Work("convolution", 8000, 100), Work("ReLU, addition", 10, 80)]
    routes = {"by hand": Work("convolution", 30, 60), "at once": Work("convolution", 144, 1)}
    figure = roofline.draw({"one": works, "two": works[:1]}, routes)
    upper, lower = figure.axes
    for line, roof in zip(upper.lines, ROOFS):
        x = line.get_xdata()
        assert np.allclose(line.get_ydata() * 1e12, np.minimum(roof.peak, x * roof.bandwidth))
    layers = [line for line in upper.lines if line.get_marker() in "o^" and len(line.get_xdata())]
    tensor, plain = ROOFS[0], ROOFS[1]
    assert [(*np.ravel(line.get_xydata()), line.get_marker(), line.get_color())
            for line in layers] == [
        (80.0, tensor.speed(80) / 1e12, "o", colour("blue")),
        (0.125, plain.speed(0.125) / 1e12, "o", colour("purple")),
        (80.0, tensor.speed(80) / 1e12, "^", colour("blue"))]
    assert legend(upper) == ["convolution", "ReLU, addition", "one", "two"]
    assert scales(upper) == ("log", "log") and upper.get_ylabel() == "TFLOP/s at most"
    assert [t for t in texts(upper) if "TFLOP/s" in t] == [
        f"{roof.gpu}, {roof.unit}: {roof.peak / 1e12:g} TFLOP/s" for roof in ROOFS]
    marks = [line.get_xydata().tolist() for line in lower.lines if line.get_marker() == "D"]
    assert marks == [[[0.5, 0]], [[144, 1]]] and texts(lower) == ["0.5", "144"]
    assert ticks(lower, "y") == {0: "by hand", 1: "at once"}
    assert lower.get_xlabel() == "arithmetic intensity, FLOP per byte"
    for ax in (upper, lower):
        assert set(ax.lines[-1].get_xdata()) == {tensor.ridge}
    assert f"up to {tensor.ridge:.0f} FLOP per byte" in texts(upper)[-1]
