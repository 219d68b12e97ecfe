"""What the pictures of the page on pyramids show: titles, legends, images and curves that are the
levels and the numbers."""

import io

import numpy as np
import pytest
from PIL import Image, ImageSequence

from experiments.pyramid_pictures import (basis, blending, coding, exactness, filters, levels, page,
                                          rebuilding, zone_plate)
from experiments.pyramid_pictures.photograph import Photograph
from pyramids import (aliased_energy, bits_per_pixel, blend, entropy, mosaic, places, response,
                      sigma, taps)
from tests.experiments.figure_parts import (bars, labels, legend, named, pictures, scales, texts,
                                            ticks)

SIZES = ["31×20", "16×10", "8×5", "4×3", "2×2", "1×1"]


@pytest.fixture(scope="module")
def photo():
    """Clouds of a few pixels, so that differences are small, and one bright pixel."""
    rng = np.random.default_rng(3)
    small = Image.fromarray(rng.integers(0, 256, (5, 8, 3), np.uint8))
    image = np.array(small.resize((31, 20), Image.Resampling.BICUBIC))
    image[4, 7] = 255, 0, 200
    return Photograph(image)


def test_the_story_goes_from_picture_to_picture(photo):
    assert photo.details[-1].shape[:2] == (1, 1) and len(photo.details) == len(SIZES)
    costs = coding.costs(photo)
    story = page._story(photo, costs)
    assert "31×20 pixels" in story[0] and "halved down to 1x1" in story[0]
    assert f"the pixels {costs['pixels']:.2f}" in story[-1]


def test_the_strip_goes_up_from_the_top(photo):
    axes = rebuilding.strip(photo).axes
    upper, lower = axes[:6], axes[6:]
    assert [ax.get_title() for ax in upper] == ["", *(f"+ $L_{{{k}}}$" for k in (4, 3, 2, 1, 0))]
    assert [ax.get_title() for ax in lower] == [f"$I_{{{k}}}$  {SIZES[k]}"
                                                for k in (5, 4, 3, 2, 1, 0)]
    for k, above, below in zip((5, 4, 3, 2, 1, 0), upper, lower):
        assert np.array_equal(pictures(below)[0], photo.images[k])
        assert len(above.images) == (k < 5)
        if k < 5:
            assert np.array_equal(pictures(above)[0], photo.centred(k))
        assert all(tuple(image.get_extent()) == (0, 31, 20, 0) for image in below.images)


def test_the_film_has_a_frame_per_level_and_rests_at_the_last(photo):
    with Image.open(io.BytesIO(rebuilding.film(photo))) as film:
        durations = [frame.info["duration"] for frame in ImageSequence.Iterator(film)]
        assert durations == [1200] * 5 + [4000] and film.info["loop"] == 0


def test_a_frame_of_the_film_is_the_sum_of_two_images(photo, monkeypatch):
    shown, notes = [], []
    monkeypatch.setattr(rebuilding, "_show", lambda ax, image, photo, title: shown.append(
        (np.asarray(image), title)))
    real = rebuilding.new_figure

    def watched(*size):
        figure = real(*size)
        figure.supxlabel = lambda text, **look: notes.append(text)
        return figure
    monkeypatch.setattr(rebuilding, "new_figure", watched)
    rebuilding._frame(photo, 2)
    rebuilding._frame(photo, 5)
    assert [title for _, title in shown] == ["$I_{2}$, 8×5", "= up($I_{3}$)", "+ $L_{2}$",
                                             "$I_{5}$, 1×1"]
    (image, _), (predicted, _), (grey, _), _ = shown
    assert np.array_equal(image, photo.images[2])
    assert np.array_equal(predicted.astype(int) + photo.details[2], image)
    assert np.array_equal(grey, photo.centred(2))
    assert notes == [f"0 of {n} samples differ from the true $I_{{{k}}}$"
                     for n, k in ((120, 2), (3, 5))]


