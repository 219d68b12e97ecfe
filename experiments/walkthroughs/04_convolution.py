# %% [markdown]
# # Convolution: one sum, three maps
#
# A convolution layer multiplies and adds, nothing more. We write it as seven loops, find its two
# gradients without differentiating anything, turn all of it into matrix products, and look at how
# the numbers should lie in memory for that.
#
# **You will learn**
#
# - to see a convolution as filter, as matrix, and as one of three maps that transpose each other,
# - what its gradients look like, and how they find a filter that nobody has told them,
# - how far a pixel of a deep layer sees,
# - why frameworks turn images into columns, and store them channels last.
#
# **You need** matrices and their transposes, and the first walkthrough,
# [`01_autograd.py`](01_autograd.py). It runs in five seconds.

# %%
import itertools
import time

import numpy as np
from matplotlib.colors import ListedColormap

import minigrad as mg
from experiments.photo import load_photo
from experiments.style import PALETTE, new_figure, show
from minigrad import nn, optim
from minigrad.kernels import conv as kernel
from minigrad.kernels.runtime.window import Window

rng = np.random.default_rng(0)


def show_images(images, inches, reach=None, cmap="gray"):
    """A row of images {title: array}, from -reach to reach; None: each from its least value on."""
    figure = new_figure(7.5, inches)
    for ax, (title, image) in zip(figure.subplots(1, len(images)), images.items()):
        low, high = (image.min(), image.max()) if reach is None else (-reach, reach)
        ax.imshow(image, cmap=cmap, vmin=low, vmax=high, interpolation="nearest")
        ax.set_title(title, fontsize=10)
        ax.set(xticks=[], yticks=[])
    show(figure)


# %% [markdown]
# ## 1. The definition
#
# $$y_{n,o,i,j} = \sum_{c,u,v} x_{n,\,c,\;i s + u - p,\;j s + v - p} \; w_{o,c,u,v}$$
#
# Each output pixel is the sum of a window of the input times a filter. Outside of the image $x$ is
# 0. (The filter is not turned around: strictly this is *cross-correlation*. Since the filter is
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
# What a filter is for can be seen on a photograph. Whatever looks like the filter gives a large
# number; where the filter's weights sum to 0, flat parts give 0 (grey). A layer has dozens of
# filters, and the next layer looks at their answers. (Weights below 0 are orange, above violet.)

# %%
photo = (load_photo()[30:330, 90:390] @ np.array([0.299, 0.587, 0.114]) / 255)[None, None]
edge = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
filters = {"left to right": edge, "top to bottom": edge.T,
           "spots": np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]) / 8}
bank = np.stack(list(filters.values()))[:, None]
answers = mg.conv2d(photo, bank, padding=1)[0]
show_images({"photograph": photo[0, 0] * 0.5 - 0.25, **dict(zip(filters, answers))}, 2.2, 0.25)
show_images({f"the filter: {name}": f for name, f in filters.items()}, 1.7, 0.6, "PuOr")

# %% [markdown]
# ## 2. It is a matrix, and so is its gradient
#
# For a fixed filter, $y$ depends linearly on $x$, so some matrix $A$ does the same: $y = A x$. To
# see it, send in one pixel at a time; what comes out is a column of $A$. Most of it is zeros, and
# the rest are a few weights over and over: that is all that distinguishes it from a dense layer.


# %%
def matrix(w, side, **how):
    pixels = np.eye(side * side).reshape(-1, 1, side, side)
    return mg.conv2d(pixels, w, **how).reshape(len(pixels), -1).T


small = rng.standard_normal((1, 1, 3, 3))
A = matrix(small, 4)
print("A is", A.shape, "with", np.count_nonzero(A), "of", A.size, "entries not 0, and",
      len(np.unique(A[A != 0])), "different ones")
print(np.round(A[:, :8], 1))
show_images({f"{how}: {m.shape[0]} × {m.shape[1]}": m for how, m in (
    ("8 × 8 pixels", matrix(small, 8)), ("stride 2", matrix(small, 8, stride=2)),
    ("padding 1", matrix(small, 8, padding=1)))}, 2.6, 2.5, "PuOr")

# %% [markdown]
# The gradient of $y = A x$ is
#
# $$\frac{\partial L}{\partial x} = A^\top \frac{\partial L}{\partial y}.$$
#
# No calculus: the *transposed* map. It takes each output's gradient and adds it, times the filter,
# to the pixels that this output has looked at. Frameworks call it transposed convolution; decoders
# use it to make images larger. Five outputs with a gradient, so, are five stamps of the filter.

