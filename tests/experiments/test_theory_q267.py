"""Questions 2, 6 and 7: the documented verdicts, and that each claim notices what breaks it."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure

import minigrad as mg
from experiments.claims import CORRECTED, HOLDS, OPEN, WRONG
from experiments.settings import Settings
from experiments.theory import q2_collapse as q2
from experiments.theory import q6_memory
from experiments.theory import q6_sigmoid as q6
from experiments.theory import q7_networks
from experiments.theory import q7_tanh as q7
from minigrad import nn

DOCUMENTED = {
    "q2.collapse": HOLDS, "q2.weights": HOLDS, "q2.index": CORRECTED, "q2.wlog": CORRECTED,
    "q2.nonlinear": HOLDS,
    "q6.formula": HOLDS, "q6.half": CORRECTED, "q6.indices": CORRECTED, "q6.sigmoid": HOLDS,
    "q6.tanh": HOLDS, "q6.relu": HOLDS, "q6.memory": HOLDS, "q6.limits": HOLDS,
    "q7.codomain": HOLDS, "q7.derivative": HOLDS, "q7.centre": HOLDS, "q7.smaller": CORRECTED,
    "q7.relu": CORRECTED, "q7.training": HOLDS, "q7.speed": WRONG}


def verdicts(answer):
    return {claim.id: claim.verdict for claim in answer.claims}


@pytest.fixture(scope="module")
def answers():
    return [question.verify(Settings()) for question in (q2, q6, q7)]


# --- as documented -------------------------------------------------------------------------------

def test_every_verdict_is_the_documented_one(answers):
    assert {k: v for answer in answers for k, v in verdicts(answer).items()} == DOCUMENTED
    assert all(claim.as_documented for answer in answers for claim in answer.claims)


def test_answers_have_a_short_story_and_figures_with_captions(answers):
    for answer in answers:
        assert 3 <= len(answer.story) <= 6
        assert 1 <= len(answer.figures) <= 2 and answer.figures.keys() == answer.captions.keys()


def test_figures_show_finite_data_on_labelled_axes(answers):
    for draw in [draw for answer in answers for draw in answer.figures.values()]:
        figure = draw()
        assert isinstance(figure, Figure)
        figure.savefig(io.BytesIO(), format="svg")
        for axes in figure.axes:
            assert axes.get_ylabel() and (axes.lines or axes.patches)
            assert all(np.isfinite(line.get_xydata()).all() for line in axes.lines)


def test_the_seed_fixes_every_check(monkeypatch):
    shrink(monkeypatch)

    def measured(seed):
        return [[(check.name, check.value) for claim in question.verify(Settings(seed)).claims
                 for check in claim.checks] for question in (q2, q6, q7)]

    assert measured(5) == measured(5)
    assert all(a != b for a, b in zip(measured(5)[:2], measured(6)))


def shrink(monkeypatch):
    """Make the networks few and shallow, where only the machinery is under test."""
    monkeypatch.setattr(q2, "NETS", 18)
    monkeypatch.setattr(q6_memory, "DEPTH", 2)
    for name, value in {"DEPTHS": (5, 10), "DRAWS": 1, "RUNS": 1, "STEPS": 5, "ROUNDS": 3}.items():
        monkeypatch.setattr(q7_networks, name, value)


# --- question 2 notices --------------------------------------------------------------------------

def ask_q2(monkeypatch):
    monkeypatch.setattr(q2, "NETS", 27)
    return verdicts(q2.verify(Settings(seed=3)))


def test_q2_activations_that_are_not_linear(monkeypatch):
    monkeypatch.setattr(q2.Slope, "forward", lambda self, x: mg.tanh(self.c * x))
    assert ask_q2(monkeypatch)["q2.collapse"] != HOLDS


def test_q2_a_slope_left_out_when_composing(monkeypatch):
    compose = q2.compose
    monkeypatch.setattr(q2, "compose", lambda layers, slopes: compose(layers, [1, *slopes[1:]]))
    got = ask_q2(monkeypatch)
    assert got["q2.collapse"] == OPEN and got["q2.weights"] == HOLDS


def test_q2_a_wrong_jacobian(monkeypatch):
    monkeypatch.setattr(mg, "jacobian", lambda f, x, right=mg.jacobian: right(f, x) * (1 + 1e-9))
    got = ask_q2(monkeypatch)
    assert got["q2.collapse"] == OPEN and got["q2.weights"] == WRONG


def test_q2_a_sum_printed_correctly(monkeypatch):
    monkeypatch.setattr(q2, "printed_indices", lambda n: list(range(n, 0, -1)))
    assert ask_q2(monkeypatch)["q2.index"] == HOLDS


def test_q2_a_sum_in_the_wrong_order(monkeypatch):
    monkeypatch.setattr(q2, "written_sum",
                        lambda layers, indices, f=q2.written_sum: 2 * f(layers, indices))
    assert ask_q2(monkeypatch)["q2.index"] == OPEN


def test_q2_biases_that_pass_every_slope(monkeypatch):
    def only_the_first_bias(sizes, rng, f=q2.random_layers):
        first, *rest = f(sizes, rng)
        return [first, *(q2.affine(layer.weight.data, 0 * layer.bias.data) for layer in rest)]

    monkeypatch.setattr(q2, "random_layers", only_the_first_bias)
    assert ask_q2(monkeypatch)["q2.wlog"] == HOLDS


def test_q2_activations_that_bend_nothing(monkeypatch):
    for layer in (nn.ReLU, nn.Tanh):
        monkeypatch.setattr(layer, "forward", lambda self, x: x * 0.5)
    assert ask_q2(monkeypatch)["q2.nonlinear"] == WRONG


def test_q2_printed_indices():
    assert [q2.printed_indices(n) for n in (1, 2, 4)] == [[1], [2, 3], [4, 5, 2, 1]]


# --- question 6 notices --------------------------------------------------------------------------

def ask_q6(monkeypatch):
    monkeypatch.setattr(q6_memory, "DEPTH", 2)
    return verdicts(q6.verify(Settings(seed=3)))


def keeping_input(name):
    activation = q6.ACTIVATIONS[name]
    return activation._replace(op=lambda x: activation.twin()(x))


@pytest.mark.parametrize("name", q6.ACTIVATIONS)
def test_q6_an_op_that_keeps_its_input(name, monkeypatch):
    monkeypatch.setitem(q6.ACTIVATIONS, name, keeping_input(name))
    got = ask_q6(monkeypatch)
    assert got[f"q6.{name.lower()}"] != HOLDS and got["q6.memory"] == WRONG


@pytest.mark.parametrize("name", q6.ACTIVATIONS)
def test_q6_an_input_that_stays_in_memory(name, monkeypatch):
    held = []
    op = q6.ACTIVATIONS[name].op
    monkeypatch.setitem(q6.ACTIVATIONS, name, q6.ACTIVATIONS[name]._replace(
        op=lambda x: held.append(x.data) or op(x)))
    assert ask_q6(monkeypatch)[f"q6.{name.lower()}"] == OPEN


def test_q6_a_wrong_slope(monkeypatch):
    class Wrong(mg.Function):
        def forward(self, x):
            return np.tanh(x)

        def backward(self, gy, y):
            return gy * (1 - y * y) * (1 + 1e-12)

    monkeypatch.setitem(q6.ACTIVATIONS, "tanh",
                        q6.ACTIVATIONS["tanh"]._replace(op=lambda x: Wrong()(x)))
    assert ask_q6(monkeypatch)["q6.tanh"] == OPEN


def test_q6_another_activation_than_the_logistic(monkeypatch):
    monkeypatch.setattr(mg, "sigmoid", mg.tanh)
    got = ask_q6(monkeypatch)
    assert got["q6.formula"] == WRONG and got["q6.half"] == got["q6.indices"] == OPEN


def test_q6_a_wrong_jacobian(monkeypatch):
    monkeypatch.setattr(mg, "jacobian", lambda f, x, right=mg.jacobian: right(f, x) * (1 + 1e-9))
    assert ask_q6(monkeypatch)["q6.formula"] == OPEN


def test_q6_an_activation_for_which_the_half_is_right(monkeypatch):
    monkeypatch.setattr(mg, "sigmoid", lambda x, s=mg.sigmoid: s(x / 2))
    assert ask_q6(monkeypatch)["q6.half"] == HOLDS


def test_q6_indices_that_a_symmetric_matrix_cannot_tell_apart():
    rng = np.random.default_rng(0)

    def normal(mean, std, shape):
        a = rng.normal(mean, std, shape)
        return a + a.T

    indices = next(c for c in q6._layer(SimpleNamespace(normal=normal)) if c.id == "q6.indices")
    assert indices.verdict == HOLDS


def test_q6_memory_that_the_graph_does_not_explain(monkeypatch):
    monkeypatch.setattr(q6_memory, "kept_bytes",
                        lambda loss, besides, f=q6_memory.kept_bytes: f(loss, besides) // 2)
    assert ask_q6(monkeypatch)["q6.memory"] == OPEN


@pytest.mark.parametrize("pair", ["SIN_PAIR", "SQUARE_PAIR"])
def test_q6_inputs_that_share_their_slope(pair, monkeypatch):
    monkeypatch.setattr(q6, pair, (0.5, 0.5))
    assert ask_q6(monkeypatch)["q6.limits"] == WRONG


def test_q6_buffers_are_counted_once_and_masks_are_counted():
    x = mg.Tensor(np.ones((8, 16)), requires_grad=True)
    inner = x + 1.0
    assert q6_memory.kept_bytes((inner * inner.reshape(16, 8).reshape(8, 16)).sum(), []) == 8 * 128
    assert q6_memory.kept_bytes(mg.dropout(x, 0.5).sum(), []) == 128      # booleans
    assert q6_memory.kept_bytes((x * x).sum(), [x]) == 0


# --- question 7 notices --------------------------------------------------------------------------

def test_q7_a_function_that_reaches_the_ends_on_paper(monkeypatch):
    monkeypatch.setattr(q7, "margins", lambda x: (0.0, 0.1))
    assert q7._codomain(ROUNDED).verdict == WRONG


def test_q7_a_tanh_beyond_1(monkeypatch):
    monkeypatch.setattr(mg, "tanh", lambda x, f=mg.tanh: f(x) * (1 + 1e-15))
    assert q7._codomain(ROUNDED).verdict == OPEN


def test_q7_a_derivative_with_another_factor(monkeypatch):
    monkeypatch.setattr(q7, "from_logistic", lambda x, f=q7.from_logistic: f(x) * (1 + 1e-14))
    assert q7._derivative().verdict == WRONG


def test_q7_a_logistic_function_that_overflows(monkeypatch):
    monkeypatch.setattr(mg, "sigmoid", lambda x: 1 / (1 + mg.exp(-x)))
    claim = q7._derivative()
    assert claim.as_written.passed and claim.verdict == OPEN


def test_q7_a_centre_that_reaches_too_far(monkeypatch):
    monkeypatch.setattr(q7, "CENTRE", 1.1)
    assert q7._centre(q7.TWICE).verdict == WRONG


def test_q7_a_slope_that_is_greater_everywhere(monkeypatch):
    monkeypatch.setattr(q7, "slope_ratio", lambda x: 4 * np.ones_like(x))
    assert q7._smaller(q7.EQUAL).verdict == HOLDS


def test_q7_crossings_at_other_places():
    assert q7._centre(q7.TWICE + 1e-9).verdict == OPEN
    assert q7._smaller(q7.EQUAL + 1e-9).verdict == OPEN


def test_q7_gains_that_do_not_suit_the_activation(monkeypatch):
    monkeypatch.setattr(nn.init, "calculate_gain", lambda *_: 1.0)
    monkeypatch.setattr(q7_networks, "DEPTHS", (50,))
    monkeypatch.setattr(q7_networks, "DRAWS", 1)
    assert q7_networks.relu_claim(q7_networks.propagate(0)).verdict == OPEN


def test_q7_a_relu_that_needs_no_weights_of_its_own(monkeypatch):
    monkeypatch.setitem(q7_networks.LAYERS, "relu", lambda: q2.Slope(1.0))
    monkeypatch.setattr(q7_networks, "DEPTHS", (50,))
    monkeypatch.setattr(q7_networks, "DRAWS", 1)
    assert q7_networks.relu_claim(q7_networks.propagate(0)).verdict == HOLDS


def test_q7_a_logistic_network_that_learns_as_fast(monkeypatch):
    monkeypatch.setitem(q7_networks.LAYERS, "sigmoid", nn.Tanh)
    monkeypatch.setattr(q7_networks, "RUNS", 2)
    assert q7_networks.training_claim(q7_networks.train_all(0)).verdict == WRONG


@pytest.mark.parametrize("factor", [0.5, 1.5])
def test_q7_speed_is_told_and_does_not_decide(factor):
    forward = {"tanh": np.array([1.0, 2.0, 9.0]), "textbook_sigmoid": np.ones(3)}
    times = {**forward, "sigmoid": factor * forward["tanh"]}
    claim = q7_networks.speed_claim(q7_networks.Timing(times, times))
    assert claim.verdict == WRONG and f"forward {factor} times tanh's time" in claim.measured


def test_q7_a_tanh_of_two_exponentials_would_be_slower(monkeypatch):
    monkeypatch.setattr(q7_networks, "rescaled_logistic", lambda x, exp: (
        (exp(x) - exp(-x)) / (exp(x) + exp(-x))))
    times = {name: np.ones(3) for name in ("tanh", "sigmoid", "textbook_sigmoid")}
    assert q7_networks.exponentials(q7_networks.rescaled_logistic) == 4
    assert q7_networks.speed_claim(q7_networks.Timing(times, times)).verdict == HOLDS


def test_q7_steps_to_learn_counts_runs_that_never_do(monkeypatch):
    monkeypatch.setattr(q7_networks, "STEPS", 3)
    losses = np.array([[0.5, 0.05, 0.5], [0.5, 0.5, 0.5], [0.01, 0.5, 0.5]])
    assert q7_networks.steps_to_learn(losses).tolist() == [1, 3, 0]


def test_q7_bisection_ends_at_the_first_number_that_qualifies():
    assert q7.first(lambda x: x >= 1 / 3, 0.0, 1.0) == 1 / 3
    with pytest.raises(ValueError, match="must change from false to true"):
        q7.first(lambda x: x > 2, 0.0, 1.0)


ROUNDED = {"tanh_is_1_from_x": 19.0, "logistic_is_1_from_x": 37.0}
