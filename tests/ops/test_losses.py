"""The losses: PyTorch's numbers to the last printed digit, extreme inputs, clear errors."""

import math
from itertools import product

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor
from minigrad.backend import DeviceError
from minigrad.function import trace
from tests.gpu.cuda_devices import host, open_device
from tests.one_line import one_line

LOGITS = [[1.0, 2.0, 3.0], [1.0, 0.0, -1.0], [0.0, 0.0, 0.0]]
TARGET = [2, -100, 1]


def leaf(values):
    return Tensor(np.array(values, float), requires_grad=True)


@pytest.mark.parametrize("weight, smoothing, expected", [
    (None, 0.0, 0.753109), (None, 0.1, 0.803109), ([1, 2, 4], 0.0, 0.637941),
    ([1, 2, 4], 0.1, 0.654944)])
def test_cross_entropy_has_the_golden_numbers(weight, smoothing, expected):
    for target in (TARGET, np.array(TARGET), Tensor(TARGET)):
        for w in (weight, weight and Tensor(weight)):
            loss = mg.cross_entropy(leaf(LOGITS), target, w, label_smoothing=smoothing)
            assert abs(loss.item() - expected) < 1e-6 and loss.dtype == np.float64


def test_the_gradient_of_cross_entropy_is_softmax_minus_one_hot():
    x = leaf(LOGITS)
    mg.cross_entropy(x, TARGET).backward()
    expected = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    expected[[0, 2], [2, 1]] -= 1
    expected[1] = 0  # ignored
    np.testing.assert_allclose(x.grad.data, expected / 2, rtol=1e-14, atol=1e-16)


def test_an_ignored_batch_has_no_mean():
    x = leaf(LOGITS)
    assert math.isnan(mg.cross_entropy(x, [-100] * 3).item())
    assert mg.cross_entropy(x, [7] * 3, ignore_index=7, reduction="sum").item() == 0
    assert not mg.cross_entropy(x, [-100] * 3, reduction="none").data.any()


def test_extreme_scores_stay_finite():
    x = leaf([[1e4, -1e4], [-1e4, 1e4]])
    loss = mg.cross_entropy(x, [0, 0], reduction="none")
    loss.sum().backward()
    assert loss.data.tolist() == [0, 2e4] and x.grad.data.tolist() == [[0, 0], [-1, 1]]
    x = leaf([1e4, -1e4, 0.0])
    loss = mg.binary_cross_entropy_with_logits(x, Tensor(np.array([0.0, 1.0, 0.5])), "none")
    loss.sum().backward()
    assert loss.data.tolist() == [1e4, 1e4, math.log(2)] and x.grad.data.tolist() == [1, -1, 0]
    x = leaf([1e4, -1e4])
    loss = mg.binary_cross_entropy_with_logits(x, Tensor(np.array([1.0, 0.0])), "none")
    loss.sum().backward()
    assert not loss.data.any() and not x.grad.data.any()


def test_an_impossible_class_of_an_ignored_element_does_not_matter():
    x = leaf([[-math.inf, 1.0, 2.0], [0.0, 1.0, 2.0]])
    loss = mg.cross_entropy(x, [-100, 1])
    loss.backward()
    assert loss.item() == pytest.approx(math.log(1 + math.e + math.exp(-1)), rel=1e-15)
    assert not x.grad.data[0].any() and np.isfinite(x.grad.data).all()


def test_squares_and_reductions():
    x, y = leaf([1.0, 2.0, 4.0]), Tensor(np.zeros(3))
    assert mg.mse_loss(x, y).item() == 7 and mg.mse_loss(x, y, "sum").item() == 21
    assert mg.mse_loss(x, y, "none").data.tolist() == [1, 4, 16]


