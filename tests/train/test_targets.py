"""Samples and targets of other kinds than a class of a photograph: lists of pairs, data sets as
PyTorch has them, numbers to be predicted; and what batches of them weigh."""

from functools import partial

import numpy as np
import pytest

from minigrad import Tensor, cross_entropy, manual_seed, mse_loss, nll_loss, nn
from minigrad.backend import keyed_generator
from minigrad.data import (ArrayDataset, DataLoader, Dataset, Items, SampleError, Subset,
                           random_split, stratified_split)
from minigrad.optim import SGD
from minigrad.train import Accuracy, MeanLoss, TopK, denominator, evaluate, fit, guard
from tests.gpu.cuda_devices import DEVICES
from tests.one_line import one_line

fit = partial(fit, progress=False)
RNG = np.random.default_rng(0)
X = RNG.standard_normal((22, 4)).astype(np.float32)
CLASSES = np.arange(22) % 3
WEIGHT = np.array([1.0, 5.0, 0.25], np.float32)


class TorchStyle:
    def __len__(self):
        return 22

    def __getitem__(self, index):
        return X[index], int(CLASSES[index])


class Subclass(Dataset):
    def __init__(self):
        self.x = X

    __len__, __getitem__ = TorchStyle.__len__, TorchStyle.__getitem__


SAME = {"arrays": ArrayDataset(X, CLASSES), "pairs": list(zip(X, CLASSES)),
        "lists": [[x, int(y)] for x, y in zip(X, CLASSES)], "tuple": tuple(zip(X, CLASSES)),
        "tensors": [(Tensor(x), Tensor(y)) for x, y in zip(X, CLASSES)],
        "torch's": TorchStyle(), "subclass": Subclass(), "items": Items(TorchStyle())}


def network(outputs=3, dtype="float64", seed=0):
    manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, outputs)).to(dtype)


def batches(dataset, **how):
    return [(x.data.tolist(), y.data.tolist(), x.dtype, y.dtype)
            for x, y in DataLoader(dataset, 5, **how)]


# What gives samples

@pytest.mark.parametrize("how", [{"workers": 0}, {"shuffle": True}, {"processes": True}],
                         ids=["inline", "threads", "processes"])
@pytest.mark.parametrize("kind", SAME)
def test_the_same_samples_from_any_kind_of_object(kind, how):
    assert batches(SAME[kind], **how) == batches(SAME["arrays"], **how)
    assert batches(SAME[kind], **how)[0][3] == np.int64


@pytest.mark.parametrize("kind", SAME)
def test_they_can_be_cut_and_trained_on(kind, tmp_path):
    parts = random_split(SAME[kind], (0.5, 0.5), seed=1)
    expected = random_split(SAME["arrays"], (0.5, 0.5), seed=1)
    assert [batches(part) for part in parts] == [batches(part) for part in expected]
    assert batches(Subset(SAME[kind], [3, -1])) == batches(Subset(SAME["arrays"], [3, -1]))
    losses = []
    for some in (parts, expected):
        model = network(dtype="float32")
        train, valid = (DataLoader(part, 4, workers=0) for part in some)
        history = fit(model, train, valid, epochs=2, optimizer=SGD(model.parameters(), lr=0.1))
        losses.append(history.column("valid.accuracy") + history.column("train.loss"))
    assert losses[0] == losses[1]


class Told(TorchStyle):
    def __init__(self, targets):
        self.targets = targets


class Kept(Dataset):
    targets = Tensor(CLASSES)

    def get(self, index, rng):
        return X[index], self.targets[index]


@pytest.mark.parametrize("targets, known", [
    (CLASSES.tolist(), True), (CLASSES, True), (Tensor(CLASSES), True), (None, False),
    (CLASSES[:5], False), (lambda: CLASSES, False), ("a" * 22, False), (Tensor(3), False),
    (dict(enumerate(CLASSES)), False)])
