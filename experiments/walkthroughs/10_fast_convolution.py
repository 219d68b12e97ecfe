# %% [markdown]
# # Fast convolution: one sum, five speeds
#
# A 3x3 layer of ResNet-18 multiplies and adds 116 million times for one photograph. We compute it
# by loops, pixel by pixel, by shifted views, by columns, and by Winograd's algorithm, with half of
# the products: the last is faster than the first by a factor of tens of thousands. All five are
# right. Of each we measure the time and the rounding error.
#
# **You will learn**
#
# - why the same sums take such different times, and what a processor wants to be asked for,
# - what columns cost in memory, and why they are made block by block,
# - how Winograd's algorithm saves products, where its numbers come from, and what it loses,
# - to judge a speed: by the clock, beside a bound, together with an error.
#
# **You need** sections 1 to 3 and 5 of [`04_convolution.py`](04_convolution.py). It runs in ten
# seconds: as a script, or cell by cell in VS Code or Jupyter.

# %%
import math
from functools import partial

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from experiments.style import show
from experiments.teaching_aids import convolution_pictures as pictures
from experiments.teaching_aids.stopwatch import compared, error, multiply_adds, table, yardstick
from minigrad.kernels import conv
from minigrad.kernels.runtime.window import Window

rng = np.random.default_rng(0)

# %% [markdown]
# ## 1. The definition
#
# Images lie in memory as (N, H, W, C), channels last, and filters as (3, 3, C, O). Outside of the
# image $x$ is 0. Then
#
# $$y_{n,i,j,o} = \sum_{u=0}^{2} \sum_{v=0}^{2} \sum_{c} x_{n,\,i+u-1,\,j+v-1,\,c}\; w_{u,v,c,o}$$
#
# takes $9 \, N H W C O$ *multiply-adds*. We write it down as seven loops, and once more with the
# sum over $c$ as a small matrix product, (N, C) times (C, O), for each pixel and tap. The second
# one, in float64, is what all others are compared with.


# %%
def padded(x, below=1):
    """x (N, H, W, C) with zeros around it: a row above, a column on both sides, rows below."""
    return np.pad(x, ((0, 0), (1, below), (1, 1), (0, 0)))


def loops(x, w):
    x, y = padded(x), np.zeros((*x.shape[:3], w.shape[3]), x.dtype)
    for n, i, j, o in np.ndindex(y.shape):
        for u, v, c in np.ndindex(w.shape[:3]):
            y[n, i, j, o] += x[n, i + u, j + v, c] * w[u, v, c, o]
    return y


def by_pixel(x, w):
    x, y = padded(x), np.zeros((*x.shape[:3], w.shape[3]), x.dtype)
    for i, j in np.ndindex(y.shape[1:3]):
        for u, v in np.ndindex(3, 3):
            y[:, i, j] += x[:, i + u, j + v] @ w[u, v]                      # (N, O)
    return y


def layer(channels, size, n=4):
    """x and w of a 3x3 layer, and its y in float64."""
    x = rng.standard_normal((n, size, size, channels), np.float32)
    w = rng.standard_normal((3, 3, channels, channels), np.float32) / (3 * math.sqrt(channels))
    return x, w, by_pixel(x.astype(float), w.astype(float))


# %% [markdown]
# The clock of a shared computer wanders, so contenders take turns, and we take medians; all on one
# thread ([`stopwatch.py`](../teaching_aids/stopwatch.py)). The yardstick is a product of two square
# matrices, which processors compute fastest, with about as many multiply-adds as the layer. The
# loops get a tiny layer. An error is the largest difference, as a share of the largest output.

# %%
ceiling, tiny, (x, w, want) = yardstick(768), layer(8, 5, n=1), layer(64, 56)
print(f"multiply-adds: square matrices {768**3:,}, four photographs {multiply_adds(x, w):,}")
ways = compared({"loops (tiny)": loops}, *tiny) | compared({"by pixel": by_pixel}, x, w, want)
print(f"square matrices {ceiling:25.3f} G/s", table(ways), sep="\n")
assert max(row.error for row in ways.values()) < 2e-6

