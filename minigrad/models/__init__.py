"""Ready-made networks, each built by a function that returns a Module with fresh weights."""

from minigrad.models.lenet import lenet5

__all__ = ["lenet5"]
