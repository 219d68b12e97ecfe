"""Metrics against counting by hand; batches of different sizes; intervals against Wilson's."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad import Tensor, cross_entropy, manual_seed, mse_loss, nn
from minigrad.data import ArrayDataset, DataLoader
from minigrad.optim import SGD
from minigrad.train import Accuracy, ConfusionMatrix, MeanLoss, Metric, checkpoint, evaluate, fit
from minigrad.train import wilson
from tests.cuda_devices import DEVICES
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


@pytest.mark.parametrize("metric", [Accuracy(), MeanLoss()])
def test_no_samples_have_no_mean(metric):
    with one_line(ValueError, type(metric).__name__, "no samples"):
        metric.compute()


@pytest.mark.parametrize("metric", [Accuracy(), ConfusionMatrix(3)])
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
    for make in (Accuracy, MeanLoss, lambda: ConfusionMatrix(3)):
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
    rest = [label for _, y in data for label in y.tolist()]
    assert rest == whole[4:] and (data.epoch, data.position) == (1, 0)
    assert seen() != whole, "another epoch, another order"


def test_a_float64_model_gets_float64():
    model = nn.Linear(1, 3).to("float64")
    assert math.isfinite(evaluate(model, loader())["loss"])


# wilson

@pytest.mark.parametrize("correct, total, low, high", [
    (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611),
    (1, 29, 0.0061, 0.1718), (29, 29, 0.8830, 1.0)])
def test_wilson_gives_the_published_intervals(correct, total, low, high):
    """R. G. Newcombe, Statistics in Medicine 17, 1998, table I, method 3; the last by symmetry."""
    got = wilson(correct, total)
    assert np.allclose(got, (low, high), rtol=0, atol=5.1e-5)


@given(st.integers(1, 10**6), st.floats(0, 1), st.floats(0.5, 0.999))
def test_wilson_s_ends_are_as_far_from_the_share_as_its_equation_says(total, share, level):
    correct = round(share * total)
    low, high = wilson(correct, total, level)
    assert 0 <= low <= correct / total <= high <= 1 and low < high
    wider = wilson(correct, total, (1 + level) / 2)
    assert wider[0] <= low and high <= wider[1]
    mirrored = wilson(total - correct, total, level)
    assert math.isclose(mirrored[0], 1 - high, abs_tol=1e-12)
    z = math.sqrt(2) * erfinv(level)
    for p in {low, high} - {0.0, 1.0}:
        assert math.isclose(abs(correct / total - p), z * math.sqrt(p * (1 - p) / total),
                            rel_tol=1e-6, abs_tol=1e-12)


def erfinv(y):
    """By bisection of math.erf."""
    low, high = 0.0, 6.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erf(middle) < y else (low, middle)
    return low


@pytest.mark.parametrize("arguments", [(-1, 5), (6, 5), (0, 0), (1, 2, 0.0), (1, 2, 1.0),
                                       (1, 2, 95)])
def test_wilson_refuses_what_cannot_be(arguments):
    with one_line(ValueError, "wilson"):
        wilson(*arguments)
