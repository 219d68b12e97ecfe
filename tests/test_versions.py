"""What was saved for backward must not change in place; what was not saved may."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, grad, no_grad
from tests.one_line import one_line


def leaf(*values):
    return Tensor(np.array(values), requires_grad=True)


def values(x):
    return x.data.tolist()


def changed(x):
    with no_grad():
        x += 1


CHANGES = {
    "the input": lambda x, y: changed(x),
    "the output": lambda x, y: changed(y),
    "one element": lambda x, y: x.detach().__setitem__(0, 5.0),
    "a view of the input": lambda x, y: changed(x.detach().reshape(2, 1)[:1].T),
    "a view of the output": lambda x, y: changed(y.detach()[1:]),
    "an alias of the input": lambda x, y: changed(x.detach()),
    "a copy": lambda x, y: changed(x.clone()),
    "an indexed copy": lambda x, y: changed(x.detach()[[0, 1]]),
}
INPUT = {"the input", "one element", "a view of the input", "an alias of the input"}
OUTPUT = {"the output", "a view of the output"}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("f, kept, fatal", [
    (mg.log, "Log needs its x", INPUT), (mg.sin, "Sin needs its x", INPUT),
    (lambda x: x * x, "Mul needs its", INPUT), (mg.abs, "Abs needs its x", INPUT),
    (lambda x: mg.log(x.reshape(2, 1)).reshape(2), "Log needs its x", INPUT),
    (mg.exp, "Exp needs its y", OUTPUT), (mg.sigmoid, "Sigmoid needs its y", OUTPUT),
    (mg.tanh, "Tanh needs its y", OUTPUT), (mg.relu, "ReLU needs its y", OUTPUT),
    (lambda x: mg.softmax(x, 0), "Softmax needs its y", OUTPUT),
    (lambda x: x + x, None, ()), (lambda x: 3 * x, None, ()),
    (lambda x: x * Tensor(np.array([3.0, 4.0])), None, ()), (lambda x: mg.clip(x, 0, 2), None, ())],
    ids=["log", "sin", "mul", "abs", "log of view", "exp", "sigmoid", "tanh", "relu", "softmax",
         "add", "times number", "times constant", "clip"])
def test_a_saved_value_must_not_change_and_others_may(f, kept, fatal, change):
    x = leaf(0.5, 1.5)
    (expected,) = grad(f(x).sum(), x)
    y = f(x)
    loss = y.sum()
    CHANGES[change](x, y)
    if change in fatal:
        with one_line(RuntimeError, kept, "in place", "version"):
            loss.backward()
    else:
        loss.backward()
        assert values(x.grad) == values(expected)


def test_a_step_between_forward_and_backward_is_noticed():
    w, x = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = (w * x).sum()
    w.grad = Tensor(np.ones(2))
    mg.optim.SGD([w]).step()
    with one_line(RuntimeError, "Mul", "in place"):
        y.backward()


def test_conditions_and_indices_are_kept_as_they_were():
    x, condition, index = leaf(1.0, 2.0), Tensor([True, False]), Tensor([1, 1])
    y = mg.where(condition, x, 0) + x[index]
    condition[...] = Tensor([False, True])
    index[...] = 0
    y.sum().backward()
    assert values(x.grad) == [1, 2]


def test_changes_before_saving_and_after_backward_do_not_matter():
    x = leaf(1.0, 2.0)
    changed(x)
    y = (x * x).sum()
    y.backward()
    changed(x)
    assert values(x.grad) == [4, 6]


def test_replaced_data_are_noticed_when_the_pass_is_recorded():
    w = Tensor(np.array([3.0]), requires_grad=True)
    y = (w * w).sum()
    w.data = np.array([100.0])
    with one_line(RuntimeError, "replaced"):
        grad(y, w, create_graph=True)


def test_an_index_or_a_condition_may_be_changed_after_its_use():
    x = Tensor(np.arange(3.0), requires_grad=True)
    index, condition = np.array([0, 1]), np.array([True, False, False])
    y = x[index].sum() + mg.where(condition, x, 0).sum()
    index[:], condition[:] = 2, True
    y.backward()
    assert x.grad.numpy().tolist() == [2, 1, 0]
