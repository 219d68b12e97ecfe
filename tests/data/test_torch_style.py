"""Data sets, samplers and loops as users of PyTorch write them."""

from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, nn, optim
from minigrad.data import (ArrayDataset, BatchSampler, ConcatDataset, DataLoader, Dataset,
                           RandomSampler, SequentialSampler, Subset, SubsetRandomSampler,
                           TensorDataset, WeightedRandomSampler, default_collate, random_split)
from minigrad.data.sampler import Sampler, stream_of
from minigrad.train import evaluate, fit
from tests.data.loader_samples import FORKS, TWO, forking, nothing_is_left
from tests.one_line import one_line

pytestmark = FORKS
WATCHED = forking, nothing_is_left
X = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
Y = (X.sum(1) > 0).astype(np.int64)
EVERY = pytest.mark.parametrize("how", [dict(num_workers=0), *TWO],
                                ids=["inline", "threads", "processes"])


class Samples(Dataset):
    def __init__(self, make, count=5):
        self.make, self.count = make, count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return self.make(index)


def plain(batch):
    """A batch with lists in the place of its Tensors, each with its dtype."""
    if isinstance(batch, Tensor):
        return batch.dtype.name, batch.data.tolist()
    if isinstance(batch, dict):
        return {key: plain(value) for key, value in batch.items()}
    return type(batch)(map(plain, batch)) if isinstance(batch, list) else batch


