"""WeightedRandomSampler: its chances and errors; a loader's draws hang on its seed and epoch."""

import json

import numpy as np
import pytest

from minigrad.backend import manual_seed
from minigrad.data import ArrayDataset, DataLoader, Subset, WeightedRandomSampler
from minigrad.train.folder.identity import describe_loader, differences
from tests.data.loader_samples import EVERY, FORKS, HOW, Numbers, forking, indices, nothing_is_left
from tests.one_line import one_line

pytestmark = FORKS
WATCHED = forking, nothing_is_left      # fixtures of every test here
RNG = np.random.default_rng


def test_with_replacement_every_draw_has_the_weights_chances():
    drawn = WeightedRandomSampler([0, 1, 0, 5, 2, 0], 80_000).draw(RNG(0))
    counts = np.bincount(drawn, minlength=6)
    assert len(drawn) == 80_000 and counts[[0, 2, 5]].sum() == 0
    np.testing.assert_allclose(counts[[1, 3, 4]], [10_000, 50_000, 20_000], atol=600)   # 4 sigma
    pairs = np.bincount(drawn[::2] * 6 + drawn[1::2], minlength=36).reshape(6, 6)
    np.testing.assert_allclose(pairs / 40_000, np.outer(counts, counts) / 80_000 ** 2, atol=0.01)


def test_without_replacement_each_draw_is_from_what_is_left():
    sampler = WeightedRandomSampler([1, 2, 0, 3], 2, replacement=False)
    drawn = [tuple(sampler.draw(RNG(seed)).tolist()) for seed in range(12_000)]
    expected = {(a, b): wa / 6 * wb / (6 - wa) for a, wa in ((0, 1), (1, 2), (3, 3))
                for b, wb in ((0, 1), (1, 2), (3, 3)) if a != b}
    assert set(drawn) == set(expected)
    for pair, chance in expected.items():
        assert abs(drawn.count(pair) / 12_000 - chance) < 0.018         # 4 sigma at most
    whole = WeightedRandomSampler([1, 2, 3], 3, replacement=False)
    assert sorted(whole.draw(RNG(0)).tolist()) == [0, 1, 2]


def test_extreme_weights():
    huge = WeightedRandomSampler([1e308, 1e308, 0], 1000).draw(RNG(0))
    assert 400 < (huge == 0).sum() < 600 and (huge < 2).all()
    tiny = WeightedRandomSampler([0, 5e-324, 0], 5).draw(RNG(0))
    assert tiny.tolist() == [1] * 5

    class Ends:
        def random(self, size):
            return np.array([0, np.nextafter(1, 0)])        # the least and the greatest it gives
    for weights in ([0, 0, *[0.1] * 10, 0], [0, 0, *[3] * 9, 1e-12, 0]):
        assert WeightedRandomSampler(weights, 2).draw(Ends()).tolist() == [2, 11]


def test_iterating_draws_from_minigrads_generator():
    sampler = WeightedRandomSampler([1] * 50, 20)
    assert len(sampler) == 20
    manual_seed(1)
    first, second = list(sampler), list(sampler)
    manual_seed(1)
    assert list(sampler) == first != second
    assert all(type(index) is int for index in first) and len(first) == 20


def test_the_weights_are_copied():
    weights = np.ones(3)
    sampler = WeightedRandomSampler(weights, 9)
    weights[:] = 0
    assert len(sampler.draw(RNG(0))) == 9


@pytest.mark.parametrize("arguments, words", [
    (([1, 2], 0), "num_samples must be a positive integer, got 0"), (([1, 2], 1.5), "num_samples"),
    (([1, 2], True), "num_samples"), (([1, 2], 3, 1), "replacement must be True or False"),
    (([[1, 2]], 1), "one dimension, got shape (1, 2)"), (([1, -1], 1), "finite and not negative"),
    (([1, float("nan")], 1), "finite"), (([1, float("inf")], 1), "finite"),
    (([0, 0], 1), "0 weights are above 0"), (([], 1), "0 weights are above 0"),
    (([1, 0, 1], 3, False), "2 weights are above 0, too few for 3 samples without repetition")])
def test_samplers_that_cannot_be(arguments, words):
    with one_line(ValueError, "WeightedRandomSampler: ", words):
        WeightedRandomSampler(*arguments)


@pytest.mark.parametrize("arguments", [([1, 2], 0), ([1, 2], 1.5), ([1, 2], True), ([[1, 2]], 1),
                                       ([1, 2], 1, 1)])
def test_torch_refuses_the_same(arguments):
    torch = pytest.importorskip("torch")
    for kind in (WeightedRandomSampler, torch.utils.data.WeightedRandomSampler):
        with pytest.raises(ValueError):
            kind(*arguments)


@pytest.mark.parametrize("replacement", [True, False])
def test_torchs_chances(replacement):
    torch = pytest.importorskip("torch")
    weights = [0.5, 3, 0, 1, 2]
    theirs = torch.utils.data.WeightedRandomSampler(
        weights, 3, replacement, generator=torch.Generator().manual_seed(0))
    ours = WeightedRandomSampler(weights, 3, replacement)
    tables = np.zeros((2, 3, 5))
    for seed in range(6000):
        for table, drawn in zip(tables, (list(theirs), ours.draw(RNG(seed)))):
            np.add.at(table, (range(3), drawn), 1)
    np.testing.assert_allclose(*(tables / 6000), atol=0.035)     # 4 sigma of a difference


