"""EfficientNet-Lite0's package for the tests: installed, with other weights, or not."""

from importlib import metadata

import minigrad as mg
from minigrad.files import file_sha256
from minigrad.models import efficientnet_lite0
from minigrad.weights import official, save

FILE = official.FILES["efficientnet_lite0"]["V1"]


def install(monkeypatch, file, favourite=281):
    """Write random weights that always answer `favourite` to `file`, and make it the package's."""
    mg.manual_seed(0)
    state = efficientnet_lite0().state_dict()
    state["_fc.weight"] *= 0.01
    state["_fc.bias"][favourite] = 5
    save(file, state)

    class Installed:
        def locate_file(self, inside):
            return file

    monkeypatch.setattr(metadata, "distribution", lambda name: Installed())
    monkeypatch.setitem(official.SHA256, FILE, file_sha256(file))
    return state


def remove(monkeypatch):
    """As on a machine without the package."""
    def distribution(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", distribution)
