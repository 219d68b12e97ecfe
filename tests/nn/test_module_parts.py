"""Parts of a module by name, and the module moved, converted, saved and loaded as a whole."""

import copy

import numpy as np
import pytest

from minigrad import Tensor, nn
from tests.nn.test_module_tree import Counts, Tied, names
from tests.one_line import one_line


# ---- parts by name -------------------------------------------------------------------------------

def test_modules_are_visited_from_the_inside():
    model, seen = Tied(), []
    assert model.apply(seen.append) is model
    assert seen == [model.embed, model.out, model.norm, model]
    assert list(model.children()) == seen[:3] and list(model.modules()) == [model, *seen[:3]]
    model.apply(lambda m: nn.init.zeros_(m.bias) if isinstance(m, nn.Linear) else None)
    assert not model.out.bias.data.any()
    assert names(model.named_children()) == ["embed", "out", "norm"]


def test_a_part_is_found_by_its_name():
    model = nn.Sequential(Counts())
    assert model.get_submodule("0.child.linear") is model[0].child.linear
    assert model.get_submodule("") is model
    assert model.get_parameter("0.weight") is model[0].weight
    assert model.get_buffer("0.mask") is model[0].mask and len(list(model.buffers())) == 3
    for look, word in ((lambda: model.get_submodule("1"), "module '1'"),
                       (lambda: model.get_submodule("0.weight"), "module '0.weight'"),
                       (lambda: model.get_parameter("0.mask"), "Parameter '0.mask'"),
                       (lambda: model.get_buffer("0.weight"), "buffer '0.weight'")):
        with one_line(AttributeError, "Sequential has no", word):
            look()


def test_parts_are_registered_by_name():
    model = nn.Module()
    model.add_module("layer", nn.Linear(2, 2))
    model.register_module("layer", nn.ReLU())           # in the place of the other
    model.register_parameter("bias", None)
    model.register_parameter("bias", nn.Parameter([1.0]))
    assert names(model.named_children()) == ["layer"] and list(model.state_dict()) == ["bias"]
    for act, error in (
            (lambda: model.add_module("bias", nn.ReLU()), KeyError),
            (lambda: model.add_module("a.b", nn.ReLU()), KeyError),
            (lambda: model.add_module("a", 1.0), TypeError),
            (lambda: model.add_module(3, nn.ReLU()), TypeError),
            (lambda: model.register_parameter("layer", nn.Parameter([1.0])), KeyError),
            (lambda: model.register_parameter("forward", None), KeyError),
            (lambda: model.register_parameter("a", Tensor([1.0])), TypeError)):
        with one_line(error):
            act()


def test_a_buffer_is_assigned():
    class Positions(nn.Module):
        def __init__(self):
            super().__init__()
            self.pe = nn.Buffer(Tensor(np.ones((5, 2), np.float32)))
            self.index = nn.Buffer(np.arange(5), persistent=False)
            self.register_buffer("scale", Tensor([2.0]))

        def forward(self, x):
            return x + self.pe[:x.shape[0]] * self.scale

    model = Positions()
    twin = copy.deepcopy(model).double()
    for m, dtype in ((model, np.float32), (twin, np.float64)):
        assert list(m.state_dict()) == ["pe", "scale"] and not list(m.parameters())
        assert names(m.named_buffers()) == ["pe", "index", "scale"]
        assert m.pe.dtype == dtype and m.index.dtype == np.int64
    assert twin(Tensor(np.zeros((3, 2)))).data.tolist() == [[2, 2]] * 3
    model.pe[...] = 3.0
    twin.load_state_dict(model.state_dict())
    assert (twin.pe.data == 3).all()


# ---- states and moves ----------------------------------------------------------------------------

def test_a_state_takes_a_prefix_and_goes_into_a_dict():
    model, found = Counts(), {"before": 1}
    assert model.state_dict(destination=found, prefix="net.") is found
    assert list(found) == ["before", *(f"net.{name}" for name in model.state_dict())]
    assert model.state_dict(keep_vars=True)["weight"] is model.weight
    assert isinstance(model.state_dict()["weight"], np.ndarray)


def test_a_state_can_be_assigned_instead_of_copied():
    model = Counts()
    model.weight.requires_grad = False
    state = {name: np.float64(a) if a.dtype.kind == "f" else a + 4
             for name, a in model.state_dict().items()}
    assert repr(model.load_state_dict(state, assign=True)) == "<All keys matched successfully>"
    assert model.weight.data is state["weight"] and model.weight.dtype == np.float64
    assert type(model.weight) is nn.Parameter and not model.weight.requires_grad
    assert model.scale.data is state["scale"] and model.count == 4
    assert "missing_keys=['bias']" in repr(nn.Linear(2, 2).load_state_dict(
        {"weight": np.ones((2, 2))}, strict=False))


@pytest.mark.parametrize("cast, dtype", [
    (lambda m: m.double(), "float64"), (lambda m: m.half(), "float16"),
    (lambda m: m.double().float(), "float32"), (lambda m: m.cpu(), "float32"),
    (lambda m: m.to(Tensor(np.ones(1))), "float64"), (lambda m: m.to("cpu", "float16"), "float16"),
    (lambda m: m.to(dtype="float64", device="cpu", non_blocking=True), "float64"),
    (lambda m: m.to(None, True), "float32")])
def test_a_module_is_converted(cast, dtype):
    model = Counts()
    model.weight.grad = Tensor([1.0, 2.0])
    assert cast(model) is model
    assert {v.dtype for v in (model.weight, model.weight.grad, model.scale, model.mask)} == {
        np.dtype(dtype)}
    assert model.count.dtype == np.int64


def test_type_converts_all_buffers():
    model = Counts().type("float64")
    assert model.count.dtype == model.scale.dtype == model.weight.dtype == np.float64
    for convert in (model.to, model.type):
        with one_line(TypeError, "floating-point"):
            convert("int64")
    assert model.weight.dtype == np.float64


def test_a_parameter_may_be_empty():
    assert nn.Parameter().shape == (0,) and nn.Parameter().dtype == np.float32
    from minigrad.nn.parameter import Parameter
    assert Parameter is nn.Parameter
