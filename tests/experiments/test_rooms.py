"""The rooms of `experiments`: what a theory question imports, what is where, what has moved."""

import json
import subprocess
import sys
import warnings

import pytest

from experiments import claims, questions
from experiments.claims import Answer
from experiments.settings import Settings
from experiments.tasks.recipe import QUICK
from experiments.tasks.training import Training, make
from tests.places import ROOT

MOST_FILES = 16
LOOK = """
import contextlib, io, json, sys
from experiments.cli import main
with contextlib.redirect_stdout(io.StringIO()):
    status = main(sys.argv[1:])
print(json.dumps([status, sorted(name for name in sys.modules
                                 if name.startswith(("experiments.", "minigrad.train")))]))
"""


def imported(folder, *argv):
    """The modules of `experiments` and `minigrad.train` that a command brings in."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", LOOK, *argv], cwd=folder, text=True,
                          capture_output=True, env={"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    status, modules = json.loads(done.stdout)
    assert status == 0
    return modules


def inside(modules, *packages):
    return [name for name in modules for package in packages
            if name == package or name.startswith(f"{package}.")]


def test_a_theory_question_does_not_pass_through_the_tasks(tmp_path):
    kept = imported(tmp_path, "q3", "--out", "o")
    printed = imported(tmp_path, "q3", "--json")
    for modules in (kept, printed):
        assert "experiments.theory.q3_backprop" in modules
        assert not inside(modules, "experiments.tasks", "experiments.standin",
                          "experiments.own_photos", "experiments.pyramid_pictures")
    # with a folder, `minigrad.train.folder.lock` keeps other processes out of it
    assert "minigrad.train.folder.lock" in kept and not inside(printed, "minigrad.train")


def test_what_a_task_imports_is_noticed(tmp_path):
    """The look above does see the tasks where they are asked for."""
    modules = imported(tmp_path, "summary", "lenet5")
    assert "experiments.commands.summary" in modules
    code = LOOK.replace("    status = main(sys.argv[1:])",
                        "    status = 0; import experiments.tasks.photos")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, text=True,
                          capture_output=True, env={"PYTHONPATH": str(ROOT)})
    assert inside(json.loads(done.stdout)[1], "experiments.tasks", "experiments.standin")


@pytest.mark.parametrize("package", ["experiments", "pyramids"])
def test_no_folder_has_more_files_than_a_reader_can_survey(package):
    for folder in [ROOT / package, *(p for p in (ROOT / package).rglob("*") if p.is_dir())]:
        assert len(list(folder.glob("*.py"))) <= MOST_FILES, folder


def test_every_question_is_found_where_the_table_says():
    for name, question in questions.every().items():
        file = ROOT / "experiments" / f"{question.module.replace('.', '/')}.py"
        assert "def verify(settings: Settings" in file.read_text(encoding="utf-8"), name
    assert questions.tasks_among(["q3", "task2", "errata"]) == ["task2"]
    assert questions.groups()["all"] == [*questions.groups()["theory"], "pyramids",
                                         *questions.groups()["tasks"]]


def test_settings_are_still_found_in_their_old_place():
    with pytest.warns(DeprecationWarning, match="is now experiments.settings.Settings"):
        assert claims.Settings is Settings
    with warnings.catch_warnings(), pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        warnings.simplefilter("error")
        claims.Nothing


def test_an_answer_is_made_with_keywords_only():
    assert Answer(question="q", title="t", story=(), claims=()).numbers == {}
    with pytest.raises(TypeError):
        Answer("q", "t", (), ())


def test_what_the_crew_makes_is_what_verify_scores(monkeypatch):
    """Both go through the one description of a training."""
    made = []

    def describe(name, recipe, photos, settings):
        return Training(f"{name}-{photos}", None, None, recipe)

    monkeypatch.setattr("experiments.tasks.training.find", lambda settings: "photos")
    monkeypatch.setattr("experiments.tasks.training._train",
                        lambda training, settings, seed, folder: made.append(
                            (training.name, seed, folder)))
    settings = Settings(seed=3, seeds=2)
    make(describe, "net", QUICK, settings)
    crew, made = made, []
    list(describe("net", QUICK, "photos", settings).networks(settings))
    assert crew == made == [("net-photos", 3, None), ("net-photos", 4, None)]
    made.clear()
    make(describe, "net", QUICK, settings, seed=9)
    assert [seed for _, seed, _ in made] == [9]
