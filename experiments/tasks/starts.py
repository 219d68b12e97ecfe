"""What the fine-tuned networks start from: ImageNet's weights, files, or drawn pictures.

    for name in available(settings, recipe):
        start = find_start(name, settings, recipe)
        start.name, start.source            # "ResNet-18", "pretrained on ImageNet"
        model = start.build(7)              # its last layer fresh

Where there are no weights from photographs, networks are pretrained on the stand-in's wider set:
drawn animals, things and patterns that are none of the breeds. That is kept in the cache.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from experiments import standin
from experiments.errors import UserError, one_line
from experiments.options.weights import message, reading
from experiments.settings import Settings
from experiments.tasks.photos import Parts, stand_in
from experiments.tasks.recipe import RECIPES, Recipe
from experiments.tasks.training import Training
from minigrad.data import ImageFolder, random_split
from minigrad.files import cache_folder, writable
from minigrad.models import MODELS, preprocess, recognise
from minigrad.nn import Linear, Module
from minigrad.weights import fetch, load, save

NETWORKS = {"ResNet-18": "resnet18", "ResNet-34": "resnet34", "ResNeXt-50": "resnext50_32x4d"}
LITE0, _LITE0 = "EfficientNet-Lite0", "efficientnet_lite0"
REAL = "real ImageNet weights"
WORDS = ("imagenet", "standin")
_WORDS = {(word,) for word in WORDS}        # each stands alone
DRAWN = "pretrained on drawn pictures, not on ImageNet"
_VALID = 0.1                # share of the wider set by which the pretraining is watched


class Start(NamedTuple):
    """A network to be fine-tuned: its name, where its weights are from, and how to build it."""

    name: str
    architecture: str
    source: str
    width: int
    build: Callable[[int], Module]      # number of classes -> network


def find_start(name: str, settings: Settings, recipe: Recipe) -> Start:
    """The network of that name, one of `available`, pretrained here if need be."""
    weights = settings.weights or (recipe.weights,)
    if weights == ("standin",):
        return _drawn(name, settings, recipe)
    if weights == ("imagenet",):
        return _start(name, "imagenet", "pretrained on ImageNet")
    file = by_network(weights, reading(settings))[name]
    return _start(name, load(file, **reading(settings)), f"pretrained, {Path(file).name}")


def available(settings: Settings, recipe: Recipe) -> list[str]:
    """The names of the networks that there are weights for, in the order of `NETWORKS`."""
    weights = settings.weights or (recipe.weights,)
    files = NETWORKS if weights in _WORDS else by_network(weights, reading(settings))
    return [name for name in NETWORKS if name in files]


def check_weights(settings: Settings) -> None:
    """Raise UserError unless the weights are one of `WORDS`, or files with those of the networks.
    """
    if settings.weights in _WORDS:
        return
    for name, file in by_network(settings.weights, reading(settings)).items():
        try:
            MODELS[NETWORKS[name]](weights=load(file, **reading(settings)))
        except ValueError as error:         # WeightsError too
            raise UserError(f"--weights: {message(error)}") from error


def download(settings: Settings) -> None:
    """The official weights into the cache, if it is those that the networks are to start from.

    Raises UserError if they cannot be had.
    """
    if (settings.weights or (RECIPES[settings.profile].weights,)) != ("imagenet",):
        return
    for architecture in NETWORKS.values():
        try:
            fetch(architecture)
        except (OSError, ValueError) as error:
            raise UserError(f"weights of ImageNet: {one_line(error)}; or use "
                            "--weights standin, which pretrains on drawn pictures") from error


class Scaled(Module):
    """A network that takes photographs from 0 to 1, as the recipe leaves them, and scales them as
    its weights of ImageNet expect: x -> network((x - mean) / std)."""

    def __init__(self, network: Module, mean: float, std: float):
        self.network, self.mean, self.std = network, mean, std

    def forward(self, x):
        return self.network((x - self.mean) / self.std)


def real_start() -> Start:
    """EfficientNet-Lite0 with ImageNet's weights, which the extra `imagenet` brings."""
    prepare = preprocess(_LITE0)

    def build(classes):
        try:
            network = MODELS[_LITE0](weights="imagenet")
        except (OSError, ValueError) as error:      # WeightsError too
            raise UserError(f"weights of {LITE0}: {one_line(error)}") from error
        network._fc = Linear(network._fc.weight.shape[1], classes)
        return Scaled(network, prepare.mean[0], prepare.std[0])

    return Start(LITE0, _LITE0, REAL, 64, build)


