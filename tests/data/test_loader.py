"""DataLoader: the same batches whatever fetches them, its place as state, damaged samples."""

import json
import multiprocessing

import numpy as np
import pytest
from PIL import Image

from minigrad.backend import keyed_generator
from minigrad.data import (ArrayDataset, ColorJitter, Compose, DataLoader, ImageError, ImageFolder,
                           RandomCrop, RandomHorizontalFlip, RandomRotation, SampleError, ToArray)
from tests.data.loader_samples import (EVERY, FORKS, HOW, Numbers, bad, forking, indices,
                                       nothing_is_left)
from tests.one_line import one_line

pytestmark = FORKS
WATCHED = forking, nothing_is_left      # fixtures of every test here


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    root, rng = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    for k in range(23):
        path = root / f"class {k % 3}" / f"{k}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (40, 40 + k, 3), dtype=np.uint8)).save(path)
    return ImageFolder(root, Compose([RandomRotation(20), ColorJitter(0.4), RandomCrop(32, 4),
                                      RandomHorizontalFlip(), ToArray()]))


def digest(loader, epochs=2):
    return [(x.data.tobytes(), x.shape, x.dtype, y.data.tobytes(), y.dtype)
            for _ in range(epochs) for x, y in loader]


def test_batches_do_not_depend_on_workers(photographs):
    expected = digest(DataLoader(photographs, 5, shuffle=True, seed=3, workers=0))
    assert len(expected) == 10 and len(set(expected)) == 10
    assert expected[4][1] == (3, 3, 32, 32) and expected[0][2::2] == (np.float32, np.int64)
    for how in HOW:
        assert digest(DataLoader(photographs, 5, shuffle=True, seed=3, **how)) == expected, how


def test_spawned_processes_fetch_the_same(photographs):
    multiprocessing.set_start_method("spawn", force=True)
    expected = digest(DataLoader(photographs, 8, seed=3, workers=0), 1)
    assert digest(DataLoader(photographs, 8, seed=3, workers=2, processes=True), 1) == expected


def test_an_epoch_is_a_permutation_and_another_one_each_time():
    loader = DataLoader(Numbers(10), 4, shuffle=True, seed=1)
    first, second = (sum(indices(loader), []) for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(10))
    assert len({tuple(first), tuple(second), tuple(range(10))}) == 3
    assert loader.epoch == 2 and loader.position == 0


def test_a_samples_draws_depend_on_seed_epoch_and_index_alone():
    loader = DataLoader(Numbers(9), 4, shuffle=True, seed=5)
    draws = {}
    for epoch in range(2):
        for x, _ in loader:
            for index, draw in x.data.tolist():
                expected = keyed_generator(5, "sample", epoch, int(index)).random()
                assert draw == np.float32(expected)
                draws[epoch, index] = draw
    assert len(set(draws.values())) == 18


@pytest.mark.parametrize("count, size, drop, sizes", [
    (10, 4, False, [4, 4, 2]), (10, 4, True, [4, 4]), (8, 4, False, [4, 4]), (3, 4, False, [3]),
    (20, 20, True, [20]), (3, 1, False, [1, 1, 1])])
@EVERY
def test_batch_sizes(count, size, drop, sizes, how):
    loader = DataLoader(Numbers(count), size, drop_last=drop, **how)
    batches = list(loader)
    assert [len(x) for x, _ in batches] == [len(y) for _, y in batches] == sizes
    assert len(loader) == len(sizes)
    assert sum(indices(batches), []) == list(range(sum(sizes)))


@pytest.mark.parametrize("how", [HOW[0], HOW[2]])
def test_going_on_from_any_batch_gives_the_same_rest(how):
    form = dict(batch_size=3, shuffle=True, **how)
    expected = digest(DataLoader(Numbers(10), seed=7, **form), 3)
    for stop in range(1, 12):
        loader, batches = DataLoader(Numbers(10), seed=7, **form), []
        while len(batches) < stop:
            for batch in loader:
                batches.append(batch)
                if len(batches) == stop:
                    state = json.loads(json.dumps(loader.state_dict()))
                    break
        resumed = DataLoader(Numbers(10), **form)       # the seed comes with the state
        resumed.load_state_dict(state)
        rest = [one for _ in range(3 - state["epoch"]) for one in digest(resumed, 1)]
        assert rest == expected[stop:]
        assert (resumed.epoch, resumed.position) == (3, 0)
        going_on = [one for _ in range(3 - state["epoch"]) for one in digest(loader, 1)]
        assert going_on == expected[stop:]


