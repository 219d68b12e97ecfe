"""Pooling on the GPU: pool.cu behind the functions of cpu.py."""

from minigrad.kernels.runtime.cuda import geometry, launch
from minigrad.kernels.runtime.window import channels_last, images

MOST_TAPS = 2**16  # whose numbers fit into 16 bits


def maximum(x, window):
    y = images(x, _output_shape(x, window))  # (N, C, oh, ow)
    winner = images(x, y.shape, "uint32" if _many(window) else "uint16")  # (N, C, oh, ow)
    _launch("maximum", [x], [y, winner], window, x, y)
    return y, winner


def scatter(gy, winner, window, size):
    gx = images(gy, (*gy.shape[:2], *size))  # (N, C, H, W)
    _launch("scatter", [gy, winner], [gx], window, gx, gy)
    return gx


def gather(x, winner, window):
    y = images(x, winner.shape)  # (N, C, oh, ow)
    _launch("gather", [x, winner], [y], window, x, y)
    return y


def average(x, window):
    y = images(x, _output_shape(x, window))  # (N, C, oh, ow)
    _launch("average", [x], [y], window, x, y)
    return y


def average_transpose(gy, window, size):
    gx = images(gy, (*gy.shape[:2], *size))  # (N, C, H, W)
    _launch("average_transpose", [gy], [gx], window, gx, gy)
    return gx


def _output_shape(x, window):
    return *x.shape[:2], *window.output_size(*x.shape[2:])


def _launch(kernel, inputs, outputs, window, image, output):
    """image (N, C, H, W) is what the window slides over, output (N, C, oh, ow) what comes of it."""
    launch("pool", kernel, [channels_last(a) for a in inputs], [channels_last(a) for a in outputs],
           geometry(window, image.shape, output.shape),
           variant=("unsigned",) if _many(window) else ())


def _many(window):
    """Whether the numbers of the taps need 32 bits."""
    return window.kh * window.kw > MOST_TAPS
