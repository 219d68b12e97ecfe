"""Pooling on the GPU: pool.cu behind the functions of cpu.py."""

from minigrad.kernels.runtime.cuda import geometry, launch_on_images

MOST_TAPS = 2**16  # whose numbers fit into 16 bits


def maximum(x, window):
    size = window.output_size(*x.shape[2:])
    winners = "uint32" if _many(window) else "uint16"
    return _launch("maximum", [x], size, window, x.shape[2:], size, dtypes=(None, winners))


def scatter(gy, winner, window, size):
    return _launch("scatter", [gy, winner], size, window, size, gy.shape[2:])


def average(x, window):
    size = window.output_size(*x.shape[2:])
    return _launch("average", [x], size, window, x.shape[2:], size)


def average_transpose(gy, window, size):
    return _launch("average_transpose", [gy], size, window, size, gy.shape[2:])


def _launch(kernel, inputs, size, window, image, output, **options):
    """The window slides over images of the size `image` (H, W), and `output` (oh, ow) comes of it.
    """
    n, c = inputs[0].shape[:2]
    return launch_on_images("pool", kernel, inputs, size,
                            geometry(window, (n, c, *image), (n, c, *output)),
                            variant=("unsigned",) if _many(window) else (), **options)


def _many(window):
    """Whether the numbers of the taps need 32 bits."""
    return window.kh * window.kw > MOST_TAPS