@pytest.mark.parametrize("act, error, words", [
    (lambda x: mg.cross_entropy(x, [0, 3, 1]), IndexError, ["Target 3 is out of bounds", "0..2"]),
    (lambda x: mg.cross_entropy(x, [0, -1, 1]), IndexError, ["Target -1 is out of bounds"]),
    (lambda x: mg.cross_entropy(x, [0, 1]), ValueError, ["(2,)", "(3, 3)"]),
    (lambda x: mg.cross_entropy(x, np.zeros((3, 1), int)), ValueError, ["(3, 1)", "(3, 3)"]),
    (lambda x: mg.cross_entropy(x[0], [0]), ValueError, ["cross_entropy", "(3,)"]),
    (lambda x: mg.cross_entropy(x, [0.0, 1.0, 2.0]), TypeError, ["integer", "float"]),
    (lambda x: mg.cross_entropy(x, TARGET, [1, 2]), ValueError, ["weight", "(2,)", "3 classes"]),
    (lambda x: mg.cross_entropy(x, TARGET, [1, 2, 3, 4]), ValueError, ["weight", "(4,)"]),
    (lambda x: mg.cross_entropy(x, TARGET, label_smoothing=1.5), ValueError,
     ["label_smoothing", "1.5"]),
    (lambda x: mg.cross_entropy(x, TARGET, reduction="avg"), ValueError, ["reduction", "'avg'"]),
    (lambda x: mg.nll_loss(x, [9, 0, 0]), IndexError, ["Target 9"]),
    (lambda x: mg.mse_loss(x, x[0]), ValueError, ["mse_loss", "(3, 3)", "(3,)"]),
    (lambda x: mg.nll_loss(x[0], [0, 1]), ValueError, ["nll_loss", "(3,)", "(2,)"]),
    (lambda x: mg.cross_entropy(x[0], 3), IndexError, ["Target 3"]),
    (lambda x: mg.cross_entropy(x[0, 0], 0), ValueError, ["cross_entropy", "()"]),
    (lambda x: mg.l1_loss(x, x[0]), ValueError, ["l1_loss", "(3, 3)", "(3,)"]),
    (lambda x: mg.huber_loss(x, x[0]), ValueError, ["huber_loss"]),
    (lambda x: mg.huber_loss(x, x, delta=0), RuntimeError, ["delta", "0"]),
    (lambda x: mg.smooth_l1_loss(x, x, beta=-1.0), RuntimeError, ["beta", "-1.0"]),
    (lambda x: mg.binary_cross_entropy(x, x), RuntimeError, ["between 0 and 1"]),
    (lambda x: mg.binary_cross_entropy(x * 0, x[0]), ValueError, ["(3, 3)", "(3,)"]),
    (lambda x: mg.binary_cross_entropy(x * 0, x, np.ones(2)), ValueError, ["weight", "(2,)"]),
    (lambda x: mg.kl_div(x, x * 0, "batch"), ValueError, ["reduction", "'batch'"]),
    (lambda x: mg.binary_cross_entropy(x * 0, x), RuntimeError, ["target", "between 0 and 1"]),
    (lambda x: mg.pairwise_distance(x, x, 0), ValueError, ["p must not be 0"]),
    (lambda x: mg.binary_cross_entropy_with_logits(x, x[:1]), ValueError, ["(3, 3)", "(1, 3)"])])
def test_what_does_not_fit_is_named(act, error, words):
    with one_line(error, *words):
        act(leaf(LOGITS))


# ---- probabilities, weights ----------------------------------------------------------------------

# torch 2.13's numbers
SCORES = [[0.5, -1.0, 2.0], [0.0, 1.0, -0.5], [1.5, 0.25, 0.75], [-2.0, 0.0, 1.0]]
PROBABILITIES = [[0.2, 0.3, 0.5], [0.7, 0.1, 0.2], [0.0, 1.0, 0.0], [0.25, 0.25, 0.5]]
BINARY = [[0.0, 1.0, 0.5], [0.25, 0.75, 0.0], [1.0, 0.0, 1.0], [0.1, 0.9, 0.6]]
WEIGHT = [1.0, 2.0, 3.0]


@pytest.mark.parametrize("weight, smoothing", [(None, 0.0), (None, 0.1), (WEIGHT, 0.0),
                                               (WEIGHT, 0.1)])
