"""Checkpoints as people write them: which entry is the weights, what their names lose, what lies
beside them, and what a file is that is none."""

import bz2
import io
import lzma
import tarfile
import zipfile

import numpy as np
import pytest

from minigrad.models import cifar_resnet20
from minigrad.models import load as load_model
from minigrad.weights import Weights, WeightsError, load, save
from tests.one_line import one_line
from tests.places import SHARED
from tests.weights.weights_files import (MAGIC, ORDERED_DICT, call, code, name, program, reference,
                                         storage, tensor, torch_stream, torch_zip, zip_file,
                                         zip_members)

ODD = SHARED / "data" / "odd-files"
TENSOR = tensor(storage("0", "float32", 2), 0, (2,), (1,))
STORED = {"0": np.float32([1, 2]).tobytes(), "1": bytes(8)}
SCALAR = tensor(storage("0", "float32", 2), 0, (), ())
MANY = {"a": TENSOR, "b": TENSOR}


@pytest.fixture
def read(tmp_path):
    """Load a value, written as torch does, or bytes."""
    def read(value, **options):
        data = value if isinstance(value, bytes) else torch_zip(value, STORED)
        (tmp_path / "weights.pth").write_bytes(data)
        return load(tmp_path / "weights.pth", **options)
    return read


# --- entries -------------------------------------------------------------------------------------

@pytest.mark.parametrize("value, names, notes", [
    ({"model": {}, "weight": TENSOR}, ["weight"], ["left out, no tensors: 'model'"]),
    ({"model": {"arch": "x"}, "model_state_dict": MANY}, ["a", "b"],
     ["taken from 'model_state_dict', beside it: 'model'"]),
    ({"state_dict": {"lr": 1}, "model": MANY}, ["a", "b"],
     ["taken from 'model', beside it: 'state_dict'"]),
    ({"model": {"mean": TENSOR}, "model_state_dict": MANY}, ["a", "b"],
     ["taken from 'model_state_dict', beside it: 'model' (tensors: 1)"]),
    ({"state_dict": MANY, "model": MANY, "best": SCALAR}, ["a", "b"],
     ["taken from 'state_dict', beside it: 'model' (tensors: 2), 'best' (a tensor)"]),
    ({"model": {"state_dict": MANY, "epoch": 3}}, ["a", "b"],
     ["taken from 'model'", "taken from 'model.state_dict', beside it: 'epoch'"]),
    ({"state_dict": [TENSOR], "a": TENSOR}, ["a"], ["left out: 'state_dict' (tensors: 1)"]),
    ({"a": TENSOR, "optimizer": {"state": {0: MANY, 1: {**MANY, "c": TENSOR}}}}, ["a"],
     ["left out, no tensors: 'optimizer'"])])
def test_the_table_with_the_tensors_is_taken(read, value, names, notes):
    weights = read(value)
    assert list(weights) == names and weights.notes == notes


@pytest.mark.parametrize("value, words", [
    ({"net": MANY, "acc": 1}, ["no named tensors, only 'net' (tensors: 2), 'acc'",
                               "entry=NAME: 'net' (tensors: 2)"]),
    ({"net": MANY, "acc": SCALAR}, ["'net' (tensors: 2), '' (the whole, tensors: 1)"]),
    ([MANY, {"c": TENSOR}], ["'0' (tensors: 2), '1' (tensors: 1)"]),
    ({"ema": {"net": [MANY, MANY]}}, ["'ema.net.0' (tensors: 2), 'ema.net.1' (tensors: 2)"]),
    ({str(i): MANY for i in range(20)}, ["'7' (tensors: 2) and 12 more"]),
    ({"model": {}, "epoch": 7}, ["no named tensors, only 'model', 'epoch'"]),
    ({"state_dict": {}}, ["no named tensors, only 'state_dict'"]),
    ({0: TENSOR}, ["no named tensors, only '0' (a tensor)"]),
    ({"net": call(name("my", "Net"))}, ["'net' is 'my.Net', which is not made here"])])
def test_where_the_names_do_not_tell_the_entries_are_listed(read, value, words):
    with one_line(WeightsError, "weights.pth", *words):
        read(value)


NESTED = {"net": {"ema": MANY, "x.y": {"z.w": {"c": TENSOR}}}, "list": [1, MANY, (TENSOR, 3)],
          "net.ema": {"d": TENSOR}, 5: {"e": TENSOR}, "arm": {"state_dict": {"f": TENSOR}},
          "g": SCALAR, "cfg": {"h": 1}, "scalar": call(name("numpy.core.multiarray", "scalar"))}


