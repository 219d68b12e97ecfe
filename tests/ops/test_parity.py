"""The same numbers as PyTorch: values and gradients of every op, frozen for where it is absent.

`python -m tests.ops.freeze_fixtures` writes tests/fixtures/*.json anew, with PyTorch. An op without
a frozen case is compared with PyTorch where that is installed, and skipped by name where it is not.
"""

import json

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad.ops import REGISTRY
from tests.fixtures import cases
from tests.fixtures.cases import FAMILIES
from tests.fixtures.compare import case, minigrad_api, normal, outcome, torch_api
from tests.ops.op_table import TABLE
from tests.places import FIXTURES

TOLERANCE = {"float32": 1e-6, "float64": 1e-12}
FROZEN = FIXTURES

pytestmark = pytest.mark.filterwarnings(    # PyTorch says so, once
    "ignore:Using padding='same' with even kernel lengths",
    "ignore:reduction. 'mean' divides the total loss")
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


# ---- no op is left out ---------------------------------------------------------------------------

@pytest.fixture(scope="module")
def called():
    """The names of the ops that the cases call."""
    return cases.called() & set(REGISTRY)


def test_no_op_loses_its_frozen_case(called):
    assert set(json.loads((FROZEN / "ops.json").read_text())) <= called


# Ops whose lines in the table are no arguments for PyTorch's: they are compared elsewhere.
ELSEWHERE = {
    **dict.fromkeys(("dropout1d", "dropout3d"), "each draws its own numbers"),
    **dict.fromkeys(("group_norm", "instance_norm", "layer_norm", "normalize"),
                    "of two or three numbers, float32 gradients are a difference of roundings"),
    "channel_shuffle": "PyTorch refuses two axes",
    "hardsigmoid": "PyTorch rounds 1/6 to float32"}


@pytest.mark.parametrize("name", REGISTRY)
def test_every_op_is_compared(called, name):
    """An op that is newer than the frozen cases is compared with PyTorch itself."""
    if name in ELSEWHERE:
        pytest.skip(f"{name}: {ELSEWHERE[name]}")
    if name not in called:
        torch = pytest.importorskip("torch", reason=f"{name} has no frozen case, and without "
                                    "PyTorch nothing to be compared with")
        if not hasattr(torch_api(torch), name):
            pytest.skip(f"{name} has no frozen case, and PyTorch no op of this name")
        if not any(line.partition(":")[0] == name for line in TABLE):
            pytest.skip(f"{name} is compared on PyTorch's own samples, in test_op_db_parity.py")
        check_as_torch(torch, name)


def check_as_torch(torch, name):
    """Compare the op with PyTorch's of the same name, on arguments from the table of ops."""
    lines = [line for line in TABLE if line.partition(":")[0] == name]

    @settings(max_examples=10, phases=[Phase.generate])
    @given(st.data())
    def compare(data):
        op = TABLE[data.draw(st.sampled_from(lines))]
        sample = data.draw(op.samples)
        each = case(lambda T, *xs: op.call(getattr(T, name), xs, {
            key: T.make(value, False) if isinstance(value, np.ndarray) else value
            for key, value in sample.options.items()}), *map(given_array, sample.arrays))
        for dtype in TOLERANCE:
            mine, theirs = (outcome(name, each, api, dtype)
                            for api in (minigrad_api(), torch_api(torch)))
            agree(mine, theirs, dtype, same_dtype=True)

    compare()


def given_array(array):
    """An input of a case that is not drawn."""
    return lambda rng: array


@pytest.mark.parametrize("name", ["exp", "mul", "leaky_relu", "amax", "softmax", "conv2d"])
def test_ops_are_as_in_torch_on_arguments_from_the_table(torch, name):
    check_as_torch(torch, name)


@pytest.mark.parametrize("wrong", [
    lambda x: mg.exp(x) * (1 + 1e-5), lambda x: mg.exp(x).detach() + 0 * x, lambda x: -mg.exp(x)])
def test_a_wrong_op_is_not_as_in_torch(torch, monkeypatch, wrong):
    monkeypatch.setitem(REGISTRY, "exp", wrong)
    with pytest.raises(AssertionError):
        check_as_torch(torch, "exp")


@pytest.mark.parametrize("change", [lambda y: y * (1 + 1e-11), lambda y: -y, lambda y: y[:1]])
def test_a_difference_is_noticed(change):
    exp = case(lambda T, x: T.exp(x), normal(3))
    (y,), gradients = right = outcome("exp", exp, minigrad_api(), "float64")
    agree(right, right, "float64", True)
    for wrong in [([change(y)], gradients), ([y], [change(g) for g in gradients]), ([y], [None])]:
        with pytest.raises(AssertionError):
            agree(wrong, right, "float64", True)
