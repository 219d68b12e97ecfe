"""Reading one image file: every file of the corpus gives the pixels or the error that is recorded.
"""

import os
import pickle
import socket
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile, ImageOps

from minigrad.data.images import MAX_PIXELS, ImageError, read_image
from tests.data.image_corpus import CASES, PICTURE, PLAIN, exif, png, turned, with_exif
from tests.data.image_files import parted
from tests.data.image_oddities import MORE_CASES
from tests.one_line import one_line
from tests.places import ROOT


@pytest.mark.parametrize("name", [*CASES, *MORE_CASES])
def test_corpus(name, tmp_path):
    data, expected = (CASES | MORE_CASES)[name]
    path = tmp_path / name
    path.write_bytes(data)
    if isinstance(expected, str):
        with one_line(ImageError, f"cannot read image {path}: ", expected):
            read_image(path)
        return
    pixels, tolerance = expected if isinstance(expected, tuple) else (expected, 0)
    image = read_image(path)
    assert (image.mode, image.size[::-1]) == ("RGB", pixels.shape[:2])
    error = np.abs(np.asarray(image).astype(int) - pixels)
    assert error.max() <= tolerance


def test_the_corpus_is_large():
    errors = sum(isinstance(expected, str) for _, expected in CASES.values())
    assert len(CASES) >= 80 and errors >= 40


# --- rules ---------------------------------------------------------------------------------------

def pixels(path, **options):
    return np.asarray(read_image(path, **options))


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(with_exif(exif(6), turned(6)))
    return path


def test_every_orientation_shows_the_same_pixels(tmp_path):
    found = set()
    for k in range(1, 9):
        path = tmp_path / f"{k}.png"
        path.write_bytes(png(turned(k), 8, 2, (b"eXIf", exif(k)[6:])))
        found.add(pixels(path).tobytes())
    assert found == {PICTURE.tobytes()}


def test_a_ramp_of_16_bits_keeps_256_levels(tmp_path):
    for name in ("grey-16-ramp.png", "grey-16-little.tif", "16-bit.pgm"):
        (tmp_path / name).write_bytes(CASES[name][0])
        assert len(np.unique(pixels(tmp_path / name))) == 256


def test_a_turned_photograph_cannot_be_turned_again(photo):
    image = read_image(photo)
    assert not image.info and not image.getexif()
    assert ImageOps.exif_transpose(image).size == image.size


@pytest.mark.parametrize("kind", [str, Path, os.fsencode])
def test_kinds_of_path(kind, photo):
    assert pixels(kind(photo)).shape == PICTURE.shape


def test_limit_on_pixels(photo, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)      # Pillow's own limit is left to others
    size = PICTURE.size // 3
    assert pixels(photo, max_pixels=size).shape == PICTURE.shape
    with one_line(ImageError, str(photo), f"24 x 16 pixels are more than the limit of {size - 1}"):
        read_image(photo, max_pixels=size - 1)


# --- what is no image file -----------------------------------------------------------------------

