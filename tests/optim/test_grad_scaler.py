"""GradScaler with several optimizers and losses: each step is decided by its own gradients."""

import math

import numpy as np
import pytest

from minigrad import Tensor, nn, optim
from tests.one_line import one_line

INF, NAN = math.inf, math.nan


def parameters(count=2):
    return [nn.Parameter(np.ones(1, np.float32)) for _ in range(count)]


def given(scaler, p, gradient):
    """Its gradient as backward of the scaled loss leaves it."""
    p.grad = Tensor(np.array([gradient * scaler.get_scale()], np.float32))


def test_two_optimizers_of_one_loss_step_by_their_own_unscaled_gradients():
    a, b = parameters()
    first, second = optim.SGD([a], lr=0.1), optim.SGD([b], lr=0.1)
    scaler = optim.GradScaler(init_scale=1024.0)
    scaler.scale((a * 2 + b * 3).sum()).backward()
    assert scaler.step(first) and scaler.step(second)
    scaler.update()
    assert a.item() == pytest.approx(0.8) and b.item() == pytest.approx(0.7)


@pytest.mark.parametrize("unscaled_first", [False, True])
@pytest.mark.parametrize("bad", [INF, -INF, NAN])
@pytest.mark.parametrize("which", [0, 1])
def test_only_the_optimizer_whose_gradients_overflow_is_skipped(which, bad, unscaled_first):
    params = parameters()
    optimizers = [optim.SGD([p], lr=0.5) for p in params]
    scaler = optim.GradScaler(init_scale=4.0, growth_interval=1)
    for i, p in enumerate(params):
        given(scaler, p, bad if i == which else 1.0)
    if unscaled_first:
        for optimizer in optimizers:
            scaler.unscale_(optimizer)
    assert [scaler.step(optimizer) for optimizer in optimizers] == [i != which for i in range(2)]
    scaler.update()
    assert [p.item() for p in params] == [1.0 if i == which else 0.5 for i in range(2)]
    assert scaler.get_scale() == 2.0        # one overflow is enough
    for p in params:
        given(scaler, p, 1.0)
    assert all(scaler.step(optimizer) for optimizer in optimizers)
    scaler.update()
    assert scaler.get_scale() == 4.0        # and two good steps are one update


def test_a_loss_of_16_bits_is_scaled_in_float32():
    losses = [Tensor(2.0, dtype="float16"), Tensor([2.0], dtype="float16")]
    with np.errstate(over="ignore"):
        scaled = optim.GradScaler().scale(losses)
    assert [str(loss.dtype) for loss in scaled] == ["float32", "float16"]   # as in PyTorch
    assert scaled[0].item() == 131072.0


def test_each_call_is_made_once_between_updates():
    p, q = parameters()
    first, second = optim.SGD([p], lr=0.1), optim.SGD([q], lr=0.1)
    scaler = optim.GradScaler(init_scale=2.0)
    given(scaler, p, 1.0), given(scaler, q, 1.0)
    scaler.unscale_(first)
    with one_line(RuntimeError, "unscale_", "second time"):
        scaler.unscale_(first)
    scaler.unscale_(second)
    scaler.step(first)
    with one_line(RuntimeError, "step", "second time", "update"):
        scaler.step(first)
    with one_line(RuntimeError, "unscale_", "after step"):
        scaler.unscale_(first)
    assert p.item() == pytest.approx(0.9) and q.grad.item() == 1
    scaler.step(second)
    scaler.update()
    with one_line(RuntimeError, "update", "without a step"):
        scaler.update()
    given(scaler, p, 1.0)
    scaler.unscale_(first)
    scaler.update()             # unscaled, but not used: torch allows it
    given(scaler, p, 1.0)
    assert scaler.step(first)


