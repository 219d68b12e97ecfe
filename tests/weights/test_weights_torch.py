"""Parity with torch, where it is installed: whatever torch.save writes, load gives bit for bit."""

import argparse
import collections
import datetime
import enum
import fractions
import functools
import io
import pathlib

import numpy as np
import pytest

from minigrad.weights import WeightsError, load, save
from tests.one_line import one_line
from tests.weights.weights_files import FORMS, checkpoint, example

torch = pytest.importorskip("torch")

WRITERS = {
    "zip": lambda state, path: torch.save(state, path),
    "zip from memory": lambda state, path: path.write_bytes(in_memory(state)),
    "stream": lambda state, path: torch.save(state, path, _use_new_zipfile_serialization=False)}
WIDENED = {torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2}


def in_memory(state):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def random(dtype, *size):
    return (100 * torch.rand(*size, generator=torch.Generator().manual_seed(0))).to(dtype)


def dtypes():
    kinds = ("float64 float32 float16 bfloat16 float8_e4m3fn float8_e5m2 int64 int32 int16 int8 "
             "uint8 uint16 uint32 uint64 bool complex64 complex128").split()
    return {kind: random(torch.float32, 5, 3).to(getattr(torch, kind)) for kind in kinds}


def layouts():
    x = random(torch.float32, 4, 5, 6)
    image = random(torch.float16, 2, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    c, d = (torch.view_as_complex(random(torch.float32, 7, 2)) for _ in range(2))
    return {"whole": x, "transposed": x.permute(2, 0, 1), "strided": x[1::2, :, ::3], "row": x[2],
            "0-d": x[1, 2, 3], "empty": x[:, 5:], "empty 2": torch.zeros(0, 3), "flat": x.view(-1),
            "number": torch.tensor(7), "channels last": image, "part of it": image[:, 1:, 2:5],
            "ones": x[:1, None], "complex": c, "conjugate": c.conj(), "negative": d.conj().imag,
            "real": d.real, "parameter": torch.nn.Parameter(x[0]), "tied": x}


def layers():
    """A model's state, with OrderedDict, `_metadata`, buffers and tied weights; half and float."""
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 64, 7, bias=False), torch.nn.BatchNorm2d(64),
                                torch.nn.Linear(600, 600), torch.nn.Linear(600, 600))
    model[3].weight = model[2].weight
    model[0].half()
    return model.state_dict()


def numpy(tensor):
    """The array that `load` should give."""
    tensor = tensor.detach().resolve_conj().resolve_neg()
    return (tensor.float() if tensor.dtype in WIDENED else tensor).numpy()


def assert_equal(weights, state):
    assert list(weights) == list(state)
    for name, tensor in state.items():
        expected = numpy(tensor)
        assert weights[name].dtype == expected.dtype and weights[name].shape == expected.shape, name
        assert weights[name].tobytes() == expected.tobytes(), name


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("make", [dtypes, layouts, layers], ids=lambda make: make.__name__)
def test_everything_torch_writes_is_loaded_bit_for_bit(tmp_path, writer, make):
    state, path = make(), tmp_path / "weights.pth"
    WRITERS[writer](state, path)
    assert_equal(load(path), state)
    if (writer, make) != ("stream", dtypes):    # torch 2.13 cannot read its own stream of these
        assert_equal(load(path), torch.load(path))


@pytest.mark.parametrize("writer", WRITERS)
def test_what_shares_memory_there_shares_it_here(tmp_path, writer):
    path = tmp_path / "weights.pth"
    WRITERS[writer](layouts(), path)
    weights = load(path)
    for name in ("transposed", "row", "0-d", "flat", "parameter", "tied"):
        assert np.shares_memory(weights["whole"], weights[name]), name
    assert not np.shares_memory(weights["whole"], weights["number"])


@pytest.mark.parametrize("writer", WRITERS)
def test_a_training_checkpoint(tmp_path, writer):
    model = torch.nn.DataParallel(torch.nn.Linear(3, 2))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    path = tmp_path / "checkpoint.pth"
    WRITERS[writer]({"epoch": 7, "loss": 0.5, "state_dict": model.state_dict(), "best": None,
                     "optimizer": optimizer.state_dict(), "size": [3, (2, 1)]}, path)
    weights = load(path)
    assert_equal(weights, model.module.state_dict())
    assert weights.notes == [
        "taken from 'state_dict', beside it: 'epoch', 'loss', 'best', 'optimizer', 'size'",
        "prefix 'module.' removed"]


