"""Where a network looked: the gradient of its answer by the pixels, and Grad-CAM.

    seen = look(model, x)           # x (3, H, W): a photograph as the network takes it
    seen.gradient                   # (H, W): how much the score changes with each pixel
    seen.cam                        # (h, w): where the last convolution speaks for the class

Both ask about one class by its score S before the softmax. In the softmax a class also gains where
others lose; the score is about this class alone.

Gradient: Simonyan, Vedaldi and Zisserman, "Deep inside convolutional networks: visualising image
classification models and saliency maps", ICLR workshop 2014, section 3. Grad-CAM: Selvaraju et al.,
"Grad-CAM: visual explanations from deep networks via gradient-based localization", ICCV 2017,
section 3.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from PIL import Image

import minigrad as mg
from minigrad import autograd
from minigrad.function import Call, trace
from minigrad.nn import Module
from minigrad.ops.conv import Conv2d


class Seen(NamedTuple):
    """What `look` found, for the class of number `label`.

    cam is None if there is no convolution with maps of several pixels.
    """

    label: int
    gradient: np.ndarray            # (H, W)
    cam: np.ndarray | None          # (h, w)


def look(model: Module, x: np.ndarray, label: int | None = None) -> Seen:
    """Where the network looked in x (C, H, W), for the class of that number, or for the likeliest.

    The network stays as it is, in evaluation mode or not. Raises RuntimeError if its scores do not
    depend on x by ops that have a gradient.
    """
    pixels = mg.Tensor(x[None], requires_grad=True)     # (1, C, H, W)
    with trace() as calls:
        scores = model(pixels)                          # (1, classes)
    label = int(scores.data[0].argmax()) if label is None else label
    maps = last_maps(calls)
    wanted = [pixels] if maps is None else [pixels, maps]
    found = autograd.grad(scores[0, label], wanted, allow_unused=True)
    if found[0] is None:
        raise RuntimeError("look: the scores do not depend on the pixels by ops with a gradient")
    cam = None
    if maps is not None and found[1] is not None:
        cam = grad_cam(maps.data[0], found[1].data[0])
    return Seen(label, pixel_gradient(found[0].data[0]), cam)


def pixel_gradient(g: np.ndarray) -> np.ndarray:
    """M[i,j] = max_c |dS/dx[c,i,j]|;  g = dS/dx (C, H, W) -> (H, W)"""
    return np.abs(g).max(0)


def grad_cam(a: np.ndarray, g: np.ndarray) -> np.ndarray:
    """L[i,j] = relu(sum_k w[k] A[k,i,j]),  w[k] = mean_ij dS/dA[k,i,j]

    a, the maps A, and g = dS/dA, both (K, h, w) -> (h, w). w says how much a class gains by more of
    map k (equation 1); what speaks against the class is cut off by the relu (equation 2).
    """
    weights = g.mean((1, 2))                            # (K,)
    return np.maximum(np.tensordot(weights, a, 1), 0)


def last_maps(calls: Iterable[Call]) -> mg.Tensor | None:
    """The maps that Grad-CAM weighs: what the last convolution has become.

    It is the last one whose output (1, K, h, w) has several pixels, behind the operations that keep
    h and w: normalisation, activation, the sum with a shortcut. None if there is no such
    convolution.
    """
    maps, after = None, set()       # the Tensors that are made of the convolution's output
    for call in calls:
        y = call.output
        if isinstance(call.function, Conv2d) and y.shape[2] * y.shape[3] > 1:
            maps, after = y, {id(y)}
        elif any(id(value) in after for value in call.inputs):
            after.add(id(y))
            if y.ndim == 4 and y.shape[2:] == maps.shape[2:]:
                maps = y
    return maps if maps is not None and maps.requires_grad else None


def enlarged(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """values (h, w) -> `shape`, linear between the centres of the pixels."""
    image = Image.fromarray(np.asarray(values, np.float32))
    return np.asarray(image.resize(shape[::-1], Image.Resampling.BILINEAR))


def as_seen(prepare: object, x: np.ndarray) -> np.ndarray:
    """x (C, H, W), made by `prepare`, as a picture (H, W, 3) with values from 0 to 1.

    The last mean and deviation that `prepare` (a transform, or a Compose) has applied are undone.
    """
    steps = [step for step in getattr(prepare, "transforms", [prepare]) if hasattr(step, "mean")]
    if steps:
        mean, std = (np.reshape(np.asarray(values, x.dtype), (-1, 1, 1))
                     for values in (steps[-1].mean, steps[-1].std))
        x = x * std + mean
    return np.broadcast_to(x[:3].transpose(1, 2, 0).clip(0, 1), (*x.shape[1:], 3))
