"""Lists and dicts of layers and parameters; Sequential as a list."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, nn
from tests.one_line import one_line

X = np.array([[1.0, 4.0], [3.0, 8.0]], np.float32)


def names(pairs):
    return [name for name, _ in pairs]


# ---- lists of layers -----------------------------------------------------------------------------

class Listed(nn.Module):
    def __init__(self, layers):
        self.layers = layers


@pytest.mark.parametrize("layers, word", [
    (lambda: [nn.Linear(2, 2)], "nn.ModuleList"), (lambda: (nn.ReLU(),), "nn.ModuleList"),
    (lambda: {"a": nn.Linear(2, 2)}, "nn.ModuleDict"), (lambda: {nn.ReLU()}, "nn.ModuleList"),
    (lambda: [[1, {"b": nn.ReLU()}]], "nn.ModuleList"),
    (lambda: [nn.Parameter([1.0])], "nn.ParameterList"),
    (lambda: {"w": nn.Parameter([1.0])}, "nn.ParameterDict")])
@pytest.mark.parametrize("look", [
    lambda model: list(model.parameters()), lambda model: model.state_dict(),
    lambda model: model.to("float64"), lambda model: model.train()])
def test_a_bare_container_is_no_part_of_the_module_and_that_is_said_once(layers, word, look):
    model = nn.Sequential(Listed(layers()))
    with pytest.warns(UserWarning, match=f"Listed.layers is a .*{word}") as told:
        look(model)
    assert len(told) == 1
    assert not list(model.parameters()) and not model.state_dict()      # no warning any more


def test_a_list_that_is_filled_later_is_noticed_and_one_of_known_layers_is_not():
    model = Listed([])
    assert not list(model.parameters())
    model.first, model.scale = nn.Linear(2, 2), nn.Parameter([1.0])
    model.layers = [model.first, (model.scale, 3)]
    assert len(list(model.parameters())) == 3
    model.layers.append(nn.ReLU())
    with pytest.warns(UserWarning, match="Listed.layers"):
        model.eval()


def test_a_long_list_of_numbers_is_not_gone_through():
    class Endless(list):
        def __iter__(self):
            for i in range(100):
                yield i
            raise AssertionError
    assert not list(Listed(Endless()).parameters())


def test_module_list_is_a_list():
    layers = nn.ModuleList([nn.Linear(2, 2), nn.ReLU()])
    last = nn.Linear(2, 3)
    assert layers.append(last) is layers and layers[-1] is layers[np.int64(2)] is last
    assert names(layers.named_parameters()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    layers.insert(1, nn.Tanh())
    assert [type(layer).__name__ for layer in layers] == ["Linear", "Tanh", "ReLU", "Linear"]
    assert names(layers.named_children()) == ["0", "1", "2", "3"] and len(layers) == 4
    assert type(layers[1:3]) is nn.ModuleList and len(layers[1:3]) == 2
    del layers[0]
    assert names(layers.named_children()) == ["0", "1", "2"] and layers.pop() is last
    layers[-1] = last
    layers += [nn.ReLU()]
    both = layers + [nn.Tanh()]
    assert len(layers) == 3 and len(both) == 4 and both[1] is last and last in both
    del both[1:]
    assert len(both) == 1
    layers.extend(layer for layer in both)
    assert len(layers) == 4
    with one_line(IndexError, "ModuleList", "index 9", "4 items"):
        layers[9]
    with one_line(IndexError, "index -5"):
        layers[-5] = last
    for wrong in (3.0, np.ones(1), None):
        with one_line(TypeError, "ModuleList", "Module", type(wrong).__name__):
            layers.append(wrong)
    with one_line(TypeError, "int"):
        layers.extend(3)
    with one_line(NotImplementedError, "ModuleList", "forward"):
        layers(Tensor([1.0]))


def test_layers_that_look_alike_are_one_line():
    layers = nn.ModuleList([nn.Tanh(), nn.Tanh(), nn.Linear(2, 2), nn.Linear(2, 2), nn.Tanh()])
    assert repr(layers).splitlines()[1:-1] == [
        "  (0-1): 2 x Tanh()", "  (2-3): 2 x Linear(2, 2)", "  (4): Tanh()"]
    assert repr(nn.ModuleList()) == "ModuleList()"


def test_module_dict_is_a_dict():
    heads = nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.ReLU()})
    heads["c"] = nn.Tanh()
    assert list(heads) == ["a", "b", "c"] == list(heads.keys()) and len(heads) == 3
    assert "a" in heads and "weight" not in heads and heads["b"] is list(heads.values())[1]
    assert names(heads.items()) == ["a", "b", "c"]
    assert names(heads.named_parameters()) == ["a.weight", "a.bias"]
    popped = heads.pop("b")
    heads.update({"a": popped, "d": nn.ReLU()})
    heads.update([("e", nn.ReLU())])
    heads.update(nn.ModuleDict({"f": nn.ReLU()}))
    assert list(heads) == ["a", "c", "d", "e", "f"] and heads["a"] is popped
    del heads["c"]
    for name in ("keys", "training", "a.b", ""):
        with one_line(KeyError, "ModuleDict"):
            heads[name] = nn.ReLU()
    with one_line(TypeError, "ModuleDict", "3"):
        heads[3] = nn.ReLU()
    with one_line(TypeError, "Module", "float"):
        heads["g"] = 1.0
    for read in (lambda: heads["c"], lambda: heads.pop("c"), lambda: heads.__delitem__("c")):
        with pytest.raises(KeyError):
            read()
    assert not len(nn.ModuleDict(None)) and not len(nn.ModuleList(None))
    heads.clear()
    assert not len(heads) and not list(heads.named_children())


def test_lists_and_dicts_of_parameters():
    class Model(nn.Module):
        def __init__(self):
            self.steps = nn.ParameterList([nn.Parameter([1.0]), Tensor([2.0])])
            self.named = nn.ParameterDict({"scale": Tensor([3.0, 4.0])})

    model = Model()
    assert names(model.named_parameters()) == ["steps.0", "steps.1", "named.scale"]
    model.steps.append(nn.Parameter([5.0]))
    assert [p.item() for p in model.steps] == [1, 2, 5] and type(model.steps[0:2]) is (
        nn.ParameterList)
    assert repr(model.named) == "ParameterDict(scale: (2,))"
    assert repr(model.steps) == "ParameterList((1,), (1,), (1,))"
    with one_line(TypeError, "ParameterList", "ReLU"):
        model.steps.append(nn.ReLU())


def test_a_slice_of_a_sequential_is_one_with_the_same_names():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4))
    features = model[:-1]
    assert type(features) is nn.Sequential and features[0] is model[0]
    assert list(model[1:].state_dict()) == ["2.weight", "2.bias"]
    x = Tensor(X)
    assert (features(x).data == mg.relu(model[0](x)).data).all()
    tail = model[1:].append(nn.Tanh())
    assert names(tail.named_children()) == ["1", "2", "3"]      # nothing is overwritten


def test_sequential_is_changed_like_a_list():
    model = nn.Sequential({"first": nn.Linear(2, 3), "act": nn.ReLU()})
    assert list(model.state_dict()) == ["first.weight", "first.bias"] and model[1] is model.act
    model[-1] = nn.Tanh()
    assert isinstance(model.act, nn.Tanh)
    model.append(nn.Linear(3, 2)).extend([nn.ReLU(), nn.Tanh()])
    assert len(model) == 5
    assert model.insert(0, nn.Identity()) is model
    assert names(model.named_children()) == list("012345")
    del model[1:3]
    assert names(model.named_children()) == list("0123") and isinstance(model[1], nn.Linear)
    assert isinstance(model.pop(), nn.Tanh) and len(model) == 3
    both = model + nn.Sequential(nn.Tanh())
    assert type(both) is nn.Sequential and len(both) == 4 and len(model) == 3
    model += nn.Sequential(nn.Sigmoid())
    assert isinstance(model[3], nn.Sigmoid)
    for name in ("forward", "training", "a.b", ""):
        with one_line(KeyError, "Sequential", repr(name)):
            nn.Sequential({name: nn.ReLU()})
    with one_line(IndexError, "index 9"):
        model.insert(9, nn.ReLU())
    with one_line(ValueError, "Sequential", "list"):
        model + [nn.ReLU()]
    with one_line(TypeError, "float"):
        model[0] = 1.0


def test_a_slice_of_a_subclass():
    class Own(nn.Sequential):
        pass

    class Block(nn.Sequential):
        def __init__(self, n):
            super().__init__(nn.Linear(n, n), nn.ReLU())

    assert type(Own(nn.ReLU(), nn.Tanh())[:1]) is Own
    assert type(Block(2)[:1]) is nn.Sequential and len(Block(2)[:1]) == 1
