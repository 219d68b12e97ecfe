"""Adaptive pooling on the GPU: adaptive.cu behind the functions of cpu.py."""

from minigrad.kernels.runtime.cuda import launch_on_images


def average(x, size):
    return _launch("average", [x], size, x.shape[2:], size)


def average_transpose(gy, size):
    return _launch("average_transpose", [gy], size, size, gy.shape[2:])


def maximum(x, size):
    return _launch("maximum", [x], size, x.shape[2:], size, dtypes=(None, "int32"))


def _launch(kernel, inputs, size, image, bins, **options):
    """image (H, W) is the size of what is cut into bins, `bins` (oh, ow) says how many."""
    return launch_on_images("adaptive", kernel, inputs, size, inputs[0].shape[1], *image, *bins,
                            **options)
