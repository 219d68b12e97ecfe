"""The same pixels as torchvision, bit for bit: given what it draws, and whatever needs no draw.

Skipped where torch or torchvision is missing.
"""

import numpy as np
import pytest
from PIL import Image

from minigrad import data

torch = pytest.importorskip("torch")
SIZES = [(1, 1), (2, 7), (31, 20), (20, 31), (64, 64), (125, 94), (333, 500)]


@pytest.fixture
def tv(torchvision):
    return torchvision


def image(size=(64, 48), mode="RGB"):
    shape = (*size[::-1], 3) if mode == "RGB" else size[::-1]
    return Image.fromarray(np.random.default_rng(size[0]).integers(0, 256, shape, dtype=np.uint8))


def assert_same(ours, theirs):
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs), strict=True)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_what_draws_nothing(tv, size, mode):
    t, picture = tv.transforms, image(size, mode)
    for target in (1, 7, 20, 224, (5, 9), (300, 40)):
        assert_same(data.Resize(target)(picture), t.Resize(target)(picture))
        assert_same(data.CenterCrop(target)(picture), t.CenterCrop(target)(picture))
    mean, std = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)) if mode == "RGB" else ((0.3,), (7,))
    ours, theirs = data.ToArray()(picture), t.ToTensor()(picture)
    assert_same(ours, theirs.numpy())
    assert_same(data.Normalize(mean, std)(ours), t.Normalize(mean, std)(theirs).numpy())
    assert_same(data.ToTensor()(picture), theirs.numpy())
    for channels in (1, 3):
        assert_same(data.Grayscale(channels)(picture), t.Grayscale(channels)(picture))


@pytest.mark.parametrize("mode", data.transforms.PADDING_MODES)
@pytest.mark.parametrize("padding", [None, 3, (2, 5), (1, 2, 3, 4)])
@pytest.mark.parametrize("size", [(64, 48), (20, 31), (9, 70)])
def test_random_crop_at_the_same_place(tv, mode, padding, size, monkeypatch):
    ours = data.RandomCrop((30, 40), padding, True, (1, 2, 3), mode)
    theirs = tv.transforms.RandomCrop((30, 40), padding, True, (1, 2, 3), mode)
    for seed in range(4):
        place = ours.draw(image(size), np.random.default_rng(seed))
        monkeypatch.setattr(tv.transforms.RandomCrop, "get_params",
                            staticmethod(lambda img, size: (*place, *size)))
        assert_same(ours.apply(image(size), *place), theirs(image(size)))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_other_random_ones_with_the_same_numbers(tv, seed, mode):
    f, rng, picture = tv.transforms.functional, np.random.default_rng(seed), image(mode=mode)
    crop = data.RandomResizedCrop((20, 30))
    window = crop.draw(picture, rng)
    assert_same(crop.apply(picture, *window), f.resized_crop(picture, *window, [20, 30]))
    assert_same(data.RandomHorizontalFlip().apply(picture, True), f.hflip(picture))
    assert_same(data.RandomVerticalFlip().apply(picture, True), f.vflip(picture))
    assert_same(data.RandomGrayscale().apply(picture, True),
                tv.transforms.RandomGrayscale(1)(picture))
    fill = (9, 8, 7) if mode == "RGB" else 9
    rotation = data.RandomRotation(180, fill)
    angle, = rotation.draw(picture, rng)
    assert_same(rotation.apply(picture, angle), f.rotate(picture, angle, fill=fill))
    jitter = data.ColorJitter(0.8, 0.8, 0.8, 0.5)
    changes, theirs = jitter.draw(picture, rng), picture
    for name, factor in changes:
        theirs = getattr(f, f"adjust_{name}")(theirs, factor)
    assert_same(jitter.apply(picture, *changes), theirs)


