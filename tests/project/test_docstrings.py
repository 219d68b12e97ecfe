"""What a docstring names can be reached from where its reader is."""

import builtins
import functools
import importlib
import inspect
import re
import sys
import types

import pytest

import minigrad
from minigrad import models, nn

PACKAGES = ("minigrad", "minigrad.nn", "minigrad.nn.functional", "minigrad.nn.init",
            "minigrad.optim", "minigrad.optim.lr_scheduler", "minigrad.ops", "minigrad.autograd",
            "minigrad.gradcheck", "minigrad.profile", "minigrad.draw", "minigrad.data",
            "minigrad.train", "minigrad.models", "minigrad.weights", "minigrad.hints", "pyramids",
            "pyramids.differentiable")

# Words of other libraries and of the examples beside them, and methods that the reader writes.
OTHERS = {"backward", "on_step_end", "on_epoch_end",
          "buildPyramid", "pyrDown", "pyrUp", "pyramid_expand", "pyramid_gaussian",
          "pyramid_reduce", "recon_pyr", "inplace", "beta", "image", "model", "y",
          "optimizer", "f", "generator"}


def public(module):
    """{name: object} of what the module offers: its `__all__`, or what is defined below it."""
    names = getattr(module, "__all__", None) or [
        name for name, value in list(vars(module).items()) if not name.startswith("_")
        and getattr(value, "__module__", "").startswith(module.__name__)]
    return {name: getattr(module, name) for name in names}


def documented(module):
    """(where, object) of the module, its functions and classes, and their methods."""
    yield module.__name__, module
    for name, value in public(module).items():
        if isinstance(value, (type, types.FunctionType)):
            yield f"{module.__name__}.{name}", value
        for method, function in list(vars(value).items()) if isinstance(value, type) else ():
            if isinstance(function, types.FunctionType) and not method.startswith("_"):
                yield f"{module.__name__}.{name}.{method}", function


def named(text):
    """The names between backticks, also those that are called there."""
    return re.findall(r"`([A-Za-z_][\w.]*)(?:\([^`]*)?`", text or "")


@functools.cache
def own_names(owner):
    """Parameters of a function; attributes, and parameters of the methods, of a class."""
    if isinstance(owner, types.FunctionType):
        return set(inspect.signature(owner).parameters)
    functions = [f for cls in owner.__mro__[:-1] for f in vars(cls).values()
                 if isinstance(f, types.FunctionType)]
    return {*dir(owner), *getattr(owner, "__annotations__", ()), *re.findall(
        r"self\.(\w+)", "".join(map(source, functions)))}.union(*map(own_names, functions))


def source(function):
    try:
        return inspect.getsource(function)
    except OSError:     # dataclass and NamedTuple made it
        return ""


def imported(name):
    """Whether the name is a module, or something in one, of the project's or of Python's."""
    parts = name.split(".")
    if parts[0] not in {"minigrad", "pyramids", *sys.stdlib_module_names}:
        return False
    for n in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:n]))
        except ImportError:
            continue
        return has(found, parts[n:])
    return False


def has(value, parts):
    for part in parts:
        if not hasattr(value, part):
            return False
        value = getattr(value, part)
    return True


def is_reached(name, module, owners):
    first, *rest = name.split(".")
    own = public(module) if hasattr(module, "__path__") else vars(module)
    near = {**vars(builtins), **vars(minigrad), **own}
    if first in near and has(near[first], rest) or imported(name):
        return True
    return any(first in own_names(owner) for owner in owners)


def unreached(package):
    module = importlib.import_module(package)
    everything = [value for value in public(module).values()
                  if isinstance(value, (type, types.FunctionType))]
    for where, value in documented(module):
        text = vars(value).get("__doc__") if isinstance(value, type) else value.__doc__
        for name in named(text):
            if name.split(".")[0] not in OTHERS and not is_reached(name, module, everything):
                yield f"{where}: {name}"


@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_docstring_names_can_be_reached(package):
    assert list(unreached(package)) == []


def test_a_name_that_cannot_be_reached_is_noticed(monkeypatch):
    def shown(x):
        """`x`, `Adam`, `step`, `clip_grad_norm_`, `minigrad.nn.Linear` and `len(x)` are known;
        `Adm`, `Linear`, `minigrad.nn.Liner(3)` and `y_true` are not."""

    monkeypatch.setattr("minigrad.optim.SGD", shown)
    assert list(unreached("minigrad.optim")) == [
        f"minigrad.optim.SGD: {name}" for name in ("Adm", "Linear", "minigrad.nn.Liner",
                                                   "y_true")]


@pytest.mark.parametrize("name", models.MODELS)
def test_the_docstring_of_a_network_names_its_last_layer(name):
    build = models.MODELS[name]
    with nn.init.undrawn():
        last = list(build().state_dict())[-1].rpartition(".")[0]
    assert re.search('last\\s+layer\\s+is\\s+(?:called )?"(.*?)"', build.__doc__)[1] == last
