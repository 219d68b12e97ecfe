"""Which way up a photograph is: what its file says, whatever else in its metadata is broken.

    turn(image.info)    # one of Pillow's Transpose, or None: it is upright as stored

The orientation is a number from 1 to 8 in tag 274 of EXIF data: of JPEG and WebP, of the chunk eXIf
of PNG, or of the text that ImageMagick puts into PNG files. Without the tag, XMP data may say it.
"""

import re
import struct

from PIL import Image

TAG = 274
_TURNS: dict[float, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90}
# Of a value by its type in TIFF 6.0, section 2, and in BigTIFF; rationals are two numbers. Cameras
# write SHORT. The others are what editors made of it.
_FORMATS = {1: "B", 3: "H", 4: "I", 5: "II", 6: "b", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d",
            13: "I", 16: "Q", 17: "q"}
_PROFILES = "Raw profile type exif", "Raw profile type APP1"


def turn(info: dict, tag: float | None = None) -> Image.Transpose | None:
    """How to turn the pixels of an image with this `info`, as Pillow's readers fill it.

    tag: the orientation that a TIFF file gives itself, whose directory is no EXIF data in `info`.
    """
    exif = info.get("exif")
    if exif is None:
        exif = next((_raw_profile(info[name]) for name in _PROFILES if name in info), b"")
    value = _tag_value(exif) if tag is None else tag
    if value is None:
        value = _xmp_value(info.get("XML:com.adobe.xmp") or info.get("xmp"))
    return None if value is None else _TURNS.get(value)


def _tag_value(exif: bytes) -> float | None:
    """The value of tag 274 in the first directory of EXIF data; None if there is none.

    The data are those of a TIFF file: byte order, 42, place of the first directory, which is the
    number of its entries and for each (tag, type, count, value) in 12 bytes; values that need more
    than 4 lie elsewhere. Exif 2.32, 4.6.2. Nothing but the tag is looked at.
    """
    tiff = re.sub(rb"^(Exif\0\0)+", b"", exif)          # some programs write the prefix twice
    try:
        order = {b"II": "<", b"MM": ">"}[tiff[:2]]
        start, = struct.unpack_from(f"{order}I", tiff, 4)
        entries, = struct.unpack_from(f"{order}H", tiff, start)
        for place in range(start + 2, start + 2 + 12 * entries, 12):
            tag, kind, count = struct.unpack_from(f"{order}HHI", tiff, place)
            if tag == TAG:
                form = order + _FORMATS[kind]
                at = place + 8
                if count * struct.calcsize(form) > 4:
                    at = struct.unpack_from(f"{order}I", tiff, at)[0]
                number, *divisor = struct.unpack_from(form, tiff, at)
                return number / divisor[0] if divisor else number
    except (struct.error, KeyError, ZeroDivisionError):
        pass
    return None


def _raw_profile(text: str) -> bytes:
    """The bytes of a profile that ImageMagick wrote: its name, its length, lines of digits."""
    try:
        return bytes.fromhex("".join(text.split("\n")[3:]))
    except ValueError:
        return b""


def _xmp_value(xmp: object) -> int | None:
    """tiff:Orientation as an attribute or an element of XMP data, which are text or bytes."""
    xmp = xmp[0] if isinstance(xmp, tuple) and xmp else xmp
    text = xmp.decode("latin-1") if isinstance(xmp, bytes) else xmp
    match = re.search(r"""tiff:Orientation(?:\s*=\s*["']|>)\s*(\d)""",
                      text) if isinstance(text, str) else None
    return int(match[1]) if match else None
