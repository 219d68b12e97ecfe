"""Weights in files: torch's three formats and safetensors, read without torch and without trust.

    weights = load("resnet50-11ad3fa6.pth")     {name: array}
    load("checkpoint.pth", entry="net.ema")     of one entry among others
    save("mine.safetensors", model.state_dict(), {"epoch": "7"})
    fetch("resnet50")                           the official file, downloaded once

How a pickle is read without being run is in unpickle.py.
"""

from minigrad.weights.download import fetch
from minigrad.weights.errors import WeightsError
from minigrad.weights.formats.safetensors import save
from minigrad.weights.load import Weights, load