def test_several_losses_are_scaled_alike():
    p = nn.Parameter(np.ones(1, np.float32))
    optimizer, scaler = optim.SGD([p], lr=0.125), optim.GradScaler(init_scale=8.0)
    for loss in scaler.scale([p * 2, p * 3]):
        loss.backward()
    assert p.grad.item() == 40 and isinstance(scaler.scale((p, p)), tuple)
    scaler.step(optimizer)
    assert p.item() == 1 - 5 / 8


def test_gradients_in_float16_are_refused():
    p = nn.Parameter(np.ones(1, np.float16))
    p.grad = Tensor(np.ones(1, np.float16))
    with one_line(ValueError, "float16", "autocast"):
        optim.GradScaler().step(optim.SGD([p], lr=0.1))


def test_the_scale_is_float32s_and_can_be_set():
    p = nn.Parameter(np.ones(1, np.float32))
    optimizer, scaler = optim.SGD([p], lr=0.1), optim.GradScaler(10.0, 1.1, 0.3, 1)
    for gradient, scale in ((1.0, 11.0), (INF, 11.0 * np.float32(0.3)), (1.0, None)):
        before = scaler.get_scale()
        given(scaler, p, gradient)
        scaler.step(optimizer)
        scaler.update()
        expected = float(np.float32(before * 1.1)) if scale is None else pytest.approx(scale, 1e-7)
        assert scaler.get_scale() == expected == np.float32(scaler.get_scale())
    scaler.update(np.float32(64))
    assert scaler.get_scale() == 64 and type(scaler.get_scale()) is float


def test_a_scale_that_has_run_out_skips_and_does_not_fail():
    p = nn.Parameter(np.ones(1, np.float32))
    scaler, optimizer = optim.GradScaler(init_scale=1e-44, backoff_factor=0.1), optim.SGD([p], 0.1)
    for _ in range(3):
        p.grad = Tensor(np.array([NAN], np.float32))
        assert not scaler.step(optimizer)
        scaler.update()
    assert scaler.get_scale() == 0


def test_states_are_numbers_and_go_on():
    scaler = optim.GradScaler(init_scale=4.0, growth_interval=2)
    p = nn.Parameter(np.ones(1, np.float32))
    given(scaler, p, 1.0)
    scaler.step(optim.SGD([p], lr=0.1))
    scaler.update()
    other = optim.GradScaler()
    other.load_state_dict({name: np.asarray(value) for name, value in scaler.state_dict().items()})
    assert other.state_dict() == scaler.state_dict() and other.state_dict()["_growth_tracker"] == 1
    assert {type(value) for value in other.state_dict().values()} == {float, int}


def test_amps_names_take_the_device_first():
    """Also those that are switched off."""
    p = Tensor(np.array([1.0], np.float32), requires_grad=True)
    optimizer = optim.SGD([p], lr=0.5)
    for enabled, scale in (True, 4.0), (False, 1.0):
        scaler = optim.amp.GradScaler("cuda", init_scale=4.0, enabled=enabled)
        loss = scaler.scale(p.sum())
        assert loss.item() == scale * p.item() and scaler.get_scale() == scale
        optimizer.zero_grad()
        loss.backward()
        scaler.unscale_(optimizer)
        assert p.grad.item() == 1.0 and scaler.step(optimizer)
        scaler.update()
    assert p.item() == 0.0
    x = Tensor(np.ones((2, 2), np.float32))
    for arguments, dtype in ((("cuda",), "float16"), (("cuda", np.dtype("float16")), "float16"),
                             (("cpu", "float16"), "float16"), (("float16",), "float16"),
                             (("cuda", "float16", False), "float32")):
        with optim.amp.autocast(*arguments):
            assert (x @ x).dtype == dtype
    with optim.amp.autocast(device_type="cuda"), optim.amp.autocast("cuda", enabled=False):
        assert (x @ x).dtype == "float32"
    for wrong in ("float32",), ("cuda", "int8"), (), (3,):
        with pytest.raises(ValueError, match="autocast: dtype must be"):
            with optim.amp.autocast(*wrong):
                pass
