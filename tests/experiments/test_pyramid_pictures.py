"""`python -m experiments pyramids`: its numbers, its pictures of any image, its command line."""

import functools
import io
import json
import os
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from experiments import cli, questions, results
from experiments.benchmarks import harness
from experiments.benchmarks import pyramids as benchmark
from experiments.pyramid_pictures import (basis, blending, coding, exactness, filters, levels,
                                          rebuilding, zone_plate)
from experiments.pyramid_pictures.photograph import SIDE, Photograph
from pyramids import blend, decode, pyr_down, pyr_down_T, pyr_up

NINE = ["mosaic", "telescope", "histograms", "bits", "rate-distortion", "functions", "kernels",
        "zone-plate", "errors"]


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A whole run on the default photograph, as a user starts it."""
    if os.environ.get("MINIGRAD_FULL") != "1":
        pytest.skip("needs MINIGRAD_FULL=1")
    folder = tmp_path_factory.mktemp("run")
    assert cli.main(["pyramids", "--out", str(folder)]) == 0
    return folder


# --- a whole run -------------------------------------------------------------------------------

def test_the_run_leaves_every_picture_and_the_numbers(folder):
    document = json.loads((folder / "claims.json").read_text())
    question, = document["questions"]
    names = [figure["name"].removeprefix("pyramids-") for figure in question["figures"]]
    assert names == ["film", "strip", *NINE, "blend"]
    assert all(figure["caption"] for figure in question["figures"])
    assert document["as_documented"] and len(document["claims"]) == 14
    for name in names[1:]:
        for kind in ("svg", "png"):
            assert (folder / "figures" / f"pyramids-{name}.{kind}").stat().st_size > 5000


@pytest.mark.parametrize("name", ["strip", *NINE, "blend"])
def test_no_picture_is_empty_or_clipped(folder, name):
    with Image.open(folder / "figures" / f"pyramids-{name}.png") as file:
        image = np.asarray(file.convert("L"))
    ink = image < 250
    assert ink.mean() > 0.02
    margin = np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]])
    assert not margin.any()
    assert 600 <= image.shape[1] <= 1300      # 8 inches, give or take, fit the page unscaled


def test_the_film_goes_from_one_colour_to_the_photograph(folder):
    with Image.open(folder / "figures" / "pyramids-film.gif") as film:
        assert film.n_frames == 11 and film.info["loop"] == 0
        durations, roughness = [], []
        for k in range(film.n_frames):
            film.seek(k)
            durations.append(film.info["duration"])
            large = np.asarray(film.convert("L"), float)[60:-80, 40:340]
            roughness.append(np.abs(np.diff(large)).mean())
    assert durations == [1200] * 10 + [4000]
    assert roughness[0] == 0 and np.all(np.diff(roughness[1:7]) > 0)


def test_the_report_holds_the_film_and_shows_it_only_to_those_who_like_motion(folder):
    text = (folder / "report.html").read_text()
    assert text.count("data:image/gif;base64,") == text.count('<figure class="film">') == 1
    assert "reduced-motion: reduce) {\n  html { scroll-behavior: auto; }\n  .film" in text


# --- any image ---------------------------------------------------------------------------------

@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("shape", [(1, 1), (2, 128), (90, 3)])
def test_every_picture_can_be_drawn_of_any_image(shape):
    photo = Photograph(noise(*shape, 3))
    rates = coding.rates(photo.grey)
    figures = [levels.mosaics(photo), levels.telescope(photo), levels.histograms(photo),
               coding.bits(photo), coding.rate_distortion(rates), exactness.errors(photo),
               rebuilding.strip(photo), blending.pictures(photo)]
    for figure in figures:
        file = io.BytesIO()
        figure.savefig(file, dpi=40)
        assert np.asarray(Image.open(file)).std() > 0
    with Image.open(io.BytesIO(rebuilding.film(photo))) as film:
        assert film.n_frames == len(photo.details)


def test_large_photographs_are_proved_whole_and_drawn_small():
    photo = Photograph(noise(2 * SIDE + 1, 30, 3))
    assert photo.halvings == 2 and photo.view.shape == (SIDE // 2 + 1, 8, 3)
    assert photo.grey.shape == photo.view.shape[:2]
    claim = exactness.integers(photo, np.random.default_rng(0))
    assert "30×1601 pixels" in claim.measured and claim.as_documented


def test_a_difference_of_0_is_mid_grey():
    photo = Photograph(np.full((40, 30, 3), 77, np.uint8))
    assert all(np.all(photo.centred(k) == 0.5) for k in range(len(photo.details) - 1))
    assert np.all(photo.centred(len(photo.details) - 1) == 77 / 255)


# --- what is wrong is seen ---------------------------------------------------------------------

def rng():
    return np.random.default_rng(1)


def photo():
    return Photograph(noise(20, 31, 3))


def cut(a, b, mask, levels=None, axes=(-2, -1)):
    return np.where(mask > 0.5, a, b)


SLIPS = {
    "pyramids.integers": (exactness, "expand_to", lambda pyramid, k: pyramid[k],
                          lambda: exactness.integers(photo(), rng())),
    "pyramids.floats": (exactness, "collapse", lambda pyramid: pyramid[0],
                        lambda: exactness.floats(rng())),
    "pyramids.not_a_proof": (exactness, "pyr_up", lambda x, shape: pyr_up(x, shape) * 4,
                             lambda: exactness.not_a_proof(rng())),
    "pyramids.kernel": (filters, "sigma", lambda a: 1.0, filters.table),
    "pyramids.blur": (filters, "cumulative_blur", lambda k: 2.0**k, filters.blur),
    "pyramids.opencv": (filters, "pyr_down", functools.partial(pyr_down, border="replicate"),
                        filters.opencv),
    "pyramids.zone_plate": (zone_plate, "pyr_down", lambda x, a: x[::2, ::2], zone_plate.claim),
    "pyramids.transpose": (basis, "pyr_down_T", lambda gy, shape, border, axes: pyr_down_T(
        gy, shape, border="zero", axes=axes), basis.transpose),
    "pyramids.frame": (basis, "laplacian_T", lambda pyramid: pyramid[0],
                       lambda: basis.singular_values(rng())),
    "pyramids.closed_loop": (coding, "decode", lambda code: np.roll(decode(code), 1),
                             lambda: coding.claims(coding.rates(noise(20, 31)), rng())[0]),
    "pyramids.open_loop": (coding, "STEPS", (1000,),
                           lambda: coding.claims(coding.rates(noise(20, 31)), rng())[1]),
    "pyramids.seam": (blending, "blend", cut, blending.seam_table),
    "pyramids.blend": (blending, "blend", lambda a, b, mask: blend(a, b, mask) + 1e-9,
                       lambda: blending.identities(rng())),
}


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_turns_the_verdict(name, monkeypatch):
    module, attribute, slip, measure = SLIPS[name]
    assert measure().as_documented and measure().id == name
    monkeypatch.setattr(module, attribute, slip)
    assert not measure().as_documented


def test_a_number_that_differs_is_exit_status_1(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(filters.KERNELS, 0.4, ("0.9488", "0.30", "0", "2.44%"))
    assert cli.main(["pyramids", "--json"]) == 1
    out, err = capsys.readouterr()
    assert "pyramids.kernel came out 'wrong', documented 'holds'" in err
    assert json.loads(out)["as_documented"] is False


# --- the command line --------------------------------------------------------------------------

@pytest.fixture
def seen(monkeypatch, tmp_path):
    """The settings that reach the page, which is not drawn; in an empty folder."""
    seen = []

    def verify(settings):
        seen.append(settings)
        raise results.UserError("seen")
    monkeypatch.setattr(questions, "PICTURES",
                        {"pyramids": SimpleNamespace(subject="s", verify=verify)})
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (4, 4)).save("photo.png")
    (tmp_path / "file").write_text("text")
    return seen


@pytest.mark.parametrize("argv", [["pyramids", "photo.png"], ["pyramids", "--image", "photo.png"],
                                  ["--seed", "0", "pyramids", "--json", "photo.png"]])
def test_the_photograph_follows_the_name(argv, seen):
    cli.main(argv)
    assert [settings.image for settings in seen] == ["photo.png"]


@pytest.mark.parametrize("argv, message", [
    (["pyramids", "missing.jpg"], "cannot read image missing.jpg: No such file"),
    (["pyramids", "file"], "cannot read image file: it is no JPEG, PNG, GIF"),
    (["pyramids", "photo.png", "--image", "photo.png"], "two photographs, photo.png and photo.png"),
    (["pyramids", "photo.png", "file"], "unknown name 'file'"),
    (["pyramids", "--out", "file"], "cannot write results to file: it is a file"),
])
def test_a_mistake_is_one_line_and_status_2(argv, message, seen, capsys):
    assert cli.main(argv) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and message in err and not seen


def test_all_and_help_know_the_page(capsys):
    assert "pyramids" in cli._expand(["all"]) and "pyramids" not in cli._expand(["theory"])
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    assert "image pyramids in pictures" in capsys.readouterr().out


# --- the benchmark -----------------------------------------------------------------------------

def test_the_benchmark_measures_time_and_memory(monkeypatch):
    monkeypatch.setattr(benchmark, "race", functools.partial(harness.race, rounds=2))
    rows = list(benchmark.run({}))
    assert len(rows) == 2 and all(row.timings["pyramids"].median > 0 for row in rows)
    assert all(0 < row.extra["peak extra memory, in images"] <= 2 for row in rows)
    assert sum("peak extra memory" in line for line in harness.report(rows)) == 2


@pytest.mark.parametrize("image", [noise(61, 80, 3), noise(61, 80) / np.float32(255)])
def test_the_loop_written_for_opencv_rebuilds_the_image(image):
    cv2 = pytest.importorskip("cv2")
    assert np.abs(benchmark.with_opencv(cv2, image) - image.astype(float)).max() <= 1e-6
