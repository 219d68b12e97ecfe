"""Adaptive pooling on the GPU: kernels/adaptive.cu behind the functions of kernels/adaptive.py."""

from __future__ import annotations

from minigrad.backend import array_module
from minigrad.kernels.cuda import channels_last, images, launch


def average(x, size):
    y, memory = _images(x, size)
    launch("adaptive", "average", [channels_last(x)], [memory], *_sizes(x, y))
    return y


def average_transpose(gy, size):
    gx, memory = _images(gy, size)
    launch("adaptive", "average_transpose", [channels_last(gy)], [memory], *_sizes(gx, gy))
    return gx


def maximum(x, size):
    y, memory = _images(x, size)
    place, place_memory = images(array_module(x), y.shape, "int32")
    launch("adaptive", "maximum", [channels_last(x)], [memory, place_memory], *_sizes(x, y))
    return y, place


def scatter(gy, place, size):
    gx, memory = _images(gy, size)
    launch("adaptive", "scatter", [channels_last(gy), channels_last(place)], [memory],
           *_sizes(gx, gy))
    return gx


def gather(x, place):
    y, memory = _images(x, place.shape[2:])
    launch("adaptive", "gather", [channels_last(x), channels_last(place)], [memory],
           *_sizes(x, y))
    return y


def _images(like, size):
    return images(array_module(like), (*like.shape[:2], *size), like.dtype)


def _sizes(x, y):
    """What the kernels are told: C, H, W, oh, ow."""
    return *x.shape[1:], *y.shape[2:]
