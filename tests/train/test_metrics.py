"""Metrics against counting by hand; batches of different sizes."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad import Tensor, cross_entropy, manual_seed, mse_loss, nn
from minigrad.data import ArrayDataset, DataLoader
from minigrad.optim import SGD
from minigrad.train import (F1, Accuracy, ConfusionMatrix, MeanLoss, Metric, Precision, Recall,
                            TopK, evaluate, fit)
from minigrad.train.folder import checkpoint
from tests.gpu.cuda_devices import DEVICES
from tests.one_line import one_line

OUTPUT = np.array([[3, 1, 2], [1, 3, 2], [0, 0, 0], [1, 2, 3], [2, 1, 3]], np.float32)
TARGET = np.array([0, 1, 0, 1, 2])          # predicted: 0, 1, 0 (the first of equals), 2, 2


def counted(metric, sizes, output=OUTPUT, target=TARGET):
    """The figure after batches of these sizes."""
    start = 0
    for size in sizes:
        metric.update(Tensor(output[start:start + size]), target[start:start + size])
        start += size
    return metric.compute()


@pytest.mark.parametrize("sizes", [[5], [2, 2, 1], [4, 1], [1] * 5, [3, 2]])
def test_every_sample_counts_the_same_however_it_is_batched(sizes):
    assert counted(Accuracy(), sizes) == 4 / 5
    loss = counted(MeanLoss(), sizes)
    assert math.isclose(loss, float(cross_entropy(Tensor(OUTPUT), TARGET)), rel_tol=1e-6)
    matrix = counted(ConfusionMatrix(3), sizes)
    assert matrix.tolist() == [[2, 0, 0], [0, 1, 1], [0, 0, 1]]


def test_a_mean_of_batch_means_would_be_another():
    """What MeanLoss and Accuracy must not do: this control would pass otherwise."""
    batches = [counted(Accuracy(), [4]), counted(Accuracy(), [1], OUTPUT[4:], TARGET[4:])]
    assert np.mean(batches) != counted(Accuracy(), [4, 1])


def test_another_loss():
    def loss(output, target):
        return mse_loss(output, np.eye(3, dtype=np.float32)[target])

    expected = ((OUTPUT - np.eye(3)[TARGET])**2).mean()
    assert math.isclose(counted(MeanLoss(loss), [3, 2]), expected, rel_tol=1e-6)


@pytest.mark.parametrize("metric", [Accuracy(), MeanLoss(), TopK(2), F1(), Recall(None)])
def test_no_samples_have_no_mean(metric):
    with one_line(ValueError, type(metric).__name__, "no samples"):
        metric.compute()


@pytest.mark.parametrize("metric", [Accuracy(), ConfusionMatrix(3), TopK(1), Precision()])
def test_shapes_that_do_not_fit(metric):
    with one_line(ValueError, "output (N, classes)", "(5, 3)", "(4,)"):
        metric.update(Tensor(OUTPUT), TARGET[:4])
    with one_line(ValueError, "(5,)"):
        metric.update(Tensor(OUTPUT[:, 0]), TARGET)


def test_a_matrix_of_another_size():
    with one_line(ValueError, "ConfusionMatrix(4)", "3 outputs"):
        ConfusionMatrix(4).update(Tensor(OUTPUT), TARGET)
    with one_line(ValueError, "ConfusionMatrix(3)", "0 to 3"):
        ConfusionMatrix(3).update(Tensor(OUTPUT), TARGET + [0, 0, 0, 2, 0])
    with one_line(ValueError, "-1 to"):
        ConfusionMatrix(3).update(Tensor(OUTPUT), TARGET - [1, 0, 0, 0, 0])


def test_state_goes_over_to_a_new_object():
    for make in (Accuracy, MeanLoss, lambda: ConfusionMatrix(3), lambda: TopK(2), Precision, Recall,
                 lambda: F1(average=None)):
        metric, other = make(), make()
        metric.update(Tensor(OUTPUT[:2]), TARGET[:2])
        other.load_state_dict(metric.state_dict())
        before = np.sum(other.compute())
        metric.update(Tensor(OUTPUT[2:]), TARGET[2:])
        assert np.sum(other.compute()) == before, "the two share their counts"
        other.update(Tensor(OUTPUT[2:]), TARGET[2:])
        assert np.array_equal(metric.compute(), other.compute())


class Holding(Metric):
    def __init__(self, value=None):
        self.value, self.loss = value, cross_entropy


@pytest.mark.parametrize("value", [
    3, 0.5, True, "text", None, np.int64(3), np.float32(0.1), np.float64(0.1), np.bool_(True),
    np.arange(3), np.array(2.5), [1, [np.float32(2)]], (1, (np.int8(2), "x")),
    {"pug": np.float32(0.1), "others": (1, [2])}, [], {}], ids=repr)
def test_values_and_their_types_go_through_a_checkpoint(tmp_path, value):
    checkpoint.write(tmp_path / "x", Holding(value).state_dict())
    metric = Holding()
    metric.load_state_dict(checkpoint.read(tmp_path / "x"))
    assert repr(metric.value) == repr(value) and metric.loss is cross_entropy


@pytest.mark.parametrize("xp", DEVICES, indirect=True)
def test_arrays_go_back_to_the_gpu(xp, tmp_path):
    checkpoint.write(tmp_path / "x", Holding([xp.arange(3), xp.arange(3).sum()]).state_dict())
    metric = Holding()
    metric.load_state_dict(checkpoint.read(tmp_path / "x"))
    assert all(isinstance(x, xp.ndarray) for x in metric.value)
    assert [x.get().tolist() for x in metric.value] == [[0, 1, 2], 3]


@pytest.mark.parametrize("value, where", [
    (Tensor(np.zeros(1)), "value is a Tensor"), ({1, 2}, "value is a set"),
    (Counter("a"), "value is a Counter"), ({"a": [0, {1: 2}]}, "value['a'][1] is a dict")])
def test_what_a_checkpoint_cannot_hold_is_named_before_training(tmp_path, value, where):
    model = nn.Linear(1, 3)
    with one_line(TypeError, f"Holding.{where}"):
        fit(model, loader(), epochs=1, optimizer=SGD(model.parameters(), lr=0.1),
            metrics={"x": lambda: Holding(value)}, folder=tmp_path / "run")
    assert not list(tmp_path.iterdir())


# TopK, precision, recall, F1

def test_top_k_looks_for_the_target_among_the_k_largest():
    assert [counted(TopK(k), [2, 3]) for k in (1, 2, 3)] == [4 / 5, 1.0, 1.0]
    ties = np.array([[1, 1, 1, 0]] * 4, np.float32)
    assert [counted(TopK(k), [4], ties, np.arange(4)) for k in (1, 2, 3, 4)] == [
        0.25, 0.5, 0.75, 1.0]


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_top_k_sorts_as_a_stable_sort_does(samples, classes, seed):
    rng = np.random.default_rng(seed)
    output = rng.integers(0, 3, (samples, classes)).astype(np.float32)      # ties abound
    target = rng.integers(0, classes, samples)
    for k in range(1, classes + 1):
        best = np.argsort(-output, 1, kind="stable")[:, :k]
        expected = np.mean([t in row for t, row in zip(target, best)])
        assert math.isclose(counted(TopK(k), [samples], output, target), expected)
    assert counted(TopK(1), [samples], output, target) == counted(
        Accuracy(), [samples], output, target)


@pytest.mark.parametrize("xp", DEVICES, indirect=True)
def test_top_k_where_the_output_is(xp):
    metric = TopK(2)
    metric.update(Tensor(xp.asarray(OUTPUT)), xp.asarray(TARGET))
    metric.update(Tensor(xp.asarray(OUTPUT)), TARGET - TARGET)
    assert metric.correct == 5 + 3 and type(metric.correct) is int and metric.total == 10


def test_a_k_that_cannot_be():
    for k in (0, -1, 1.0, "5"):
        with one_line(ValueError, "TopK", repr(k)):
            TopK(k)
    with one_line(ValueError, "TopK(4)", "3 outputs"):
        TopK(4).update(Tensor(OUTPUT), TARGET)
    with one_line(ValueError, "TopK(2)", "0 to 3"):
        TopK(2).update(Tensor(OUTPUT), TARGET + [0, 0, 0, 2, 0])
    with one_line(ValueError, "-1 to"):
        TopK(2).update(Tensor(OUTPUT), TARGET - 1)


SHARES = (Precision, Recall, F1)
# 4 classes: of class 0 two right of three; one of class 1 taken for 0; class 2 is guessed once and
# never a target; class 3 neither.
GUESSES, TRUTH = np.array([0, 0, 2, 0, 1]), np.array([0, 0, 0, 1, 1])
BY_HAND = {         # each class; macro over three; micro; weighted by 3 and 2 of 5
    Precision: ([2 / 3, 1, 0, 0], (2 / 3 + 1 + 0) / 3, 3 / 5, (3 * 2 / 3 + 2 * 1) / 5),
    Recall: ([2 / 3, 1 / 2, 0, 0], (2 / 3 + 1 / 2 + 0) / 3, 3 / 5, (3 * 2 / 3 + 2 * 1 / 2) / 5),
    F1: ([2 / 3, 2 / 3, 0, 0], (2 / 3 + 2 / 3 + 0) / 3, 3 / 5, 2 / 3)}


@pytest.mark.parametrize("kind", SHARES)
def test_shares_of_a_matrix_counted_by_hand(kind):
    output = np.eye(4, dtype=np.float32)[GUESSES]
    each, *means = BY_HAND[kind]
    got = counted(kind(average=None), [2, 3], output, TRUTH)
    assert np.allclose(got, each) and got.dtype == np.float64
    for average, mean in zip(("macro", "micro", "weighted"), means):
        got = counted(kind(average), [2, 3], output, TRUTH)
        assert math.isclose(got, mean) and type(got) is float
    assert counted(kind(), [5], output, TRUTH) == counted(kind("macro"), [5], output, TRUTH)


@given(st.integers(1, 5), st.data())
def test_shares_by_their_definitions(classes, data):
    """Class by class and sample by sample, without a matrix."""
    pairs = data.draw(st.lists(st.tuples(*[st.integers(0, classes - 1)] * 2), min_size=1))
    guesses, target = np.array(pairs).T
    output = np.eye(classes, dtype=np.float32)[guesses]

    def got(kind, average):
        return counted(kind(average), [len(pairs)], output, target)

    precision, recall, f1, support, occurs = [], [], [], [], []
    for c in range(classes):
        right = sum(g == t == c for g, t in pairs)
        guessed, there = (sum(pair[i] == c for pair in pairs) for i in (0, 1))
        precision.append(right / guessed if guessed else 0)
        recall.append(right / there if there else 0)
        both = precision[-1] + recall[-1]
        f1.append(2 * precision[-1] * recall[-1] / both if both else 0)
        support.append(there)
        occurs.append(guessed + there > 0)
    accuracy = counted(Accuracy(), [len(pairs)], output, target)
    for kind, each in zip(SHARES, (precision, recall, f1)):
        assert np.allclose(got(kind, None), each)
        assert math.isclose(got(kind, "macro"), sum(each) / sum(occurs), abs_tol=1e-12)
        assert math.isclose(got(kind, "weighted"), np.dot(each, support) / len(pairs),
                            abs_tol=1e-12)
        assert math.isclose(got(kind, "micro"), accuracy)


def test_only_a_mean_can_be_watched():
    assert F1().single and Precision("micro").single and not Recall(average=None).single
    with one_line(ValueError, "Recall", "'macro'", "None", "'mean'"):
        Recall("mean")
    with one_line(ValueError, "F1", "4 outputs, not 3"):
        metric = F1()
        counted(metric, [5])
        metric.update(Tensor(np.zeros((1, 4), np.float32)), np.array([0]))
    with one_line(ValueError, "Precision", "3 to 3"):
        Precision().update(Tensor(OUTPUT), TARGET * 0 + 3)


def test_fit_takes_them_and_their_state_goes_through_a_checkpoint(tmp_path):
    metric = F1(average=None)
    metric.update(Tensor(OUTPUT[:3]), TARGET[:3])
    checkpoint.write(tmp_path / "x", metric.state_dict())
    other = F1(average=None)
    other.load_state_dict(checkpoint.read(tmp_path / "x"))
    for each in (metric, other):
        each.update(Tensor(OUTPUT[3:]), TARGET[3:])
    assert np.array_equal(metric.compute(), other.compute())
    model = nn.Linear(1, 3)
    history = fit(model, loader(), epochs=1, optimizer=SGD(model.parameters(), lr=0.1),
                  metrics={"f1": F1, "top2": lambda: TopK(2), "each": lambda: Recall(None)},
                  monitor="train.f1", folder=tmp_path / "run", progress=False)
    assert len(history[0]["train"]["each"]) == 3 and 0 <= history[0]["train"]["f1"] <= 1


# evaluate

class Always(nn.Module):
    """Predicts one class."""

    def __init__(self, label):
        self.label = label
        self.weight = nn.Parameter(np.ones(1, np.float32))

    def forward(self, x):
        return Tensor(np.eye(3, dtype=np.float32)[[self.label] * len(x)]) * self.weight


def loader(count=10, batch_size=4, classes=3):
    x = np.zeros((count, 1), np.float32)
    return DataLoader(ArrayDataset(x, np.arange(count) % classes), batch_size, workers=0)


def test_one_model_s_counts_do_not_run_on_into_the_next():
    """The mistake of the coursework: its second figure was the mean of the first two."""
    metrics, data = {"accuracy": Accuracy, "matrix": lambda: ConfusionMatrix(3)}, loader()
    for _ in range(2):
        for label, share in enumerate((0.4, 0.3, 0.3)):
            figures = evaluate(Always(label), data, metrics)
            assert figures["accuracy"] == share and figures["matrix"].sum() == 10
            assert (figures["matrix"].sum(0) == np.eye(3)[label] * 10).all()


def test_an_object_that_would_carry_counts_along_is_refused():
    with one_line(TypeError, "'accuracy'", "Accuracy", "pass a class"):
        evaluate(Always(0), loader(), {"accuracy": Accuracy()})
    with one_line(TypeError, "'x'", "dict", "no Metric"):
        evaluate(Always(0), loader(), {"x": dict})


def test_it_uses_eval_mode_and_leaves_every_layer_as_it_was():
    manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 3), nn.BatchNorm1d(3), nn.Dropout(0.9))
    model.train()
    model[1].eval()
    before = {name: x.copy() for name, x in model.state_dict().items()}
    first = evaluate(model, loader())
    assert first == evaluate(model, loader()) and set(first) == {"loss", "accuracy"}
    assert [module.training for _, module in model.named_modules()] == [True, True, False, True]
    assert all(np.array_equal(before[name], x) for name, x in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_modes_come_back_after_an_error():
    model = Always(0)

    class Broken(Metric):
        def update(self, output, target):
            raise RuntimeError("broken")

    with one_line(RuntimeError, "broken"):
        evaluate(model, loader(), {"x": Broken})
    assert model.training


def test_the_output_needs_no_graph():
    class NoGraph(Accuracy):
        def update(self, output, target):
            assert not output.requires_grad
            super().update(output, target)

    assert evaluate(Always(1), loader(), {"accuracy": NoGraph}) == {"accuracy": 0.3}


class Seen(Metric):
    """The inputs, in their order."""

    def __init__(self):
        self.targets = []

    def update(self, output, target):
        self.targets += target.tolist()

    def compute(self):
        return self.targets


def test_it_sees_a_whole_epoch_and_leaves_the_loader_where_it_was():
    data = DataLoader(ArrayDataset(np.zeros((10, 1), np.float32), np.arange(10) % 3), 4,
                      workers=0, shuffle=True)

    def seen(stop_at=None):
        def each(done, meters):
            if done == stop_at:
                raise KeyboardInterrupt
        return evaluate(Always(1), data, {"seen": Seen}, each)["seen"]

    whole = seen()
    assert len(whole) == 10 and (data.epoch, data.position) == (0, 0)
    with pytest.raises(KeyboardInterrupt):
        seen(stop_at=2)
    assert seen() == whole
    next(iter(data))
    assert seen() == whole and (data.epoch, data.position) == (0, 1)
    rest = [label for _, y in data for label in y.data.tolist()]
    assert rest == whole[4:] and (data.epoch, data.position) == (1, 0)
    assert seen() != whole, "another epoch, another order"


def test_a_float64_model_gets_float64():
    model = nn.Linear(1, 3).to("float64")
    assert math.isfinite(evaluate(model, loader())["loss"])