@pytest.mark.parametrize("entry, names", [
    ("net.x.y.z.w", ["c"]), ("list.1", ["a", "b"]), ("list.2", ["0"]), ("net.ema", ["d"]),
    ("5", ["e"]), ("arm", ["f"]), ("arm.state_dict", ["f"]), ("g", ["tensor"]), ("", ["g"])])
def test_an_entry_is_named_by_its_way(read, entry, names):
    weights = read(NESTED, entry=entry)
    assert list(weights) == names
    assert not entry or any(f"taken from '{entry}" in note for note in weights.notes)


@pytest.mark.parametrize("entry, words", [
    ("x", "no entry 'x'"), ("net.", "no entry 'net.'"), ("list.7", "no entry 'list.7'"),
    (".", "no entry '.'"), ("net.ema.a.b", "no entry 'net.ema.a.b'"), ("list.-1", "no entry"),
    ("cfg", "its entry 'cfg' holds no named tensors, only 'h'"),
    ("cfg.h", "its entry 'cfg.h' holds no table of named tensors"),
    ("scalar", "its entry 'scalar': it asks for 'numpy.core.multiarray.scalar'")])
def test_an_entry_that_is_not_there(read, entry, words):
    with one_line(WeightsError, words, *["'net.x.y.z.w' (tensors: 1)"] * ("no entry" in words)):
        read(NESTED, entry=entry)


def test_an_entry_of_a_file_that_has_none(tmp_path):
    save(tmp_path / "w.safetensors", {"a": np.ones(2)})
    with one_line(WeightsError, "no entry 'net'", "'' (the whole, tensors: 1)"):
        load(tmp_path / "w.safetensors", entry="net")
    assert list(load(tmp_path / "w.safetensors", entry="")) == ["a"]


def test_a_list_and_a_single_tensor(read):
    alone = read(torch_zip(TENSOR, STORED))
    assert alone["tensor"].tolist() == [1, 2]
    assert alone.notes == ["a single tensor, here called 'tensor'"]
    for value in ([TENSOR, 7, SCALAR], (TENSOR, 7, SCALAR)):
        weights = read(value)
        assert {key: x.tolist() for key, x in weights.items()} == {"0": [1, 2], "2": 1}
        assert weights.notes == ["a list, its tensors named by their positions",
                                 "left out, no tensors: '1'"]


# --- prefixes ------------------------------------------------------------------------------------

@pytest.mark.parametrize("before, after, notes", [
    (["_orig_mod.a", "_orig_mod.b"], ["a", "b"], ["prefix '_orig_mod.' removed"]),
    (["module.a", "n_averaged"], ["a", "n_averaged"],
     ["prefix 'module.' removed from 1 of 2 names"]),
    (["_orig_mod.module.a", "module._orig_mod.b", "c"], ["a", "b", "c"],
     ["prefix '_orig_mod.' removed from 2 of 3 names",
      "prefix 'module.' removed from 2 of 3 names"]),
    (["layer._orig_mod.0.w", "head.w"], ["layer.0.w", "head.w"],
     ["prefix '_orig_mod.' removed from 1 of 2 names"]),
    (["module.module.a"], ["a"], ["prefix 'module.' removed"]),
    (["model.module.a", "model.module.b"], ["a", "b"],
     ["prefix 'model.' removed", "prefix 'module.' removed"]),
    (["model.a", "head.b"], ["model.a", "head.b"], []),
    (["module.a", "a"], ["module.a", "a"],
     ["prefix 'module.' kept: without it two names would be the same"]),
    (["module.", "_orig_mod."], ["module.", "_orig_mod."], []),
    (["amodule.a", "x._orig_model.b"], ["amodule.a", "x._orig_model.b"], [])])
def test_prefixes_are_removed_name_by_name(read, before, after, notes):
    value = dict.fromkeys(before, TENSOR)
    weights = read(value)
    assert list(weights) == after and weights.notes == notes
    assert list(read(value, strip_prefix=False)) == before
    assert read(value, strip_prefix=False).notes == []


def test_a_prefix_of_ones_own(read):
    value = dict.fromkeys(["net.a", "module.b"], TENSOR)
    weights = read(value, strip_prefix="net.")
    assert list(weights) == ["a", "module.b"]
    assert weights.notes == ["prefix 'net.' removed from 1 of 2 names"]
    assert list(read(value, strip_prefix="")) == ["net.a", "module.b"]
    with one_line(WeightsError, "none of its names begins with 'x.'", "'net.a', 'module.b'"):
        read(value, strip_prefix="x.")


