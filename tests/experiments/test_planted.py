"""Errors of known size, planted in what the claims of the theory measure: the value shown is about
that size, its check fails, and the verdict turns."""

import numpy as np
import pytest

import minigrad as mg
from experiments.claims import CORRECTED, HOLDS, OPEN, WRONG
from experiments.settings import Settings
from experiments.theory import (q1_pyramid, q1_recurrence, q2_collapse, q3_backprop, q4_flops,
                                q5_lenet, q6_memory, q6_sigmoid, q7_networks, q7_tanh)
from minigrad import nn
from minigrad.models import lenet5
from minigrad.ops.conv import Conv2d
from minigrad.profile import RULES
from pyramids import laplacian_pyramid
from tests.experiments.planted import (EPS, check_that_it_shows, every_second, noise, of_largest,
                                       off, plus, rng)


# --- what is measured, as small as it can be ------------------------------------------------------

def q1_storage(monkeypatch):
    monkeypatch.setattr(q1_recurrence, "SIDES", range(1, 9))
    photo = noise(12, 17, 3)
    levels = q1_recurrence.photo_levels(photo, laplacian_pyramid(photo, axes=(0, 1)))
    return q1_pyramid.storage(levels, q1_recurrence.all_shapes(rng()))


def q1_laplacian(monkeypatch):
    return q1_pyramid.true_laplacian([{"nabla2": 0, "minus_nabla2": 0, "float64": 0}], rng())


def q1_top(monkeypatch):
    photo = noise(12, 17, 3)
    return q1_pyramid.mean_at_the_top(photo, laplacian_pyramid(photo, axes=(0, 1)), rng())


def claim_of(module, name, **small):
    """The claim of a question's `verify` with some of its constants made small."""
    def measure(monkeypatch):
        for attribute, value in small.items():
            monkeypatch.setattr(module, attribute, value)
        return next(c for c in module.verify(Settings(seed=3)).claims if c.id == name)
    return measure


def q2(name):
    return claim_of(q2_collapse, name, NETS=9, POINTS=16)


def q3(name):
    return claim_of(q3_backprop, name)


def q5(name):
    return claim_of(q5_lenet, name)


def q4(monkeypatch):
    small = q4_flops.Shapes(2, (6, 6), 3, (3, 3), (1, 1), (1, 1), "max", (2, 2), (2, 2))
    monkeypatch.setitem(q4_flops.WRITTEN, True, (3 * 36 * 36 + 3 * 9 * 3, ""))
    return q4_flops._total_claim(True, q4_flops.count(small, True, rng()))


def q6_layer(name):
    return lambda monkeypatch: next(c for c in q6_sigmoid._layer(rng()) if c.id == name)


def q7_of(times):
    same = q7_networks.Timing(*[{"tanh": np.ones(3), "textbook_sigmoid": np.ones(3),
                                 "sigmoid": times * np.ones(3)}] * 2)
    return lambda monkeypatch: q7_networks.speed_claim(same)


def weighed(share=0.5, disagreement=0.0):
    """The claim on memory, with one activation of so large a share and such a disagreement."""
    def measure(monkeypatch):
        full = q6_memory.Bytes(1000, 1000)
        kept = q6_memory.Bytes(round(1000 * share), round(1000 * share * (1 + disagreement)))
        less = q6_memory.Memory(q6_memory.Bytes(400, 400), full)
        return q6_memory.claim({"sigmoid": less, "tanh": q6_memory.Memory(kept, full),
                                "ReLU": less})
    return measure


# --- what is planted ------------------------------------------------------------------------------

def binomial(size):
    down, up = q1_recurrence.BINOMIAL
    return down, off(up, of_largest(size), when=every_second())


def filters_off(size):
    def filters_of(g, f=q1_recurrence.filters_of):
        down, up = f(g)
        return down, off(up, size, when=every_second())
    return filters_of


def one_sample_off(pyramid, k, f=q1_recurrence.expand_to):
    image = f(pyramid, k).copy()
    image.flat[0] ^= k == 0
    return image


def top_is_mean(size):
    return lambda image, **how: [np.array(image.mean() + size)]


def one_of_many(f, size):
    """A function of which the hundredth call is off."""
    calls = []

    def planted(**factors):
        calls.append(1)
        return f(**factors) + size * (len(calls) == 100)
    return planted


def wrong_gradients(size):
    return lambda *args, f=mg.grad, **options: tuple(off(lambda g=g: g, size)()
                                                     for g in f(*args, **options))


class Planted(nn.Module):
    """x with an error at one place of a batch."""

    def forward(self, x):
        return x if x.ndim < 2 else off(lambda: x, of_largest(1e-9))()


