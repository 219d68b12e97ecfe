"""How long graphs may be and how long they live: no recursion, no cycles, no leaks.

Every test runs with the garbage collector off, so that whatever dies, dies by reference counting.
"""

import gc
import sys
import threading
import weakref

import numpy as np
import pytest

import minigrad as mg
from minigrad import Function, Tensor, grad, nn, optim
from minigrad.graph import no_grad

LENGTH = 100_000


@pytest.fixture(autouse=True)
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def leaf(*values):
    return Tensor(np.array(values), requires_grad=True)


def deaths(*things):
    """A function that says which of `things` are dead."""
    refs = [weakref.ref(thing) for thing in things]
    return lambda: [ref() is None for ref in refs]


# ---- long and wide graphs ------------------------------------------------------------------------

CHAINS = {
    "add": (lambda y: y + 1e-5, 1.0),
    "mul": (lambda y: y * 1.00001, 1.00001**LENGTH),
    "tanh": (mg.tanh, None),
    "square root of a square": (lambda y: mg.sqrt(y * y), 1.0),
}


@pytest.mark.parametrize("step, slope", CHAINS.values(), ids=CHAINS)
def test_a_chain_of_100_000_nodes(step, slope):
    x = leaf(0.5)
    y = x
    for _ in range(LENGTH):
        y = step(y)
    if slope is None:  # d tanh(tanh(...)) by forward accumulation
        slope, v = 1.0, 0.5
        for _ in range(LENGTH):
            v = np.tanh(v)
            slope *= 1 - v * v
    dead = deaths(y, y.node)
    y.backward()
    assert x.grad.item() == pytest.approx(slope, rel=1e-9)
    del y
    assert all(dead())


def test_a_chain_dies_without_a_backward_in_a_small_stack():
    """In a thread with 1 MB of stack: one C frame per node would need ten times that."""
    done = []

    def work():
        y = leaf(0.5)
        for _ in range(LENGTH):
            y = mg.tanh(y)
        dead = deaths(y.node)
        del y
        done.extend(dead())

    before = threading.stack_size(1024 * 1024)
    limit = sys.getrecursionlimit()
    try:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert done == [True] and sys.getrecursionlimit() == limit


def test_second_derivatives_through_a_long_chain():
    x, n = leaf(1.0), 10_000
    y = x
    for _ in range(n):
        y = y * x
    (g,) = grad(y, x, create_graph=True)
    (h,) = grad(g, x)
    assert g.item() == n + 1 and h.item() == n * (n + 1)


def test_100_000_branches_meet():
    x = leaf(1.0)
    y = mg.stack([x * 2] * LENGTH).sum()
    y.backward()
    assert x.grad.item() == 2 * LENGTH
    x.grad = None
    total = x * 0
    for _ in range(LENGTH):
        total = total + x
    total.backward()
    assert x.grad.item() == LENGTH


# ---- a graph dies with its loss ------------------------------------------------------------------

class Nothing(Function):
    """y = x, and the second gradient is never needed."""

    def forward(self, x):
        return x + 0

    def backward(self, gy):
        return gy


def network(x, w):
    """Every way of saving: inputs, outputs, both, constants, views, indices, masks."""
    h = mg.tanh(x @ w) * mg.log(w.sum()) + mg.sin(x)
    h = mg.where(h > 0, h, mg.exp(h)).reshape(-1)[[0, 1, 1]]
    h = mg.concatenate([h, mg.clip(h, 0, 1), mg.relu(h), mg.dropout(h)])
    return mg.logsumexp(Nothing()(h), 0) + mg.amax(h) + (h / (h * h + 1)).mean()


@pytest.fixture
def graph():
    """Leaves, the loss, and a question: is every node and inner Tensor of its graph dead?"""
    x, w = leaf([0.5, 0.7], [0.1, 0.9]), leaf([1.0, 0.2], [0.3, 0.4])
    loss = network(x, w)
    nodes, stack = {loss.node}, [loss.node]
    while stack:
        new = {e for e in stack.pop().parents if isinstance(e, Function)} - nodes
        nodes |= new
        stack += new
    assert len(nodes) > 20
    return x, w, [loss], deaths(loss, *nodes)


def test_after_a_forward(graph):
    *_, loss, dead = graph
    del loss[:]
    assert all(dead())


@pytest.mark.parametrize("retain_graph", [False, True])
def test_after_a_backward(graph, retain_graph):
    x, w, loss, dead = graph
    loss[0].backward(retain_graph=retain_graph)
    assert x.grad is not None and not any(dead())
    del loss[:]
    assert all(dead())


def test_after_a_backward_that_was_recorded(graph):
    """The gradient needs the graph, as in PyTorch: it dies when loss and gradients are gone."""
    x, w, loss, dead = graph
    loss[0].backward(create_graph=True)
    gradient = deaths(x.grad, x.grad.node)
    x.grad = w.grad = None
    del loss[:]
    assert all(dead()) and all(gradient())


def test_after_second_derivatives(graph):
    x, w, loss, dead = graph
    gx, gw = grad(loss[0], [x, w], create_graph=True)
    (gx * gx).sum().backward()
    gradient = deaths(gx, gx.node)
    del loss[:], gx, gw
    assert all(dead()) and all(gradient())


def test_leaves_and_their_gradients_die_too():
    x, w = leaf([0.5, 0.7], [0.1, 0.9]), leaf([1.0, 0.2], [0.3, 0.4])
    loss = network(x, w)
    loss.backward()
    dead = deaths(x, w, x.grad, w.grad)
    del x, w, loss
    assert all(dead())


def test_what_is_detached_does_not_hold_the_graph(graph):
    *_, loss, dead = graph
    value, copy = loss[0].detach(), Tensor(loss[0].numpy(force=True))
    with no_grad():
        view = loss[0].reshape(1)
    del loss[:]
    assert all(dead()), "detach() keeps the graph alive"
    assert value.item() == copy.item() == view.item()


def test_errors_do_not_hold_the_graph(graph):
    x, w, loss, dead = graph
    with no_grad():
        w += 1
    with pytest.raises(RuntimeError):
        loss[0].backward()
    del loss[:]
    gc.collect()  # the traceback of the error was a cycle of pytest's
    assert all(dead())


# ---- training does not leak ----------------------------------------------------------------------

def test_1000_steps_leave_the_number_of_tensors_constant():
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(0.1), nn.Linear(8, 3))
    optimizer = optim.Adam(model.parameters())
    rng = np.random.default_rng(0)
    counts = []
    for step in range(1000):
        x, target = Tensor(rng.normal(size=(8, 4)).astype(np.float32)), rng.integers(0, 3, 8)
        loss = mg.cross_entropy(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 333 == 0:
            counts.append(living(Tensor, Function))
    assert len(counts) == 4 and len(set(counts)) == 1


def living(*classes):
    return sum(issubclass(type(thing), classes) for thing in gc.get_objects())
