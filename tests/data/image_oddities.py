"""More image files, as in image_corpus.py: the ways to say which way up a photograph is, broken
metadata beside it, the ways that TIFF stores grey of 16 bits, and what nobody reads.
"""

import struct
import zlib

import numpy as np
from PIL import Image

from tests.data.image_corpus import (GREY, LOSS, PICTURE, PLAIN, RAMP, grey, jpeg, tiff_of, turned,
                                     with_exif)
from tests.data.image_files import directory, exif, inserted, parted, png, saved, segment, tiff

# --- orientation however it is said, and metadata that are broken beside it ----------------------

SIX = (274, 3, 1, b"\6\0")
NUMBERS = {"byte": (1, b"\6"), "signed-byte": (6, b"\6"), "signed-short": (8, b"\6\0"),
           "signed-long": (9, b"\6\0\0\0"), "ifd": (13, b"\6\0\0\0"),
           "rational": (5, struct.pack("<II", 12, 2)), "float": (11, struct.pack("<f", 6)),
           "signed-rational": (10, struct.pack("<ii", -6, -1)),
           "double": (12, struct.pack("<d", 6)), "long8": (16, struct.pack("<Q", 6))}
BROKEN = {"rational-as-text": (0x8298, 5, 1, b"\x09\0\0\0\0\0\0\0"), "no-values": (282, 5, 0, b""),
          "no-unit": (296, 3, 0, b""), "far-away": (0x9286, 7, 999, b"\xff\xff\xff\x7f"),
          "huge-count": (271, 2, 2**32 - 1, b"\x08\0\0\0"), "unknown-type": (271, 99, 1, b"????"),
          "no-directory": (0x8769, 4, 1, b"\xff\xff\xff\xff"), "text-pointer": (0x8825, 2, 1, b"x"),
          "itself": (0x8769, 4, 1, b"\x08\0\0\0"), "zero-rational": (282, 5, 1, bytes(8)),
          "nan": (282, 12, 1, struct.pack("<d", float("nan")))}
XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
XMP_SEGMENT = segment(0xe1, b"http://ns.adobe.com/xap/1.0/\0" + XMP)
BARE_JPEG = PLAIN[:2] + PLAIN[20:]              # without JFIF, so that a resolution is looked for


def without(tag, data):
    """A little-endian TIFF file whose entry of that tag is one that nobody knows."""
    place = data.rindex(struct.pack("<HHI", tag, 4, 1))
    return data[:place] + struct.pack("<H", 65000) + data[place + 2:]


def raw_profile(name, data):
    """Text of a PNG file as ImageMagick writes it."""
    digits = "\n".join(data.hex()[i:i + 72] for i in range(0, 2 * len(data), 72))
    return (b"zTXt", f"Raw profile type {name}".encode() + b"\0\0" + zlib.compress(
        f"\n{name}\n{len(data):8}\n{digits}\n".encode()))