def test_the_mosaic(photo):
    upper, lower = levels.mosaics(photo).axes
    assert upper.get_title("left") == "Gaussian levels: each the halved one before"
    assert lower.get_title("left") == (f"Laplacian levels: grey 0, black −{photo.scale:.0f}, "
                                       f"white +{photo.scale:.0f}")
    for ax, name in ((upper, "I"), (lower, "L")):
        assert texts(ax)[:3] == [f"${name}_{{{k}}}$  {SIZES[k]}" for k in (1, 2, 3)]
        for text, (rows, columns) in zip(ax.texts[:3], places(photo.images)[1:]):
            x, y = text.get_position()
            assert y == (rows.start + rows.stop) / 2 and columns.stop < x < columns.stop + 3
    canvas, = pictures(upper)
    whole = mosaic(photo.images)
    assert canvas.shape == whole.shape == (21, 16 + 31, 3)
    assert tuple(upper.images[0].get_extent()) == (0, 47, 21, 0)
    for k, place in enumerate(places(photo.images)):
        assert np.abs(255 * canvas[place] - photo.images[k]).max() <= 1e-9 + k / 2     # unrounded
        assert np.allclose(pictures(lower)[0][place], photo.centred(k))


def test_the_telescope(photo):
    left, right = levels.telescope(photo).axes
    assert (left.get_title(), right.get_title()) == ("Gaussian", "Laplacian")
    assert texts(left) == [f"$I_{{{k}}}$  {size}" for k, size in enumerate(SIZES)]
    assert texts(right) == [f"$L_{{{k}}}$  {size}" for k, size in enumerate(SIZES[:-1])] + [
        "$I_{5}$  1×1"]
    for k, (image, grey) in enumerate(zip(pictures(left), pictures(right))):
        assert np.array_equal(image, photo.images[k]) and np.array_equal(grey, photo.centred(k))
        x0, x1, y0, y1 = left.images[k].get_extent()
        assert (x1 - x0, abs(y1 - y0)) == photo.images[k].shape[1::-1]
    heights = [text.get_position()[1] for text in left.texts]
    assert heights == sorted(set(heights)) and heights[0] == 0      # coarser ones lie higher


def test_histograms_are_shares_per_grey_level(photo):
    ax, = levels.histograms(photo).axes
    drawn = named(ax)
    detail = photo.grey_details[0]
    assert list(drawn) == legend(ax) == [
        f"$L_{{0}}$, mean |L| {np.abs(detail).mean():.1f}",
        "exp(−|x|/m)/(2m), m of $L_0$", "normal, variance of $L_0$"]
    (x, density), (_, laplace), (_, normal) = (map(np.array, data) for data in drawn.values())
    assert np.nansum(density) * 4 == pytest.approx(1) and np.all(np.diff(x) == 4)
    at = x[np.nanargmax(density)]
    inside = (detail >= at - 2) & (detail < at + 2)
    assert np.nanmax(density) == pytest.approx(inside.mean() / 4)
    assert np.count_nonzero(np.isnan(density)) and not np.any(density == 0)
    m, spread = np.abs(detail).mean(), detail.std()
    assert np.allclose(laplace, np.exp(-np.abs(x) / m) / (2 * m), rtol=1e-9, atol=0)
    assert np.allclose(normal, np.exp(-(x / spread)**2 / 2) / (spread * np.sqrt(2 * np.pi)),
                       rtol=1e-9, atol=0)
    assert scales(ax) == ("linear", "log")
    assert labels(ax) == ("difference in grey levels", "share per grey level")


def test_bits_of_every_level(photo):
    ax, = coding.bits(photo).axes
    details = photo.grey_details
    (heights,) = bars(ax).values()
    assert np.allclose(heights, [entropy(level) * level.size / 620 for level in details])
    assert sum(heights) == pytest.approx(bits_per_pixel(details.levels))
    costs = coding.costs(photo)
    assert legend(ax) == [f"{name}: {value:.2f}" for name, value in costs.items()]
    assert [set(line.get_ydata()) for line in ax.lines] == [{value} for value in costs.values()]
    grey = photo.grey.astype(int)
    across = np.concatenate([grey[:, :1], np.diff(grey, axis=1)], 1)
    assert costs["horizontal differences"] == entropy(across.astype(np.int16))
    assert costs["pixels"] == entropy(photo.grey)
    names = [*(f"$L_{{{k}}}$" for k in range(5)), "top"]
    assert ticks(ax, "x") == {k: f"{name}\n{entropy(level):.2f}"
                              for k, (name, level) in enumerate(zip(names, details))}
    assert labels(ax) == ("level, and its bits per sample", "bits per pixel of the image")
    assert ax.get_ylim()[0] == 0 and max(costs.values()) < ax.get_ylim()[1]


