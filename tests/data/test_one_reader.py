"""Every command reads photographs by the rules of `read_image`, and starts no other program."""

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageOps

import minigrad as mg
from experiments import questions
from experiments.cli import main
from experiments.commands import classify
from experiments.photo import load_photo
from minigrad.data import ImageError, ImageFolder, check, read_image
from minigrad.models import cifar_resnet20
from minigrad.weights import save
from tests.data.image_corpus import CASES, PICTURE, exif, png, turned, with_exif
from tests.data.image_oddities import MORE_CASES
from tests.one_line import one_line
from tests.places import ROOT

ODD = ROOT.parent / "shared" / "data" / "odd-files"
GOOD = ["orientation-6.jpg", "prefix-2.jpg", "raw-profile-exif.png", "rgba.png", "grey-16-ramp.png",
        "16-strips>0.tif", "palette-alpha.png", "cmyk-adobe.jpg", "orientation-kind-8.tif",
        "broken-rational-as-text.jpg", "xmp.webp"]


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def weights():
    mg.manual_seed(0)
    save("w.safetensors", cifar_resnet20(10).state_dict())


@pytest.mark.parametrize("name", GOOD)
def test_every_command_sees_the_same_pixels(name, weights, monkeypatch):
    data = (CASES | MORE_CASES)[name][0]
    Path("root/a").mkdir(parents=True)
    path = Path("root/a", name)
    path.write_bytes(data)
    expected = np.asarray(read_image(path))
    assert (load_photo(str(path)) == expected).all()
    assert (np.asarray(ImageFolder("root")[0][0]) == expected).all()
    assert check("root", progress=False).good == 1
    seen = []
    monkeypatch.setattr(classify, "guesses", lambda network, photo: seen.append(
        np.asarray(photo)) or [classify.Guess("a", 1.0)])
    assert main(["classify", str(path), "--weights", "w.safetensors", "--out", "o"]) == 0
    asked = SimpleNamespace(subject="s", verify=lambda settings: seen.append(
        load_photo(settings.image)) or (_ for _ in ()).throw(KeyboardInterrupt))
    monkeypatch.setattr(questions, "PICTURES", {"pyramids": asked})
    assert main(["pyramids", str(path), "--json"]) == 130
    assert len(seen) == 2 and all((pixels == expected).all() for pixels in seen)


# --- files of other kinds, and programs that Pillow would start for them -------------------------

FOREIGN = {"eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n{ } loop\nshowpage\n%%EOF",
           "eps with a preview": b"\xc5\xd0\xd3\xc6" + bytes(60), "pdf": b"%PDF-1.4\n%%EOF",
           "wmf": b"\xd7\xcd\xc6\x9a" + bytes(60),
           "emf": b"\1\0\0\0" + bytes(36) + b" EMF" + bytes(60),
           "ico": b"\0\0\1\0" + bytes(60), "psd": b"8BPS\0\1" + bytes(60),
           "fits": b"SIMPLE  =                    T", "ole": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
           "dcx": b"\xb1\x68\xde\x3a" + bytes(60), "jpeg 2000": b"\0\0\0\x0cjP  \r\n\x87\n",
           "avif": b"\0\0\0\x20ftypavif" + bytes(30), "svg": b"<svg xmlns='http://x'/>",
           "iptc": b"\x1c\x03\x0a" + bytes(60), "wave": b"RIFF\x24\0\0\0WAVEfmt " + bytes(28)}


