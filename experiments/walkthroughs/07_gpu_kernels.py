# %% [markdown]
# # GPU kernels: from a thread's number to tensor cores
#
# A GPU runs one short function, a *kernel*, in thousands of threads at once. We read the kernels in
# `minigrad/kernels/*/*.cu`, run them, and follow one 3x3 convolution through four ways of computing
# it, which all multiply the same numbers and differ in how often they fetch them from memory.
#
# No GPU is needed: g++ compiles the very same source behind a header that plays the GPU. It runs
# threads one after another, so it says nothing about speed, but it sees what a GPU hides: each
# launch runs with its threads in three orders, between guard bytes, into memory full of NaN.
#
# **You will learn**
#
# - to read a kernel: what a thread, a block and a warp are, and how a thread finds its work,
# - why not arithmetic but memory decides, and to count operations per byte,
# - what tiles in shared memory and tensor cores do about it, and how races are lost and found,
# - to read a roofline: how fast a layer can be at most, on which GPU, and what holds it back.
#
# **You need** [`04_convolution.py`](04_convolution.py), a little C++, and g++ on Linux. It runs in
# fifteen seconds the first time: as a script, or cell by cell in VS Code or Jupyter.

# %%
import math
import re
from collections import namedtuple
from pathlib import Path

import numpy as np

import minigrad as mg
from experiments import roofline
from experiments.results import save_figure
from experiments.style import show
from experiments.teaching_aids import kernel_pictures
from experiments.teaching_aids.emulated import caught, compiled, empty, listing, source, to_gpu
from minigrad.kernels.runtime import cuda
from minigrad.kernels.runtime.window import Window
from minigrad.kernels.testing import emulator

if emulator.MISSING:
    raise SystemExit(f"this walkthrough {emulator.MISSING}")

rng = np.random.default_rng(0)

# %% [markdown]
# ## 1. A thread and its number
#
# Threads come in *blocks*, here of 256, and a launch starts as many blocks as it needs. All threads
# run the same text; what tells them apart is `blockIdx` and `threadIdx`. From these each finds its
# number i, and makes element i of the result. A thousand elements take 4 blocks, which are 1024
# threads: the last 24 must do nothing, or they would write over what lies behind the array.

# %%
right = listing("elementwise.cu", "relu_gradient")
print(listing("common.cuh", "thread_number"), right, sep="\n")
hasty = right.replace("if (i < size) ", "").replace("relu_gradient", "careless")
relu_gradient, careless = compiled(right + hasty, "relu_gradient", "careless")
gy, y = rng.standard_normal((2, 1000)).astype(np.float32)
arguments, gx = (np.int32(1000), to_gpu(gy), to_gpu(y)), empty(1000)
relu_gradient((4,), (256,), (*arguments, gx))
print("relu_gradient as in NumPy:", np.array_equal(gx.host, gy * (y > 0)))
assert np.array_equal(gx.host, gy * (y > 0))
print("without `if (i < size)`:", caught(careless, (4,), (256,), (*arguments, empty(1000))))

# %% [markdown]
# ## 2. One thread per output
#
# The layer to compute: 3x3 taps, padding 1, C channels in and O out,
#
# $$y_{n,i,j,o} = \sum_{u=0}^{2} \sum_{v=0}^{2} \sum_{c} x_{n,\,i+u-1,\,j+v-1,\,c}\; w_{u,v,c,o}.$$
#
# Images lie in memory as (N, H, W, C), the weights as (tap, C, O). Thread i makes one number of y:
# `for_pixels` visits the pixels of its window; it multiplies and adds their channels. `Place` turns
# i into (image, row, column, channel). (minigrad does so for convolutions in many thin groups.)


# %%
class Layer(namedtuple("Layer", "n size c o")):  # size: H = W
    pixels = property(lambda a: a.n * a.size**2)
    # pairs of a window and a pixel that it meets: at the edge a tap of three is outside
    met = property(lambda a: a.n * (3 * a.size - 2)**2)
    operations = property(lambda a: 2 * a.pixels * 9 * a.c * a.o)  # a product and a sum each


