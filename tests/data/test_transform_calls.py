"""How a transform is called, by its signature, and that its errors are told as its own."""

import functools

import numpy as np
import pytest
from PIL import Image, ImageOps

from minigrad.backend import manual_seed
from minigrad.data import (MEAN, STD, ArrayDataset, Compose, DataLoader, Dataset, ImageError,
                           ImageFolder, Normalize, Preprocess, RandomCrop,
                           RandomHorizontalFlip, Resize, SampleError, Step, Subset, ToArray,
                           TransformError)
from minigrad.models import preprocess
from minigrad.train.folder.identity import describe_loader
from tests.data.loader_samples import EVERY, FORKS, forking, nothing_is_left
from tests.one_line import one_line

pytestmark = FORKS
WATCHED = forking, nothing_is_left      # fixtures of every test here


def image(width=40, height=30, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture
def photographs(tmp_path):
    """Four photographs of two classes; the last is too small for a crop of 24."""
    for k, size in enumerate([(40, 30), (30, 40), (33, 33), (20, 20)]):
        path = tmp_path / "ab"[k % 2] / f"{k}.png"
        path.parent.mkdir(exist_ok=True)
        image(*size, seed=k).save(path)
    return ImageFolder(tmp_path)


class Module:
    """Called as PyTorch's modules are."""

    def __call__(self, *arguments, **names):
        image, = arguments
        return image, names


class WithGenerator:
    def __call__(self, image, rng=None):
        return image, rng


def positional(image, rng=None, /):
    return image, rng


def with_default(image, size=32):
    return image, size


def keyword(image, *, rng):
    return image, rng


def three(image, size, rng):
    return image, size, rng


class Unreadable:
    """A callable whose signature cannot be read, as of some functions in C."""

    __signature__ = "none"

    def __call__(self, image):
        return image


@pytest.mark.parametrize("transform, expected", [
    (lambda image: image, "x"), (lambda image, rng: (image, rng), ("x", "g")),
    (lambda image, generator: (image, generator), ("x", "g")), (with_default, ("x", 32)),
    (keyword, ("x", "g")), (positional, ("x", "g")), (WithGenerator(), ("x", "g")),
    (WithGenerator().__call__, ("x", "g")),
    (Module(), ("x", {})), (Unreadable(), "x"), (str.upper, "X"), (len, 1),
    (lambda image, generator=None: (image, generator), ("x", "g")),
    (lambda image, size=3, generator=None: (image, size, generator), ("x", 3, "g")),
    (lambda image, random: (image, random), ("x", "g")),
    (functools.partial(with_default, size=5), ("x", 5)),
    (functools.partial(three, size=5), ("x", 5, "g")),
    (functools.partial(keyword, rng="mine"), ("x", "mine"))])
def test_the_signature_says_who_gets_the_generator(transform, expected):
    assert Step(transform, "me")("x", "g") == expected
    assert Compose([transform])("x", "g") == expected
    dataset = ArrayDataset(["x"], [0], transform)
    assert dataset.get(0, "g") == (expected, 0)
    assert Subset(dataset, [0]).with_transform(transform).get(0, "g") == (expected, 0)


@pytest.mark.parametrize("transform, error, words", [
    (3, ValueError, "transforms must be callable, got 3"),
    (Resize, TypeError, "Resize is a class; give one of its objects, as Resize(...)"),
    (Compose, TypeError, "Compose is a class"),
    (lambda: 0, TypeError, "called with an image, or with an image and a generator, which"),
    (three, TypeError, "three(image, size, rng) does not take: missing a required argument")])
def test_what_cannot_be_called_is_refused_when_it_is_given(transform, error, words, photographs):
    for who, make in (("Compose", lambda: Compose([transform])),
                      ("ArrayDataset", lambda: ArrayDataset([0], [0], transform)),
                      ("ImageFolder", lambda: ImageFolder(photographs.root, transform)),
                      ("ImageFolder", lambda: photographs.with_transform(transform)),
                      ("ImageFolder", lambda: Subset(photographs, [0]).with_transform(transform))):
        with one_line(error, f"{who}: ", words):
            make()


def test_the_signature_is_read_once(monkeypatch):
    import inspect
    counted, signature = [], inspect.signature
    monkeypatch.setattr(inspect, "signature", lambda f: counted.append(f) or signature(f))
    dataset = ArrayDataset(range(5), [0] * 5, Compose([lambda x: x + 1, lambda x, rng: 2 * x]))
    assert [x for x, _ in dataset] == [2, 4, 6, 8, 10]
    assert len(counted) == 3            # the chain and its two steps


def test_a_transform_may_be_assigned_and_a_chain_changed():
    dataset = ArrayDataset([1.0], [0], lambda x, rng: x)
    dataset.transform = lambda x: x + 1
    assert dataset[0] == (2.0, 0)
    chain = Compose([lambda x: x + 1])
    chain.transforms.append(lambda x, rng: 10 * x)
    assert chain(1) == 20
    assert ArrayDataset([1.0], [0], chain)[0] == (20, 0)
    chain.transforms[0] = lambda x: x - 1
    assert chain(1) == 0


def test_a_chain_with_foreign_steps_draws_as_without_them():
    ours = Compose([RandomCrop(20), RandomHorizontalFlip(), ToArray()])
    mixed = Compose([lambda image: image, RandomCrop(20), ImageOps.autocontrast,
                     lambda image: image, RandomHorizontalFlip(), ToArray()])
    plain = Compose([ours.transforms[0], ImageOps.autocontrast, *ours.transforms[1:]])
    for seed in range(5):
        np.testing.assert_array_equal(mixed(image(), np.random.default_rng(seed)),
                                      plain(image(), np.random.default_rng(seed)))


@EVERY
def test_preprocess_is_a_transform(how, photographs):
    prepare = preprocess("resnet18")
    expected = [prepare(photographs[i][0]) for i in range(4)]
    for transform in (prepare, Compose([prepare]), Compose([lambda image: image, prepare])):
        (x, _), = DataLoader(photographs.with_transform(transform), 4, **how)
        np.testing.assert_array_equal(x, np.stack(expected))
    assert eval(repr(prepare)) == prepare == Preprocess(256, 224)
    there = describe_loader(DataLoader(photographs.with_transform(prepare), 4))["transform"]
    assert there == ["Preprocess(resize=256, crop=224, mean=(0.485, 0.456, 0.406), "
                     "std=(0.229, 0.224, 0.225))"]


def test_preprocess_is_resize_crop_and_normalize():
    picture = image(90, 61)
    x = Preprocess(32, 24, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))(picture, np.random.default_rng(0))
    small = picture.resize((47, 32), Image.Resampling.BILINEAR).crop((12, 4, 36, 28))
    steps = Compose([ToArray(), Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))])
    np.testing.assert_allclose(x, steps(small), atol=1e-6)


