# %% [markdown]
# # Convolution: one sum, three maps
#
# A convolution layer multiplies and adds, nothing more. We write it as seven loops, find its two
# gradients without differentiating anything, turn all of it into matrix products, and look at how
# the numbers should lie in memory for that. Run it as a script, or cell by cell in VS Code or
# Jupyter.

# %%
import itertools
import time

import numpy as np

import minigrad as mg
from minigrad.kernels import conv as kernel
from minigrad.kernels.window import Window

rng = np.random.default_rng(0)

# %% [markdown]
# ## 1. The definition
#
#     y[n,o,i,j] = sum over c,u,v of x[n,c, i s + u - p, j s + v - p] w[o,c,u,v]
#
# Each output pixel is the sum of a window of the input times a filter. Outside of the image x is 0.
# (The filter is not turned around: strictly this is *cross-correlation*. Since the filter is
# learnt, nobody minds.)


# %%
def loops(x, w, s, p):
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    n, c, height, width = padded.shape
    o, _, kh, kw = w.shape
    y = np.zeros((n, o, (height - kh) // s + 1, (width - kw) // s + 1))
    for at in itertools.product(*map(range, y.shape)):
        n, o, i, j = at
        for c, u, v in itertools.product(*map(range, w.shape[1:])):
            y[at] += padded[n, c, i * s + u, j * s + v] * w[o, c, u, v]
    return y


x, w = rng.standard_normal((2, 3, 7, 6)), rng.standard_normal((4, 3, 3, 3))
y = loops(x, w, s=2, p=1)
print("x", x.shape, "w", w.shape, "-> y", y.shape)
print("loops - conv2d:", np.abs(y - mg.conv2d(x, w, stride=2, padding=1)).max())

# %% [markdown]
# ## 2. It is a matrix, and so is its gradient
#
# For a fixed filter, y depends linearly on x, so some matrix A does the same: y = A x. To see it,
# send in one pixel at a time; what comes out is a column of A. Most of it is zeros, and the rest
# are a few weights over and over: that is all that distinguishes it from a dense layer.

# %%
small = rng.standard_normal((1, 1, 3, 3))
pixels = np.eye(16).reshape(16, 1, 4, 4)
A = mg.conv2d(pixels, small).reshape(16, -1).T
print("A is", A.shape, "with", np.count_nonzero(A), "of", A.size, "entries not 0, and",
      len(np.unique(A[A != 0])), "different ones")
print(np.round(A[:, :8], 1))

# %% [markdown]
# The gradient of y = A x is dL/dx = A^T dL/dy. No calculus: the *transposed* map. It takes each
# output's gradient and adds it, times the filter, to the pixels that this output has looked at.
# Frameworks call it transposed convolution; decoders use it to make images larger.

# %%
gy = rng.standard_normal((1, 1, 2, 2))
by_matrix = (A.T @ gy.ravel()).reshape(1, 1, 4, 4)
by_map = mg.conv_transpose2d(gy, small)
print("A^T gy - conv_transpose2d:", np.abs(by_matrix - by_map).max())

# %% [markdown]
# ## 3. Three maps that transpose each other
#
# y is linear in the filter too, so there is a third map for dL/dw. The transpose of a linear map
# moves to the other side of an inner product, <A x, g> = <x, A^T g>, which is how to test one
# without knowing its matrix. All three inner products are the same sum over x, w and gy, taken in
# another order:

# %%
window = Window.of((3, 3), 2, 1, "conv2d")
gy = rng.standard_normal(y.shape)
gx = kernel.input_gradient(gy, w, window, x.shape[2:])
gw = kernel.weight_gradient(x, gy, window)
products = {"<conv(x, w), gy>": y, "<x, input_gradient(gy, w)>": gx,
            "<w, weight_gradient(x, gy)>": gw}
for (name, a), b in zip(products.items(), (gy, x, w)):
    print(f"{name:30}{np.vdot(a, b):.12f}")
    assert np.isclose(np.vdot(a, b), np.vdot(y, gy), rtol=1e-12)

# %% [markdown]
# So the gradient of each of the three maps is made of the other two, and derivatives of any order
# need no further formula. In `minigrad/ops/conv.py` this is three short classes.

# %%
print("gradcheck:    ", mg.gradcheck(lambda a, b: mg.conv2d(a, b, stride=2, padding=1), [x, w]))
print("gradgradcheck:", mg.gradgradcheck(lambda a, b: mg.conv2d(a, b), [x[:1, :, :4, :4], w[:2]]))

# %% [markdown]
# ## 4. im2col: many small sums as one large product
#
# Processors are fast at one thing: products of large matrices. So copy each window into a row of a
# matrix ("image to columns"), lay each filter into a column of another, and multiply. A pixel is
# copied once for every window that sees it, nine times for a 3x3 filter; it still pays.


# %%
def im2col(x, k, p):
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k), (2, 3))
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, x.shape[1] * k * k)


