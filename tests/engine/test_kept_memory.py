"""Memory of large arrays: used again once nobody holds it, and never before."""

import gc
import os
import threading

import numpy as np
import pytest

import minigrad as mg
from minigrad import Function, Tensor, memory
from minigrad.memory import add_to, only, uninitialised, uninitialised_like

SHAPE = (1000, 700)


@pytest.fixture(autouse=True)
def pool(monkeypatch):
    """A pool of its own for each test."""
    own = memory._Pool()
    monkeypatch.setattr(memory, "_pool", own)
    return own


def place(x):
    return x.__array_interface__["data"][0]


@pytest.mark.parametrize("view", [
    lambda x: x, lambda x: x[500:], lambda x: x.T, lambda x: x.view(np.int32)[::2], memoryview,
    lambda x: [x[0, 1:2]], lambda x: np.broadcast_to(x[0], (3, 700)), np.asarray, Tensor,
    lambda x: Tensor(x).numpy()])
def test_memory_that_is_held_in_any_way_is_left_alone(view):
    x = uninitialised(SHAPE, np.float32)
    first, held = place(x), view(x)
    del x
    assert place(uninitialised(SHAPE, np.float32)) != first
    del held
    gc.collect()
    assert first in [place(y) for y in [uninitialised(SHAPE, np.float32) for _ in range(2)]]


def test_arrays_that_live_at_once_share_nothing():
    some = [uninitialised((50 + k, 5000), np.float32) for k in range(20)]
    for k, x in enumerate(some):
        x[...] = k
    for k, x in enumerate(some):
        assert x.shape == (50 + k, 5000) and (x == k).all()


def test_small_arrays_are_numpy_s_own():
    x = uninitialised((10, 10), np.float64)
    assert x.base is None and x.shape == (10, 10) and x.dtype == np.float64


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.complex128, bool])
def test_any_dtype_and_order(dtype):
    x = np.empty((4, 300, 20, 60), dtype).transpose(0, 3, 1, 2)
    for like in (x, x[:1], np.empty_like(x, np.uint8)):
        y = uninitialised_like(like, dtype)
        assert (y.shape, y.dtype, y.strides) == (like.shape, dtype, np.empty_like(
            like, dtype).strides)


def test_only_what_nobody_else_holds_is_only():
    holder = {"own": np.ones(3), "view": np.ones(9).reshape(3, 3),
              "large": uninitialised(SHAPE, "f"), "part": uninitialised(SHAPE, "f")[3:]}
    assert all(only(holder, key) for key in holder)
    others = (holder["own"], holder["view"].base, holder["large"][5], holder["part"].base)
    assert not any(only(holder, key) for key in holder)
    del others
    assert all(only(holder, key) for key in holder)
    for x in (np.broadcast_to(np.ones(3), (2, 3)), np.float64(3), 3, Tensor([1.0])):
        assert not only([x], 0)
    x = np.ones(3)
    x.flags.writeable = False
    holder["own"] = x
    del x
    assert not only(holder, "own")


def test_memory_of_something_else_and_small_parts_are_not_only():
    """NumPy's `base` of a view of a buffer is the array beside the buffer, not the buffer."""
    buffer = bytearray(8000)
    for x in (np.frombuffer(buffer).reshape(10, 100), np.frombuffer(buffer)[1:], np.ones(9)[::3],
              np.ones((9, 9))[:, :2], uninitialised(SHAPE, "f")[:100]):
        holder = [x]
        del x
        assert not only(holder, 0)


def test_a_gradient_that_is_somebody_s_buffer_is_left_alone():
    buffer = np.full(SHAPE, 5, np.float32)
    given = np.frombuffer(memoryview(buffer).cast("B"), np.float32)

    class Constant(Function):
        def forward(self, x):
            return x.copy()

        def backward(self, gy):
            return given.reshape(SHAPE)

    x = Tensor(np.ones(SHAPE, np.float32), requires_grad=True)
    mg.add(mg.add(Constant()(x), Constant()(x)), Constant()(x)).backward(np.ones(SHAPE, "f"))
    assert (x.grad.data == 15).all() and (buffer == 5).all()
    assert not np.shares_memory(x.grad.data, buffer)


def test_a_lock_that_is_held_is_not_waited_for(pool):
    """As in a process forked meanwhile, or where the garbage collector came in between."""
    with pool.lock:
        x = uninitialised(SHAPE, np.float32)
    assert x.shape == SHAPE and not pool.runs


def test_idle_memory_is_given_back_before_there_is_too_little(pool, monkeypatch):
    place(uninitialised(SHAPE, np.float32))
    tries, get = [], memory._from_system

    def scarce(size):
        tries.append(size)
        if any(pool.runs.values()):
            raise MemoryError
        return get(size)

    monkeypatch.setattr(memory, "_from_system", scarce)
    assert uninitialised((3000, 3000), np.float32).shape == (3000, 3000) and len(tries) == 2


def test_sums_are_written_in_place_only_where_nobody_looks():
    x, ones = uninitialised(SHAPE, np.float32), np.ones(SHAPE, np.float32)
    x[...] = 2
    holder = [x]
    assert not add_to(holder, 0, ones) and x[0, 0] == 2
    first = place(x)
    del x
    assert add_to(holder, 0, ones) and holder[0][0, 0] == 3 and place(holder[0]) == first
    for other in (ones.astype(float), ones[:5], np.ones((1000, 1), "f"), np.float32(1)):
        assert not add_to(holder, 0, other)


def test_no_more_than_so_much_is_kept_idle(pool):
    """Of many sizes, one after another, not every one is kept."""
    for k in range(40):
        uninitialised((4 + k, 2**20), np.uint8)
    total = sum(size * len(runs) for size, runs in pool.runs.items())
    assert total <= memory.IDLE_BYTES + 50 * 2**20


def test_threads_never_get_the_same_memory():
    wrong = []

    def work(number):
        for _ in range(200):
            x = uninitialised((600_000,), np.uint8)
            x[::5000] = number
            if (x[::5000] != number).any():
                wrong.append(number)

    workers = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_writes_to_its_own():
    x = uninitialised(SHAPE, np.float32)
    x[...] = 1
    child = os.fork()
    if not child:
        x[...] = 2
        os._exit(int(x[0, 0]))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
    assert (x == 1).all()


def test_what_does_not_fit_is_a_memory_error():
    with pytest.raises(MemoryError, match="allocate"):
        uninitialised((2**62,), np.uint8)


def test_gradients_share_no_memory_with_anything():
    """Where a gradient flows to two leaves, back from a view, or was given, it is copied."""
    a, b = (Tensor(np.ones(SHAPE, np.float32), requires_grad=True) for _ in range(2))
    given = np.full(SHAPE, 2, np.float32)
    y = a + b + a.reshape(700, 1000).reshape(*SHAPE)
    y.backward(given)
    for x, other in ((a, b), (a, given), (b, given)):
        x = x.grad.data
        assert not np.shares_memory(x, other if other is given else other.grad.data)
    assert (a.grad.data == 4).all() and (b.grad.data == 2).all() and (given == 2).all()


def test_a_sum_of_gradients_is_that_of_every_order_and_leaves_hooks_their_own():
    seen = []
    x = Tensor(np.ones(SHAPE, np.float32), requires_grad=True)
    y = mg.relu(x)
    y.register_hook(lambda g: seen.append(g.numpy()))
    z = y * 2
    (z + y * 3 + y).backward(np.ones(SHAPE, np.float32))
    assert (seen[0] == 6).all() and (x.grad.data == 6).all()
    x.grad.data[...] = 0
    assert (seen[0] == 6).all()
