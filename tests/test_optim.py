"""Optimizers: PyTorch's numbers, step by step; what has no gradient is left alone; bad options."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from minigrad import Tensor, nn, optim
from tests.fixtures.compare import minigrad_api, torch_api
from tests.fixtures.descents import DESCENTS, descend
from tests.one_line import one_line

FROZEN = json.loads((Path(__file__).parent / "fixtures" / "optim.json").read_text())
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
    sgd, adam = optim.SGD([leaf()]), optim.Adam([leaf()])
    assert (sgd.lr, sgd.momentum, sgd.dampening, sgd.weight_decay, sgd.nesterov) == (
        1e-3, 0, 0, 0, False)
    assert (adam.lr, adam.betas, adam.eps, adam.weight_decay) == (1e-3, (0.9, 0.999), 1e-8, 0)


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
    assert list(FROZEN) == list(DESCENTS) and len(DESCENTS) == 18


# ---- what a step does and does not do ------------------------------------------------------------

KINDS = [lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9, weight_decay=0.1),
         lambda ps: optim.Adam(ps, lr=0.1, weight_decay=0.1)]


@pytest.mark.parametrize("build", KINDS, ids=["SGD", "Adam"])
def test_a_parameter_without_gradient_is_not_touched(build):
    p, q = leaf(), leaf(2.0)
    optimizer = build([p, q])
    give_gradient(p)
    optimizer.step()
    assert q.item() == 2 and optimizer.state[1] == {} and p.item() != 1
    before, state = p.item(), str(optimizer.state[0])
    optimizer.zero_grad()
    assert p.grad is None
    optimizer.step()
    assert p.item() == before and str(optimizer.state[0]) == state


@pytest.mark.parametrize("build", KINDS, ids=["SGD", "Adam"])
def test_a_step_is_in_place_and_spares_the_gradient(build):
    p = Tensor(np.ones((2, 3), np.float32), requires_grad=True)
    memory, optimizer = p.data, build(iter([p]))
    for _ in range(3):
        give_gradient(p)
        gradient = p.grad.data
        optimizer.step()
        assert p.data is memory and p.dtype == np.float32 and p.is_leaf
        assert (gradient == 1).all()


@pytest.mark.parametrize("build", KINDS, ids=["SGD", "Adam"])
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


# ---- bad options ---------------------------------------------------------------------------------

@pytest.mark.parametrize("build, error, words", [
    (lambda p: optim.SGD([p], lr=-1), ValueError, ["SGD", "lr", "-1"]),
    (lambda p: optim.SGD([p], lr=math.nan), ValueError, ["lr", "nan"]),
    (lambda p: optim.SGD([p], momentum=-0.1), ValueError, ["momentum", "-0.1"]),
    (lambda p: optim.SGD([p], weight_decay=-1), ValueError, ["weight_decay", "-1"]),
    (lambda p: optim.SGD([p], nesterov=True), ValueError, ["nesterov", "momentum"]),
    (lambda p: optim.SGD([p], momentum=0.9, dampening=0.1, nesterov=True), ValueError,
     ["nesterov", "dampening"]),
    (lambda p: optim.Adam([p], betas=(1.0, 0.9)), ValueError, ["Adam", "beta1", "1.0"]),
    (lambda p: optim.Adam([p], betas=(0.9, -0.1)), ValueError, ["beta2", "-0.1"]),
    (lambda p: optim.Adam([p], eps=-1e-8), ValueError, ["eps", "-1e-08"]),
    (lambda p: optim.SGD([]), ValueError, ["no parameters"]),
    (lambda p: optim.SGD([p, np.ones(2)]), TypeError, ["parameter 1", "ndarray"]),
    (lambda p: optim.SGD([p, p * 2]), ValueError, ["parameter 1", "leaf"]),
    (lambda p: optim.SGD(p), ValueError, ["leaf"]),
    (lambda p: optim.Adam([p, p]), ValueError, ["twice"])])
def test_bad_options_are_named(build, error, words):
    with one_line(error, *words):
        build(leaf([1.0, 2.0]))
