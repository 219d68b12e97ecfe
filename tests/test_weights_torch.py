"""Parity with torch, where it is installed: whatever torch.save writes, load gives bit for bit."""

import io

import numpy as np
import pytest

from minigrad.weights import WeightsError, load, save
from tests.one_line import one_line
from tests.weights_files import FORMS, checkpoint, example

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
    (lambda: {"w": torch.zeros(1).expand(9)}, "contiguous")], ids=["model", "sparse", "expanded"])
def test_what_is_no_plain_weights_is_refused_by_name(tmp_path, value, word):
    torch.save(value(), tmp_path / "x.pth")
    with one_line(WeightsError, str(tmp_path / "x.pth"), word):
        load(tmp_path / "x.pth")


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