def test_rates_and_errors(photo):
    rows = coding.rates(photo.grey)
    left, right = coding.rate_distortion(rows).axes
    for loop in ("open", "closed"):
        mine = [row for row in rows if row["loop"] == loop]
        assert [row["step"] for row in mine] == [*coding.STEPS]
        assert named(left)[f"{loop} loop"] == ([row["bits_per_pixel"] for row in mine],
                                               [row["psnr"] for row in mine])
        assert named(right)[f"{loop} loop"] == ([*coding.STEPS], [row["max_error"] for row in mine])
    assert named(right)["D/2"] == ([*coding.STEPS], [step / 2 for step in coding.STEPS])
    assert legend(left) == ["closed loop", "open loop"]
    assert legend(right) == ["closed loop", "open loop", "D/2"]
    assert texts(left) == [f"D = {step}" for step in coding.STEPS]
    closed = [row for row in rows if row["loop"] == "closed"]
    assert [text.xy for text in left.texts] == [(row["bits_per_pixel"], row["psnr"])
                                                for row in closed]
    assert labels(left) == ("bits per pixel", "PSNR in dB") and scales(left) == ("linear",) * 2
    assert labels(right) == ("quantiser step D", "largest error, grey levels")
    assert scales(right) == ("log", "log") and list(ticks(right, "x")) == [*coding.STEPS]


def test_the_functions_of_a_number():
    axes = basis.functions().axes
    paints, measures, rows = (axes[4 * i:4 * i + 4] for i in range(3))
    assert [ax.get_title() for ax in paints] == ["$L_0$", "$L_1$", "$L_2$", "top $I_3$"]
    assert (paints[0].get_ylabel(), measures[0].get_ylabel()) == ("paints", "measures")
    assert [ax.get_ylabel() for ax in (*paints[1:], *measures[1:])] == [""] * 6
    for above, below, ax in zip(paints, measures, rows):
        for k, picture in enumerate((above, below)):
            image, = pictures(picture)
            reach = np.abs(image).max()
            assert image.shape == (49, 49) and picture.images[0].get_clim() == (-reach, reach)
            assert np.array_equal(ax.lines[k].get_ydata(), image[24] / reach)
            assert ax.lines[k].get_color() == basis.COLOURS[k]
            assert np.unravel_index(np.abs(image).argmax(), image.shape) == (24, 24)
    assert np.count_nonzero(pictures(paints[0])[0]) == 1        # a number of L_0 paints its pixel
    assert np.count_nonzero(pictures(measures[0])[0] < 0) > 8   # and is a difference to others
    assert "scaled to 1" in axes[0].get_figure().get_supxlabel()