@pytest.mark.parametrize("change", [dict(batch_size=4), dict(shuffle=False), dict(drop_last=True)])
def test_a_state_of_another_loader_is_refused(change):
    form = dict(batch_size=3, shuffle=True, drop_last=False)
    state = DataLoader(Numbers(10), **form).state_dict()
    with pytest.raises(ValueError, match=f"taken with {next(iter(change))} = "):
        DataLoader(Numbers(10), **form | change).load_state_dict(state)
    with pytest.raises(ValueError, match="taken with samples = 10, this loader has 11"):
        DataLoader(Numbers(11), **form).load_state_dict(state)
    with pytest.raises(ValueError, match="position 5"):
        DataLoader(Numbers(10), **form).load_state_dict(state | {"position": 5})


def test_batch_names_are_those_of_the_batches():
    loader = DataLoader(Numbers(10), 4, shuffle=True, seed=2)
    names = [[loader.batch_names(epoch, k) for k in range(3)] for epoch in range(2)]
    for epoch in range(2):
        assert names[epoch] == [[f"sample {i}" for i in batch] for batch in indices(loader)]
    with pytest.raises(IndexError, match="no batch 3"):
        loader.batch_names(0, 3)


@EVERY
def test_a_bad_sample_stops_the_loop_at_its_batch(how):
    loader = DataLoader(Numbers(30, {13: bad("dogs/x.jpg: cut off")}), 4, **how)
    seen = []
    with pytest.raises(SampleError, match="^sample 13: dogs/x.jpg: cut off; on_error=\"skip\" or "
                                          "\"replace\" goes on .* minigrad.data.check") as caught:
        seen.extend(loader)
    assert indices(seen) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert type(caught.value.__cause__) is ImageError
    if how.get("processes"):
        assert "in the worker process" in str(caught.value.__cause__.__cause__)
        assert ", in act" in str(caught.value.__cause__.__cause__)      # the traceback over there