def test_targets_are_what_has_one_for_each_sample(targets, known, tmp_path):
    dataset = Told(targets)
    assert (Items(dataset).targets is not None) == known
    model = network(dtype="float32")
    history = fit(model, DataLoader(dataset, 5, workers=0), epochs=1, folder=tmp_path / "run",
                  optimizer=SGD(model.parameters(), lr=0.1), progress=False)
    assert "accuracy" in history[0]["train"]
    if known:
        assert sorted(map(len, stratified_split(dataset, (0.5, 0.5), 0))) == [11, 11]
    else:
        with one_line(ValueError, "this Told has no `targets`"):
            stratified_split(dataset, (0.5, 0.5), 0)


def test_a_data_set_whose_targets_are_a_tensor_is_trained_on(tmp_path):
    for i, dataset in enumerate((Kept(), Subset(Kept(), range(20)))):
        model = network(dtype="float32")
        fit(model, DataLoader(dataset, 5, workers=0), epochs=1, folder=tmp_path / str(i),
            optimizer=SGD(model.parameters(), lr=0.1), progress=False)
        assert (tmp_path / str(i) / "config.json").exists()


@pytest.mark.parametrize("dataset", [SAME["pairs"], TorchStyle(), ArrayDataset(X, CLASSES)],
                         ids=lambda dataset: type(dataset).__name__)
def test_a_data_set_may_call_what_it_wraps_its_dataset(dataset, tmp_path):
    class Wraps(Subclass):
        def __getitem__(self, index):
            return self.dataset[index]

    wraps, model = Wraps(), network(dtype="float32")
    wraps.dataset = dataset
    fit(model, DataLoader(wraps, 5, workers=0), epochs=1, folder=tmp_path / "run",
        optimizer=SGD(model.parameters(), lr=0.1))
    assert batches(wraps) == batches(SAME["arrays"])


def test_a_data_set_without_a_length_is_named():
    class Endless(Dataset):
        def __getitem__(self, index):
            return X[index], 0

    with one_line(TypeError, "Endless has no targets, and defines no __len__"):
        DataLoader(Endless(), 5)


def test_a_run_on_pairs_goes_on_and_notices_other_pairs(tmp_path):
    def run(pairs, epochs, resume=True):
        model = network(dtype="float32")
        fit(model, DataLoader(pairs, 4, workers=0), epochs=epochs, folder=tmp_path / "run",
            resume=resume, optimizer=SGD(model.parameters(), lr=0.1))
        return model.state_dict()

    run(SAME["pairs"], 1, False)
    there = run(SAME["pairs"], 3)
    straight = network(dtype="float32")
    fit(straight, DataLoader(SAME["pairs"], 4, workers=0), epochs=3,
        optimizer=SGD(straight.parameters(), lr=0.1))
    assert all(np.array_equal(there[name], x) for name, x in straight.state_dict().items())
    with one_line(ValueError, "train.fingerprint"):
        run([(x + (i == 7), y) for i, (x, y) in enumerate(SAME["pairs"])], 4)


def test_a_transform_of_items_has_the_generator_of_its_place():
    def noisy(x, rng):
        return x + rng.random(4)
    loader = DataLoader(Items(TorchStyle(), noisy), 5, seed=3)
    (x, _), *_ = loader
    expected = X[2] + keyed_generator(3, "sample", 0, 2).random(4)
    np.testing.assert_array_equal(x[2], expected)


@pytest.mark.parametrize("sample, words", [
    (np.zeros(2), "must be a pair (input, target), got a ndarray"),
    ((1.0, 2, 3), "got a tuple of 3"), ({"x": 1}, "got a dict"), (None, "got a NoneType")])
@pytest.mark.parametrize("base", [object, Dataset])
def test_a_sample_that_is_no_pair_is_named(base, sample, words):
    class Mine(base):
        def __len__(self):
            return 8

        def __getitem__(self, index):
            return sample if index == 6 else (np.zeros(2), 0)

    with one_line(SampleError, "sample 6", "Mine: sample 6", words):
        list(DataLoader(Mine(), 4, workers=0))


