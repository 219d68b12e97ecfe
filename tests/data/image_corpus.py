"""Image files of every kind, good, odd and broken, each with what reading it must give.

CASES is {name: (bytes, expectation)}. An expectation is an array (H, W, 3), or (array, tolerance)
where a format is lossy, or a text that the error has to contain. All files are made here, by Pillow
or byte by byte (image_files.py).
"""

import struct
import zlib

import numpy as np
from PIL import Image

from tests.data.image_files import (SIGNATURE, adam7, bare, chunk, cut, exif, header, inserted,
                                    patched, png, resized, rows, saved, segment, tiff,
                                    without_adobe, without_tables, words)

WHITE = 255
_COLOURS = [(200, 40, 30), (20, 180, 60), (30, 50, 210), (220, 210, 40), (120, 60, 160),
            (240, 240, 240)]
# Six squares of 8 x 8 pixels, 3 rows of 2: upright, and not to be confused with any turned copy.
PICTURE = np.array(_COLOURS, np.uint8).reshape(3, 2, 3).repeat(8, 0).repeat(8, 1)
GREY = np.ascontiguousarray(PICTURE[..., 0])
ALPHA = np.arange(GREY.size).reshape(GREY.shape).astype(np.uint8)
RAMP = np.arange(65536, dtype=np.uint16).reshape(256, 256)
LOSS = 4                                # of 255, for JPEG at quality 95 without subsampling


def grey(samples):
    """The RGB picture of grey samples (H, W)."""
    return np.repeat(np.asarray(samples, np.uint8)[..., None], 3, 2)


def over_white(rgb, alpha):
    a = np.asarray(alpha, float)[..., None]
    return np.floor((a * rgb + (255 - a) * WHITE) / 255 + 0.5).astype(np.uint8)


def from_cmyk(cmyk):
    """round((255 - K) (255 - C) / 255), the same rule as in images.py written in another way."""
    c, k = np.asarray(cmyk, float)[..., :3], np.asarray(cmyk, float)[..., 3:]
    return ((255 - k) - np.floor((255 - k) * c / 255 + 0.5)).astype(np.uint8)


# --- JPEG ----------------------------------------------------------------------------------------

def jpeg(picture=PICTURE, **options):
    return saved(picture, "JPEG", **{"quality": 95, "subsampling": 0, **options})


def turned(k):
    """The pixels to store so that orientation k shows PICTURE: the inverses of EXIF's eight."""
    return np.ascontiguousarray({
        1: lambda p: p, 2: lambda p: p[:, ::-1], 3: lambda p: p[::-1, ::-1], 4: lambda p: p[::-1],
        5: lambda p: p.transpose(1, 0, 2), 6: lambda p: np.rot90(p, 1),
        7: lambda p: np.rot90(p, 2).transpose(1, 0, 2), 8: lambda p: np.rot90(p, -1)}[k](PICTURE))


def with_exif(data, picture=PICTURE):
    return inserted(jpeg(picture), segment(0xe1, data))


