"""The stand-in on disk: drawn by worker processes into the user's cache, whole or not at all."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.coursework import PUBLISHED
from experiments.standin.breeds import BREEDS
from experiments.standin.photos import DOMAINS, Taking, dog_photo, wide_photo
from experiments.standin.wide import CLASSES
from minigrad.backend import keyed_generator
from minigrad.files import cache_folder, file_sha256, writable
from minigrad.kernels.runtime.threads import CORES
from minigrad.progress import ProgressLine

# A hash of the sources: where they draw otherwise, the pictures get another folder.
VERSION = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(
    Path(__file__).parent.glob("*.py")))).hexdigest()[:8]
SUMS = "SHA256SUMS"
_ABANDONED = 24 * 3600                  # seconds after which an unfinished folder is given up
_CANNOT_WRITE = 3                       # exit status of a worker
_WORKER = "from experiments.standin.store import work_off; work_off()"


@dataclass(frozen=True)
class Profile:
    """How many pictures, and how they are taken."""

    dbi: tuple[int, ...]                # pictures per breed
    sdd: tuple[int, ...]
    wide: int                           # pictures per class
    studio: Taking
    street: Taking

    def places(self) -> list[tuple[str, str, int]]:
        """(domain, class, index) of every picture."""
        counts = {"dbi": zip(BREEDS, self.dbi), "sdd": zip(BREEDS, self.sdd),
                  "wide": ((name, self.wide) for name in CLASSES)}
        return [(domain, name, index) for domain, classes in counts.items()
                for name, count in classes for index in range(count)]


_STUDIO = Taking(side=560, side_spread=0.35, quality=(88, 95), careless=0.15, spread=1.0,
                 poses=(0.4, 0.25, 0.25, 0.1))
_STREET = Taking(side=380, side_spread=0.25, quality=(70, 90), careless=1.0, spread=1.25,
                 poses=(0.25, 0.25, 0.3, 0.2))
PROFILES = {
    "quick": Profile((80,) * 7, (45,) * 7, 50, replace(_STUDIO, side=168, side_spread=0.2),
                     replace(_STREET, side=132, side_spread=0.15)),
    "paper": Profile(tuple(PUBLISHED["dbi"].values()), tuple(PUBLISHED["sdd"].values()), 60,
                     _STUDIO, _STREET)}


def ensure(profile: str, seed: int = 0, cache: str | os.PathLike | None = None,
           progress: bool = True, workers: int | None = None) -> Path:
    """The folder of the stand-in, drawn if it is not there yet or is damaged.

    `profile`: "quick" or "paper". `cache`: the folder to keep it in, by default minigrad's in the
    user's cache, or a temporary one if that cannot be written. `progress`: tell stderr how the
    drawing goes. `workers`: processes that draw, by default one per core; the pictures do not
    depend on it.
    Raises ValueError for another profile, OSError (one line) if the cache cannot be written.
    """
    if profile not in PROFILES:
        raise ValueError(f"stand-in: unknown profile {profile!r}: use {' or '.join(PROFILES)}")
    own, cache = cache is None, cache_folder() if cache is None else Path(cache)
    name = f"standin-{VERSION}-{profile}-{seed}"
    folder = cache / name
    flaw = _flaw(folder)
    if flaw is not None and own:
        cache = writable(cache)
        folder = cache / name
        flaw = _flaw(folder)
    if flaw is None:
        return folder
    if progress and folder.exists():
        print(f"stand-in: {flaw}: drawing it again", file=sys.stderr)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(cache)
        work = Path(tempfile.mkdtemp(prefix=".standin-", dir=cache))
        try:
            _draw_all(work / "new", PROFILES[profile], seed, workers or CORES, progress)
            _replace(folder, work)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise OSError(f"stand-in: cannot write to the cache {cache}: {error.strerror or error}; "
                      "mend that, or name another folder in XDG_CACHE_HOME") from error
    return folder


def draw(folder: Path, profile: Profile, seed: int, place: tuple[str, str, int]) -> None:
    """Draw the picture of one place (domain, class, index) and save it below `folder`."""
    domain, name, index = place
    rng = keyed_generator(seed, f"stand-in {domain} {name}", index)
    if domain in DOMAINS:
        taking = profile.studio if domain == "dbi" else profile.street
        photo, quality = dog_photo(domain, name, taking, rng)
    else:
        photo, quality = wide_photo(name, profile.studio if rng.random() < 0.5 else profile.street,
                                    rng)
    data = io.BytesIO()                 # Pillow takes no notice of a write cut short by a full disk
    photo.save(data, "JPEG", quality=quality)
    (folder / domain / name / f"{index:05d}.jpg").write_bytes(data.getvalue())


def work_off() -> None:
    """A worker process: draw what stdin lists, and write one byte to stdout per picture."""
    folder, profile, seed, places = pickle.load(sys.stdin.buffer)
    try:
        for place in places:
            draw(folder, profile, seed, place)
            os.write(sys.stdout.fileno(), b".")
    except OSError as error:
        print(error.strerror or error, file=sys.stderr)
        sys.exit(_CANNOT_WRITE)


def _draw_all(folder: Path, profile: Profile, seed: int, workers: int, progress: bool) -> None:
    """Draw a whole stand-in into the new folder `folder`, and list it in its SHA256SUMS."""
    places = profile.places()
    for domain, name in sorted({place[:2] for place in places}):
        (folder / domain / name).mkdir(parents=True)
    root = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))}
    listen, tell = os.pipe()
    crew = []
    try:
        try:
            for k in range(workers):
                crew.append(subprocess.Popen(
                    [sys.executable, "-c", _WORKER], stdin=subprocess.PIPE, stdout=tell,
                    stderr=subprocess.PIPE, env=environment))
                with suppress(BrokenPipeError):         # it died at once: its stderr says why
                    crew[k].stdin.write(pickle.dumps((folder, profile, seed, places[k::workers])))
                    crew[k].stdin.close()
        finally:
            os.close(tell)                              # the workers hold the only other ends
        _count(listen, len(places), progress)
        for worker in crew:
            complaint = worker.stderr.read().decode(errors="replace").strip()[-200:]
            last_line = complaint.splitlines()[-1] if complaint else "no reason given"
            if worker.wait() == _CANNOT_WRITE:
                raise OSError(last_line)
            if worker.returncode != 0:
                raise RuntimeError("stand-in: a drawing process ended with status "
                                   f"{worker.returncode}: {last_line}")
    finally:
        os.close(listen)
        for worker in crew:
            worker.kill()
            worker.wait()
            worker.stderr.close()
    sums = (f"{file_sha256(path)}  {path.relative_to(folder).as_posix()}\n"
            for path in sorted(folder.glob("*/*/*.jpg")))
    (folder / SUMS).write_text("".join(sums), encoding="ascii")


def _count(listen: int, total: int, progress: bool) -> None:
    """Follow the drawing until all workers have closed their end of the pipe."""
    done, start = 0, time.monotonic()
    with closing(ProgressLine(progress)) as line:
        while marks := os.read(listen, 4096):
            done += len(marks)
            if line.due():
                line.show(f"drawing the stand-in: {done}/{total} pictures", done / total)
        line.say(f"drew the stand-in: {done} pictures in {time.monotonic() - start:.0f} s")


def _replace(folder: Path, work: Path) -> None:
    """Put the finished `work/new` in the place of `folder`."""
    if folder.exists():
        if _flaw(folder) is None:                       # another process was faster
            return
        folder.rename(work / "old")
    try:
        (work / "new").rename(folder)
    except OSError:
        if _flaw(folder) is not None:                   # as above, just now
            raise


def _flaw(folder: Path) -> str | None:
    """What is wrong with the stand-in in `folder`; None if every file is there and whole."""
    try:
        lines = (folder / SUMS).read_text(encoding="ascii").splitlines()
        for line in lines:
            digest, name = line.split("  ", 1)
            if file_sha256(folder / name) != digest:
                return f"{folder / name} is damaged"
    except (OSError, ValueError) as error:
        return f"{folder} is incomplete ({getattr(error, 'strerror', None) or 'unreadable list'})"
    return None if lines else f"{folder} is empty"


def _remove_abandoned(cache: Path) -> None:
    """Remove what drawings that were killed long ago have left behind."""
    for path in cache.glob(".standin-*"):
        if time.time() - path.stat().st_mtime > _ABANDONED:
            shutil.rmtree(path, ignore_errors=True)
