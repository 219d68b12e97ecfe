"""The five tasks on a tiny set of coloured blobs: every figure recounted, every table labelled."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from experiments.claims import HOLDS, NOT_JUDGED, WRONG
from experiments.errors import UserError
from experiments.report.page import render
from experiments.results import Run
from experiments.settings import Settings
from experiments.tasks import (photos, scores, starts, statistics, task1_look, task2_dropout,
                               task3_scratch, task4_transfer, task5_origin, training)
from experiments.tasks.recipe import PAPER, QUICK, Recipe
from experiments.tasks.scores import Score
from experiments.tasks.telling import digits
from minigrad.data import DataLoader, random_split
from minigrad.models import MODELS
from minigrad.train import History, wilson
from minigrad.train.folder.identity import describe_loader
from minigrad.weights import load, save

BREEDS = {"pug": (200, 160, 60), "border_collie": (40, 40, 160), "siberian_husky": (90, 190, 90)}
COUNTS = {"dbi": 10, "sdd": 7}          # photos of each breed
TINY = Recipe(name="tiny", resize=36, size=32, padding=2, batch=16, epochs=1, small_batch=8,
              small_epochs=2, width=16, pretraining=1, weights="standin")
MODULES = {"task1": task1_look, "task2": task2_dropout, "task3": task3_scratch,
           "task4": task4_transfer, "task5": task5_origin}


def blob(rng, colour, clutter):
    """A disc of a colour on grey, off the middle and on stripes if there is clutter."""
    size = int(rng.integers(40, 56))
    rows, columns = np.mgrid[:size, :size] / size - 0.5 - clutter * rng.uniform(-0.2, 0.2)
    picture = np.full((size, size, 3), rng.integers(100, 180), float)
    if clutter:
        picture += 60 * np.sign(np.sin(40 * columns + rng.uniform(0, 6)))[..., None]
    picture[rows ** 2 + columns ** 2 < 0.08] = colour
    return np.clip(picture + rng.normal(0, 12, picture.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A folder with dbi/ and sdd/."""
    root, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for name, count in COUNTS.items():
        for breed, colour in BREEDS.items():
            folder = root / name / breed
            folder.mkdir(parents=True)
            for i in range(count):
                Image.fromarray(blob(rng, colour, name == "sdd")).save(folder / f"{i}.jpg")
    return root


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Files of narrow networks in the place of the pretrained ones."""
    folder, files = tmp_path_factory.mktemp("weights"), {}
    for name, architecture in starts.NETWORKS.items():
        files[name] = folder / f"{architecture}.safetensors"
        save(files[name], MODELS[architecture](5, width=TINY.width).state_dict())
    return files


@pytest.fixture(scope="session")
def settings(data, tmp_path_factory):
    return Settings(data=str(data), folder=tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def answers(settings, weights):
    """The answer of every task; the three networks start from files."""
    def find_start(name, settings, recipe):
        return starts._start(name, weights[name], "from a tiny file", TINY.width)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task4_transfer, "find_start", find_start)
        patch.setattr(task5_origin, "find_start", find_start)
        return {name: module.verify(settings, TINY) for name, module in MODULES.items()}


# --- the recipe and the photos -------------------------------------------------------------------

def test_the_written_recipe_and_its_parts():
    assert PAPER.parts(646) == (408, 45, 193) and sum(PAPER.parts(646)) == 646
    assert PAPER.parts(1292, valid=False) == (905, 0, 387)
    assert (PAPER.for_small(), PAPER.split_seed) == (PAPER, 45)
    assert (PAPER.max_lr, PAPER.clip, PAPER.weight_decay, PAPER.batch, PAPER.epochs) == (
        0.015, 0.1, 1e-4, 128, 10)
    for recipe in (QUICK, PAPER):
        assert all(recipe.parts(photos.FEWEST)) and not all(recipe.parts(photos.FEWEST - 1))
    view = " ".join(repr(PAPER.training_view()).split())
    for step in ("Resize(size=(256, 256)", "RandomCrop(size=(224, 224), padding=4, "
                 "padding_mode=reflect)", "RandomHorizontalFlip(p=0.3)", "RandomRotation("):
        assert step in view
    scaled = ("name", "resize", "size", "padding", "batch", "epochs", "small_batch", "small_epochs",
              "width", "save_every", "pretraining", "weights")
    assert QUICK == replace(PAPER, **{name: getattr(QUICK, name) for name in scaled})


def test_parts_share_no_photo_and_do_not_depend_on_the_runs_seed(data):
    dbi, _ = photos.folders(data)
    parts = photos.split(dbi, TINY)
    names = [part.name(i) for part in parts for i in range(len(part))]
    assert [len(part) for part in parts] == [19, 2, 9] and len(set(names)) == len(dbi) == 30
    assert [part.indices for part in parts] == [
        part.indices for part in random_split(dbi, (19, 2, 9), seed=45)]


def make(root, *places):
    for place in places:
        (root / place).mkdir(parents=True)
        for i in range(10):
            Image.new("RGB", (8, 8)).save(root / place / f"{i}.png")


@pytest.mark.parametrize("places, more, message", [
    ((), None, "no such folder"),
    (("dbi/a", "dbi/b"), None, "there is no folder sdd in it; make both with"),
    (("dbi/a", "sdd/a"), None, "has one class only, a"),
    (("dbi/a", "dbi/b", "sdd/a", "sdd/c"), None, "only one of them has b, c"),
    (("dbi/a", "dbi/b", "sdd/a", "sdd/b"), "sdd/c", "no image of class c"),
])
def test_a_folder_that_will_not_do_is_one_line(tmp_path, places, more, message):
    root = tmp_path / "photos"
    make(root, *places)
    if more:
        (root / more).mkdir()
    with pytest.raises(UserError, match=message) as error:
        photos.folders(root)
    assert "\n" not in str(error.value) and str(root) in str(error.value)


def test_the_fingerprint_sees_another_photo(tmp_path):
    make(tmp_path, "dbi/a", "dbi/b", "sdd/a", "sdd/b")
    before = photos.fingerprint(tmp_path)
    assert before == photos.fingerprint(tmp_path)
    Image.new("RGB", (90, 80)).save(tmp_path / "sdd/b/0.png")
    assert before != photos.fingerprint(tmp_path)


# --- counting ------------------------------------------------------------------------------------

def test_a_score_counts_what_it_was_given():
    score = Score(("a", "b", "c"), tuple("uvwxy"), np.array([0, 0, 1, 1, 2]),
                  np.array([0, 1, 1, 0, 2]), np.array([.9, .6, .8, .7, .5]))
    assert (score.correct, score.total, score.accuracy) == (3, 5, 0.6)
    assert score.confusion.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert score.wrong == [3, 1]                # the most certain mistake first
    assert score.of([1, 4]).names == ("v", "y") and score.of([1, 4]).correct == 1
    assert scores.per_class([score], "b") == 0.5
    assert scores.interval([score]) == wilson(3, 5)
    other = replace(score, guesses=score.targets)
    assert scores.mean([score, other]) == 0.8
    assert scores.in_words([score, other]).startswith("0.800 ± 0.283 (")


def random_score(rng, right):
    targets = rng.integers(0, 3, 40)
    guesses = np.where(np.arange(40) < right, targets, (targets + 1) % 3)
    return Score(("a", "b", "c"), ("",) * 40, targets, guesses, np.ones(40))


def test_the_loop_that_never_resets_prints_running_means():
    rng = np.random.default_rng(0)
    models = [random_score(rng, right) for right in (36, 10, 30)]
    assert task4_transfer.running_means(models) == [36 / 40, 46 / 80, 76 / 120]
    # 30 first: 30, 20 and 25.3 of 40 would put it above 36
    assert (2, 1, 0) in task4_transfer.misled(models)
    for order in task4_transfer.misled(models):
        own = [models[i].correct for i in order]
        printed = [sum(own[:k]) / k for k in (1, 2, 3)]
        assert sorted(range(3), key=own.__getitem__) != sorted(range(3), key=printed.__getitem__)
    assert len(task4_transfer.misled(models)) == 2
    assert task4_transfer.misled(models[:2]) == []      # two models are always ranked rightly


def test_likelier_is_the_share_of_pairs():
    a, b = np.array([1, 2, 3.0]), np.array([2, 5.0])
    assert statistics.likelier(a, b) == np.mean([[y > x or 0.5 * (x == y) for x in a] for y in b])
    assert [statistics.in_words(c) for c in (0.2, 0.5, 0.6, 0.65, 0.9)] == [
        "much lower", "about the same", "slightly higher", "clearly higher", "much higher"]


# --- the tasks -----------------------------------------------------------------------------------

def test_every_table_story_and_figure_says_whose_photos_it_is_about(answers, data):
    for answer in answers.values():
        for text in (answer.story[0], *(t.caption for t in answer.tables),
                     *answer.captions.values()):
            assert f"photos of {data}" in text
        assert answer.figures.keys() == answer.captions.keys()
    assert all("from a tiny file" in caption for caption in answers["task4"].captions.values())


def test_figures_tables_and_report_are_drawn(answers, tmp_path):
    run = Run(list(answers), Settings(), tmp_path)
    for answer in answers.values():
        run.add(answer, 0.0)
    document = run.document()
    for question in document["questions"]:
        for figure in question["figures"]:
            assert figure["files"] and all((tmp_path / f).stat().st_size for f in figure["files"])
    with Image.open(tmp_path / "figures" / "task1-dbi.jpg") as sheet:
        assert sheet.width > 800 and sheet.height > 3 * 112
    page = render(document, tmp_path)
    assert "data:image/jpeg;base64" in page and "DBI, written" in page
    assert json.loads(run.to_json())["questions"][0]["tables"][0]["rows"][-1][2] == "30"


def test_numbers_are_those_of_the_sets(answers, data):
    dbi, sdd = photos.folders(data)
    test = Counter(np.array(dbi.targets)[photos.split(dbi, TINY).test.indices].tolist())
    for task, name, counts in (("task3", "SDD", Counter(sdd.targets)),
                               ("task3", "DBI test", test)):
        found = answers[task].numbers[name]
        assert [row.sum() for row in found["confusion"][0]] == [counts[i] for i in range(3)]
        assert found["correct"][0] == np.trace(found["confusion"][0])
        assert found["accuracy"] == found["correct"][0] / found["total"]
        assert found["interval"] == wilson(found["correct"][0], found["total"])
    assert answers["task1"].numbers["photos"] == {"DBI": 30, "SDD": 21}


def test_task2_gaps_are_train_minus_photos_not_seen(answers, settings):
    for name, found in answers["task2"].numbers.items():
        unseen = (found["valid"]["correct"][0] + found["test"]["correct"][0]) / 11
        assert found["gap at rest"]["value"] == pytest.approx(found["train"]["accuracy"] - unseen)
        folder = settings.folder / f"task2-{name.replace(' ', '-')}-seed0"
        last = History.read(folder / "history.jsonl")[-1]
        assert found["gap"]["value"] == pytest.approx(last["train"]["accuracy"] - unseen)
        assert found["gap in validation"]["value"] == pytest.approx(
            last["train"]["accuracy"] - last["valid"]["accuracy"])
        assert found["gap"]["low"] < found["gap"]["value"] < found["gap"]["high"]


def test_the_interval_of_a_difference_is_newcombes():
    """His example: 56 of 70 and 48 of 80, table II, method 10: 0.0524 to 0.3339."""
    found = scores.Share.of(56 / 70, 70) - scores.Share.of(48 / 80, 80)
    assert [round(x, 4) for x in found] == [0.2, 0.0524, 0.3339]
    assert f"{found:.1%}" == "20.0% (5.2% to 33.4%)"


def test_task4_counts_right_beside_wrong(answers, settings):
    networks = {name: n for name, n in answers["task4"].numbers.items() if name != "from scratch"}
    total, correct = 0, 0
    for found in networks.values():
        correct += found["SDD"]["correct"][0]
        total += found["SDD"]["total"]
        assert found["SDD as the loop prints it"] == correct / total
        assert found["all of DBI"]["total"] == 30 and found["DBI test"]["total"] == 9
    scratch, alone = answers["task4"].numbers["from scratch"], answers["task3"].numbers
    assert scratch["SDD"]["correct"] == alone["SDD"]["correct"]
    assert len(list(settings.folder.glob("task3-*"))) == 1      # one training, used twice


def test_task5_is_balanced(answers, data):
    both = task5_origin.balanced(*photos.folders(data), seed=45)
    assert Counter(both.targets) == {0: 21, 1: 21}
    assert all(("/sdd/" in both.name(i)) == target for i, target in enumerate(both.targets))
    found = answers["task5"].numbers
    assert found["train"]["total"] + found["test"]["total"] == 42 and found["test"]["total"] == 12


def test_both_sets_of_task5_tell_how_they_are_prepared(data):
    """Or a run with other augmentation would go on in the folder of this one."""
    both = task5_origin.balanced(*photos.folders(data), seed=45)
    train = photos.split(both, TINY, valid=False).train
    views = TINY.training_view(), TINY.test_view()
    told = [describe_loader(DataLoader(train.with_transform(view)))["transform"] for view in views]
    for lines, view in zip(told, views):
        assert "\n".join(lines).count(repr(view)) == 2
    assert told[0] != told[1] and both.transform == (None, None)


def test_digits_are_judged_on_real_photos_with_the_written_recipe_alone():
    score = random_score(np.random.default_rng(0), 20)
    real, drawn = (photos.Photos(None, None, "", d) for d in (False, True))
    paper, written = Settings(profile="paper"), {"x": 0.5}
    for who, settings, words in (
            (drawn, paper, "the photos are drawn."),
            (drawn, Settings(), "the photos are drawn and the recipe is not the written one."),
            (real, Settings(), "the recipe is not the written one."),
            (real, replace(paper, weights=("standin",)), "the weights are not ImageNet's.")):
        apart = digits("t", who, settings, written, {"x": [score]})
        assert apart.verdict == NOT_JUDGED and apart.as_documented and words in apart.why
    near = digits("t", real, paper, written, {"x": [score]})
    far = digits("t", real, paper, {"x": 0.9}, {"x": [score]})
    assert (near.verdict, far.verdict) == (HOLDS, WRONG)
    assert near.as_documented and far.as_documented         # nothing is documented


# --- trainings -----------------------------------------------------------------------------------

def test_a_stopped_training_goes_on_to_the_same_bits(settings, tmp_path, monkeypatch):
    """Ctrl-C after the first epoch; then the same command again, as `--resume` does."""
    parts, recipe = photos.split(photos.find(settings).dbi, TINY), TINY.for_small()

    def run(folder):
        return training.Training("task2-x", lambda: MODELS["small_cnn"](3, size=32), parts, recipe
                                 ).network(replace(settings, folder=folder), 7)

    straight = run(tmp_path / "straight")

    def stop(self, state):
        raise KeyboardInterrupt
    with monkeypatch.context() as patch:
        patch.setattr(training.Teller, "on_epoch_end", stop)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "stopped")
    resumed = run(tmp_path / "stopped")
    again = run(tmp_path / "stopped")           # finished: only read
    for other in (resumed, again):
        assert len(other.history) == recipe.epochs == 2
        for name, array in straight.model.state_dict().items():
            assert np.array_equal(array, other.model.state_dict()[name]), name


def test_a_folder_that_will_not_go_on_is_one_line(settings, tmp_path):
    parts, recipe = photos.split(photos.find(settings).dbi, TINY), TINY.for_small()
    here = replace(settings, folder=tmp_path)

    def run(recipe):
        training.Training("task2-x", lambda: MODELS["small_cnn"](3, size=32), parts, recipe
                          ).network(here, 7)

    run(recipe)
    with pytest.raises(UserError, match="task2-x, seed 7: .* this is another run"):
        run(replace(recipe, clip=3.0))
    for file in (tmp_path / "task2-x-seed7/checkpoints").glob("step-*"):
        file.write_bytes(file.read_bytes()[:99])
    with pytest.raises(UserError, match="none of 2 checkpoints can be read"):
        run(recipe)


def test_written_counts_stand_beside_their_breeds_alone(data):
    table = task1_look.verify(Settings(data=str(data))).tables[0]
    assert {row[1] for row in table.rows} == {row[3] for row in table.rows} == {""}


def test_seeds_repeat_a_training(settings, tmp_path):
    answer = task3_scratch.verify(replace(settings, seeds=2, folder=tmp_path), TINY)
    found = answer.numbers["SDD"]
    assert len(found["correct"]) == 2 and "±" in answer.tables[0].rows[2][3]
    assert found["accuracy"] == pytest.approx(sum(found["correct"]) / 42)
    assert "Means of 2 trainings, seeds 0 to 1" in answer.story[1]


def test_pretraining_is_cached_by_recipe_and_seed(data, tmp_path, monkeypatch):
    (tmp_path / "wide").symlink_to(data / "dbi")
    monkeypatch.setattr(starts, "stand_in", lambda settings: tmp_path)
    monkeypatch.setattr(starts, "cache_folder", lambda: tmp_path / "cache")
    settings = Settings(folder=tmp_path / "run")
    first = starts.find_start("ResNet-18", settings, TINY)
    file, = (tmp_path / "cache" / "weights").iterdir()
    assert "drawn pictures, not on ImageNet" in first.source and first.width == TINY.width
    assert first.build(2).fc.weight.shape[0] == 2
    stamp = file.stat().st_mtime_ns
    starts.find_start("ResNet-18", settings, TINY)
    assert file.stat().st_mtime_ns == stamp and len(list(file.parent.iterdir())) == 1
    starts.find_start("ResNet-18", replace(settings, seed=1), TINY)
    assert len(list(file.parent.iterdir())) == 2
    assert load(file).metadata["source"] == first.source


def test_weights_files_are_told_apart(tmp_path, weights):
    full = tmp_path / "full.safetensors"
    save(full, MODELS["resnet18"](3).state_dict())
    assert starts.by_network([str(full)]) == {"ResNet-18": str(full)}
    other = tmp_path / "other.safetensors"
    save(other, MODELS["resnet50"](3).state_dict())
    for files, message in (([str(other)], "weights of resnet50; the tasks use resnet18"),
                           ([str(weights["ResNet-18"])], "of a resnet18 of width 16; the"),
                           ([str(full), str(full)], "both weights of resnet18"),
                           ([str(full), "imagenet"], "imagenet stands alone"),
                           (["missing"], "cannot read missing")):
        with pytest.raises(UserError, match=message):
            starts.by_network(files)
    given = Settings(weights=(str(full),))
    assert starts.available(given, TINY) == ["ResNet-18"]
    only = starts.find_start("ResNet-18", given, TINY)
    assert only.name == "ResNet-18" and only.width == 64 and "full.safetensors" in only.source


def test_a_photo_that_cannot_be_read_is_named(tmp_path):
    make(tmp_path, "dbi/a", "dbi/b", "sdd/a", "sdd/b")
    (tmp_path / "sdd/b/3.png").write_bytes(b"no picture")
    from experiments.questions import TASKS
    with pytest.raises(UserError, match="sdd/b/3.png"):
        TASKS["task1"].verify(Settings(data=str(tmp_path)))
