"""`python -m experiments classify PHOTO... [--weights FILE_OR_FOLDER]`: what is in a photograph.

Without weights, EfficientNet-Lite0 says which of ImageNet's 1000 classes it is, where the extra
`imagenet` is installed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import NamedTuple

from experiments.errors import UserError, one_line
from experiments.options import imagenet, weights
from experiments.options.own_network import is_own, own_network
from experiments.options.values import MOST_SIDE
from experiments.report.cards import Card, page
from experiments.report.terminal import Screen, progress, shown
from experiments.results import new_folder, read_text, write

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TOP = 5
MOST_LONG = 100                 # times a photograph may be as long as it is wide, or the other way
_WIDEST, _BAR, _SHORTEST = 80, 30, 6        # columns of a line, and of a bar


class Unfit(Exception):
    """A photograph that cannot be prepared for a network; the message says why, in one line."""


class Guess(NamedTuple):
    """One of the classes that a photograph may show."""

    name: str
    probability: float


class Network(NamedTuple):
    """A network that guesses: `names` of its outputs; `prepare`, photograph -> array; `lines` say
    where all this is from."""

    model: object
    names: Sequence[str] | None
    prepare: Callable
    lines: list[str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", nargs="+", metavar="PHOTO", help="a photograph")
    parser.add_argument("--weights", metavar="FILE",
                        help="the folder of a training (its best epoch is taken); or weights, "
                             ".safetensors or .pth; or 'imagenet', the official ones of --arch, "
                             "which are downloaded once (default: EfficientNet-Lite0's, which come "
                             "with the extra 'imagenet')")
    weights.add_arguments(parser)
    parser.add_argument("--arch", metavar="NAME",
                        help="the network, as resnet18 (default: as the weights record it, or told "
                             "from their names); or FILE.py:NAME, a network, class or function of "
                             "your own: this runs the file")
    parser.add_argument("--classes", metavar="FILE",
                        help="names of the classes, if the weights record none: a text file with a "
                             "line for each, or JSON, a list, {\"0\": name, ...} or {name: 0, ...} "
                             "(built in for ImageNet and CIFAR-10)")
    parser.add_argument("--size", type=int, metavar="N",
                        help="resize to N x N pixels and crop nothing, if the weights record no "
                             "preprocessing (default: as the network's official weights)")
    parser.add_argument("--colours", choices=("imagenet", "plain"),
                        help="with --size: values less ImageNet's mean and divided by its "
                             "deviation (the default), or from 0 to 1 as they are")
    parser.add_argument("--saliency", action="store_true",
                        help="draw where the network looked: the gradient by the pixels, Grad-CAM")
    parser.add_argument("--out", metavar="DIR",
                        help="folder for classify.html and classify.png (default: a new "
                             "results/classify-TIME)")


def run(args: argparse.Namespace) -> int:
    """Print the likeliest classes of each photograph and write the page and the picture.

    Exit status 1 if some of them cannot be read. Raises UserError if none can, and for weights,
    names of classes and options that cannot be used.
    """
    from experiments.report.seen import draw_looked, guess_sheet, png
    from minigrad.data import ImageError, read_image

    network = _network(_usual(args))
    screen, cards, folder, waiting = Screen(sys.stdout), [], None, []
    for line in network.lines:
        waiting += _wrapped(line)
    for done, path in enumerate(args.images):
        drawn = None
        try:
            with progress(path, done, len(args.images)):
                photo, reason = read_image(path), ""
                found = guesses(network, photo)
                folder = folder or new_folder("classify", args.out)     # for the first guesses
                if args.saliency:
                    drawn = draw_looked(network.model, network.prepare, photo, found[0], folder,
                                        f"saliency-{done + 1}")
        except (ImageError, Unfit) as error:
            photo, found = None, []
            reason = str(error) if isinstance(error, ImageError) else (
                f"cannot use image {shown(path)}: {error}")
        cards.append(Card(shown(path), photo, found, reason, drawn))
        waiting += ["", screen.paint(shown(path), "bold"),
                    *(_lines(screen, found) if found else _wrapped(reason, "  ")),
                    *(_wrapped(drawn.note, "  ") if drawn else [])]
        if folder is not None:
            screen.print(waiting)
            waiting = []
    bad = [card for card in cards if card.reason]
    if folder is None:
        raise UserError(bad[0].reason if len(bad) == 1 else
                        f"none of {len(bad)} photographs can be read; the first: {bad[0].reason}")
    write(folder / "classify.html", page(network.lines, cards, folder))
    write(folder / "classify.png", png(guess_sheet(cards)))
    screen.print(["", f"Page: {folder / 'classify.html'}"])
    if bad:
        print(f"experiments: {len(bad)} of {len(cards)} photographs cannot be read",
              file=sys.stderr)
    return 1 if bad else 0


def guesses(network: Network, photo) -> list[Guess]:
    """The likeliest classes of a photograph (a Pillow image), likeliest first.

    Raises Unfit if the photograph has a shape that cannot be prepared; UserError if the network
    cannot take what is, has another number of outputs than there are names, or answers NaN.
    """
    import numpy as np

    import minigrad as mg

    if max(photo.size) > MOST_LONG * min(photo.size):
        raise Unfit(f"its {photo.width} x {photo.height} pixels are a line, not a photograph: one "
                    f"side is more than {MOST_LONG} times the other")
    try:
        x = network.prepare(photo)
    except (ValueError, TypeError) as error:
        raise Unfit(one_line(error)) from error
    if not isinstance(x, np.ndarray):
        raise UserError("the preprocessing that the weights record makes no array of a photograph; "
                        "give others with --weights")
    try:
        with mg.no_grad(), np.errstate(all="ignore"):
            scores = network.model(mg.Tensor(x[None]))
    except MemoryError:
        raise
    except Exception as error:          # whatever a network of the user's own raises
        raise UserError(f"the network cannot take photographs as they are prepared, "
                        f"{'x'.join(map(str, x.shape))}: "
                        f"{one_line(error) or type(error).__name__}; it may need "
                        "another --size") from error
    if not isinstance(scores, mg.Tensor) or scores.ndim != 2 or len(scores) != 1:
        raise UserError(f"the network answers {_form(scores)} for one photograph, not a Tensor of "
                        "shape (1, classes)")
    with mg.no_grad(), np.errstate(all="ignore"):
        y = mg.softmax(scores, 1).data[0]
    if not np.isfinite(y).all():
        raise UserError(f"the network answers {y[~np.isfinite(y)][0]}: "
                        f"{_odd_weight(network.model)}")
    names = network.names
    if names is None:
        names = [f"class {i}" for i in range(len(y))]
    elif len(names) != len(y):
        raise UserError(f"there are {len(names)} names, and the network has {len(y)} outputs")
    return [Guess(names[i], float(y[i])) for i in (-y).argsort(kind="stable")[:TOP]]


def _form(scores):
    shape = getattr(scores, "shape", None)
    return type(scores).__name__ + (f" of shape {shape}" if shape is not None else "")


def _odd_weight(model):
    """Names the first weight that is NaN or infinite, or says that there is none."""
    import numpy as np

    for name, value in model.state_dict().items():
        odd = value[~np.isfinite(value)]
        if odd.size:
            return f"its weights {name} hold {odd.flat[0]}; give others with --weights"
    return "its weights are finite, but too large for photographs that are prepared so"


# --- the network, its classes, its preparation ---------------------------------------------------

def _usual(args):
    """The arguments with the network that is taken if they name none."""
    if args.weights is not None:
        return args
    if args.arch not in (None, imagenet.USUAL):
        raise UserError(f"--arch {args.arch}: say with --weights which weights it has: a FILE, the "
                        "folder of a training, or imagenet")
    return argparse.Namespace(**{**vars(args), "weights": "imagenet", "arch": imagenet.USUAL})


def _network(args):
    """What `--weights` and the options beside it make together."""
    found = _loaded(args)
    names, of_names = _class_names(args.classes, found)
    prepare, of_view = _preparation(args, found)
    what = found.architecture["name"] if found.architecture and "name" in found.architecture else (
        args.arch or "a network")
    return Network(found.model, names, prepare, [
        f"{what}, weights {shown(found.path)}", f"Classes: {of_names}.",
        f"Photographs: {of_view}.",
        *([f"Weights: {'; '.join(found.notes)}."] if found.notes else [])])


def _loaded(args):
    """The `models.Loaded` of --weights and --arch."""
    from minigrad.models import MODELS, Loaded, architecture, load

    own = is_own(args.arch)
    if not own and args.arch not in (None, *MODELS):
        raise UserError(f"--arch {args.arch}: use one of {' '.join(MODELS)}, or FILE.py:NAME for a "
                        "network of your own")
    weights.check(args, args.weights != "imagenet")
    try:
        if args.weights == "imagenet":
            if args.arch is None or own:
                raise UserError("--weights imagenet: say of which model with --arch")
            model = imagenet.official_network(args.arch)
            return Loaded(model, None, None, "", "imagenet", architecture(model))
        if not own:
            return load(args.weights, args.arch, **weights.reading(args))
        given = len(_read_names(args.classes)) if args.classes else None
        return load(args.weights, lambda recorded: own_network(args.arch, recorded or given),
                    **weights.reading(args))
    except OSError as error:
        raise UserError(f"cannot read weights {args.weights}: {error.strerror or error}") from error
    except ValueError as error:         # WeightsError too
        raise UserError(weights.message(error)) from error


def _class_names(path, found):
    """(A name for each output, or None; where the names are from.)"""
    from minigrad.models.architecture import num_outputs

    recorded = found.classes
    if path is not None:
        names = _read_names(path)
        if recorded is not None and names != recorded:
            raise UserError(_contradiction(path, names, recorded))
        outputs = None if found.architecture is None else num_outputs(found.model)
        if outputs not in (None, len(names)):
            raise UserError(f"{path} has {len(names)} names, and the model {outputs} classes")
        return names, f"{len(names)} names from {shown(path)}"
    if recorded is not None:
        return recorded, f"{len(recorded)} names, recorded with the weights"
    name = (found.architecture or {}).get("name", "")
    if imagenet.knows(name, num_outputs(found.model) if name else None):
        return imagenet.names(), ("ImageNet's 1000" if found.path == "imagenet" else
                                  "taken to be ImageNet's 1000; --classes FILE gives others")
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
    """(The function photograph -> array; what it does, and how that is known.)"""
    from minigrad.data import Compose, Resize, ToArray
    from minigrad.data.specs import spec_text, to_spec
    from minigrad.models import Preprocess, preprocess

    if args.size is not None and args.size < 1:
        raise UserError(f"--size must be positive, got {args.size}")
    if args.size is not None and args.size > MOST_SIDE:
        raise UserError(f"--size must be at most {MOST_SIDE}, got {args.size}")
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
    others = "" if args.weights == "imagenet" else "; --size N if yours were trained otherwise"
    return prepare, f"{spec_text(to_spec(prepare))}, as the official weights of {name}{others}"


def _read_names(path):
    try:
        text = read_text(path, "utf-8-sig")
        names = _parsed(text) if path.endswith(".json") else text.splitlines()
        names = [" ".join(name.split()) for name in names if name.strip()]
        if not names:
            raise ValueError("there is no name in it")
        return names
    except OSError as error:
        raise UserError(f"cannot read classes {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"classes {path}: neither a list of names nor {{\"0\": name, ...}} nor "
                        f"{{name: 0, ...}} ({type(error).__name__}: {error})") from error


def _parsed(text):
    """Names of a JSON document: a list; {"classes": list}; or by number, {"0": name}, {name: 0} as
    in `class_to_idx`, or, as in the file that Keras uses for ImageNet, {"0": [id, name]}."""
    document = json.loads(text)
    if isinstance(document, dict):
        document = document.get("classes") or document.get("class_to_idx") or document
    if isinstance(document, dict):
        if all(type(number) is int for number in document.values()):
            if sorted(document.values()) != list(range(len(document))):
                raise ValueError(f"its numbers are not 0 to {len(document) - 1}")
            document = {str(number): name for name, number in document.items()}
        document = [document[str(i)] for i in range(len(document))]
    if not isinstance(document, list):
        raise ValueError(f"a {type(document).__name__} is no list")
    names = [item[-1] if isinstance(item, list) and item else item for item in document]
    if not all(isinstance(name, str) and name.strip() for name in names):
        raise ValueError("a name is no text")
    return names


# --- on the terminal -----------------------------------------------------------------------------

def _lines(screen: Screen, found: Sequence[Guess]) -> list[str]:
    """A line for each guess: its name, a bar where there is room for one, its probability."""
    room = _columns() - len("    100.0%")
    names = [_fitted(shown(guess.name), room) for guess in found]
    widest = max(map(len, names))
    bar = min(_BAR, room - widest - 2)
    bars = [f"{screen.bar(p, bar)}  " if bar >= _SHORTEST else "" for _, p in found]
    return [f"  {name:{widest}}  {drawn}{guess.probability:6.1%}"
            for name, drawn, guess in zip(names, bars, found)]


def _columns():
    return min(shutil.get_terminal_size().columns, _WIDEST)


def _wrapped(text, indent=""):
    return textwrap.wrap(text, _columns(), initial_indent=indent, subsequent_indent=indent)


def _fitted(name, width):
    return name if len(name) <= width else f"{name[:max(1, width - 3)]}..."