def test_preprocess_with_another_interpolation():
    picture = image(90, 61)
    prepare = Preprocess(32, 24, interpolation="bicubic")
    small = picture.resize((47, 32), Image.Resampling.BICUBIC).crop((12, 4, 36, 28))
    steps = Compose([ToArray(), Normalize(MEAN, STD)])
    np.testing.assert_allclose(prepare(picture), steps(small), atol=1e-6)
    assert eval(repr(prepare)) == prepare != Preprocess(32, 24)


@pytest.mark.parametrize("arguments, words", [
    ((32, 24, (0,), (1,), "nearest"), "interpolation must be 'bilinear' or 'bicubic'"),
    ((0,), "size must be"), (((3,),), "(height, width)"), ((32, 0), "size must be"),
    ((32, 24, (1, 2)), "one per channel as mean"),
    ((32, 24, (1, 2), (1, 2)), "one channel or three"),
    ((32, 24, (0, 0, 0), (1, 1, 0)), "std must be positive")])
def test_preparations_that_cannot_be(arguments, words):
    with one_line(ValueError, "Preprocess: ", words):
        Preprocess(*arguments)


def test_preprocess_of_an_array_says_where_it_belongs():
    with one_line(TypeError, "Preprocess: expected a Pillow image, got ndarray"):
        Preprocess(32)(np.zeros((3, 4, 4)))


# --- whose fault it is ---------------------------------------------------------------------------

class Fails:
    """A transform that raises what it is told."""

    def __init__(self, error):
        self.error = error

    def __call__(self, image):
        raise self.error

    def __repr__(self):
        return "Fails(\n    of many lines\n)"


@pytest.mark.parametrize("error, told", [
    (KeyError("k"), "KeyError: 'k'"), (TypeError("odd"), "TypeError: odd"), (ValueError("v"), "v"),
    (ZeroDivisionError(), "ZeroDivisionError: ZeroDivisionError"),
    (OSError(2, "gone"), "FileNotFoundError: [Errno 2] gone"),
    (ImageError("torn"), "ImageError: torn"), (RuntimeError("two\nlines"), "two lines"),
    (StopIteration(), "StopIteration"), (MemoryError("full"), "MemoryError: full")])
