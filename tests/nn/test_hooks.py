"""Hooks: when they are called and with what, what they replace, and that nothing stays behind."""

import copy
import pickle

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, nn
from minigrad.function import trace

X = np.array([[1.0, -2.0], [3.0, 0.5]])


class Scaled(nn.Module):
    def forward(self, x, other=None, factor=2.0):
        y = x * factor
        return y if other is None else (y, x * other)


def leaf(values=X):
    return Tensor(np.array(values), requires_grad=True)


# ---- forward -------------------------------------------------------------------------------------

def test_forward_hooks_see_inputs_and_output_and_may_replace_them():
    layer, told = Scaled(), []
    before = layer.register_forward_pre_hook(lambda m, inputs: told.append((m, inputs)))
    layer.register_forward_pre_hook(lambda m, inputs: inputs[0] + 1)
    layer.register_forward_pre_hook(lambda m, inputs: (inputs[0] * 10,))
    after = layer.register_forward_hook(lambda m, inputs, y: told.append((m, inputs, y)))
    layer.register_forward_hook(lambda m, inputs, y: y - 1)
    x = leaf()
    y = layer(x)
    assert (y.data == (X + 1) * 20 - 1).all()
    assert told[0] == (layer, (x,)) and told[0][1][0] is x
    module, (seen,), output = told[1]
    assert module is layer and (seen.data == (X + 1) * 10).all() and (
        output.data == (X + 1) * 20).all()
    y.sum().backward()
    assert (x.grad.data == 20).all()
    before.remove()
    after.remove()
    after.remove()
    layer(x)
    assert len(told) == 2


def test_hooks_with_named_arguments():
    layer, told = Scaled(), []
    layer.register_forward_pre_hook(
        lambda m, inputs, named: (inputs, {"factor": named["factor"] + 1}), with_kwargs=True)
    layer.register_forward_hook(lambda m, inputs, named, y: told.append(named) or y * 2,
                                with_kwargs=True)
    assert (layer(Tensor(X), factor=2.0).data == X * 6).all() and told == [{"factor": 3.0}]


def test_the_same_hook_twice_is_called_twice_and_removed_once():
    layer, calls = nn.Identity(), []

    def hook(*what):
        calls.append(1)

    one, two = layer.register_forward_hook(hook), layer.register_forward_hook(hook)
    layer(Tensor(X))
    one.remove()
    one.remove()
    layer(Tensor(X))
    assert len(calls) == 3
    with two:
        layer(Tensor(X))
    layer(Tensor(X))
    assert len(calls) == 4


def test_a_hook_may_take_itself_away_while_it_runs():
    layer, calls = nn.Identity(), []
    handle = layer.register_forward_hook(lambda *what: calls.append(1) or handle.remove())
    layer.register_forward_hook(lambda *what: calls.append(2))
    layer(Tensor(X))
    layer(Tensor(X))
    assert calls == [1, 2, 2]


# ---- what hooks leave as it is -------------------------------------------------------------------

def test_scopes_of_traced_ops_are_those_of_the_modules():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    seen = []
    model[1].register_forward_hook(lambda m, inputs, y: seen.append(y))
    with trace() as calls:
        model(Tensor(np.float32(X)))
    assert [call.scope for call in calls] == [(model, model[0]), (model, model[1])] and seen
    assert mg.graph.context.scope == ()


def test_a_copy_has_hooks_of_its_own_and_a_state_has_none():
    layer, calls = nn.ReLU(), []
    handle = layer.register_forward_hook(lambda *what: calls.append(1))
    twin = copy.deepcopy(layer)
    handle.remove()
    layer(Tensor(X))
    assert not calls
    twin(Tensor(X))
    assert calls == [1] and not twin.state_dict() and list(twin.modules()) == [twin]
    again = pickle.loads(pickle.dumps(layer))       # no hook is left, which could not be pickled
    assert (again(Tensor(X)).data == layer(Tensor(X)).data).all()


@pytest.mark.parametrize("register", ["register_forward_hook", "register_forward_pre_hook"])
def test_an_error_in_a_hook_is_raised_and_leaves_nothing(register):
    layer = nn.ReLU()
    with getattr(layer, register)(lambda *what: 1 // 0), pytest.raises(ZeroDivisionError):
        layer(Tensor(X))
    assert mg.graph.context.scope == () and (layer(Tensor(X)).data == X.clip(0)).all()
