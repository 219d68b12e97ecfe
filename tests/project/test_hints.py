"""PyTorch's names that are not there: what the error says is true, and the README says the same."""

import copy
import importlib
import inspect
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest

import minigrad as mg
from minigrad import data, hints, nn, optim, weights
from minigrad.hints import __main__ as listing
from minigrad.optim import lr_scheduler
from tests.one_line import one_line
from tests.places import ROOT

LINES = [(place, name) for place, names in hints.NAMES.items()
         for name, line in names.items() if line]
every_line = pytest.mark.parametrize("place, name", LINES)

RANDOM = {"randn", "rand", "randint", "randperm", "empty", "empty_like", "rand_like", "randn_like",
          "normal_", "uniform_"}
# What these give is no number: a file, an address, a class, a node, a context, nothing. Or it is on
# a GPU.
NO_NUMBERS = {"save", "data_ptr", "utils", "grad_fn", "inference_mode", "set_printoptions", "cuda"}


def arrays():
    rng = np.random.default_rng(0)
    shapes = {"x": (2, 3), "y": (2, 3), "v": (3,), "w": (3,), "m": (3, 3), "b": (2, 3, 3),
              "parameter": (3, 2), "images": (1, 1, 2, 2)}
    floats = {name: rng.permutation(18)[:np.prod(shape)].reshape(shape).astype(np.float32) / 4
              for name, shape in shapes.items()}
    floats["x"] -= 1.125
    floats |= {name: rng.uniform(0.1, 0.9, (2, 3)).astype(np.float32) for name in "pt"}
    return floats | {"i": np.array([1, 0]), "k": np.array([[1], [2]])}


def namespace(library, tensor, functional, **more):
    """What the lines are about, made of one library."""
    names = {name: tensor(array) for name, array in arrays().items()}
    layers = library.nn.Linear(2, 3), library.nn.Linear(3, 3)
    for number, layer in enumerate(layers, 1):
        layer.load_state_dict({"weight": tensor(np.ones(layer.weight.shape, np.float32) * number),
                               "bias": tensor(np.zeros(3, np.float32))})
    model = library.nn.Sequential(layers[0], library.nn.BatchNorm1d(3))
    return {**names, "np": np, "a": np.arange(3), "nn": library.nn, "F": functional,
            "parameter": library.nn.Parameter(names["parameter"]), "model": model,
            "layer": layers[1], "state": layers[1].state_dict(),
            "f": lambda module: setattr(module, "seen", True), **more}


def ours():
    names = namespace(mg, lambda array: mg.Tensor(array.copy()), nn.functional, mg=mg, data=data,
                      weights=weights, optim=optim, lr_scheduler=lr_scheduler)
    return prepared(names, optim.SGD)


def theirs():
    torch = pytest.importorskip("torch")
    names = namespace(torch, lambda array: torch.tensor(array), torch.nn.functional, torch=torch,
                      init=torch.nn.init, lr_scheduler=torch.optim.lr_scheduler)
    import torch.utils.data  # noqa: F401  a line says so
    return prepared(names, torch.optim.SGD)


def prepared(names, sgd):
    for p in names["model"].parameters():
        p.grad = p.detach() * 0 + 2
    return {**names, "optimizer": sgd(names["model"].parameters(), lr=0.1)}


def value(line, names):
    """What a line gives, or what the statement that it is changes."""
    try:
        code = compile(line, "line", "eval")
    except SyntaxError:
        exec(line, names)
        return names["x" if line.startswith("x") else "model"]
    result = eval(code, names)
    return list(result) if inspect.isgenerator(result) else result


class Close:
    """An array that equals others but for the last digits, which depend on the processor."""

    def __init__(self, array):
        self.array = array

    def __eq__(self, other):
        return np.allclose(self.array, other.array, 1e-4, 1e-6, equal_nan=True)

    def __repr__(self):
        return repr(self.array)


def plain(result, numbers=True):
    """The same for results of both libraries that are the same."""
    if isinstance(result, (list, tuple)):
        return [plain(item, numbers) for item in result]
    if hasattr(result, "state_dict") and hasattr(result, "parameters"):
        return {name: plain(p, numbers) for name, p in result.state_dict().items()}
    if hasattr(result, "get_last_lr"):
        return result.get_last_lr()
    if hasattr(result, "detach"):
        return plain(result.detach().numpy(), numbers)
    if isinstance(result, dict):
        return {name: plain(item, numbers) for name, item in result.items()}
    if isinstance(result, (np.ndarray, np.generic)):
        return result.shape, result.dtype.name, *([Close(result)] * numbers)
    return getattr(result, "item", lambda: re.sub(r"^torch\.", "", str(result)))()


