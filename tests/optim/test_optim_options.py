"""Optimizers: options that are refused; maximize and amsgrad."""

import copy
import math

import numpy as np
import pytest

from minigrad import Tensor, nn, optim
from minigrad.backend import device_of
from minigrad.kernels.runtime import threads
from tests.gpu.cuda_devices import DEVICES, open_device
from tests.one_line import one_line
from tests.optim.test_optim import START, every_kind, trained


def leaf(value=1.0):
    return Tensor(np.array(value), requires_grad=True)


def give_gradient(p, value=1.0):
    p.grad = Tensor(np.full(p.shape, value))


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
    (lambda p: optim.SGD(p), TypeError, ["in an order", "got Tensor"]),
    (lambda p: optim.SGD({p}), TypeError, ["in an order", "got set"]),
    (lambda p: optim.SGD([{"params": {p}}]), TypeError, ["in an order", "got set"]),
    (lambda p: optim.SGD(3), TypeError, ["in an order", "got int"]),
    (lambda p: optim.SGD([p], lr="0.1"), TypeError, ["SGD: lr must be a number", "'0.1'"]),
    (lambda p: optim.SGD([p], lr=np.ones(1)), TypeError, ["lr must be a number"]),
    (lambda p: optim.SGD([p], dampening=None), TypeError, ["dampening must be a number, got None"]),
    (lambda p: optim.AdamW([p], eps=None), TypeError, ["AdamW: eps must be a number, got None"]),
    (lambda p: optim.Adam([p], betas=0.9), ValueError, ["betas must be two numbers, got 0.9"]),
    (lambda p: optim.Adam([p], betas=(0.9,)), ValueError, ["two numbers, got (0.9,)"]),
    (lambda p: optim.Adam([p], betas=("a", "b")), TypeError, ["beta1 must be a number, got 'a'"]),
    (lambda p: optim.Adam([p, p]), ValueError, ["twice"])])
def test_bad_options_are_named(build, error, words):
    with one_line(error, *words):
        build(leaf([1.0, 2.0]))


@every_kind
@pytest.mark.parametrize("option, value", [
    ("lr", -1e-300), ("lr", math.nan), ("weight_decay", -1e-300), ("weight_decay", math.nan),
    ("momentum", math.nan), ("eps", -1e-300), ("eps", math.nan), ("betas", (1.0, 0.9)),
    ("betas", (0.9, 1.0)), ("betas", (0.9, math.nan)), ("betas", (-1e-300, 0.9))], ids=str)
def test_each_option_is_checked_wherever_it_is_given(build, option, value):
    optimizer = build([leaf()])
    if option not in optimizer.defaults:
        return
    with one_line(ValueError, type(optimizer).__name__, option.rstrip("s"), "must be"):
        optimizer.add_param_group({"params": leaf(), option: value})
    kind = type(optimizer)
    with one_line(ValueError, kind.__name__, option.rstrip("s")):
        kind([leaf()], **{option: value})


@every_kind
def test_the_largest_and_least_legal_values(build):
    most = 1 - 2**-53
    edges = {"lr": (0.0, 1e30), "weight_decay": (0.0, 1e3), "momentum": (0.0, 2.0),
             "eps": (0.0, 1e30), "betas": ((0.0, 0.0), (most, most)), "dampening": (-1.0, 2.0)}
    for option, values in edges.items():
        for value in values if option in build([leaf()]).defaults else ():
            p = leaf()
            optimizer = type(build([leaf()]))([p], **{option: value})
            give_gradient(p)
            optimizer.step()
            assert math.isfinite(p.item()), (option, value)


# ---- uphill, and the largest second moment -------------------------------------------------------

@every_kind
def test_uphill_is_downhill_with_the_opposite_gradient(build):
    kind, options = type(build([leaf()])), {
        key: value for key, value in build([leaf()]).defaults.items()
        if key not in ("maximize", "decoupled_weight_decay")}
    p, q = leaf([1.0, -2.0]), leaf([1.0, -2.0])
    up, down = kind([p], **options, maximize=True), kind([q], **options)
    for value in (1.0, -3.0, 0.5):
        give_gradient(p, value)
        give_gradient(q, -value)
        up.step()
        down.step()
        assert p.grad.data.tolist() == [value] * 2      # as it was
    assert p.data.tolist() == q.data.tolist() != [1, -2]


