"""`python -m experiments classify IMAGE... --weights FILE`: what is in a photograph."""

from __future__ import annotations

import argparse
import base64
import io
import json
import sys
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import NamedTuple

from experiments.photo import load_photo
from experiments.results import UserError, new_folder, write
from experiments.terminal import Screen, progress

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TOP = 5
_BAR, _THUMBNAIL = 30, 240      # characters; pixels of the longer side


class Guess(NamedTuple):
    """One of the classes that a photograph may show."""

    name: str
    probability: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="a photograph")
    parser.add_argument("--weights", required=True, metavar="FILE",
                        help="weights of a ResNet: .pth or .safetensors; or 'imagenet', the "
                             "official ones of --arch, which are downloaded once")
    parser.add_argument("--arch", metavar="NAME",
                        help="the model, as resnet18 (default: told from the weights)")
    parser.add_argument("--classes", metavar="FILE",
                        help="names of the classes: a text file with a line for each, or JSON, a "
                             "list or {\"0\": name, ...} (built in for CIFAR-10)")
    parser.add_argument("--size", type=int, metavar="N",
                        help="resize to N x N pixels and crop nothing, for weights that were "
                             "trained so (default: as the official weights of the model)")
    parser.add_argument("--out", metavar="DIR",
                        help="folder for classify.html (default: a new results/classify-TIME)")


def run(args: argparse.Namespace) -> int:
    """Print the likeliest classes of each image and write the page.

    Raises UserError for weights, names of classes or images that cannot be used.
    """
    name, model = _model(args.arch, args.weights)
    outputs = list(model.state_dict().values())[-1].shape[0]        # those of the last layer
    names = _class_names(args.classes, name, outputs)
    prepare = _preparation(name, args.weights, args.size)
    try:
        photos = [load_photo(path) for path in args.images]
    except OSError as error:
        raise UserError(str(error)) from error
    folder = new_folder("classify", args.out)
    screen, found = Screen(sys.stdout), []
    for done, (path, photo) in enumerate(zip(args.images, photos)):
        with progress(path, done, len(photos)):
            found.append(guesses(model, prepare, photo, names))
        screen.print(["", screen.paint(path, "bold"), *_lines(screen, found[-1])])
    write(folder / "classify.html", _page(name, args, photos, found))
    screen.print(["", f"Page: {folder / 'classify.html'}"])
    return 0


def guesses(model, prepare, photo, names) -> list[Guess]:
    """The likeliest classes of a photograph (H, W, 3) uint8, likeliest first."""
    import minigrad as mg
    from PIL import Image

    with mg.no_grad():
        y = mg.softmax(model(mg.Tensor(prepare(Image.fromarray(photo))[None])), 1).data[0]
    return [Guess(names[i], float(y[i])) for i in (-y).argsort(kind="stable")[:TOP]]


def _model(name, weights):
    """(name, model in evaluation mode) with the weights of a file or "imagenet"."""
    from minigrad.models import MODELS, recognise
    from minigrad.weights import load

    families = [known for known in MODELS if "resne" in known]
    if name not in (None, *families):
        raise UserError(f"--arch {name}: use one of {' '.join(families)}")
    try:
        if name is None and weights == "imagenet":
            raise UserError("--weights imagenet: say of which model with --arch")
        name = name or recognise(load(weights))
        if name is None:
            raise UserError(f"{weights}: its tensors are not those of a ResNet")
        return name, MODELS[name](weights=weights).eval()
    except OSError as error:
        raise UserError(f"cannot read weights {weights}: {error.strerror or error}") from error
    except ValueError as error:         # WeightsError too
        raise UserError(str(error)) from error


def _preparation(name, weights, size):
    from minigrad.models import Preprocess, preprocess

    if size is None:
        return preprocess(name, weights)
    if size < 1:
        raise UserError(f"--size must be positive, got {size}")
    return Preprocess((size, size))


def _class_names(path, model, outputs):
    """A name for each output of the model, from a file if there is one."""
    if path is None:
        known = model.startswith("cifar") and outputs == len(CIFAR10)
        return CIFAR10 if known else [f"class {i}" for i in range(outputs)]
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        names = _parsed(text) if path.endswith(".json") else text.splitlines()
    except OSError as error:
        raise UserError(f"cannot read classes {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"classes {path}: neither a list of names nor {{\"0\": name, ...}} "
                        f"({error})") from error
    names = [" ".join(name.split()) for name in names if name.strip()]
    if len(names) != outputs:
        raise UserError(f"{path} has {len(names)} names, and the model {outputs} classes")
    return names


def _parsed(text):
    """Names of a JSON document: a list; {"classes": list}; or by number, {"0": name} or, as in the
    file that Keras uses for ImageNet, {"0": [id, name]}."""
    document = json.loads(text)
    if isinstance(document, dict):
        document = document.get("classes") or [document[str(i)] for i in range(len(document))]
    names = [item[-1] if isinstance(item, list) else item for item in document]
    if not all(isinstance(name, str) for name in names):
        raise ValueError("a name is no text")
    return names


def _lines(screen: Screen, found: Iterable[Guess]) -> list[str]:
    full, empty = ("█", "░") if screen.unicode else ("#", "-")
    width = max(len(guess.name) for guess in found)
    return [f"  {name:{width}}  {full * round(_BAR * p)}{empty * (_BAR - round(_BAR * p))}"
            f"  {p:6.1%}" for name, p in found]


def _page(model, args, photos, found) -> str:
    """classify.html: a card per photograph; it loads nothing."""
    css = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
    cards = "".join(_card(*parts) for parts in zip(args.images, photos, found))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>minigrad: what is in these photographs</title>
<style>
{css}
body {{ display: block; max-width: 50rem; }}
.photo {{ display: flex; flex-wrap: wrap; gap: 1rem 1.5rem; align-items: flex-start; }}
.photo img {{ width: 12rem; height: auto; border-radius: .4rem; }}
.photo table {{ flex: 1; min-width: 16rem; }}
meter {{ width: 10rem; height: 1rem; }}
</style>
</head>
<body>
<header>
<p class="kicker">minigrad experiments</p>
<h1>What is in these photographs</h1>
<p>{escape(model)}, weights {escape(args.weights)}. Probabilities are the softmax of the scores: how
the model divides its belief among its own classes.</p>
</header>
<main>
{cards}</main>
</body>
</html>
"""


def _card(path, photo, found) -> str:
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td><meter min="0" max="1" value="{p:.4f}" '
        f'aria-label="{escape(name)}">{p:.1%}</meter></td><td>{p:.1%}</td></tr>\n'
        for name, p in found)
    return f"""<article class="claim holds">
<header><h4>{escape(path)}</h4></header>
<div class="photo">
<img alt="{escape(path)}" src="data:image/jpeg;base64,{_thumbnail(photo)}">
<table><thead><tr><th scope="col">class</th><th></th><th scope="col">probability</th></tr></thead>
<tbody>
{rows}</tbody></table>
</div>
</article>
"""


def _thumbnail(photo) -> str:
    """A small JPEG of the photograph, in base 64."""
    from PIL import Image

    image, buffer = Image.fromarray(photo), io.BytesIO()
    image.thumbnail((_THUMBNAIL, _THUMBNAIL))
    image.save(buffer, "JPEG", quality=88)
    return base64.b64encode(buffer.getvalue()).decode()