def test_cross_entropy_with_probabilities(weight, smoothing):
    x, q = leaf(SCORES), leaf(PROBABILITIES)
    p = q.data * (1 - smoothing) + smoothing / 3
    logp = SCORES - np.log(np.exp(SCORES).sum(1, keepdims=True))
    each = -(logp * p * (1 if weight is None else weight)).sum(1)
    options = {"weight": weight, "label_smoothing": smoothing}
    np.testing.assert_allclose(mg.cross_entropy(x, q, reduction="none", **options).data, each)
    assert mg.cross_entropy(x, q, reduction="sum", **options).item() == pytest.approx(each.sum())
    loss = mg.cross_entropy(x, q, **options)
    assert loss.item() == pytest.approx(each.mean())
    loss.backward()
    assert q.grad.shape == q.shape
    images = Tensor(np.array(SCORES).reshape(1, 3, 2, 2)), np.full((1, 3, 2, 2), 1 / 3)
    assert mg.cross_entropy(*images, reduction="none").shape == (1, 2, 2)
    assert mg.cross_entropy(*images).item() == pytest.approx(
        mg.cross_entropy(*images, reduction="sum").item() / 4)


def test_one_hot_probabilities_are_classes():
    target = np.array([2, 0, 1, 1])
    a, b = (mg.cross_entropy(leaf(SCORES), t, label_smoothing=0.2).item()
            for t in (target, np.eye(3)[target]))
    assert a == pytest.approx(b)


@pytest.mark.parametrize("weight, pos_weight, mean", [
    (None, None, 0.691026), (None, [0.5, 2.0, 3.0], 0.953937), ([0.5, 2.0, 3.0], None, 1.332701),
    ([0.5, 2.0, 3.0], [0.5, 2.0, 3.0], 2.001617)])
def test_binary_cross_entropy_with_weights(weight, pos_weight, mean):
    x, y = leaf(SCORES), Tensor(np.array(BINARY))
    z, t = np.array(SCORES), np.array(BINARY)
    p, w = (1 if v is None else np.array(v) for v in (pos_weight, weight))
    each = w * (p * t * np.log1p(np.exp(-z)) + (1 - t) * np.log1p(np.exp(z)))
    for wrap in (lambda v: v, lambda v: v and np.array(v), lambda v: v and Tensor(v)):
        options = {"weight": wrap(weight), "pos_weight": wrap(pos_weight)}
        loss = mg.binary_cross_entropy_with_logits(x, y, "none", **options)
        np.testing.assert_allclose(loss.data, each, rtol=1e-6)
    loss = mg.nn.BCEWithLogitsLoss(weight and np.array(weight), pos_weight=pos_weight)
    assert loss(x, y).item() == pytest.approx(each.mean()) == pytest.approx(mean, rel=1e-5)
    assert set(loss.state_dict()) == {name for name, v in (("weight", weight), (
        "pos_weight", pos_weight)) if v is not None}


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.array, Tensor])
def test_numpys_numbers_as_options_do_not_widen_a_loss(kind):
    x, q, y = (np.float32(v) for v in (SCORES, PROBABILITIES, BINARY))
    smoothed = mg.nn.CrossEntropyLoss(label_smoothing=kind(0.25), ignore_index=np.int64(-100))
    assert repr(smoothed) == "CrossEntropyLoss(label_smoothing=0.25)"
    for target in (q, np.array([2, 0, 1, 1])):
        loss = mg.cross_entropy(Tensor(x), target, label_smoothing=kind(0.25))
        assert loss.dtype == smoothed(Tensor(x), target).dtype == np.float32
        assert loss.item() == mg.cross_entropy(Tensor(x), target, label_smoothing=0.25).item()
    loss = mg.nn.BCEWithLogitsLoss(kind(0.5), pos_weight=kind(2))(Tensor(x), y)
    assert loss.dtype == np.float32
    assert loss.item() == mg.binary_cross_entropy_with_logits(
        Tensor(x), y, weight=0.5, pos_weight=2.0).item()


