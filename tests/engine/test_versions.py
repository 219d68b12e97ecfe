"""What was saved for backward must not change in place; what was not saved may."""

import copy

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, grad, nn, no_grad
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


def test_statistics_that_training_moves_leave_an_earlier_evaluation_alone():
    for norm, shape in ((nn.BatchNorm1d(1), (2, 1)), (nn.BatchNorm2d(1), (2, 1, 1, 1))):
        x, other = (Tensor(np.reshape(v, shape).astype(np.float32)) for v in ([1, 3], [10, 30]))
        y = norm.eval()(x)
        norm.train()(other)
        (y * y).sum().backward()
        np.testing.assert_allclose(norm.weight.grad.data, [20], rtol=1e-4)
        np.testing.assert_allclose(norm.bias.grad.data, [8], rtol=1e-4)


class Scaled(nn.Module):
    """x times a buffer and a parameter."""

    def __init__(self):
        self.weight = nn.Parameter(np.ones(2, np.float32))
        self.register_buffer("scale", np.array([1, 2], np.float32))

    def forward(self, x):
        return x * self.scale * self.weight


def test_loading_a_state_is_noticed_in_parameters_and_buffers():
    for part in ("weight", "scale"):
        model, x = Scaled(), Tensor(np.array([1, 2], np.float32), requires_grad=True)
        y = model(x).sum()
        model.load_state_dict({part: np.full(2, 5.0, np.float32)}, strict=False)
        with one_line(RuntimeError, "Mul", "in place"):
            y.backward()


def test_moving_a_model_leaves_what_was_saved():
    model, x = Scaled(), Tensor(np.array([1, 2], np.float32), requires_grad=True)
    y = model(x).sum()
    model.to("float64")
    model.scale[:] = 0
    y.backward()
    assert values(x.grad) == [1, 2]


# ---- containers ----------------------------------------------------------------------------------

INDICES = {
    "a list": ([0, 1], lambda i: i.__setitem__(0, 2)),
    "a list in a tuple": (([0, 1],), lambda i: i[0].__setitem__(0, 2)),
    "a list of lists": ([[0], [1]], lambda i: i[0].__setitem__(0, 2)),
    "a list of booleans": ([True, True, False], lambda i: i.reverse()),
    "an array": (np.array([0, 1]), lambda i: i.fill(2)),
    "an array in a tuple": ((np.array([0, 1]),), lambda i: i[0].fill(2)),
    "an array without axes": (np.array(0), lambda i: i.fill(2)),
    "a list of arrays": ([np.array(0), np.array(1)], lambda i: i[0].fill(2)),
    "a Tensor": (Tensor([0, 1]), lambda i: i.__setitem__(0, 2)),
}


@pytest.mark.parametrize("index, change", INDICES.values(), ids=INDICES)
def test_an_index_is_kept_as_it_was(index, change):
    x = leaf(1.0, 2.0, 3.0)
    y = x[index]
    expected = [1, 0, 0] if y.ndim == 0 else [1, 1, 0]
    change(index)
    (g,) = grad(y.sum(), x, create_graph=True)
    assert values(g) == expected


def test_conditions_shapes_and_axes_in_lists_are_kept_as_they_were():
    x, condition, axes, shape, widths = leaf(1.0, 2.0), [True, False], [0], [2, 1], [1, 0]
    y = (mg.where(condition, x, 0).sum() + mg.sum(x, axes) + x.reshape(shape).sum()
         + x.expand([3, 2]).sum() + mg.pad(x, widths).sum() + x.reshape(1, 2).permute([1, 0]).sum())
    for changed_list in (condition, axes, shape, widths):
        changed_list[:] = [7] * len(changed_list)
    y.backward()
    assert values(x.grad) == [8, 7]


def test_a_gradient_passed_to_a_recorded_pass_is_kept_as_it_was():
    x, v = leaf(3.0), np.array([1.0])
    (x * x * x).backward(v, create_graph=True)
    v[:] = 100
    assert values(grad(x.grad, x)[0]) == [18]


# ---- memory that several share -------------------------------------------------------------------

def parameter_of_a_tensor(x):
    t = Tensor(x)
    return nn.Parameter(t), t


def parameter_of_a_result(x):
    t = Tensor(x) * 1
    return nn.Parameter(t), t


ALIASES = {
    "a Parameter and its Tensor": parameter_of_a_tensor,
    "a Parameter and the result of an op": parameter_of_a_result,
    "two Tensors of an array": lambda x: (Tensor(x, requires_grad=True), Tensor(x)),
    "Tensors of an array and its transpose":
        lambda x: (Tensor(x, requires_grad=True), Tensor(x.reshape(2, 1).T)),
    "Tensors of two views": lambda x: (Tensor(x[:], requires_grad=True), Tensor(x[:1])),
    "copy.copy": lambda x: (t := Tensor(x, requires_grad=True), copy.copy(t).detach()),
}


@pytest.mark.parametrize("alias", ALIASES.values(), ids=ALIASES)
@pytest.mark.parametrize("first", [0, 1])
def test_changes_through_one_are_seen_by_the_other(alias, first):
    pair = alias(np.array([1.0, 2.0]))
    used, other = pair[first], pair[1 - first]
    w = leaf(3.0)
    y = (w * used).sum()
    with no_grad():
        other *= 5
    assert used.data.flat[0] == 5
    with one_line(RuntimeError, "Mul", "in place"):
        y.backward()


def test_parts_of_one_array_that_do_not_overlap_are_apart():
    x = np.array([1.0, 2.0, 3.0])
    a, b = Tensor(x[:1], requires_grad=True), Tensor(x[1:])
    y = a * a
    b *= 5
    y.backward()
    assert values(a.grad) == [2]


def test_an_array_that_lies_where_another_one_was_is_not_taken_for_it():
    p, w = nn.Parameter(np.ones(1000)), leaf(1.0)
    others = []
    for _ in range(20):
        p.data = np.ones(1000)  # the old ones are gone, and their places free
        others.append(Tensor(np.ones(1000)))
        others.append(Tensor(np.frombuffer(bytes(8000))))
    y = (p * w).sum()
    with no_grad():
        for other in others[::2]:
            other += 1
    y.backward()
    assert values(w.grad) == [1000]