@pytest.mark.parametrize("value, word", [
    (lambda: torch.nn.Linear(2, 2), "torch.nn.modules.linear.Linear"),
    (lambda: {"w": torch.eye(2).to_sparse()}, "_rebuild_sparse_tensor"),
    (lambda: {"w": torch.zeros(1).expand(10**6)}, "contiguous"),
    (lambda: {"v": torch.ones(1), "w": torch.eye(2).to_sparse()}, "it is a sparse tensor"),
    (lambda: {"w": torch.eye(2).to_sparse_csr()}, "it is a sparse tensor"),
    (lambda: {"w": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)}, "quantized"),
    (lambda: {"w": torch.ones(2, device="meta")}, "has no numbers"),
    (lambda: {"w": torch.nn.UninitializedParameter()}, "has no numbers yet"),
    (lambda: {"w": torch.ones(2).to(torch.complex32)}, "torch.complex32"),
    (lambda: {"w": torch.ones(2).to(torch.float8_e8m0fnu)}, "torch.float8_e8m0fnu")],
    ids=["model", "sparse", "expanded", "sparse beside", "csr", "quantized", "meta", "lazy",
         "complex32", "float8"])
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_what_is_no_plain_weights_is_refused_by_name(tmp_path, value, word):
    for writer in ("zip", "stream"):
        WRITERS[writer](value(), tmp_path / "x.pth")
        with one_line(WeightsError, str(tmp_path / "x.pth"), word):
            load(tmp_path / "x.pth")


class OwnParameter(torch.nn.Parameter):
    pass


class OwnTensor(torch.Tensor):
    pass


def tagged(tensor):
    tensor.tag = ["made", "by hand"]
    return tensor


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("make", [
    lambda: random(torch.float32, 3, 1).expand(3, 4), lambda: torch.ones(1).expand(9),
    lambda: random(torch.float16, 2)[:, None, None].expand(2, 5, 0), lambda: tagged(torch.ones(3)),
    lambda: tagged(torch.nn.Parameter(torch.ones(2))), lambda: OwnParameter(torch.ones(2, 3)),
    lambda: torch.arange(6.).view(2, 3).T.as_subclass(OwnTensor),
    lambda: torch.nn.Buffer(torch.ones(3)), lambda: torch.view_as_complex(
        random(torch.float32, 7, 2)).conj()[:1].expand(4)],
    ids=["expanded", "one", "empty", "attribute", "Parameter with one", "own Parameter",
         "own Tensor", "Buffer", "conjugate"])
def test_tensors_out_of_the_ordinary(tmp_path, writer, make):
    path, tensor = tmp_path / "x.pth", make()
    WRITERS[writer]({"w": tensor, "v": torch.ones(2)}, path)
    assert_equal(load(path), {"w": tensor.detach().as_subclass(torch.Tensor), "v": torch.ones(2)})


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float8_e5m2", "float8_e4m3fn"])
def test_every_number_of_few_bits_is_widened_to_torchs_bits(tmp_path, kind):
    """NaN with all its payloads too."""
    dtype = getattr(torch, kind)
    bits = torch.arange(2**(8 * dtype.itemsize), dtype=torch.int32)
    x = bits.to(torch.uint8 if dtype.itemsize == 1 else torch.uint16).view(dtype)
    torch.save({"x": x}, tmp_path / "x.pth")
    assert load(tmp_path / "x.pth")["x"].tobytes() == x.float().numpy().tobytes()


@pytest.mark.parametrize("writer", WRITERS)
def test_a_tensor_alone_and_a_list_of_them(tmp_path, writer):
    path, x, y = tmp_path / "x.pth", torch.arange(6.).view(2, 3), torch.ones(())
    WRITERS[writer](x, path)
    assert_equal(load(path), {"tensor": x})
    for kind in (list, tuple):
        WRITERS[writer](kind([x, 7, y]), path)
        assert_equal(load(path), {"0": x, "2": y})
    WRITERS[writer]([{"w": x}, {"w": y}], path)
    with one_line(WeightsError, "'0' (tensors: 1), '1' (tensors: 1)"):
        load(path)
    assert_equal(load(path, entry="1"), {"w": y})