def network_off(when):
    def network(layers, slopes, f=q2_collapse.network):
        modules = f(layers, slopes)
        return nn.Sequential(*modules, Planted()) if when(slopes) else modules
    return network


def compose_off(layers, slopes, f=q2_collapse.compose):
    weight, bias = f(layers, slopes)
    return weight, off(lambda: bias, of_largest(1e-9))()


def jacobian_that_wanders():
    state = rng()
    return off(mg.jacobian, lambda array: 1e-3 * state.normal())


def one_parameter_more(variant):
    model = lenet5(variant=variant)
    model.f6.unused = nn.Parameter(np.ones(1, np.float32))
    return model


def rule_off(call, f=RULES[Conv2d]):
    return f(call)._replace(multiply=f(call).multiply + 1)


class Steeper(q6_sigmoid.SigmoidOfInput):
    def backward(self, gy, x):
        return super().backward(gy, x) + 1e-14


# claim: measured by, (object, attribute, planted), part of the check's name, size found, verdict
CASES = {
    "q1.storage, the binomial": (
        q1_storage, (q1_recurrence, "BINOMIAL", binomial(5 * EPS)),
        "down to 1x1, binomial", (4 * 1, 12), OPEN),
    "q1.storage, any g": (
        q1_storage, (q1_recurrence, "filters_of", filters_off(of_largest(3 * EPS))),
        "per step, any g", (2.5, 4.5), WRONG),
    "q1.storage, one sample": (
        q1_storage, (q1_recurrence, "expand_to", one_sample_off),
        "wrong samples of the photograph", (1, 1), OPEN),
    "q1.storage, weights": (
        q1_storage, (q1_pyramid, "gaussian", off(q1_pyramid.gaussian, 5 * EPS)),
        "|weight - 1/4|", (4 * EPS, 6 * EPS), OPEN),
    "q1.laplacian": (
        q1_laplacian, (q1_pyramid, "filters_of", filters_off(1e-9)),
        "with the difference", (0.9e-9, 5.1e-9), OPEN),
    "q1.name": (
        lambda _: q1_pyramid.the_name(rng()),
        (q1_pyramid, "pyr_up", off(q1_pyramid.pyr_up, 1e-6, at=24 * 48 + 24)),
        "a = 3/8", (0.9e-6, 1.1e-6), WRONG),
    "q1.only_coarse": (
        lambda _: q1_pyramid.coarse_image_alone(rng()),
        (q1_pyramid, "collapse", off(q1_pyramid.collapse, 1e-9)),
        "all the L's", (0.9e-9, 1.1e-9), OPEN),

    "q2.collapse, the network": (
        q2("q2.collapse"), (q2_collapse, "network", network_off(lambda slopes: True)),
        "network against one layer", (0.9e-9, 1.1e-9), WRONG),
    "q2.collapse, the Jacobian": (
        q2("q2.collapse"), (mg, "jacobian", off(mg.jacobian, of_largest(1e-9))),
        "against the Jacobian", (0.9e-9, 1.1e-9), OPEN),
    "q2.collapse, the value at 0": (
        q2("q2.collapse"), (q2_collapse, "compose", compose_off),
        "against the value at 0", (0.9e-9, 1.1e-9), OPEN),
    "q2.collapse, the routes": (
        q2("q2.collapse"), (mg, "jacobian", off(mg.jacobian, 1e-9)),
        "the routes agree", (0.9e-9, 1.1e-9), OPEN),
    "q2.weights": (
        q2("q2.weights"), (mg, "jacobian", off(mg.jacobian, of_largest(1e-9))),
        "against the Jacobian", (0.9e-9, 1.1e-9), WRONG),
    "q2.index": (
        q2("q2.index"),
        (q2_collapse, "written_sum", off(q2_collapse.written_sum, of_largest(1e-9))),
        "sum with b(n-1)", (0.9e-9, 1.1e-9), OPEN),
    "q2.wlog, folded": (
        q2("q2.wlog"), (q2_collapse, "network", network_off(lambda slopes: set(slopes) == {1})),
        "each c put into its layer", (0.9e-9, 1.1e-9), OPEN),
    "q2.wlog, without biases": (
        q2("q2.wlog"), (q2_collapse, "network", network_off(lambda slopes: set(slopes) == {1})),
        "without biases", (0.9e-9, 1.1e-9), OPEN),
    "q2.nonlinear, the linear network": (
        q2("q2.nonlinear"), (mg, "jacobian", jacobian_that_wanders()),
        "rank of the linear network", (1, 1), OPEN),
    "q2.nonlinear, the units": (
        q2("q2.nonlinear"), (mg, "jacobian", jacobian_that_wanders()),
        "against the units", (q2_collapse.WIDTH + 1,) * 2, OPEN),

    "q3.gradient, exact routes": (
        q3("q3.gradient"),
        (q3_backprop, "by_complex_step", plus(q3_backprop.by_complex_step, 1e-10)),
        "routes without differences", (0.9e-10, 1.1e-10), OPEN),
    "q3.gradient, differences": (
        q3("q3.gradient"),
        (q3_backprop, "by_differences", plus(q3_backprop.by_differences, 1e-7)),
        "central differences", (0.8e-7, 1.2e-7), OPEN),
    "q3.product": (
        q3("q3.product"), (q3_backprop, "WRITTEN_CHAIN", q3_backprop.WRITTEN_CHAIN | {"w6": 0.931}),
        "distance of the product", (2.5e-4, 3.5e-4), WRONG),
    "q3.slopes, steeper": (
        q3("q3.slopes"), (q3_backprop, "_steepest", lambda: (0.25 + 1e-9, 0.0)),
        "steepest slope", (0.25 + 0.9e-9, 0.25 + 1.1e-9), OPEN),
    "q3.slopes, elsewhere": (
        q3("q3.slopes"), (q3_backprop, "_steepest", lambda: (0.25, -1e-3)),
        "at which it is steepest", (1e-3, 1e-3), OPEN),
    "q3.plain-factors": (
        q3("q3.plain-factors"), (mg, "grad", wrong_gradients(1e-9)),
        "larger error of the two", (0.9e-9, 1.1e-9), WRONG),
    "q3.factorisation": (
        q3("q3.factorisation"),
        (q3_backprop, "by_autograd", one_of_many(q3_backprop.by_autograd, 1e-12)),
        "spread", (0.9e-12, 1.1e-12), WRONG),

    "q4.with-bias, values": (
        q4, (q4_flops.pool, "max_direct", lambda x, window, f=q4_flops.pool.max_direct:
             off(f, lambda y: 1e-9)(x, window)),
        "counted run's values", (0.9e-9, 1.1e-9), OPEN),
    "q4.with-bias, one multiplication": (
        q4, (RULES, Conv2d, rule_off), "largest difference", (1, 1), OPEN),
    "q4.with-bias, the formula": (
        q4, (q4_flops, "by_formula", plus(q4_flops.by_formula, -1)),
        "largest difference", (1, 1), OPEN),

    "q5.total, the formula": (
        q5("q5.total"), (q5_lenet, "modern_formula", plus(q5_lenet.modern_formula, 1)),
        "largest difference", (1, 1), OPEN),
    "q5.total, a parameter that nothing reaches": (
        q5("q5.total"), (q5_lenet, "lenet5", one_parameter_more),
        "largest difference", (1, 1), OPEN),
    "q5.original, the formula": (
        q5("q5.original"), (q5_lenet, "original_formula", plus(q5_lenet.original_formula, -1)),
        "largest difference", (1, 1), OPEN),

    "q6.formula": (
        q6_layer("q6.formula"), (mg, "jacobian", off(mg.jacobian, 1e-9)),
        "autograd against", (0.9e-9, 1.1e-9), OPEN),
    "q6.indices": (
        q6_layer("q6.indices"), (mg, "grad", wrong_gradients(1e-9)),
        "dL/dx as a sum", (0.9e-9, 1.1e-9), OPEN),
    "q6.sigmoid": (
        lambda _: q6_sigmoid._output_only("sigmoid", rng()),
        (q6_sigmoid.ACTIVATIONS, "sigmoid", q6_sigmoid.Activation(mg.sigmoid, "", Steeper)),
        "difference from the formula", (0.9e-14, 1.1e-14), OPEN),
    "q6.limits, outputs": (
        lambda _: q6_sigmoid._limits(),
        (q6_sigmoid, "SIN_PAIR", (q6_sigmoid.SIN_PAIR[0], q6_sigmoid.SIN_PAIR[1] - 1e-9)),
        "difference of those outputs", (0.8e-9, 0.9e-9), OPEN),
    "q6.limits, softplus": (
        lambda _: q6_sigmoid._limits(),
        (mg, "softplus", lambda x, f=mg.softplus: f(x) + 1e-12 * x),
        "softplus from its output", (0.9e-12, 1.1e-12), OPEN),

    "q7.codomain, above": (
        lambda _: q7_tanh._codomain({"tanh_is_1_from_x": 19.0, "logistic_is_1_from_x": 37.0}),
        (mg, "sigmoid", plus(mg.sigmoid, 1e-12)),
        "largest logistic", (1 + 0.9e-12, 1 + 1.1e-12), OPEN),
    "q7.codomain, below": (
        lambda _: q7_tanh._codomain({"tanh_is_1_from_x": 19.0, "logistic_is_1_from_x": 37.0}),
        (mg, "sigmoid", plus(mg.sigmoid, -1e-12)),
        "smallest logistic", (-1.1e-12, -0.9e-12), OPEN),
    "q7.derivative, as written": (
        lambda _: q7_tanh._derivative(),
        (q7_tanh, "from_logistic", off(q7_tanh.from_logistic, 1e-13)),
        "from the slope of tanh", (0.9e-13, 1.1e-13), WRONG),
    "q7.derivative, by the other formula": (
        lambda _: q7_tanh._derivative(),
        (q7_tanh, "slope", off(q7_tanh.slope, 1e-13, when=lambda f, x: f is not mg.tanh)),
        "against the slope of tanh", (0.9e-13, 1.1e-13), OPEN),
    "q7.derivative, the routes": (
        lambda _: q7_tanh._derivative(),
        (q7_tanh, "slope", off(q7_tanh.slope, 1e-13, when=lambda f, x: f is not mg.tanh)),
        "other routes", (0.9e-13, 1.1e-13), OPEN),
    "q7.centre, the largest": (
        lambda _: q7_tanh._centre(q7_tanh.TWICE),
        (q7_tanh, "slope_ratio", lambda x, f=q7_tanh.slope_ratio: f(x) * (1 + 1e-9)),
        "largest ratio", (4 + 3e-9, 4 + 5e-9), OPEN),
    "q7.speed, rescaled": (
        q7_of(1.5), (mg, "tanh", plus(mg.tanh, 1e-12)),
        "against s(x)", (0.4e-12, 0.6e-12), OPEN),
}


