"""`python -m experiments.benchmarks gpu --smoke` and `--kernels`: what they find and record."""

import json
import sys

import pytest

import minigrad as mg
from experiments.benchmarks.__main__ import main
from experiments.benchmarks.cuda import kernels, smoke
from minigrad import ops

on_stand_in = pytest.mark.parametrize("xp", ["stand-in"], indirect=True)


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Sizes for kernels that are emulated, and a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(smoke, "CONVOLUTIONS", smoke.CONVOLUTIONS[-1:])
    monkeypatch.setattr(smoke, "_losses", lambda kind: [1.0])
    for name, value in {"BATCH": 2, "LAYERS": ((3, 8, 9, 3, 2),), "MAPS": ((4, 5),),
                        "COPIED": 1000, "MULTIPLIED": 16}.items():
        monkeypatch.setattr(kernels, name, value)


@on_stand_in
def test_every_check_passes_where_kernels_are_right(xp, small, capsys):
    assert main(["gpu", "--smoke"]) == 0
    rows = json.loads(smoke.RESULTS.read_text())
    assert len(rows) > 20 and all(row["ok"] for row in rows)
    out, err = capsys.readouterr()
    assert out.count("ok  ") == len(rows) and f"{len(rows)} of {len(rows)} checks passed" in err
    assert mg.get_float32_matmul_precision() == "highest"


@on_stand_in
def test_what_is_wrong_or_raises_is_told_and_the_rest_done(xp, small, monkeypatch, capsys):
    right = ops.avg_pool2d
    monkeypatch.setattr(ops, "avg_pool2d", lambda x, *rest: right(x, *rest) * (
        1.001 if x.device == "cuda" else 1))
    monkeypatch.setattr(ops, "sigmoid", lambda x: 1 / 0)
    assert main(["gpu", "--smoke"]) == 1
    failed = [row for row in json.loads(smoke.RESULTS.read_text()) if not row["ok"]]
    assert [row["name"] for row in failed] == ["average pooling", "sigmoid"]
    assert failed[0]["error"] == pytest.approx(1e-3, rel=0.1)
    assert failed[1]["error"] == "ZeroDivisionError: division by zero"
    assert "FAIL sigmoid: ZeroDivisionError" in capsys.readouterr().out


def test_the_training_learns_and_repeats(monkeypatch):
    """On the CPU, where its steps are many times as fast as emulated ones."""
    losses = smoke._losses(None, "cpu")
    assert losses == smoke._losses(None, "cpu") and losses[-1] < losses[0]
    monkeypatch.setattr(smoke, "STEPS", 1)
    with pytest.raises(ArithmeticError, match="does not learn"):
        smoke._losses(None, "cpu")


@on_stand_in
def test_every_kernel_is_measured_beside_its_needs(xp, small, capsys):
    assert main(["gpu", "--kernels"]) == 0
    rows = {row["name"]: row for row in json.loads(kernels.RESULTS.read_text())}
    assert rows["copy, by CuPy"]["bytes"] == 8000
    convolution = rows["convolution: float32, 3 -> 8, 3x3, stride 2, 9 px"]
    assert convolution["operations"] == 2 * 2 * 5 * 5 * 8 * 3 * 9
    assert convolution["bytes"] == 4 * (2 * 3 * 81 + 2 * 8 * 25 + 8 * 3 * 9)
    assert rows["product of 16 x 16, cuBLAS, float32, TF32"]["operations"] == 2 * 16**3
    assert all(row["seconds"] > 0 for row in rows.values())
    assert len(capsys.readouterr().out.splitlines()) == len(rows)
    assert mg.get_float32_matmul_precision() == "highest"


@pytest.mark.parametrize("arguments", [
    ["ops", "--smoke"], ["gpu", "ops", "--kernels"], ["gpu", "--smoke", "--kernels"],
    ["gpu", "--smoke", "--json"]])
def test_they_belong_to_gpu_alone(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert capsys.readouterr().err.count("error: ") == 1


@pytest.mark.parametrize("flag", ["--smoke", "--kernels"])
def test_without_a_gpu_that_is_told(flag, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert main(["gpu", flag]) == 2
    assert capsys.readouterr().err.startswith("benchmark gpu: ")