def things():
    """What checkpoints have beside their weights."""
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    milestones = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 3, 4])
    in_itself = []
    in_itself.append(in_itself)
    return {
        "best_acc": np.float64(0.5), "epoch": np.int64(3), "curve": np.arange(5.0),
        "masked": np.array(["a", None], object), "generator": np.random.default_rng(0),
        "class": torch.optim.Adam, "optimizer": optimizer.state_dict(),
        "schedule": milestones.state_dict(), "model": model, "loss": torch.nn.CrossEntropyLoss(),
        "counter": collections.Counter("aab"), "defaults": collections.defaultdict(list, a=[1]),
        "queue": collections.deque([1, 2]), "size": torch.Size([1, 2]), "dtype": torch.float16,
        "device": torch.device("cpu"), "layout": torch.strided, "set": {1, 2},
        "frozen": frozenset([1]), "bytes": b"ab\xff", "bytearray": bytearray(b"a"), "complex": 2j,
        "options": argparse.Namespace(lr=0.1), "path": pathlib.PurePosixPath("/x"),
        "time": datetime.datetime(2020, 1, 1), "span": datetime.timedelta(1),
        "partial": functools.partial(random, 1), "function": random, "own": OwnTensor,
        "color": Color.RED, "fraction": fractions.Fraction(1, 2), "range": range(3),
        "slice": slice(1), "dots": ..., "long": 10**50, "negative": -10**40, "colors": Color,
        "odd keys": {(1, 2): 3, None: 1, 1.5: 2, True: 0, 2**70: 1}, "in itself": in_itself,
        "sparse": torch.eye(2).to_sparse(), "meta": torch.ones(2, device="meta"),
        "quantized": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
        "none": type(None), "int": int, "bool": np.bool_(True), "text": np.str_("a"),
        "storage": torch.ones(2).untyped_storage(), "float8": torch.ones(2).to(
            torch.float8_e8m0fnu)}


class Color(enum.Enum):
    RED = 1


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_what_lies_beside_the_weights_does_no_harm(tmp_path):
    path, state = tmp_path / "x.pth", torch.nn.Linear(3, 2).state_dict()
    for name, thing in things().items():
        for writer in ("zip", "stream"):
            WRITERS[writer]({name: thing, "state_dict": state, "more": thing}, path)
            assert_equal(load(path), state)
            assert f"beside it: {name!r}" in load(path).notes[0], (name, writer)


@pytest.mark.parametrize("writer", ["zip", "stream"])
@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_another_protocol_is_refused_by_its_number(tmp_path, writer, protocol):
    torch.save({"w": torch.zeros(1)}, tmp_path / "x.pth", pickle_protocol=protocol,
               _use_new_zipfile_serialization=writer == "zip")
    with one_line(WeightsError, f"of protocol {protocol}, not of protocol 2", "pickle_protocol"):
        load(tmp_path / "x.pth")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_model_and_one_in_parallel(tmp_path):
    """torch.compile wraps the whole or a part, DataParallel the whole; SWA adds a name of its own.
    """
    def model():
        return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))

    part = model()
    part[1] = torch.compile(part[1])
    whole = torch.compile(torch.nn.DataParallel(model()))
    averaged = torch.optim.swa_utils.AveragedModel(model())
    for wrapped in (part, whole, averaged):
        torch.save(wrapped.state_dict(), tmp_path / "x.pth")
        names = [name for name in load(tmp_path / "x.pth") if name != "n_averaged"]
        assert names == list(model().state_dict())
        assert list(load(tmp_path / "x.pth", strip_prefix=False)) == list(wrapped.state_dict())


def test_another_protocol_is_refused(tmp_path):
    torch.save({"w": torch.zeros(1)}, tmp_path / "x.pth", pickle_protocol=4)
    with one_line(WeightsError, str(tmp_path / "x.pth"), "protocol 2"):
        load(tmp_path / "x.pth")


def test_a_writer_without_checksums(tmp_path):
    state = dtypes()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(state, tmp_path / "x.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    with one_line(WeightsError, str(tmp_path / "x.pth"), "verify=False"):
        load(tmp_path / "x.pth")
    assert_equal(load(tmp_path / "x.pth", verify=False), state)


@pytest.mark.parametrize("form", FORMS[:3])
def test_torch_reads_the_files_these_tests_make(tmp_path, form):
    """So what is changed in them for other tests is changed in the real format."""
    path = tmp_path / "x.pth"
    path.write_bytes(checkpoint(form, example()))
    state = torch.load(path, weights_only=form != "torch tar")
    assert {name: tensor.numpy().tolist() for name, tensor in state.items()} == {
        name: array.tolist() for name, array in example().items()}


def test_the_peer_reads_what_save_wrote_and_the_other_way_round(tmp_path):
    peer = pytest.importorskip("safetensors.torch")
    state = {name: tensor for name, tensor in dtypes().items() if name != "complex128"}
    peer.save_file(state, tmp_path / "theirs.safetensors", {"format": "pt"})
    weights = load(tmp_path / "theirs.safetensors")
    assert_equal(weights, {name: state[name] for name in weights})
    assert set(weights) == set(state) and weights.metadata == {"format": "pt"}
    save(tmp_path / "ours.safetensors", weights, {"epoch": "7"})
    assert_equal({name: array for name, array in load(tmp_path / "ours.safetensors").items()},
                 {name: peer.load_file(tmp_path / "ours.safetensors")[name] for name in weights})
