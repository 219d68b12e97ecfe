"""Writing a file so that at every moment, also after a crash, it is the old or the new one, whole.

The bytes go to a temporary file in the same folder, which is brought to the disk (fsync) before it
takes the name of the file, and then the folder is, too. Without the first fsync a crash can leave
an empty file under the name, without the second the old one: Pillai et al., "All File Systems Are
Not Created Equal", OSDI 2014.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from contextlib import suppress


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
        try:
            _write_new(temporary, pieces)
            directory = os.open(folder, os.O_RDONLY)
            try:
                os.replace(temporary, target)
                os.fsync(directory)
            finally:
                os.close(directory)
        except BaseException:
            with suppress(OSError):     # it may not exist: not yet, or no longer
                os.unlink(temporary)
            raise
    except OSError as error:
        raise OSError(error.errno, f"cannot save: {error.strerror}", os.fspath(path)) from error


def _write_new(path, pieces):
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
