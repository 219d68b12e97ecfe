"""Batches sent ahead to the GPU: the same ones, in order, and nothing left behind."""

import inspect
import itertools
import threading

import numpy as np
import pytest

from minigrad.train import evaluate, prefetch
from minigrad.train.prefetch import sent_ahead
from tests.gpu import fake_streams
from tests.gpu.cuda_devices import DEVICES, host
from tests.gpu.fake_streams import StreamError
from tests.train.training_run import StopAt, objects, train

on_both = pytest.mark.parametrize("xp", DEVICES, indirect=True)
on_stand_in = pytest.mark.parametrize("xp", ["stand-in"], indirect=True)


def batches(count):
    """(place, x, y); every third batch is smaller."""
    for place in range(count):
        n = 2 if place % 3 == 2 else 5
        yield place, np.full((n, 3, 2), place, np.float32), np.arange(n) + place


def nothing_is_left():
    names = [thread.name for thread in threading.enumerate()]
    return not fake_streams.under_way and not any(name.startswith("prefetch") for name in names)


@on_both
@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_the_batches_arrive_as_they_are(xp, count):
    got = list(sent_ahead(batches(count)))
    for (place, x, y), (want, a, b) in itertools.zip_longest(got, batches(count)):
        assert place == want and (x.dtype, y.dtype) == (a.dtype, b.dtype)
        assert np.array_equal(host(x), a) and np.array_equal(host(y), b)
    assert nothing_is_left()


@on_both
def test_one_batch_more_is_under_way(xp):
    taken = []
    source = (taken.append(batch[0]) or batch for batch in batches(4))
    with_taken = [(place, list(taken)) for place, *_ in sent_ahead(source)]
    assert with_taken == [(0, [0, 1]), (1, [0, 1, 2]), (2, [0, 1, 2, 3]), (3, [0, 1, 2, 3])]


@on_both
def test_an_error_comes_in_its_turn(xp):
    def failing():
        yield from batches(3)
        raise OSError("no more")

    got = []
    with pytest.raises(OSError, match="no more"):
        got.extend(place for place, *_ in sent_ahead(failing()))
    assert got == [0, 1, 2] and nothing_is_left()


@on_both
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, GeneratorExit])
@pytest.mark.parametrize("after", range(3))
def test_whatever_ends_it_leaves_nothing_behind(xp, error, after):
    ahead = sent_ahead(batches(5))
    for _ in range(after):
        next(ahead)
    with pytest.raises(error):
        ahead.throw(error)
    assert nothing_is_left()


@on_stand_in
def test_an_interrupt_while_fetching_leaves_nothing_behind(xp):
    def interrupted():
        yield from batches(2)
        raise KeyboardInterrupt

    ahead = sent_ahead(interrupted())
    assert next(ahead)[0] == 0
    with pytest.raises(KeyboardInterrupt):
        next(ahead)
    assert nothing_is_left()


@on_stand_in
def test_memory_that_is_not_there_is_one_clear_error(xp, monkeypatch):
    def full(shape, dtype=float):
        raise xp.cuda.memory.OutOfMemoryError("Out of memory allocating 512 bytes.")
    monkeypatch.setattr(xp, "empty", full)
    with pytest.raises(MemoryError, match="a batch on its way to the GPU: Out of memory allocating "
                                          "512 bytes; GPU memory: .*; use a smaller batch"):
        next(sent_ahead(batches(1)))
    assert nothing_is_left()


MISTAKES = {  # what is wrong: (what is right, what stands there instead, what is noticed)
    "the compute stream does not wait": (
        "cuda.get_current_stream().wait_event(self.sent)", "pass", "before the compute stream"),
    "the copy stream does not wait": (
        "self.stream.wait_event(cuda.get_current_stream().record())", "pass", "gave out"),
    "pinned memory is written too early": ("self.sent.synchronize()", "pass",
                                           "again before|was written before"),
    "memory is not pinned": ("cupyx.empty_pinned(", "__import__('numpy').empty(", "not pinned"),
    "the event is never recorded": (
        "self.sent.record(self.stream)", "pass", "before the compute stream"),
    "one parcel for two batches": (
        "[_Parcel(cupy, stream), _Parcel(cupy, stream)]", "[_Parcel(cupy, stream)]", "")}


@on_stand_in
@pytest.mark.parametrize("right, wrong, words", MISTAKES.values(), ids=MISTAKES)
def test_a_planted_mistake_is_caught(xp, right, wrong, words):
    source, names = inspect.getsource(prefetch), {}
    assert source.count(right) == 1
    exec(source.replace(right, wrong), names)
    try:
        if words:
            with pytest.raises(StreamError, match=words):
                [host(x) for _, x, _ in names["sent_ahead"](batches(7))]
        else:  # right, but no batch is under way while another one is
            assert [place for place, *_ in names["sent_ahead"](batches(3))] == [0, 1, 2]
    finally:
        fake_streams.under_way.clear()


# ---- in the training loop ------------------------------------------------------------------------

def on_gpu():
    model, *rest = objects()
    return model.to("cuda"), *rest


@on_both
@pytest.mark.parametrize("settings", [{}, {"accumulate": 2}], ids=["", "accumulate"])
def test_a_training_that_was_stopped_goes_on_to_the_same_bits(xp, tmp_path, settings):
    whole = train(tmp_path / "whole", epochs=2, make=on_gpu, **settings)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "parts", [StopAt(2)], epochs=2, make=on_gpu, **settings)
    assert nothing_is_left()
    assert train(tmp_path / "parts", epochs=2, make=on_gpu, **settings) == whole
    assert nothing_is_left()


@on_both
def test_an_evaluation_has_the_cpus_figures_and_places(xp):
    model, loader, _, _ = objects()
    seen = []
    want = evaluate(model, loader, each=lambda done, _: seen.append(done))
    got = evaluate(model.to("cuda"), loader, each=lambda done, _: seen.append(done))
    assert got["accuracy"] == want["accuracy"] and got["loss"] == pytest.approx(want["loss"], 1e-5)
    assert seen == [1, 2, 3, 4, 5, 6] * 2 and (loader.epoch, loader.position) == (0, 0)