def test_entries_and_prefixes_are_texts(read):
    for wrong in ({"entry": 0}, {"strip_prefix": None}, {"strip_prefix": ["a"]}):
        with one_line(TypeError, "load: entry is a text"):
            read(MANY, **wrong)


def test_names_that_save_wrote_stay_but_for_a_prefix_that_is_named(tmp_path):
    save(tmp_path / "w.safetensors", {"module.a": np.ones(2)})
    assert list(load(tmp_path / "w.safetensors")) == ["module.a"]
    assert list(load(tmp_path / "w.safetensors", strip_prefix="module.")) == ["a"]


# --- beside the weights --------------------------------------------------------------------------

BESIDE = {
    "NumPy's number": call(name("numpy.core.multiarray", "scalar"), call(
        name("numpy", "dtype"), "f8", False, True), b"U\x08\0\0\0\0\0\0\xe0\x3f"),
    "a class": name("torch.optim.adam", "Adam"),
    "Counter": call(name("collections", "Counter"), {3: 2}),
    "defaultdict": call(name("collections", "defaultdict"), name("__builtin__", "list"))
    + code("k") + b"Ns",
    "deque": call(name("collections", "deque")) + b"(NNe", "Size": call(
        name("torch", "Size"), (1, 2)), "device": call(name("torch", "device"), "cpu"),
    "dtype": name("torch", "float32"), "set": call(name("__builtin__", "set"), [1]),
    "bytes": call(name("_codecs", "encode"), "ab", "latin1"),
    "complex": call(name("__builtin__", "complex"), 1.0, 2.0),
    "Namespace": name("argparse", "Namespace") + b")\x81" + code({"lr": 0.1}) + b"b",
    "object of Python 2": b"(" + name("config", "Old") + b"o" + code({"a": 1}) + b"b",
    "enum": call(name("colors", "Color"), 1), "text of Python 2": b"U\2\xff\xfe",
    "long text of Python 2": b"T\3\0\0\0abc", "quoted": b"S'a'\n", "escaped": b'S"\\x00"\n',
    "integer in digits": b"I140360667807472\n", "truth": b"I01\n", "long": b"L-12L\n",
    "OrderedDict of Python 2": name("collections", "OrderedDict") + b"]](K\x05Nea\x85R",
    "odd keys": b"}()NNN\x88N" + code(1.5) + b"N" + code(2**70) + b"NU\1\xffNu",
    "list in itself": b"]q\0(h\0K\1ta",
    "something dropped": b"NK\x070", "marked and dropped": b"N(K\x07K\x081",
    "sparse tensor": call(name("torch._utils", "_rebuild_sparse_tensor"), 1, (TENSOR, TENSOR)),
    "other dtype": call(name("torch._utils", "_rebuild_tensor_v3"), reference(
        ("storage", name("torch.storage", "UntypedStorage"), "1", "cpu", 8)), 0, (8,), (1,), False,
        ORDERED_DICT, name("torch", "float8_e8m0fnu"))}


@pytest.mark.parametrize("what", BESIDE)
def test_what_lies_beside_the_weights_is_left_alone(read, what):
    for value in ({"x": BESIDE[what], "state_dict": MANY}, {"state_dict": MANY, "x": BESIDE[what]}):
        weights = read(value)
        assert weights.notes == ["taken from 'state_dict', beside it: 'x'"]
        assert {key: x.tolist() for key, x in weights.items()} == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize("what", ["sparse tensor", "other dtype"])
def test_a_tensor_that_cannot_be_read_is_missed_among_the_weights(read, what):
    for value in ({**MANY, "x": BESIDE[what]}, {"state_dict": {**MANY, "x": BESIDE[what]}},
                  {"x": BESIDE[what]}, {"state_dict": {"x": BESIDE[what]}, "epoch": 3}):
        with one_line(WeightsError, "tensor 'x' cannot be read: it asks for 'torch."):
            read(value)


def test_storages_of_quantized_tensors_are_passed_over(read, tmp_path):
    quantized = call(name("torch._utils", "_rebuild_qtensor"), reference((
        "storage", name("torch", "QInt32Storage"), "1", "cpu", 3, None)), 0, (3,), (1,))
    whole = tensor(storage("0", "float32", 2, None), 0, (2,), (1,))
    weights = read(torch_stream({"state_dict": {"a": whole}, "q": quantized},
                                {"0": (STORED["0"], 2), "1": (bytes(12), 3)}))
    assert weights["a"].tolist() == [1, 2]
    unknown = reference(("storage", name("torch", "OddStorage"), "1", "cpu", 3, None))
    with one_line(WeightsError, "a storage of 'torch.OddStorage', whose size is unknown"):
        read(torch_stream({"a": whole, "q": unknown}, {"0": (STORED["0"], 2), "1": (b"123", 3)}))


