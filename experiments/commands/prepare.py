"""`python -m experiments prepare --dbi ARCHIVE --sdd ARCHIVE --out DIR`: the coursework's photos.

Out of the two archives as published (zip, tar, tar.gz, tar.bz2, tar.xz, or a folder of what was in
them) it makes

    DIR/dbi/<breed>/*.jpg       Dog Breed Images
    DIR/sdd/<breed>/*.jpg       the same seven breeds of the Stanford Dogs Dataset

and compares the number of photographs with the published ones. A difference is reported, but is no
error: what is there can be used. Whatever is left out is counted and named, also by a run that
fails. Of a name in an archive only the last part is used, inside the folder of the breed, so that
none can lead elsewhere. A set appears when it is complete.
"""

from __future__ import annotations

import argparse
import bz2
import difflib
import filecmp
import gzip
import itertools
import lzma
import os
import re
import stat
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, NamedTuple

from experiments.coursework import BREEDS, PUBLISHED
from experiments.errors import UserError, one_line
from experiments.report.terminal import Screen, progress, table_lines
from minigrad.data.folder import EXTENSIONS, RENAMED, UNREAD
from minigrad.data.images import ImageError, is_image, read_image, shown

TITLES = {"dbi": "Dog Breed Images", "sdd": "Stanford Dogs Dataset"}
SHORT_NAMES = {"labrador": "labrador_retriever"}        # as a folder of DBI is called
LIMIT = 4 << 30         # bytes of an unpacked archive; Stanford Dogs has 0.8 GB
_MOST = 5               # names in one line of the report
LARGEST = 64 << 20      # bytes of one photograph
KINDS = "zip, tar, tar.gz, tar.bz2 or tar.xz"
_PACKED = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}


class Member(NamedTuple):
    """A file of an archive or folder; `open` is None for one that is not plain: a link, or in a tar
    a file with holes."""

    name: str
    size: int
    open: Callable[[], BinaryIO] | None


class Notes:
    """What there is to say about a set besides its counts."""

    def __init__(self):
        self.found = Counter()          # breed -> images
        self.other = Counter()          # folder of another breed -> images
        self.odd = defaultdict(list)    # what it is -> names
        self.lines = []

    def report(self) -> list[str]:
        lines = list(self.lines)
        for what, names in self.odd.items():
            lines.append(f"{what}, left out: {len(names)}: {_brief(names)}")
        if self.other:
            lines.append(f"images of other folders, left out: {self.other.total()}: "
                         + _brief([f"{name} ({n})" for name, n in sorted(self.other.items())]))
        return lines

    def report_failure(self) -> list[str]:
        """What there was before something went wrong."""
        found = ", ".join(f"{breed} {n}" for breed, n in sorted(self.found.items()))
        return [f"found until then: {found or 'no image of a breed'}", *self.report()]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    for name, title in TITLES.items():
        parser.add_argument(f"--{name}", metavar="ARCHIVE",
                            help=f"{title}: a {KINDS} file, or a folder")
    parser.add_argument("--out", required=True, metavar="DIR",
                        help="folder to make dbi and sdd in, which must not be there yet")


def run(args: argparse.Namespace) -> int:
    """Make the sets that were asked for and print how they compare with the published ones.

    Returns 0, also where the counts differ. Raises UserError for an archive that cannot be read or
    that lacks a breed, and for an output folder that cannot be written or has a set in it already;
    the set is then not made.
    """
    sources = {name: getattr(args, name) for name in TITLES if getattr(args, name) is not None}
    if not sources:
        raise UserError("nothing to prepare: give --dbi ARCHIVE, --sdd ARCHIVE or both")
    out = Path(args.out)
    for name, source in sources.items():
        _check(Path(source), out, out / name)
    screen = Screen(sys.stdout)
    for name, source in sources.items():
        notes = Notes()
        try:
            counts = _make(name, Path(source), out / name, notes)
        except UserError:
            screen.print([*screen.wrapped(f"{name}, {TITLES[name]}: not made"),
                          *_prose(screen, notes.report_failure())])
            raise
        screen.print([*_table(screen, name, out / name, counts),
                      *_prose(screen, notes.report())])
    return 0


def _prose(screen, lines):
    return [part for line in lines for part in screen.prose(line)]


def _check(source, out, target):
    """Raise UserError, before anything is read, for places that cannot be what they should."""
    if not source.exists():
        raise UserError(f"no file or folder {shown(str(source))}")
    if not (source.is_file() or source.is_dir()):
        raise UserError(f"{shown(str(source))} is neither a file nor a folder")
    if source.is_dir() and out.resolve().is_relative_to(source.resolve()):
        raise UserError(f"--out {shown(str(out))} is inside {shown(str(source))}, which is to be "
                        "read: give another folder")
    try:
        if os.path.lexists(target) and not (target.is_dir() and not any(target.iterdir())):
            raise UserError(f"{shown(str(target))} is there already: remove it or give another "
                            "folder with --out DIR")
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise UserError(f"cannot write to {shown(str(out))}: {error.strerror}") from error


