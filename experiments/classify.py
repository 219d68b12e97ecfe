"""`python -m experiments classify PHOTO... --weights FILE_OR_FOLDER`: what is in a photograph."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.cards import Card, page
from experiments.own_network import is_own, own_network
from experiments.results import UserError, new_folder, write
from experiments.terminal import Screen, progress

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TOP = 5
_WIDEST, _BAR, _SHORTEST = 80, 30, 6        # columns of a line, and of a bar


class Guess(NamedTuple):
    """One of the classes that a photograph may show."""

    name: str
    probability: float


class Network(NamedTuple):
    """Who guesses: `names` of its outputs; `prepare`, photograph -> array; `lines`, on where all
    this is from."""

    model: object
    names: Sequence[str] | None
    prepare: Callable
    lines: list[str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", nargs="+", metavar="PHOTO", help="a photograph")
    parser.add_argument("--weights", required=True, metavar="FILE",
                        help="the folder of a training (its best epoch is taken); or weights, "
                             ".safetensors or .pth; or 'imagenet', the official ones of --arch, "
                             "which are downloaded once")
    parser.add_argument("--arch", metavar="NAME",
                        help="the network, as resnet18 (default: as the weights record it, or told "
                             "from their names); or FILE.py:NAME, a network, class or function of "
                             "your own: this runs the file")
    parser.add_argument("--classes", metavar="FILE",
                        help="names of the classes, if the weights record none: a text file with a "
                             "line for each, or JSON, a list or {\"0\": name, ...} (built in for "
                             "CIFAR-10)")
    parser.add_argument("--size", type=int, metavar="N",
                        help="resize to N x N pixels and crop nothing, if the weights record no "
                             "preprocessing (default: as the official weights of a ResNet)")
    parser.add_argument("--colours", choices=("imagenet", "plain"),
                        help="with --size: values less ImageNet's mean and divided by its "
                             "deviation (the default), or from 0 to 1 as they are")
    parser.add_argument("--out", metavar="DIR",
                        help="folder for classify.html (default: a new results/classify-TIME)")


def run(args: argparse.Namespace) -> int:
    """Print the likeliest classes of each photograph and write the page.

    Exit status 1 if some of them cannot be read. Raises UserError if none can, and for weights,
    names of classes and options that cannot be used.
    """
    from minigrad.data import ImageError, read_image

    network = _network(args)
    screen, cards, folder, waiting = Screen(sys.stdout), [], None, []
    for line in network.lines:
        waiting += _wrapped(line)
    for done, path in enumerate(args.images):
        try:
            with progress(path, done, len(args.images)):
                photo, reason = read_image(path), ""
                found = guesses(network, photo)
                folder = folder or new_folder("classify", args.out)     # for the first guesses
        except ImageError as error:
            photo, found, reason = None, [], str(error)
        cards.append(Card(path, photo, found, reason))
        waiting += ["", screen.paint(_printable(path), "bold"),
                    *(_lines(screen, found) if found else _wrapped(reason, "  "))]
        if folder is not None:
            screen.print(waiting)
            waiting = []
    bad = [card for card in cards if card.reason]
    if folder is None:
        raise UserError(bad[0].reason if len(bad) == 1 else
                        f"none of {len(bad)} photographs can be read; the first: {bad[0].reason}")
    write(folder / "classify.html", page(network.lines, cards))
    screen.print(["", f"Page: {folder / 'classify.html'}"])
    if bad:
        print(f"experiments: {len(bad)} of {len(cards)} photographs cannot be read",
              file=sys.stderr)
    return 1 if bad else 0


def guesses(network: Network, photo) -> list[Guess]:
    """The likeliest classes of a photograph (a Pillow image), likeliest first.

    Raises UserError if the network cannot take it as it is prepared, or has another number of
    outputs than there are names.
    """
    import minigrad as mg

    x = network.prepare(photo)
    try:
        with mg.no_grad():
            y = mg.softmax(network.model(mg.Tensor(x[None])), 1).data[0]
    except (ValueError, IndexError, AttributeError) as error:
        raise UserError(f"the network cannot take photographs as they are prepared, "
                        f"{'x'.join(map(str, x.shape))}: {' '.join(str(error).split())}; it may "
                        "need another --size") from error
    names = network.names
    if names is None:
        names = [f"class {i}" for i in range(len(y))]
    elif len(names) != len(y):
        raise UserError(f"there are {len(names)} names, and the network has {len(y)} outputs")
    return [Guess(names[i], float(y[i])) for i in (-y).argsort(kind="stable")[:TOP]]


# --- the network, its classes, its preparation ---------------------------------------------------

def _network(args):
    """What `--weights` and the options beside it make together."""
    found = _loaded(args)
    names, of_names = _class_names(args.classes, found)
    prepare, of_view = _preparation(args, found)
    what = found.architecture["name"] if found.architecture and "name" in found.architecture else (
        args.arch or "a network")
    return Network(found.model, names, prepare, [
        f"{what}, weights {_printable(found.path)}", f"Classes: {of_names}.",
        f"Photographs: {of_view}."])


def _loaded(args):
    """The `models.Loaded` of --weights and --arch."""
    from minigrad.models import MODELS, Loaded, architecture, load

    own = is_own(args.arch)
    if not own and args.arch not in (None, *MODELS):
        raise UserError(f"--arch {args.arch}: use one of {' '.join(MODELS)}, or FILE.py:NAME for a "
                        "network of your own")
    try:
        if args.weights == "imagenet":
            if args.arch is None or own:
                raise UserError("--weights imagenet: say of which model with --arch")
            model = MODELS[args.arch](weights="imagenet").eval()
            return Loaded(model, None, None, "", "imagenet", architecture(model))
        if not own:
            return load(args.weights, args.arch)
        given = len(_read_names(args.classes)) if args.classes else None
        return load(args.weights, lambda recorded: own_network(args.arch, recorded or given))
    except OSError as error:
        raise UserError(f"cannot read weights {args.weights}: {error.strerror or error}") from error
    except ValueError as error:         # WeightsError too
        text = " ".join(str(error).split()).replace(
            "give the network, or its name in MODELS, as model=",
            "say which it is with --arch NAME or --arch FILE.py:NAME")
        raise UserError(text) from error


def _class_names(path, found):
    """(a name for each output or None, where they are from)."""
    from minigrad.models.architecture import num_outputs

    recorded = found.classes
    if path is not None:
        names = _read_names(path)
        if recorded is not None and names != recorded:
            raise UserError(_contradiction(path, names, recorded))
        outputs = None if found.architecture is None else num_outputs(found.model)
        if outputs not in (None, len(names)):
            raise UserError(f"{path} has {len(names)} names, and the model {outputs} classes")
        return names, f"{len(names)} names from {_printable(path)}"
    if recorded is not None:
        return recorded, f"{len(recorded)} names, recorded with the weights"
    name = (found.architecture or {}).get("name", "")
    if name.startswith("cifar") and num_outputs(found.model) == len(CIFAR10):
        return CIFAR10, "taken to be those of CIFAR-10; --classes FILE gives others"
    return None, "no names are recorded with the weights; give them with --classes FILE"


def _contradiction(path, names, recorded):
    """How a list of names differs from what the weights record."""
    if sorted(names) == sorted(recorded):
        i = next(i for i, (one, other) in enumerate(zip(names, recorded)) if one != other)
        return (f"--classes {path}: its order contradicts the weights, which record class {i} as "
                f"{recorded[i]!r}, not {names[i]!r}; leave --classes out")
    return (f"--classes {path}: its names are not those that the weights record, "
            f"{', '.join(map(repr, recorded[:5]))}{', ...' * (len(recorded) > 5)}; leave --classes "
            "out")


def _preparation(args, found):
    """(photograph -> array, what it does and how that is known)."""
    from minigrad.data import Compose, Resize, ToArray
    from minigrad.data.specs import spec_text, to_spec
    from minigrad.models import Preprocess, preprocess

    if args.size is not None and args.size < 1:
        raise UserError(f"--size must be positive, got {args.size}")
    if args.colours is not None and (args.size is None or found.preprocess is not None):
        raise UserError("--colours is for --size, where the weights record no preprocessing; leave "
                        "it out")
    if found.preprocess is not None:
        text = spec_text(to_spec(found.preprocess))
        if args.size is not None and not text.startswith(f"{args.size} x {args.size}"):
            raise UserError(f"--size {args.size} contradicts the weights, which record their "
                            f"preprocessing: {text}; leave --size out")
        return found.preprocess, f"{text}, recorded with the weights"
    if args.size is not None:
        size = (args.size, args.size)
        plain = args.colours == "plain"
        prepare = Compose([Resize(size), ToArray()]) if plain else Preprocess(size)
        return prepare, f"{spec_text(to_spec(prepare))}, as --size asks"
    name = (found.architecture or {}).get("name", "")
    try:
        prepare = preprocess(name, "imagenet" if args.weights == "imagenet" else found.path)
    except ValueError:
        raise UserError(f"{found.path}: it does not record how photographs are prepared; give "
                        "their size in training with --size N") from None
    return prepare, (f"{spec_text(to_spec(prepare))}, as the official weights of {name}; --size N "
                     "if yours were trained otherwise")


def _read_names(path):
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        names = _parsed(text) if path.endswith(".json") else text.splitlines()
    except OSError as error:
        raise UserError(f"cannot read classes {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"classes {path}: neither a list of names nor {{\"0\": name, ...}} "
                        f"({error})") from error
    return [" ".join(name.split()) for name in names if name.strip()]


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


# --- on the terminal -----------------------------------------------------------------------------

def _lines(screen: Screen, found: Sequence[Guess]) -> list[str]:
    """A line for each guess: its name, a bar where there is room for one, its probability."""
    full, empty = ("█", "░") if screen.unicode else ("#", "-")
    room = _columns() - len("    100.0%")
    names = [_fitted(_printable(guess.name), room) for guess in found]
    widest = max(map(len, names))
    bar = min(_BAR, room - widest - 2)
    bars = [full * round(bar * p) + empty * (bar - round(bar * p)) + "  "
            if bar >= _SHORTEST else "" for _, p in found]
    return [f"  {name:{widest}}  {drawn}{guess.probability:6.1%}"
            for name, drawn, guess in zip(names, bars, found)]


def _columns():
    return min(shutil.get_terminal_size().columns, _WIDEST)


def _wrapped(text, indent=""):
    return textwrap.wrap(text, _columns(), initial_indent=indent, subsequent_indent=indent)


def _fitted(name, width):
    return name if len(name) <= width else f"{name[:max(1, width - 3)]}..."


def _printable(text):
    """As it is, or escaped if it would not print on one line."""
    text = os.fsdecode(text)
    return text if text.isprintable() else ascii(text)