UPRIGHT = {
    **{f"orientation-{name}.jpg": (with_exif(directory((274, kind, 1, data)), turned(6)),
                                   (PICTURE, LOSS)) for name, (kind, data) in NUMBERS.items()},
    "orientation-two.jpg": (with_exif(directory((274, 3, 2, b"\6\0\1\0")), turned(6)),
                            (PICTURE, LOSS)),
    "orientation-three.jpg": (with_exif(directory((274, 3, 3, b"\6\0\1\0\1\0")), turned(6)),
                              (PICTURE, LOSS)),
    "orientation-no-ratio.jpg": (with_exif(directory((274, 5, 1, struct.pack("<II", 6, 0)))),
                                 (PICTURE, LOSS)),
    **{f"prefix-{n}.jpg": (with_exif(b"Exif\0\0" * n + exif(6), turned(6)), (PICTURE, LOSS))
       for n in (1, 2)},
    **{f"broken-{name}.jpg": (inserted(BARE_JPEG[:2] + jpeg(turned(6))[20:], segment(
        0xe1, directory(entry, SIX) if entry[0] < 274 else directory(SIX, entry))),
        (PICTURE, LOSS)) for name, entry in BROKEN.items()},
    **{f"xmp-{name}.jpg": (inserted(jpeg(turned(6)), segment(
        0xe1, b"http://ns.adobe.com/xap/1.0/\0<rdf:Description " + text)), (PICTURE, LOSS))
       for name, text in {"quotes": b"tiff:Orientation = '6'/>", "element": b"><tiff:Orientation>\n"
                          b"6</tiff:Orientation>"}.items()},
    "xmp.jpg": (inserted(jpeg(turned(6)), XMP_SEGMENT), (PICTURE, LOSS)),
    **{f"beside-{name}.jpg": (inserted(jpeg(turned(6)), segment(0xe1, exif(6)), segment(
        marker, body)), (PICTURE, LOSS)) for name, marker, body in [
            ("jfif", 0xe0, b"JFIF\0"), ("adobe", 0xee, b"Adobe"),
            ("icc", 0xe2, b"ICC_PROFILE\0\1")]},
    "cmyk-beside-icc.jpg": (inserted(saved(Image.fromarray(PICTURE).convert("CMYK"), "JPEG",
                                           quality=100, subsampling=0),
                                     segment(0xe2, b"ICC_PROFILE\0\1")), (PICTURE, LOSS)),
    "xmp-and-exif.jpg": (inserted(jpeg(turned(8)), segment(0xe1, exif(8)), XMP_SEGMENT),
                         (PICTURE, LOSS)),
    **{f"raw-profile-{name}.png": (png(turned(6), 8, 2, raw_profile(name, exif(6))), PICTURE)
       for name in ("exif", "APP1")},
    **{f"beside-{kind.decode()}.png": (png(turned(6), 8, 2, (kind, data, crc),
                                           (b"eXIf", exif(6)[6:])), PICTURE)
       for kind, data, crc in [(b"gAMA", b"", 0), (b"pHYs", b"", 0), (b"cHRM", b"\0\0", 0),
                               (b"acTL", b"\0", 0), (b"sRGB", b"", 0), (b"tEXt", b"a\0b", 1),
                               (b"iCCP", b"x", 1)]},
    "raw-profile-late.png": (png(turned(3), after=[raw_profile("exif", exif(3))]), PICTURE),
    "raw-profile-bad.png": (
        png(PICTURE, 8, 2, (b"tEXt", b"Raw profile type exif\0\nexif\n9\nxyz")), PICTURE),
    "raw-profile-and-exif.png": (png(turned(6), 8, 2, (b"eXIf", exif(6)[6:]),
                                     raw_profile("exif", exif(3))), PICTURE),
    "xmp.png": (png(turned(6), 8, 2, (b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + XMP)), PICTURE),
    "xmp.webp": (saved(turned(6), "WEBP", lossless=True, xmp=XMP), PICTURE),
    **{f"orientation-{k}.tif": (tiff_of(turned(k), tiffinfo={274: k}), PICTURE)
       for k in range(1, 9)},
    **{f"orientation-kind-{kind}{'-big' * big}.tif": (
        parted(np.rot90(RAMP), t274=(kind, 6), big=big), grey(RAMP >> 8))
       for kind in (1, 3, 8) for big in (False, True)},
    "xmp.tif": (tiff_of(turned(6), tiffinfo={700: XMP}), PICTURE),
    "broken.tif": (parted(GREY, t282=(3, 7), t33432=(4, 9), t34665=(4, 2**32 - 1)), grey(GREY)),
}

# --- TIFF: grey of 16 bits however it is stored, and what is whole but not read -------------------

WAYS = {"strips": {}, "strip": {"size": (256, 256)}, "odd-strips": {"size": (7, 256)},
        "tiles": {"tiles": True, "size": (32, 48)}, "packed": {"packed": True},
        "packed-tiles": {"packed": True, "tiles": True, "size": (64, 64)}, "bigtiff": {"big": True}}
