"""Net 2 for what is summed over many arrays, or to places that an index names; see
test_cuda_kernels.py."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
import pyramids
from minigrad import optim
from minigrad.backend import device_of
from minigrad.kernels.index import cpu as index
from minigrad.kernels.optim import gpu as optim_gpu
from minigrad.train import guard
from tests.gpu.cuda_devices import DEVICES, every_order, host
from tests.gpu.test_cuda_kernels import TOLERANCE, Numbers, any_width, same, seeds, wide

on_both = pytest.mark.parametrize("xp", DEVICES, indirect=True)
dtypes = pytest.mark.parametrize("dtype", TOLERANCE)
shapes = st.lists(st.integers(0, 17), max_size=3).map(tuple)
orders = st.sampled_from([1.0, 1.5, 2.0, 3.0, math.inf])


def parameters(arrays, to=lambda a: a):
    """Parameters with these gradients."""
    params = [mg.Tensor(to(np.zeros_like(a)), requires_grad=True) for a in arrays]
    for p, a in zip(params, arrays):
        p.grad = mg.Tensor(to(a))
    return params


@on_both
@dtypes
@given(st.lists(shapes, min_size=1, max_size=4), seeds, orders, st.floats(0.1, 10),
       st.sampled_from([None, np.nan, np.inf]))
def test_the_norm_of_all_gradients_and_their_clipping(xp, dtype, many, seed, order, limit, bad):
    draw = Numbers(seed, dtype)
    arrays = [draw(*shape).copy(order="K") for shape in many]
    if bad is not None and arrays[0].size:
        arrays[0].flat[-1] = bad
    ours, theirs = parameters(arrays, xp.asarray), parameters(wide(*arrays))
    with every_order(), np.errstate(invalid="ignore"):
        norm = optim_gpu.norms([p.grad.data for p in ours], order)[0]
    with np.errstate(invalid="ignore"):  # in one order: it changes its inputs
        assert norm == pytest.approx(optim.clip_grad_norm_(ours, limit, order), 1e-15, nan_ok=True)
        want = optim.clip_grad_norm_(theirs, limit, order)
    count = sum(a.size for a in arrays)
    assert norm == pytest.approx(want, float(TOLERANCE[dtype]) * math.sqrt(count or 1),
                                 nan_ok=True)
    for mine, exact in zip(ours, theirs):
        same(mine.grad.data, exact.grad.data, count)


@on_both
@dtypes
def test_a_gradient_longer_than_a_block_takes(xp, dtype):
    """Several blocks of one gradient, more than there are threads to join them."""
    x = Numbers(0, dtype)(optim_gpu.CHUNK * 257 + 3)
    for order in (1, 2, math.inf):
        want = np.linalg.norm(*wide(x), order)
        assert optim_gpu.norms([xp.asarray(x)], order)[0] == pytest.approx(want, 1e-5)


@on_both
def test_two_dtypes_and_two_devices_have_one_norm(xp):
    single, double = np.array([3.0], np.float32), np.array([[4.0]])
    params = [*parameters([single, double], xp.asarray), *parameters([np.array([12.0])])]
    assert optim.clip_grad_norm_(params, 6.5) == 13
    assert [float(p.grad.data.reshape(-1)[0]) for p in params] == pytest.approx([1.5, 2, 6])
    assert guard.squared_norm(params) == pytest.approx(169 / 4)


@on_both
@pytest.mark.parametrize("bad, finite", [(np.nan, False), (np.inf, False), (3e38, True)])
def test_the_guard_tells_what_is_not_finite_from_what_overflows(xp, bad, finite):
    params = parameters([np.ones(3, np.float32), np.array([bad, 1], np.float32)], xp.asarray)
    assert math.isfinite(guard.squared_norm(params)) == finite


@pytest.mark.parametrize("xp", ["stand-in"], indirect=True)
@pytest.mark.parametrize("of", [lambda ps: optim.clip_grad_norm_(ps, 1), guard.squared_norm],
                         ids=["clip_grad_norm_", "squared_norm"])
def test_the_host_waits_once(xp, monkeypatch, of):
    params, waits, get = parameters([np.ones(5)] * 7, xp.asarray), [], xp.ndarray.get
    monkeypatch.setattr(xp.ndarray, "get", lambda self: waits.append(self.size) or get(self))
    for name in ("item", "__float__", "__bool__", "__int__"):
        monkeypatch.setattr(xp.ndarray, name, lambda self: pytest.fail("another wait"))
    of(params)
    assert len(waits) == 1


# ---- by index ------------------------------------------------------------------------------------

@st.composite
def places(draw):
    """A shape, and an index of integers that repeat, of booleans, or of both with slices."""
    shape = draw(st.lists(st.integers(1, 5), min_size=2, max_size=3).map(tuple))
    rng = np.random.default_rng(draw(seeds))
    some = rng.integers(-shape[0], shape[0], draw(st.sampled_from([(0,), (1,), (9,), (3, 4)])))
    mask = rng.random(shape[:draw(st.integers(1, len(shape)))]) < 0.5
    return shape, draw(st.sampled_from([
        some, mask, (some, slice(None, None, 2)), (slice(1, None), some % shape[1]),
        (some, some % shape[1]), (None, some), (..., some % shape[-1])]))


@on_both
@dtypes
@given(places(), seeds, st.booleans())
def test_adding_by_index_is_numpys_to_the_bit(xp, dtype, case, seed, long):
    (shape, at), draw = case, Numbers(seed, dtype)
    x = draw(*np.zeros(shape)[at].shape)
    there = tuple(xp.asarray(a) if isinstance(a, np.ndarray) else a for a in at) \
        if isinstance(at, tuple) else xp.asarray(at)
    with any_width(long):
        y = index.add_at(xp.asarray(x), there, shape)
    assert device_of(y) == "cuda" and np.array_equal(host(y), index.add_at(x, at, shape))


ATOMIC = re.compile(r"(?<!np)\.add\.at\(|\batomic[A-Z]|scatter_(add|max|min)\(|bincount\(.*weights")


def test_no_float_is_added_atomically():
    """CuPy's `add.at`, `scatter_add` and weighted `bincount` are atomic: their sums vary."""
    files = [path for package in (mg, pyramids)
             for path in Path(package.__file__).parent.rglob("*.*")
             if path.suffix in (".py", ".cu", ".cuh")]
    found = [f"{path.name}: {line}" for path in files for line in path.read_text().splitlines()
             if ATOMIC.search(line) and not line.startswith("def ")]
    assert len(files) > 100 and not found
    assert ATOMIC.search("xp.add.at(y, i, x)") and ATOMIC.search("atomicAdd(p, x)")