def test_what_is_no_file_is_refused_without_waiting(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("fifo.jpg")
    os.mkdir("folder.jpg")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("socket.jpg")
    os.symlink("/dev/zero", "zero.jpg")
    os.symlink("gone.jpg", "link.jpg")
    os.symlink("loop.jpg", "loop.jpg")
    for name, reason in [("fifo", "it is a FIFO"), ("folder", "it is a folder"),
                         ("socket", "it is a socket"), ("zero", "it is a device"),
                         ("link", "it is a link to gone.jpg, which does not exist"),
                         ("loop", "it is a link to loop.jpg"), ("missing", "No such file")]:
        start = time.monotonic()
        with one_line(ImageError, f"cannot read image {name}.jpg: {reason}"):
            read_image(f"{name}.jpg")
        assert time.monotonic() - start < 1
    listener.close()


@pytest.mark.parametrize("name", ["a\nb.jpg", "a\udcffb.jpg", "a\x1b[31mb.jpg"])
def test_odd_names_make_one_printable_line(name, tmp_path):
    (tmp_path / name).write_bytes(b"")
    with one_line(ImageError, ascii(str(tmp_path / name))):
        read_image(tmp_path / name)


def test_an_error_survives_the_way_from_a_worker_process(tmp_path):
    with pytest.raises(ImageError) as caught:
        read_image(tmp_path / "missing.jpg")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_shortage_is_no_fault_of_the_file(photo, monkeypatch):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        with pytest.raises(OSError, match="Too many open files") as caught:
            read_image(photo)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert not isinstance(caught.value, ImageError)

    def no_memory(*_):
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", no_memory)
    with pytest.raises(MemoryError):
        read_image(photo)


# --- the process around it -----------------------------------------------------------------------

@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    for name, (data, _) in (CASES | MORE_CASES).items():
        (folder / name).write_bytes(data)
    return folder


def outcome(path):
    try:
        return pixels(path).tobytes()
    except ImageError as error:
        return str(error)


def test_threads_get_what_one_gets(corpus):
    paths = [path for path in sorted(corpus.iterdir()) if not path.name.startswith("tall")]
    alone = [outcome(path) for path in paths]
    together = {}

    def work(number):
        order = np.random.default_rng(number).permutation(len(paths))
        together[number] = {i: outcome(paths[i]) for i in order}

    threads = [threading.Thread(target=work, args=[i]) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all([found[i] for i in range(len(paths))] == alone for found in together.values())


def test_no_warning_of_pillow_is_heard_and_all_others_are(corpus):
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        for path in sorted(corpus.iterdir()):
            outcome(path)
        warnings.warn("mine")
    assert [str(warning.message) for warning in heard] == ["mine"]
    with pytest.raises(UserWarning):    # the corpus has what Pillow warns of
        Image.open(corpus / "bad-mpo.jpg").load()


def test_no_decoder_writes_to_stderr_past_python(corpus, tmp_path, capfd):
    """libtiff does, of a damaged file. Threads that come and go leave stderr as it was."""
    noise = np.random.default_rng(0).integers(0, 65536, (64, 64), dtype=np.uint16)
    packed = bytearray(parted(noise, packed=True))
    packed[100:140] = bytes(40)
    (tmp_path / "packed.tif").write_bytes(packed)
    paths = [tmp_path / "packed.tif", corpus / "cut-lzw.tif", corpus / "lzw.tif"]

    def work():
        for path in paths * 20:
            outcome(path)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(2, b"mine")
    assert capfd.readouterr() == ("", "mine")
    with one_line(ImageError, "it is damaged or cut off"):
        read_image(paths[0])


def test_bombs_are_refused_fast_and_in_little_memory(corpus):
    code = """
import pathlib, resource, sys, time
from minigrad.data.images import ImageError, read_image
for path in sorted(pathlib.Path(sys.argv[1]).glob("bomb*")):
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    try:
        read_image(path)
    except ImageError:
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(path.name, time.monotonic() - start, (after - before) / 1024)
"""
    done = subprocess.run([sys.executable, "-c", code, corpus], capture_output=True, text=True,
                          cwd=ROOT)
    assert not done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [name for name, *_ in lines] == sorted(n for n in CASES if n.startswith("bomb"))
    for name, seconds, mebibytes in lines:
        assert float(seconds) < 0.1 and float(mebibytes) < 32, name


def test_nothing_of_pillow_is_changed_and_no_file_stays_open(corpus):
    def state():
        return (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES,
                len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0)

    before = state()
    for path in corpus.iterdir():
        outcome(path)
    assert state() == before and Image.MAX_IMAGE_PIXELS == MAX_PIXELS


def test_a_file_that_is_cut_while_it_is_read(photo):
    photo.write_bytes(PLAIN)
    assert pixels(photo).shape == PICTURE.shape
    os.truncate(photo, len(PLAIN) // 2)
    with one_line(ImageError, str(photo), "damaged or cut off"):
        read_image(photo)