# --- in a loader ---------------------------------------------------------------------------------

def loader(count=10, **how):
    return DataLoader(Numbers(count), 4, sampler=WeightedRandomSampler(range(count), 11), **how)


def drawn(batches):
    return sum(indices(batches), [])


def test_an_epochs_samples_hang_on_seed_and_epoch_alone():
    first, second = loader(seed=3), loader(seed=3, workers=0)
    epochs = [drawn(first) for _ in range(3)]
    assert [drawn(second) for _ in range(3)] == epochs
    assert len({tuple(epoch) for epoch in epochs}) == 3 and all(len(e) == 11 for e in epochs)
    assert drawn(loader(seed=4)) != epochs[0]
    for how in HOW:
        assert drawn(loader(seed=3, **how)) == epochs[0]
    assert len(first) == 3 and len(DataLoader(first.dataset, 4, drop_last=True,
                                              sampler=first.sampler)) == 2
    first.epoch = 0
    assert sum((first.batch_names(0, k) for k in range(3)), []) == [
        f"sample {i}" for i in epochs[0]]


def test_a_sample_that_comes_twice_is_the_same():
    batches = list(loader(seed=3))
    rows = [tuple(row) for x, _ in batches for row in x.data.tolist()]
    assert len(set(rows)) == len(set(drawn(batches))) < len(rows)


def test_going_on_in_the_middle_gives_the_same_rest():
    straight, stopped = loader(seed=3), loader(seed=3)
    whole = [drawn(straight) for _ in range(2)]
    for _ in stopped:
        break
    state = json.loads(json.dumps(stopped.state_dict()))
    again = loader(seed=9)
    again.load_state_dict(state)
    assert [drawn(again), drawn(again)] == [whole[0][4:], whole[1]]


def test_states_tell_samplers_apart():
    state, plain = loader().state_dict(), DataLoader(Numbers(10), 4)
    with one_line(ValueError, "taken with sampler = 'WeightedRandomSampler(10 weights of SHA-256 "):
        plain.load_state_dict(state)
    other = DataLoader(Numbers(10), 4, sampler=WeightedRandomSampler(range(1, 11), 11))
    with one_line(ValueError, "taken with sampler = "):
        other.load_state_dict(state)
    earlier = plain.state_dict()
    del earlier["sampler"]                          # as before there were any
    plain.load_state_dict(earlier)
    with one_line(ValueError, "taken with sampler = None"):
        other.load_state_dict(earlier)


def test_a_run_is_described_with_its_sampler():
    plain, weighted = (describe_loader(one) for one in (DataLoader(Numbers(10), 4), loader()))
    assert plain["sampler"] is None and json.loads(json.dumps(weighted)) == weighted
    assert "num_samples=11, replacement=True" in weighted["sampler"]
    earlier = {key: value for key, value in plain.items() if key != "sampler"}
    assert differences(earlier, plain) == []
    assert len(differences(plain, weighted)) == 1


@EVERY
def test_a_tenth_of_the_epoch_may_be_bad(how):
    def torn():
        raise ValueError("torn")
    data = Numbers(100, dict.fromkeys(range(50), torn))
    sampler = WeightedRandomSampler([1] * 2 + [0] * 48 + [1] * 50, 20, replacement=False)
    few = DataLoader(data, 5, sampler=sampler, on_error="skip", **how)
    assert set(drawn(few)).isdisjoint({0, 1})
    many = WeightedRandomSampler([1] * 5 + [0] * 45 + [1] * 15 + [0] * 35, 20, replacement=False)
    with pytest.raises(RuntimeError, match="torn"):
        list(DataLoader(data, 5, sampler=many, on_error="skip", **how))


@pytest.mark.parametrize("how, error, words", [
    (dict(shuffle=True), ValueError, "sampler and shuffle=True exclude each other"),
    (dict(sampler=3), TypeError, "sampler must give indices, got a int"),
    (dict(sampler=WeightedRandomSampler([1] * 9, 3)), ValueError, "9 weights, for a data set of"),
    (dict(sampler=WeightedRandomSampler([1] * 10, 3), drop_last=True), ValueError,
     "3 samples make no batch of 4 with drop_last")])
def test_samplers_that_do_not_fit_are_refused(how, error, words):
    with one_line(error, "DataLoader: ", words):
        loader(**how) if "sampler" not in how else DataLoader(Numbers(10), 4, **how)


def test_the_modules_example_balances_classes():
    targets = np.repeat([0, 1, 2], [80, 15, 5])
    train = Subset(ArrayDataset(np.zeros((100, 1)), targets), range(100))
    counts = np.bincount(train.targets)
    balanced = WeightedRandomSampler(1 / counts[train.targets], 3000)
    y = np.concatenate([y for _, y in DataLoader(train, 100, sampler=balanced)])
    np.testing.assert_allclose(np.bincount(y), 1000, atol=110)      # sigma 26
