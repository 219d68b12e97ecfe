"""Photographs from files, by rules that are written down.

    image = read_image("dog.jpg")       # a Pillow image: RGB, 8 bits, upright, nothing else

JPEG, PNG, GIF, BMP, PPM, TIFF and WebP, told by their first bytes whatever the file is called. Of
an animation or of several pages, the first. The pixels become RGB so:

    orientation     as EXIF says (torchvision leaves such photographs on their side)
    16 bits         v >> 8, the high byte (Pillow alone would clip grey ones at 255)
    transparency    over white: round((a x + (255 - a) 255) / 255), for alpha a of 0..255
    CMYK            R = (255 - K) - round((255 - K) C / 255), likewise G of M and B of Y
    grey, palette   as they look

What has no such rule is refused: samples of 32 bits, signed or floating-point ones, Lab colours.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import struct
import warnings

import numpy as np
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

MAX_PIXELS = 1024**3 // 4 // 3      # those of 256 MiB of RGB: where Pillow, too, sees a bomb

_READERS = {                        # of a file that begins so
    b"\xff\xd8\xff": JpegImageFile, b"\x89PNG\r\n\x1a\n": PngImageFile, b"GIF8": GifImageFile,
    b"BM": BmpImageFile, b"RIFF": WebPImageFile,
    **dict.fromkeys((b"P1", b"P2", b"P3", b"P4", b"P5", b"P6"), PpmImageFile),
    **dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), TiffImageFile)}
_UPRIGHT = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
            4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
            6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_90}       # by EXIF's orientation
_NO_FILES = {stat.S_IFDIR: "folder", stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket",
             stat.S_IFCHR: "device", stat.S_IFBLK: "device"}
_BITS, _FORM = 258, 339             # tags of TIFF: bits per sample; 1 unsigned, 2 signed, 3 float
_MEND = "have no stated white; save it as RGB or grey of 8 or 16 bits"
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
        _check_regular(path)
        with open(path, "rb") as file:
            return _upright(_opened(file, max_pixels))
    except Exception as error:          # decoders raise whatever a damaged file leads to
        if isinstance(error, MemoryError) or getattr(error, "errno", None) in _SHORTAGES:
            raise
        raise ImageError(f"cannot read image {shown(path)}: {_reason(error)}") from error


def shown(path: str) -> str:
    """A path as messages tell it: as it is, or escaped if it would not print on one line."""
    return path if path.isprintable() else ascii(path)


class _Refused(Exception):
    """Why a file is not read, in our words."""


def _reason(error):
    if isinstance(error, _Refused):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"it is damaged or cut off ({' '.join(str(error).split()) or type(error).__name__})"


def _ignore_warnings():
    rule = ("ignore", None, UserWarning, re.compile(r"PIL\."), 0)
    if rule not in warnings.filters[:1]:
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def _check_regular(path):
    if os.path.islink(path) and not os.path.exists(path):
        raise _Refused(f"it is a link to {shown(os.readlink(path))}, which does not exist")
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise _Refused(f"it is a {_NO_FILES.get(stat.S_IFMT(status.st_mode), 'special file')}")
    if not status.st_size:
        raise _Refused("the file is empty")


def _opened(file, max_pixels):
    """Pillow's image of an open file, its header read and checked, its pixels not yet decoded."""
    start = file.read(8)
    reader = next((found for prefix, found in _READERS.items() if start.startswith(prefix)), None)
    if reader is None:
        raise _Refused("it is no JPEG, PNG, GIF, BMP, PPM, TIFF or WebP file")
    file.seek(0)
    image = reader(file)        # not Image.open, whose limit on pixels is one for the whole process
    width, height = image.size
    if width * height > max_pixels:
        raise _Refused(f"its {width:,} x {height:,} pixels are more than the limit of "
                       f"{max_pixels:,}")
    return image


def _upright(image):
    """A decoded, plain RGB image: no metadata is left that could turn it once more."""
    _rescale_transparent(image)
    image.load()
    turn = _UPRIGHT.get(_orientation(image.info.get("exif", b"")))     # Pillow turns TIFF itself
    rgb = _rgb(image)
    if turn is not None:
        rgb = rgb.transpose(turn)
    rgb.info = {}
    return rgb


def _rgb(image):
    if image.mode.startswith("I"):
        return Image.fromarray(_high_bytes(image)).convert("RGB")
    if image.mode in ("F", "LAB"):
        raise _Refused(f"its samples ({image.mode}) {_MEND}")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(rgba.convert("RGB"), mask=rgba.getchannel("A"))
        return white
    return image.convert("RGB")


def _rescale_transparent(image):
    """Bring the transparent colour of a PNG to 8 bits, which Pillow does with the pixels alone."""
    key, samples = image.info.get("transparency"), image.tile[0][3] if image.tile else None
    if key is not None and samples in ("L;2", "L;4"):
        image.info["transparency"] = key * {"L;2": 85, "L;4": 17}[samples]
    elif key is not None and samples == "RGB;16B":
        image.info["transparency"] = tuple(value >> 8 for value in key)


def _high_bytes(image):
    """Grey of 16 bits -> (H, W) uint8, the transparent value, if there is one, made white."""
    if isinstance(image, TiffImageFile):
        bits, form = image.tag_v2.get(_BITS, (1,)), image.tag_v2.get(_FORM, (1,))
        if (bits, form) != ((16,), (1,)):
            raise _Refused(f"its {bits[0]}-bit{' signed' * (form == (2,))} samples {_MEND}")
    samples = np.asarray(image)
    grey = (samples >> 8).astype(np.uint8)
    grey[samples == image.info.get("transparency", -1)] = 255
    return grey


def _orientation(exif):
    """1 to 8: tag 274 in the first directory of EXIF data; 1 if it lacks or the data are damaged.

    The data are those of a TIFF file: byte order, 42, place of the first directory, which is the
    number of its entries and for each (tag, type, count, value) in 12 bytes. Exif 2.32, 4.6.2.
    """
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    try:
        start, = struct.unpack_from(f"{order}I", tiff, 4)
        entries, = struct.unpack_from(f"{order}H", tiff, start)
        for place in range(start + 2, start + 2 + 12 * entries, 12):
            tag, kind = struct.unpack_from(f"{order}HH", tiff, place)
            if tag == 274:
                return struct.unpack_from(order + {3: "H", 4: "I"}[kind], tiff, place + 8)[0]
    except (struct.error, KeyError):
        pass
    return 1
