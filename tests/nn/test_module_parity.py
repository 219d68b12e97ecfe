"""The same program on modules of PyTorch's and of ours: names, hooks, states, reprs, gradients."""

from collections import OrderedDict

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn

torch = pytest.importorskip("torch")

X = np.random.default_rng(0).normal(size=(4, 3))


class Ours:
    """What a program needs of the library."""

    nn, no_grad = nn, staticmethod(mg.no_grad)

    @staticmethod
    def tensor(array, requires_grad=False):
        return mg.Tensor(np.array(array), requires_grad)

    @staticmethod
    def plain(value):
        return value.data.tolist() if isinstance(value, mg.Tensor) else value


class Theirs:
    nn, no_grad = torch.nn, staticmethod(torch.no_grad)

    @staticmethod
    def tensor(array, requires_grad=False):
        return torch.tensor(array, requires_grad=requires_grad)

    @staticmethod
    def plain(value):
        return value.detach().tolist() if isinstance(value, torch.Tensor) else value


def plain(lib, value):
    if isinstance(value, (tuple, list)):
        return [plain(lib, item) for item in value]
    if isinstance(value, dict):
        return {key: plain(lib, item) for key, item in value.items()}
    return lib.plain(value)


def model_of(lib):
    """Two layers of float64 with the same numbers in both libraries, and one under two names."""
    class Net(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = lib.nn.Sequential(OrderedDict(a=lib.nn.Linear(3, 3), b=lib.nn.Tanh()))
            self.second = self.again = lib.nn.Linear(3, 2)
            self.register_buffer("scale", lib.tensor([2.0, 3.0]))
            self.register_buffer("mask", lib.tensor([1.0, 0.0]), persistent=False)
            self.register_parameter("gain", None)

        def forward(self, x, shift=0.0):
            return self.second(self.first(x)) * self.scale + self.mask * shift

    net = Net().double()
    with lib.no_grad():
        for i, p in enumerate(net.parameters()):
            values = np.random.default_rng(i).normal(size=tuple(p.shape))
            p.copy_(lib.tensor(values))
    return net


def hooks(lib):
    """Every kind of hook, in the order of registration, on a chain with gradients."""
    net, told = model_of(lib), []

    def tell(name, result=None):
        def hook(module, *values):
            told.append((name, type(module).__name__, plain(lib, values)))
            return None if result is None else result(*values)
        return hook

    handles = [
        net.register_forward_pre_hook(tell("pre")),
        net.register_forward_pre_hook(tell("pre 2", lambda x: x[0] * 2)),
        net.register_forward_pre_hook(tell("pre 3", lambda x, named: (x, {"shift": 1.0})),
                                      with_kwargs=True),
        net.first.register_forward_hook(tell("after")),
        net.first.register_forward_hook(tell("after 2", lambda x, y: y + 1)),
        net.register_forward_hook(tell("after 3"), with_kwargs=True)]
    x = lib.tensor(X, True)
    net(x, shift=0.5).sum().backward()
    first = [p.grad for p in net.parameters()] + [x.grad]
    for handle in handles:
        handle.remove()
        handle.remove()
    count = len(told)
    y = net(x)
    assert len(told) == count
    with net.second.register_forward_hook(tell("inside")):
        net(x)
    net(x)
    return told, plain(lib, first), plain(lib, y)


def names(lib):
    net = model_of(lib)
    seen = []
    net.apply(lambda module: seen.append(type(module).__name__))
    return [
        seen, [name for name, _ in net.named_children()], len(list(net.children())),
        len(list(net.modules())), [name for name, _ in net.named_buffers()],
        len(list(net.buffers())), list(net.state_dict()), list(net.state_dict(prefix="net.")),
        [name for name, _ in net.named_modules(prefix="net", remove_duplicate=False)],
        type(net.get_submodule("first.a")).__name__, net.get_submodule("") is net,
        tuple(net.get_parameter("again.bias").shape), plain(lib, net.get_buffer("scale")),
        net.state_dict(keep_vars=True)["again.weight"] is net.second.weight]


def states(lib):
    net, other = model_of(lib), model_of(lib)
    found = {"before": 1}
    assert net.state_dict(destination=found) is found and list(found)[0] == "before"
    told = [repr(net.load_state_dict(other.state_dict()))]
    state = other.state_dict()
    missing = net.load_state_dict({"first.a.bias": state["first.a.bias"]}, strict=False)
    told += [missing.missing_keys, missing.unexpected_keys]
    weight = net.first.a.weight
    net.float().load_state_dict(state, assign=True)
    told += [net.first.a.weight is weight, str(net.first.a.weight.dtype)[-7:],
             net.first.a.weight.requires_grad]
    for wrong in ({"extra": 1}, {}, 3):
        with pytest.raises(TypeError if wrong == 3 else RuntimeError):
            net.load_state_dict(wrong)
    return told


def casts(lib):
    net = lib.nn.Sequential(lib.nn.BatchNorm1d(3), lib.nn.Linear(3, 3))
    told = []
    for cast in (lambda: net.double(), lambda: net.half(), lambda: net.float(),
                 lambda: net.bfloat16(), lambda: net.to("cpu"), lambda: net.cpu(),
                 lambda: net.to(lib.tensor(X)), lambda: net.to("cpu", net[1].weight.dtype),
                 lambda: net.to(device="cpu", dtype=lib.tensor(np.float32(X)).dtype)):
        assert cast() is net
        told.append([str(v.dtype).removeprefix("torch.") for v in net.state_dict().values()])
    return told


def reprs(lib):
    class Extra(lib.nn.Module):
        def __init__(self, *inside):
            super().__init__()
            self.inside = lib.nn.ModuleList(inside)

        def extra_repr(self):
            return "a=1"

    class Lines(lib.nn.Module):
        def extra_repr(self):
            return "a=1\nb=2"

    return [repr(module) for module in (
        lib.nn.ModuleList(), lib.nn.Sequential(), Lines(), Extra(Lines(), lib.nn.Tanh()),
        lib.nn.ModuleDict({"a": Extra(lib.nn.Tanh(), lib.nn.Tanh(), lib.nn.Sigmoid())}),
        lib.nn.Sequential(lib.nn.Tanh(), lib.nn.Tanh()), lib.nn.L1Loss(), lib.nn.KLDivLoss())]


def errors(lib):
    net, found = model_of(lib), []
    for act in (lambda: net.get_submodule("nothing"), lambda: net.get_parameter("scale"),
                lambda: net.get_parameter("nothing.weight"), lambda: net.get_buffer("gain"),
                lambda: net.add_module("a.b", net.first), lambda: net.add_module("scale", None),
                lambda: net.add_module(3, net.first), lambda: net.add_module("a", 3.0),
                lambda: net.register_parameter("forward", None),
                lambda: net.register_parameter("a", lib.tensor(X)),
                lambda: net.register_module("", net.first), lambda: net.nothing):
        with pytest.raises(Exception) as raised:
            act()
        found.append(raised.type.__name__)
    return found


PROGRAMS = [hooks, names, states, casts, reprs, errors]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_program_gives_the_same(program):
    mine, theirs = program(Ours), program(Theirs)
    same(mine, theirs)


def same(mine, theirs):
    if isinstance(theirs, (list, tuple)):
        assert len(mine) == len(theirs), (mine, theirs)
        for a, b in zip(mine, theirs):
            same(a, b)
    elif isinstance(theirs, float):
        assert mine == pytest.approx(theirs, rel=1e-12, abs=1e-15)
    else:
        assert mine == theirs
