"""Every GPU form beside its CPU form: whatever `gpu_form` binds is compared here.

A form without a line in form_arguments.py fails. The CPU form computes in float64 on the numbers
that the GPU form gets in `dtype`. Both may change their arguments, so those are compared too.
"""

import copy
import importlib
import inspect
import math
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import minigrad
from minigrad import kernels
from minigrad.backend import on_gpu
from minigrad.dtypes import CHARS
from minigrad.kernels.runtime import cuda
from tests.engine.halves import EPS, needs_bfloat16
from tests.gpu.cuda_devices import DEVICES, host
from tests.gpu.form_arguments import LINES, Draw
from tests.gpu.test_cuda_kernels import TOLERANCE, any_width

SCALARS = {"float": "float32", "double": "float64"}     # the .cu files' names of two dtypes
some = settings(max_examples=max(1, settings.default.max_examples // 6))
on_devices = pytest.mark.parametrize("xp", DEVICES, indirect=True)


# ---- the comparison ------------------------------------------------------------------------------

def mapped(f, x):
    """x, and what it holds in lists, tuples and dicts, with f(array) in place of each array."""
    if isinstance(x, np.ndarray) or on_gpu(x):
        return f(x)
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*(mapped(f, part) for part in x))
    if isinstance(x, (list, tuple)):
        return type(x)(mapped(f, part) for part in x)
    if isinstance(x, dict):
        return {key: mapped(f, part) for key, part in x.items()}
    return copy.deepcopy(x)     # generators too, which are to draw the same numbers


def numbers(x):
    """All arrays and numbers in x, in order, as NumPy arrays."""
    if isinstance(x, (list, tuple)):
        return [a for part in x for a in numbers(part)]
    if isinstance(x, dict):
        return numbers([x[key] for key in sorted(x)])
    if isinstance(x, (int, float, np.generic)):
        return [np.asarray(x)]
    return [host(x)] if isinstance(x, np.ndarray) or on_gpu(x) else []


def outcome(function, line, arguments, to):
    """What the function gives for the arguments, and what it leaves in them."""
    arguments = mapped(to, arguments)
    return numbers((line.call(function, *arguments), arguments))


def widened(a):
    return a.astype(np.float64) if a.dtype.kind == "f" or a.dtype.char in CHARS else a.copy()


def same(got, want, dtype, terms):
    """As near as sums of so many terms can be, and 16-bit numbers two roundings off."""
    bound = TOLERANCE.get(dtype, TOLERANCE["float32"]) * math.sqrt(terms)
    assert len(got) == len(want)
    for mine, exact in zip(got, want):
        assert mine.shape == exact.shape
        rounding = 2 * EPS.get(mine.dtype.name, 0)
        scale = max(1, np.abs(exact[np.isfinite(exact)]).max(initial=0))
        np.testing.assert_allclose(mine.astype(np.float64), exact.astype(np.float64), rtol=0,
                                   atol=scale * (rounding + bound))


def compare(xp, function, dtype, data):
    """The GPU form of `function` beside its CPU form, on arguments that are drawn now."""
    line, form = LINES[function], cuda.FORMS[function]
    arguments = line.arguments(Draw(data, dtype))
    there = mapped(xp.asarray, arguments)
    assert form.takes is None or form.takes(*there), "these arguments never reach the GPU form"
    terms = sum(a.size for a in numbers(arguments))
    orders = ("forward",) if line.adds_up else ("forward", "backward", "shuffled")
    with any_width(data.draw(st.booleans()), orders), np.errstate(all="ignore"):
        got = outcome(function, line, arguments, xp.asarray)
    with np.errstate(all="ignore"):
        want = outcome(form.cpu, line, arguments, widened)
    same(got, want, dtype, terms)


def name_of(function):
    return f"{function.__module__.split('.')[2]}.{function.__name__}"


def dtypes_of(function):
    """Those that the kernels of the form's file are compiled for, or all of them."""
    room = function.__module__.split(".")[2]
    known = cuda.types(room) if room in cuda.FILES else cuda.TYPES.values()
    return [SCALARS.get(name, name) for name in known]


def modules():
    return [importlib.import_module(module.name) for module in pkgutil.walk_packages(
        kernels.__path__, "minigrad.kernels.")]


modules()   # so that all forms are registered, whoever imports what
CASES = [pytest.param(function, dtype, id=f"{name_of(function)}-{dtype}",
                      marks=needs_bfloat16 if dtype == "bfloat16" else ())
         for function in cuda.FORMS for dtype in dtypes_of(function)]


@on_devices
@pytest.mark.parametrize("function, dtype", CASES)
@some
@given(st.data())
def test_both_forms_agree(xp, function, dtype, data):
    compare(xp, function, dtype, data)


# ---- nothing is left out, and what is wrong is noticed -------------------------------------------

def test_every_form_has_a_line():
    assert set(LINES) == set(cuda.FORMS)


def test_a_form_without_a_line_fails(monkeypatch):
    monkeypatch.setattr(cuda, "FORMS", dict(cuda.FORMS))
    forgotten = cuda.gpu_form(abs)(lambda x: abs(x))
    with pytest.raises(AssertionError):
        test_every_form_has_a_line()
    with pytest.raises(KeyError):
        compare(np, forgotten, "float32", None)


def test_every_function_of_a_gpu_file_is_a_form():
    bound = {f for form in cuda.FORMS.values() for f in (form.gpu, form.takes)}
    found = {f for module in modules() if module.__name__.endswith(".gpu")
             for name, f in vars(module).items() if inspect.isfunction(f)
             and f.__module__ == module.__name__ and not name.startswith("_")}
    assert found and not {f"{f.__module__}.{f.__name__}" for f in found - bound}


def spoiled(form):
    """A GPU form that is an eighth off: in what it gives, or else in what it changes."""
    def wrong(*arguments):
        result = form(*arguments)
        if result is None or isinstance(result, bool):
            mapped(shift, arguments)
            return result
        if isinstance(result, float):
            return result + 0.125
        if isinstance(result, list) and isinstance(result[0], float):
            return [number + 0.125 for number in result]
        mapped(shift, result)
        return result._replace(total=result.total + 1) if hasattr(result, "total") else result

    def shift(a):
        if a.dtype.kind == "f" or a.dtype.char in CHARS:
            a += a.dtype.type(0.125)
        return a
    return wrong


@pytest.mark.parametrize("xp", ["stand-in"], indirect=True)
@pytest.mark.parametrize("function", cuda.FORMS, ids=name_of)
def test_a_wrong_form_is_noticed(xp, monkeypatch, function):
    """Each form in turn is replaced by one whose results are off by an eighth."""
    form, line = cuda.FORMS[function], LINES[function]
    wrong = cuda.Forms(form.cpu, spoiled(form.gpu), form.takes)
    monkeypatch.setattr(cuda, "FORMS", {})
    planted = cuda.gpu_form(wrong.gpu, wrong.takes)(wrong.cpu)
    monkeypatch.setitem(LINES, planted, line)

    @settings(max_examples=3, phases=[Phase.generate])     # no search for a smallest example
    @given(st.data())
    def check(data):
        compare(xp, planted, "float32", data)
    with pytest.raises(AssertionError):
        check()


@pytest.mark.parametrize("xp", ["stand-in"], indirect=True)
def test_which_form_runs_follows_from_the_first_array(xp, monkeypatch):
    monkeypatch.setattr(cuda, "FORMS", {})

    @cuda.gpu_form(lambda x: "gpu", takes=lambda x: x != [])
    def where(x):
        return "cpu"
    a, b = np.ones(1), xp.ones(1)
    assert [where(x) for x in (a, [a], [(a, b)], [], 1.0)] == ["cpu"] * 5
    assert [where(x) for x in ([b], [(b, a)], (b,))] == ["gpu"] * 3
    only_floats = cuda.gpu_form(lambda x: "gpu", takes=cuda.floats)(lambda x: "cpu")
    assert [only_floats(b), only_floats(b > 0), only_floats(a)] == ["gpu", "cpu", "cpu"]


OTHER_DOORS = re.compile(r"\bon_gpu\(|kernels\.\w+ import gpu|kernels\.\w+\.gpu\b|\blaunch\(")


def test_there_is_one_door():
    """Outside of kernels nobody asks where an array lives to choose between two forms."""
    root = Path(minigrad.__file__).parent
    files = [*root.glob("ops/*.py"), *root.glob("optim/*.py"), root / "train" / "guard.py"]
    assert len(files) > 20
    assert not [f"{path}: {line}" for path in files for line in path.read_text().splitlines()
                if OTHER_DOORS.search(line)]
    assert OTHER_DOORS.search("from minigrad.kernels.optim import gpu as optim_gpu")
    assert OTHER_DOORS.search("if on_gpu(x):") and not OTHER_DOORS.search("half_on_gpu = True")
