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


# ---- more initialisers ---------------------------------------------------------------------------

@pytest.mark.parametrize("options", [
    {}, {"std": 0.02}, {"mean": 1.0, "std": 2.0, "a": 0.0, "b": 1.5}, {"a": 3.0, "b": 30.0},
    {"a": -9.0, "b": -3.0}, {"mean": -4.0, "std": 0.5, "a": -100.0, "b": 100.0}])
def test_a_truncated_normal_has_the_distribution_that_is_left(options):
    """Against the distribution function at nine places, with the bound of Kolmogorov's test."""
    mean, std, a, b = ({"mean": 0.0, "std": 1.0, "a": -2.0, "b": 2.0} | options).values()
    x = init.trunc_normal_(Tensor(np.empty((100, 200))), **options).data
    assert a <= x.min() and x.max() <= b

    def below(t):       # erfc of |t| keeps its digits in the tails
        side = math.erfc(abs(t - mean) / std / math.sqrt(2)) / 2
        return side if t <= mean else 1 - side

    def share(t):
        if mean < a:    # then all lies in the upper tail: count from above
            tail = [math.erfc((v - mean) / std / math.sqrt(2)) for v in (a, t, b)]
            return (tail[0] - tail[1]) / (tail[0] - tail[2])
        return (below(t) - below(a)) / (below(b) - below(a))

    for t in np.quantile(x, np.arange(1, 10) / 10):
        assert share(float(t)) == pytest.approx(np.mean(x <= t), abs=1.63 / math.sqrt(x.size))


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (5, 2, 3), (2, 3, 3, 3)])
def test_an_orthogonal_weight_keeps_lengths(shape):
    t = Tensor(np.empty(shape))
    assert init.orthogonal_(t, gain=2.0) is t
    flat = t.data.reshape(shape[0], -1) / 2
    flat = flat if len(flat) <= flat.shape[1] else flat.T
    np.testing.assert_allclose(flat @ flat.T, np.eye(len(flat)), atol=1e-12)


def test_orthogonal_weights_are_uniform():
    """Of 2 x 2, half are rotations, and the angle has no preferred half."""
    t = Tensor(np.empty((2, 2)))
    drawn = [init.orthogonal_(t).data.copy() for _ in range(400)]
    for share in (np.mean([np.linalg.det(q) > 0 for q in drawn]),
                  np.mean([q[0, 0] > 0 for q in drawn]), np.mean([q[1, 0] > 0 for q in drawn])):
        assert abs(share - 0.5) < 0.11


def test_constant_weights():
    p = nn.Parameter(np.ones((2, 3), np.float32))
    assert init.zeros_(p) is p and not p.data.any() and init.ones_(p).data.all()
    assert p.is_leaf and p.requires_grad
    with pytest.raises(ValueError):
        init.orthogonal_(Tensor(np.ones(3)))


def test_a_generator_can_be_given():
    for initialise in (init.uniform_, init.normal_, init.trunc_normal_, init.orthogonal_,
                       init.kaiming_uniform_, init.kaiming_normal_, init.xavier_uniform_,
                       init.xavier_normal_):
        one, two, three = (initialise(Tensor(np.empty((3, 3))),
                                      generator=np.random.default_rng(seed)).data
                           for seed in (1, 1, 2))
        assert (one == two).all() and (one != three).any()


def test_gains_have_pytorch_s_names():
    for name in ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
                 "conv_transpose3d", "sigmoid"):
        assert init.calculate_gain(name) == 1
    assert init.calculate_gain("selu") == 0.75 and init.calculate_gain("tanh") == 5 / 3
    assert init._calculate_fan_in_and_fan_out(Tensor(np.empty((4, 3, 2)))) == (6, 8)