def test_a_file_is_named_once(photographs, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(SampleError) as caught:
        list(DataLoader(ImageFolder(tmp_path, photographs.transform)))
    assert str(caught.value).count(str(tmp_path / "a" / "broken.jpg")) == 1
    assert "\n" not in str(caught.value)


@EVERY
def test_skip_leaves_bad_samples_out_and_lists_them(how):
    acts = {1: bad("torn"), 8: bad(), 9: bad(), 10: bad(), 11: bad()}
    loader = DataLoader(Numbers(50, acts), 4, on_error="skip", **how)
    seen = indices(loader)
    assert seen[:3] == [[0, 2, 3], [4, 5, 6, 7], [12, 13, 14, 15]]       # not one of 8 to 11
    assert sum(seen, []) == [i for i in range(50) if i not in acts]
    assert loader.skipped == [("sample 1", "torn"),
                              *((f"sample {i}", "unreadable") for i in (8, 9, 10, 11))]
    assert loader.epoch == 1
    assert sum(indices(loader), []) and len(loader.skipped) == 5        # of this epoch alone


@EVERY
def test_replace_takes_the_next_readable_sample(how):
    acts = {3: bad(), 4: bad(), 49: bad("torn")}
    loader = DataLoader(Numbers(50, acts), 5, shuffle=True, seed=1, on_error="replace", **how)
    plain = sum(indices(DataLoader(Numbers(50), 5, shuffle=True, seed=1)), [])
    batches = list(loader)
    assert sum(indices(batches), []) == [{3: 5, 4: 5, 49: 0}.get(i, i) for i in plain]
    for x, y in batches:
        for (index, draw), label in zip(x.data.tolist(), y.data.tolist()):
            assert label == index % 3
            assert draw == np.float32(keyed_generator(1, "sample", 0, int(index)).random())
    assert sorted(loader.skipped) == [("sample 3", "unreadable"), ("sample 4", "unreadable"),
                                      ("sample 49", "torn")]


@pytest.mark.parametrize("policy", ["skip", "replace"])
@EVERY
def test_too_many_bad_samples_end_the_epoch(policy, how):
    few = DataLoader(Numbers(40, dict.fromkeys(range(4), bad())), 8, on_error=policy, **how)
    assert len(list(few)) == 5 and len(few.skipped) == 4
    many = DataLoader(Numbers(40, dict.fromkeys(range(30, 35), bad())), 8, on_error=policy, **how)
    with pytest.raises(SampleError, match="unreadable"):
        list(many)
    one_of_two = DataLoader(Numbers(2, {1: bad()}), on_error=policy, **how)
    list(one_of_two)
    assert len(one_of_two.skipped) == 1
    with pytest.raises(SampleError):
        list(DataLoader(Numbers(5, dict.fromkeys(range(5), bad())), on_error=policy, **how))


@pytest.mark.parametrize("policy", ["raise", "skip", "replace"])
@EVERY
def test_a_programming_error_is_always_raised(policy, how):
    acts = {2: lambda: {}["missing"]}
    with pytest.raises(SampleError, match="sample 2: KeyError: 'missing'") as caught:
        list(DataLoader(Numbers(40, acts), 4, on_error=policy, **how))
    assert type(caught.value.__cause__) is KeyError


@EVERY
def test_an_exception_that_cannot_travel_still_tells(how):
    class Picky(Exception):
        def __init__(self, one, two):
            super().__init__(f"{one} and {two}")

    def act():
        raise Picky("this", "that")
    with pytest.raises(SampleError, match="sample 0: .*Picky: this and that"):
        list(DataLoader(Numbers(3, {0: act}), **how))


@EVERY
def test_samples_that_do_not_fit_together_are_named(how):
    class Growing(Numbers):
        def get(self, index, rng):
            return np.zeros((3, 4 + index // 6, 5), np.float32), 0

    loader = DataLoader(Growing(9), 4, **how)
    with pytest.raises(ValueError, match=r"sample 4 is \(3, 4, 5\) float32 but sample 6 is "
                                         r"\(3, 5, 5\) float32; resize or crop"):
        list(loader)


@pytest.mark.parametrize("x, y, message", [
    (Image.new("RGB", (2, 2)), 0, "array of numbers, not Image; does the transform end with"),
    (np.array(["a"]), 0, "array of numbers, not <U1"),
    (np.zeros(2), None, "a target .* not None"),
    (np.zeros(2), np.array("cat"), "a target .* not <U3")])
@EVERY
def test_samples_that_are_no_numbers_are_refused(x, y, message, how):
    class Odd(Numbers):
        def get(self, index, rng):
            return x, y
    with pytest.raises(SampleError, match=f"sample 0: TypeError: .*{message}"):
        list(DataLoader(Odd(3), **how))


@pytest.mark.parametrize("shape", [(), (0, 3), (3,), (2, 3)])
@pytest.mark.parametrize("dtype", ["f8", "u1", "?", ">f4"])
def test_any_array_passes_through_a_process_unchanged(shape, dtype):
    x = np.asfortranarray(np.random.default_rng(0).random((6, *shape)) * 9).astype(dtype)
    batch, _ = next(iter(DataLoader(ArrayDataset(list(x), [0] * 6), 6, workers=2, processes=True)))
    np.testing.assert_array_equal(batch, x)
    assert batch.dtype == np.dtype(dtype).newbyteorder("=")


def test_num_workers_is_pytorchs_name_of_workers():
    for number in (0, 3):
        loader = DataLoader(Numbers(9), 4, num_workers=number)
        assert loader.workers == number
        assert digest(loader) == digest(DataLoader(Numbers(9), 4))
    assert DataLoader(Numbers(9)).workers == 2
    with pytest.raises(ValueError, match="num_workers must be an integer of at least 0, got -1"):
        DataLoader(Numbers(9), num_workers=-1)
    with pytest.raises(ValueError, match="workers and num_workers are two names of one number"):
        DataLoader(Numbers(9), workers=2, num_workers=2)
    with pytest.raises(TypeError, match="unknown option 'memory'"):
        DataLoader(Numbers(9), memory=True)


@pytest.mark.parametrize("dataset", [
    {"x": [1]}, "photos", b"photos", None, iter([]), 3, np.zeros],
    ids=lambda value: type(value).__name__)
def test_what_is_no_data_set_is_told_what_to_be(dataset):
    with one_line(TypeError, f"DataLoader: {type(dataset).__name__} is no data set of minigrad",
                  "ArrayDataset(x, y)", "ImageFolder", "subclass Dataset"):
        DataLoader(dataset)


def test_one_iteration_at_a_time_moves_the_position():
    loader = DataLoader(Numbers(9), 3)
    first = iter(loader)
    next(first)
    assert indices(loader) == [[3, 4, 5], [6, 7, 8]]
    with pytest.raises(RuntimeError, match="a newer iteration"):
        next(first)
    assert (loader.epoch, loader.position) == (1, 0)


@pytest.mark.parametrize("name, value", [
    ("batch_size", 0), ("batch_size", 2.0), ("seed", -1), ("workers", -1), ("timeout", 0),
    ("timeout", float("nan")), ("on_error", "ignore")])
def test_bad_arguments_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"DataLoader: {name} must be"):
        DataLoader(Numbers(9), **{name: value})


@pytest.mark.parametrize("timeout", [np.float32(60), np.array(60.0), 60, float("inf")])
def test_a_timeout_of_numpy_or_without_an_end(timeout):
    assert len(indices(DataLoader(Numbers(9), 4, timeout=timeout, workers=1))) == 3


@pytest.mark.parametrize("arguments, message", [
    (dict(workers=0, processes=True), "workers must be an integer of at least 1"),
    (dict(batch_size=10, drop_last=True), "9 samples make no batch of 10 with drop_last")])
def test_arguments_that_make_no_loader_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        DataLoader(Numbers(9), **arguments)
    with pytest.raises(ValueError, match="0 samples"):
        DataLoader(Numbers(0))
