"""Optimizers: PyTorch's numbers, step by step; what has no gradient is left alone; bad options."""

import copy
import json
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad import Tensor, nn, optim
from tests.fixtures.compare import minigrad_api, torch_api
from tests.fixtures.descents import DESCENTS, descend
from tests.one_line import one_line
from tests.places import FIXTURES

FROZEN = json.loads((FIXTURES / "optim.json").read_text())
TOLERANCE = {"float32": 2e-6, "float64": 1e-12}


def leaf(value=1.0):
    return Tensor(np.array(value), requires_grad=True)


def give_gradient(p, value=1.0):
    p.grad = Tensor(np.full(p.shape, value))


# ---- PyTorch's numbers ---------------------------------------------------------------------------

@pytest.mark.parametrize("options, expected", [
    ({}, [0.9, 0.8, 0.7]), ({"momentum": 0.9}, [0.9, 0.71, 0.439]),
    ({"momentum": 0.9, "dampening": 0.5}, [0.9, 0.76, 0.584]),
    ({"momentum": 0.9, "nesterov": True}, [0.81, 0.539, 0.1951]),
    ({"momentum": 0.9, "weight_decay": 0.1}, [0.89, 0.6821, 0.388169])], ids=str)
def test_sgd_has_the_golden_numbers(options, expected):
    p = leaf()
    optimizer = optim.SGD([p], lr=0.1, **options)
    for value in expected:
        give_gradient(p)
        optimizer.step()
        assert p.item() == pytest.approx(value, rel=1e-15)


def test_adams_first_steps_by_hand():
    """With a constant gradient g, m^ = g and v^ = g^2: every step is lr g / (|g| + eps)."""
    p = leaf(1.0)
    optimizer = optim.Adam([p], lr=0.1, eps=0.5)
    for t in range(1, 6):
        give_gradient(p, 2.0)
        optimizer.step()
        assert p.item() == pytest.approx(1 - t * 0.1 * 2 / 2.5, rel=1e-14)


def test_the_defaults_are_torchs():
    assert optim.SGD([leaf()]).defaults == {
        "lr": 1e-3, "momentum": 0, "dampening": 0, "weight_decay": 0, "nesterov": False,
        "maximize": False}
    for kind, decay in (optim.Adam, 0), (optim.AdamW, 1e-2):
        assert kind([leaf()]).defaults == {
            "lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": decay,
            "amsgrad": False, "maximize": False, "decoupled_weight_decay": kind is optim.AdamW}


@pytest.fixture(scope="module")
def torch():
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    return torch


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", DESCENTS)
def test_20_steps_as_torch(torch, name, dtype):
    mine = descend(name, optim, minigrad_api(), dtype)
    theirs = descend(name, torch.optim, torch_api(torch), dtype)
    for a, b in zip(mine, theirs):
        assert a.dtype == b.dtype == dtype
        np.testing.assert_allclose(a, b, TOLERANCE[dtype], TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", DESCENTS)
def test_20_steps_as_frozen(name, dtype):
    for a, b in zip(descend(name, optim, minigrad_api(), dtype), FROZEN[name], strict=True):
        np.testing.assert_allclose(a, b, TOLERANCE[dtype], TOLERANCE[dtype])


def test_the_frozen_descents_are_these():
    assert list(FROZEN) == list(DESCENTS) and len(DESCENTS) == 26


# ---- what a step does and does not do ------------------------------------------------------------

KINDS = [lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9, weight_decay=0.1),
         lambda ps: optim.Adam(ps, lr=0.1, weight_decay=0.1),
         lambda ps: optim.AdamW(ps, lr=0.1, weight_decay=0.1),
         lambda ps: optim.RMSprop(ps, lr=0.01, weight_decay=0.1, momentum=0.9, centered=True),
         lambda ps: optim.Adagrad(ps, lr=0.5, lr_decay=0.01, weight_decay=0.1),
         lambda ps: optim.Adadelta(ps, lr=30.0, weight_decay=0.1)]
NAMES = ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta"]
every_kind = pytest.mark.parametrize("build", KINDS, ids=NAMES)


@every_kind
def test_a_parameter_without_gradient_is_not_touched(build):
    p, q = leaf(), leaf(2.0)
    optimizer = build([p, q])
    give_gradient(p)
    optimizer.step()
    assert q.item() == 2 and q not in optimizer.state and p.item() != 1
    before, state = p.item(), str(optimizer.state[p])
    optimizer.zero_grad()
    assert p.grad is None
    optimizer.step()
    assert p.item() == before and str(optimizer.state[p]) == state


@every_kind
def test_a_step_is_in_place_and_spares_the_gradient(build):
    p = Tensor(np.ones((2, 3), np.float32), requires_grad=True)
    memory, optimizer = p.data, build(iter([p]))
    for _ in range(3):
        give_gradient(p)
        gradient = p.grad.data
        optimizer.step()
        assert p.data is memory and p.dtype == np.float32 and p.is_leaf
        assert (gradient == 1).all()