small, resnet = Layer(2, 12, 8, 16), Layer(64, 56, 64, 64)  # to run; in ResNet-18, to count
x = rng.standard_normal((small.n, small.size, small.size, small.c)).astype(np.float32)
w = rng.standard_normal((9, small.c, small.o)).astype(np.float32)


def convolution(x, w):
    """By NumPy, in float64."""
    w = w.reshape(3, 3, *w.shape[1:]).transpose(3, 2, 0, 1).astype(float)
    return mg.conv2d(x.transpose(0, 3, 1, 2).astype(float), w, padding=1).transpose(0, 2, 3, 1)


want = convolution(x, w)
geometry = cuda.geometry(Window.of((3, 3), 1, 1, "conv2d"), (small.n, small.c, *x.shape[1:3]),
                         (small.n, small.o, *x.shape[1:3]))
print(listing("common.cuh", "for_pixels"), listing("conv.cu", "direct"), sep="\n")
direct, image_to_columns = compiled(source("conv.cu"), "direct", "image_to_columns")
y = empty(*want.shape)
direct((math.ceil(want.size / 256),), (256,),
       (np.int32(want.size), to_gpu(x), to_gpu(w), y, geometry))
print(f"largest difference to NumPy: {np.abs(y.host - want).max():.1e}")
assert np.abs(y.host - want).max() < 1e-5

# %% [markdown]
# How much does it fetch? Two numbers of 4 bytes for every product. Arithmetic is cheap and memory
# is far: what counts is the *arithmetic intensity*
#
# $$I = \frac{\text{operations}}{\text{bytes}}.$$
#
# We note down the bytes that the threads of each way ask for, on the layer of ResNet-18.

# %%
ways = {}


def note(name, bytes_asked):
    ways[name] = bytes_asked
    moved = bytes_asked(resnet)
    print(f"{name}: {moved / 1e6:.2f} MB, {resnet.operations / moved:.2f} FLOP per byte")


note("one thread per output",
     lambda a: 4 * (2 * a.met * a.c * a.o + a.pixels * a.o))  # x and w per product; y
note("every array once", lambda a: 4 * (a.pixels * a.c + 9 * a.c * a.o + a.pixels * a.o))

# %% [markdown]
# The second line is the least there can be. Between the two lies a factor of hundreds: every number
# of x is asked for 9 O times. Caches give many of these answers, but none as fast as not asking.
#
# One thing the kernels do right: the 32 threads of a *warp* run in step, and what they ask for at
# the same moment is fetched in lines of 128 bytes. Channels last, they ask for 32 neighbours:

# %%
show(kernel_pictures.lines_of_memory({"(N, H, W, C)": 1, "(N, C, H, W)": resnet.size**2}))

# %% [markdown]
# ## 3. Columns, and a matrix product
#
# Copy each window into a row of a matrix (`04_convolution.py` has the idea), and the convolution is
# a product of matrices, (pixels, 9 C) times (9 C, O). Matrix products are what GPUs, and the people
# who program them, are best at: minigrad leaves this one to cuBLAS, here to NumPy. The price is a
# copy of x nine times as large, written and read again.

# %%
print(listing("conv.cu", "image_to_columns"))
columns, matrix = empty(small.pixels, 9 * small.c), w.reshape(9 * small.c, small.o)
image_to_columns((math.ceil(columns.host.size / 256),), (256,),
                 (np.int32(columns.host.size), to_gpu(x), columns, geometry))
print("x", x.shape, "-> columns", columns.host.shape)
assert np.count_nonzero(columns.host) == small.met * small.c  # the rest is padding
product = columns.host.astype(float) @ matrix
print(f"columns @ w - NumPy's convolution: {np.abs(product.reshape(want.shape) - want).max():.1e}")
assert np.allclose(product.reshape(want.shape), want, rtol=0, atol=1e-12)

