"""Splits: every sample once, torch's sizes, the same parts for the same seed, classes in share."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad.data import ArrayDataset, random_split, stratified_split

DBI = (96, 93, 92, 83, 93, 94, 95)      # photographs per breed in the coursework's first set


def samples(*per_class):
    targets = np.repeat(np.arange(len(per_class)), per_class)
    return ArrayDataset(np.arange(len(targets)), np.random.default_rng(0).permutation(targets))


def table(parts, classes):
    """Samples per class and part."""
    return np.transpose([np.bincount(np.array(part.targets, int), minlength=classes)
                         for part in parts])


@pytest.mark.parametrize("split", [random_split, stratified_split])
@pytest.mark.parametrize("count, lengths, sizes", [
    (10, (0.3, 0.3, 0.4), [3, 3, 4]), (101, (0.7, 0.2, 0.1), [71, 20, 10]),
    (10, (0.5, 0.25, 0.25), [6, 2, 2]), (7, (2, 5), [2, 5]), (5, (0, 5), [0, 5]),
    (1, (1,), [1]), (3, (0.5, 0.5), [2, 1]), (1, (0.5, 0.5), [1, 0])])
def test_sizes_are_torchs(split, count, lengths, sizes):
    assert [len(part) for part in split(samples(count), lengths, seed=0)] == sizes


@given(st.lists(st.integers(1, 40), min_size=1, max_size=7),
       st.lists(st.integers(1, 20), min_size=1, max_size=5), st.integers(0, 9))
def test_parts_hold_every_sample_once_and_classes_their_share(per_class, weights, seed):
    dataset = samples(*per_class)
    fractions = [w / sum(weights) for w in weights]
    for split in (random_split, stratified_split):
        parts = split(dataset, fractions, seed)
        held = [i for part in parts for i in part.indices]
        assert sorted(held) == list(range(len(dataset)))
        assert [len(p) for p in parts] == [len(p) for p in random_split(dataset, fractions, 0)]
    sizes = [len(part) for part in parts]
    ideal = np.outer(per_class, sizes) / len(dataset)
    assert np.abs(table(parts, len(per_class)) - ideal).max() < 1       # down or up, no further


def test_the_breeds_are_cut_alike():
    parts = stratified_split(samples(*DBI), (0.63, 0.07, 0.3), seed=45)
    assert [len(part) for part in parts] == [407, 46, 193]
    shares = table(parts, 7) / np.array(DBI)[:, None]
    np.testing.assert_allclose(shares, np.tile([0.63, 0.07, 0.3], (7, 1)), atol=0.012)


def test_the_largest_remainders_are_rounded_up():
    parts = stratified_split(samples(7, 3), (7, 3), seed=0)
    assert table(parts, 2).tolist() == [[5, 2], [2, 1]]         # 4.9 2.1, 2.1 0.9


@pytest.mark.parametrize("split", [random_split, stratified_split])
def test_the_seed_decides(split):
    def parts(seed):
        return [part.indices for part in split(samples(30, 20), (0.5, 0.5), seed)]
    assert parts(1) == parts(1) != parts(2)
    assert parts(1)[0] != sorted(parts(1)[0])                   # shuffled, not in class order


@pytest.mark.parametrize("split", [random_split, stratified_split])
def test_every_sample_is_as_likely_in_either_half(split):
    chosen = sum(np.bincount(split(samples(20, 20), (20, 20), seed)[0].indices, minlength=40)
                 for seed in range(400))
    assert chosen.min() > 150 and chosen.max() < 250            # 200 expected, sigma 10


@pytest.mark.parametrize("split", [random_split, stratified_split])
@pytest.mark.parametrize("lengths", [
    np.array([300, 200]), np.array([0.6, 0.4]), np.array([0.6, 0.4], np.float32),
    [np.uint16(300), np.uint8(200)], [np.array(0.6), np.float64(0.4)]])
def test_lengths_and_seeds_of_numpy(split, lengths):
    parts = split(samples(250, 250), lengths, np.int64(3))
    assert [part.indices for part in parts] == [
        part.indices for part in split(samples(250, 250), [300, 200], 3)]


def test_small_integers_do_not_wrap_around_in_the_sum():
    assert len(random_split(samples(400), [np.uint8(200), np.uint8(200)], 0)[0]) == 200


@pytest.mark.parametrize("split, seed", [
    (stratified_split, None), *itertools.product((random_split, stratified_split),
                                                 (-1, 1.5, "a", True))])
def test_what_is_no_seed(split, seed):
    with pytest.raises(ValueError, match="_split: seed must be an integer of at least 0"):
        split(samples(10), (0.5, 0.5), seed)


@pytest.mark.parametrize("split", [random_split, stratified_split])
@pytest.mark.parametrize("lengths", [5, None, (0.5, 0.6), (3, 3), (-1, 11), (), ("half", "half"),
                                     (0.2, 0.2)])
def test_lengths_that_make_no_whole_are_refused(split, lengths):
    with pytest.raises(ValueError, match=r"_split: (lengths|fractions) must"):
        split(samples(10), lengths, seed=0)
