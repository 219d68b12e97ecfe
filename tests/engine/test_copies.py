"""copy.copy, copy.deepcopy, pickle of Tensors and Modules; an error with a graph behind them."""

import copy
import pickle

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, nn
from tests.one_line import one_line


def pickled(x):
    return pickle.loads(pickle.dumps(x))


every_way = pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, pickled])


@every_way
@pytest.mark.parametrize("make, dtype", [(nn.Parameter, "float32"), (Tensor, "int64"),
                                         (Tensor, "float16"), (Tensor, "bool")])
def test_a_leaf_is_copied_whole(again, make, dtype):
    x = make(np.arange(6).reshape(2, 3).astype(dtype).T)
    if x.requires_grad:
        x.grad = Tensor(np.ones((3, 2), dtype))
        x.register_hook(lambda g: g * 100)
    y = again(x)
    assert type(y) is make and y is not x and (y.dtype, y.requires_grad) == (dtype, x.requires_grad)
    assert y.data.tolist() == x.data.tolist() and y.is_leaf
    assert np.shares_memory(x.data, y.data) == (again is copy.copy)
    if x.requires_grad:
        assert y.grad.data.tolist() == [[1, 1]] * 3
        (y * 2).sum().backward()  # hooks stay behind
        assert y.grad.data.tolist() == [[3, 3]] * 3 and x.grad.data.tolist() == [[1, 1]] * 3


@every_way
def test_attributes_of_a_class_of_ones_own_come_along(again):
    x = Named(np.ones(2))
    x.title = "weights"
    assert again(x).title == "weights" and type(again(x)) is Named


class Named(Tensor):
    """A Tensor with further attributes."""


@every_way
@pytest.mark.parametrize("length", [1, 1000, 100_000])
def test_with_a_graph_behind_it_the_error_says_what_to_do(again, length):
    y = Tensor([1.0], requires_grad=True)
    for _ in range(length):
        y = y + 1
    for holder in (y, [y], {"loss": y}):
        if holder is y or again is not copy.copy:
            with one_line(RuntimeError, "made by Add", ".detach()", ".clone()"):
                again(holder)
    assert again(y.detach()).item() == length + 1


@pytest.mark.parametrize("again", [copy.deepcopy, pickled])
def test_modules_are_copied_with_their_gradients_and_ties(again):
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    model.tied = model.parameters().__next__()
    model(Tensor(np.ones((4, 2), np.float32))).sum().backward()
    twin = again(model)
    for (name, p), (other, q) in zip(model.named_parameters(), twin.named_parameters()):
        assert name == other and not np.shares_memory(p.data, q.data)
        assert (p.data == q.data).all() and (p.grad.data == q.grad.data).all()
    assert twin.tied is next(twin.parameters())
    twin(Tensor(np.ones((4, 2), np.float32))).sum().backward()
    assert model.tied.grad is not twin.tied.grad
    model.last = model(Tensor(np.ones((4, 2), np.float32)))
    with one_line(RuntimeError, "made by Linear"):
        again(model)


def test_a_copy_of_a_parameter_changes_alone():
    p = nn.Parameter(np.ones(2, np.float32))
    y, q = (p * p).sum(), copy.deepcopy(p)
    with mg.no_grad():
        q += 1
    y.backward()
    assert p.grad.data.tolist() == [2, 2]