def has_real() -> bool:
    """Whether `real_start` has its weights. Raises UserError if they are damaged."""
    try:
        fetch(_LITE0)
        return True
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:      # WeightsError too
        raise UserError(f"weights of {LITE0}: {one_line(error)}") from error


def by_network(files: Sequence[str], options: Mapping[str, object] = {}) -> dict[str, str]:
    """{name: file}, told from the tensors in each; `options`, arguments of `minigrad.weights.load`.

    Raises UserError for a file of something else.
    """
    found = {}
    for file in files:
        if file in WORDS:
            raise UserError(f"--weights {file} stands alone; leave out the others")
        try:
            state = load(file, **options)
            architecture = recognise(state)
        except OSError as error:
            raise UserError(f"--weights: cannot read {file}: {error.strerror or error}"
                            ) from error
        except ValueError as error:
            raise UserError(f"--weights: {message(error)}") from error
        name = next((n for n, a in NETWORKS.items() if a == architecture), None)
        if name is None:
            raise UserError(f"--weights {file}: these are weights of "
                            f"{architecture or 'no ResNet'}; the tasks use "
                            f"{' '.join(NETWORKS.values())}")
        if len(state["conv1.weight"]) != 64:
            raise UserError(f"--weights {file}: these are weights of a {architecture} of width "
                            f"{len(state['conv1.weight'])}; the tasks use the published width, 64")
        if name in found:
            raise UserError(f"--weights: {found[name]} and {file} are both weights of "
                            f"{architecture}; give one")
        found[name] = file
    return found


def _start(name, weights, source, width=64):
    architecture = NETWORKS[name]

    def build(classes):
        model = MODELS[architecture](classes, width=width)
        head = {key: value for key, value in model.state_dict().items() if key.startswith("fc.")}
        try:
            state = weights
            if not isinstance(state, Mapping):
                state = load(fetch(architecture) if weights == "imagenet" else weights)
            model.load_state_dict({**state, **head})
        except (OSError, ValueError) as error:      # WeightsError too
            raise UserError(f"weights of {name}: {one_line(error)}") from error
        return model

    return Start(name, architecture, source, width, build)


def _drawn(name: str, settings: Settings, recipe: Recipe) -> Start:
    """A network pretrained on the wider set, or what the cache has kept of that."""
    architecture, seed = NETWORKS[name], settings.seed
    key = hashlib.sha256(f"{recipe} {standin.VERSION} {seed}".encode()).hexdigest()[:12]
    file = cache_folder() / "weights" / (f"{architecture}-standin-{recipe.name}-width{recipe.width}"
                                         f"-seed{seed}-{key}.safetensors")
    if not file.exists():
        file = writable(file.parent) / file.name
    if not file.exists():
        wide = ImageFolder(stand_in(settings) / "wide")
        learn, watch = random_split(wide, (1 - _VALID, _VALID), recipe.split_seed)
        trained = Training(f"task4-pretraining-{architecture}",
                           lambda: MODELS[architecture](len(wide.classes), width=recipe.width),
                           Parts(learn, watch, watch), recipe.for_pretraining()
                           ).network(settings, seed)
        accuracy = trained.history[-1]["valid"]["accuracy"]
        try:
            save(file, trained.model.state_dict(),
                 {"source": DRAWN, "classes": json.dumps(wide.classes),
                  "accuracy": f"{accuracy:.4f}"})
        except OSError as error:
            settings.lost(f"cannot keep the pretrained network: {error}")
            return _start(name, trained.model.state_dict(), DRAWN, recipe.width)
    return _start(name, file, DRAWN, recipe.width)