@pytest.mark.parametrize("kind", FOREIGN)
def test_other_kinds_are_refused_by_their_first_bytes(kind, weights, monkeypatch, capsys):
    for program in ("gs", "gswin32c", "gswin64c", "djpeg", "cjpeg", "magick", "convert"):
        Path("bin").mkdir(exist_ok=True)
        Path("bin", program).write_text("#!/bin/sh\ntouch started\nsleep 60\n")
        Path("bin", program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{os.getcwd()}/bin{os.pathsep}{os.environ['PATH']}")
    Path("dog.jpg").write_bytes(FOREIGN[kind])
    start = time.monotonic()
    for argv in (["classify", "dog.jpg", "--weights", "w.safetensors"], ["pyramids", "dog.jpg"],
                 ["q1", "--image", "dog.jpg"]):
        assert main(argv) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1
        assert err.startswith("experiments: error: cannot read image dog.jpg: it is no JPEG, PNG, ")
    assert time.monotonic() - start < 30 and not Path("started").exists()


def test_commands_print_no_warning_of_python(weights):
    """Of what Pillow warns of, and of letters that the font of figures lacks."""
    odd = ["broken-far-away.jpg", "broken-huge-count.jpg", "bad-animation.png", "bad-mpo.jpg",
           "broken.tif", "odd-metadata.tif", "palette-one-clear.png", "cut-lzw.tif",
           "many-samples.tif"]
    for name in odd:
        Path(name).write_bytes((CASES | MORE_CASES)[name][0])
    done = subprocess.run(
        [sys.executable, "-W", "default", "-m", "experiments", "classify", *odd, "--weights",
         "w.safetensors"], capture_output=True, text=True, timeout=100,
        env=os.environ | {"PYTHONPATH": str(ROOT)})
    lines = [line for line in done.stderr.splitlines() if not line.startswith("[")]
    assert done.returncode == 1
    assert lines == ["experiments: 2 of 9 photographs cannot be read"]


# --- the files that the shared folder keeps ------------------------------------------------------

WORDS = {"float_nan.tif": "its sample in row 0, column 0 is NaN", "eps_loop.jpg": "it is no JPEG"}


@pytest.mark.skipif(not ODD.is_dir(), reason="needs ../shared/data/odd-files")
class TestOddFiles:

    @pytest.mark.parametrize("name", WORDS)
    def test_refused(self, name, capsys):
        with one_line(ImageError, WORDS[name]):
            read_image(ODD / name)
        assert main(["q1", "--image", str(ODD / name)]) == 2
        err = capsys.readouterr().err
        assert WORDS[name] in err and err.count("\n") == 1

    def test_white_is_zero(self):
        pixels = np.asarray(read_image(ODD / "miniswhite16.tif"))
        assert pixels.shape == (32, 32, 3) and (pixels[2, 2] == 239).all()
        ramp = np.arange(1024).reshape(32, 32) * 64
        assert (pixels == (255 - ramp // 256)[..., None]).all()

    @pytest.mark.parametrize("name, turn", [
        ("exif_badtype.jpg", Image.Transpose.ROTATE_270),
        ("pillow-exif_imagemagick_orientation.png", None)])
    def test_upright(self, name, turn):
        with Image.open(ODD / name) as file:
            upright = file.transpose(turn) if turn else ImageOps.exif_transpose(file)
        assert (np.asarray(read_image(ODD / name)) == np.asarray(upright.convert("RGB"))).all()

    def test_a_line_is_read_but_not_classified(self, weights, capsys, monkeypatch):
        assert read_image(ODD / "thin_1x65000.png").size == (1, 65000)

        def never(*_):
            raise AssertionError("resized")

        monkeypatch.setattr(Image.Image, "resize", never)
        argv = ["classify", str(ODD / "thin_1x65000.png"), "--weights", "w.safetensors"]
        assert main(argv) == 2
        err = capsys.readouterr().err
        assert "its 1 x 65000 pixels are a line, not a photograph" in err and err.count("\n") == 1


def test_a_line_in_a_list_does_not_stop_the_others(weights, capsys):
    for name, pixels in {"line.png": np.zeros((1, 2000, 3)), "good.png": PICTURE}.items():
        Path(name).write_bytes(png(pixels))
    Path("six.jpg").write_bytes(with_exif(exif(6), turned(6)))
    argv = ["classify", "line.png", "good.png", "six.jpg", "--weights", "w.safetensors"]
    assert main(argv) == 1
    out, err = capsys.readouterr()
    assert "cannot use image line.png: its 2000 x 1 pixels are a line" in " ".join(out.split())
    assert out.count("%\n") == 10
    assert err.splitlines()[-1] == "experiments: 1 of 3 photographs cannot be read"


def test_a_picture_that_would_become_too_large_is_refused_before_it_is_made(monkeypatch):
    from minigrad.data import Compose, Preprocess, Resize

    line = Image.new("RGB", (1, 65000))
    for transform in (Resize(256), Preprocess(256, 224), Resize((10**5, 10**5)),
                      Compose([Resize(256)])):
        with one_line(ValueError, "1 x 65,000 pixels would become", "more than the limit"):
            transform(line)
    assert Resize((20, 10))(line).size == (10, 20)
    assert Preprocess((20, 10))(line).shape == (3, 20, 10)


def test_a_recorded_preparation_that_makes_no_array(capsys):
    mg.manual_seed(0)
    save("w.safetensors", cifar_resnet20(10).state_dict(),
         {"minigrad": "0.1.0", "preprocessing": '["Compose", {"transforms": []}]'})
    Path("p.png").write_bytes(png(PICTURE))
    assert main(["classify", "p.png", "--weights", "w.safetensors", "--out", "o"]) == 2
    assert "makes no array of a photograph" in capsys.readouterr().err