def seconds(f, *arguments):
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        f(*arguments)
        best = min(best, time.perf_counter() - start)
    return best


x = rng.standard_normal((4, 16, 24, 24)).astype(np.float32)
w = rng.standard_normal((16, 16, 3, 3)).astype(np.float32)
columns = im2col(x, 3, 1)
y = (columns @ w.reshape(16, -1).T).reshape(4, 24, 24, 16).transpose(0, 3, 1, 2)
print("x has", x.size, "numbers, the columns", columns.size)
print("im2col - conv2d:", np.abs(y - mg.conv2d(x, w, padding=1)).max())
slow = seconds(loops, x[:1, :4, :10, :10].astype(float), w[:4, :4].astype(float), 1, 1)
products = y.size * w[0].size / (4 * 10 * 10 * 4 * 9)        # of the sample's
print(f"loops, by a small sample: {slow * products:.1f} s; conv2d: "
      f"{seconds(lambda: mg.conv2d(x, w, padding=1)) * 1e3:.2f} ms")

# %% [markdown]
# The gradients are products with the same columns: dL/dw = columns^T gy, and dL/dx = gy w, whose
# rows are added back to where the windows were ("col2im"). The columns need not exist all at once;
# minigrad makes them for a few images at a time, as much as fits the cache, and forgets them.

# %% [markdown]
# ## 5. Why channels last
#
# Shapes are (N, C, H, W), as everywhere. In memory, minigrad keeps the C numbers of one pixel side
# by side: an image is (H, W, C), looked at through a transposed view. The strides tell.

# %%
y = mg.conv2d(x, w, padding=1)
for name, a in (("x, from outside", x), ("y, made by conv2d", y)):
    print(f"{name:20}shape {a.shape}, steps in numbers {tuple(s // 4 for s in a.strides)}")

# %% [markdown]
# Two things get simpler. A row of the columns is then made of runs of C numbers (for a 3x3 filter
# nine runs), which are copied as a whole, instead of 9 C lone numbers from all over the memory. And
# a 1x1 convolution needs no copy at all: the image *is* the matrix, with a pixel per row. In
# ResNet-50 two of three convolutions are 1x1.

# %%
flat = y.transpose(0, 2, 3, 1).reshape(-1, 16)
print("pixels as rows, no copy:", np.shares_memory(flat, y))
one = rng.standard_normal((8, 16, 1, 1)).astype(np.float32)
direct = (flat @ one.reshape(8, 16).T).reshape(4, 24, 24, 8).transpose(0, 3, 1, 2)
print("1x1 convolution - product:", np.abs(mg.conv2d(y, one) - direct).max())
first = np.ascontiguousarray(np.broadcast_to(x[:1], (64, *x.shape[1:])))
last = first.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2)
for name, a in (("channels first", first), ("channels last", last)):
    print(f"{name}: 3x3 in {seconds(lambda: mg.conv2d(a, w, padding=1)) * 1e3:.1f} ms, "
          f"1x1 in {seconds(lambda: mg.conv2d(a, one)) * 1e3:.1f} ms")

# %% [markdown]
# ## Where to go on
#
# `minigrad/kernels/conv.py` has all of this in about 120 lines, with strides, dilation and groups;
# `direct` in it is section 1. `python -m experiments summary resnet50 --macs` counts the products
# of a whole network. The next walkthrough, `05_weights.py`, opens the file its weights come in.
