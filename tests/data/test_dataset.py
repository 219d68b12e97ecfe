"""Data sets: samples, subsets, transforms, names of classes; what they refuse."""

import pickle

import numpy as np
import pytest

import minigrad as mg
from minigrad.data import ArrayDataset, Dataset, ImageFolder, Subset, random_split
from tests.data.test_folder import build, root
from tests.one_line import one_line

WATCHED = root                  # a fixture


def shifted(x, rng):
    return x + rng.integers(1000)


def test_array_dataset():
    data = ArrayDataset(np.arange(6).reshape(3, 2), np.array([1, 0, 1]))
    assert len(data) == 3 and data.targets == [1, 0, 1]
    x, label = data[2]
    assert x.tolist() == [4, 5] and label == 1 and type(label) is int
    assert data[-1][0].tolist() == [4, 5] and data.name(-1) == "sample 2"
    assert len(list(data)) == 3             # IndexError ends the loop
    assert len(ArrayDataset(np.zeros((0, 2)), [])) == 0


def test_a_transform_draws_from_the_generator_it_gets():
    plain = ArrayDataset(np.zeros(3, int), [0, 1, 2])
    data = plain.with_transform(shifted)
    assert plain.transform is None and plain[1] == (0, 1)
    one, two = (data.get(i, np.random.default_rng(5)) for i in (1, 2))
    assert one[0] == two[0] and (one[1], two[1]) == (1, 2)
    mg.manual_seed(3)
    first = [data[i][0] for i in range(3)]
    mg.manual_seed(3)
    assert [data[i][0] for i in range(3)] == first and len(set(first)) == 3


def test_views_of_a_folder_share_the_scan(root):
    build(root, "a/x.jpg b/y.jpg")
    data = ImageFolder(root)
    view = data.with_transform(lambda image, rng: image.size)
    assert view.samples is data.samples and view[1] == ((16, 24), 1)
    assert data[1][0].mode == "RGB" and view.name(1) == "root/b/y.jpg"
    assert pickle.loads(pickle.dumps(data)).samples == data.samples


def test_names_of_classes_are_passed_on(root):
    build(root, "a/x.jpg b/y.jpg c/z.jpg")
    folder = ImageFolder(root)
    arrays = ArrayDataset(np.zeros(3), [0, 1, 1], classes=("cat", "dog", "emu"))
    assert arrays.classes == ["cat", "dog", "emu"] and folder.classes == ["a", "b", "c"]
    for data in (arrays, folder):
        views = [data.with_transform(None), Subset(data, [0]), Subset(Subset(data, [1, 0]), [0]),
                 Subset(data, [2]).with_transform(None), *random_split(data, (1, 2), 0)]
        assert all(view.classes == data.classes for view in views)
    assert ArrayDataset(np.zeros(1), [0]).classes is None
    assert Subset(ArrayDataset(np.zeros(1), [0]), [0]).classes is None
    assert ArrayDataset([], [], classes=[]).classes == []


def test_subset(root):
    build(root, "a/x.jpg b/y.jpg c/z.jpg")
    part = Subset(ImageFolder(root), [2, 0, -1])
    assert (len(part), part.targets, part.name(0)) == (3, [2, 0, 2], "root/c/z.jpg")
    assert part.with_transform(lambda image, rng: image.width)[1] == (16, 0)
    assert Subset(part, [1]).targets == [0]


@pytest.mark.parametrize("call, message", [
    (lambda data: data[3], "ArrayDataset: no sample 3, there are 3"),
    (lambda data: data[-4], "ArrayDataset: no sample -4, there are 3"),
    (lambda data: data.get(9, None), "ArrayDataset: no sample 9"),
    (lambda data: Subset(data, [0, 7]), "ArrayDataset: no sample 7"),
    (lambda data: Subset(data, [0, 1])[2], "Subset: no sample 2, there are 2"),
    (lambda data: data.name(3), "ArrayDataset: no sample 3")])
def test_indices_that_are_not_there(call, message):
    with one_line(IndexError, message):
        call(ArrayDataset(np.zeros(3), [0, 1, 0]))


@pytest.mark.parametrize("index", [1.0, "0", None, True, np.True_, slice(0, 2)])
def test_what_is_no_index(index):
    with one_line(TypeError, "ArrayDataset: the number of a sample must be an integer"):
        Subset(ArrayDataset(np.zeros(3), [0, 1, 0]), [index])


@pytest.mark.parametrize("x, y, error, message", [
    (np.zeros(3), [0, 1], ValueError, "3 inputs need as many classes"),
    (np.zeros(2), [[0]], ValueError, "of shape (1, 1)"), (np.zeros(2), 0, ValueError, "shape ()"),
    (np.zeros(2), [0j, 1j], TypeError, "classes must be integers, other targets floating-point"),
    (np.zeros(2), [True, False], TypeError, "got bool"),
    (np.zeros(2), ["a", "b"], TypeError, "classes must be integers")])
def test_arrays_that_are_no_dataset(x, y, error, message):
    with one_line(error, message):
        ArrayDataset(x, y)


@pytest.mark.parametrize("classes, error, message", [
    (["a"], ValueError, "1 names, which are those of classes 0 to 0, and y has a class 1"),
    (["a", "b", "a"], ValueError, "classes has 'a' twice"), ("ab", TypeError, "got 'ab'"),
    (["a", 2], TypeError, "a list of names"), ([b"a", b"b"], TypeError, "a list of names")])
def test_names_that_do_not_fit_the_classes(classes, error, message):
    with one_line(error, "ArrayDataset: ", message):
        ArrayDataset(np.zeros(2), [0, 1], classes=classes)
    with one_line(ValueError, "y has a class -1"):
        ArrayDataset(np.zeros(2), [0, -1], classes=["a", "b"])


def test_a_dataset_without_get():
    class Mine(Dataset):
        targets = [0]

    with one_line(NotImplementedError, "Mine does not define get"):
        Mine()[0]