@pytest.fixture(autouse=True)
def in_a_folder_with_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    weights.save("b.pt", {"a": np.arange(3.0)})
    options = np.get_printoptions()
    yield
    np.set_printoptions(**options)


def run_here(place, name):
    _, line = hints.NAMES[place][name]
    mg.manual_seed(0)
    names = ours()
    return names, value(line.partition("  # ")[0], names)


@every_line
def test_what_the_error_says_to_write_can_be_written(place, name):
    line = hints.NAMES[place][name][1]
    if '.to("cuda")' in line:
        try:
            run_here(place, name)
        except RuntimeError as error:
            assert "'cuda' needs" in str(error)
    else:
        run_here(place, name)
    mg.sum(mg.Tensor([1.0]))    # and nothing was switched off


@pytest.mark.parametrize("place, name", [line for line in LINES if line[1] not in NO_NUMBERS])
def test_it_gives_what_pytorch_gives(place, name):
    torch = pytest.importorskip("torch")
    if name == "load":
        torch.save({"a": torch.arange(3.0)}, "b.pt")
    torch.manual_seed(0)
    their_names = theirs()
    expected = value(hints.NAMES[place][name][0], their_names)
    names, result = run_here(place, name)
    if expected is None:        # what the line does counts then
        expected, result = their_names["model"], names["model"]
    if name == "apply":
        assert all(hasattr(module, "seen") for _, module in names["model"].named_modules())
    numbers = name not in RANDOM
    assert plain(expected, numbers) == plain(result, numbers)


FUNCTIONS_OF_X = [(place, name) for place, name in LINES if not name.endswith("_")
                  and "x" in re.findall(r"\w+", hints.NAMES[place][name][0])
                  and name not in {"cuda", "tolist", "is_tensor", "requires_grad_"}]


@pytest.mark.parametrize("place, name", FUNCTIONS_OF_X)
def test_gradients_flow_where_they_do_in_pytorch_unless_it_says_otherwise(place, name):
    torch = pytest.importorskip("torch")
    line, our_line = hints.NAMES[place][name]
    their_names, names = theirs(), ours()
    for one in their_names, names:
        one["x"].requires_grad = True
    expected = value(line, their_names)
    result = value(our_line.partition("  # ")[0], names)
    if isinstance(result, tuple) and result and isinstance(result[0], mg.Tensor):
        expected, result = expected[0], result[0]
    if isinstance(result, mg.Tensor):
        flows = expected.requires_grad and "no gradient" not in our_line
        assert result.requires_grad == flows
    else:
        assert not isinstance(expected, torch.Tensor) or not expected.requires_grad


# ---- the errors ----------------------------------------------------------------------------------

def place_of(name):
    owner = {"Tensor": mg.Tensor([1.0]), "Module": nn.Sequential()}.get(name)
    return importlib.import_module(name) if owner is None else owner


@pytest.mark.parametrize("place", hints.NAMES)
def test_the_error_names_the_place_and_the_way(place):
    owner = place_of(place)
    for name, line in hints.NAMES[place].items():
        assert not hasattr(owner, name) and getattr(owner, name, 3) == 3 and name not in dir(owner)
        words = [f"instead of {line[0]} write {line[1]}"] if line else ["nor anything in its place"]
        with one_line(AttributeError, f"{place} has no {name!r}", *words):
            getattr(owner, name)


def test_the_tables_hold_pytorch_s_names_and_ours_are_told_apart():
    torch = pytest.importorskip("torch")
    theirs = {"Tensor": torch.ones(2, 2), "minigrad": torch, "Module": torch.nn.Sequential()}
    for place, names in hints.NAMES.items():
        owner = theirs.get(place)
        if owner is None:
            owner = importlib.import_module(place.replace("minigrad", "torch"))
        assert [name for name in names if not hasattr(owner, name)] == [], place
        wrong = {name for name in listing.public_names(place) if not hasattr(owner, name)}
        assert wrong == set(hints.OURS.get(place, [])), place


def test_a_function_that_is_missing_is_told_as_the_method():
    with one_line(AttributeError, "minigrad has no 'det'", "write mg.tensor(np.linalg.det("):
        mg.det
    with one_line(AttributeError, "minigrad has no 'histc'", "nor anything"):
        mg.histc


