"""`python -m experiments.benchmarks gpu`: what it measures, and what is left if it breaks off."""

import json
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.benchmarks import gpu
from experiments.benchmarks.__main__ import main
from minigrad import get_float32_matmul_precision, manual_seed, models, nn
from tests.engine.halves import needs_bfloat16

on_stand_in = pytest.mark.parametrize("xp", ["stand-in"], indirect=True)


def workload(before=lambda: None):
    """A network of one layer; `before` is called when it is made."""
    return (lambda: before() or nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), None, 2, (1, 4, 4),
            3)


@pytest.fixture
def small(monkeypatch, tmp_path, tmp_path_factory):
    """Two small workloads, a folder of its own, and no git; but what the emulator compiles with."""
    monkeypatch.chdir(tmp_path)
    tools = tmp_path_factory.mktemp("tools")
    for name in filter(shutil.which, ("g++", "as", "ld")):
        (tools / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setattr(gpu, "STEPS", 1)
    monkeypatch.setattr(gpu, "ROUNDS", 2)
    monkeypatch.setattr(gpu, "WORKLOADS", {"first": workload(), "second": workload()})
    return tmp_path


def recorded():
    return json.loads(gpu.RESULTS.read_text())


@needs_bfloat16
@on_stand_in
def test_every_workload_is_measured_in_every_precision(xp, small, capsys):
    seen = []
    gpu.WORKLOADS["second"] = workload(lambda: seen.append(get_float32_matmul_precision()))
    assert main(["gpu", "--json"]) == 0
    document = recorded()
    assert [row["workload"] for row in document["rows"]] == [
        f"{name}, {precision}" for precision in ("TF32", "bf16", "float32")
        for name in ("first", "second")]
    assert document["device"] == "stand-in" and "git is not installed" in document["commit"]
    assert all(row["seconds per step"]["minigrad"]["median"] == 0.001 for row in document["rows"])
    assert seen == ["high", "highest", "highest"] and get_float32_matmul_precision() == "highest"
    assert len(json.loads(capsys.readouterr().out)["benchmarks"]["gpu"]["rows"]) == 6


@on_stand_in
def test_what_was_measured_before_an_error_is_kept(xp, small):
    gpu.WORKLOADS["second"] = workload(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["gpu"])
    assert [row["workload"] for row in recorded()["rows"]] == ["first, TF32"]
    assert get_float32_matmul_precision() == "highest"


@on_stand_in
def test_without_ml_dtypes_the_rest_is_measured(xp, small, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    assert main(["gpu"]) == 0
    assert len(recorded()["rows"]) == 4 and "without bf16: " in capsys.readouterr().err


def test_without_a_gpu_it_is_one_line(small, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(
        is_available=lambda: False, ndarray=(),
        cuda=SimpleNamespace(runtime=SimpleNamespace(getDeviceCount=lambda: 0))))
    with pytest.raises(SystemExit) as ended:
        main(["gpu"])
    assert ended.value.code == 2 and not gpu.RESULTS.exists()
    assert capsys.readouterr().err.splitlines()[-1].startswith("benchmark gpu: device 'cuda' needs")


@needs_bfloat16
@pytest.mark.parametrize("form", ["contiguous_format", "channels_last"])
@pytest.mark.parametrize("precision", gpu.PRECISIONS)
def test_torch_takes_the_same_steps(precision, form):
    """Both contenders, on the CPU: the same loss, from the same weights."""
    torch = pytest.importorskip("torch")
    manual_seed(0)
    rng = np.random.default_rng(0)
    x, target = rng.standard_normal((4, 1, 32, 32)).astype(np.float32), rng.integers(0, 10, 4)
    ours, theirs = models.lenet5(), gpu.torch_lenet(torch)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        q.data = torch.tensor(p.data).reshape(q.shape)     # C5 is a convolution here
    mine = gpu.minigrad_step(ours, x, target, precision, "cpu")
    other = gpu.torch_step(torch, theirs, x, target, precision, form, "cpu")
    tolerance = 2e-2 if precision == "bf16" else 1e-5
    for _ in range(3):
        assert mine().item() == pytest.approx(other().item(), rel=tolerance)
    weight = next(theirs.parameters())
    assert weight.is_contiguous(memory_format=getattr(torch, form))