# %% [markdown]
# ## 4. Tiles in shared memory
#
# Why is a product of matrices fast? A thread per element would again ask for two numbers per
# product. But the threads of a block can work together: each block has some *shared memory* beside
# the arithmetic. A block of 16 x 16 threads makes a tile of 16 x 16 elements. It fetches a tile of
# either factor, every thread one number of each, and then multiplies the tiles: each number that
# was fetched once is used 16 times. (The kernel below is the only one here that is not minigrad's.)
#
# `__syncthreads()` is a *barrier*: no thread of the block goes on until all have arrived. The first
# one waits until the tiles are complete, the second until nobody needs them any more.
#
# Below are our columns (the upper rows), w and y. The block that makes the framed tile of y walks
# along the two framed strips, tile by tile, and needs nothing else.

# %%
TILED = """
template <typename T, typename I>
__global__ void product(const T* a, const T* b, T* y, int rows, int terms, int columns) {
    __shared__ T left[16][16], right[16][16];
    int across = (columns + 15) / 16, i = threadIdx.y, j = threadIdx.x;
    int row = blockIdx.x / across * 16 + i, column = blockIdx.x % across * 16 + j;
    T sum = 0;
    for (int first = 0; first < terms; first += 16) {
        left[i][j] = row < rows && first + j < terms ? a[row * terms + first + j] : 0;
        right[i][j] = first + i < terms && column < columns ? b[(first + i) * columns + column] : 0;
        __syncthreads();  // the tiles are complete
        for (int k = 0; k < 16; k++) sum += left[i][k] * right[k][j];
        __syncthreads();  // the tiles may be overwritten
    }
    if (row < rows && column < columns) y[row * columns + column] = sum;
}
"""


def multiply(kernel):
    y = empty(small.pixels, small.o)
    blocks = math.ceil(small.pixels / 16) * math.ceil(small.o / 16)
    kernel((blocks,), (16, 16), (columns, to_gpu(matrix), y,
                                 *map(np.int32, (small.pixels, 9 * small.c, small.o))))
    return y.host


(tiled,) = compiled(TILED, "product")
print(f"largest difference to NumPy: {np.abs(multiply(tiled) - product).max():.1e}")
assert np.abs(multiply(tiled) - product).max() < 1e-5


def columns_in_tiles(a, side=16):
    columns = a.pixels * 9 * a.c
    fetched = math.ceil(a.o / side) * columns + math.ceil(a.pixels / side) * 9 * a.c * a.o
    return 4 * (a.met * a.c + columns + fetched + a.pixels * a.o)  # made, fetched, y


note("columns, tiles of 16 x 16", columns_in_tiles)
show(kernel_pictures.product_of_tiles(columns.host, matrix, product))

# %% [markdown]
# ## 5. Without the barrier
#
# Leave one barrier out, and some thread reads a number that another has not written yet, or has
# already overwritten: a *race*. On a GPU it is lost now and then, on some devices, for some sizes.
# The emulator lets the threads run forward, backward and shuffled, as far as barriers allow, and
# compares. Here is what each order makes of the product. (The other mistake is a barrier that only
# some threads reach: the rest wait for ever.)

# %%
barriers = {name: f"__syncthreads();  // the tiles {name}"
            for name in ("are complete", "may be overwritten")}
versions = [TILED.replace(barrier, "") for barrier in barriers.values()]
versions.append(TILED.replace(barriers["are complete"], "if (j < 8) __syncthreads();"))
*racing, stuck = compiled("".join(code.replace("void product", f"void product_{i}")
                                  for i, code in enumerate(versions)),
                          "product_0", "product_1", "product_2")
errors = {}
for name, kernel in zip(barriers, racing):
    print("caught:", caught(multiply, kernel))
    for order in emulator.ORDERS:
        kernel.orders = (order,)
        error = np.abs(multiply(kernel) - product)
        assert (~(error < 1e-5)).any()  # NaN is wrong
        errors[f"not waiting until they\n{name}, {order}"] = error[:64].T
print("caught:", caught(multiply, stuck))
show(kernel_pictures.outcomes(errors))