@pytest.mark.parametrize("owner, name, words", [
    (mg, "softmx", "module 'minigrad' has no attribute 'softmx'; did you mean 'softmax'?"),
    (nn, "Conv2D", "module 'minigrad.nn' has no attribute 'Conv2D'; did you mean 'Conv2d'?"),
    (nn.functional, "qqq", "module 'minigrad.nn.functional' has no attribute 'qqq'"),
    (mg, "_private", "module 'minigrad' has no attribute '_private'"),
    (optim, "__wrapped__", "module 'minigrad.optim' has no attribute '__wrapped__'"),
    (mg.Tensor([1.0]), "reshap", "'Tensor' object has no attribute 'reshap'"),
    (mg.Tensor([1.0]), "__array_interface__",
     "'Tensor' object has no attribute '__array_interface__'"),
    (nn.ReLU(), "weight", "'ReLU' object has no attribute 'weight'")])
def test_other_names_get_python_s_words(owner, name, words):
    with pytest.raises(AttributeError) as caught:
        getattr(owner, name)
    assert str(caught.value) == words


def test_a_module_that_is_not_imported_yet_is_imported(run_python):
    assert run_python("import minigrad as mg; mg.models.lenet5, mg.utils.data.DataLoader") == ""
    assert run_python("import minigrad; minigrad.nn.Conv2").endswith("did you mean 'Conv2d'?\n")
    assert run_python("from minigrad import engine, models, nn\n"
                      "from minigrad import *\nTensor([1.0]), models.lenet5, conv2d") == ""


def test_python_adds_no_guess_of_its_own(run_python):
    assert run_python("import minigrad as mg; mg.Tensor([1.0]).det").endswith(
        "AttributeError: Tensor has no 'det': instead of m.det() write "
        "mg.tensor(np.linalg.det(m.data))  # no gradient\n")
    assert run_python("import minigrad as mg; mg.kron").endswith(".reshape(4, 9)\n")


@pytest.fixture
def run_python():
    def run(code):
        return subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True,
                              capture_output=True).stderr
    return run


def test_attributes_that_are_there_cost_what_they_did():
    for cls in (mg.Tensor, nn.Module):
        assert not hasattr(cls, "__getattr__") and cls.__getattribute__ is object.__getattribute__


def test_tensors_and_modules_are_copied_and_converted_as_ever():
    x = mg.Tensor([1.0, 2.0], requires_grad=True)
    for twin in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert twin.data.tolist() == [1, 2] and twin.requires_grad
    assert np.asarray(x.detach()).tolist() == [1, 2]
    with pytest.raises(AttributeError):     # no attributes but the slots, under no name
        x.view = 3
    assert copy.deepcopy(nn.Linear(2, 2)).weight.shape == (2, 2)


def test_a_module_of_one_s_own_may_use_the_names():
    class Own(nn.Module):
        def __init__(self):
            self.compile = nn.Linear(2, 3)
            self.xpu = nn.Parameter([1.0])

        def share_memory(self):
            return "mine"

        @property
        def broken(self):
            return self.to_empty

    own = Own()
    assert own.share_memory() == "mine" and own.xpu.shape == (1,) and "share_memory" in dir(own)
    assert [name for name, _ in own.named_parameters()] == ["xpu", "compile.weight", "compile.bias"]
    with one_line(AttributeError, "Module has no 'to_empty'"):
        own.broken


# ---- the README ----------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def printed():
    command = [sys.executable, "-m", "minigrad.hints"]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True)
    assert done.stderr == ""
    return done.stdout.strip()


def names_of(page):
    """{place: (the names that are there, those that are not)} of the page that has the names."""
    rows = [re.split(r" *\| *", row)[1:4] for row in page.splitlines() if row.startswith("| `")]
    titles = {title: place for place, (title, _, _) in listing.PLACES.items()}
    return {titles[title]: (set(re.findall(r"\w+", there)), set(re.findall(r"\w+", absent)))
            for title, there, absent in rows if title in titles}


def test_the_command_prints_every_name(printed):
    names = names_of(printed)
    assert set(names) == set(hints.NAMES)
    for place, (there, absent) in names.items():
        assert there == set(listing.there(place)) and absent >= set(hints.NAMES[place])


def test_the_readme_has_what_the_command_prints(printed):
    """All of it, but for names that are newer: a new function is three edits, without the README.

    `.ci/run` compares the two letter by letter.
    """
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    page = re.search("<!-- names -->\n(.*?)\n<!-- /names -->", readme, re.DOTALL)[1]
    names, now = names_of(page), names_of(printed)
    for place, (there, absent) in now.items():
        assert names[place][0] <= there and names[place][1] == absent
    assert page.partition("| PyTorch |")[2] == printed.partition("| PyTorch |")[2] != ""