def test_what_has_no_classes_is_not_cut_by_them():
    for odd in (TorchStyle(), Items(TorchStyle()), ArrayDataset(X, X)):
        with one_line(ValueError, f"this {type(odd).__name__} has no `targets`", "random_split"):
            stratified_split(odd, (0.5, 0.5), seed=0)


# Targets

@pytest.mark.parametrize("y, dtype", [
    (X[:, 0], np.float32), (X[:, 0].astype(np.float64), np.float64), (X, np.float32),
    (np.stack([CLASSES, CLASSES], 1).astype(np.int32), np.int64), (CLASSES.tolist(), np.int64)])
def test_targets_are_stacked(y, dtype):
    for data in (ArrayDataset(X, y), list(zip(X, y)), Subset(ArrayDataset(X, y), range(22))):
        both = list(DataLoader(data, 6))
        np.testing.assert_array_equal(np.concatenate([b for _, b in both]), y)
        assert {b.dtype for _, b in both} == {np.dtype(dtype)}


def test_pythons_floats_are_float32_as_in_a_tensor():
    (x, y), = DataLoader([(0.5, 1.5), (1.0, 2.5)], 2)
    assert x.dtype == y.dtype == np.float32 and y.data.tolist() == [1.5, 2.5]


def test_targets_of_two_shapes_are_named():
    pairs = [(X[0], X[0]), (X[1], X[1, :2])]
    with pytest.raises(ValueError, match=r"the targets of a batch differ: sample 0 is \(4,\) "
                                         r"float32 but sample 1 is \(2,\) float32$"):
        list(DataLoader(pairs, 2))


def test_names_of_targets_that_are_no_classes():
    with one_line(TypeError, "classes are the names of targets that are integers (N,), got float"):
        ArrayDataset(X, X[:, 0], classes=["a"])


@pytest.mark.parametrize("y", [X[:, :1] * 2 + 1, (X[:, :1] * 2 + 1).astype(np.float64)])
def test_a_line_is_fitted(y):
    """Regression: no accuracy is taken, and float64 targets do not widen a float32 network."""
    model = nn.Linear(4, 1)
    loader = DataLoader(ArrayDataset(X, y), 5, shuffle=True)
    history = fit(model, loader, loader, epochs=40, loss=mse_loss,
                  optimizer=SGD(model.parameters(), lr=0.1))
    assert set(history[0]["train"]) == set(history[0]["valid"]) == {"loss"}
    assert history.column("valid.loss")[-1] < 1e-6
    assert model.weight.dtype == np.float32
    np.testing.assert_allclose(model.weight.numpy(force=True), [[2, 0, 0, 0]], atol=1e-3)


def test_an_autoencoder_is_trained():
    model = network(4, "float32")
    loader = DataLoader([(x, x) for x in X], 5)
    history = fit(model, loader, epochs=2, loss=nn.MSELoss(),
                  optimizer=SGD(model.parameters(), lr=0.1))
    first, second = history.column("train.loss")
    assert second < first


# What batches weigh

def big_and_small(y, loss, outputs=3, dtype="float64", metrics=None, x=X):
    """The networks after a step on all samples, and after one on batches of 5, and the losses."""
    results = []
    for size, accumulate in ((len(x), 1), (5, 5)):
        model = network(outputs, dtype)
        loader = DataLoader(ArrayDataset(x, y), size, workers=0)
        history = fit(model, loader, loader, epochs=1, loss=loss, accumulate=accumulate,
                      optimizer=SGD(model.parameters(), lr=1.0))
        results.append((model.state_dict(), history[0]))
    return results


IGNORED = np.where(np.arange(22) % 4 == 1, 2, CLASSES)
IGNORED[5:10] = 2                               # a whole batch of them


class Named(nn.Module):
    """A loss of the user's: the mean over the positive outputs' samples."""

    def forward(self, output, y):
        return (output.sum(1) * y).sum() / self.denominator(y)

    def denominator(self, y):
        return float(y.sum())