# %% [markdown]
# Without the first barrier, only the thread that comes last in its block finds its tiles complete.
# Without the second, a quick thread has already overwritten what slow ones still multiply. Three
# orders find many races, not all: on a real GPU, `tests/gpu/sanitize_cuda.sh` follows every access.
#
# ## 6. Implicit GEMM, on tensor cores
#
# `gemm.cu` ("general matrix multiply") goes three steps further.
#
# - **No columns.** The rows of the left tile are windows of the image: whoever fetches a number
#   works out where in x it lies (`Pixel::tap`). The matrix of columns exists nowhere.
# - **Large tiles**, 128 x 64 or 128 x 128: every number fetched is used 64 or 128 times. Each
#   thread adds up 32 or 64 elements in its own registers, and while the block multiplies one pair
#   of tiles, the next is on its way (`cp.async`).
# - **Tensor cores.** One instruction, `mma`, multiplies a matrix 16 x 8 by one 8 x 8 for a whole
#   warp. Its factors are TF32: float32 with 10 of the 23 bits of the mantissa; it adds in float32.

# %%
print(re.search(r"// c \(16 x 8\).*?\n}\n", source("gemm.cu"), re.S)[0])
(implicit,) = compiled(source("gemm.cu"), "forward")
size, none, y = np.int32(small.pixels), empty(1), empty(*want.shape)  # no bias, says the 0 below
tf32 = [((v.view(np.uint32) + 0x1000) & 0xFFFFE000).view(np.float32) for v in (x, w)]  # rounded
for name, a, b in (("any numbers", x, w), ("numbers that TF32 holds", *tf32)):
    blocks = math.ceil(small.pixels / 128) * math.ceil(small.o / 64)
    implicit((blocks,), (256,), (size, to_gpu(a), to_gpu(b), none, y, geometry, np.int32(0)))
    error = np.abs(y.host - convolution(a, b)).max() / np.abs(want).max()
    print(f"{name}: difference to NumPy {error:.1e} of the largest output")
    assert error < (2e-3 if a is x else 1e-6)
note("implicit, tiles of 128 x 64",
     lambda a: 4 * (math.ceil(a.o / 64) * a.met * a.c
                    + math.ceil(a.pixels / 128) * 9 * a.c * a.o + a.pixels * a.o))

# %% [markdown]
# Here, with 16 outputs, three quarters of each tile multiply zeros: a fast kernel is fast for the
# sizes that it was made for. A block takes 128 pixels in a row, wherever an image ends; the last
# one here has only 32 to do. And the kernel has barriers of its own to lose:

# %%
show(kernel_pictures.pixels_of_blocks(small.n, small.size, rows=128))
hasty = source("gemm.cu").replace("__syncthreads();  // before the next copies", "//")
(hasty,) = compiled(hasty, "forward")
print("caught:", caught(hasty, (blocks,), (256,),
                        (size, to_gpu(x), to_gpu(w), none, y, geometry, np.int32(0))))

# %% [markdown]
# ## 7. The roofline
#
# A GPU has a greatest speed P of arithmetic and a greatest speed B of memory. The speed of a kernel
# of intensity I has a roof, first rising, then flat, with a *ridge* at I = P / B:
#
# $$\text{speed} \le \min(P,\ I \cdot B)$$
#
# Peaks and bandwidths are from NVIDIA's data sheets "NVIDIA H100 Tensor Core GPU" (H100 SXM) and
# "NVIDIA A100 Tensor Core GPU" (A100 80GB SXM), TF32 without sparsity. The layer of ResNet-18 with
# a batch of 64, if all that its threads ask for came from memory:

# %%
tensor_cores, plain = roofline.ROOFS[:2]
works = {name: roofline.Work("convolution", resnet.operations, bytes_asked(resnet))
         for name, bytes_asked in sorted(ways.items(), key=lambda way: -way[1](resnet))}
for name, work in works.items():
    print(f"{name:28} {work.intensity:7.2f} FLOP per byte, at least "
          f"{plain.seconds(work) * 1e3:6.3f} ms on an H100 in float32, "
          f"{tensor_cores.seconds(work) * 1e3:6.3f} ms in TF32")
print(f"ridges: float32 {plain.ridge:.0f}, TF32 {tensor_cores.ridge:.0f} FLOP per byte")