def _make(name, source, target, notes):
    """Build a set beside its place and move it there. -> {breed: images}"""
    try:
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=target.parent) as folder:
            made = Path(folder, name)
            for breed in BREEDS:
                (made / breed).mkdir(parents=True)
            with progress(f"{name}: taking the photographs out of {shown(source.name)}", 0,
                          1 + len(BREEDS)):
                _collect(source, made, notes)
            counts = {}
            for breed in BREEDS:
                with progress(f"{name}: checking {breed}", 1 + len(counts), 1 + len(BREEDS)):
                    counts[breed] = _keep_readable(made / breed, notes)
            empty = [breed for breed, n in counts.items() if not n]
            if empty:
                raise UserError(f"{shown(str(source))} has no image of {', '.join(empty)}: is it "
                                f"the {TITLES[name]} archive, complete?")
            if target.is_dir():
                target.rmdir()          # empty, as _check saw
            os.rename(made, target)
            return counts
    except OSError as error:
        raise UserError(f"cannot make {shown(str(target))}: {_reason(error)}") from error


def _collect(source, made, notes):
    """Copy the images of the seven breeds, each into the folder of its breed."""
    taken = {breed: {} for breed in BREEDS}         # {name in small letters: name}
    for path, breed, name, data in _photographs(source, notes):
        _copy(data, made / breed, name, taken[breed], path, notes)
        notes.found[breed] = len(taken[breed])


def _photographs(source, notes):
    """(path in the source, breed, name, bytes) of each image of the seven breeds.

    Whatever goes wrong in here is the source's fault, and a UserError that says so.
    """
    try:
        with ExitStack() as stack:
            for member in _members(source, stack):
                folder, name = _place(member.name, source)
                breed, odd = breed_of(folder), _odd(member, name)
                if odd:
                    notes.odd[odd].append(member.name)
                elif breed is None:
                    notes.other[folder] += 1
                elif member.open is None:
                    notes.odd["links or special files"].append(member.name)
                elif member.size > LARGEST:
                    notes.odd[f"files of more than {LARGEST >> 20} MiB"].append(member.name)
                else:
                    with member.open() as file:
                        data = file.read(member.size)     # a bomb gives no more either
                    yield member.name, breed, name, data
    except (OSError, tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError,
            NotImplementedError, RuntimeError, ValueError) as error:
        raise UserError(f"cannot read {shown(str(source))}: {_reason(error)}; give a whole "
                        f"{KINDS} file, or a folder") from error


def _odd(member, name):
    """Why no data set would list a file of that name; "" if one would."""
    extension = os.path.splitext(name)[1].lower()
    if name.startswith("."):
        return "hidden files"
    if extension in EXTENSIONS:
        return ""
    if extension in UNREAD:
        return "photographs of kinds that are not read, convert them to JPEG"
    if extension in RENAMED or member.open is not None and _begins_as_image(member):
        return "images under another extension, rename them to .jpg or .png"
    return "files that are no images"


def _begins_as_image(member):
    with member.open() as file:
        return is_image(file.read(12))


def _reason(error):
    """An exception in one line; of one of the system what happened, and to which file."""
    if getattr(error, "strerror", None) is None:
        return one_line(error)
    return error.strerror + (f" ({shown(os.fsdecode(error.filename))})" if error.filename else "")


def _place(path, source):
    """(folder, name): the last two parts of a path in an archive. UserError if it leads outside."""
    parts = path.replace("\\", "/").split("/")
    if ".." in parts or parts[0] == "" or re.match("[A-Za-z]:", path) or "\0" in path:
        raise UserError(f"{shown(str(source))} holds {shown(path)}, which leads outside: it is not "
                        "the archive as published")
    parts = [part for part in parts if part not in ("", ".")]
    return tuple(["", *parts][-2:]) if parts else ("", "")


def breed_of(folder: str) -> str | None:
    """The breed that a folder's name means, or None: `n02110958-pug`, `Labrador retriver`."""
    name = re.sub(r"^n\d{8}[-_ ]", "", folder.lower())
    name = re.sub(r"[\W_]+", "_", name).strip("_")
    close = difflib.get_close_matches(SHORT_NAMES.get(name, name), BREEDS, n=1, cutoff=0.95)
    return close[0] if close else None


