"""Adaptive pooling on the GPU: adaptive.cu behind the functions of cpu.py."""

from minigrad.kernels.runtime.cuda import launch
from minigrad.kernels.runtime.window import channels_last, images


def average(x, size):
    y = _images(x, size)
    _launch("average", [x], [y], x, y)
    return y


def average_transpose(gy, size):
    gx = _images(gy, size)
    _launch("average_transpose", [gy], [gx], gx, gy)
    return gx


def maximum(x, size):
    y, place = _images(x, size), _images(x, size, "int32")
    _launch("maximum", [x], [y, place], x, y)
    return y, place


def scatter(gy, place, size):
    gx = _images(gy, size)
    _launch("scatter", [gy, place], [gx], gx, gy)
    return gx


def gather(x, place):
    y = _images(x, place.shape[2:])
    _launch("gather", [x, place], [y], x, y)
    return y


def _images(like, size, dtype=None):
    return images(like, (*like.shape[:2], *size), dtype)


def _launch(kernel, inputs, outputs, image, bins):
    """image (N, C, H, W) is what is cut into bins, `bins` (N, C, oh, ow) has a number for each."""
    launch("adaptive", kernel, [channels_last(a) for a in inputs],
           [channels_last(a) for a in outputs], *image.shape[1:], *bins.shape[2:])