@pytest.mark.parametrize("loss, target", [
    (mg.nn.CrossEntropyLoss(), np.array([2, 0, 1, 1])), (mg.nn.NLLLoss(), np.array([2, 0, 1, 1])),
    (mg.nn.MSELoss(), np.array(BINARY)), (mg.nn.BCEWithLogitsLoss(), np.array(BINARY))])
def test_the_criteria_take_their_arguments_by_pytorchs_names(loss, target):
    assert loss(input=leaf(SCORES), target=target).item() == loss(leaf(SCORES), target).item()


def test_what_the_criteria_say_of_themselves():
    assert repr(mg.nn.BCEWithLogitsLoss(pos_weight=[1.0, 2.0], reduction="sum")) == (
        "BCEWithLogitsLoss(pos_weight=[1.0, 2.0], reduction='sum')")
    assert repr(mg.nn.CrossEntropyLoss(weight=[1.0, 2.0])) == "CrossEntropyLoss(weight=[1.0, 2.0])"


@pytest.mark.parametrize("act, error, words", [
    (lambda x: mg.cross_entropy(x, leaf(PROBABILITIES), ignore_index=1), RuntimeError,
     ["ignore_index", "probabilities"]),
    (lambda x: mg.cross_entropy(x, leaf(PROBABILITIES), [1, 2]), ValueError, ["(2,)", "3 classes"]),
    (lambda x: mg.cross_entropy(x, leaf(PROBABILITIES[:3])), TypeError, ["(3, 3)", "integer"]),
    (lambda x: mg.binary_cross_entropy_with_logits(x, x, pos_weight=[1, 2]), ValueError,
     ["pos_weight", "(2,)", "(4, 3)"]),
    (lambda x: mg.binary_cross_entropy_with_logits(x, x, weight=np.ones((5, 4, 3))), ValueError,
     ["weight", "(5, 4, 3)"])])
def test_what_does_not_fit_probabilities_is_named(act, error, words):
    with one_line(error, *words):
        act(leaf(SCORES))


def test_weights_on_another_device_are_named(monkeypatch):
    xp = open_device("stand-in", monkeypatch)
    x = Tensor(xp.asarray(np.float32(SCORES)))
    for act in (lambda: mg.cross_entropy(x, xp.asarray(np.array([0, 1, 2, 0])), np.ones(3)),
                lambda: mg.binary_cross_entropy_with_logits(x, x, weight=np.ones(3))):
        with one_line(DeviceError, "loss: weight", "on 'cpu'", "on 'cuda'"):
            act()
    weight = Tensor(xp.asarray(np.float64(WEIGHT)))
    loss = mg.cross_entropy(x, xp.asarray(np.array([0, 1, 2, 0])), weight)
    assert loss.dtype == np.float32


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1, "weight": WEIGHT}])
def test_cross_entropy_is_one_op_and_holds_copies(options):
    """What happens to targets and weights afterwards does not reach the gradient."""
    target, grads = np.array([0, 1, 2, -100]), []
    options = {name: np.array(value) for name, value in options.items()} | {
        "label_smoothing": options.get("label_smoothing", 0)}
    for spoil in (False, True):
        x, spoilt = leaf(SCORES), {**options, "weight": options.get("weight", np.ones(3)).copy()}
        with trace() as calls:
            loss = mg.cross_entropy(x, target, **spoilt)
        assert [call.function.name for call in calls] == ["CrossEntropy"]
        if spoil:
            target[:], spoilt["weight"][:] = 1, 7
        loss.backward()
        grads.append(x.grad.data)
    np.testing.assert_array_equal(*grads)


