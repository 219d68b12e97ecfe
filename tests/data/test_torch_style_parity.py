"""Batches, data sets and samplers beside torch.utils.data's."""

from collections import OrderedDict, namedtuple

import numpy as np
import pytest

from minigrad import Tensor, data

torch = pytest.importorskip("torch")
theirs = torch.utils.data
Point = namedtuple("Point", "x y")

SAMPLES = {
    "arrays": lambda i, t: np.arange(3) + i, "tensors": lambda i, t: t([i, 2.0]),
    "ints": lambda i, t: i, "bools": lambda i, t: i > 1, "texts": lambda i, t: f"{i}",
    "bytes": lambda i, t: b"x", "numpy": lambda i, t: np.float64(i),
    "int32": lambda i, t: np.int32(i),
    "0-d": lambda i, t: np.array(i, np.float16), "empty": lambda i, t: np.zeros((0, 2)),
    "pairs": lambda i, t: (np.float32([i, 1]), i), "lists": lambda i, t: [i, "a"],
    "dicts": lambda i, t: {"x": np.zeros(2) + i, "deep": {"y": (i, [t([i])])}},
    "ordered": lambda i, t: OrderedDict(b=i, a=i), "named": lambda i, t: Point(i, t([1.0])),
    "nothing": lambda i, t: (), "one": lambda i, t: (i,)}


def same(mine, their):
    """The same structure, shapes, dtypes and values."""
    if isinstance(their, torch.Tensor):
        assert isinstance(mine, Tensor) and mine.shape == tuple(their.shape)
        assert mine.dtype == their.numpy().dtype
        np.testing.assert_array_equal(mine.data, their.numpy())
        return
    assert type(mine) is type(their)
    if isinstance(their, (tuple, list)):
        assert len(mine) == len(their)
        for a, b in zip(mine, their):
            same(a, b)
    elif isinstance(their, dict):
        assert list(mine) == list(their)
        for key in their:
            same(mine[key], their[key])
    else:
        assert mine == their


@pytest.mark.parametrize("name", SAMPLES)
def test_default_collate(name):
    make = SAMPLES[name]
    same(data.default_collate([make(i, Tensor) for i in range(3)]),
         theirs.default_collate([make(i, torch.tensor) for i in range(3)]))


@pytest.mark.parametrize("options", [
    {"batch_size": 2}, {"batch_size": 3, "drop_last": True}, {"sampler": [4, 0, 0, 1]},
    {"batch_sampler": [[0, 1, 2], [4]]}, {"batch_size": 2, "collate_fn": list}], ids=str)
@pytest.mark.parametrize("name", sorted(set(SAMPLES) - {"nothing"}))
def test_loaders(name, options):
    make = SAMPLES[name]
    mine = list(data.DataLoader([make(i, Tensor) for i in range(7)], num_workers=0, **options))
    other = list(theirs.DataLoader([make(i, torch.tensor) for i in range(7)], **options))
    assert len(mine) == len(other)
    if "collate_fn" not in options:
        same(mine, other)


@pytest.mark.parametrize("build", [
    lambda d, t: d.TensorDataset(t([[1.0], [2.0], [3.0]]), t([4, 5, 6])),
    lambda d, t: d.ConcatDataset([d.TensorDataset(t([1, 2])), d.TensorDataset(t([3]))]),
    lambda d, t: d.TensorDataset(t([1, 2])) + d.TensorDataset(t([3])),
    lambda d, t: d.Subset(d.TensorDataset(t([1, 2, 3])), [2, 0])])
def test_data_sets(build):
    mine, other = build(data, Tensor), build(theirs, torch.tensor)
    assert len(mine) == len(other)
    for i in (0, 1, -1):
        same(mine[i], other[i])
    same(list(data.DataLoader(mine, 2)), list(theirs.DataLoader(other, 2)))


@pytest.mark.parametrize("build", [
    lambda d: d.BatchSampler(range(7), 3, False), lambda d: d.BatchSampler(range(7), 3, True),
    lambda d: d.SequentialSampler(range(4)),
    lambda d: d.BatchSampler(d.SequentialSampler(range(4)), 2, True)])
def test_samplers_without_chance(build):
    assert list(build(data)) == list(build(theirs)) and len(build(data)) == len(build(theirs))


@pytest.mark.parametrize("build", [
    lambda d: d.RandomSampler(range(4)), lambda d: d.RandomSampler(range(4), num_samples=9),
    lambda d: d.RandomSampler(range(4), True, 3), lambda d: d.SubsetRandomSampler([3, 8])])
def test_random_samplers_are_as_long(build):
    mine, other = build(data), build(theirs)
    assert len(mine) == len(other) == len(list(mine)) == len(list(other))
    assert set(mine) <= set(range(4)) | {8}


@pytest.mark.parametrize("build", [
    lambda d: d.BatchSampler([1], 0, True), lambda d: d.BatchSampler([1], 1.5, True),
    lambda d: d.BatchSampler([1], 2, "x"), lambda d: d.RandomSampler([1], "x"),
    lambda d: d.RandomSampler([1], num_samples=-1), lambda d: d.ConcatDataset([]),
    lambda d: d.DataLoader([1], shuffle=True, sampler=[0]),
    lambda d: d.DataLoader([1], batch_sampler=[[0]], batch_size=2),
    lambda d: d.DataLoader([1], batch_sampler=[[0]], drop_last=True),
    lambda d: list(d.DataLoader([None])), lambda d: d.default_collate([object()]),
    lambda d: d.default_collate([(1,), (1, 2)]), lambda d: d.random_split([1, 2], [1, 2])])
def test_errors_are_of_torchs_types(build):
    found = []
    for library in data, theirs:
        with pytest.raises(Exception) as caught:
            build(library)
        found.append(caught.value)
    assert isinstance(found[0], type(found[1])), found