def test_a_network_that_was_saved_whole_in_a_stream(read):
    """Old torch puts the source of its class into the file."""
    module = reference(("module", name("nets", "Net"), "nets.py", "class Net: ...")) + b")\x81"
    whole = tensor(storage("0", "float32", 2, None), 0, (2,), (1,))
    stored = {"0": (STORED["0"], 2)}
    assert list(read(torch_stream({"net": module, "state_dict": {"a": whole}}, stored))) == ["a"]
    with one_line(WeightsError, "'nets.Net', which weights do not need", "state_dict()"):
        read(torch_stream(module + code({"w": whole}) + b"b", stored))


def test_attributes_of_tensors_and_classes_of_their_own(read):
    rebuild = name("torch._tensor", "_rebuild_from_type_v2")
    plain = name("torch._utils", "_rebuild_tensor_v2")
    arguments = (storage("0", "float32", 2), 0, (2,), (1,), False, ORDERED_DICT)
    for kind in (name("torch", "Tensor"), name("torch.nn.parameter", "Parameter"),
                 name("nets", "Mine")):
        value = call(rebuild, plain, kind, arguments, {"tag": 1})
        assert read({"a": value})["a"].tolist() == [1, 2]
    for wrong in (call(rebuild, name("nets", "made"), kind, arguments, {}), call(rebuild, plain),
                  call(rebuild, plain, kind, ((1,),), {})):
        with one_line(WeightsError, "tensor 'a' cannot be read", "_rebuild_from_type_v2"):
            read({"a": wrong, "b": TENSOR})


def test_repeated_numbers_are_views_without_memory_of_their_own(read):
    numbers = storage("0", "float32", 2)
    weights = read({"a": tensor(numbers, 0, (3, 2), (0, 1)),
                    "b": tensor(numbers, 1, (2, 2), (0, 0)),
                    "c": tensor(numbers, 0, (2, 2**18), (1, 0)), "d": TENSOR})
    assert weights["a"].tolist() == [[1, 2]] * 3 and weights["b"].tolist() == [[2, 2]] * 2
    assert weights["c"].shape == (2, 2**18) and weights["c"][1, -1] == 2
    assert all(np.shares_memory(weights["d"], x) for x in weights.values())
    for size, stride in (((2, 2**18 + 1), (1, 0)), ((3, 2, 2), (0, 1, 1)), ((3, 3), (0, 1))):
        with pytest.raises(WeightsError):
            read({"a": tensor(numbers, 0, size, stride)})


@pytest.mark.parametrize("flag, sign", [(b"I01\n", -1), (b"I00\n", 1)])
def test_truth_values_of_python_2(read, flag, sign):
    value = call(name("torch._utils", "_rebuild_tensor_v2"), storage("0", "float32", 2), 0, (2,),
                 (1,), False, ORDERED_DICT, {"neg": flag})
    assert read({"a": value})["a"].tolist() == [sign, 2 * sign]


def test_metadata_of_null(tmp_path):
    header = b'{"__metadata__":null,"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    (tmp_path / "w").write_bytes(len(header).to_bytes(8, "little") + header + STORED["0"])
    assert load(tmp_path / "w")["w"].tolist() == [1, 2] and load(tmp_path / "w").metadata == {}


@pytest.mark.skipif(not ODD.exists(), reason="no odd files at ../shared/data")
def test_the_odd_files():
    config = load(ODD / "config_under_model.pt")
    assert list(config) == ["fc.weight"]
    assert config.notes == ["taken from 'model_state_dict', beside it: 'model'"]
    assert sorted(load(ODD / "py2_int_opcode.pth")) == ["bias", "weight"]
    taxi = load(ODD / "leobxpan-taxi-prediction-checkpoint.pth.tar")
    assert len(taxi) == 4 and sum(x.size for x in taxi.values()) == 83
    with one_line(WeightsError, "a TorchScript archive"):
        load(ODD / "tch-rs-foo5-torchscript.pt")


# --- what is no weights file ---------------------------------------------------------------------

def zipped(*names, method=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for member in names:
            archive.writestr(member, b"x" * 100)
    return file.getvalue()


def tarred():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("weights.pth"))
    return file.getvalue()


