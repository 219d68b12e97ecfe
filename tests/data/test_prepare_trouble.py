"""`python -m experiments prepare`: what is left out is told, and archives that end too soon."""

import gzip
from pathlib import Path

import pytest

from tests.data.image_corpus import PICTURE, PLAIN
from tests.data.image_files import saved
from tests.data.test_prepare import (as_folder, as_tar, as_zip, fails, folder, made, photos, run,
                                     told)

HERE = folder                           # a fixture


@pytest.mark.parametrize("pack", [as_zip, as_tar, as_folder])
def test_images_under_other_names_are_counted_and_named(pack, capsys):
    gif = saved(PICTURE, "GIF")
    files = {**photos(), "images/pug/a.jfif": PLAIN, "images/pug/b.gif": gif,
             "images/pug/c.JPE": PLAIN, "images/pug/noextension": PLAIN, "images/pug/d.dat": gif,
             "images/pug/e.avif": b"", "images/pug/f.HEIC": b"", "images/pug/g.txt": b"text",
             "images/corgi/h.gif": gif, "images/pug/.i.jpg": PLAIN, "LICENSE": b"text"}
    assert run("--dbi", pack(files)) == 0
    out = told(capsys)
    for count, what in [(6, "images under another extension, rename them to .jpg or .png"),
                        (2, "photographs of kinds that are not read, convert them to JPEG"),
                        (2, "files that are no images"), (1, "hidden files")]:
        assert f"{what}, left out: {count}: " in out
    for name in ("pug/a.jfif", "pug/b.gif", "pug/c.JPE", "pug/d.dat", "pug/e.avif", "pug/f.HEIC",
                 "pug/g.txt", "LICENSE", "pug/.i.jpg"):
        assert name in out
    assert len(made()) == 14


@pytest.mark.parametrize("rest", [0, 1, 511, 512])
def test_a_tar_that_is_cut_at_a_header(rest, capsys):
    """The files in it are whole, and some may be lacking: nothing but its end would say so."""
    data = Path(as_tar({**photos(), "z/corgi/0.jpg": PLAIN})).read_bytes()
    place = data.index(b"z/corgi")
    Path("a.tar").write_bytes(data[:place + rest])
    fails(capsys, "--dbi", "a.tar", words=["cannot read a.tar: "])
    Path("a.tar").write_bytes(data[:place] + bytes(512))
    assert run("--dbi", "a.tar") == 0


@pytest.mark.parametrize("damage", [lambda data: data[:-8] + b"????" + data[-4:],
                                    lambda data: data[:-9]])
def test_the_checksum_behind_a_packed_tar(damage, capsys):
    data = gzip.compress(Path(as_tar(photos())).read_bytes())
    Path("a.tgz").write_bytes(damage(data))
    fails(capsys, "--dbi", "a.tgz", words=["cannot read a.tgz: "])
    Path("a.tgz").write_bytes(data)
    assert run("--dbi", "a.tgz") == 0


def test_a_wrong_header_in_the_middle_of_a_tar(capsys):
    data = Path(as_tar({**photos(), "z/corgi/0.jpg": PLAIN})).read_bytes()
    Path("a.tar").write_bytes(data.replace(b"z/corgi", b"z/corgx"))
    fails(capsys, "--dbi", "a.tar", words=["cannot read a.tar: it is cut off or damaged"])


def test_a_run_that_fails_tells_what_it_had_found(capsys):
    files = {name: data for name, data in photos().items() if "pug" not in name}
    archive = as_tar({**files, "images/pug/1.gif": PLAIN, "images/corgi/1.jpg": PLAIN})
    assert run("--dbi", archive) == 2
    out, err = capsys.readouterr()
    out = " ".join(out.split())
    assert "has no image of pug" in err
    assert "dbi, Dog Breed Images: not made found until then: bernese_mountain_dog 2, " in out
    assert "rename them to .jpg or .png, left out: 1: images/pug/1.gif" in out
    assert "images of other folders, left out: 1: corgi (1)" in out
    data = Path(archive).read_bytes()
    Path(archive).write_bytes(data[:data.index(b"images/Images/golden")])
    assert run("--dbi", archive) == 2
    assert "found until then: bernese_mountain_dog 2, border_collie 2, chihuahua 2 " in (
        told(capsys) + " ")
