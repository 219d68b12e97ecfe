"""minigrad.save and load: what goes in comes out, bit for bit, from paths and from open files."""

import io
import json
import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, nn, optim, weights
from minigrad.optim import lr_scheduler
from minigrad.weights import WeightsError
from minigrad.weights.formats.safetensors import pack
from tests.one_line import one_line

DTYPES = ["float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool",
          "complex64"]


def alike(a, b):
    """The same types, the same numbers to the bit."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(map(alike, a.values(), b.values()))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, Tensor):
        return a.requires_grad == b.requires_grad and alike(a.data, b.data)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return a == b or a != a and b != b


@pytest.fixture(params=["path", "file"])
def there_and_back(request, tmp_path):
    def run(x, **options):
        if request.param == "path":
            mg.save(x, tmp_path / "x.pt")
            return mg.load(tmp_path / "x.pt", **options)
        file = io.BytesIO()
        mg.save(x, file)
        file.seek(0)
        return mg.load(file, **options)
    return run


@pytest.mark.parametrize("x", [
    None, True, 3, -2.5, math.inf, math.nan, "text", "\n\"'\u00e9", [], (), {}, 2**80,
    {"a": [1, (2, [None, ("x",)])], 3: {True: {}}, (1, "b"): -0.0, None: 0.1}])
def test_what_is_no_array(there_and_back, x):
    assert alike(there_and_back(x), x)


@pytest.mark.parametrize("dtype", [*DTYPES, "bfloat16"])
def test_every_bit_of_a_tensor(there_and_back, dtype):
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    rng = np.random.default_rng(0)
    floats = rng.normal(size=(3, 4)) * 10.0**rng.integers(-6, 4, (3, 4))
    x = Tensor(floats, dtype=dtype) if dtype != "bool" else Tensor(floats > 0)
    for y in (x, x.T, x[1], x[0, 0], x[:0]):
        assert alike(there_and_back(y), y) and alike(there_and_back({"y": [y.data]}),
                                                     {"y": [y.data]})
    nan = Tensor(np.array([0x7E01, 0xFC01, 0x8000], np.uint16).view(np.float16))
    assert alike(there_and_back(nan), nan)


def test_gradients_are_asked_again_and_parameters_are_tensors(there_and_back):
    w = nn.Parameter([1.0, 2.0])
    back = there_and_back({"w": w, "again": w, "frozen": w.detach()})
    assert type(back["w"]) is Tensor and back["w"].requires_grad and back["w"].is_leaf
    assert back["again"] is back["w"] and not back["frozen"].requires_grad
    back["frozen"][0] = 5               # its own memory, which can be written
    assert back["w"].tolist() == w.tolist() == [1, 2]


def test_training_goes_on_where_it_was_saved(there_and_back):
    def made():
        mg.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
        optimizer = optim.Adam(model.parameters(), lr=0.1)
        return model, optimizer, lr_scheduler.StepLR(optimizer, 2)

    def train(model, optimizer, scheduler, steps):
        for i in range(steps):
            optimizer.zero_grad()
            model(mg.arange(12.0).view(4, 3) * 0.1).square().mean().backward()
            optimizer.step()
            scheduler.step()

    parts = made()
    train(*parts, 3)
    back = there_and_back({"parts": [part.state_dict() for part in parts], "epoch": 3})
    others = made()
    for part, state in zip(others, back["parts"]):
        part.load_state_dict(state)
    train(*parts, 3)
    train(*others, 3)
    assert back["epoch"] == 3 and alike(parts[0].state_dict(), others[0].state_dict())


def test_the_arrays_have_the_names_of_the_path_that_leads_to_them(tmp_path):
    model = nn.Linear(2, 3)
    mg.save(model.state_dict(), tmp_path / "flat.pt")
    assert list(weights.load(tmp_path / "flat.pt")) == ["weight", "bias"]
    x = mg.ones(2)
    mg.save({"net": {"w": [x, x + 1]}, "net.w.0": x + 2}, tmp_path / "deep.pt")
    assert list(weights.load(tmp_path / "deep.pt", strip_prefix=False)) == [
        "net.w.0", "net.w.1", "net.w.0_"]
    assert mg.load(tmp_path / "deep.pt")["net.w.0"].tolist() == [3, 3]


def test_other_files_of_weights_are_tables_of_tensors(tmp_path):
    weights.save(tmp_path / "a.safetensors", {"w": np.arange(3.0)}, {"epoch": "7"})
    back = mg.load(tmp_path / "a.safetensors", map_location="cpu", weights_only=True)
    assert alike(back, {"w": mg.arange(3, dtype="float64")})
    for place in (lambda storage, location: storage, {"cuda:0": "cpu"}, mg.device("cpu")):
        assert mg.load(tmp_path / "a.safetensors", map_location=place)["w"].device == "cpu"
    if not mg.cuda.is_available():
        with one_line(RuntimeError, "cuda"):
            mg.load(tmp_path / "a.safetensors", map_location="cuda:0")


@pytest.mark.parametrize("x, words", [
    (nn.Linear(2, 2), ["Linear", "state_dict()"]), ({"m": [nn.ReLU()]}, ["m.0", "ReLU"]),
    (optim.SGD([nn.Parameter([1.0])]), ["SGD"]), ({1, 2}, ["set"]), (b"bytes", ["bytes"]),
    (1j, ["complex"]), ({"f": len}, ["f is a builtin"])])
def test_what_cannot_be_saved_leaves_the_old_file(tmp_path, x, words):
    mg.save(1, tmp_path / "x.pt")
    with one_line(TypeError, "save", *words):
        mg.save(x, tmp_path / "x.pt")
    assert mg.load(tmp_path / "x.pt") == 1 and len(list(tmp_path.iterdir())) == 1


def test_damage_is_noticed(tmp_path):
    path = tmp_path / "x.pt"
    mg.save({"w": mg.arange(5.0), "n": 1}, path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    with one_line(WeightsError, "damaged"):
        mg.load(io.BytesIO(data))
    with one_line(WeightsError, "x.pt"):
        path.write_bytes(data[:40])
        mg.load(path)
    with one_line(WeightsError, "neither a file of torch.save nor safetensors"):
        mg.load(io.BytesIO(b"GIF89a" + bytes(300)))
    with pytest.raises(FileNotFoundError):
        mg.load(tmp_path / "none.pt")


@pytest.mark.parametrize("text", [
    '{"tensor": "nothing"}', '{"dict": 3}', '{"a": 1, "b": 2}', '{}', "[" * 5000 + "]" * 5000,
    "not JSON", '{"dict": [[{"dict": []}, 1]]}', '{"float": "x"}', '{"tuple": 3}'])
def test_a_structure_that_save_does_not_write_is_refused(text):
    file = io.BytesIO(b"".join(map(bytes, pack({"w": np.ones(2)}, {"object": text}))))
    with one_line(WeightsError, "the file"):
        mg.load(file)


def test_the_metadata_is_strict_json(tmp_path):
    mg.save({"a": [math.nan, -math.inf]}, tmp_path / "x.pt")
    text = weights.load(tmp_path / "x.pt", entry="").metadata["object"]

    def refuse(name):
        raise AssertionError(name)

    json.loads(text, parse_constant=refuse)