@pytest.mark.parametrize("y, loss", [
    (CLASSES, cross_entropy), (CLASSES, nn.CrossEntropyLoss()),
    (CLASSES, nn.CrossEntropyLoss(WEIGHT)), (CLASSES, partial(cross_entropy, weight=WEIGHT)),
    (CLASSES, partial(partial(cross_entropy, weight=WEIGHT), label_smoothing=0.1)),
    (CLASSES, partial(nll_loss, weight=Tensor(WEIGHT))), (CLASSES, nn.NLLLoss(WEIGHT)),
    (IGNORED, partial(cross_entropy, ignore_index=2)),
    (IGNORED, nn.CrossEntropyLoss(WEIGHT, ignore_index=2, label_smoothing=0.2)),
    (np.where(IGNORED == 2, -100, IGNORED), nn.CrossEntropyLoss()),
    (np.where(IGNORED == 2, 255, IGNORED), nn.NLLLoss(ignore_index=255)),
    (CLASSES, partial(cross_entropy, reduction="sum")),
    (CLASSES, nn.CrossEntropyLoss(WEIGHT, reduction="sum")),
    (X[:, :3], mse_loss), (X[:, :3], nn.MSELoss(reduction="sum")), (CLASSES + 1.0, Named()),
])
def test_small_batches_come_to_the_step_and_the_losses_of_a_big_one(y, loss):
    (big, one), (small, five) = big_and_small(y, loss)
    assert max(abs(big[name] - small[name]).max() for name in big) < 1e-12
    assert five["train"]["loss"] == pytest.approx(one["train"]["loss"], rel=1e-12)
    assert five["valid"]["loss"] == pytest.approx(one["valid"]["loss"], rel=1e-12)
    assert five["train"].get("accuracy") == one["train"].get("accuracy")


@pytest.mark.parametrize("xp", DEVICES, indirect=True)
@pytest.mark.parametrize("weight", [np.array([1.0, 2.0, 4.0]), Tensor([1.0, 2.0, 4.0])], ids=type)
def test_class_weights_on_the_gpu_weigh_a_batch_there(xp, weight):
    target = xp.asarray(np.array([0, 2, 2]))
    assert denominator(nn.CrossEntropyLoss(weight).to("cuda"), target) == 9
    assert denominator(partial(cross_entropy, weight=weight), target) == 9


def test_pixels_of_images_weigh_by_their_number_too(rng):
    """Segmentation, (N, C, H, W) against (N, H, W), with other numbers of ignored pixels."""
    x = rng.standard_normal((22, 4, 3, 3)).astype(np.float32)
    y = np.where(rng.random((22, 3, 3)) < 0.4, 255, rng.integers(0, 3, (22, 3, 3)))
    results = []
    for size, accumulate in ((22, 1), (5, 5)):
        manual_seed(0)
        model = nn.Conv2d(4, 3, 1).to("float64")
        loader = DataLoader(ArrayDataset(x, y), size, workers=0)
        history = fit(model, loader, loader, epochs=1, accumulate=accumulate,
                      loss=nn.CrossEntropyLoss(WEIGHT.astype(np.float64), ignore_index=255),
                      optimizer=SGD(model.parameters(), lr=1.0))
        results.append((model.weight.numpy(force=True), history.column("valid.loss")[0]))
    np.testing.assert_allclose(results[0][0], results[1][0], atol=1e-13)
    assert results[0][1] == pytest.approx(results[1][1], rel=1e-12)


