"""Installed in any way, the packages are found from any folder, also from the one above a checkout
called minigrad, where that folder looks like a package without code."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.places import ROOT

FULL = os.environ.get("MINIGRAD_FULL") == "1"
LOOK = """
import experiments, minigrad, pyramids
print(minigrad.Tensor([2.0]).item(), *(p.__file__ for p in (experiments, minigrad, pyramids)))
"""
PIP = ("--no-build-isolation", "--no-deps", "--no-index", "-q", "--disable-pip-version-check")


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A copy of the tree in a folder called minigrad."""
    folder = tmp_path_factory.mktemp("parent") / "minigrad"
    folder.mkdir()
    for name in ("experiments", "minigrad", "pyramids", "tests"):
        shutil.copytree(ROOT / name, folder / name,
                        ignore=shutil.ignore_patterns("__pycache__", "fixtures"))
    for name in ("LICENSE", "README.md", "pyproject.toml", "setup.cfg"):
        shutil.copy(ROOT / name, folder)
    return folder


def run(python, *argv, cwd):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run([python, *argv], cwd=cwd, text=True, capture_output=True, timeout=300,
                          env=inherited)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module", params=["editable", "plain", "wheel"] if FULL else ["editable"])
def installed(request, clone, tmp_path_factory):
    """(python of a new environment that has minigrad, where its code must come from)."""
    folder = tmp_path_factory.mktemp(request.param)
    environment = folder / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", str(environment), cwd=folder)
    python = environment / "bin" / "python"
    own = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))",
                   cwd=folder).strip())
    (own / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    what = {"editable": ["-e", "./minigrad"], "plain": ["./minigrad"]}.get(request.param)
    if what is None:
        run(sys.executable, "-m", "pip", "wheel", *PIP, "--wheel-dir", str(folder), "./minigrad",
            cwd=clone.parent)
        what = [str(path) for path in folder.glob("*.whl")]
    run(sys.executable, "-m", "pip", "--python", str(python), "install", *PIP, *what,
        cwd=clone.parent)
    shutil.rmtree(clone / "build", ignore_errors=True)
    return str(python), clone if request.param == "editable" else own


@pytest.mark.parametrize("place", ["the parent folder", "another folder"])
def test_found_from(place, installed, clone, tmp_path):
    python, origin = installed
    cwd = clone.parent if place == "the parent folder" else tmp_path
    number, *files = run(python, "-c", LOOK, cwd=cwd).split()
    assert number == "2.0"
    assert files == [str(origin / name / "__init__.py")
                     for name in ("experiments", "minigrad", "pyramids")]
    run(python, "-m", "experiments", "q3", "--out", str(tmp_path / "out"), cwd=cwd)
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000


def test_every_file_of_the_packages_is_installed(installed):
    """Sources, kernels, walkthroughs, style sheet, what type checkers read; no picture."""
    _, origin = installed
    files = [path.relative_to(ROOT) for package in ("experiments", "minigrad", "pyramids")
             for path in (ROOT / package).rglob("*.*") if "__pycache__" not in path.parts]
    missing = [path for path in files if not (origin / path).exists()]
    assert {path.parent for path in missing} <= {Path("experiments/pictures")}