NAN, HUGE_FLOAT = (np.array(GREY, "f4") for _ in range(2))
NAN[2, 5], HUGE_FLOAT[3, 4] = np.nan, 1e38
MORE_TIFF = {
    **{f"16-{way}{order}{light}.tif": (parted(RAMP, order, light, **how), grey(
        RAMP >> 8 if light else 255 - (RAMP >> 8)))
       for way, how in WAYS.items() for order in "<>" for light in (0, 1)
       if way + order != "bigtiff>"},
    "bigtiff-high-first.tif": (parted(RAMP, ">", big=True), "not supported: BigTIFF, highest byte"),
    **{f"8-{way}-dark.tif": (parted(RAMP.astype("u1"), "<", 0, **how), grey(255 - RAMP % 256))
       for way, how in WAYS.items()},
    "16-no-colours.tif": (parted(RAMP, light=None), grey(255 - (RAMP >> 8))),   # as with 8 bits
    "8-no-colours.tif": (parted(GREY, light=None), grey(255 - GREY)),
    "fill-order.tif": (parted(RAMP.view(">u2").astype("<u2"), light=0, t266=(3, 1)), grey(
        255 - (RAMP & 255))),
    **{f"grey-alpha-{kind}.tif": (tiff_of(Image.merge("LA", [
        Image.fromarray(band) for band in (GREY, np.full_like(GREY, 255))]),
        tiffinfo={338: kind}), grey(GREY)) for kind in (1, 2)},
    "planar-grey.tif": (parted(RAMP, "<", 0, t284=(3, 2)), grey(255 - (RAMP >> 8))),
    **{f"planar-16{order}.tif": (parted(np.vstack([RAMP] * 3), order, 2, size=(len(RAMP), 256),
                                        t257=(4, len(RAMP)), t277=(3, 3), t284=(3, 2)),
                                 "not supported: 3 x 16-bit samples, 2 (RGB), in separate planes")
       for order in "<>"},
    "planar-8.tif": (parted(np.vstack(np.moveaxis(PICTURE, 2, 0)), "<", 2, size=(len(PICTURE), 256),
                            t257=(4, len(PICTURE)), t277=(3, 3), t284=(3, 2)), PICTURE),
    **{f"planar-alpha-{packed}.tif": (
        parted(np.vstack([GREY, GREY]), "<", 1, size=(len(GREY), 256), packed=packed,
               t257=(4, len(GREY)), t277=(3, 2), t284=(3, 2), t338=(3, 2)),
        "not supported: 2 x 8-bit samples, 1 (BlackIsZero), in separate planes")
       for packed in (False, True)},
    "directory-cut.tif": (tiff_of(PICTURE, compression="tiff_lzw")[:-40], "it is damaged or cut"),
    "no-strips.tif": (without(273, tiff(GREY, 8)), "it is damaged or cut"),
    "no-colours.tif": (without(262, tiff(GREY.astype("u4"), 32)), "it is damaged or cut"),
    "float-nan.tif": (parted(NAN, t339=(3, 3)), "its sample in row 2, column 5 is NaN"),
    "float-inf.tif": (parted(np.full((9, 9), -np.inf, "f4"), t339=(3, 3)), "column 0 is -inf"),
    "float-huge.tif": (parted(HUGE_FLOAT, ">", t339=(3, 3)), "to 1e+38"),
    "float-dark.tif": (parted(NAN, light=0, t339=(3, 3)), "its sample in row 2, column 5 is NaN"),
    "float-64.tif": (parted(GREY.astype("f8"), t339=(3, 3)),
                     "not supported: 64-bit floating-point samples"),
    "float-16.tif": (parted(GREY.astype("f2"), t339=(3, 3)),
                     "not supported: 16-bit floating-point"),
    "signed-8.tif": (parted(GREY, t339=(3, 2)), "not supported: 8-bit signed samples"),
    "many-samples.tif": (tiff(GREY, 8, t277=32771), "not supported: 32771 x 8-bit samples"),
    "12-bit.tif": (parted(RAMP[:, :96], t258=(3, 12)), ""),
    "raw-camera.tif": (parted(RAMP, light=32803), "not supported: 16-bit samples, 32803"),
    "jpeg-2000.tif": (tiff(GREY, 8, t259=34712), "not supported: compression 34712"),
    "lerc.tif": (tiff(GREY, 8, t259=34887), "not supported: compression 34887"),
    "jbig.tif": (tiff(GREY, 8, t259=34661), "not supported: compression 34661"),
}
MORE_CASES = {**UPRIGHT, **MORE_TIFF}