@every_kind
def test_training_lowers_the_loss(build):
    layer = nn.Linear(3, 1)
    x = Tensor(np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32))
    optimizer, losses = build(layer.parameters()), []
    for _ in range(50):
        loss = ((layer(x) - x.sum(1, keepdim=True)) ** 2).mean()
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < losses[0] / 10


# ---- groups --------------------------------------------------------------------------------------

positive, share = st.floats(1e-4, 1), st.floats(0, 0.99)
OPTIONS = {
    "SGD": st.fixed_dictionaries({}, optional={
        "lr": positive, "momentum": share, "dampening": share, "weight_decay": share}),
    "Adam": st.fixed_dictionaries({}, optional={
        "lr": positive, "betas": st.tuples(share, share), "eps": positive, "weight_decay": share})}
OPTIONS["AdamW"] = OPTIONS["Adam"]


@given(data=st.data(), kind=st.sampled_from(sorted(OPTIONS)))
def test_groups_take_the_steps_of_torch(torch, data, kind):
    """Drawn options for all, for each of three groups, one of them late; changed on the way."""
    defaults, *options, changes = (data.draw(OPTIONS[kind], label=f"options {i}") for i in range(5))
    starts = np.random.default_rng(data.draw(st.integers(0, 9))).normal(size=(3, 2, 2))
    mine = [[Tensor(a.copy(), requires_grad=True) for a in pair] for pair in starts]
    theirs = [[torch.tensor(a, requires_grad=True) for a in pair] for pair in starts]
    optimizers = []
    for library, pairs in (optim, mine), (torch.optim, theirs):
        groups = [{"params": pair, **own} for pair, own in zip(pairs, options)]
        optimizer = getattr(library, kind)(groups[:2], **defaults)
        optimizers.append(optimizer)
        for step in range(6):
            if step == 2:
                optimizer.add_param_group(groups[2])
            if step == 4:
                optimizer.param_groups[0].update(changes)
            optimizer.zero_grad()
            for p in [p for pair in pairs for p in pair]:
                ((p * p * p).sum() / 3).backward()
            optimizer.step()
    for p, q in zip(sum(mine, []), sum(theirs, [])):
        np.testing.assert_allclose(p.numpy(force=True), q.detach().numpy(), 1e-12, 1e-12)


@every_kind
def test_any_size_and_layout_in_memory_gives_the_same_numbers(build, monkeypatch):
    """The pieces that large parameters are updated in must cover each element once."""
    rng = np.random.default_rng(0)
    a, g = rng.normal(size=(2, 4, 3, 5, 2))
    layouts = [lambda x: x.copy(), lambda x: x.transpose(3, 1, 0, 2).copy().transpose(2, 1, 3, 0),
               lambda x: np.repeat(x, 2, axis=2)[:, :, ::2], lambda x: x[::-1].copy()[::-1]]
    expected = None
    for block, of_p, of_g in product((1000, 7), layouts, layouts):
        monkeypatch.setattr("minigrad.kernels.optim.cpu.BLOCK", block)
        p = Tensor(of_p(a), requires_grad=True)
        optimizer = build([p])
        for _ in range(3):
            p.grad = Tensor(of_g(g))
            optimizer.step()
        expected = p.data if expected is None else expected
        assert np.array_equal(p.data, expected)


def test_a_group_keeps_what_it_says_and_takes_the_rest_from_the_defaults():
    p, q, r = leaf(1.0), leaf(1.0), leaf(1.0)
    optimizer = optim.SGD([{"params": p}, {"params": [q], "lr": 0.5}], lr=0.1, momentum=0.9)
    optimizer.add_param_group({"params": iter([r]), "momentum": 0.0})
    for x in (p, q, r):
        give_gradient(x)
    optimizer.step()
    assert [p.item(), q.item(), r.item()] == [0.9, 0.5, 0.9]
    assert [(g["lr"], g["momentum"]) for g in optimizer.param_groups] == [
        (0.1, 0.9), (0.5, 0.9), (0.1, 0.0)]


@pytest.mark.parametrize("group, error, words", [
    (lambda p, q: [q], TypeError, ["group 1", "list", "dict"]),
    (lambda p, q: {"lr": 1.0}, ValueError, ["group 1", "'params'"]),
    (lambda p, q: {"params": q, "speed": 1, "mood": 2}, ValueError, ["group 1", "mood, speed"]),
    (lambda p, q: {"params": []}, ValueError, ["no parameters", "group 1"]),
    (lambda p, q: {"params": [q, 3]}, TypeError, ["parameter 1 of group 1", "int"]),
    (lambda p, q: {"params": [q * 2]}, ValueError, ["parameter 0 of group 1", "leaf"]),
    (lambda p, q: {"params": [q, p]}, ValueError, ["parameter 1 of group 1", "twice"]),
    (lambda p, q: {"params": q, "lr": -0.5}, ValueError, ["SGD", "lr", "-0.5"]),
    (lambda p, q: {"params": q, "nesterov": True}, ValueError, ["nesterov", "momentum"])])
def test_a_bad_group_is_named_and_not_added(group, error, words):
    p, q = leaf(), leaf()
    optimizer = optim.SGD([p])
    with one_line(error, *words):
        optimizer.add_param_group(group(p, q))
    assert len(optimizer.param_groups) == 1


