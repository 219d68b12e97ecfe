"""The same numbers as PyTorch: values and gradients of every op, frozen for where it is absent.

`python -m tests.freeze_fixtures` writes tests/fixtures/*.json anew, with PyTorch.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from minigrad.ops import REGISTRY
from tests.fixtures.cases import FAMILIES
from tests.fixtures.compare import case, minigrad_api, normal, outcome, torch_api

TOLERANCE = {"float32": 1e-6, "float64": 1e-12}
FROZEN = Path(__file__).parent / "fixtures"

every_case = pytest.mark.parametrize(
    "family, name", [(family, name) for family, cases in FAMILIES.items() for name in cases])
both_precisions = pytest.mark.parametrize("dtype", TOLERANCE)


@pytest.fixture(scope="module")
def torch():
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    return torch


@pytest.fixture(scope="module")
def frozen():
    return {family: json.loads((FROZEN / f"{family}.json").read_text()) for family in FAMILIES}


def close(mine, theirs, dtype, same_dtype):
    """Equal to within the tolerance, relative to each element or to the largest of the array."""
    if mine is None:  # nothing flows back, where PyTorch may send zeros
        assert theirs is None or not np.any(theirs)
    else:
        theirs = np.asarray(theirs)
        assert mine.shape == theirs.shape and mine.dtype.kind == theirs.dtype.kind
        assert mine.dtype == theirs.dtype or not same_dtype
        tolerance = TOLERANCE[dtype]
        largest = np.abs(theirs[np.isfinite(theirs)]).max(initial=0)
        np.testing.assert_allclose(mine, theirs, tolerance, tolerance * largest)


def agree(mine, theirs, dtype, same_dtype):
    for a, b in zip(mine, theirs, strict=True):  # outputs, gradients
        for x, y in zip(a, b, strict=True):
            close(x, y, dtype, same_dtype)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@both_precisions
@every_case
def test_as_torch(torch, family, name, dtype):
    mine, theirs = (outcome(name, FAMILIES[family][name], api, dtype)
                    for api in (minigrad_api(), torch_api(torch)))
    agree(mine, theirs, dtype, same_dtype=True)


@both_precisions
@every_case
def test_as_frozen(frozen, family, name, dtype):
    mine = outcome(name, FAMILIES[family][name], minigrad_api(), dtype)
    agree(mine, frozen[family][name], dtype, same_dtype=False)


def test_every_frozen_case_is_compared(frozen):
    assert {family: list(cases) for family, cases in frozen.items()} == {
        family: list(cases) for family, cases in FAMILIES.items()}


class Listening:
    """An interface that remembers which of its names were used."""

    def __init__(self, api):
        self.api, self.used = api, set()

    def __getattr__(self, name):
        self.used.add(name)
        return getattr(self.api, name)


def test_every_op_is_compared():
    api = Listening(minigrad_api())
    for cases in FAMILIES.values():
        for name, each in cases.items():
            outcome(name, each, api, "float64")
    assert set(REGISTRY) <= api.used


@pytest.mark.parametrize("change", [lambda y: y * (1 + 1e-11), lambda y: -y, lambda y: y[:1]])
def test_a_difference_is_noticed(change):
    exp = case(lambda T, x: T.exp(x), normal(3))
    (y,), gradients = right = outcome("exp", exp, minigrad_api(), "float64")
    agree(right, right, "float64", True)
    for wrong in [([change(y)], gradients), ([y], [change(g) for g in gradients]), ([y], [None])]:
        with pytest.raises(AssertionError):
            agree(wrong, right, "float64", True)