def test_the_loop_of_every_tutorial():
    """Word for word, but for the name of the library."""
    class Custom(Dataset):
        def __init__(self, x, y):
            self.x, self.y = x, y

        def __len__(self):
            return len(self.x)

        def __getitem__(self, idx):
            return self.x[idx], self.y[idx]

    mg.manual_seed(0)
    train_set, test_set = random_split(Custom(X, Y), [8, 4])
    train_loader = DataLoader(train_set, batch_size=4, shuffle=True, num_workers=2,
                              pin_memory=True, drop_last=False)
    test_loader = DataLoader(test_set, batch_size=4, shuffle=False)
    device, model = "cpu", nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    criterion, optimizer = nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=0.05)
    for epoch in range(30):
        model.train()
        running_loss = 0.0
        for i, (images, labels) in enumerate(train_loader):
            images, labels = images.to(device), labels.to(device)
            optimizer.zero_grad()
            outputs = model(images)
            loss = criterion(outputs, labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item() * images.shape[0]
    model.eval()
    correct = total = 0
    with mg.no_grad():
        for images, labels in test_loader:
            predicted = model(images).argmax(1)
            total += labels.shape[0]
            correct += (predicted == labels).sum().item()
    assert total == 4 and isinstance(correct, int) and running_loss / 8 < 0.1


Point = namedtuple("Point", "x y")


@pytest.mark.parametrize("make, expected", [
    (lambda i: np.float32([i, 1]), ("float32", [[0, 1], [1, 1]])),
    (lambda i: Tensor([i, 2]), ("int64", [[0, 2], [1, 2]])),
    (lambda i: i, ("int64", [0, 1])), (lambda i: i + 0.5, ("float32", [0.5, 1.5])),
    (lambda i: i > 0, ("bool", [False, True])), (lambda i: str(i), ["0", "1"]),
    (lambda i: (np.float64(i), "a"), [("float64", [0, 1]), ("a", "a")]),
    (lambda i: (np.zeros(1), i, np.int32(2)),
     [("float64", [[0], [0]]), ("int64", [0, 1]), ("int32", [2, 2])]),
    (lambda i: {"a": i, "b": {"c": [i, 2.0]}},
     {"a": ("int64", [0, 1]), "b": {"c": [("int64", [0, 1]), ("float32", [2, 2])]}}),
    (lambda i: ((i, (i, i)), np.uint8(3)),
     [[("int64", [0, 1]), [("int64", [0, 1])] * 2], ("uint8", [3, 3])])])
@EVERY
def test_samples_of_any_kind_become_batches_of_their_structure(make, expected, how):
    for dataset in (Samples(make), [make(i) for i in range(5)]):
        first, *rest = DataLoader(dataset, 2, **how)
        assert plain(first) == expected and len(rest) == 2


def test_a_batch_has_the_class_of_a_dict_or_named_tuple():
    point, = DataLoader([Point(1, 2.0), Point(3, 4.0)], 2)
    assert type(point) is Point and plain(list(point)) == [
        ("int64", [1, 3]), ("float32", [2, 4])]
    assert type(default_collate([Point(1, {}), Point(2, {})])) is Point
    assert type(default_collate([OrderedDict(a=1), OrderedDict(a=2)])) is OrderedDict


@pytest.mark.parametrize("batch, error, words", [
    ([(1, 2), (3,)], RuntimeError, "differ in length: [1, 2]"),
    ([None, None], TypeError, "NoneType"),
    ([np.array("a")], TypeError, "<U1"), ([object()], TypeError, "object"),
    ([np.zeros(2), np.zeros(3)], ValueError, "(2,), (3,)")])
def test_what_is_no_batch(batch, error, words):
    with one_line(error, words):
        default_collate(batch)


def test_collate_fn_gets_the_samples_as_they_are():
    seen = []

    def pad(samples):
        seen.extend(samples)
        longest = max(len(x) for x, _ in samples)
        return Tensor(np.stack([np.pad(x, (0, longest - len(x))) for x, _ in samples])), len(seen)

    dataset = [(np.ones(i + 1), str(i)) for i in range(4)]
    batches = list(DataLoader(dataset, 2, collate_fn=pad, num_workers=0))
    assert [x.shape for x, _ in batches] == [(2, 2), (2, 4)] and [n for _, n in batches] == [2, 4]
    assert all(a is b for a, b in zip(seen, dataset))
    some = Samples(lambda i: None if i % 2 else i)
    assert [batch for batch in DataLoader(some, 3, collate_fn=list)] == [[0, None, 2], [None, 4]]


@EVERY
def test_samplers_say_which_samples_and_in_which_order(how):
    dataset = Samples(int, 7)

    def seen(**options):
        return [batch.data.tolist() for batch in DataLoader(dataset, **options, **how)]

    assert seen(batch_size=3, sampler=[6, 0, 0, 2]) == [[6, 0, 0], [2]]
    assert seen(batch_size=2, sampler=SequentialSampler(dataset)) == [[0, 1], [2, 3], [4, 5], [6]]
    assert seen(batch_sampler=[[1, 2, 3], [4]]) == [[1, 2, 3], [4]]
    assert seen(batch_sampler=BatchSampler(range(5), 2, True)) == [[0, 1], [2, 3]]
    assert len(DataLoader(dataset, batch_sampler=BatchSampler(range(5), 2, False))) == 3
    subset = sum(seen(batch_size=2, sampler=SubsetRandomSampler([5, 1, 3])), [])
    assert sorted(subset) == [1, 3, 5]
    assert sorted(sum(seen(batch_size=4, sampler=RandomSampler(dataset)), [])) == list(range(7))


class Backwards(Sampler):
    """A sampler of the user's, other every time."""

    def __init__(self, data_source):
        super().__init__(data_source)
        self.shift = 0

    def __iter__(self):
        self.shift += 1
        return iter(np.roll(np.arange(len(self.data_source))[::-1], self.shift - 1))

    def __len__(self):
        return len(self.data_source)


def test_a_sampler_of_the_users_is_asked_once_an_epoch():
    loader = DataLoader(Samples(int, 4), 2, sampler=Backwards(range(4)), num_workers=0)
    epochs = [[batch.data.tolist() for batch in loader] for _ in range(2)]
    assert epochs == [[[3, 2], [1, 0]], [[0, 3], [2, 1]]]
    assert loader.batch_names(2, 0) == ["sample 1", "sample 0"]
    first = iter(loader)
    assert next(first).data.tolist() == [1, 0]
    state = loader.state_dict()
    assert state["sampler"] == "Backwards(4)" and state["position"] == 1
    assert [batch.data.tolist() for batch in loader] == [[3, 2]]
    first.close()


def test_random_samplers_draw_what_torchs_do():
    mg.manual_seed(1)
    assert len(list(RandomSampler(range(5), num_samples=12))) == 12
    twice = list(RandomSampler(range(5), num_samples=10))
    assert sorted(twice[:5]) == sorted(twice[5:]) == list(range(5)) and twice[:5] != twice[5:]
    drawn = list(RandomSampler(range(3), replacement=True, num_samples=300))
    assert np.bincount(drawn).min() > 70 and len(drawn) == 300
    one, other = (list(RandomSampler(range(50), generator=np.random.default_rng(i)))
                  for i in (1, 2))
    assert one == list(RandomSampler(range(50), generator=np.random.default_rng(1))) != other
    assert list(RandomSampler(range(50))) != list(RandomSampler(range(50)))
    chosen = WeightedRandomSampler([0, 1, 1], 50, generator=np.random.default_rng(0))
    assert set(chosen) == {1, 2} and list(chosen) != list(chosen)


class Stub:
    """minigrad's Generator, as far as it is asked here."""

    def __init__(self, seed):
        self.seed = seed

    def stream(self, purpose):
        return np.random.default_rng([self.seed, len(purpose)])


@pytest.mark.parametrize("make", [np.random.default_rng, Stub])
def test_a_generator_sets_splits_and_orders(make):
    def split(**how):
        return [part.indices for part in random_split(range(30), [20, 10], **how)]

    assert split(generator=make(3)) == split(generator=make(3)) != split(generator=make(4))
    assert [part.indices for part in random_split(range(30), [20, 10], make(3))] == split(
        generator=make(3))
    orders = [[batch.data.tolist() for batch in DataLoader(
        Samples(int, 30), 5, shuffle=True, generator=make(seed))] for seed in (3, 3, 4)]
    assert orders[0] == orders[1] != orders[2]
    assert stream_of(make(3), "x").random() == stream_of(make(3), "x").random()


def test_a_split_without_a_seed_follows_manual_seed():
    parts = []
    for seed in (5, 5, 6):
        mg.manual_seed(seed)
        parts += [[part.indices for part in random_split(range(20), [0.5, 0.5])] for _ in range(2)]
    assert parts[:2] == parts[2:4] and parts[0] != parts[1] and parts[0] != parts[4]
    assert sorted(sum(parts[0], [])) == list(range(20))


def test_data_sets_of_tensors_and_of_data_sets():
    pairs = TensorDataset(Tensor(X), Tensor(Y))
    assert len(pairs) == 12 and pairs[3][1].item() == Y[3] and pairs[-1][0].shape == (4,)
    assert pairs[2:4][0].shape == (2, 4)
    (x, y), *_ = DataLoader(pairs, 5)
    assert isinstance(x, Tensor) and np.array_equal(x.data, X[:5]) and y.dtype == np.int64
    with pytest.raises(AssertionError, match="one length, got .12, 3."):
        TensorDataset(Tensor(X), Tensor(Y[:3]))
    arrays = ArrayDataset(X, Y, classes=["low", "high"])
    both = ConcatDataset([pairs, Subset(arrays, [5, 6])])
    assert len(both) == 14 and both.cumulative_sizes == [12, 14] and both.targets is None
    assert np.array_equal(both[13][0], X[6]) and both[-14][1].item() == Y[0]
    assert both.name(12) == "sample 5" and both.datasets[0] is pairs
    with one_line(IndexError, "no sample 14"):
        both[14]
    known = arrays + Subset(arrays, [1])
    assert known.targets == [*Y, Y[1]] and known.classes == ["low", "high"]
    with pytest.raises(AssertionError, match="no data sets"):
        ConcatDataset([])
    (x, y), = DataLoader(both, 14)
    assert np.array_equal(x.data, X[[*range(12), 5, 6]])


@pytest.mark.parametrize("how, error, words", [
    (dict(batch_sampler=[[0]], batch_size=2), ValueError, "batch_sampler excludes"),
    (dict(batch_sampler=[[0]], shuffle=True), ValueError, "batch_sampler excludes"),
    (dict(batch_sampler=[[0]], drop_last=True), ValueError, "batch_sampler excludes"),
    (dict(sampler=[0], shuffle=True), ValueError, "exclude each other")])
def test_options_that_exclude_each_other(how, error, words):
    with one_line(error, "DataLoader: ", words):
        DataLoader(Samples(int), **how)


@pytest.mark.parametrize("build, error", [
    (lambda: RandomSampler([1], replacement=1), TypeError),
    (lambda: RandomSampler([1], num_samples=0), ValueError),
    (lambda: BatchSampler([1], 0, True), ValueError),
    (lambda: BatchSampler([1], True, True), ValueError),
    (lambda: BatchSampler([1], 2, 1), ValueError), (lambda: iter(Sampler()), NotImplementedError)])
def test_samplers_that_cannot_be(build, error):
    with pytest.raises(error):
        build()


def test_a_model_is_fitted_on_tensors_and_on_what_collate_fn_makes():
    def train(**how):
        mg.manual_seed(0)
        model = nn.Linear(4, 2)
        loader = DataLoader(**how, batch_size=4, shuffle=True)
        history = fit(model, loader, loader, epochs=2, progress=False,
                      optimizer=optim.SGD(model.parameters(), lr=0.1))
        return model.weight.data.tobytes(), history.column("valid.loss")

    expected = train(dataset=ArrayDataset(X, Y))
    assert train(dataset=TensorDataset(Tensor(X), Tensor(Y))) == expected
    assert train(dataset=list(zip(X, Y)), collate_fn=lambda samples: tuple(
        map(np.stack, zip(*samples)))) == expected
    dicts = DataLoader([{"x": x, "y": y} for x, y in zip(X, Y)], 4)
    with one_line(TypeError, "a batch must be an input and a target", "got a dict"):
        evaluate(nn.Linear(4, 2), dicts)