# %%
gy = rng.standard_normal((1, 1, 2, 2))
by_matrix = (A.T @ gy.ravel()).reshape(1, 1, 4, 4)
by_map = mg.conv_transpose2d(gy, small)
print("A^T gy - conv_transpose2d:", np.abs(by_matrix - by_map).max())

cross = np.array([[0, 1, 0], [1, 2, 1], [0, 1, 0.0]])[None, None]
stamps = np.zeros((1, 1, 12, 12))
stamps[0, 0, [1, 2, 6, 9, 9], [2, 8, 5, 1, 10]] = [1, -1, 1, -0.5, 0.5]
show_images({"the filter $w$": cross[0, 0], r"$\partial L/\partial y$": stamps[0, 0],
             r"$\partial L/\partial x$, stride 1": mg.conv_transpose2d(stamps, cross)[0, 0],
             r"$\partial L/\partial x$, stride 2":
                 mg.conv_transpose2d(stamps, cross, stride=2)[0, 0]}, 2.3, 2, "PuOr")

# %% [markdown]
# ## 3. Three maps that transpose each other
#
# $y$ is linear in the filter too, so there is a third map for $\partial L/\partial w$. The
# transpose of a linear map moves to the other side of an inner product,
# $\langle A x, g \rangle = \langle x, A^\top g \rangle$, which is how to test one without knowing
# its matrix. All three inner products are the same sum over $x$, $w$ and $g$, taken in another
# order:

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
# The gradient at work: somebody has sent the photograph through a filter and tells us only what
# came out. We begin with a filter of zeros, compare, and let the optimizer follow
# $\partial L / \partial w$.

# %%
part = photo[..., 60:210, 60:210]
answer = mg.Tensor(mg.conv2d(part, edge[None, None]))
guess, stages = nn.Parameter(np.zeros((1, 1, 3, 3))), {}
optimizer = optim.Adam([guess], lr=0.02)
for step in range(201):
    if step in (0, 5, 25, 75, 200):
        stages[f"step {step}"] = guess.detach().numpy()[0, 0].copy()
        print(f"step {step:3}: largest error of a weight "
              f"{np.abs(stages[f'step {step}'] - edge).max():.4f}")
    L = mg.mse_loss(mg.conv2d(mg.Tensor(part), guess), answer)
    optimizer.zero_grad()
    L.backward()
    optimizer.step()
show_images({**stages, "the truth": edge}, 1.7, 0.3, "PuOr")

# %% [markdown]
# ## 4. How far a pixel sees
#
# One 3x3 layer sees 3x3 pixels; the next sees 3x3 of those, so 5x5. A stride multiplies what later
# layers add. With kernels $k_l$ and strides $s_l$, the *receptive field* is
#
# $$r = 1 + \sum_l (k_l - 1) \prod_{m < l} s_m$$
#
# pixels wide. The gradient of one output pixel with respect to the image shows it, with how much
# each pixel counts: less towards the rim, where fewer paths lead from.