PROGRAM = ["m/data.pkl", "m/code/net.py", "m/constants.pkl", "m/version"]
OTHERS = {
    "TorchScript": (zipped(*PROGRAM), "a TorchScript archive"),
    "TorchScript, compressed": (zipped(*PROGRAM, method=zipfile.ZIP_DEFLATED), "a TorchScript"),
    "lite TorchScript": (zipped("m/data.pkl", "m/bytecode.pkl"), "a TorchScript archive"),
    "compressed": (zipped("m/data.pkl", "m/data/0", method=zipfile.ZIP_DEFLATED),
                   "is compressed, and torch.save compresses nothing"),
    "torch.export": (zipped("m/archive_format", "m/models/model.json"), "of torch.export"),
    "NumPy's arrays": (zipped("a.npy", "b.npy"), "of NumPy's (.npz)"),
    "Keras": (zipped("config.json", "model.weights.h5"), "a model of Keras"),
    "another zip": (zipped("readme.txt"), "0 members data.pkl, none of torch.save's"),
    "an empty zip": (zipped(), "an empty zip archive"),
    "a tar": (tarred(), "without torch's members storages, tensors and pickle: unpack it first"),
    "protocol 3": (b"\x80\3" + torch_stream(MANY)[2:], "of protocol 3, not of protocol 2"),
    "protocol 4": (b"\x80\4\x95" + bytes(8) + MAGIC[2:], "of protocol 4, not of protocol 2"),
    "protocol 0": (b"L%dL\n." % 0x1950a86a20f9469cfc6c, "protocol 0 or 1, not of protocol 2"),
    "protocol 4 in a zip": (zip_file(zip_members(b"\x80\4N.", {})), "of protocol 4, not of"),
    "no protocol": (zip_file(zip_members(b"N.", {})), "it is not of protocol 2"),
    "the beginning": (MAGIC[:9], "the beginning of a file of torch.save, which is cut off"),
    "another pickle": (program({"w": 1}), "a bare pickle, not written by torch.save"),
    "bzip2": (bz2.compress(b"x"), "a bzip2 file"), "xz": (lzma.compress(b"x"), "an xz file"),
    "git-annex": (b"/annex/objects/SHA256E-s9--00\n", "a git-annex pointer"),
    "web page": (b"\n\n <!doctype html>", "a web page"),
    "index": (b'{"metadata": {}, "weight_map": {"a": "1.safetensors"}}', "of a safetensors file"),
    "JSON": (b'[{"a": [{"b": 1}]}]', "a text in JSON"),
    "JSON with a brace there": (b'{"a": [ {"b": 1}]}', "a text in JSON"),
    "ONNX": (b"\x08\x07\x12\x07pytorch", "an ONNX model"), "GGUF": (b"GGUF\3\0\0\0", "a GGUF file"),
    "TensorFlow": (b"\x08\x01\x12\x99", "a SavedModel of TensorFlow"),
    "TensorFlow Lite": (b"\x1c\0\0\0TFL3", "a model of TensorFlow Lite"),
    "PNG": (b"\x89PNG\r\n\x1a\n", "a picture"), "MATLAB": (b"MATLAB 5.0 MAT-file", "of MATLAB")}


@pytest.mark.parametrize("what", OTHERS)
def test_the_true_kind_of_a_file_is_named(read, what):
    data, words = OTHERS[what]
    with one_line(WeightsError, "weights.pth", words):
        read(data)


# --- from networks -------------------------------------------------------------------------------

def test_networks_take_an_entry_too(tmp_path):
    model = cifar_resnet20(3).eval()
    arrays = model.state_dict()
    tensors = {f"net.{key}": tensor(storage(str(i), x.dtype.name, x.size), 0, x.shape, tuple(
        step // x.itemsize for step in x.strides)) for i, (key, x) in enumerate(arrays.items())}
    path = tmp_path / "w.pth"
    path.write_bytes(torch_zip({"ema": tensors, "epoch": 3}, {
        str(i): x.tobytes() for i, x in enumerate(arrays.values())}))
    found = load_model(path, entry="ema", strip_prefix="net.")
    assert found.architecture["name"] == "cifar_resnet20"
    assert found.notes == ["taken from 'ema', as asked", "prefix 'net.' removed"]
    assert "taken from 'ema', as asked" in found.about
    weights = load(path, entry="ema", strip_prefix="net.")
    assert isinstance(weights, Weights)
    for built in (found.model, cifar_resnet20(weights=weights)):
        assert all(np.array_equal(x, arrays[key]) for key, x in built.state_dict().items())
    with one_line(WeightsError, str(path), "'ema' (tensors: "):
        load_model(path)
    with one_line(WeightsError, str(path), "these are no weights of cifar_resnet20"):
        cifar_resnet20(weights=load(path, entry="ema"))
