"""Do the gradient checks notice a wrong gradient? Here are many, each of which they must catch.

A mutant is an op with one formula of its backward replaced by a plausible mistake: a sign, a
factor, a lost term, the wrong saved value, a sum over the wrong axis. The very checks that
test_ops.py runs, on the same samples, have to fail on it. op_mutants.py holds them.
"""

from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import Phase, given, settings

import minigrad as mg
from minigrad.ops import var
from minigrad.ops.arithmetic import Mul
from minigrad.ops.norm import BatchNorm
from tests.ops.op_checks import check_gradients, check_second_derivatives, check_values
from tests.ops.op_mutants import (COMPOSED, MUTANTS, SECOND, batch_norm_with, binned, normalised,
                                  torch_bins)
from tests.ops.op_table import DIFFERENTIABLE, TABLE


def disguised(wrong, right):
    """An op with the values of `right` and the gradients of `wrong`."""
    def f(*arguments, **options):
        y, other = right(*arguments, **options), wrong(*arguments, **options)
        return y.detach() + (other - other.detach())
    return f


@contextmanager
def replaced(function, method, formula):
    """`function` with another formula, taken up as when a class is defined."""
    before = vars(function)[method]
    setattr(function, method, formula)
    function.__init_subclass__()
    try:
        yield
    finally:
        setattr(function, method, before)
        function.__init_subclass__()


def caught(check, op):
    """Does the check fail on a sample of that line of the table?"""
    @settings(max_examples=max(30, settings.default.max_examples), phases=[Phase.generate],
              report_multiple_bugs=False)
    @given(op.samples)
    def run(sample):
        check(op, sample)

    try:
        run()
    except (AssertionError, ValueError):  # wrong numbers, or shapes that do not fit together
        return True
    return False


def survivors(mutants, check):
    """The names of the mutants that pass the check."""
    found = []
    for function, (line, mistakes) in mutants.items():
        for name, (method, formula) in mistakes.items():
            with replaced(function, method, formula):
                if not caught(check, TABLE[line]):
                    found.append(f"{function.__name__}.{method}: {name}")
    return found


def count(mutants):
    return len([name for _, mistakes in mutants.values() for name in mistakes])


def test_wrong_gradients_are_caught():
    assert len(MUTANTS) >= 10 and all(len(mistakes) >= 4 for _, mistakes in MUTANTS.values())
    alive = survivors(MUTANTS, check_gradients)
    assert len(alive) <= 0.02 * count(MUTANTS), f"not caught: {alive}"


def test_wrong_second_derivatives_are_caught():
    alive = survivors(SECOND, check_second_derivatives)
    assert not alive, f"not caught: {alive}"


FLAT = {"sign", "div: rounded"}  # the gradient is 0


@pytest.mark.parametrize("name", sorted(DIFFERENTIABLE.keys() - FLAT))
def test_a_gradient_wrong_by_a_thousandth_is_caught(name):
    """For each line of the table, whatever its formulas are."""
    op = TABLE[name]

    def scaled(f, arrays, options):
        y = op.call(f, arrays, options)
        return y.detach() + 1.001 * (y - y.detach())

    assert caught(check_gradients, op._replace(call=scaled))


@pytest.mark.parametrize("line, name", [(line, name) for line, mistakes in COMPOSED.items()
                                        for name in mistakes])
def test_wrong_compositions_are_caught(line, name):
    """By their values, and by their gradients when the values are right."""
    op, wrong = TABLE[line], COMPOSED[line][name]
    assert caught(check_values, op._replace(function=wrong))
    assert caught(check_gradients, op._replace(function=disguised(wrong, op.function)))


def test_a_right_formula_in_other_words_passes():
    """The control of the control: what is caught is the mistake, not the replacement."""
    same = {
        Mul: ("mul", {"factors exchanged": ("grad_a", lambda self, gy, b: b * gy)}),
        BatchNorm: ("batch_norm: training", {
            "written out": ("backward", lambda self, gy, x, w: normalised(self, gy, x, w))})}
    assert survivors(same, check_gradients) == ["Mul.grad_a: factors exchanged",
                                                "BatchNorm.backward: written out"]
    for line, right in [
            ("adaptive_avg_pool2d", binned(torch_bins)),
            ("batch_norm: training", batch_norm_with(lambda x, dims: var(x, dims, 0, True)))]:
        op = TABLE[line]
        assert not caught(check_values, op._replace(function=right))
        assert not caught(check_gradients, op._replace(function=disguised(right, op.function)))


def test_a_replaced_formula_is_put_back():
    rules, needs = Mul.formulas, Mul.needs
    with pytest.raises(KeyError), replaced(Mul, "grad_a", lambda self, gy, y: gy * y):
        assert Mul.needs == ["a", "y"]
        raise KeyError
    assert (Mul.formulas, Mul.needs) == (rules, needs)
    assert mg.gradcheck(mg.mul, [np.ones(2), np.ones(2)])