# ---- state ---------------------------------------------------------------------------------------

def trained(build, arrays, steps, state=None):
    """(optimizer, parameters) in two groups after that many steps, the first from `state`."""
    params = [Tensor(a.copy(), requires_grad=True) for a in arrays]
    optimizer = build([{"params": params[:1]}, {"params": params[1:], "lr": 0.02}])
    if state is not None:
        optimizer.load_state_dict(state)
    for _ in range(steps):
        for p in params[:-1]:       # the last has no gradient, and so no state
            p.grad = Tensor(p.data**3)
        optimizer.step()
    return optimizer, params


START = [np.random.default_rng(i).normal(size=shape).astype(np.float32)
         for i, shape in enumerate([(2, 3), (4,), (), (2,)])]


@every_kind
def test_stopping_and_resuming_gives_the_same_bits(build):
    _, through = trained(build, START, 8)
    optimizer, halfway = trained(build, START, 5)
    saved = copy.deepcopy(optimizer.state_dict())
    optimizer, resumed = trained(build, [p.data for p in halfway], 3, saved)
    for p, q in zip(resumed, through):
        assert p.data.tobytes() == q.data.tobytes()
    again = optimizer.state_dict()
    assert again["param_groups"] == saved["param_groups"] and again["state"].keys() == {0, 1, 2}
    assert not np.array_equal(*(sorted(s["state"][1].items())[0][1] for s in (again, saved)))


@every_kind
def test_options_survive_json(build):
    optimizer, _ = trained(build, START, 1)
    saved = optimizer.state_dict()
    groups = json.loads(json.dumps(saved["param_groups"]))
    other, _ = trained(build, START, 0)
    other.param_groups[0]["lr"] = 7.0
    other.load_state_dict({"state": saved["state"], "param_groups": groups})
    assert other.state_dict()["param_groups"] == saved["param_groups"]


@pytest.mark.parametrize("kind", ["SGD", "Adam", "AdamW"])
def test_training_goes_on_from_torchs_state_and_torchs_from_ours(torch, kind):
    options = {"lr": 0.05, "weight_decay": 0.1} | ({"momentum": 0.9} if kind == "SGD" else {})
    start = [a.astype(np.float64) for a in START]

    def run(tensors, optimizer, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            for p in tensors:
                (p * p * p).sum().backward()
            optimizer.step()

    def ours(arrays):
        tensors = [Tensor(a.copy(), requires_grad=True) for a in arrays]
        return tensors, getattr(optim, kind)(tensors, **options)

    def theirs(arrays):
        tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
        return tensors, getattr(torch.optim, kind)(tensors, **options)

    def convert(state, make):
        return {**state, "state": {i: {name: make(value) for name, value in entries.items()}
                                   for i, entries in state["state"].items()}}

    expected, optimizer = theirs(start)
    run(expected, optimizer, 6)
    for first, second, make in ((theirs, ours, lambda x: x.detach().numpy()),
                                (ours, theirs, torch.as_tensor)):
        tensors, optimizer = first(start)
        run(tensors, optimizer, 3)
        state = copy.deepcopy(convert(optimizer.state_dict(), make))
        tensors, other = second([p.detach().numpy() for p in tensors])
        if second is theirs:
            for group, own in zip(state["param_groups"], other.state_dict()["param_groups"]):
                group.update({k: v for k, v in own.items() if k not in group})
        other.load_state_dict(state)
        run(tensors, other, 3)
        for p, q in zip(tensors, expected):
            np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), 1e-12, 1e-12)


@pytest.mark.parametrize("damage, words", [
    (lambda s: s["param_groups"].pop(), ["[1]", "[1, 3]"]),
    (lambda s: s["param_groups"][1]["params"].pop(), ["[1, 2]", "[1, 3]"]),
    (lambda s: s["param_groups"][1].pop("momentum"), ["group 1 lacks momentum"]),
    (lambda s: s["param_groups"][0].update(amsgrad=True), ["group 0 asks for amsgrad"]),
    (lambda s: s["state"].update({9: {}}), ["parameter 9", "no group"]),
    (lambda s: s["state"][1].update(momentum_buffer=np.zeros(5)),
     ["momentum_buffer of parameter 1", "(5,)", "(4,)"])])
def test_a_state_that_does_not_fit_is_described_and_not_loaded(damage, words):
    optimizer, _ = trained(KINDS[0], START, 2)
    saved = copy.deepcopy(optimizer.state_dict())
    damage(saved)
    saved["param_groups"][0]["lr"] = 77
    with one_line(ValueError, "SGD", *words):
        optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert optimizer.state_dict()["state"][1]["momentum_buffer"].any()


def test_every_difference_is_listed():
    optimizer, _ = trained(KINDS[0], START, 2)
    saved = copy.deepcopy(optimizer.state_dict())
    del saved["param_groups"][0]["lr"], saved["param_groups"][1]["nesterov"]
    saved["state"][0]["momentum_buffer"] = np.zeros(3)
    with one_line(ValueError, "group 0 lacks lr", "group 1 lacks nesterov", "parameter 0", "(3,)"):
        optimizer.load_state_dict(saved)