def test_where_all_is_ignored_nothing_is_learned_and_the_loss_is_nan():
    model, loader = network(), DataLoader(ArrayDataset(X, np.full(22, 7)), 5, workers=0)
    before = {name: value.copy() for name, value in model.state_dict().items()}
    metrics = {"accuracy": partial(Accuracy, 7), "first": lambda: TopK(1, ignore_index=0)}
    history = fit(model, loader, epochs=1, loss=nn.CrossEntropyLoss(ignore_index=7),
                  metrics={"n": Count}, optimizer=SGD(model.parameters(), lr=1.0))
    assert np.isnan(history.column("train.loss")[0]) and history.column("train.n") == [22]
    assert all(np.array_equal(before[name], x) for name, x in model.state_dict().items())
    with pytest.raises(ValueError, match="Accuracy: there were no samples"):
        evaluate(model, loader, {"accuracy": metrics["accuracy"],
                                 "loss": lambda: MeanLoss(nn.CrossEntropyLoss(ignore_index=7))})


class Count(Accuracy):
    def update(self, output, target):
        self.total += len(target)

    def compute(self):
        return self.total


def test_metrics_leave_out_what_is_ignored():
    output = Tensor(np.eye(3)[[0, 1, 2, 0]])
    target = np.array([0, 2, -100, 5])
    for metric, share in ((Accuracy(), 1 / 3), (Accuracy(5), 1 / 3), (Accuracy(2), 1 / 3),
                          (TopK(2, ignore_index=5), None)):
        if share is None:
            with pytest.raises(ValueError, match="targets from -100"):
                metric.update(output, target)
        else:
            metric.update(output, target)
            assert metric.compute() == pytest.approx(share) and metric.total == 3
    top = TopK(1)
    top.update(output, np.array([0, 2, -100, -100]))
    assert top.compute() == 0.5


# A model without parameters

def test_a_model_without_parameters_is_evaluated():
    class Plain(nn.Module):
        def forward(self, x):
            assert x.dtype == np.float32
            return x * 2

    figures = evaluate(Plain(), DataLoader(ArrayDataset(X.astype(np.float64), CLASSES), 5))
    assert 0 <= figures["accuracy"] <= 1 and np.isfinite(figures["loss"])
    bad = X.copy()
    bad[3, 1] = np.nan
    with one_line(FloatingPointError, "sample 3", "not finite"):
        evaluate(Plain(), DataLoader(ArrayDataset(bad, CLASSES), 5))


def test_numbers_of_numpy_are_numbers(tmp_path):
    """As settings of a run, which are written down as JSON."""
    model = network(dtype="float32")
    loader = DataLoader(ArrayDataset(X, CLASSES), np.int32(5), seed=np.uint8(3))
    fit(model, loader, epochs=np.int64(1), accumulate=np.int8(2), patience=np.int16(3),
        clip_value=np.float32(0.1), clip_norm=np.float64(2), save_every=np.int64(2),
        keep=np.uint16(1), folder=tmp_path, optimizer=SGD(model.parameters(), lr=0.1))
    assert (tmp_path / "config.json").exists()


# ---- bfloat16, which NumPy does not know for a number --------------------------------------------

def test_bfloat16_comes_through_the_loader_and_counts_as_probabilities():
    bfloat16 = np.dtype(pytest.importorskip("ml_dtypes").bfloat16)
    rng = np.random.default_rng(0)
    x, p = rng.standard_normal((6, 4)).astype(bfloat16), rng.dirichlet([1] * 3, 6).astype(bfloat16)
    (first, y), = DataLoader(ArrayDataset(x, p), batch_size=6)
    assert first.dtype == y.dtype == bfloat16 and (first.data == x).all() and (y.data == p).all()
    assert denominator(cross_entropy, y) == 6
    model, wide = nn.Linear(4, 3), [a.astype(np.float32) for a in (x, p)]
    assert evaluate(model, DataLoader(ArrayDataset(x, p), 4)) == evaluate(
        model, DataLoader(ArrayDataset(*wide), 4))      # two batches, of 4 and of 2


def test_a_nan_in_a_model_of_bfloat16_is_noticed():
    pytest.importorskip("ml_dtypes")
    model = nn.Linear(2, 2).to("bfloat16")
    model.weight.data[1, 0] = np.nan
    with pytest.raises(guard.NonFiniteError, match="weight holds nan"):
        guard.check_values([(name, p.data) for name, p in model.named_parameters()], "epoch 1")
