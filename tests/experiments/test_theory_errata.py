"""The errata: exact integer arithmetic on the printed digits."""

from fractions import Fraction

import pytest

from experiments.claims import HOLDS
from experiments.settings import Settings
from experiments.theory import errata


def test_every_verdict_is_the_documented_one():
    answer = errata.verify(Settings())
    assert [c.id for c in answer.claims if not c.as_documented] == []
    assert answer.numbers["running means"] == ["1101/1233", "2257/2466", "3391/3699",
                                               "1113/1233", "2264/2466", "3388/3699"]


def test_undone_accuracies():
    first = errata.undone(errata.FIRST_RUN, errata.SDD)
    assert errata.as_text(first) == "ResNet-18 0.8929, ResNet-34 0.9376, ResNeXt-50 0.9197"
    second = errata.undone(errata.SECOND_RUN, errata.SDD)
    assert errata.as_text(second) == "ResNet-18 0.9027, ResNeXt-50 0.9335, ResNet-34 0.9116"


@pytest.mark.parametrize("total", [193, 646, 1233])
def test_counts_agrees_with_trying_every_count(total):
    for printed in ("0.8929", "0.9152", "0.9167", "0.9876", "0.5000", "0.0000", "1.0000"):
        brute = [m for m in range(total + 1)
                 if abs(Fraction(m, total) - Fraction(printed)) <= Fraction(1, 20000)]
        assert [m for m in errata.counts(printed, total) if 0 <= m <= total] == brute


def test_all_sixteen_digits_are_compared():
    assert errata.counts("0.9159232224925655", 3699) == [3388]
    assert errata.counts("0.9159232224925656", 3699) == []


def test_a_figure_that_is_no_running_mean_is_refused():
    with pytest.raises(ValueError, match="0.9999 is no running mean of 2 x 1233"):
        errata.running_means({"a": "0.8929", "b": "0.9999"}, 1233)


def test_figures_that_are_possible_would_hold(monkeypatch):
    own = {m: f"{float(a):.4f}" for m, a in errata.undone(errata.FIRST_RUN, errata.SDD).items()}
    monkeypatch.setattr(errata, "FIRST_RUN", own)
    claims = {claim.id: claim for claim in errata.verify(Settings()).claims}
    assert claims["errata.first-run"].verdict == HOLDS
    assert not claims["errata.first-run"].as_documented


def test_a_test_accuracy_on_193_photos_would_hold(monkeypatch):  # 190/193
    monkeypatch.setattr(errata, "DBI_RESNET18", "0.9845")
    claims = {claim.id: claim for claim in errata.verify(Settings()).claims}
    assert claims["errata.dbi-test"].as_written.passed