# %% [markdown]
# The loops interpret a line of Python for each multiply-add. By pixel, Python is rarely asked, but
# the products are too small: for four rows of $C$ numbers each fetches all $C O$ weights of a tap,
# so a weight that has been fetched serves four times. In the square product it serves 768 times.
#
# ## 2. Shifted views
#
# Exchange the loops. What *all* of $y$ needs for one tap $(u, v)$ is an image too: $x$, moved by a
# few pixels. That is a view, a few numbers that say where to begin and how far to step; nothing is
# copied. Nine products are left. (Within each, NumPy goes from row to row, W pixels at a time.)


# %%
def by_tap(x, w):
    x, y = padded(x), np.zeros((*x.shape[:3], w.shape[3]), x.dtype)
    height, width = y.shape[1:3]
    for u, v in np.ndindex(3, 3):
        y += x[:, u:u + height, v:v + width] @ w[u, v]                      # (N, H, W, O)
    return y


ways |= compared({"by tap": by_tap}, x, w, want)
print(table(ways))
assert ways["by tap"].error < 2e-6

# %% [markdown]
# Simple, and good. But the sums have just $C$ terms, and for them all of $y$ is read and written
# nine times; and products of one row of pixels are small, with which not every BLAS is fast. (With
# kernels for AVX-512, views may stay ahead of columns; set `OPENBLAS_CORETYPE=Haswell` to compare.)
#
# ## 3. Columns
#
# A single product with sums of $9 C$ terms needs the nine pixels of each window in one row. So copy
# them there: *im2col*. The picture shows an image of 4 x 4 pixels, numbered, with one channel. The
# view of a tap has become a column, and a pixel stands in the matrix up to nine times.
#
# That is nine times the memory of $x$: what is written has left the cache when it is read. But
# nobody needs all columns at once. Make those of a few rows of an image, multiply, and use their
# memory again. If such a block is too small, so are the products; if it is too large, the cache
# does not hold it. The last point of the curve is one block of everything.


# %%
def windows(x):
    """All windows, as a view (N, H, W, 3, 3, C)."""
    return sliding_window_view(padded(x), (3, 3), (1, 2)).transpose(0, 1, 2, 4, 5, 3)


