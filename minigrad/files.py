"""Files: written so that no crash leaves half of one, hashed, and kept in the user's cache.

    write_file(path, [b"bytes", ...])       the old file or the new one, whole, at every moment
    replace_file(finished, path)            the same for a file that is there under another name
    file_sha256(path)                       read in pieces, so that it may be larger than memory
    writable(cache_folder() / "weights")    the place of what can be had again: downloads, drawings

New bytes go to a temporary file in the same folder, which is brought to the disk (fsync) before it
takes the name of the file, and then the folder is, too. Without the first fsync a crash can leave
an empty file under the name, without the second the old one: Pillai et al., "All File Systems Are
Not Created Equal", OSDI 2014.
"""

import hashlib
import logging
import os
import secrets
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_PIECE = 1 << 20                        # bytes that are hashed at a time
_log = logging.getLogger(__name__)
_reported: set[Path] = set()            # folders that a warning has said cannot be written


def write_file(path: str | os.PathLike, pieces: Iterable) -> None:
    """Make `path` (or what it links to) a file of the bytes of `pieces`, which are buffers.

    Raises OSError that names the path if anything fails; the file is then the one it was, and
    nothing is left beside it. Only if the very last step fails, the fsync of the folder, it is the
    new one. A killed process may leave the temporary file, `.minigrad-*.tmp`.
    """
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    temporary = os.path.join(folder, f".minigrad-{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        _write_new(temporary, pieces)
        _rename(temporary, target)
    except BaseException as error:
        with suppress(OSError):         # it may not exist: not yet, or no longer
            os.unlink(temporary)
        if not isinstance(error, OSError):
            raise
        raise OSError(error.errno, f"cannot save: {error.strerror}", os.fspath(path)) from error


def replace_file(finished: str | os.PathLike, path: str | os.PathLike) -> None:
    """Give the file `finished`, in the same folder, the name `path`, once its bytes are on the
    disk. Raises OSError."""
    with open(finished, "rb") as file:
        os.fsync(file.fileno())
    _rename(finished, path)


def _write_new(path: str, pieces: Iterable) -> None:
    """A new file, on the disk when this returns."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        for piece in pieces:
            rest = memoryview(piece)
            while rest:                 # one call may write a part
                rest = rest[os.write(file, rest):]
        os.fsync(file)
    finally:
        os.close(file)


def _rename(path: str | os.PathLike, target: str | os.PathLike) -> None:
    """Give a file on the disk another name in its folder, on the disk when this returns."""
    folder = os.open(os.path.dirname(target), os.O_RDONLY)
    try:
        os.replace(path, target)
        os.fsync(folder)
    finally:
        os.close(folder)


def file_sha256(path: str | os.PathLike) -> str:
    """The SHA-256 of a file, in hexadecimal digits. Raises OSError as `open` does."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def cache_folder() -> Path:
    """minigrad's folder in $XDG_CACHE_HOME or ~/.cache.

    A relative XDG_CACHE_HOME does not count, as the XDG Base Directory Specification says.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "minigrad"


def writable(folder: Path) -> Path:
    """`folder`, made if need be; where that cannot be written, one of its name among the temporary
    files, with a warning. Raises OSError if that cannot be written either."""
    try:
        return _make(folder)
    except OSError as error:
        spare = Path(tempfile.gettempdir()) / f"minigrad-{os.getuid()}"
        if folder not in _reported:
            _reported.add(folder)
            _log.warning("the cache %s cannot be written (%s); for now it is in %s; XDG_CACHE_HOME "
                         "names another folder", folder, error.strerror, spare)
        spare.mkdir(mode=0o700, exist_ok=True)
        found = spare.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise PermissionError(f"{spare} belongs to somebody else; name a folder for the cache "
                                  "in XDG_CACHE_HOME") from error
        return _make(spare / folder.name)


def _make(folder: Path) -> Path:
    """The folder, made if need be. Raises OSError if nothing can be written there."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"0")            # a full disk takes an empty one
    return folder


def packaged_file(package: str, inside: str) -> Path | None:
    """Where the installed package has the file `inside`; None if it is not installed. Nothing of it
    is imported."""
    from importlib import metadata  # here, because it takes longer than the rest of this module

    try:
        return Path(str(metadata.distribution(package).locate_file(inside)))
    except metadata.PackageNotFoundError:
        return None