@EVERY
def test_an_error_of_the_transform_names_it_and_the_sample(error, told, how, photographs):
    for transform in (Fails(error), Compose([lambda image: image, Compose([Fails(error)])])):
        data = photographs.with_transform(transform)
        words = (f"the transform Fails( of many lines ) failed on {data.name(1)}: ", told)
        with one_line(SampleError, *words):
            list(DataLoader(Subset(data, [1]), **how))
        with one_line(TransformError, *words):
            data[1]
        with pytest.raises(TransformError) as caught:
            data[1]
        assert caught.value.__cause__ is error


def test_functions_and_classes_are_named_in_messages():
    def halved(image):
        return image / 0

    class Nameless:
        def __call__(self, image):
            return image / 0

    long = Normalize(tuple(range(100)), (1,) * 100)
    for transform, name in ((halved, "halved"), (Nameless(), "Nameless"),
                            (functools.partial(halved), "halved(...)"), (long, "Normalize(")):
        with pytest.raises(TransformError, match=".* failed on sample 0: ") as caught:
            ArrayDataset([1], [0], transform)[0]
        message = str(caught.value)
        assert name in message and " at 0x" not in message and len(message) < 400


@EVERY
def test_a_file_that_cannot_be_read_stays_the_files_fault(how, photographs):
    with open(photographs.samples[0][0], "wb") as file:
        file.write(b"\x89PNG")
    data = photographs.with_transform(Compose([Resize(24), ToArray()]))
    with one_line(ImageError, "cannot read image"):
        data[0]
    with one_line(SampleError, f"cannot read image {data.name(0)}: ",
                  'on_error="skip" or "replace"', "data.check(folder)"):
        list(DataLoader(data, **how))
    with pytest.raises(SampleError) as caught:
        list(DataLoader(data, **how))
    assert "the transform" not in str(caught.value)


@EVERY
def test_a_crop_beyond_one_photograph_may_be_skipped(how, photographs):
    data = photographs.with_transform(Compose([RandomCrop(24), ToArray()]))
    small = data.targets.index(1, data.targets.index(1) + 1)
    with one_line(SampleError, "the transform RandomCrop(size=(24, 24), padding=None) failed on",
                  data.name(small), "size (24, 24) is larger than the image (20, 20)"):
        list(DataLoader(data, **how))
    with pytest.raises(SampleError) as caught:
        list(DataLoader(data, **how))
    assert "on_error" not in str(caught.value)      # it is no file that has to be mended
    loader = DataLoader(data, 4, on_error="skip", **how)
    (x, y), = loader
    assert len(x) == 3
    (name, reason), = loader.skipped
    assert name == data.name(small) and "the transform RandomCrop" in reason


@pytest.mark.parametrize("error", [TypeError, KeyError, OSError, ValueError])
@pytest.mark.parametrize("policy", ["skip", "replace"])
@EVERY
def test_of_a_transforms_errors_only_value_errors_are_skipped(error, policy, how):
    def strict(x):
        if x == 13:
            raise error("odd")
        return x
    loader = DataLoader(ArrayDataset(np.arange(40.0), [0] * 40, strict), 4, on_error=policy, **how)
    if error is ValueError:
        assert sum(len(x) for x, _ in loader) == 40 - (policy == "skip")
        assert [name for name, _ in loader.skipped] == ["sample 13"]
    else:
        with one_line(SampleError, f"strict failed on sample 13: {error.__name__}: ", "odd"):
            list(loader)


def test_a_chain_called_by_itself_raises_what_its_step_raised():
    with one_line(ValueError, "RandomCrop: size (99, 99) is larger"):
        Compose([RandomCrop(99)])(image())


def test_without_a_generator_a_chain_takes_one_for_all_its_steps():
    chain = Compose([RandomCrop(20), RandomHorizontalFlip(), ToArray()])
    manual_seed(4)
    expected = [chain(image()) for _ in range(3)]
    manual_seed(4)
    data = ArrayDataset([image()] * 3, [0] * 3, chain)
    for i, x in enumerate(expected):
        np.testing.assert_array_equal(data.get(i, None)[0], x)


def test_own_data_sets_call_their_transform_as_before():
    class Mine(Dataset):
        targets = [0, 1]
        transform = staticmethod(lambda x, rng: x + rng.integers(1000))

        def get(self, index, rng):
            return self.transform(np.float32(index), rng), self.targets[index]

    (x, _), = DataLoader(Mine(), 2, seed=3)
    (again, _), = DataLoader(Mine(), 2, seed=3)
    assert x.tolist() == again.tolist() and x[0] != x[1]