def test_maximize_is_an_option_of_a_group():
    p, q = leaf(), leaf()
    optimizer = optim.SGD([{"params": p, "maximize": True}, {"params": q}], lr=0.25)
    give_gradient(p), give_gradient(q)
    optimizer.step()
    assert [p.item(), q.item()] == [1.25, 0.75]


def test_amsgrad_by_hand():
    """Its denominator never shrinks: b1 = 0 leaves g, and v is half the old one plus half g^2."""
    p = leaf(0.0)
    optimizer = optim.Adam([p], lr=1.0, betas=(0.0, 0.5), eps=0.0, amsgrad=True)
    position, v, largest = 0.0, 0.0, 0.0
    for t, g in enumerate([4.0, 1.0, 1.0, 8.0], 1):
        give_gradient(p, g)
        optimizer.step()
        v = (v + g * g) / 2
        largest = max(largest, v)
        position -= g / math.sqrt(largest / (1 - 0.5**t))
        assert p.item() == pytest.approx(position, rel=1e-14)
    assert optimizer.state[p]["max_exp_avg_sq"] == largest > 8


@pytest.mark.parametrize("kind", [optim.Adam, optim.AdamW])
def test_amsgrad_in_pieces_and_stopped(kind, monkeypatch):
    rng = np.random.default_rng(0)
    a, gradients = rng.normal(size=(3, 5)), rng.normal(size=(4, 3, 5))

    def run(steps, start=a, state=None):
        p = Tensor(start.copy(), requires_grad=True)
        optimizer = kind([p], amsgrad=True)
        if state:
            optimizer.load_state_dict(state)
        for g in gradients[steps]:
            p.grad = Tensor(g)
            optimizer.step()
        return p.data, optimizer.state_dict()

    expected, _ = run(slice(0, 4))
    half, state = run(slice(0, 2))
    assert np.array_equal(run(slice(2, 4), half, copy.deepcopy(state))[0], expected)
    monkeypatch.setattr("minigrad.kernels.optim.cpu.BLOCK", 4)
    assert np.array_equal(run(slice(0, 4))[0], expected)


@every_kind
def test_states_without_the_options_that_came_later_load(build):
    optimizer, _ = trained(build, START, 2)
    saved = copy.deepcopy(optimizer.state_dict())
    for group in saved["param_groups"]:
        for option in ("maximize", "amsgrad"):
            group.pop(option, None)
    other, _ = trained(build, START, 0)
    other.load_state_dict(saved)
    assert other.state_dict()["param_groups"] == optimizer.state_dict()["param_groups"]


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_subclass_that_writes_update_has_it_called(monkeypatch, kind, device):
    """For each parameter, although the class that it derives from updates all of them together."""
    open_device("stand-in", monkeypatch)
    seen = []

    class Halved(kind):
        def update(self, p, g, state, group):
            seen.append(p.shape)
            super().update(p, g / 2, state, group)

    results = []
    for build, factor in ((Halved, 2.0), (kind, 1.0)):
        params = [Tensor(np.ones(n, np.float32)).to(device).detach() for n in (2, 3)]
        for p in params:
            p.requires_grad, p.grad = True, Tensor(np.full(p.shape, factor, np.float32)).to(device)
        build(params, lr=0.1).step()
        results.append([p.to("cpu").data for p in params])
    assert seen == [(2,), (3,)]
    for mine, want in zip(*results):
        np.testing.assert_array_equal(mine, want)


# ---- what else a PyTorch user passes -------------------------------------------------------------

@every_kind
def test_choices_of_an_implementation_are_harmless_or_refused(build):
    kind = type(build([leaf()]))
    optimizer = kind([leaf()], foreach=None, fused=False, capturable=False, differentiable=False)
    assert optimizer.defaults == kind([leaf()]).defaults
    with one_line(ValueError, f"{kind.__name__}: fused must be None or False, got True"):
        kind([leaf()], fused=True)
    with one_line(TypeError, f"{kind.__name__}: unknown option 'speed'"):
        kind([leaf()], speed=None)


