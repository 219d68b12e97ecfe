"""The drawn photographs: the same for the same seed, whole on disk, neither trivial nor alike."""

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from experiments import standin
from experiments.standin import store
from minigrad.data.images import read_image
from tests.one_line import one_line

QUICK = standin.PROFILES["quick"]
SMALL = replace(QUICK, dbi=(12,) * 7, sdd=(6,) * 7, wide=1)         # a part of the quick one
TINY = replace(QUICK, dbi=(1,) * 7, sdd=(2, 1, 1, 1, 1, 1, 1), wide=0,
               studio=replace(QUICK.studio, side=40), street=replace(QUICK.street, side=40))


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """Draws the tiny profile into a cache of its own."""
    monkeypatch.setitem(standin.PROFILES, "tiny", TINY)
    return lambda cache=tmp_path / "cache", workers=1, **more: standin.ensure(
        "tiny", cache=cache, workers=workers, **more)


def drawn(tmp_path_factory, name, profile):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(standin.PROFILES, name, profile)
        return standin.ensure(name, cache=tmp_path_factory.mktemp(name), progress=False)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return drawn(tmp_path_factory, "small", SMALL)


@pytest.fixture(scope="module")
def drawn_tiny(tmp_path_factory):
    return drawn(tmp_path_factory, "tiny", TINY)


@pytest.fixture
def folder(drawn_tiny, tmp_path):
    """The tiny stand-in, whole, where `tiny()` looks for it."""
    return shutil.copytree(drawn_tiny, tmp_path / "cache" / drawn_tiny.name)


def photos(folder, domain, breed):
    return sorted((folder / domain / breed).glob("*.jpg"))


def test_paper_counts_are_the_original_ones():
    paper = standin.PROFILES["paper"]
    assert paper.dbi == (96, 93, 92, 83, 93, 94, 95) and sum(paper.dbi) == 646
    assert paper.sdd == (218, 150, 152, 150, 171, 200, 192) and sum(paper.sdd) == 1233


def test_layout(small):
    assert sorted(path.name for path in small.iterdir()) == ["SHA256SUMS", "dbi", "sdd", "wide"]
    for domain, count in (("dbi", 12), ("sdd", 6)):
        assert tuple(sorted(p.name for p in (small / domain).iterdir())) == standin.BREEDS
        for breed in standin.BREEDS:
            names = [path.name for path in photos(small, domain, breed)]
            assert names == [f"{index:05d}.jpg" for index in range(count)]
    wide = {path.name for path in (small / "wide").iterdir()}
    assert 20 <= len(wide) <= 30 and not wide & set(standin.BREEDS)


def test_every_picture_follows_from_its_place_alone(small, tmp_path):
    """Alone or among others, in this process or in another: the same bytes."""
    for place in (("sdd", "pug", 5), ("dbi", "chihuahua", 0), ("wide", "cat", 0)):
        (tmp_path / place[0] / place[1]).mkdir(parents=True)
        store.draw(tmp_path, SMALL, 0, place)
        name = f"{place[0]}/{place[1]}/{place[2]:05d}.jpg"
        assert (tmp_path / name).read_bytes() == (small / name).read_bytes()


def test_worker_count_changes_nothing_and_the_seed_everything(tiny, tmp_path):
    sums = [(tiny(tmp_path / f"{workers}-{seed}", workers=workers, seed=seed) / store.SUMS)
            .read_text().split() for workers, seed in ((1, 0), (3, 0), (1, 1))]
    assert sums[0] == sums[1]
    assert not set(sums[0][::2]) & set(sums[2][::2])
    assert len(set(sums[0][::2])) == len(TINY.places())             # no picture twice


def test_studio_files_are_larger_and_sizes_vary(small):
    sizes, octets = {}, {}
    for domain in ("dbi", "sdd"):
        paths = [path for breed in standin.BREEDS for path in photos(small, domain, breed)]
        sizes[domain] = [read_image(path).size for path in paths]
        octets[domain] = np.mean([path.stat().st_size for path in paths])
        assert len(set(sizes[domain])) > len(paths) / 2
    area = {domain: np.mean(np.prod(size, axis=1)) for domain, size in sizes.items()}
    assert area["dbi"] > 1.3 * area["sdd"] and octets["dbi"] > 1.2 * octets["sdd"]


