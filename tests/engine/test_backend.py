"""Devices and random numbers: clear errors without a GPU, streams that depend on calls alone."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

import minigrad as mg
from minigrad.backend import (array_module, device_of, generator, manual_seed, memory_report,
                              to_device)
from tests.gpu import fake_cupy
from tests.one_line import one_line


@pytest.fixture(autouse=True)
def seeded():
    manual_seed(0)


def test_numpy_arrays_live_on_the_cpu():
    x = np.ones(2)
    assert array_module(x) is np and array_module(np.float32(1)) is np and device_of(x) == "cpu"
    assert to_device(x, "cpu") is x


def test_what_is_not_an_array_has_no_module():
    for x in ([1.0], 1.0, mg.Tensor(1.0)):
        with one_line(TypeError, type(x).__name__):
            array_module(x)


def test_an_unknown_device_is_named():
    with one_line(ValueError, "'cpux'", "'cuda'"):
        to_device(np.ones(1), "cpux")


@pytest.mark.parametrize("cupy, words", [
    (None, ["CuPy", "minigrad[cuda12]", "'cpu'"]),
    (SimpleNamespace(is_available=lambda: False, ndarray=()), ["GPU", "'cpu'"])],
    ids=["no CuPy", "no GPU"])
def test_moving_to_a_gpu_that_is_not_there(monkeypatch, cupy, words):
    monkeypatch.setitem(sys.modules, "cupy", cupy)  # None: `import cupy` fails
    x = mg.Tensor([1.0])
    with one_line(RuntimeError, "'cuda'", *words):
        x.to("cuda")
    with one_line(RuntimeError, "'cuda'", *words):
        mg.nn.Linear(1, 1).to("cuda")
    assert x.device == "cpu"


def test_how_full_a_gpu_is(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert memory_report() == ""
    fake_cupy.install(monkeypatch)
    assert memory_report() == "GPU memory: 1 MiB used, 2 MiB held, 1024 MiB free of 2048 MiB"


def test_the_seed_and_the_calls_decide_the_stream():
    first, second = (generator("a").random(3) for _ in range(2))
    assert (first != second).all()
    manual_seed(0)
    assert (generator("a").random(3) == first).all()
    manual_seed(1)
    assert (generator("a").random(3) != first).all()
    manual_seed(0)
    assert (generator("b").random(3) != first).all()


def test_how_much_others_draw_does_not_matter():
    generator("a").random(1000)
    second = generator("a").random(3)
    manual_seed(0)
    generator("a")
    assert (generator("a").random(3) == second).all()


def test_the_streams_are_pinned():
    """These numbers must never change, or no seed would mean what it meant before."""
    manual_seed(2026)
    assert generator("init").bit_generator.random_raw(2).tolist() == [18168514767339698141,
                                                                      6939709998295972394]


@pytest.mark.parametrize("seed, error", [
    (float("nan"), TypeError), (1.0, TypeError), ("1", TypeError), (None, TypeError),
    (-1, ValueError)], ids=str)
def test_a_seed_is_a_natural_number(seed, error):
    expected = generator("a").random()
    manual_seed(0)
    with one_line(error, "manual_seed", repr(seed)):
        manual_seed(seed)
    assert generator("a").random() == expected  # the stream goes on as if nothing had been asked


def test_numpy_integers_are_seeds():
    manual_seed(np.int64(7))
    first = generator("a").random()
    manual_seed(7)
    assert generator("a").random() == first
