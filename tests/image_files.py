"""Image files made byte by byte, so that they can be odd or broken on purpose.

Layouts: ITU-T T.81 (JPEG), Exif 2.32, the PNG specification of the W3C, TIFF 6.0.
"""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def saved(picture, kind, **options):
    """The bytes that Pillow makes of an array or image."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


# --- JPEG ----------------------------------------------------------------------------------------

def segment(marker, body):
    return struct.pack(">BBH", 0xff, marker, len(body) + 2) + body


def inserted(data, *segments):
    """A JPEG file with more segments, right after its first marker."""
    return data[:2] + b"".join(segments) + data[2:]


def exif(value, order="<", kind=3, tag=274, entries=1):
    """EXIF data with a directory of one entry."""
    first = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    cell = struct.pack(f"{order}HHI" + ("I" if kind == 4 else "H2x"), tag, kind, 1, value)
    return b"Exif\0\0" + first + struct.pack(f"{order}H", entries) + cell + bytes(4)


def resized(data, width, height):
    """A JPEG file whose header tells another size."""
    place = next(i for i in range(len(data)) if data[i:i + 2] in (b"\xff\xc0", b"\xff\xc2"))
    return data[:place + 5] + struct.pack(">HH", height, width) + data[place + 9:]


def patched(data, old, new):
    assert old in data
    return data.replace(old, new, 1)


def without_adobe(data):
    start = data.index(b"\xff\xee\0\x0eAdobe")
    return data[:start] + data[start + 16:]


def without_tables(data):
    """Without Huffman tables, as frames of Motion JPEG: the standard's examples are meant."""
    first, scan = data.index(b"\xff\xc4"), data.index(b"\xff\xda")
    return data[:first] + data[scan:]


def cut(data, percent):
    return data[:len(data) * percent // 100]


# --- PNG -----------------------------------------------------------------------------------------

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind, data=b"", crc=0):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(
        ">I", zlib.crc32(kind + data) ^ crc)


def header(width, height, depth=8, colour=2, interlaced=0):
    return struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)


def rows(samples, depth):
    """The lines of a PNG file, none of them filtered; samples (H, W) or (H, W, channels)."""
    if depth == 16:
        lines = [line.astype(">u2").tobytes() for line in samples]
    else:
        bits = np.unpackbits(samples.reshape(len(samples), -1, 1).astype(np.uint8), 2)[..., -depth:]
        lines = [np.packbits(line.reshape(-1)).tobytes() for line in bits]
    return b"".join(b"\0" + line for line in lines)


def png(samples, depth=8, colour=2, *chunks, interlaced=0, lines=None, after=()):
    """A PNG file: `chunks` (kind, data) come before the samples, `after` behind them."""
    samples = np.asarray(samples)
    body = rows(samples, depth) if lines is None else lines
    return b"".join([SIGNATURE, chunk(b"IHDR", header(samples.shape[1], samples.shape[0], depth,
                                                      colour, interlaced)),
                     *(chunk(*parts) for parts in chunks), chunk(b"IDAT", zlib.compress(body)),
                     *(chunk(*parts) for parts in after), chunk(b"IEND")])


def adam7(samples):
    """The seven passes of an interlaced file."""
    steps = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
             (1, 0, 2, 1)]
    return b"".join(rows(samples[y::dy, x::dx], 8) for y, x, dy, dx in steps)


def bare(*chunks):
    return SIGNATURE + b"".join(chunk(*parts) for parts in chunks)


def words(*values):
    return struct.pack(f">{len(values)}H", *values)


# --- TIFF ----------------------------------------------------------------------------------------

def tiff(samples, bits, form=1, order="<", light=1, **tags):
    """An uncompressed TIFF file of one strip and one channel; tags: t<number>=value, SHORT."""
    height, width = samples.shape
    data = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    values = {256: width, 257: height, 258: bits, 259: 1, 262: light, 273: 8, 277: 1, 278: height,
              279: len(data), 339: form, **{int(name[1:]): value for name, value in tags.items()}}
    start = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8 + len(data))
    entries = [struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in
               sorted(values.items())]
    return b"".join([start, data, struct.pack(f"{order}H", len(entries)), *entries, bytes(4)])