def blocks(n, rows, row_bytes, size):
    """Slices (images, rows) that cut N images of so many rows into blocks of about `size` bytes."""
    high, many = min(rows, max(1, size // row_bytes)), max(1, size // (row_bytes * rows))
    return [np.s_[i:i + many, j:j + high] for i in range(0, n, many) for j in range(0, rows, high)]


def by_columns(x, w, size=2**20):
    (n, height, *_, c), seen = x.shape, windows(x)
    y = np.empty((*x.shape[:3], w.shape[3]), x.dtype)
    for block in blocks(n, height, seen[0, 0].nbytes, size):
        columns = seen[block].reshape(-1, 9 * c)                            # (n rows W, 9 C)
        np.matmul(columns, w.reshape(9 * c, -1), out=y[block].reshape(len(columns), -1))
    return y


numbers = np.arange(1, 17).reshape(1, 4, 4, 1)
show(pictures.tap_and_column(padded(numbers)[0, ..., 0], windows(numbers).reshape(16, 9)))
print(f"x has {x.nbytes / 2**20:.1f} MiB, all columns {windows(x).nbytes / 2**20:.1f}")
curve = compared({2**k: partial(by_columns, size=2**k) for k in range(17, 26)}, x, w, want)
show(pictures.speed_by_block(curve, {"square matrices": ceiling, "by tap": ways["by tap"].rate}))
ways |= compared({"columns": by_columns}, x, w, want)
print(table(ways))
assert max(row.error for row in curve.values()) < 4e-6

# %% [markdown]
# Now most of the time goes into products of a good shape. To be faster yet, multiply less.
#
# ## 4. Four products instead of six
#
# Take four numbers $d$ and a filter $g$ of three taps, in one dimension. Two outputs,
#
# $$y_0 = d_0 g_0 + d_1 g_1 + d_2 g_2, \qquad y_1 = d_1 g_0 + d_2 g_1 + d_3 g_2,$$
#
# take six products. By Winograd's $F(2, 3)$ they take four (Lavin and Gray, 2016, eq. 5):
#
# $$\begin{aligned} m_1 &= (d_0 - d_2)\, g_0 & m_2 &= (d_1 + d_2)\, \tfrac12 (g_0 + g_1 + g_2) \\
# m_4 &= (d_1 - d_3)\, g_2 & m_3 &= (d_2 - d_1)\, \tfrac12 (g_0 - g_1 + g_2) \end{aligned}$$
#
# $$y_0 = m_1 + m_2 + m_3, \qquad y_1 = m_2 - m_3 - m_4$$
#
# The additions cost little: what is made of $g$ is made once, what is made of $d$ serves all
# filters, and the $m$ are summed over all channels before $y$ is made of them. In the middle, where
# most of the work is, four products replace six.

# %%
d, g = rng.standard_normal(4), rng.standard_normal(3)
m1, m2 = (d[0] - d[2]) * g[0], (d[1] + d[2]) * (g[0] + g[1] + g[2]) / 2
m4, m3 = (d[1] - d[3]) * g[2], (d[2] - d[1]) * (g[0] - g[1] + g[2]) / 2
y = np.array([m1 + m2 + m3, m2 - m3 - m4])
print("four products:", y, "six:", np.correlate(d, g))
assert error(y, np.correlate(d, g)) < 1e-13

# %% [markdown]
# ## 5. Where the numbers come from
#
# From the product of two polynomials, with $m$ coefficients $a$ and three coefficients $g$. It has
# $k = m + 2$ coefficients, $c_i = \sum_j a_{i-j}\, g_j$: a convolution. But $k$ coefficients are
# known if the *values* at $k$ points are, and values are multiplied point by point. With a matrix
# $V_n$ that evaluates $n$ coefficients at all $k$ points,
#
# $$V_k\, c = (V_3\, g) \odot (V_m\, a), \quad \text{so} \quad
# c = V_k^{-1}\, \text{diag}(V_3\, g)\, V_m\, a.$$
#
# The transpose of $a \mapsto c$ is the map that we want, $y_i = \sum_j d_{i+j}\, g_j$ (walkthrough
# 04, section 3). It has the matrix $V_m^\top\, \text{diag}(V_3\, g)\, V_k^{-\top}$, in other words:
#
# $$y = A^\top \left[ (G g) \odot (B^\top d) \right], \qquad
# A = V_m, \quad G = V_3, \quad B = V_k^{-1}$$
#
# One point may be infinity, where the "value" is the last coefficient. The points 0, 1, -1 and
# infinity give $F(2, 3)$ (eq. 6 and 7, but for signs). $F(4, 3)$, with four outputs, takes six.

# %%
POINTS = 0, 2 / 3, -2 / 3, 3 / 2, -3 / 2        # and infinity


def values(points, n):
    """The matrix that takes n coefficients to the polynomial's values, infinity's last."""
    return np.vstack([np.vander(points, n, increasing=True), np.eye(n)[-1]])


def transforms(points):
    """B^T (k, k), G (k, 3) and A^T (m, k) of F(m, 3)."""
    k = len(points) + 1
    bt, g, at = np.linalg.inv(values(points, k)).T, values(points, 3), values(points, k - 2).T
    leading = bt[:-1, -2:-1].copy()             # a factor of a row may stand in B^T or in G
    bt[:-1], g[:-1] = bt[:-1] / leading, g[:-1] * leading
    return bt, g, at


(bt, g3, at), d = transforms(POINTS), rng.standard_normal(6)
print(*(matrix.round(4) + 0 for matrix in transforms((0, 1, -1))), sep="\n\n")
assert error(at @ ((g3 @ g) * (bt @ d)), np.correlate(d, g)) < 1e-13
show(pictures.matrices({"$B^T$: 6 rows of pixels": bt, "$G$: 3 rows of taps": g3,
                        "$A^T$: back to 4 rows": at}))

# %% [markdown]
# ## 6. Half of the products
#
# We apply $F(4, 3)$ down the image only. Six rows of pixels become six transformed rows, three rows
# of taps become six, and their six products become four rows of outputs, which took 12 products of
# rows before. Along a row all is as before, with columns of $3 C$ numbers: matrices stay large.


# %%
def with_columns(d, filters):
    """Rows of pixels (k, n, b, W + 2, C) times rows of taps (k, 3, C, O) -> (k, n, b, W, O)."""
    columns = sliding_window_view(d, 3, 3).swapaxes(4, 5)                   # (k, n, b, W, 3, C)
    k, *shape, _, c = columns.shape
    return (columns.reshape(k, -1, 3 * c) @ filters.reshape(k, 3 * c, -1)).reshape(k, *shape, -1)


def winograd(x, w, points=POINTS, multiply=with_columns, size=2**20):
    bt, g, at = (matrix.astype(x.dtype) for matrix in transforms(points))
    (n, height, width, c), o, k, m = x.shape, w.shape[3], len(bt), len(at)
    bands = -(-height // m)
    filters = (g @ w.reshape(3, -1)).reshape(k, 3, c, o)
    rows = sliding_window_view(padded(x, 1 + bands * m - height), k, 1)[:, ::m]
    y = np.empty((n, bands, m, width, o), x.dtype)
    for block in blocks(n, bands, k * width * 3 * c * x.itemsize, size):
        d = np.moveaxis(rows[block], -1, 0)                                 # (k, n, b, W + 2, C)
        d = (bt @ d.reshape(k, -1)).reshape(d.shape)
        products = multiply(d, filters)                                     # (k, n, b, W, O)
        back = (at @ products.reshape(k, -1)).reshape(m, *products.shape[1:])
        y[block] = np.moveaxis(back, 0, 2)                                  # (n, b, m, W, O)
    return y.reshape(n, -1, width, o)[:, :height]


ways |= compared({"Winograd F(4, 3)": winograd}, x, w, want)
print(table(ways), f"square matrices {ceiling:25.3f} G/s", sep="\n")
assert ways["Winograd F(4, 3)"].error < 1e-5

# %% [markdown]
# G/s counts the multiply-adds of the *definition*, so this may surpass the yardstick, if the passes
# over memory for the transforms leave enough. $F(4 \times 4, 3 \times 3)$, down *and* across, saves
# three quarters, but makes 36 smaller products, twice the passes, and more rounding (exercise 2).
#
# Why not six rows from eight products, or eight from ten? The saving hardly grows, and the error
# does: powers of more points lie further apart, and large numbers come to cancel. The points matter
# too: Lavin and Gray's 0, 1, -1, 2, -2 make rounder matrices, and a larger error.

# %%
variants = {"F(2, 3)": (0, 1, -1), "F(4, 3)": POINTS, "F(4, 3), rounder": (0, 1, -1, 2, -2),
            "F(6, 3)": (0, 1, -1, 2, -2, 1 / 2, -1 / 2),
            "F(8, 3)": (0, 1, -1, 2, -2, 1 / 2, -1 / 2, 3 / 2, -3 / 2)}
contenders = {name: partial(winograd, points=points) for name, points in variants.items()}
rows = compared({"columns": by_columns} | contenders, *layer(128, 28))
print(table(rows))
shares = [(len(points) + 1) / (3 * (len(points) - 1)) for points in variants.values()]
show(pictures.savings(rows, [1, *shares]))
assert 4 * rows["F(4, 3)"].error < rows["F(8, 3)"].error < 3e-4

# %% [markdown]
# ## 7. Side by side
#
# Three layers of ResNet-18 with as many multiply-adds, but fewer pixels and more channels from one
# to the next. The last way is minigrad's own: it looks up a *plan* by the shape and by the kernels
# of BLAS on this machine, in a table that was made by measuring. The plan `winograd` is the way of
# section 6, and `winograd_views` that of exercise 3, with shifted views in the place of columns.


# %%
def with_minigrad(channels, size):
    """The name of the plan that minigrad takes, and what is measured of all ways."""
    x, w, want = layer(channels, size)
    images, filters = x.transpose(0, 3, 1, 2), w.transpose(3, 2, 0, 1).copy()
    window = Window.of((3, 3), 1, 1, "conv2d")

    def minigrad(*_):
        return conv.forward(images, filters, window).transpose(0, 2, 3, 1)

    ways = {"by pixel": by_pixel, "by tap": by_tap, "columns": by_columns, "Winograd": winograd}
    return conv.plan_name(images, filters, window, 1), compared(
        ways | {"minigrad": minigrad}, x, w, want)


ceiling, measured = yardstick(768), {}
print(f"on {conv.plans.machine()}: square matrices {ceiling:.3f} G/s")
for channels, size in (64, 56), (128, 28), (256, 14):
    plan, rows = with_minigrad(channels, size)
    print(f"\n{channels} channels, {size} x {size}; minigrad takes {plan}\n{table(rows)}")
    measured[f"{channels} × {size} × {size}"] = rows
    assert max(row.error for row in rows.values()) < 1e-5
show(pictures.side_by_side(measured, ceiling))

# %% [markdown]
# Which wins depends on the machine, and a few milliseconds on a busy one prove little. The reasons
# carry over: ask for few and large products, use what you have made while it is in the cache, save
# products where they are what takes the time. So do the errors: by tap, nine short sums are added,
# columns make one long sum, and Winograd's numbers partly cancel.

# %% [markdown]
# ## Exercises
#
# **1. How many channels?** From how many channels C on, in and out, does `winograd` take fewer
# multiply-adds than the definition, if those of both transforms count? From when on less time?
#
# <details><summary>Solution</summary>
#
# ```python
# for c in (3, 4, 8, 16, 32, 64):
#     ours, definition = 6 * 3 * c * c + 6 * 6 * c + 4 * 6 * c, 4 * 9 * c * c
#     rows = compared({"columns": by_columns, "Winograd": winograd}, *layer(c, 28))
#     print(f"{c} channels: {ours / definition:.0%} of the multiply-adds, "
#           f"{rows['Winograd'].milliseconds / rows['columns'].milliseconds:.0%} of the time")
#     assert (ours < definition) == (c >= 4) and rows["Winograd"].error < 1e-5
# ```
#
# By the count from 4 on, by the clock later: for the transforms, memory decides and not arithmetic.
#
# </details>

# %% [markdown]
# **2. Down and across.** With the same matrices, compute tiles of 4 x 4 outputs from 6 x 6 pixels:
# $A^\top [(G g G^\top) \odot (B^\top d B)] A$. Sum over 128 channels in float32. How many products
# are left, and how large is the error beside that of going down only?
#
# <details><summary>Solution</summary>
#
# ```python
# d, g = rng.standard_normal((100, 128, 6, 6)), rng.standard_normal((128, 3, 3))
# truth = np.einsum("tcijuv,cuv->tij", sliding_window_view(d, (3, 3), (2, 3)), g)
# bt, g3, at, d, g = (a.astype(np.float32) for a in (*transforms(POINTS), d, g))
# both = at @ ((g3 @ g @ g3.T) * (bt @ d @ bt.T)).sum(1) @ at.T
# down = at @ np.einsum("tckjv,ckv->tkj", sliding_window_view(bt @ d, 3, 3), g3 @ g)
# print(f"errors: {error(both, truth):.1e}, and going down only {error(down, truth):.1e}")
# assert error(down, truth) < error(both, truth) < 1e-5
# ```
#
# Of 144 products for a tile 36 are left, a quarter. The error is larger: it is amplified twice.
#
# </details>

# %% [markdown]
# **3. Views again.** Multiply the transformed rows as shifted views. What do time and error become?
#
# <details><summary>Solution</summary>
#
# ```python
# def with_views(d, filters):
#     width = d.shape[3] - 2
#     return sum(d[:, :, :, v:v + width] @ filters[:, None, None, v] for v in range(3))
#
#
# views = partial(winograd, multiply=with_views)
# print(table(rows := compared({"columns": winograd, "views": views}, x, w, want)))
# assert rows["views"].error < 1e-5
# ```
#
# The error is about half, as three short sums are added. The time hangs on BLAS, as in section 2.
#
# </details>

# %% [markdown]
# ## Where to go on
#
# - [`columns.py`](../../minigrad/kernels/conv/columns.py) and
#   [`winograd.py`](../../minigrad/kernels/conv/winograd.py) are minigrad's own ways;
#   [`plans.py`](../../minigrad/kernels/conv/plans.py) is the table.
# - `python -m experiments.benchmarks conv` races all plans on the layers of six networks.
# - A. Lavin, S. Gray, "Fast Algorithms for Convolutional Neural Networks" (2016):
#   [arXiv:1509.09308](https://arxiv.org/abs/1509.09308).
# - B. Barabasz and others, "Error Analysis and Improving the Accuracy of Winograd Convolution for
#   Deep Neural Networks" (2020), on points: [arXiv:1803.10986](https://arxiv.org/abs/1803.10986).