@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 2, 2)])
def test_cross_entropy_on_the_gpu_takes_every_option(monkeypatch, shape):
    """Also those that its kernel does not know, with class numbers on the host or on the GPU."""
    xp = open_device("stand-in", monkeypatch)
    rng = np.random.default_rng(0)
    scores, target = rng.standard_normal(shape), rng.integers(0, 3, (shape[0], *shape[2:]))
    target.reshape(-1)[0] = -100
    for weight, classes in product((None, np.array(WEIGHT, float)), (target, xp.asarray(target))):
        here, there = leaf(scores), Tensor(xp.asarray(scores), requires_grad=True)
        want = mg.cross_entropy(here, target, weight, label_smoothing=0.1)
        got = mg.cross_entropy(there, classes, None if weight is None else xp.asarray(weight),
                               label_smoothing=0.1)
        want.backward()
        got.backward()
        np.testing.assert_allclose(host(got.data), want.data, rtol=1e-12)
        np.testing.assert_allclose(host(there.grad.data), here.grad.data, rtol=1e-9, atol=1e-12)


# ---- the other losses ----------------------------------------------------------------------------

@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_one_row_is_a_batch_of_one(reduction, weight):
    for target in (1, np.array(1), Tensor(1)):
        for loss in (mg.cross_entropy, mg.nll_loss):
            x, batch = leaf(SCORES[0]), leaf(SCORES[:1])
            y = loss(x, target, weight, reduction=reduction)
            whole = loss(batch, [1], weight, reduction=reduction)
            assert y.shape == () and y.item() == whole.item()
            y.backward()
            whole.sum().backward()
            assert (x.grad.data == batch.grad.data[0]).all()
    soft = mg.cross_entropy(leaf(SCORES[0]), leaf(PROBABILITIES[0]), weight, reduction=reduction)
    assert soft.shape == () and soft.item() == mg.cross_entropy(
        leaf(SCORES[:1]), leaf(PROBABILITIES[:1]), weight, reduction="sum").item()


def test_probabilities_of_0_and_1_have_finite_losses_and_gradients():
    p, t = leaf([0.0, 1.0, 0.0, 1.0]), Tensor(np.array([1.0, 0.0, 0.0, 1.0]))
    loss = mg.binary_cross_entropy(p, t, reduction="none")
    loss.sum().backward()
    assert loss.data.tolist() == [100, 100, 0, 0]
    assert p.grad.data.tolist() == [-1e12, 1e12, 0, 0]


def test_losses_by_hand():
    x, y = leaf([0.0, 0.5, -3.0]), Tensor(np.zeros(3))
    assert mg.l1_loss(x, y, "none").data.tolist() == [0, 0.5, 3]
    assert mg.huber_loss(x, y, "none", 2.0).data.tolist() == [0, 0.125, 4]
    assert mg.smooth_l1_loss(x, y, "none", 2.0).data.tolist() == [0, 0.0625, 2]
    mg.huber_loss(x, y, "sum", 2.0).backward()
    assert x.grad.data.tolist() == [0, 0.5, -2]
    p, q = Tensor(np.log([0.5, 0.25, 0.25])), Tensor(np.array([0.5, 0.5, 0.0]))
    assert mg.kl_div(p, q, "sum").item() == pytest.approx(0.5 * math.log(2))
    assert mg.cosine_similarity(leaf([[3.0, 4.0]]), leaf([[4.0, 3.0]])).item() == pytest.approx(.96)
    assert mg.pairwise_distance(leaf([[3.0, 4.0]]), leaf([[0.0, 0.0]]), math.inf, 0).item() == 4


def test_gradients_at_infinity_and_at_no_distance():
    x = leaf([math.inf, -math.inf])
    mg.huber_loss(x, Tensor(np.zeros(2)), "sum").backward()
    assert x.grad.data.tolist() == [1, -1]
    for f in (lambda a, b: mg.pairwise_distance(a, b, 2.0, 0.0),
              lambda a, b: mg.pairwise_distance(a, b, 3.0, 0.0),
              lambda a, b: mg.cosine_similarity(a, b * 0)):
        a, b = leaf([[1.0, 2.0]]), leaf([[1.0, 2.0]])
        f(a, b).sum().backward()
        assert np.isfinite(a.grad.data).all() and np.isfinite(b.grad.data).all()
