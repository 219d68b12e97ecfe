"""Strips and threads change the time and the memory that a pyramid takes, and not one bit of it."""

import tracemalloc

import numpy as np
import pytest

import pyramids.filters
import pyramids.threads
from pyramids import collapse, laplacian_pyramid, pyr_down, pyr_down_T, pyr_up, pyr_up_T
from pyramids.threads import for_each


@pytest.mark.parametrize("border", ["reflect101", "wrap", "replicate"])
def test_results_depend_neither_on_threads_nor_on_strips(monkeypatch, border):
    rng = np.random.default_rng(0)
    images = (rng.integers(0, 256, (200, 151, 3)).astype(np.uint8),
              rng.normal(size=(131, 97, 3)).astype(np.float32))

    def results():
        for x in images:
            options = dict(border=border, axes=(0, 1))
            pyramid = laplacian_pyramid(x, **options)
            yield from [*pyramid, collapse(pyramid)]
        small = pyr_down(x, **options)
        yield from (pyr_up(small, x.shape, **options), pyr_up_T(x, **options),
                    pyr_down_T(small, x.shape, **options))

    monkeypatch.setattr(pyramids.threads, "THREADS", 1)
    monkeypatch.setattr(pyramids.filters, "STRIP", 2**30)
    expected = [result.tobytes() for result in results()]
    for threads, strip in ((1, 2**9), (2, 2**9), (3, 2**11), (5, 2**13)):
        monkeypatch.setattr(pyramids.threads, "THREADS", threads)
        monkeypatch.setattr(pyramids.filters, "STRIP", strip)
        assert [result.tobytes() for result in results()] == expected


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_for_each_does_everything_once_and_passes_errors_on(monkeypatch, threads):
    monkeypatch.setattr(pyramids.threads, "THREADS", threads)
    done = []
    for_each(done.append, range(10))
    assert sorted(done) == list(range(10))
    for_each(done.append, [])
    for bad in range(4):
        with pytest.raises(ZeroDivisionError):
            for_each(lambda item: 1 / (item - bad), range(4))


def test_threads_inherit_the_callers_error_state(monkeypatch):
    monkeypatch.setattr(pyramids.threads, "THREADS", 3)
    with np.errstate(over="raise"):
        with pytest.raises(FloatingPointError):
            for_each(lambda k: np.float32(3e38) * np.float32(k), [0, 1, 2])
    with np.errstate(over="ignore"):
        for_each(lambda k: np.float32(3e38) * np.float32(k), [0, 1, 2])


@pytest.mark.parametrize("dtype, shape", [("uint8", (1024, 1024, 3)), ("float32", (1024, 1024))])
def test_memory_beyond_the_results_is_at_most_twice_level_0(dtype, shape):
    x = np.random.default_rng(1).integers(0, 256, shape).astype(dtype)

    def extra(function, *args, **options):
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        result = function(*args, **options)
        after, peak = tracemalloc.get_traced_memory()
        assert after - before >= x.nbytes  # the results are counted, and then taken off
        return result, peak - after

    tracemalloc.start()
    try:
        pyramid, building = extra(laplacian_pyramid, x, 6, axes=(0, 1))
        _, collapsing = extra(collapse, pyramid)
    finally:
        tracemalloc.stop()
    assert max(building, collapsing) <= 2 * x.nbytes