def test_the_kernels():
    figure = filters.family()
    taps_ax, seen_ax, ax = (figure.subfigs[0].axes + figure.subfigs[1].axes)
    drawn = named(ax)
    words = [f"a = {a:g}{' (binomial)' if a == 0.375 else ''}: {aliased_energy(a):.1%} aliased"
             for a in filters.FAMILY]
    assert list(drawn) == legend(figure.subfigs[1]) == [*words, "2×2 average: 18.2% aliased"]
    for line, (w, h), a in zip(taps_ax.lines, drawn.values(), filters.FAMILY):
        assert np.allclose(h, response(np.array(w), a)) and h[-1] == pytest.approx(0, abs=1e-12)
        assert list(line.get_xdata()) == [-2, -1, 0, 1, 2]
        assert np.array_equal(line.get_ydata(), taps(a))
    assert (taps_ax.get_title(), taps_ax.get_xlabel()) == ("taps", "samples")
    assert list(drawn.values())[-1][1][0] == 1 and labels(ax)[0] == "frequency, radians per sample"
    assert list(ticks(ax, "x").values()) == ["0", "π/4", "π/2", "3π/4", "π"]
    for line, a in zip(seen_ax.lines, filters.FAMILY):      # variances add, level by level
        x, weights = line.get_xdata() * 16, line.get_ydata()
        assert x[56] == 0 and weights.argmax() == 56 and weights.sum() == pytest.approx(1, abs=2e-3)
        assert np.sqrt(weights @ x**2) == pytest.approx(sigma(a) * np.sqrt((4**4 - 1) / 3), rel=0.1)
    assert seen_ax.get_title() == "weights of a pixel of $I_4$"
    assert seen_ax.get_xlabel() == "pixels of level 4"
    assert "shaded: folds down" in ax.get_title()
    shade, = ax.patches
    assert shade.get_extents().transformed(ax.transData.inverted()).x0 == pytest.approx(np.pi / 2)


def test_the_zone_plate():
    axes = zone_plate.pictures().axes
    titles = [ax.get_title() for ax in axes]
    assert titles[0] == "257×257, before" and titles[5] == ""
    for ax, title, (a, plate) in zip(axes[1:], titles[1:], zone_plate.halved_plates().items()):
        how = "without a filter" if a is None else f"with a = {a:g}"
        rms = plate[zone_plate.outer_band()].std()
        assert title == f"halved {how}\nfalse rings {rms:.4f}"
        assert np.array_equal(pictures(ax)[0], plate) and ax.images[0].get_clim() == (0, 1)
        arcs = [np.hypot(*line.get_data()) for line in ax.lines]
        assert [arc.mean() for arc in arcs] == pytest.approx([0.5, 0.75, 1])
        assert [line.get_linestyle() for line in ax.lines] == [":", "-", "-"]
    assert pictures(axes[0])[0].shape == (257, 257) and "flat grey" in texts(axes[5])[0]


def test_errors_of_four_ways_to_rebuild(photo):
    axes = exactness.errors(photo).axes
    names = ["integers", "float32", "float32, exact=True", "8-bit differences"]
    titles = [ax.get_title().splitlines() for ax in axes]
    assert [title[0] for title in titles] == names
    for ax, (_, share, worst) in zip(axes, titles):
        assert (not pictures(ax)[0].any()) == (share == "0.00% wrong") == (
            worst == "by up to 0")
    assert [share == "0.00% wrong" for _, share, _ in titles] == [True, False, True, False]
    back = exactness.saturated(photo.view)
    wrong = back != photo.view
    assert np.array_equal(pictures(axes[3])[0], wrong.any(axis=-1))
    assert titles[3][1:] == [f"{wrong.mean():.2%} wrong", "by up to "
                             f"{np.abs(back.astype(int) - photo.view).max():.3g}"]


def test_two_images_joined_and_their_seams(photo):
    figure = blending.pictures(photo)
    pasted, joined = figure.subfigs[0].axes
    ax, = figure.subfigs[1].axes
    assert [a.get_title() for a in (pasted, joined)] == ["cut and pasted", "joined by blend()"]
    left = photo.view / 255
    right = 0.6 * left[:, ::-1]
    assert np.array_equal(pictures(pasted)[0], np.concatenate([left[:, :16], right[:, 16:]], 1))
    mask = (np.arange(31) < 16) * np.ones((20, 1))
    assert np.array_equal(pictures(joined)[0], np.clip(blend(left, right, mask, axes=(0, 1)), 0, 1))
    assert list(named(ax)) == legend(ax) == [f"{levels}, steepest {step}" for levels, step in
                                             enumerate(blending.STEPS, 1)]
    for (x, y), row in zip(named(ax).values(), blending.seams()):
        assert (x[0], x[-1]) == (-128, 127) and np.array_equal(y, row)
        assert np.abs(np.diff(y)).argmax() in range(126, 129)
    assert labels(ax) == ("pixels from the seam between two flat images", "value")
    assert ax.get_legend().get_title().get_text() == "levels"