def test_parameters_may_come_with_names():
    layer = nn.Linear(2, 1)
    optimizer = optim.Adam(layer.named_parameters())
    assert optimizer.param_groups[0]["params"] == [layer.weight, layer.bias]
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
    optimizer.add_param_group({"params": [("more", leaf())], "lr": 0.5})
    assert optimizer.param_groups[1]["param_names"] == ["more"]
    with one_line(ValueError, "group 2 must have names"):
        optimizer.add_param_group({"params": [leaf()]})
    other = optim.Adam([{"params": layer.parameters()}, {"params": leaf()}])
    other.load_state_dict(optimizer.state_dict())
    assert other.param_groups[1]["lr"] == 0.5 and "param_names" not in other.param_groups[1]


def test_a_closure_computes_the_gradients_and_the_loss_is_returned():
    p = leaf(3.0)
    optimizer = optim.SGD([p], lr=0.25)

    def closure():
        optimizer.zero_grad()
        loss = p * p
        loss.backward()
        return loss

    assert [optimizer.step(closure).item() for _ in range(2)] == [9.0, 2.25]
    assert optimizer.step() is None


def test_an_optimizer_of_the_users_with_its_own_step():
    """As PyTorch's documentation writes one: no `update`, a state that makes its entries."""
    class Counting(optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {"rate": 0.5})

        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        state = self.state[p]
                        state["step"] = state.get("step", 0) + 1
                        p.data -= group["rate"] * p.grad.data

    p = leaf(1.0)
    optimizer = Counting([p])
    give_gradient(p), optimizer.step(), optimizer.step()
    assert p.item() == 0 and optimizer.state_dict()["state"] == {0: {"step": 2}}


@pytest.mark.parametrize("device", DEVICES)
@every_kind
def test_the_steps_on_a_gpu_are_those_on_the_cpu(build, device, monkeypatch):
    """And the state stays there, for the next step or another optimizer."""
    open_device(device, monkeypatch)
    results = []
    for place in ("cpu", "cuda"):
        p = Tensor(np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)).to(place).detach()
        p.requires_grad, optimizer = True, build([p])
        for step in range(7):
            p.grad = Tensor(np.cos(np.arange(6, dtype=np.float32) + step).reshape(2, 3)).to(place)
            optimizer.step()
            state, optimizer = optimizer.state_dict(), build([p])
            optimizer.load_state_dict(state)
        results.append(p.to("cpu").data)
        homes = {device_of(x) for x in state["state"][0].values() if hasattr(x, "ndim")}
        assert homes == {place}
    np.testing.assert_allclose(*results, rtol=1e-5)


@pytest.mark.parametrize("kind, options", [
    (optim.SGD, {"momentum": 0.9, "weight_decay": 0.1}), (optim.Adam, {"amsgrad": True}),
    (optim.AdamW, {})], ids=["SGD", "Adam", "AdamW"])
def test_large_parameters_are_shared_out_and_nothing_changes(kind, options):
    """Many blocks on threads; two parameters of one memory are updated one after the other."""
    rng = np.random.default_rng(0)
    values, gradients = rng.standard_normal((2, 3, 700, 300)).astype(np.float32)

    def descended(count):
        before = threads.get_num_threads()
        threads.set_num_threads(count)
        try:
            shared = values[0].copy()
            params = [Tensor(a, requires_grad=True)
                      for a in (shared, values[1].copy(), values[2].T.copy().T)]
            params.append(Tensor(shared[100:], requires_grad=True))
            optimizer = kind(params, lr=0.1, **options)
            for _ in range(2):
                for p, g in zip(params, [*gradients, gradients[0][100:]]):
                    p.grad = Tensor(g.copy())
                optimizer.step()
            return [p.data.copy() for p in params]
        finally:
            threads.set_num_threads(before)

    expected = descended(1)
    assert (expected[0][100:] == expected[3]).all()
    for count in (2, 5):
        for a, b in zip(descended(count), expected):
            np.testing.assert_array_equal(a, b)
