"""What type checkers are told of Tensor's methods and operators is what `minigrad.ops` attaches.

And they know the ops themselves, though `minigrad` has these by a star import.
"""

import inspect
import re
import runpy
from pathlib import Path

import pytest

from minigrad import Tensor, hints, ops
from tests.places import ROOT

Methods = runpy.run_path(str(Path(hints.__file__).with_name("methods.pyi")))["Methods"]


def declared():
    """{name: function} of the class that type checkers take for Tensor's base."""
    return {name: value for name, value in vars(Methods).items()
            if inspect.isfunction(value) or isinstance(value, property)}


def attached():
    """{name: function} of what the tables in minigrad/ops/__init__.py give to Tensor."""
    found = {"__hash__": Tensor.__hash__}
    for name, value in vars(Tensor).items():
        function = getattr(value, "fget", value)
        if (getattr(function, "__module__", None) or "").startswith("minigrad.ops"):
            found[name] = value
    return found


def parameters(function):
    """[(name, kind, default)] behind the first parameter."""
    return [(p.name, p.kind, p.default)
            for p in list(inspect.signature(function).parameters.values())[1:]]


def test_the_names_are_those_that_are_attached():
    assert sorted(declared()) == sorted(attached()) and len(declared()) > 70


@pytest.mark.parametrize("name", [*(f.__name__ for f in ops.METHODS), "clamp"])
def test_the_parameters_are_those_of_the_op(name):
    assert parameters(declared()[name]) == parameters(attached()[name])


def test_a_method_with_other_parameters_is_noticed(monkeypatch):
    monkeypatch.setattr(Methods, "sum", lambda self, axis=None: self)
    with pytest.raises(AssertionError):
        test_the_parameters_are_those_of_the_op("sum")


def test_a_type_checker_knows_what_the_ops_return(tmp_path, monkeypatch):
    mypy = pytest.importorskip("mypy.api")
    page, names = tmp_path / "page.py", sorted(ops.__all__)
    lines = [f"reveal_type(mg.{name})" for name in names]
    page.write_text("\n".join(["import minigrad as mg", *lines,
                               "reveal_type(mg.sub(mg.Tensor([1.0]), 2))"]))
    monkeypatch.setenv("MYPYPATH", str(ROOT))
    told, *_ = mypy.run(["--config-file", str(ROOT / "setup.cfg"), "--follow-imports", "silent",
                         "--cache-dir", str(tmp_path / "cache"), str(page)])
    *types, result = re.findall(r'Revealed type is "(.*)"', told)
    assert len(types) == len(names), told
    assert all(re.match(r"(Overload\()?def ", type) for type in types), told
    assert result == "minigrad.engine.Tensor"
