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


def directory(*entries, order="<"):
    """EXIF data with a directory of (tag, type, count, bytes); more than 4 bytes lie behind it."""
    first = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    end = 8 + 2 + 12 * len(entries) + 4
    cells, far = b"", b""
    for tag, kind, count, data in entries:
        place = data.ljust(4, b"\0")
        if len(data) > 4:
            place, far = struct.pack(f"{order}I", end + len(far)), far + data
        cells += struct.pack(f"{order}HHI", tag, kind, count) + place
    return b"Exif\0\0" + first + struct.pack(f"{order}H", len(entries)) + cells + bytes(4) + far


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


def parted(samples, order="<", light=1, *, size=(8, 256), tiles=False, packed=False, big=False,
           **tags):
    """A grey TIFF file in strips (or tiles) of `size`; packed: by deflate; big: a BigTIFF.

    Tags of several values are at the end of the file. tags: t<number>=(type, value).
    """
    height, width = samples.shape
    h, w = size if tiles else (size[0], width)
    data = np.zeros((-(-height // h) * h, -(-width // w) * w), samples.dtype.newbyteorder(order))
    data[:height, :width] = samples
    parts = [data[y:y + h if tiles else min(y + h, height), x:x + w].tobytes()
             for y in range(0, height, h) for x in range(0, width, w)]
    parts = [zlib.compress(part) for part in parts] if packed else parts
    start, places = 16 if big else 8, []
    for part in parts:
        places.append(start)
        start += len(part)
    kinds = [(256, 4, [width]), (257, 4, [height]), (258, 3, [samples.dtype.itemsize * 8]),
             (259, 3, [8 if packed else 1]), (262, 3, [light]), (277, 3, [1]),
             (324 if tiles else 273, 4, places),
             (325 if tiles else 279, 4, [len(part) for part in parts]),
             *([(322, 4, [w]), (323, 4, [h])] if tiles else [(278, 4, [h])])]
    given = {int(name[1:]): (kind, [value]) for name, (kind, value) in tags.items()}
    kinds = [one for one in kinds if one[0] not in given] + [(t, *one) for t, one in given.items()]
    kinds = [one for one in kinds if one[2][0] is not None]
    number, room = ("Q", 8) if big else ("I", 4)
    far = start + (8 if big else 2) + len(kinds) * (20 if big else 12) + room
    cells, behind = b"", b""
    for tag, kind, values in sorted(kinds):
        body = struct.pack(order + {1: "B", 3: "H", 4: "I", 8: "h"}[kind] * len(values), *values)
        if len(body) > room:
            body, behind = struct.pack(order + number, far + len(behind)), behind + body
        cells += struct.pack(f"{order}HH{number}", tag, kind, len(values))
        cells += body.ljust(room, b"\0")
    head = (b"II" if order == "<" else b"MM") + (
        struct.pack(f"{order}HHHQ", 43, 8, 0, start) if big else
        struct.pack(f"{order}HI", 42, start))
    count = struct.pack(order + ("Q" if big else "H"), len(kinds))
    return b"".join([head, *parts, count, cells, bytes(room), behind])
