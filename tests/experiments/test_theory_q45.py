"""Questions 4 and 5: the documented figures, independent routes, and verdicts that can fail."""

from collections import Counter

import numpy as np
import pytest
from matplotlib.figure import Figure

from experiments.claims import HOLDS, OPEN, WRONG
from experiments.results import Run
from experiments.settings import Settings
from experiments.theory import q4_flops, q5_lenet
from minigrad import nn
from minigrad.models import lenet5
from minigrad.ops.conv import Conv2d
from minigrad.ops.pool import MaxPool2d
from minigrad.profile import RULES, Count


@pytest.fixture(scope="module")
def q4():
    return q4_flops.verify(Settings())


@pytest.fixture(scope="module")
def q5():
    return q5_lenet.verify(Settings())


def claims(answer):
    return {claim.id: claim for claim in answer.claims}


def verdicts(answer):
    return {claim.id: claim.verdict for claim in answer.claims}


def failed(claim):
    return [c.name for c in claim.checks if not c.passed]


@pytest.mark.parametrize("name", ["q4", "q5"])
def test_every_verdict_is_the_documented_one(name, request):
    answer = request.getfixturevalue(name)
    assert set(verdicts(answer).values()) == {HOLDS}
    assert all(claim.as_documented and claim.id.startswith(f"{name}.") for claim in answer.claims)
    assert 3 <= len(answer.story) <= 6


@pytest.mark.parametrize("name", ["q4", "q5"])
def test_figures_are_drawn_and_the_answer_is_kept(name, request, tmp_path):
    answer = request.getfixturevalue(name)
    run = Run([name], Settings(), tmp_path)
    run.add(answer, seconds=0.0)
    assert all(isinstance(draw(), Figure) for draw in answer.figures.values())
    assert sorted(answer.figures) == sorted(answer.captions)
    assert len(list((tmp_path / "figures").glob("*.png"))) == len(answer.figures) == 1


# --- question 4 ----------------------------------------------------------------------------------

def test_q4_finds_the_written_totals_by_three_routes(q4):
    for bias, total in (("without", 1153840), ("with", 1154560)):
        claim = claims(q4)[f"q4.{bias}-bias"]
        assert list(claim.routes.values()) == [total] * 3
        assert str(total) in claim.written


def test_q4_counts_by_kind(q4):
    assert q4.numbers["without bias"] == {"multiply": 576000, "add": 575280, "compare": 2560,
                                          "other": 0, "macs": 576000}
    assert q4.numbers["with bias"]["add"] == 576000
    assert q4.numbers["multiplications by a pixel of the input"] == 20 * 50 * 22**2


def test_q4_tries_layers_of_every_sort(q4):
    layers = q4.numbers["random layers"]
    assert len(layers) == q4_flops.RANDOM_LAYERS
    assert {layer["pooling"] for layer in layers} == {"max", "mean"}
    assert any(layer["kernel"][0] != layer["kernel"][1] for layer in layers)
    assert any(sum(layer["padding"]) for layer in layers)


def test_numbers_record_what_is_done_with_them():
    tally = Counter()
    a, b = (q4_flops.numbers(np.array(v), tally) for v in ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]))
    assert (a * b).sum().value == 32
    assert tally == {"multiply": 3, "add": 2}
    assert (0 * a[0]).value == 0 and (a[1] / 4).value == 0.5
    assert np.maximum(a, b)[2].value == 6 and a.max().value == 3
    assert tally == {"multiply": 4, "add": 2, "other": 1, "compare": 5}


SMALL = q4_flops.Shapes(2, (6, 6), 3, (3, 3), (1, 1), (1, 1), "max", (2, 2), (2, 2))


def test_q4_is_wrong_for_another_layer(monkeypatch):
    """The routes agree with each other, and not with what is written."""
    monkeypatch.setattr(q4_flops, "QUESTION", SMALL)
    answer = q4_flops.verify(Settings())
    assert verdicts(answer) == {"q4.shapes": WRONG, "q4.without-bias": WRONG,
                                "q4.with-bias": WRONG, "q4.method": HOLDS}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_q4_does_not_hang_on_the_seed(monkeypatch, seed):
    monkeypatch.setattr(q4_flops, "QUESTION", SMALL)
    assert verdicts(q4_flops.verify(Settings(seed)))["q4.method"] == HOLDS


@pytest.mark.parametrize("op, rule", [
    (Conv2d, lambda call: Count(multiply=call.output.numel())),
    (MaxPool2d, lambda call: Count(compare=9 * call.output.numel()))])