def test_breeds_differ_but_their_colours_do_not_give_them_away(small):
    """Nearest mean of 6 x 6 thumbnails, learnt from 8 photographs of a breed, tried on 4."""
    def thumbnails(breed):
        return np.stack([np.asarray(read_image(path).resize((6, 6), Image.BOX), float)
                         for path in photos(small, "dbi", breed)])

    pictures = np.stack([thumbnails(breed).reshape(12, -1) for breed in standin.BREEDS])
    means = pictures[:, :8].mean(1)                                         # (7, 108)
    distance = np.linalg.norm(pictures[:, 8:, None] - means, axis=3)        # (7, 4, 7)
    right = np.mean(distance.argmin(2) == np.arange(7)[:, None])
    assert 1.5 / 7 < right < 0.95


def test_a_whole_stand_in_is_found_again(tiny, folder, monkeypatch):
    def drawn_again(*_):
        raise AssertionError("it was whole")

    monkeypatch.setattr(store, "_draw_all", drawn_again)
    assert tiny() == folder


@pytest.mark.parametrize("damage", ["shorter", "altered", "missing", "unlisted", "empty list"])
def test_a_damaged_one_is_drawn_again(tiny, folder, capfd, damage):
    victim, sums = folder / "sdd" / "pug" / "00000.jpg", folder / store.SUMS
    whole, listed = victim.read_bytes(), sums.read_bytes()
    if damage == "shorter":
        victim.write_bytes(whole[:-1])
    elif damage == "altered":
        victim.write_bytes(whole[:300] + bytes([whole[300] ^ 1]) + whole[301:])
    elif damage == "missing":
        victim.unlink()
    elif damage == "unlisted":
        sums.unlink()
    else:
        sums.write_bytes(b"")
    assert tiny() == folder
    assert victim.read_bytes() == whole and sums.read_bytes() == listed
    assert "drawing it again" in capfd.readouterr().err
    assert list(folder.parent.iterdir()) == [folder]


def test_killed_half_way(tiny, tmp_path):
    """Nothing half-drawn is taken for whole; what was left is removed when it is old."""
    cache = tmp_path / "cache"
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; from experiments import standin; "
         "standin.ensure('quick', cache=sys.argv[1])", str(cache)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not list(cache.glob(".standin-*/new/dbi/*/*.jpg")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    [left] = cache.iterdir()
    assert left.name.startswith(".standin-")
    folder = tiny()
    assert sorted(cache.iterdir()) == sorted([left, folder])        # it may be somebody's still
    count = len(list(left.rglob("*.jpg")))
    time.sleep(0.3)
    assert len(list(left.rglob("*.jpg"))) == count                  # the workers ended with it
    os.utime(left, (0, 0))
    (folder / store.SUMS).unlink()
    tiny()
    assert list(cache.iterdir()) == [folder]


def test_two_at_once(tiny):
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: tiny(), range(2))
    assert first == second and store._flaw(first) is None
    assert list(first.parent.iterdir()) == [first]


def test_failures_are_one_line_and_leave_nothing(tiny, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    with one_line(OSError, "cannot write", str(tmp_path / "file" / "cache"), "XDG_CACHE_HOME"):
        tiny(tmp_path / "file" / "cache")
    with one_line(ValueError, "'huge'", "quick or paper"):
        standin.ensure("huge", cache=tmp_path)
    monkeypatch.setitem(standin.PROFILES, "tiny", replace(TINY, studio=None))
    with one_line(RuntimeError, "status 1", "AttributeError"):
        tiny()
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_disk_that_fills_up_while_drawing(tiny, tmp_path, monkeypatch):
    """A worker's OSError arrives as one of this process."""
    monkeypatch.setattr(store, "_WORKER", "import resource, signal; "
                        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
                        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); " + store._WORKER)
    with one_line(OSError, "cannot write", str(tmp_path / "cache"), "File too large"):
        tiny()
    assert list((tmp_path / "cache").iterdir()) == []


def test_cache_of_the_user_and_silence(tiny, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tiny(None, progress=False)
    assert folder == tmp_path / "minigrad" / f"standin-{standin.VERSION}-tiny-0"
    assert capfd.readouterr().err == ""
    tiny(tmp_path / "other")
    assert f"{len(TINY.places())} pictures" in capfd.readouterr().err