@pytest.mark.parametrize("name", CASES)
def test_an_error_shows_in_its_size_and_turns_the_verdict(name, monkeypatch):
    check_that_it_shows(name, CASES[name], monkeypatch)


@pytest.mark.parametrize("gap, verdict", [(1e-10, HOLDS), (1e-8, WRONG)])
def test_a_top_that_is_the_mean_would_hold(gap, verdict, monkeypatch):
    monkeypatch.setattr(q1_pyramid, "gaussian_pyramid", top_is_mean(gap))
    claim = q1_top(monkeypatch)
    assert claim.verdict == verdict and claim.as_written.value == pytest.approx(gap, rel=0.01)


@pytest.mark.parametrize("share, disagreement, verdict", [
    (0.5, 0, HOLDS), (0.501, 0, WRONG), (0.6, 0, WRONG), (0.4, 0.01, HOLDS), (0.4, 0.02, OPEN)])
def test_memory(share, disagreement, verdict, monkeypatch):
    claim = weighed(share, disagreement)(monkeypatch)
    assert claim.verdict == verdict and claim.as_written.value == share
    assert claim.evidence[0].value == pytest.approx(disagreement)


def decades(relu, tanh, sigmoid):
    """Decades that the gradients' norms move, with weights (the same for all, each its own)."""
    return {(weights, name): np.array([0.0, value[i]]) for i, weights in enumerate(("same", "own"))
            for name, value in (("relu", relu), ("tanh", tanh), ("sigmoid", sigmoid))}


