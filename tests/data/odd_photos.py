"""A folder of photos as people have them: odd names, every kind of file, and one that is broken."""

from pathlib import Path

import numpy as np
from PIL import Image

from tests.data.image_files import cut, exif, saved

CLASSES = {"o'brien's \"cat\"": (200, 90, 60), "größe ß": (60, 170, 90), "two words": (70, 80, 200)}
BROKEN = "größe ß/über $5.jpg"


def make(root, each=8, side=24):
    """`each` photos of each class, of its colour in noise; one more is cut off, and there are two
    files that are none."""
    root, rng = Path(root), np.random.default_rng(0)
    for name, colour in CLASSES.items():
        (root / name / "from the camera").mkdir(parents=True)
        for i in range(each):
            height, width = side + 4 * (i % 3), side + 4 * (i % 2)
            pixels = (colour + rng.normal(0, 30, (height, width, 3))).clip(0, 255).astype(np.uint8)
            folder = root / name / ("from the camera" if i % 4 == 1 else "")
            _save(folder, i, Image.fromarray(pixels))
    name = next(iter(CLASSES))
    (root / name / "IMG_0001.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    (root / name / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    whole = saved(Image.fromarray(rng.integers(0, 255, (90, 90, 3), np.uint8)), "JPEG")
    (root / BROKEN).write_bytes(cut(whole, 60))
    return root


def _save(folder, i, image):
    if i == 0:      # on its side, as a camera held upright leaves it
        image.save(folder / "ein Foto.jpg", exif=exif(6))
    elif i == 1:
        image.putalpha(200)
        image.save(folder / "see-through 'x'.PNG")
    elif i == 2:
        grey = np.asarray(image.convert("L")).astype(np.uint16) * 257
        Image.fromarray(grey).save(folder / "sixteen bits.png")
    elif i == 3:
        image.save(folder / "#1 & more;.webp", lossless=True)
    else:
        image.save(folder / f"{i} 100%.jpeg", quality=95)


def plain(root, **parts):
    """`count` dark and as many light photos for each part."""
    for part, count in parts.items():
        for name, level in (("dark", 30), ("light", 220)):
            Path(root, part, name).mkdir(parents=True)
            for i in range(count):
                Image.new("RGB", (20, 20), (level, i, 0)).save(Path(root, part, name, f"{i}.png"))