@pytest.mark.parametrize("kernel_size, sigma", [(3, 0.5), (9, 2.0), ((5, 9), (0.1, 3)), (23, 5.0)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_blur_with_the_same_deviation(tv, kernel_size, sigma, mode):
    """Sums in another order: a value in the middle of two bytes may be rounded to the other."""
    blur, picture = data.GaussianBlur(kernel_size, sigma), image(mode=mode)
    drawn, = blur.draw(picture, np.random.default_rng(0))
    theirs = tv.transforms.functional.gaussian_blur(picture, kernel_size, drawn)
    difference = np.abs(np.subtract(blur.apply(picture, drawn), theirs, dtype=int))
    assert difference.max() <= 1 and np.count_nonzero(difference) < difference.size / 1000


@pytest.mark.parametrize("value", [0, 0.25, (1, 2, 3), "random"])
def test_erasing_at_the_same_place(tv, value, monkeypatch):
    erase, x = data.RandomErasing(1, value=value), data.ToArray()(image())
    for seed in range(4):
        top, left, cover = erase.draw(x, np.random.default_rng(seed))
        monkeypatch.setattr(
            tv.transforms.RandomErasing, "get_params", staticmethod(lambda img, **how: (
                top, left, *cover.shape[1:], torch.from_numpy(cover.copy()))))
        theirs = tv.transforms.RandomErasing(1, value=value)(torch.from_numpy(x))
        assert_same(erase.apply(x, top, left, cover), theirs.numpy())
        assert cover.size


def test_every_hue_shift(tv):
    jitter = data.ColorJitter(hue=0.5)
    for factor in np.linspace(-0.5, 0.5, 41).tolist():
        assert_same(jitter.apply(image(), ("hue", factor)),
                    tv.transforms.functional.adjust_hue(image(), factor))


@pytest.mark.parametrize("name, arguments", [
    ("Resize", (256,)), ("Resize", ((3, 4),)), ("CenterCrop", (224,)), ("RandomCrop", (32, 4)),
    ("RandomCrop", ((3, 4),)), ("RandomResizedCrop", (224,)), ("RandomHorizontalFlip", (0.3,)),
    ("RandomRotation", (30,)), ("RandomRotation", ((-5, 9),)),
    ("ColorJitter", (0.4, 2, (1, 3), 0.1)), ("ColorJitter", ()), ("Normalize", ((0.5,), (0.25,))),
    ("RandomVerticalFlip", ()), ("Grayscale", ()), ("Grayscale", (3,)), ("RandomGrayscale", ()),
    ("GaussianBlur", (5,)), ("GaussianBlur", ((3, 5), 2)), ("ToTensor", ()), ("RandomErasing", ()),
    ("RandomErasing", (0.1, (0.1, 0.2), (1, 2), "random"))])
def test_printed_forms(tv, name, arguments):
    ours, theirs = getattr(data, name)(*arguments), getattr(tv.transforms, name)(*arguments)
    assert repr(ours) == repr(theirs)
    assert repr(data.Compose([ours, ours])) == repr(tv.transforms.Compose([theirs, theirs]))


@pytest.mark.parametrize("name, bad", [
    ("GaussianBlur", [(4,), (-1,), (3, 0), (3, (2, 1)), (3, (0, 1))]),
    ("RandomErasing", [(1.5,), (0.5, (-0.1, 1)), (0.5, (0.1, 2)), (1, (0, 1), (0.3, 3), "noise")])])
def test_what_torchvision_refuses_is_refused(tv, name, bad):
    for arguments in bad:
        for module in (data, tv.transforms):
            with pytest.raises(ValueError):
                getattr(module, name)(*arguments)


@pytest.mark.parametrize("total, lengths", [
    (10, (0.3, 0.3, 0.4)), (101, (0.7, 0.2, 0.1)), (646, (0.63, 0.07, 0.3)), (7, (0.5, 0.5)),
    (1000, (1 / 3, 1 / 3, 1 / 3)), (29, (0.29, 0.71)), (11, (4, 7))])
def test_split_sizes(total, lengths):
    dataset = data.ArrayDataset(np.zeros(total), np.zeros(total, int))
    theirs = torch.utils.data.random_split(range(total), lengths)
    assert [len(p) for p in data.random_split(dataset, lengths, 0)] == [len(p) for p in theirs]


def test_an_epoch_without_draws(tv, tmp_path):
    for k in range(7):
        path = tmp_path / "ab"[k % 2] / f"{k}.png"
        path.parent.mkdir(exist_ok=True)
        image((40 + k, 33)).save(path)
    ours = data.ImageFolder(tmp_path, data.Compose([data.Resize(20), data.CenterCrop(16),
                                                    data.ToArray()]))
    t = tv.transforms
    theirs = tv.datasets.ImageFolder(tmp_path, t.Compose([t.Resize(20), t.CenterCrop(16),
                                                          t.ToTensor()]))
    batches = list(torch.utils.data.DataLoader(theirs, 3))
    assert len(batches) == 3
    for (x, y), (tx, ty) in zip(data.DataLoader(ours, 3), batches, strict=True):
        assert_same(x, tx.numpy())
        assert_same(y, ty.numpy())
