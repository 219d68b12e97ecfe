"""The contenders of the benchmarks compute the same thing, in whichever library."""

import importlib
from functools import partial

import numpy as np
import pytest

from experiments.benchmarks import inference, memory, ops, training
from experiments.benchmarks.harness import set_rounds, timed_race
from experiments.benchmarks.networks import cases, numpy_peers
from experiments.benchmarks.networks.twins import twin
from minigrad import nn
from minigrad.models import resnet18
from tests.one_line import one_line

CASES = {str(case): case for case in (*training.CASES, *inference.CASES)}


def smaller(case):
    n, c, h, w = case.shape
    return case._replace(shape=(2, c, min(h, 64), min(w, 64)))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_evaluation_is_the_same(case):
    scores = inference.evaluators(smaller(case), {"torch": pytest.importorskip("torch")})
    ours, theirs = scores["minigrad"]().data, scores["torch"]().numpy()
    assert ours.shape == theirs.shape and abs(ours - theirs).max() <= 1e-4 * abs(ours).max()


@pytest.mark.parametrize("case", [
    cases.Case("ResNet", partial(resnet18, width=8), (4, 3, 64, 64)),
    *(case for case in training.CASES if case.name in ("LeNet-5", "small conv net"))], ids=str)
def test_torch_takes_the_same_steps(case):
    pytest.importorskip("torch")
    ours, theirs = (cases.step_of(who, case) for who in ("minigrad", "torch"))
    for _ in range(3):
        assert ours().item() == pytest.approx(theirs().item(), rel=1e-4)


@pytest.mark.parametrize("name", numpy_peers.TRAINERS)
def test_others_take_the_same_steps(name, monkeypatch):
    peer = pytest.importorskip(name)
    monkeypatch.setattr(cases, "RATE", 0.05)     # so that a missing momentum shows
    monkeypatch.setattr(numpy_peers, "RATE", 0.05)
    case = cases.SMALL_CONV_NET._replace(shape=(4, 3, 32, 32))
    try:
        theirs = numpy_peers.TRAINERS[name](peer, case)
    except OSError as error:
        pytest.skip(f"no compiler: {error}")
    ours = cases.step_of("minigrad", case)
    losses = [(ours().item(), theirs().item()) for _ in range(5)]
    assert losses[-1][0] < 0.9 * losses[0][0]
    for mine, other in losses:
        assert mine == pytest.approx(other, rel=1e-4)


@pytest.mark.parametrize("name", ["torch", *numpy_peers.OPS])
def test_small_ops_have_the_same_gradients(name, monkeypatch):
    monkeypatch.setattr(ops, "CHAIN", 400)
    pairs = ops.contenders({name: pytest.importorskip(name)})
    for ours, theirs in zip(pairs["minigrad"], pairs[name], strict=True):
        for _ in range(2):      # and they do not add up
            mine = ours().data
            assert np.asarray(theirs()) == pytest.approx(mine, rel=1e-4, abs=1e-6)


def test_a_network_that_computes_something_else_has_no_twin():
    class Twice(nn.Sequential):
        def forward(self, input):
            return 2 * super().forward(input)

    with one_line(RuntimeError, "the twin of Twice in torch computes something else"):
        twin(pytest.importorskip("torch"), Twice(nn.Flatten(), nn.Linear(12, 3)), (1, 3, 2, 2))


def test_a_library_that_does_not_run_is_left_out(monkeypatch, capsys):
    def trainer(peer, case):
        raise FileNotFoundError("no clang")

    monkeypatch.setitem(training.TRAINERS, "tinygrad", trainer)
    assert list(training._contenders(cases.SMALL_CONV_NET, {"tinygrad": None})) == ["minigrad"]
    assert capsys.readouterr().err.splitlines() == [
        "tinygrad does not run here: measured without it (no clang)"]


def test_the_memory_of_torch_is_that_of_a_process_of_its_own():
    pytest.importorskip("torch")
    case = cases.Case("LeNet-5", training.CASES[7].build, (64, 1, 32, 32))
    set_rounds(2)
    try:
        values = memory.peaks(case, {"torch": None}, "", 5)
    finally:
        set_rounds(None)
    assert list(values) == ["minigrad", "torch"] and all(len(vs) == 2 for vs in values.values())
    kept = 64 * 6 * 28 * 28 * 4     # what the first convolution gives
    assert all(v > kept for vs in values.values() for v in vs)


def test_rounds_are_as_many_as_were_asked_for():
    calls = []
    for asked, expected in ((3, 5), (None, 6)):
        calls.clear()
        set_rounds(asked)
        try:
            timed_race("", "call", 1, {"one": lambda: calls.append(1) or 1.0}, 4)
        finally:
            set_rounds(None)
        assert len(calls) == expected      # two of them to warm up


def test_peers_are_asked_for_by_names_that_python_imports():
    main = importlib.import_module("experiments.benchmarks.__main__")
    assert set(main.PEERS) == set(main.BENCHMARKS)
    asked = {name for names in main.PEERS.values() for name in names}
    assert {*numpy_peers.TRAINERS, *numpy_peers.OPS} <= asked