# %%
def sees(*strides, side=63):
    x = mg.Tensor(np.zeros((1, 1, side, side)), requires_grad=True)
    y = x
    for stride in strides:
        y = mg.conv2d(y, mg.Tensor(np.full((1, 1, 3, 3), 1 / 9)), stride=stride, padding=1)
    y[0, 0, y.shape[2] // 2, y.shape[3] // 2].backward()
    field = x.grad.numpy()[0, 0]
    print(f"strides {strides}: sees {np.count_nonzero(field.any(axis=0))} pixels across")
    return field / field.max()


show_images({"1 layer": -sees(1), "4 layers": -sees(1, 1, 1, 1), "8 layers": -sees(*[1] * 8),
             "4 layers, strides 2": -sees(2, 2, 2, 2)}, 2.2)

# %% [markdown]
# ## 5. im2col: many small sums as one large product
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
# The gradients are products with the same columns: $\partial L/\partial w =
# \text{columns}^\top g$, and $\partial L/\partial x = g w$, whose rows are added back to where the
# windows were ("col2im"). The columns need not exist all at once; minigrad makes them for a few
# images at a time, as much as fits the cache, and forgets them.
#
# ## 6. Why channels last
#
# Shapes are (N, C, H, W), as everywhere. In memory, minigrad keeps the C numbers of one pixel side
# by side: an image is (H, W, C), looked at through a transposed view. The strides tell.

# %%
y = mg.conv2d(x, w, padding=1)
for name, a in (("x, from outside", x), ("y, made by conv2d", y)):
    print(f"{name:20}shape {a.shape}, steps in numbers {tuple(s // 4 for s in a.strides)}")

# %% [markdown]
# Two things get simpler. What a 3x3 window reads is then three runs of 3 C numbers, copied as a
# whole, instead of 3 C runs of three numbers from all over the memory. And a 1x1 convolution needs
# no copy at all: the image *is* the matrix, with a pixel per row. In ResNet-50 two of three
# convolutions are 1x1.

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
# The memory of an image of 6x6 pixels and 8 channels, in the order of its addresses, line by line.
# Orange is what one 3x3 window reads, darker for the pixel in its middle.

# %%
read = np.zeros((8, 6, 6))
read[:, 1:4, 2:5] = 1
read[:, 2, 3] = 2
shades = ListedColormap(["#e6e6e6", PALETTE["yellow"], PALETTE["orange"]])
figure = new_figure(7.5, 2.2)
for ax, (name, order) in zip(figure.subplots(1, 2), (("channels first", read),
                                                     ("channels last", read.transpose(1, 2, 0)))):
    ax.pcolormesh(order.reshape(-1, 48), cmap=shades, edgecolors="white", linewidth=0.5)
    runs = np.count_nonzero(np.diff(order.ravel() > 0, prepend=False)) // 2
    ax.set(title=f"{name}: {runs} runs", xticks=[], yticks=[], ylim=(6, 0))
show(figure)

# %% [markdown]
# ## Exercises
#
# **1. The stem of a ResNet.** It begins with a 7x7 convolution of stride 2 and a 3x3 max pooling of
# stride 2. How wide is the receptive field of a pixel behind it? Measure it like section 4, with
# an average pooling.
#
# <details><summary>Solution</summary>
#
# ```python
# x = mg.Tensor(np.zeros((1, 1, 63, 63)), requires_grad=True)
# y = mg.conv2d(x, mg.Tensor(np.ones((1, 1, 7, 7))), stride=2, padding=3)
# y = mg.avg_pool2d(y, 3, stride=2, padding=1)
# y[0, 0, 8, 8].backward()
# width = np.count_nonzero(x.grad.numpy().any(axis=(0, 1, 2)))
# print(width, "pixels")
# assert width == 1 + 6 * 1 + 2 * 2
# ```
#
# $1 + 6 \cdot 1 + 2 \cdot 2 = 11$.
#
# </details>

# %% [markdown]
# **2. Two thin ones.** The edge filter of section 1 is a column times a row. So two convolutions
# do its work, 3x1 and then 1x3. Check it, and count the products per pixel.
#
# <details><summary>Solution</summary>
#
# ```python
# column, row = np.array([1, 2, 1.0]), np.array([-1, 0, 1]) / 8
# assert (np.outer(column, row) == edge).all()
# thin = mg.conv2d(mg.conv2d(photo, column.reshape(1, 1, 3, 1)), row.reshape(1, 1, 1, 3))
# error = np.abs(thin - mg.conv2d(photo, edge[None, None])).max()
# print("largest difference:", error)
# assert error < 1e-14
# ```
#
# Equal but for rounding, for 3 + 3 products instead of 9; of a 7x7 filter, 14 instead of 49. Most
# filters have no such form: it takes a matrix of rank 1.
#
# </details>

# %% [markdown]
# **3. The chessboard.** Decoders enlarge with `conv_transpose2d(..., stride=2)`. Send an image of
# ones through it with a 3x3 filter of ones, and with a 4x4 one. What do you see, and why?
#
# <details><summary>Solution</summary>
#
# ```python
# for k, values in ((3, {1, 2, 4}), (4, {4})):
#     large = mg.conv_transpose2d(np.ones((1, 1, 5, 5)), np.ones((1, 1, k, k)), stride=2)[0, 0]
#     print(large[2:-2, 2:-2])
#     assert set(large[2:-2, 2:-2].ravel()) == values
# ```
#
# With 3x3, values of 1, 2 and 4 like a chessboard: 3 is no multiple of the stride, so some pixels
# lie under more stamps than others. With 4x4 all inner values are 4. A. Odena, V. Dumoulin and
# C. Olah, "Deconvolution and Checkerboard Artifacts"
# ([doi:10.23915/distill.00003](https://doi.org/10.23915/distill.00003)), show it in generated
# pictures.
#
# </details>

# %% [markdown]
# ## Where to go on
#
# - [`minigrad/kernels/conv`](../../minigrad/kernels/conv/__init__.py) has all of this in about 120
#   lines, with strides, dilation and groups; `direct` in it is section 1.
# - `python -m experiments summary resnet50 --macs` counts the products of a whole network.
# - V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning",
#   [arXiv:1603.07285](https://arxiv.org/abs/1603.07285): sizes, strides and transposes in pictures.
# - K. Chellapilla, S. Puri, P. Simard, "High Performance Convolutional Neural Networks for Document
#   Processing" (2006): the paper that made columns of images.
# - Next: [`05_weights.py`](05_weights.py) opens the file that a network's weights come in.
