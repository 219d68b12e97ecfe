"""Transforms: what each does to pixels one can check by eye, how it draws, what it refuses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from minigrad.backend import manual_seed, random_state
from minigrad.data import (CenterCrop, ColorJitter, Compose, GaussianBlur, Grayscale, Normalize,
                           RandomCrop, RandomErasing, RandomGrayscale, RandomHorizontalFlip,
                           RandomResizedCrop, RandomRotation, RandomVerticalFlip, Resize, ToArray,
                           ToTensor)

RNG = np.random.default_rng


def image(width=8, height=6, mode="RGB", seed=0):
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    return Image.fromarray(RNG(seed).integers(0, 256, shape, dtype=np.uint8))


def row(*values):
    """A grey image of one row."""
    return Image.fromarray(np.array([values], np.uint8))


def pixels(picture):
    return np.asarray(picture).tolist()


@pytest.mark.parametrize("size, before, after", [
    (4, (8, 6), (5, 4)),            # int(4 * 8 / 6) = int(5.33)
    (4, (6, 10), (4, 6)),           # int(6.67): cut, not rounded
    ((3, 9), (8, 6), (9, 3)), (6, (8, 6), (8, 6))])
def test_resize_makes_the_shorter_side_or_the_pair(size, before, after):
    assert Resize(size)(image(*before)).size == after


def test_shrinking_averages_and_does_not_drop_pixels():
    stripes = Image.fromarray(np.tile(np.uint8([0, 200]), (16, 8)))
    assert np.ptp(np.asarray(Resize((2, 2))(stripes))) < 20         # without antialiasing: 200


def test_centre_crop_rounds_halves_to_even_and_pads_with_black():
    assert pixels(CenterCrop((1, 2))(row(1, 2, 3, 4, 5))) == [[3, 4]]       # 1.5 -> 2
    assert pixels(CenterCrop((1, 4))(row(1, 2, 3, 4, 5))) == [[1, 2, 3, 4]]     # 0.5 -> 0
    assert pixels(CenterCrop((1, 4))(row(7))) == [[0, 7, 0, 0]]
    assert pixels(CenterCrop((1, 3))(row(1, 2))) == [[1, 2, 0]]


@pytest.mark.parametrize("mode, padded", [
    ("constant", [9, 9, 1, 2, 3, 9, 9]), ("edge", [1, 1, 1, 2, 3, 3, 3]),
    ("reflect", [3, 2, 1, 2, 3, 2, 1]), ("symmetric", [2, 1, 1, 2, 3, 3, 2])])
def test_padding_modes(mode, padded):
    crop = RandomCrop((1, 7), padding=(2, 0), fill=9, padding_mode=mode)
    assert pixels(crop(row(1, 2, 3), RNG(0))) == [padded]


@pytest.mark.parametrize("padding, size", [
    (1, (8, 10)), ((2, 1), (8, 12)), ((1, 2, 3, 4), (12, 12)), (None, (6, 8)), (0, (6, 8))])
def test_borders_are_left_top_right_bottom(padding, size):
    whole = np.asarray(RandomCrop(size, padding, fill=5)(image(), RNG(0)))
    left, top = {1: (1, 1), (2, 1): (2, 1), (1, 2, 3, 4): (1, 2)}.get(padding, (0, 0))
    inner = np.s_[top:top + 6, left:left + 8]
    np.testing.assert_array_equal(whole[inner], image())
    assert whole.sum() == np.asarray(image(), int).sum() + 5 * (whole.size - 8 * 6 * 3)


def test_a_fill_per_channel_colours_the_padding():
    whole = RandomCrop((8, 10), 1, fill=(1, 2, 3))(image(), RNG(0))
    assert whole.getpixel((0, 0)) == (1, 2, 3) == whole.getpixel((9, 7))


def test_pad_if_needed_pads_both_sides_of_what_is_too_small():
    crop = RandomCrop((1, 5), pad_if_needed=True)
    seen = {tuple(pixels(crop(row(1, 2, 3), RNG(seed)))[0]) for seed in range(60)}
    assert seen == {(0, 0, 1, 2, 3), (0, 1, 2, 3, 0), (1, 2, 3, 0, 0)}


def test_a_window_lies_anywhere_with_equal_chance():
    crop = RandomCrop((3, 5))
    draws = [crop.draw(image(), RNG(seed)) for seed in range(3200)]
    counts = np.zeros((4, 4), int)
    np.add.at(counts, tuple(np.transpose(draws)), 1)
    assert counts.min() > 140 and counts.max() < 260        # 200 expected, sigma 14


def test_a_crop_beyond_the_image_says_both_sizes():
    with pytest.raises(ValueError, match=r"RandomCrop: size \(9, 3\) .*\(6, 8\)"):
        RandomCrop((9, 3))(image())


def test_resized_crop_draws_area_uniformly_and_proportions_log_uniformly():
    crop = RandomResizedCrop(4, scale=(0.2, 0.6))
    picture = Image.new("RGB", (1000, 1000))
    draws = np.array([crop.draw(picture, RNG(seed)) for seed in range(2000)], float)
    top, left, height, width = draws.T
    area, ratio = width * height / 1e6, np.log(width / height) / np.log(4 / 3)
    for values, low, high in ((area, 0.2, 0.6), (ratio, -1, 1)):
        places = np.sort((values - low) / (high - low))     # Kolmogorov-Smirnov distance
        assert np.abs(places - np.linspace(0, 1, 2000)).max() < 0.04
    for offset, free in ((top, 1000 - height), (left, 1000 - width)):
        assert abs((offset / free).mean() - 0.5) < 0.03 and (offset <= free).all()


@pytest.mark.parametrize("size, window", [
    ((100, 10), (0, 43, 10, 13)), ((10, 100), (43, 0, 13, 10)), ((10, 10), (0, 0, 10, 10))])
def test_resized_crop_falls_back_on_the_middle(size, window):
    crop = RandomResizedCrop(4, scale=(2, 2))       # no window is twice the image
    assert crop.draw(Image.new("L", size), RNG(0)) == window


def test_resized_crop_is_a_crop_then_a_resize():
    crop = RandomResizedCrop((3, 5))
    done = crop.apply(image(20, 20), 2, 1, 10, 12)
    assert pixels(done) == pixels(image(20, 20).crop((1, 2, 13, 12)).resize((5, 3), 2))


def test_flip_mirrors_left_and_right_as_often_as_p_says():
    flip = RandomHorizontalFlip(0.3)
    results = [pixels(flip(row(1, 2), RNG(seed)))[0] for seed in range(2000)]
    assert 530 < results.count([2, 1]) < 670 and results.count([1, 2]) == 2000 - results.count(
        [2, 1])


def test_vertical_flip_turns_upside_down_as_often_as_p_says():
    column = Image.fromarray(np.uint8([[1], [2]]))
    results = [pixels(RandomVerticalFlip(0.3)(column, RNG(seed))) for seed in range(2000)]
    assert 530 < results.count([[2], [1]]) < 670
    assert results.count([[2], [1]]) + results.count([[1], [2]]) == 2000
    assert pixels(RandomVerticalFlip(1)(row(1, 2))) == [[1, 2]]


def test_rotation_turns_counter_clockwise_and_fills():
    turned = RandomRotation((90, 90), fill=7)(Image.fromarray(np.uint8([[1, 2], [3, 4]])), RNG(0))
    assert pixels(turned) == [[2, 4], [1, 3]]
    turned = RandomRotation((45, 45), fill=(1, 2, 3))(image(9, 9), RNG(0))
    assert turned.getpixel((0, 0)) == (1, 2, 3)
    angles = [RandomRotation(30).draw(None, RNG(seed))[0] for seed in range(500)]
    assert min(angles) < -28 and max(angles) > 28 and abs(np.mean(angles)) < 3


def test_jitter_draws_each_factor_in_its_range_and_every_order():
    jitter = ColorJitter(0.5, (0.2, 0.3), 2, 0.1)
    draws = [jitter.draw(None, RNG(seed)) for seed in range(500)]
    assert len({tuple(name for name, _ in one) for one in draws}) == 24
    values = {name: [dict(one)[name] for one in draws] for name, _ in draws[0]}
    for name, low, high in (("brightness", 0.5, 1.5), ("contrast", 0.2, 0.3),
                            ("saturation", 0, 3), ("hue", -0.1, 0.1)):
        least, greatest = min(values[name]), max(values[name])
        assert low <= least < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < greatest <= high


def test_jitter_changes_in_the_order_given():
    jitter = ColorJitter(brightness=0.5)
    grey = Image.new("RGB", (1, 1), (100, 150, 200))
    assert jitter.apply(grey, ("brightness", 0.5)).getpixel((0, 0)) == (50, 75, 100)
    changes = ("brightness", 2), ("saturation", 0)
    assert pixels(jitter.apply(grey, *changes)) != pixels(jitter.apply(grey, *changes[::-1]))
    red = Image.new("RGB", (1, 1), (255, 0, 0))
    assert jitter.apply(red, ("hue", 1 / 3)).getpixel((0, 0)) == (0, 255, 0)
    assert ColorJitter().draw(grey, RNG(0)) == ()


def test_grey_has_one_channel_or_three_alike():
    red = Image.new("RGB", (1, 1), (255, 0, 0))
    assert pixels(Grayscale()(red)) == [[76]]               # 0.299 * 255 = 76.2
    assert pixels(Grayscale(3)(red)) == [[[76, 76, 76]]]
    assert pixels(Grayscale(3)(row(9))) == [[[9, 9, 9]]] and pixels(Grayscale()(row(9))) == [[9]]
    results = [pixels(RandomGrayscale(0.3)(red, RNG(seed)))[0][0] for seed in range(2000)]
    assert 530 < results.count([76, 76, 76]) < 670
    assert results.count([76, 76, 76]) + results.count([255, 0, 0]) == 2000
    assert pixels(RandomGrayscale(1)(row(9))) == [[9]]


def test_blur_is_a_normalised_gaussian_mirrored_at_the_edges():
    point = Image.fromarray(np.pad(np.uint8([[200]]), ((2, 2), (3, 3))))
    blurred = np.asarray(GaussianBlur((5, 3), 1.5)(point, RNG(0)), int)     # 5 wide, 3 high
    across, down = (np.exp(-np.arange(-k, k + 1) ** 2 / (2 * 1.5 ** 2)) for k in (2, 1))
    expected = np.rint(200 * np.outer(down / down.sum(), across / across.sum()))
    np.testing.assert_array_equal(blurred[1:4, 1:6], expected)
    assert blurred.sum() == expected.sum()                  # nothing outside the window
    weights = np.exp(-np.array([1, 0, 1]) / 2)
    weights /= weights.sum()
    edge = round(weights @ [90, 10, 90])                    # 90 | 10 90
    assert pixels(GaussianBlur((3, 1), 1)(row(10, 90), RNG(0)))[0][0] == edge
    assert np.asarray(GaussianBlur(3)(image())).shape == (6, 8, 3)


def test_blur_draws_its_deviation_uniformly():
    draws = np.sort([GaussianBlur(3, (1, 3)).draw(None, RNG(seed))[0] for seed in range(2000)])
    assert np.abs(draws - np.linspace(1, 3, 2000)).max() < 0.08
    assert GaussianBlur(3, 0.7).draw(None, RNG(0)) == (0.7,)


def test_a_blur_wider_than_the_image_is_refused():
    GaussianBlur((15, 11), 1)(image())
    with pytest.raises(ValueError, match=r"\(17, 11\) needs an image of at least 9 x 6 .* 8 x 6"):
        GaussianBlur((17, 11), 1)(image())


def test_erasing_covers_a_rectangle_of_random_place_area_and_proportions():
    erase = RandomErasing(p=1, scale=(0.1, 0.3), ratio=(0.5, 2), value=-1)
    x = np.ones((1, 200, 200), np.float32)
    boxes = []
    for seed in range(1500):
        (rows,), (columns,) = (np.nonzero(np.any(erase(x, RNG(seed))[0] < 0, axis))
                               for axis in (1, 0))
        boxes.append((rows[0], columns[0], len(rows), len(columns)))
        assert (erase(x, RNG(seed)) < 0).sum() == len(rows) * len(columns)
    assert x.min() == 1                                     # the input is left alone
    top, left, height, width = np.array(boxes, float).T
    area, ratio = height * width / 200 ** 2, np.log(height / width) / np.log(2)
    for values, low, high in ((area, 0.1, 0.3), (ratio, -1, 1)):
        places = np.sort((values - low) / (high - low))     # Kolmogorov-Smirnov distance
        assert np.abs(places - np.linspace(0, 1, 1500)).max() < 0.05
    for offset, free in ((top, 200 - height), (left, 200 - width)):
        assert abs((offset / free).mean() - 0.5) < 0.03 and (offset <= free).all()


def test_erasing_happens_as_often_as_p_says_and_puts_what_it_is_told():
    x = RNG(0).random((3, 9, 9)).astype(np.float32)
    same = sum(RandomErasing(0.3)(x, RNG(seed)) is x for seed in range(2000))
    assert 1330 < same < 1470
    y = RandomErasing(1, value=(1, 2, 3))(x, RNG(1))
    changed = np.any(y != x, axis=0)
    assert changed.any() and (y[:, changed] == [[1], [2], [3]]).all()
    noise = RandomErasing(1, (0.9, 0.9), (1, 1), "random")(np.zeros((3, 99, 99)), RNG(0))
    drawn = noise[noise != 0]
    assert noise.dtype == np.float64 and len(drawn) == 3 * 94 * 94     # sqrt(0.9) 99 = 93.9
    assert abs(drawn.mean()) < 0.03 and abs(drawn.std() - 1) < 0.03
    assert RandomErasing(1, (1, 1), (1, 1))(x, RNG(0)) is x     # none is smaller than the image


def test_arrays_are_planes_of_bytes_over_255():
    x = ToArray()(image())
    assert x.shape == (3, 6, 8) and x.dtype == np.float32 and x.flags.c_contiguous
    np.testing.assert_array_equal(x[1], np.asarray(image())[:, :, 1] / np.float32(255))
    assert ToArray()(image(mode="L")).shape == (1, 6, 8)


def test_to_tensor_is_another_name_of_to_array():
    x = ToTensor()(image())
    assert type(x) is np.ndarray and repr(ToTensor()) == "ToTensor()"
    np.testing.assert_array_equal(x, ToArray()(image()), strict=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normalize_is_per_channel_and_leaves_its_input_alone(dtype):
    x = RNG(0).random((2, 3, 4)).astype(dtype)
    kept = x.copy()
    y = Normalize((1, 2), [4, 0.5])(x)
    np.testing.assert_array_equal(y, np.stack([(kept[0] - 1) / 4, (kept[1] - 2) / 0.5]))
    assert y.dtype == dtype
    np.testing.assert_array_equal(x, kept)


RANDOM = [RandomCrop(4, 2), RandomResizedCrop(4), RandomHorizontalFlip(), RandomRotation(90),
          ColorJitter(0.5, 0.5, 0.5, 0.5), RandomVerticalFlip(), RandomGrayscale(0.5),
          GaussianBlur(3, (0.5, 9))]


@pytest.mark.parametrize("transform", RANDOM, ids=lambda t: type(t).__name__)
def test_randomness_is_the_given_generator_or_else_minigrads(transform):
    assert pixels(transform(image(), RNG(3))) == pixels(transform(image(), RNG(3)))
    manual_seed(5)
    first = [pixels(transform(image())) for _ in range(8)]
    manual_seed(5)
    assert [pixels(transform(image())) for _ in range(8)] == first
    assert any(one != first[0] for one in first)


def test_a_chain_shares_one_generator_and_is_what_its_steps_do():
    chain, rng = Compose([*RANDOM, ToArray()]), RNG(1)
    expected = image()
    for step in chain.transforms:
        expected = step(expected, rng)
    np.testing.assert_array_equal(chain(image(), RNG(1)), expected)
    manual_seed(0)
    chain(image())
    assert random_state()["count"] == 1
    ToArray()(Resize(3)(CenterCrop(2)(image())))
    assert random_state()["count"] == 1             # what draws nothing, takes nothing


@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from(["RGB", "L"]), st.integers(0, 99))
def test_any_image_becomes_the_size_that_was_asked_for(width, height, mode, seed):
    chain = Compose([Resize(9), ColorJitter(1, 1, 1, 0.5), RandomRotation(180), GaussianBlur(5),
                     RandomVerticalFlip(), RandomGrayscale(0.5),
                     RandomCrop((7, 8), (1, 2), padding_mode="reflect"), RandomHorizontalFlip(),
                     RandomResizedCrop((5, 4)), CenterCrop(6), ToArray(), RandomErasing()])
    assert chain(image(width, height, mode), RNG(seed)).shape == (len(mode), 6, 6)


@pytest.mark.parametrize("make, parameter", [
    (lambda: Resize(0), "size"), (lambda: Resize(2.5), "size"), (lambda: Resize((1, 2, 3)), "size"),
    (lambda: CenterCrop((3, -1)), "size"), (lambda: RandomCrop(True), "size"),
    (lambda: RandomCrop(4, padding=-1), "padding"), (lambda: RandomCrop(4, (1, 2, 3)), "padding"),
    (lambda: RandomCrop(4, padding_mode="mirror"), "padding_mode"),
    (lambda: RandomCrop(4, fill=256), "fill"), (lambda: RandomRotation(30, fill="red"), "fill"),
    (lambda: RandomRotation(-30), "degrees"), (lambda: RandomRotation((9, 3)), "degrees"),
    (lambda: RandomResizedCrop(4, scale=(0.5, 0.1)), "scale"),
    (lambda: RandomResizedCrop(4, ratio=(0, 1)), "ratio"),
    (lambda: RandomResizedCrop(4, ratio=1.0), "ratio"),
    (lambda: RandomHorizontalFlip(1.5), "p"), (lambda: RandomHorizontalFlip("often"), "p"),
    (lambda: ColorJitter(-1), "brightness"), (lambda: ColorJitter(contrast=(2, 1)), "contrast"),
    (lambda: ColorJitter(saturation=float("nan")), "saturation"),
    (lambda: ColorJitter(hue=0.6), "hue"), (lambda: ColorJitter(hue=(-0.7, 0)), "hue"),
    (lambda: RandomVerticalFlip(-0.1), "p"), (lambda: RandomGrayscale(2), "p"),
    (lambda: Grayscale(2), "num_output_channels"), (lambda: Grayscale(1.0), "num_output_channels"),
    (lambda: GaussianBlur(4), "kernel_size"), (lambda: GaussianBlur((3, 3, 3)), "kernel_size"),
    (lambda: GaussianBlur(-3), "kernel_size"), (lambda: GaussianBlur(3, 0), "sigma"),
    (lambda: GaussianBlur(3, (2, 1)), "sigma"), (lambda: GaussianBlur(3, (0, 1)), "sigma"),
    (lambda: RandomErasing(2), "p"), (lambda: RandomErasing(scale=(0, 1.1)), "scale"),
    (lambda: RandomErasing(scale=0.3), "scale"), (lambda: RandomErasing(ratio=(0, 1)), "ratio"),
    (lambda: RandomErasing(value="noise"), "value"), (lambda: RandomErasing(value=()), "value"),
    (lambda: RandomErasing(value=(0, None)), "value"),
    (lambda: Normalize(0.5, 0.5), "mean"), (lambda: Normalize((0.5,), (0,)), "std"),
    (lambda: Normalize((0.5, 0.5), (1,)), "std"), (lambda: Compose([3]), "transforms")])
def test_bad_arguments_are_refused_by_name(make, parameter):
    with pytest.raises(ValueError, match=rf"^\w+: (.* and )?{parameter} "):
        make()


@pytest.mark.parametrize("call, error, message", [
    (lambda: Resize(3)(np.zeros((3, 4, 4))), TypeError, "Resize: expected a Pillow image"),
    (lambda: Normalize((0,), (1,))(image()), TypeError, "belongs after ToArray"),
    (lambda: Normalize((0,), (1,))(np.zeros((1, 2, 2), int)), TypeError, "float array"),
    (lambda: Normalize((0,), (1,))(np.zeros((3, 2, 2))), ValueError, "mean has 1 channels"),
    (lambda: RandomErasing()(image()), TypeError, "RandomErasing: .* belongs after ToArray"),
    (lambda: RandomErasing(1, value=(1, 2))(np.zeros((3, 9, 9)), RNG(0)), ValueError,
     "RandomErasing: value has 2 channels, the image 3"),
    (lambda: ToArray()(Image.new("CMYK", (2, 2))), ValueError, "mode must be RGB or L, got CMYK")])
def test_the_wrong_input_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_printed_forms():
    assert str(Compose([RandomCrop(4, 2, padding_mode="edge"), ToArray()])) == (
        "Compose(\n    RandomCrop(size=(4, 4), padding=2, padding_mode=edge)\n    ToArray()\n)")