def _copy(data, folder, name, taken, path, notes):
    """Write the bytes of `path` as folder/name; another photograph of that name gets a number.

    Names that differ by capitals alone are one, as they are to many file systems.
    """
    stem, extension = os.path.splitext(name)
    numbered = (f"{stem}-{i}{extension}" for i in itertools.count(2))
    free = next(n for n in itertools.chain([name], numbered) if n.lower() not in taken)
    with open(folder / free, "xb") as copy:
        copy.write(data)
    if free != name and filecmp.cmp(folder / free, folder / taken[name.lower()], shallow=False):
        (folder / free).unlink()
        notes.odd["second copies"].append(path)
        return
    taken[free.lower()] = free
    if free != name:
        notes.lines.append(f"{shown(path)}: another one has that name; this one is now "
                           f"{shown(free)}")


def _keep_readable(folder, notes):
    """Decode every image of a breed and remove those that fail. -> how many are left"""
    files = sorted(folder.iterdir())
    for file in files:
        try:
            read_image(file)
        except ImageError as error:
            reason = str(error).removeprefix(f"cannot read image {shown(str(file))}: ")
            notes.odd["files that are no readable image"].append(
                f"{folder.name}/{file.name} ({reason})")
            file.unlink()
    return len(list(folder.iterdir()))


# --- sources: zip, tar, folder -------------------------------------------------------------------

def _members(source: Path, stack: ExitStack) -> Iterator[Member]:
    """All files of a source, in its own order; what is opened for that is closed by `stack`."""
    if source.is_dir():
        return _of_folder(source)
    file = stack.enter_context(open(source, "rb"))
    start = file.read(6)
    file.seek(0)
    if start[:2] == b"PK":
        return _of_zip(stack.enter_context(zipfile.ZipFile(file)))
    for prefix, unpacked in _PACKED.items():
        if start.startswith(prefix):
            file = stack.enter_context(unpacked(file))
    file = _Bounded(file)
    return _of_tar(stack.enter_context(tarfile.open(fileobj=file, mode="r:")), file)


def _of_folder(top):
    def stop(error):
        raise error

    for folder, folders, files in os.walk(top, onerror=stop):
        folders.sort()
        for name in sorted(files):
            path = Path(folder, name)
            status = path.lstat()
            plain = stat.S_ISREG(status.st_mode)
            yield Member(str(Path(top.resolve().name, path.relative_to(top))), status.st_size,
                         (lambda path=path: open(path, "rb")) if plain else None)


def _of_zip(archive):
    _check_total(sum(info.file_size for info in archive.infolist()))
    for info in archive.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if not info.is_dir():
            yield Member(info.filename, info.file_size, (lambda info=info: archive.open(info))
                         if kind in (0, stat.S_IFREG) else None)


def _of_tar(archive, file):
    for info in archive:
        if not info.isdir():
            plain = info.isreg() and not info.issparse()    # holes unpack to more than was read
            yield Member(info.name, info.size, (lambda info=info: archive.extractfile(info))
                         if plain else None)
    if any(file.last) or len(file.last) < tarfile.BLOCKSIZE:    # an empty header is the end
        raise ValueError("it is cut off or damaged: the mark of its end is not there")
    for _ in range(LARGEST >> 20):      # a packed file has its checksum behind all that
        if not file.read(1 << 20):
            break


class _Bounded:
    """A file that is read or skipped up to LIMIT only, also if it is unpacked meanwhile.

    In a tar file the length of what is skipped stands before it, so a bomb is never unpacked.
    `last` is what was read last: after the last file, the header behind it.
    """

    def __init__(self, file):
        self.file, self.tell, self.last = file, file.tell, b""

    def read(self, size):
        if size > LARGEST:
            raise ValueError("a header in it is larger than any real one")
        _check_total(self.tell() + size)
        self.last = self.file.read(size)
        return self.last

    def seek(self, place):
        _check_total(place)
        self.file.seek(place)


def _check_total(size):
    if size > LIMIT:
        raise ValueError(f"unpacked, it has more than {LIMIT >> 30} GiB")


# --- the report ----------------------------------------------------------------------------------

def _table(screen, name, target, counts):
    published = PUBLISHED[name]
    rows = [(breed, str(count), str(published[breed]),
             f"{count - published[breed]:+}" if count != published[breed] else "")
            for breed, count in counts.items()]
    header = "breed", "images", "published", "difference"
    if not any(row[-1] for row in rows):
        header, rows = header[:-1], [row[:-1] for row in rows]
    title = (f"{name}, {TITLES[name]}: {sum(counts.values())} images in {shown(str(target))}, "
             f"published {sum(published.values())}")
    return [*screen.wrapped(title), *table_lines(screen, header, rows)]


def _brief(names):
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(map(shown, names[:_MOST])) + more