ADOBE = b"Adobe\0\x64\0\0\0\0"          # and a byte: 0 as stored, 1 YCbCr, 2 YCCK
YCBCR = np.asarray(Image.fromarray(PICTURE).convert("YCbCr"))
CMYK = np.dstack([PICTURE, GREY // 2])
# Adobe's files hold 255 - C and so on, as Pillow writes CMYK; in YCCK files the first three, taken
# from 255 again, have been turned from RGB to YCbCr.
YCCK = np.dstack([255 - np.asarray(Image.fromarray(255 - PICTURE).convert("YCbCr")), GREY // 2])
PLAIN, CMYK_FILE = jpeg(), jpeg(Image.frombytes("CMYK", (16, 24), CMYK.tobytes()))
START = PLAIN.index(b"\xff\xda")        # of the scan
ARITHMETIC = (                          # progressive, no alternating part, all decisions "zero"
    b"\xff\xd8" + segment(0xca, struct.pack(">BHHBBBB", 8, 8, 16, 1, 1, 0x11, 0))
    + segment(0xdb, b"\0" + b"\1" * 64) + segment(0xda, bytes([1, 1, 0, 0, 0, 0])) + bytes(8)
    + b"\xff\xd9")
NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
LONG = jpeg(NOISE)

JPEG = {
    "baseline.jpg": (PLAIN, (PICTURE, LOSS)),
    "progressive.jpg": (jpeg(progressive=True), (PICTURE, LOSS)),
    "optimised.jpg": (jpeg(optimize=True), (PICTURE, LOSS)),
    "subsampled-422.jpg": (jpeg(grey(GREY), subsampling=1), (grey(GREY), LOSS)),
    "subsampled-420.jpg": (jpeg(grey(GREY), subsampling=2), (grey(GREY), LOSS)),
    "grey.jpg": (jpeg(GREY), (grey(GREY), LOSS)),
    "arithmetic.jpg": (ARITHMETIC, grey(np.full((8, 16), 128))),
    "cmyk-adobe.jpg": (CMYK_FILE, (from_cmyk(CMYK), LOSS)),
    "cmyk-unmarked.jpg": (without_adobe(CMYK_FILE), (from_cmyk(CMYK), LOSS)),
    "ycck.jpg": (patched(jpeg(Image.frombytes("CMYK", (16, 24), YCCK.tobytes())), ADOBE + b"\0",
                         ADOBE + b"\2"),
                 (from_cmyk(np.dstack([255 - PICTURE, GREY // 2])), LOSS)),
    "adobe-rgb.jpg": (inserted(patched(PLAIN, b"\xff\xe0", b"\xff\xfe"),
                               segment(0xee, ADOBE + b"\0")), (YCBCR, LOSS)),
    "icc.jpg": (jpeg(icc_profile=b"not a profile"), (PICTURE, LOSS)),
    "comment.jpg": (jpeg(comment=b"a\nb"), (PICTURE, LOSS)),
    "two-frames.jpg": (saved(PICTURE, "MPO", quality=95, subsampling=0, save_all=True,
                             append_images=[Image.new("RGB", (16, 24))]), (PICTURE, LOSS)),
    "bad-mpo.jpg": (inserted(PLAIN, segment(0xe2, b"MPF\0II*\0\x08\0\0\0\1\0")), (PICTURE, LOSS)),
    "trailing-junk.jpg": (PLAIN + b"junk" * 99, (PICTURE, LOSS)),
    "one-pixel.jpg": (jpeg(PICTURE[:1, :1]), (PICTURE[:1, :1], LOSS)),
    "tall.jpg": (jpeg(np.full((65500, 1, 3), 99, np.uint8)),
                 (np.full((65500, 1, 3), 99, np.uint8), LOSS)),
    "a-png.jpg": (saved(PICTURE, "PNG"), PICTURE),
    "a-gif.jpg": (saved(PICTURE, "GIF"), PICTURE),
    **{f"orientation-{k}.jpg": (with_exif(exif(k), turned(k)), (PICTURE, LOSS))
       for k in range(1, 9)},
    "orientation-big-endian.jpg": (with_exif(exif(6, ">"), turned(6)), (PICTURE, LOSS)),
    "orientation-long.jpg": (with_exif(exif(6, kind=4), turned(6)), (PICTURE, LOSS)),
    "orientation-0.jpg": (with_exif(exif(0)), (PICTURE, LOSS)),
    "orientation-9.jpg": (with_exif(exif(9)), (PICTURE, LOSS)),
    "orientation-as-text.jpg": (with_exif(exif(6, kind=2)), (PICTURE, LOSS)),
    "exif-other-tag.jpg": (with_exif(exif(6, tag=256)), (PICTURE, LOSS)),
    "exif-cut.jpg": (with_exif(exif(6)[:18]), (PICTURE, LOSS)),
    "exif-too-many.jpg": (with_exif(exif(6, tag=282, kind=5, entries=500)), (PICTURE, LOSS)),
    "exif-garbage.jpg": (with_exif(b"Exif\0\0garbage!"), (PICTURE, LOSS)),
    "exif-empty.jpg": (with_exif(b"Exif\0\0"), (PICTURE, LOSS)),
    "zero-byte.jpg": (b"", "the file is empty"),
    "one-byte.jpg": (b"\xff", "no JPEG"),
    "two-bytes.jpg": (b"\xff\xd8", "no JPEG"),
    "no-scan.jpg": (PLAIN[:START], ""),
    "scan-header-only.jpg": (LONG[:LONG.index(b"\xff\xda") + 14], "truncated"),
    **{f"cut-at-{p}.jpg": (cut(LONG, p), "truncated") for p in (10, 50, 90, 99)},
    "cut-at-50-progressive.jpg": (cut(jpeg(NOISE, progressive=True), 50), "truncated"),
    "no-end.jpg": (PLAIN[:-2], "truncated"),
    "no-frame.jpg": (b"\xff\xd8\xff\xd9", ""),
    "bad-huffman.jpg": (patched(PLAIN, b"\xff\xc4\0\x1f\0\0\1\5", b"\xff\xc4\0\x1f\0\xff\xff\xff"),
                        "broken data stream"),
    "standard-huffman.jpg": (without_tables(PLAIN), (PICTURE, LOSS)),
    "12-bit.jpg": (patched(PLAIN, b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"), "12-bit"),
    "lossless.jpg": (patched(PLAIN, b"\xff\xc0", b"\xff\xc3"), "broken data stream"),
    "two-components.jpg": (patched(PLAIN, b"\0\x18\0\x10\3", b"\0\x18\0\x10\2"), "2-layer"),
    "zero-width.jpg": (resized(PLAIN, 0, 24), ""),
    "zero-height.jpg": (resized(PLAIN, 16, 0), ""),
    "bomb-60000.jpg": (resized(PLAIN, 60000, 60000), "60,000 x 60,000 pixels are more than"),
    "bomb-65500.jpg": (resized(PLAIN, 65500, 65500), "more than the limit of 89,478,485"),
    "bomb-178956971.jpg": (resized(PLAIN, 20011, 8943), "20,011 x 8,943"),
    "page.jpg": (b"<!DOCTYPE html><title>404 Not Found</title>", "no JPEG"),
    "postscript.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no JPEG"),
    "zeros.jpg": (bytes(1000), "no JPEG"),
}

# --- PNG -----------------------------------------------------------------------------------------


def filtered(kind):
    """The first eight lines of PICTURE, which are equal, under one of PNG's filters 1 to 4."""
    line = PICTURE[0].reshape(-1).astype(int)
    left, up = np.r_[0, 0, 0, line[:-3]], line
    first = line - (left if kind in (1, 4) else 0 if kind == 2 else left // 2)
    paeth = np.where(line == left, left, up)
    other = line - {1: left, 2: up, 3: (left + up) // 2, 4: paeth}[kind]
    as_bytes = [bytes([kind]) + (values % 256).astype(np.uint8).tobytes()
                for values in (first, other)]
    return b"".join(as_bytes[:1] + as_bytes[1:] * 7)


SMALL = np.arange(24).reshape(4, 6)
PALETTE = np.array([(i * 5 % 256, 255 - i, i * 7 % 256) for i in range(256)], np.uint8)
PLTE = (b"PLTE", PALETTE.tobytes())
KEY = b"tRNS"
RGB16 = np.stack([RAMP[::16, ::16], RAMP[::16, ::16] ^ 0x5a5a, RAMP[::16, ::16] ^ 0xffff], 2)
RGBA16 = np.dstack([RGB16, RAMP[::16, ::16]])
IDAT = zlib.compress(rows(PICTURE, 8))
HEADER = (b"IHDR", header(16, 24))
LONG_PNG = saved(NOISE, "PNG")
FRAME = (b"fcTL", struct.pack(">5I2H2B", 0, 16, 24, 0, 0, 1, 10, 0, 0))
HUGE = zlib.compress(bytes(80_000_000), 9)


def keyed(samples, key, levels):
    """Grey samples of so many levels as RGB, those of the transparent one white."""
    return grey(np.where(samples == key, 255, samples * (255 // (levels - 1))))


PNG = {
    "rgb.png": (png(PICTURE), PICTURE),
    **{f"grey-{d}.png": (png(SMALL % 2**d, d, 0), grey(SMALL % 2**d * (255 // (2**d - 1))))
       for d in (1, 2, 4, 8)},
    **{f"grey-{d}-key.png": (
        png(SMALL % 2**d, d, 0, (KEY, words(d - 1))), keyed(SMALL % 2**d, d - 1, 2**d))
       for d in (1, 2, 4, 8)},
    "grey-16-ramp.png": (png(RAMP, 16, 0), grey(RAMP >> 8)),
    "grey-16-key.png": (png(RAMP, 16, 0, (KEY, words(0x1234))),
                        grey(np.where(RAMP == 0x1234, 255, RAMP >> 8))),
    **{f"palette-{d}.png": (png(SMALL % 2**d, d, 3, PLTE[:1] + (PLTE[1][:3 * 2**d],)),
                            PALETTE[SMALL % 2**d]) for d in (1, 2, 4, 8)},
    "palette-alpha.png": (png(SMALL, 8, 3, PLTE, (KEY, bytes(range(0, 240, 10)))),
                          over_white(PALETTE[SMALL], SMALL * 10)),
    "palette-one-clear.png": (png(SMALL, 8, 3, PLTE, (KEY, b"\xff\xff\0")),
                              over_white(PALETTE[SMALL], np.where(SMALL == 2, 0, 255))),
    "palette-beyond.png": (png(SMALL % 4, 8, 3, (b"PLTE", PALETTE[:4].tobytes())),
                           PALETTE[SMALL % 4]),
    "grey-alpha.png": (png(np.dstack([GREY, ALPHA]), 8, 4), over_white(grey(GREY), ALPHA)),
    "grey-alpha-16.png": (png(np.dstack([RAMP, RAMP.T]), 16, 4),
                          over_white(grey(RAMP >> 8), RAMP.T >> 8)),
    "rgba.png": (png(np.dstack([PICTURE, ALPHA]), 8, 6), over_white(PICTURE, ALPHA)),
    "rgba-clear.png": (png(np.dstack([PICTURE, ALPHA * 0]), 8, 6), grey(ALPHA | 255)),
    "rgb-16.png": (png(RGB16, 16, 2), (RGB16 >> 8).astype(np.uint8)),
    "rgba-16.png": (png(RGBA16, 16, 6), over_white(RGB16 >> 8, RGBA16[..., 3] >> 8)),
    "rgb-key.png": (png(PICTURE, 8, 2, (KEY, words(*_COLOURS[0]))),
                    np.where(PICTURE == _COLOURS[0], 255, PICTURE).astype(np.uint8)),
    "rgb-16-key.png": (png(RGB16, 16, 2, (KEY, words(*map(int, RGB16[1, 2])))), np.where(
        (RGB16 >> 8 == RGB16[1, 2] >> 8).all(2, keepdims=True), 255, RGB16 >> 8).astype(np.uint8)),
    "interlaced.png": (png(PICTURE, interlaced=1, lines=adam7(PICTURE)), PICTURE),
    **{f"filter-{k}.png": (png(PICTURE[:8], lines=filtered(k)), PICTURE[:8]) for k in (1, 2, 3, 4)},
    "two-idat.png": (bare(HEADER, (b"IDAT", IDAT[:9]), (b"IDAT",), (b"IDAT", IDAT[9:]), (b"IEND",)),
                     PICTURE),
    "animated.png": (saved(PICTURE, "PNG", save_all=True, append_images=[
        Image.fromarray(PICTURE[::-1])]), PICTURE),
    "bad-animation.png": (png(PICTURE, 8, 2, (b"acTL", bytes(8)), FRAME), PICTURE),
    "orientation.png": (png(turned(6), 8, 2, (b"eXIf", exif(6)[6:])), PICTURE),
    "orientation-late.png": (png(turned(8), after=[(b"eXIf", exif(8)[6:])]), PICTURE),
    "gamma.png": (png(PICTURE, 8, 2, (b"gAMA", struct.pack(">I", 100000))), PICTURE),
    "text.png": (png(PICTURE, 8, 2, (b"tEXt", b"Title\0dog")), PICTURE),
    "bad-profile.png": (png(PICTURE, 8, 2, (b"iCCP", b"name\0\0no zlib data")), PICTURE),
    "unknown-chunk.png": (png(PICTURE, 8, 2, (b"dogs", b"woof")), PICTURE),
    "trailing-junk.png": (png(PICTURE) + b"junk", PICTURE),
    "no-end.png": (png(PICTURE)[:-12], PICTURE),
    "one-pixel.png": (png(PICTURE[:1, :1]), PICTURE[:1, :1]),
    "tall.png": (png(np.full((65535, 1, 3), 7)), np.full((65535, 1, 3), 7, np.uint8)),
    "wide.png": (png(np.full((1, 65535, 3), 7)), np.full((1, 65535, 3), 7, np.uint8)),
    "a-jpeg.png": (PLAIN, (PICTURE, LOSS)),
    "signature-only.png": (SIGNATURE, ""),
    "header-only.png": (bare(HEADER), ""),
    "no-data.png": (bare(HEADER, (b"IEND",)), ""),
    "bad-header-crc.png": (bare((*HEADER, 1), (b"IDAT", IDAT), (b"IEND",)), "broken PNG file"),
    "bad-data-crc.png": (bare(HEADER, (b"IDAT", IDAT, 1), (b"IEND",)), PICTURE),
    "bad-checksum.png": (bare(HEADER, (b"IDAT", IDAT[:-1] + b"?"), (b"IEND",)), "broken"),
    **{f"cut-at-{p}.png": (cut(LONG_PNG, p), "truncated") for p in (50, 90, 99)},
    "bad-zlib.png": (bare(HEADER, (b"IDAT", b"\x78\x9c" + b"\xff" * 99), (b"IEND",)),
                     "broken data stream"),
    "too-few-lines.png": (png(PICTURE, lines=rows(PICTURE[:9], 8)),        # the rest is black
                          np.r_[PICTURE[:9], np.zeros_like(PICTURE[9:])]),
    "bad-depth.png": (png(SMALL, 8, 0, lines=b"").replace(
        chunk(b"IHDR", header(6, 4, 8, 0)), chunk(b"IHDR", header(6, 4, 3, 0))), ""),
    "zero-width.png": (bare((b"IHDR", header(0, 24)), (b"IDAT", IDAT), (b"IEND",)), ""),
    "bomb.png": (bare((b"IHDR", header(60000, 60000)), (b"IDAT", HUGE), (b"IEND",)),
                 "60,000 x 60,000"),
    "bomb-largest.png": (bare((b"IHDR", header(2**31 - 1, 2**31 - 1)), (b"IDAT", IDAT)),
                         "pixels are more than"),
    "bomb-one-line.png": (bare((b"IHDR", header(2**31 - 1, 1)), (b"IDAT", HUGE)), "2,147,483,647"),
    "bomb-profile.png": (png(PICTURE, 8, 2, (b"iCCP", b"name\0\0" + HUGE)), "Decompressed"),
    "bomb-text.png": (png(PICTURE, 8, 2, (b"zTXt", b"name\0\0" + HUGE)), "Decompressed"),
}

# --- the other kinds -----------------------------------------------------------------------------

BLACK_FRAME = [Image.new("RGB", (16, 24))]
RGBA = np.dstack([PICTURE, ALPHA // 128 * 255])
INDEXED = Image.fromarray(PICTURE).quantize(8)
INDEXED.info["transparency"] = INDEXED.getpixel((0, 0))
WEBP, GIF = saved(PICTURE, "WEBP", lossless=True), saved(PICTURE, "GIF")
LONG_GIF, LONG_WEBP = saved(NOISE, "GIF"), saved(NOISE, "WEBP", lossless=True)
WEBP_BOMB = b"VP8X" + struct.pack("<II3s3s", 10, 0, b"\xff\x3f\0", b"\xff\x3f\0")
CORNER_WHITE = np.where(PICTURE == _COLOURS[0], 255, PICTURE).astype(np.uint8)

GIF_AND_WEBP = {
    "plain.gif": (GIF, PICTURE),
    "animated.gif": (saved(PICTURE, "GIF", save_all=True, append_images=BLACK_FRAME), PICTURE),
    "transparent.gif": (saved(INDEXED, "GIF"), CORNER_WHITE),
    "cut.gif": (cut(LONG_GIF, 50), "truncated"),
    "header-only.gif": (GIF[:13], ""),
    "bomb.gif": (GIF[:6] + struct.pack("<HH", 65535, 65535) + GIF[10:], "65,535 x 65,535"),
    "lossless.webp": (WEBP, PICTURE),
    "lossy.webp": (saved(grey(GREY), "WEBP", quality=100), (grey(GREY), 8)),
    "alpha.webp": (saved(RGBA, "WEBP", lossless=True, exact=True),
                   over_white(PICTURE, RGBA[..., 3])),
    "animated.webp": (saved(PICTURE, "WEBP", lossless=True, save_all=True,
                            append_images=BLACK_FRAME), PICTURE),
    "orientation.webp": (saved(turned(6), "WEBP", lossless=True, exif=exif(6)), PICTURE),
    "cut.webp": (cut(LONG_WEBP, 50), ""),
    "header-only.webp": (WEBP[:20], ""),
    "sound.webp": (b"RIFF\x24\0\0\0WAVEfmt " + bytes(28), ""),
    "bomb.webp": (b"RIFF" + struct.pack("<I", 4 + len(WEBP_BOMB)) + b"WEBP" + WEBP_BOMB, ""),
}


def tiff_of(picture, **options):
    return saved(picture, "TIFF", **options)


TIFF = {
    "rgb.tif": (tiff_of(PICTURE), PICTURE),
    "lzw.tif": (tiff_of(PICTURE, compression="tiff_lzw"), PICTURE),
    "deflate.tif": (tiff_of(PICTURE, compression="tiff_adobe_deflate"), PICTURE),
    "jpeg.tif": (tiff_of(grey(GREY), compression="jpeg", quality=95), (grey(GREY), LOSS)),
    "grey.tif": (tiff(GREY, 8), grey(GREY)),
    "white-is-zero.tif": (tiff(GREY, 8, light=0), grey(255 - GREY)),
    "one-bit.tif": (tiff_of(Image.fromarray(GREY > 99)), grey((GREY > 99) * 255)),
    "palette.tif": (tiff_of(Image.fromarray(PICTURE).quantize(8)), PICTURE),
    "rgba.tif": (tiff_of(RGBA), over_white(PICTURE, RGBA[..., 3])),
    "cmyk.tif": (tiff_of(Image.frombytes("CMYK", (16, 24), CMYK.tobytes())), from_cmyk(CMYK)),
    "grey-16-little.tif": (tiff(RAMP, 16), grey(RAMP >> 8)),
    "grey-16-big.tif": (tiff(RAMP, 16, order=">"), grey(RAMP >> 8)),
    "pages.tif": (tiff_of(PICTURE, save_all=True, append_images=BLACK_FRAME), PICTURE),
    "pages-16.tif": (tiff_of(Image.fromarray(RAMP), save_all=True, append_images=[
        Image.fromarray(RAMP.T.copy())]), grey(RAMP >> 8)),
    "orientation.tif": (tiff_of(turned(6), tiffinfo={274: 6}), PICTURE),
    "odd-metadata.tif": (tiff(GREY, 8, t282=0xffffffff, t33432=7), grey(GREY)),
    "float.tif": (tiff(GREY.astype("f4"), 32, 3), "samples (F) have no stated white"),
    "int-32.tif": (tiff(GREY.astype("u4"), 32), "32-bit"),
    "signed-16.tif": (tiff(GREY.astype("i2"), 16, 2), "16-bit signed"),
    "lab.tif": (tiff_of(Image.frombytes("LAB", (16, 24), PICTURE.tobytes())), "LAB"),
    "cut.tif": (cut(tiff_of(NOISE), 50), ""),
    "cut-lzw.tif": (cut(tiff_of(NOISE, compression="tiff_lzw"), 90), ""),
    "header-only.tif": (b"II*\0\x08\0\0\0", ""),
    "bomb.tif": (tiff(GREY, 8, t256=60000, t257=60000), "60,000 x 60,000"),
}

BMP = saved(PICTURE, "BMP")
BMP_AND_PPM = {
    "rgb.bmp": (BMP, PICTURE),
    "palette.bmp": (saved(Image.fromarray(PICTURE).quantize(8), "BMP"), PICTURE),
    "one-bit.bmp": (saved(Image.fromarray(GREY > 99), "BMP"), grey((GREY > 99) * 255)),
    "top-down.bmp": (BMP[:22] + struct.pack("<i", -24) + BMP[26:], PICTURE[::-1]),
    "cut.bmp": (BMP[:-9], "truncated"),
    "bomb.bmp": (BMP[:18] + struct.pack("<ii", 60000, 60000) + BMP[26:], "60,000 x 60,000"),
    "binary.ppm": (b"P6 16 24 255\n" + PICTURE.tobytes(), PICTURE),
    "comment.ppm": (b"P6\n# dog\n16 24\n255\n" + PICTURE.tobytes(), PICTURE),
    "text.ppm": (b"P3 1 2 255 " + b"1 2 3 4 5 6\n", np.array([[[1, 2, 3]], [[4, 5, 6]]])),
    "maximum-15.ppm": (b"P6 1 1 15\n\0\x05\x0f", np.array([[[0, 85, 255]]])),
    "binary.pgm": (b"P5 16 24 255\n" + GREY.tobytes(), grey(GREY)),
    "16-bit.pgm": (b"P5 256 256 65535\n" + RAMP.astype(">u2").tobytes(), grey(RAMP >> 8)),
    "bits.ppm": (b"P4 8 1\n\xa5", grey([[0, 255, 0, 255, 255, 0, 255, 0]])),
    "cut.ppm": (b"P6 16 24 255\n" + PICTURE.tobytes()[:-9], "truncated"),
    "zero-width.ppm": (b"P6 0 24 255\n", ""),
    "bomb.ppm": (b"P6 60000 60000 255\n", "60,000 x 60,000"),
    "float.ppm": (b"PF 1 1 -1.0\n" + bytes(12), "no JPEG"),
}
CASES = {**JPEG, **PNG, **GIF_AND_WEBP, **TIFF, **BMP_AND_PPM}
