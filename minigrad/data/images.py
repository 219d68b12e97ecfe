"""Photographs from files, by rules that are written down.

    image = read_image("dog.jpg")       # a Pillow image: RGB, 8 bits, upright, nothing else

JPEG, PNG, GIF, BMP, PPM, TIFF and WebP, told by their first bytes whatever the file is called; no
other reader of Pillow is ever asked, some of which start other programs. Of an animation or of
several pages, the first. The pixels become RGB so:

    orientation     as EXIF or XMP says (torchvision leaves such photographs on their side)
    16 bits         v >> 8, the high byte (Pillow alone would clip grey ones at 255); in a TIFF file
                    whose white is 0, 255 less that
    transparency    over white: round((a x + (255 - a) 255) / 255), for alpha a of 0..255
    CMYK            R = (255 - K) - round((255 - K) C / 255), likewise G of M and B of Y
    grey, palette   as they look

What has no such rule is refused: samples of 32 bits, signed or floating-point ones, Lab colours.
"""

import errno
import io
import logging
import os
import re
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from typing import IO, BinaryIO

import numpy as np
from PIL import (BmpImagePlugin, GifImagePlugin, Image, JpegImagePlugin, PngImagePlugin,
                 PpmImagePlugin, WebPImagePlugin)
from PIL.ImageFile import ImageFile

from minigrad.data.orientation import turn
from minigrad.data.tiff import Tiff, Unsupported

_XMP = b"http://ns.adobe.com/xap/1.0/\0"
MAX_PIXELS = 1024**3 // 4 // 3      # those of 256 MiB of RGB: where Pillow, too, sees a bomb


class _Jpeg(JpegImagePlugin.JpegImageFile):
    """Pillow's, with the XMP data, which it keeps since version 11 only."""

    fp: IO[bytes]

    def _open(self) -> None:
        try:
            super()._open()
        except (struct.error, IndexError):      # in a JFIF, Adobe or ICC segment that is too short
            self.fp.seek(0)
            self.fp = io.BytesIO(b"".join(_needed_segments(self.fp.read())))
            super()._open()
        for name, data in self.applist:
            if name == "APP1" and data.startswith(_XMP):
                self.info["xmp"] = data.removeprefix(_XMP)

    def _read_dpi_from_exif(self) -> None:
        """Nothing: Pillow looks for a resolution here, which broken metadata can end."""


def _needed_segments(data: bytes) -> Iterator[bytes]:
    """The parts of a JPEG file, of its application segments only EXIF, XMP and a whole Adobe."""
    place = 2
    yield data[:place]
    while data[place:place + 1] == b"\xff" and 0xc0 <= data[place + 1] != 0xda:      # the scan
        marker, size = data[place + 1], 2 + int.from_bytes(data[place + 2:place + 4], "big")
        if not 0xe0 <= marker <= 0xef or marker == 0xe1 or marker == 0xee and size >= 14:
            yield data[place:place + size]
        place += size
    yield data[place:]


class _Png(PngImagePlugin.PngImageFile):
    """Pillow's, without the chunks that neither pixels nor orientation need, and without broken
    ones of the others: a resolution of too few bytes would end it."""

    fp: IO[bytes]

    def _open(self) -> None:
        self.fp = io.BytesIO(b"".join(_needed_chunks(self.fp)))
        super()._open()


def _needed_chunks(file: IO[bytes]) -> Iterator[bytes]:
    """The parts of a PNG file, each chunk (its length, its kind, its data, their CRC-32) whole."""
    yield file.read(8)
    kind = b""
    while kind != b"IEND" and len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        critical = not kind[0] & 32             # the first letter is a capital
        if not critical and kind not in _CHUNKS:
            file.seek(length + 4, os.SEEK_CUR)
            continue
        body = file.read(length + 4)
        if critical or zlib.crc32(kind + body[:length]).to_bytes(4, "big") == body[length:]:
            yield head + body


_CHUNKS = b"tRNS", b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"iCCP"  # the last: only to refuse bombs
_READERS = {                        # of a file that begins so
    rb"\xff\xd8\xff": _Jpeg, rb"\x89PNG\r\n\x1a\n": _Png, rb"GIF8": GifImagePlugin.GifImageFile,
    rb"BM": BmpImagePlugin.BmpImageFile, rb"RIFF....WEBP": WebPImagePlugin.WebPImageFile,
    rb"P[1-6]": PpmImagePlugin.PpmImageFile, rb"II\*\0|MM\0\*|II\+\0|MM\0\+": Tiff}
_NO_FILES = {stat.S_IFDIR: "folder", stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket",
             stat.S_IFCHR: "device", stat.S_IFBLK: "device"}
_MEND = "have no stated white; save it as RGB or grey of 8 or 16 bits"
_LACKING = re.compile("(?i)unsupported|not supported|cannot handle")    # as Pillow says it
logging.getLogger("PIL").addHandler(logging.NullHandler())      # or some errors come twice
_SHORTAGES = errno.EMFILE, errno.ENFILE, errno.ENOMEM


class ImageError(OSError):
    """An image file that cannot be used. The message is one line: the file, and what is wrong."""