@pytest.mark.parametrize("relu, tanh, sigmoid, verdict", [
    ((-7, 0.1), (-2, -2), (-30, -30), CORRECTED),
    ((-2, 0.1), (-2, -2), (-30, -30), HOLDS),           # as near as the best other is near enough
    ((-2.1, 2.0), (-2, -2), (-30, -30), CORRECTED),
    ((-7, 2.1), (-2, -2), (-30, -30), OPEN),            # no better with weights of its own
    ((-7, 0.1), (-8, -2), (-8, -1.1), HOLDS),           # a decade less is less
    ((-7, 0.1), (-8, -2), (-8, -1.0), OPEN),
    ((-7, 0.1), (-2, -2), (-7.9, -30), OPEN),
])
def test_gradients_through_layers(relu, tanh, sigmoid, verdict):
    assert q7_networks.relu_claim(decades(relu, tanh, sigmoid)).verdict == verdict


@pytest.mark.parametrize("tanh, relu, sigmoid, verdict", [
    (9, 4, 10, HOLDS), (4, 9, 10, HOLDS), (10, 4, 10, WRONG), (4, 10, 10, WRONG)])
def test_the_slowest_run_is_ahead_of_the_fastest_logistic_one(tanh, relu, sigmoid, verdict):
    def curves(*steps):
        return np.array([[q7_networks.LEARNT * (0.99 if i >= n else 1) for i in range(20)]
                         for n in steps])

    claim = q7_networks.training_claim(
        {"tanh": curves(1, tanh), "relu": curves(relu, 1), "sigmoid": curves(sigmoid, 15)})
    assert claim.verdict == verdict and claim.as_written.value == max(tanh, relu) - sigmoid
