"""What belongs to a module: buffers, and parts that are shared."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, nn, optim
from minigrad.data import ArrayDataset, DataLoader
from minigrad.train import find_lr, fit
from minigrad.weights import load, save
from tests.nn.test_module_lists import Listed
from tests.one_line import one_line


def names(pairs):
    return [name for name, _ in pairs]


# ---- buffers -------------------------------------------------------------------------------------

class Counts(nn.Module):
    """Buffers of each kind, and attributes that look like some."""

    def __init__(self):
        self.register_buffer("count", np.zeros((), np.int64))
        self.register_buffer("scale", Tensor([2.0, 3.0]))
        self.register_buffer("mask", np.ones(2, np.float32), persistent=False)
        self.register_buffer("later", None)
        self.plain = np.ones(2, np.float32)
        self.weight = nn.Parameter([1.0, 1.0])
        self.config = SimpleNamespace(dtype="float32", shape=(2,))
        self.child = Typed()

    def forward(self, x):
        self.seen = x.data          # an array that is kept is no part of the state
        self.count = self.count + 1
        return x * self.weight * self.scale * Tensor(self.mask)


class Typed(nn.Module):
    """A layer that knows its dtype, as many do."""

    def __init__(self):
        self.linear = nn.Linear(2, 2)

    dtype = property(lambda self: self.linear.weight.dtype)
    shape = property(lambda self: self.linear.weight.shape)

    def forward(self, x):
        return self.linear(x)


def test_buffers_are_what_is_registered():
    model = Counts()
    state = ["weight", "count", "scale", "child.linear.weight", "child.linear.bias"]
    assert list(model.state_dict()) == state
    model(Tensor([1.0, 2.0]))
    model.count = model.count + np.int64(1)       # NumPy makes a number of it
    assert list(model.state_dict()) == state and model.state_dict()["count"] == 2
    assert names(model.named_buffers()) == ["count", "scale", "mask"]
    assert names(model.named_parameters()) == ["weight", *state[3:]]
    model.later = np.arange(3.0)
    assert "later" in model.state_dict() and "later" in names(model.named_buffers())


def test_buffers_move_and_load_whether_they_persist_or_not():
    model, other = Counts(), Counts()
    model.to("float64")
    assert model.mask.dtype == model.scale.dtype == model.child.dtype == np.float64
    assert model.count.dtype == np.int64 and model.plain.dtype == np.float32
    scale = other.scale
    model.scale[...] = 7.0
    other.load_state_dict(model.state_dict())
    assert other.scale is scale and scale.data.tolist() == [7, 7] and scale.dtype == np.float32
    twin = copy.deepcopy(other)
    twin.mask += 1
    assert other.mask.tolist() == [1, 1] and names(twin.named_buffers())[2] == "mask"


def test_an_array_that_is_no_buffer_is_told_of():
    model = Counts()
    with one_line(RuntimeError, "unexpected: plain", "register_buffer", "extra"):
        model.load_state_dict({**model.state_dict(), "plain": np.ones(2), "extra": np.ones(1)})


@pytest.mark.parametrize("name, value, error", [
    ("a.b", None, KeyError), ("", None, KeyError), ("weight", np.ones(1), KeyError),
    ("training", None, KeyError), (3, None, TypeError), ("a", [1.0], TypeError),
    ("a", 1.0, TypeError), ("a", np.float32(1), TypeError), ("a", "text", TypeError)])
def test_what_cannot_be_a_buffer(name, value, error):
    with one_line(error, "register_buffer"):
        Counts().register_buffer(name, value)


def test_a_buffer_that_is_no_array_any_more_is_named():
    model = Counts()
    with one_line(TypeError, "Counts", "'scale'", "list"):
        model.scale = [1.0, 2.0]
    model.scale = None
    assert "scale" not in model.state_dict()


def test_a_buffer_ends_when_it_is_deleted_or_becomes_a_parameter():
    model = Counts()
    del model.scale
    model.scale = np.ones(2, np.float32)            # an attribute like any other
    model.mask = nn.Parameter([1.0, 1.0])
    assert names(model.named_buffers()) == ["count"] and "scale" not in model.state_dict()
    assert "mask" in names(model.named_parameters())
    model.register_buffer("state", nn.Parameter([1.0]))
    assert names(model.named_buffers()) == ["count", "state"]
    assert "state" not in names(model.named_parameters())


@pytest.mark.parametrize("name, value, words", [
    ("weight", np.ones((2, 2), np.float32), ["Linear: 'weight' is a Parameter", "ndarray"]),
    ("bias", 0.0, ["'bias'", "float"]), ("act", "relu", ["'act' is a Module", "str"]),
    ("act", Tensor([1.0]), ["'act'", "Tensor"])])
def test_what_would_silently_replace_a_parameter_or_a_layer_is_refused(name, value, words):
    layer = nn.Linear(2, 2)
    layer.act = nn.ReLU()
    with one_line(TypeError, *words):
        setattr(layer, name, value)
    setattr(layer, name, None)
    assert name not in layer.state_dict() and getattr(layer, name) is None


def test_a_state_that_is_no_dict_is_named():
    with one_line(TypeError, "load_state_dict of Linear", "list"):
        nn.Linear(2, 2).load_state_dict([1, 2])


def test_a_model_with_buffers_is_trained(tmp_path):
    """Its buffers are set back if a step fails, and are in the checkpoints."""
    model = nn.Sequential(Counts(), nn.Linear(2, 2))
    loader = DataLoader(ArrayDataset(np.ones((6, 2), np.float32), np.array([0, 1] * 3)), 2)
    optimizer = optim.SGD(model.parameters(), lr=np.float32(0.1))
    fit(model, loader, epochs=2, optimizer=optimizer, folder=tmp_path, progress=False)
    assert model[0].count == 6
    best = load(tmp_path / "checkpoints" / "best.safetensors")
    assert "0.count" in best and "0.mask" not in best and "0.seen" not in best

    class Spoilt(Counts):
        def forward(self, x):
            super().forward(x)
            self.scale[...] = 0.0
            raise ArithmeticError

    spoilt = nn.Sequential(Spoilt(), nn.Linear(2, 2))
    optimizer = optim.SGD(spoilt.parameters(), lr=0.1)
    with pytest.raises(ArithmeticError):
        fit(spoilt, loader, epochs=1, optimizer=optimizer, progress=False)
    assert spoilt[0].count == 0 and spoilt[0].scale.data.tolist() == [2, 3]


class Remembers(nn.Module):
    """A layer that puts new arrays in the places of its buffers, the last of another shape."""

    def __init__(self, last=4):
        self.register_buffer("count", np.zeros((), np.int64))
        self.register_buffer("mean", Tensor([0.0]), persistent=False)
        self.register_buffer("seen", np.zeros(1, np.float32))
        self.last = last

    def forward(self, x):
        self.count, self.mean, self.seen = self.count + 1, self.mean + 1, x.data.copy()
        if self.count == self.last:
            raise ArithmeticError
        return x

    def state(self):
        return int(self.count), self.mean.item(), self.seen.shape


def test_buffers_that_are_other_arrays_by_now_are_set_back_too():
    loader = DataLoader(ArrayDataset(np.ones((6, 2), np.float32), np.array([0, 1] * 3)), 2)
    model = nn.Sequential(Remembers(), nn.Linear(2, 2))
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    find_lr(model, loader, optimizer=optimizer, steps=3)
    assert model[0].state() == (0, 0.0, (1,))
    model[0].last = 3
    with pytest.raises(ArithmeticError):
        fit(model, loader, epochs=1, optimizer=optimizer, progress=False)
    assert model[0].state() == (2, 2.0, (2, 2))         # as after the second step
    model[0].last = 4
    with pytest.raises(ArithmeticError):        # in the second batch of the step
        fit(model, loader, epochs=1, optimizer=optimizer, progress=False, accumulate=3)
    assert model[0].state() == (2, 2.0, (2, 2))


def test_a_loss_has_its_weights_as_a_buffer():
    loss = nn.CrossEntropyLoss(np.array([1.0, 2.0], np.float32))
    assert names(loss.named_buffers()) == ["weight"]
    assert loss.to("float64").weight.dtype == np.float64


# ---- what is shared ------------------------------------------------------------------------------

class Tied(nn.Module):
    """Two layers with one weight, a module under two names, and one list of both."""

    def __init__(self):
        self.embed, self.out = nn.Linear(3, 3), nn.Linear(3, 3)
        self.out.weight = self.embed.weight
        self.norm = self.again = nn.BatchNorm1d(3)

    def forward(self, x):
        return self.out(self.again(self.norm(self.embed(x))))


BOTH = ["embed.weight", "embed.bias", "out.weight", "out.bias",
        *(f"{name}.{part}" for name in ("norm", "again") for part in (
            "weight", "bias", "running_mean", "running_var", "num_batches_tracked"))]


def test_a_state_has_what_is_shared_under_each_name():
    model = Tied()
    assert list(model.state_dict()) == BOTH
    assert names(model.named_parameters()) == ["embed.weight", "embed.bias", "out.bias",
                                               "norm.weight", "norm.bias"]
    assert names(model.named_parameters(remove_duplicate=False)) == [
        name for name in BOTH if name.endswith(("weight", "bias"))]
    assert names(model.named_modules()) == ["", "embed", "out", "norm"]
    assert names(model.named_modules(remove_duplicate=False)) == ["", "embed", "out", "norm",
                                                                  "again"]
    assert len(names(model.named_buffers())) == 3
    assert len(names(model.named_buffers(remove_duplicate=False))) == 6
    model.load_state_dict({name: a + 1 for name, a in model.state_dict().items()})
    assert model.out.weight is model.embed.weight
    model.to("float64")
    assert model.out.weight is model.embed.weight and model.again.running_mean.dtype == np.float64


def test_names_take_a_prefix_and_one_module_by_itself():
    model = Counts()
    assert names(model.named_parameters("net")) == ["net.weight", "net.child.linear.weight",
                                                    "net.child.linear.bias"]
    assert names(model.named_parameters(recurse=False)) == ["weight"]
    assert list(model.parameters(recurse=False)) == [model.weight]
    assert names(model.named_buffers("net", False)) == ["net.count", "net.scale", "net.mask"]
    model.later = nn.ReLU()         # a module in the place of a buffer is a module
    assert "later" in names(model.named_children()) and "later" not in model.state_dict()


def test_a_shared_buffer_stays_shared_when_it_moves():
    a, b = Counts(), Counts()
    b.scale = a.scale
    model = nn.Sequential(a, b).to("float64")
    assert model[0].scale is model[1].scale and model[0].scale.dtype == np.float64


def test_the_state_of_shared_parts_goes_through_a_file_and_old_files_fit(tmp_path):
    model, other = Tied(), Tied()
    save(tmp_path / "a.safetensors", model.state_dict())
    other.load_state_dict(load(tmp_path / "a.safetensors"))
    assert all((other.state_dict()[name] == a).all() for name, a in model.state_dict().items())
    first = {name: a * 2 for name, a in model.state_dict().items()
             if not name.startswith(("again", "out.weight"))}
    other.load_state_dict(first)        # as they were written once
    assert (other.out.weight.data == 2 * model.out.weight.data).all()
    with one_line(RuntimeError, "missing: embed.weight"):
        other.load_state_dict({name: a for name, a in model.state_dict().items()
                               if name != "embed.weight"})


def test_a_tied_model_goes_on_where_it_was_stopped(tmp_path):
    x = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)

    def train(folder, epochs):
        mg.manual_seed(0)
        model = Tied()
        optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        loader = DataLoader(ArrayDataset(x, np.arange(8) % 3), 4)
        fit(model, loader, epochs=epochs, optimizer=optimizer, folder=folder, resume=True,
            progress=False)
        assert len(optimizer.state) == 5
        return model.state_dict()

    straight = train(tmp_path / "straight", 4)
    train(tmp_path / "stopped", 2)
    for name, a in train(tmp_path / "stopped", 4).items():
        assert a.tobytes() == straight[name].tobytes()


def test_a_module_that_holds_its_parent_is_no_endless_tree():
    model = nn.Sequential(Listed(None))
    model[0].parent = model
    model[0].weight = nn.Parameter([1.0])
    assert list(model.state_dict()) == ["0.weight"] and model.train() is model


def test_what_a_strict_or_loose_load_did_without_is_returned():
    model = nn.Linear(2, 2)
    found = model.load_state_dict({"bias": np.ones(2), "extra": 0}, strict=False)
    assert found.missing_keys == ["weight"] and found.unexpected_keys == ["extra"]
    assert model.load_state_dict(model.state_dict()) == ([], [])
    for error in (RuntimeError, ValueError):
        with one_line(error, "missing: weight"):
            model.load_state_dict({"bias": np.ones(2)})