def test_q4_notices_a_wrong_rule(monkeypatch, op, rule):
    monkeypatch.setattr(q4_flops, "QUESTION", SMALL)
    monkeypatch.setitem(RULES, op, rule)
    answer = q4_flops.verify(Settings())
    assert verdicts(answer)["q4.with-bias"] == OPEN
    assert verdicts(answer)["q4.method"] == WRONG
    assert "largest difference between the routes" in failed(claims(answer)["q4.without-bias"])


def test_q4_notices_a_rule_wrong_in_kind_alone(monkeypatch):
    right = RULES[Conv2d]
    monkeypatch.setattr(q4_flops, "QUESTION", SMALL)
    monkeypatch.setitem(RULES, Conv2d, lambda call: right(call)._replace(
        multiply=right(call).add, add=right(call).multiply))
    answer = q4_flops.verify(Settings())
    assert failed(claims(answer)["q4.without-bias"])[1:] == [
        "multiplications, profile against counted", "additions, profile against counted"]
    assert verdicts(answer)["q4.method"] == WRONG


def test_q4_notices_a_counted_run_that_computes_something_else(monkeypatch):
    direct = q4_flops.pool.max_direct
    monkeypatch.setattr(q4_flops, "QUESTION", SMALL)
    monkeypatch.setattr(q4_flops.pool, "max_direct", lambda x, window: direct(x, window)[:, ::-1])
    answer = q4_flops.verify(Settings())
    assert "error of the counted run's values" in failed(claims(answer)["q4.with-bias"])
    assert verdicts(answer)["q4.with-bias"] == OPEN


# --- question 5 ----------------------------------------------------------------------------------

def test_q5_finds_both_totals_by_four_routes(q5):
    assert list(claims(q5)["q5.total"].routes.values()) == [61706] * 4
    assert list(claims(q5)["q5.original"].routes.values()) == [60000] * 4
    assert q5.numbers["1998"]["total"]["fixed"] == 840


def test_q5_tells_the_layers(q5):
    assert claims(q5)["q5.layers"].measured == "C1 156, C3 2416, C5 48120, F6 10164, output 850"
    assert claims(q5)["q5.original"].measured == (
        "60000: C1 156, S2 12, C3 1516, S4 32, C5 48120, F6 10164")
    assert sum(q5.numbers["connections of 1998"].values()) == 340908


def with_change(change):
    """A builder of LeNet-5 whose models went through `change(model, variant)`."""
    def build(variant):
        model = lenet5(variant=variant)
        change(model, variant)
        return model
    return build


def without_bias(model, variant):
    model.f6.bias = None


def dense_c3(model, variant):
    model.c3 = nn.Conv2d(6, 16, 5)


def frozen_c1(model, variant):
    model.c1.requires_grad_(False)


def dead_f6(model, variant):
    setattr(model, {"modern": "f6_relu", "1998": "f6_squash"}[variant], nn.ReLU())
    model.f6.bias.data[:] = -1e3


@pytest.mark.parametrize("change, expected", [
    (without_bias, {"q5.total": OPEN, "q5.layers": WRONG, "q5.original": OPEN}),
    (dense_c3, {"q5.total": HOLDS, "q5.layers": HOLDS, "q5.original": OPEN}),
    (frozen_c1, {"q5.total": OPEN, "q5.layers": WRONG, "q5.original": OPEN}),
    (dead_f6, {"q5.total": OPEN, "q5.layers": HOLDS, "q5.original": OPEN})])
def test_q5_notices_a_changed_network(monkeypatch, change, expected):
    monkeypatch.setattr(q5_lenet, "lenet5", with_change(change))
    assert verdicts(q5_lenet.verify(Settings())) == expected


def test_q5_is_wrong_for_a_network_of_another_size(monkeypatch):
    """All routes agree on the smaller network, and it is not the one written about."""
    monkeypatch.setattr(q5_lenet, "lenet5", with_change(without_bias))
    monkeypatch.setattr(q5_lenet, "modern_formula", lambda: 61706 - 84)
    monkeypatch.setattr(q5_lenet, "original_formula", lambda: 60000 - 84)
    monkeypatch.setattr(q5_lenet, "PAPER", {**q5_lenet.PAPER, "f6": 10080})
    answer = q5_lenet.verify(Settings())
    assert verdicts(answer) == {"q5.total": WRONG, "q5.layers": WRONG, "q5.original": WRONG}


def test_q5_checks_the_connections(monkeypatch):
    monkeypatch.setitem(q5_lenet.PAPER_CONNECTIONS, "c3", 156000)
    claim = claims(q5_lenet.verify(Settings()))["q5.original"]
    assert failed(claim) == ["connections by layer"] and claim.verdict == OPEN
