"""Max pooling by windows of more taps than 16 bits can number, on the CPU and on the GPU."""

import numpy as np
import pytest

from minigrad import Tensor, max_pool2d
from minigrad.kernels.pool import cpu as pool
from minigrad.kernels.runtime.window import Window
from tests.gpu.cuda_devices import DEVICES, host

# the window, and the image that it slides over
CASES = {
    "of the image's size": (Window(300, 300, 1, 1, 0, 0), (300, 300)),
    "overlapping": (Window(300, 300, 1, 2, 0, 0), (302, 305)),
    "padded": (Window(300, 300, 7, 5, 3, 2), (301, 302)),
    "dilated": (Window(260, 260, 3, 2, 0, 1, 2, 1), (522, 262)),
    "as many as 16 bits can number": (Window(256, 256, 1, 1, 0, 0), (257, 256)),
    "a few more": (Window(256, 257, 1, 1, 0, 0), (257, 258))}


def expected(x, window):
    """The maxima, the numbers of their taps, and their places, window by window."""
    size = window.output_size(*x.shape[2:])
    y, tap, place = np.empty(size, x.dtype), np.empty(size, int), np.empty(size, int)
    rows, columns = np.arange(window.kh) * window.dh, np.arange(window.kw) * window.dw
    for i, j in np.ndindex(*size):
        r, c = rows + i * window.sh - window.ph, columns + j * window.sw - window.pw
        inside = ((r >= 0) & (r < x.shape[2]))[:, None] & ((c >= 0) & (c < x.shape[3]))
        seen = np.where(inside, x[0, 0][np.ix_(r.clip(0, x.shape[2] - 1),
                                               c.clip(0, x.shape[3] - 1))], -np.inf)
        tap[i, j] = seen.argmax()
        u, v = divmod(tap[i, j], window.kw)
        y[i, j], place[i, j] = seen[u, v], r[u] * x.shape[3] + c[v]
    return y, tap, place


def image(size):
    """Rising numbers, so that the last tap of each window wins, and a summit near the end."""
    x = np.arange(size[0] * size[1], dtype=np.float32).reshape(1, 1, *size)
    x[0, 0, -1, -2] += 1e6
    return x


@pytest.mark.parametrize("xp", DEVICES, indirect=True)
@pytest.mark.parametrize("name", CASES)
def test_the_winners_of_large_windows(xp, name):
    window, size = CASES[name]
    x = image(size)
    y, tap, place = expected(x, window)
    got, winner = pool.maximum(xp.asarray(x), window)
    assert (host(got)[0, 0] == y).all() and (host(winner)[0, 0] == tap).all()
    assert winner.dtype == (np.uint32 if window.kh * window.kw > 2**16 else np.uint16)
    assert (host(pool.gather(xp.asarray(x), winner, window))[0, 0] == y).all()
    g = np.arange(1, y.size + 1, dtype=np.float32).reshape(1, 1, *y.shape)
    gx = host(pool.scatter(xp.asarray(g), winner, window, size))
    assert (gx.ravel() == np.bincount(place.ravel(), g.ravel(), x.size)).all()


def test_the_cpus_winners_of_large_windows():
    x = Tensor(image((257, 257)), requires_grad=True)
    y, places = max_pool2d(x, 257, return_indices=True)
    y.sum().backward()
    assert y.item() == x.data[0, 0, -1, -2] and places.item() == 257 * 257 - 2
    assert np.flatnonzero(x.grad.data).tolist() == [257 * 257 - 2]


@pytest.mark.parametrize("xp", DEVICES, indirect=True)
def test_a_window_of_300_pixels_square_sends_its_gradient_to_the_last_of_them(xp):
    image = np.arange(90000, dtype=np.float32).reshape(1, 1, 300, 300)
    x = Tensor(image, requires_grad=True)
    y, places = max_pool2d(x.to("cuda"), 300, return_indices=True)
    y.sum().backward()
    assert places.item() == 89999 and np.argwhere(x.grad.data).tolist() == [[0, 0, 299, 299]]
