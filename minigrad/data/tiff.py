"""TIFF files as Pillow reads them, and what it does not tell of them, or does only with 8 bits.

`Tiff(file)` is Pillow's image, its header read. `inverted`: whether 0 is white in its 16 bits;
`orientation`: its tag 274, which is left to `orientation.turn`, or None.
"""

import os
import struct
import threading
from contextlib import nullcontext, suppress
from typing import IO, Any

from PIL import TiffTags
from PIL.TiffImagePlugin import COMPRESSION_INFO, ImageFileDirectory_v2, TiffImageFile

from minigrad.data import orientation

_BITS, _COMPRESSION, _COLOURS, _SAMPLES, _PLANES, _FORM, _XMP = 258, 259, 262, 277, 284, 339, 700
_STRIPS, _TILES = 273, 324                      # where the pixels are
_FORMS = {1: "", 2: " signed", 3: " floating-point", 5: " complex", 6: " complex"}
_COMMON = 1, 2, 3, 4, 5, 7, 8, 32773, 32946     # compressions that every libtiff unpacks


class Unsupported(Exception):
    """A whole file of a kind that Pillow does not read. The message says which kind."""


class Tiff(TiffImageFile):
    """The first page of a TIFF file."""

    fp: IO[bytes]

    def _open(self) -> None:
        try:
            super()._open()
        except TypeError as error:              # it found no size
            self.fp.seek(0)
            if self.fp.read(4) == b"MM\0+":
                raise Unsupported("BigTIFF, highest byte first") from error
            raise

    def _setup(self) -> None:
        tags = self.tag_v2
        self.orientation = _number(tags, orientation.TAG)
        if orientation.TAG in tags:
            del tags[orientation.TAG]           # or Pillow would turn the image, and once more
        if _XMP in tags:                        # Pillow does so since version 10.4
            self.info["xmp"] = tags[_XMP]
        self.inverted = tags.get(_COLOURS, 0) == 0 and _tuple(tags, _BITS) == (16,)
        if tags.get(_SAMPLES, 1) == 1:
            tags[_PLANES] = 1                   # one sample lies as it does either way
        if self.inverted:
            tags[_COLOURS] = 1                  # which Pillow knows in both orders of bytes
        try:
            super()._setup()
        except (SyntaxError, KeyError, OSError) as error:
            if _COLOURS not in tags or not tags.keys() & {_STRIPS, _TILES}:
                raise                           # no kind at all: its directory is cut off
            raise Unsupported(_kind(tags)) from error
        if 2 in (form := _tuple(tags, _FORM)):
            raise Unsupported(_samples(tags, form))
        if tags.get(_PLANES) == 2 and (self.mode in ("LA", "La", "PA") or (
                tags.get(_COMPRESSION, 1) == 1 and set(_tuple(tags, _BITS)) != {8})):
            raise Unsupported(_kind(tags))      # of which Pillow makes other pixels, silently

    def load_end(self) -> None:
        """Nothing: here Pillow would look at all other metadata, which may be broken."""

    def load(self) -> Any:
        """Decode the pixels. Raises Unsupported if this libtiff may lack what that takes."""
        compression = self.tag_v2.get(_COMPRESSION, 1)
        try:
            with nullcontext() if compression == 1 else _silence:
                return super().load()
        except OSError as error:
            if compression in _COMMON:
                raise
            raise Unsupported(f"{_compression(self.tag_v2)}, or it is damaged") from error

    @property
    def samples(self) -> str:
        """What its samples are, as "32-bit floating-point samples"."""
        return _samples(self.tag_v2, _tuple(self.tag_v2, _FORM))


class _Silence:
    """A block in which the process has no stderr: libtiff tells there what is wrong with a file.

    It writes past Python, into the middle of other output; the exception says it as well. Several
    threads may be in the block at a time: the first to come and the last to go change stderr.
    """

    def __init__(self) -> None:
        self.lock, self.inside = threading.Lock(), 0
        self.kept: int | None = None

    def __enter__(self) -> None:
        with self.lock:
            self.inside += 1
            if self.inside == 1:
                with suppress(OSError), open(os.devnull, "wb") as nowhere:  # or it is closed
                    self.kept = os.dup(2)
                    os.dup2(nowhere.fileno(), 2)

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.inside -= 1
            if not self.inside and self.kept is not None:
                os.dup2(self.kept, 2)
                os.close(self.kept)
                self.kept = None


_silence = _Silence()


def _number(tags: ImageFileDirectory_v2, tag: int) -> float | None:
    """The number in a tag, of any type; None if there is none, or a text."""
    try:
        value = tags.get(tag)
    except (IndexError, TypeError, ValueError, struct.error):   # of no values, or of part of one
        return None
    if isinstance(value, bytes):
        return value[0] if len(value) == 1 else None
    return None if isinstance(value, (str, tuple)) else value


def _tuple(tags: ImageFileDirectory_v2, tag: int, default: int = 1) -> tuple:
    value = tags.get(tag, default)
    return value if isinstance(value, tuple) else (value,)


def _kind(tags: ImageFileDirectory_v2) -> str:
    """What a file is, in words: "2 x 16-bit samples, 1 (BlackIsZero)"."""
    if tags.get(_COMPRESSION, 1) not in COMPRESSION_INFO:
        return _compression(tags)
    planes = ", in separate planes" * (tags.get(_PLANES, 1) == 2)
    return f"{_samples(tags, _tuple(tags, _FORM))}, {_describe_value(tags, _COLOURS)}{planes}"


def _compression(tags: ImageFileDirectory_v2) -> str:
    return f"compression {_describe_value(tags, _COMPRESSION)}"


def _samples(tags: ImageFileDirectory_v2, form: tuple) -> str:
    bits, count = _tuple(tags, _BITS), tags.get(_SAMPLES, 1)
    each = f"{count} x " * (count != 1)
    return f"{each}{'/'.join(map(str, sorted(set(bits))))}-bit{_FORMS.get(form[0], '')} samples"


def _describe_value(tags: ImageFileDirectory_v2, tag: int) -> str:
    """The value of a tag with its name, where TIFF has one for it."""
    value, known = tags.get(tag, 0), TiffTags.lookup(tag).enum
    name = next((name for name, number in known.items() if number == value), None)
    return f"{value} ({name})" if name else str(value)
