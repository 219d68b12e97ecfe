"""Question 3: five routes to dL/dw3, the documented verdicts, and that they can fail."""

import math

import pytest

from experiments.claims import CORRECTED, HOLDS, OPEN, WRONG, spread
from experiments.settings import Settings
from experiments.theory import q3_backprop as q3

EXACT = -0.01133375784816148  # 40 digits computed, rounded: -0.011333757848161483701...


@pytest.fixture(scope="module")
def answer():
    return q3.verify(Settings())


def verdicts(answer):
    return {claim.id: claim.verdict for claim in answer.claims}


def test_every_verdict_is_the_documented_one(answer):
    assert verdicts(answer) == {
        "q3.gradient": WRONG, "q3.product": HOLDS, "q3.slopes": WRONG,
        "q3.error-factor": CORRECTED, "q3.plain-factors": HOLDS, "q3.factorisation": HOLDS}
    assert all(claim.as_documented for claim in answer.claims)


def test_five_routes_agree_with_the_exact_value(answer):
    routes = dict(answer.claims[0].routes)
    assert len(routes) == 5
    assert abs(routes.pop("central differences") - EXACT) < 1e-8
    assert spread(routes) < 1e-12
    assert all(abs(value - EXACT) < 1e-15 for value in routes.values())


def test_the_chain_multiplies_to_the_gradient_factor_by_factor():
    chain = q3.by_hand()
    assert math.isclose(chain["2(y - yhat)"], 0.63976, abs_tol=5e-6)
    assert math.isclose(chain["s'(z3)"], 0.217556, abs_tol=5e-7)
    assert math.isclose(chain["s'(z2)"], 0.109450, abs_tol=5e-7)


@pytest.mark.parametrize("route", ["by_autograd", "by_complex_step", "by_dual_numbers",
                                   "by_differences"])
def test_a_route_that_is_off_opens_the_claim(monkeypatch, route):
    right = getattr(q3, route)
    monkeypatch.setattr(q3, route, lambda **factors: right(**factors) + 1e-6)
    assert verdicts(q3.verify(Settings()))["q3.gradient"] == OPEN


def test_a_right_written_answer_would_hold(monkeypatch):
    monkeypatch.setattr(q3, "WRITTEN", -0.0113)
    assert verdicts(q3.verify(Settings()))["q3.gradient"] == HOLDS


def test_dependence_on_the_factorisation_would_be_seen(monkeypatch):
    right = q3.by_autograd
    monkeypatch.setattr(q3, "by_autograd", lambda **factors: right() + 1e-9 * len(factors) * (
        factors.get("x1", 0)))
    assert verdicts(q3.verify(Settings()))["q3.factorisation"] == WRONG
