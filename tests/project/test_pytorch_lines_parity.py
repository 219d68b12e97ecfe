"""What a PyTorch user types works: every line of pytorch_lines.txt gives what it gives there."""

import inspect
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
import minigrad.nn
import minigrad.nn.functional
import minigrad.optim
import minigrad.utils.data

torch = pytest.importorskip("torch")
LINES = [line for line in Path(__file__).with_name("pytorch_lines.txt").read_text().splitlines()
         if line and line[0] not in "#["]
# Of these, only shapes and dtypes are the same, because each library has a generator of its own, or
# because nothing is said of the numbers.
RANDOM = re.compile(r"torch\.(randn|rand|randint|randperm|normal|empty|multinomial|bernoulli|"
                    r"rand_like|randn_like|empty_like)\b")


def arrays():
    rng = np.random.default_rng(0)
    shapes = {"x": (2, 3), "y": (2, 3), "v": (3,), "w": (3,), "m": (3, 3), "b": (2, 3, 3),
              "images": (2, 3, 6, 6)}
    floats = {name: rng.permutation(400)[:np.prod(shape)].reshape(shape).astype(np.float32) / 64
              for name, shape in shapes.items()}
    floats["x"] -= 3
    floats |= {name: rng.uniform(0.1, 0.9, (2, 3)).astype(np.float32) for name in "pt"}
    return floats | {"i": np.array([1, 0]), "k": np.array([[1], [1]]), "a": np.arange(3.0),
                     "n": np.array([[3, 1, 2], [2, 7, 3]]), "mask": floats["x"] > floats["y"] - 3,
                     "text": np.array([[1, 2, 3, 4, 5], [5, 4, 3, 2, 0]])}


def namespace(library):
    names = {name: library.from_numpy(array.copy()) for name, array in arrays().items()}
    nn, optim = library.nn, library.optim
    model, layer = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3)), nn.Linear(3, 3)
    rng = np.random.default_rng(1)
    for module in (model[0], model[2], layer):
        module.load_state_dict({name: library.from_numpy(rng.uniform(-1, 1, tuple(p.shape)).astype(
            np.float32)) for name, p in module.named_parameters()})
    for p in model.parameters():
        p.grad = library.ones_like(p)
    return {**names, "a": arrays()["a"], "torch": library, "nn": nn, "F": nn.functional,
            "optim": optim, "lr_scheduler": optim.lr_scheduler, "data": library.utils.data,
            "model": model, "layer": layer, "optimizer": optim.SGD(model.parameters(), lr=0.1)}


def value(line, library, folder, monkeypatch):
    library.manual_seed(0)
    names = namespace(library)
    library.save({"a": names["x"]}, folder / "b.pt")
    monkeypatch.chdir(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = eval(line, names)
    if library.is_tensor(result) and result.requires_grad and not result.is_leaf:
        result.sum().backward()
    return plain(list(result) if inspect.isgenerator(result) else result,
                 not RANDOM.search(line))


def plain(result, numbers=True):
    """The same for results of both libraries that are the same."""
    if isinstance(result, dict):
        return {name: plain(item, numbers) for name, item in result.items()}
    if hasattr(result, "detach") and hasattr(result, "requires_grad"):
        array = result.detach().cpu().numpy()
        grad = result.grad if result.is_leaf else None
        return (*plain(array, numbers), result.requires_grad,
                None if grad is None else plain(grad.detach(), numbers))
    if isinstance(result, np.ndarray):
        return result.shape, result.dtype.name, result if numbers else None
    if isinstance(result, (tuple, list)) or type(result).__name__.endswith("dict_keys"):
        return [plain(item, numbers) for item in result]
    if isinstance(result, np.generic):
        return result.item()
    if isinstance(result, (bool, int, float, type(None))):
        return float(result) if isinstance(result, float) else result
    if hasattr(result, "state_dict") and hasattr(result, "parameters"):
        return type(result).__name__, {name: tuple(value.shape)
                                       for name, value in result.state_dict().items()}
    if hasattr(result, "param_groups"):
        return [[plain(list(group["params"])), group["lr"]] for group in result.param_groups]
    is_context = hasattr(result, "__enter__") and not hasattr(result, "type")
    return "a context" if is_context else str(result)


def same(mine, other):
    if isinstance(other, np.ndarray):
        np.testing.assert_allclose(mine, other, 2e-6, 2e-6)
    elif isinstance(other, (list, tuple)):
        assert type(mine) is type(other) and len(mine) == len(other), (mine, other)
        for one, two in zip(mine, other):
            same(one, two)
    elif isinstance(other, dict):
        assert mine.keys() == other.keys()
        for name in other:
            same(mine[name], other[name])
    elif isinstance(other, float):
        assert mine == pytest.approx(other, rel=2e-6)
    else:
        assert mine == other


@pytest.mark.parametrize("line", LINES)
def test_the_line_gives_what_it_gives_in_pytorch(line, tmp_path, monkeypatch):
    other = value(line, torch, tmp_path, monkeypatch)
    same(value(line, mg, tmp_path, monkeypatch), other)


def test_there_are_enough_lines():
    assert len(LINES) >= 297 and len(set(LINES)) == len(LINES)