# %% [markdown]
# Faster arithmetic is worth nothing left of the ridge. Caches move the points to the right, towards
# "every array once"; tiles are how a kernel does it by itself.
#
# Now whole networks, counted by `minigrad.profile`, every array moved once. Most convolutions reach
# the flat part. Batch norm, ReLU and addition never will, whatever the GPU: hence kernels that fuse
# several of them, so that an image comes from memory once and not three times. And LeNet-5 needs so
# little that what takes the time is starting its kernels, some microseconds each.

# %%
networks = {
    "ResNet-18, batch 64": roofline.layers(mg.models.resnet18(), (3, 224, 224), batch=64),
    "LeNet-5, batch 256": roofline.layers(mg.models.lenet5(), (1, 32, 32), batch=256)}
for name, layers in networks.items():
    least = sum(map(tensor_cores.seconds, layers))
    print(f"{name}: {len(layers)} ops, at least {least * 1e6:.1f} microseconds on an H100")
    for kind in dict.fromkeys(work.kind for work in layers):
        share = sum(tensor_cores.seconds(work) for work in layers if work.kind == kind) / least
        print(f"    {kind:14} {share:3.0%}")
files = save_figure(lambda: roofline.draw(networks, works), "roofline", Path("results"))
print("the picture:", *(Path("results", file) for file in files))
show(Path("results", files[0]).read_text(encoding="utf-8"))

# %% [markdown]
# ## Exercises
#
# **1. Every second number.** The threads of a warp read every second number, or every d-th. How
# many lines of 128 bytes does the warp fetch? From which distance on can it not get worse?
#
# <details><summary>Solution</summary>
#
# ```python
# lines = {d: len({thread * d * 4 // 128 for thread in range(32)}) for d in (1, 2, 8, 31, 32, 1000)}
# print(lines)
# assert all(count == min(d, 32) for d, count in lines.items())
# ```
#
# As many as the distance, up to 32, a line for each thread: then 31 of 32 bytes come for nothing.
#
# </details>

# %% [markdown]
# **2. Few threads, much work.** Write `relu_gradient` so that any number of threads will do: after
# element i, each makes the one `gridDim.x * blockDim.x` further on, and so on. Launch 2 blocks of
# 64 threads for the 1000 elements.
#
# <details><summary>Solution</summary>
#
# ```python
# (strided,) = compiled("""
# template <typename T, typename I>
# __global__ void strided(I size, const T* gy, const T* y, T* gx) {
#     for (I i = thread_number<I>(); i < size; i += I(gridDim.x) * I(blockDim.x))
#         gx[i] = gy[i] * (y[i] > 0);
# }
# """, "strided")
# again = empty(1000)
# strided((2,), (64,), (*arguments, again))
# print("as before:", np.array_equal(again.host, gx.host))
# assert np.array_equal(again.host, gx.host)
# ```
#
# This *grid-stride loop* is right for every launch, and neighbours still read neighbours.
#
# </details>

# %% [markdown]
# **3. Larger tiles.** How does the intensity of "columns, tiles of 16 x 16" on the layer of
# ResNet-18 change with the side of the tile? What sets an end to it?
#
# <details><summary>Solution</summary>
#
# ```python
# intensity = {side: resnet.operations / columns_in_tiles(resnet, side)
#              for side in (8, 16, 32, 64, 1024)}
# print({side: round(value, 2) for side, value in intensity.items()})
# assert intensity[16] > 1.5 * intensity[8] and intensity[1024] < 1.5 * intensity[64] < 20
# ```
#
# At first it nearly doubles; then the columns remain, written and read: hence implicit GEMM.
#
# </details>

# %% [markdown]
# ## Where to go on
#
# - [`cuda.py`](../../minigrad/kernels/runtime/cuda.py) launches all this on a real GPU, which
#   [`emulator.h`](../../minigrad/kernels/testing/emulator.h) plays, for you to read.
# - S. Williams and others, "Roofline: an insightful visual performance model for multicore
#   architectures" (2009): [doi:10.1145/1498765.1498785](https://doi.org/10.1145/1498765.1498785).
# - S. Chetlur and others, "cuDNN" (2014): [arXiv:1410.0759](https://arxiv.org/abs/1410.0759).
# - Next: [`08_from_lenet_to_vit.py`](08_from_lenet_to_vit.py): what such layers were used for.
