"""Initial values of layers: their bounds, spreads and seeds."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, nn
from minigrad.nn import init
from tests.nn.test_nn import NAMES, Block
from tests.one_line import one_line


@pytest.fixture(autouse=True)
def seeded():
    mg.manual_seed(0)


# ---- initial values ------------------------------------------------------------------------------

SHAPE = (64, 16, 3, 3)
FAN_IN, FAN_OUT = 16 * 9, 64 * 9


@pytest.mark.parametrize("initialise, bound", [
    (init.uniform_, None), (lambda t: init.uniform_(t, -2, 2), 2),
    (init.kaiming_uniform_, math.sqrt(6 / (1 + 0) / FAN_IN)),
    (lambda t: init.kaiming_uniform_(t, math.sqrt(5)), 1 / math.sqrt(FAN_IN)),
    (lambda t: init.kaiming_uniform_(t, mode="fan_out"), math.sqrt(6 / FAN_OUT)),
    (lambda t: init.kaiming_uniform_(t, nonlinearity="tanh"), 5 / 3 * math.sqrt(3 / FAN_IN)),
    (init.xavier_uniform_, math.sqrt(6 / (FAN_IN + FAN_OUT)))], ids=range(7))
def test_uniform_initialisers_fill_their_interval(initialise, bound):
    t = Tensor(np.empty(SHAPE))
    assert initialise(t) is t
    low, high = (0, 1) if bound is None else (-bound, bound)
    n, width = t.numel(), high - low
    assert low <= t.data.min() < low + 0.01 * width and high - 0.01 * width < t.data.max() <= high
    assert abs(t.data.mean() - (low + high) / 2) < 5 * width / math.sqrt(12 * n)
    assert t.data.std() == pytest.approx(width / math.sqrt(12), rel=0.02)


@pytest.mark.parametrize("initialise, mean, std", [
    (init.normal_, 0, 1), (lambda t: init.normal_(t, 3, 0.5), 3, 0.5),
    (init.kaiming_normal_, 0, math.sqrt(2 / FAN_IN)),
    (lambda t: init.kaiming_normal_(t, mode="fan_out", nonlinearity="relu"), 0,
     math.sqrt(2 / FAN_OUT)),
    (init.xavier_normal_, 0, math.sqrt(2 / (FAN_IN + FAN_OUT)))], ids=range(5))
def test_normal_initialisers_have_their_moments(initialise, mean, std):
    x = initialise(Tensor(np.empty(SHAPE))).data
    assert abs(x.mean() - mean) < 5 * std / math.sqrt(x.size)
    assert x.std() == pytest.approx(std, rel=0.03)
    assert np.mean(np.abs(x - mean) > 2 * std) == pytest.approx(0.0455, abs=0.01)


@pytest.mark.parametrize("build, fan_in", [(lambda: nn.Linear(400, 300), 400),
                                           (lambda: nn.Conv2d(16, 64, 3), 144),
                                           (lambda: nn.Conv2d(64, 96, 3, groups=4), 144)])
def test_layers_start_uniform_within_one_over_root_fan_in(build, fan_in):
    bound = 1 / math.sqrt(fan_in)
    for p in build().parameters():
        assert 0.9 * bound < np.abs(p.data).max() <= bound and p.dtype == np.float32
        assert p.data.std() == pytest.approx(bound / math.sqrt(3), rel=0.15)


def test_initial_values_follow_the_seed():
    first, second = Block().state_dict(), Block().state_dict()
    mg.manual_seed(0)
    again = Block().state_dict()
    assert all((first[name] == again[name]).all() for name in NAMES)
    assert (first["inner.0.weight"] != second["inner.0.weight"]).all()


def test_initialisers_name_what_they_do_not_know():
    t = Tensor(np.empty((2, 3)))
    assert init.constant_(t, 7.0).data.tolist() == [[7] * 3] * 2
    assert init.calculate_gain("leaky_relu", 0.2) == math.sqrt(2 / 1.04)
    with one_line(ValueError, "'swish'", "relu"):
        init.calculate_gain("swish")
    with one_line(ValueError, "'fan'", "fan_out"):
        init.kaiming_normal_(t, mode="fan")
    with one_line(ValueError, "two axes", "(3,)"):
        init.xavier_uniform_(Tensor(np.empty(3)))