def read_image(path: str | os.PathLike, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The photograph in a file as an upright RGB image.

    Raises ImageError if the file is missing, damaged, cut off, of another kind, or has more than
    `max_pixels` pixels, which its header tells before anything is decoded. What is no regular file
    is not opened at all, so that nothing waits for a pipe. A shortage of memory or of file
    descriptors is no fault of the file and raised as it is.

    From the first call on, this process ignores what Pillow warns of in damaged metadata:
    `warnings.catch_warnings` would be the wrong tool, as images are read in several threads.
    """
    _ignore_warnings()
    path = os.fsdecode(path)
    try:
        refuse_special(path)
        with open(path, "rb") as file:
            return _decode_upright(_open_image(file, max_pixels))
    except Exception as error:          # decoders raise whatever a damaged file leads to
        if isinstance(error, MemoryError) or getattr(error, "errno", None) in _SHORTAGES:
            raise
        reason = _on_one_line(_reason(error))
        raise ImageError(f"cannot read image {shown(path)}: {reason}") from error


def shown(path: str) -> str:
    """A path as messages tell it: as it is, or quoted and escaped if it is empty or would not print
    on one line."""
    return path if path and path.isprintable() else ascii(path)


def _on_one_line(text: str) -> str:
    """In one line that prints; decoders quote bytes of the file."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class _Refusal(Exception):
    """Why a file is not read, in our words."""


def _reason(error: Exception) -> str:
    if isinstance(error, _Refusal):
        return str(error)
    if isinstance(error, Unsupported):
        return f"it is a TIFF file of a kind that is not supported: {error}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = " ".join(str(error).split()) or type(error).__name__
    if _LACKING.search(text):
        return f"it is of a kind that is not supported ({text})"
    return f"it is damaged or cut off ({text})"


def _ignore_warnings() -> None:
    rule = ("ignore", None, UserWarning, re.compile(r"PIL\."), 0)
    if rule not in warnings.filters[:1]:
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def is_image(start: bytes) -> bool:
    """Whether a file that begins with these 12 bytes is of a kind that `read_image` reads."""
    return _reader(start) is not None


def _reader(start: bytes) -> type[ImageFile] | None:
    return next((reader for prefix, reader in _READERS.items()
                 if re.match(prefix, start, re.DOTALL)), None)


def refuse_special(path: str | os.PathLike) -> None:
    """Raise OSError, its `strerror` saying why, unless `path` is a regular file with bytes in it.

    To be asked before opening it: a pipe may never give a byte, and /dev/zero never ends.
    """
    if os.path.islink(path) and not os.path.exists(path):
        target = os.readlink(os.fsdecode(path))
        raise _input_error(f"it is a link to {shown(target)}, which does not exist", path)
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        kind = _NO_FILES.get(stat.S_IFMT(status.st_mode), "special file")
        raise _input_error(f"it is a {kind}", path)
    if not status.st_size:
        raise _input_error("the file is empty", path)


def _input_error(reason: str, path: str | os.PathLike) -> OSError:
    return OSError(errno.EINVAL, reason, os.fspath(path))


def _open_image(file: BinaryIO, max_pixels: int) -> ImageFile:
    """Pillow's image of an open file, its header read and checked, its pixels not yet decoded."""
    reader = _reader(file.read(12))
    if reader is None:
        raise _Refusal("it is no JPEG, PNG, GIF, BMP, PPM, TIFF or WebP file")
    file.seek(0)
    image = reader(file)        # not Image.open, whose limit on pixels is one for the whole process
    width, height = image.size
    if width * height > max_pixels:
        raise _Refusal(f"its {width:,} x {height:,} pixels are more than the limit of "
                       f"{max_pixels:,}")
    return image


def _decode_upright(image: ImageFile) -> Image.Image:
    """A decoded, plain RGB image: no metadata is left that could turn it once more."""
    _rescale_transparent(image)
    image.load()                    # the metadata behind the pixels are there only now
    turned = turn(image.info, image.orientation if isinstance(image, Tiff) else None)
    rgb = _rgb(image)
    if turned is not None:
        rgb = rgb.transpose(turned)
    rgb.info = {}
    return rgb


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return Image.fromarray(_high_bytes(image)).convert("RGB")
    if image.mode in ("F", "LAB"):
        raise _Refusal(f"its samples (LAB) {_MEND}" if image.mode == "LAB" else
                       _describe_floats(np.asarray(image)))
    if image.mode == "La":          # grey under its own alpha, which Pillow undoes alone
        image = image.convert("LA")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(rgba.convert("RGB"), mask=rgba.getchannel("A"))
        return white
    return image.convert("RGB")


def _describe_floats(samples: np.ndarray) -> str:
    """What is wrong with floating-point samples (H, W): the first that is no number, or all."""
    odd = np.argwhere(~np.isfinite(samples))
    if len(odd):
        row, column = odd[0].tolist()
        value = "NaN" if np.isnan(samples[row, column]) else samples[row, column]
        return (f"its sample in row {row}, column {column} is {value}, and samples (F) {_MEND}")
    return f"its samples (F) {_MEND}; they go from {samples.min():g} to {samples.max():g}"


def _rescale_transparent(image: ImageFile) -> None:
    """Bring the transparent colour of a PNG to 8 bits, which Pillow does with the pixels alone."""
    key, samples = image.info.get("transparency"), image.tile[0][3] if image.tile else None
    if key is not None and samples in ("L;2", "L;4"):
        image.info["transparency"] = key * {"L;2": 85, "L;4": 17}[samples]
    elif key is not None and samples == "RGB;16B":
        image.info["transparency"] = tuple(value >> 8 for value in key)


def _high_bytes(image: Image.Image) -> np.ndarray:
    """Grey of 16 bits -> (H, W) uint8, the transparent value, if there is one, made white."""
    if isinstance(image, Tiff) and not image.samples.startswith("16-bit samples"):
        raise _Refusal(f"its {image.samples} {_MEND}")
    samples = np.asarray(image)
    grey = (samples >> 8).astype(np.uint8)
    grey[samples == image.info.get("transparency", -1)] = 255
    return 255 - grey if isinstance(image, Tiff) and image.inverted else grey
