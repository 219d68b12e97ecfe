# %% [markdown]
# # GPU kernels: from a thread's number to tensor cores
#
# A GPU runs one short function, a *kernel*, in thousands of threads at once. We read the kernels in
# `minigrad/kernels/*.cu`, run them, and follow one 3x3 convolution through four ways of computing
# it, which all multiply the same numbers and differ in how often they fetch them from memory.
#
# No GPU is needed: `minigrad/kernels/emulator.py` has g++ compile the very same source behind a
# header that plays the GPU. It runs threads one after another, so it says nothing about speed, but
# it sees what a GPU hides: each launch here runs with its threads in three orders, between guard
# bytes, into memory full of NaN. Run it as a script, or cell by cell in VS Code or Jupyter.

# %%
import math
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

import minigrad as mg
from experiments import roofline
from experiments.results import save_figure
from minigrad import models
from minigrad.kernels import cuda, emulator
from minigrad.kernels.window import Window

if emulator.MISSING:
    raise SystemExit(f"this walkthrough {emulator.MISSING}")

rng = np.random.default_rng(0)


def compiled(source, *names):
    kernels = [f"{name}<float, int>" for name in names]
    module = emulator.HostModule((cuda.HERE / "common.cuh").read_text() + source, kernels)
    for kernel in map(module.get_function, kernels):
        kernel.orders = tuple(emulator.ORDERS)  # forward, backward, shuffled
        yield kernel


def read(file):
    return (cuda.HERE / file).read_text()


def show(file, name):
    print(re.search(rf"template [^\n]*\n__\w+__ \w+ {name}\(.*?\n}}\n", read(file), re.S)[0])


def to_gpu(values):
    buffer = empty(*values.shape)
    buffer.host[...] = values
    return buffer


def empty(*shape):
    return emulator.allocate(shape, np.float32)


def caught(function, *arguments):
    """What the emulator says of a kernel that goes wrong."""
    try:
        function(*arguments)
    except emulator.KernelError as error:
        return error
    raise AssertionError("not noticed")


# %% [markdown]
# ## 1. A thread and its number
#
# Threads come in *blocks*, here of 256, and a launch starts as many blocks as it needs. All threads
# run the same text; what tells them apart is `blockIdx` and `threadIdx`. From these each finds its
# number i, and makes element i of the result. A thousand elements take 4 blocks, which are 1024
# threads: the last 24 must do nothing, or they would write over what lies behind the array.

# %%
show("common.cuh", "thread_number")
show("elementwise.cu", "relu_gradient")
gy, y = rng.standard_normal((2, 1000)).astype(np.float32)
arguments = np.int32(1000), to_gpu(gy), to_gpu(y)
(relu_gradient,) = compiled(read("elementwise.cu"), "relu_gradient")
gx = empty(1000)
relu_gradient((4,), (256,), (*arguments, gx))
print("relu_gradient as in NumPy:", np.array_equal(gx.host, gy * (y > 0)))
assert np.array_equal(gx.host, gy * (y > 0))

(careless,) = compiled(read("elementwise.cu").replace("if (i < size) ", ""), "relu_gradient")
print("without `if (i < size)`:", caught(careless, (4,), (256,), (*arguments, empty(1000))))

# %% [markdown]
# ## 2. One thread per output
#
# The layer to compute: 3x3 taps, padding 1, C channels in and O out. Images lie in memory as
# (N, H, W, C), the weights as (tap, C, O). Thread i makes one number of y: it walks over the taps
# and channels of its window, multiplies and adds. `Place` turns i into (image, row, column,
# channel) by division. (minigrad keeps this way for convolutions in many thin groups.)


# %%
class Layer(NamedTuple):
    n: int
    size: int  # H = W
    c: int
    o: int

    @property
    def pixels(self):
        return self.n * self.size**2

    @property
    def met(self):
        """Pairs of a window and a pixel that it meets: at the edge a tap of three is outside."""
        return self.n * (3 * self.size - 2)**2

    @property
    def operations(self):
        return 2 * self.pixels * 9 * self.c * self.o  # a product and a sum each


small, resnet = Layer(2, 12, 8, 16), Layer(64, 56, 64, 64)  # to run; in ResNet-18, to count
x = rng.standard_normal((small.n, small.size, small.size, small.c)).astype(np.float32)
w = rng.standard_normal((9, small.c, small.o)).astype(np.float32)


def convolution(x, w):
    """By NumPy, in float64."""
    w = w.reshape(3, 3, *w.shape[1:]).transpose(3, 2, 0, 1).astype(float)
    return mg.conv2d(x.transpose(0, 3, 1, 2).astype(float), w, padding=1).transpose(0, 2, 3, 1)


want = convolution(x, w)
geometry = cuda.geometry(Window.of((3, 3), 1, 1, "conv2d"), x.shape[1:3], x.shape[1:3],
                         small.n, small.c, small.o)
show("conv.cu", "direct")
direct, image_to_columns = compiled(read("conv.cu"), "direct", "image_to_columns")
y = empty(*want.shape)
direct((math.ceil(want.size / 256),), (256,),
       (np.int32(want.size), to_gpu(x), to_gpu(w), y, geometry))
print(f"largest difference to NumPy: {np.abs(y.host - want).max():.1e}")
assert np.abs(y.host - want).max() < 1e-5

# %% [markdown]
# How much does it fetch? Two numbers of 4 bytes for every product. Arithmetic is cheap and memory
# is far: what counts is operations per byte, the *arithmetic intensity*. We note down, for each
# way, the bytes that its threads ask for.

# %%
ways = {}


def note(name, bytes_asked):
    ways[name] = bytes_asked
    for label, layer in (("here", small), ("in ResNet-18", resnet)):
        moved = bytes_asked(layer)
        print(f"{name:28} {label:13} {layer.operations / 1e6:8.1f} million operations, "
              f"{moved / 1e6:8.2f} MB, {layer.operations / moved:6.2f} FLOP per byte")


note("one thread per output",
     lambda a: 4 * (2 * a.met * a.c * a.o + a.pixels * a.o))  # x and w per product; y
note("every array once", lambda a: 4 * (a.pixels * a.c + 9 * a.c * a.o + a.pixels * a.o))

# %% [markdown]
# The second line is the least there can be. Between the two lies a factor of hundreds: every number
# of x is asked for 9 O times. Caches give many of these answers, but no cache is as fast as not
# asking.
#
# One thing the kernels do right: the 32 threads of a *warp* run in step, and what they ask for at
# the same moment is fetched in lines of 128 bytes. Channels last, they ask for 32 neighbours:

# %%
for name, step in (("(N, H, W, C)", 1), ("(N, C, H, W)", resnet.size**2)):
    lines = {channel * step * 4 // 128 for channel in range(32)}
    print(f"lines of memory that hold 32 channels of a pixel in an image {name}: {len(lines)}")

# %% [markdown]
# ## 3. Columns, and a matrix product
#
# Copy each window into a row of a matrix (`04_convolution.py` has the idea), and the convolution is
# a product of matrices, (pixels, 9 C) times (9 C, O). Matrix products are what GPUs, and the people
# who program them, are best at: minigrad leaves this one to cuBLAS, here to NumPy. The price is a
# copy of x nine times as large, written and read again.

# %%
show("conv.cu", "image_to_columns")
columns = empty(small.pixels, 9 * small.c)
launch = (math.ceil(columns.host.size / 256),), (256,)
image_to_columns(*launch, (np.int32(columns.host.size), to_gpu(x), columns, geometry))
product = columns.host.astype(float) @ w.reshape(9 * small.c, small.o)
print("x", x.shape, "-> columns", columns.host.shape)
print(f"columns @ w - NumPy's convolution: {np.abs(product.reshape(want.shape) - want).max():.1e}")
assert np.allclose(product.reshape(want.shape), want, rtol=0, atol=1e-12)

counted = empty(*columns.host.shape)
image_to_columns(*launch, (np.int32(columns.host.size), to_gpu(np.ones_like(x)), counted, geometry))
print("pixels that windows meet, counted:", np.count_nonzero(counted.host))
assert np.count_nonzero(counted.host) == small.met * small.c

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
        right[i][j] = first + i < terms && column < columns
            ? b[(first + i) * columns + column] : 0;
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
    kernel((blocks,), (16, 16), (columns, to_gpu(w.reshape(9 * small.c, small.o)), y,
                                 *map(np.int32, (small.pixels, 9 * small.c, small.o))))
    return y.host


(tiled,) = compiled(TILED, "product")
print(f"largest difference to NumPy: {np.abs(multiply(tiled) - product).max():.1e}")
assert np.abs(multiply(tiled) - product).max() < 1e-5


def columns_in_tiles(a):
    columns = a.pixels * 9 * a.c
    made = a.met * a.c + columns
    fetched = math.ceil(a.o / 16) * columns + math.ceil(a.pixels / 16) * 9 * a.c * a.o
    return 4 * (made + fetched + a.pixels * a.o)


note("columns, tiles of 16 x 16", columns_in_tiles)

# %% [markdown]
# ## 5. Without the barrier
#
# Leave one barrier out, and some thread reads a number that another has not written yet, or has
# already overwritten: a *race*. On a GPU it is lost now and then, on some devices, for some sizes.
# The emulator lets the threads run forward, backward and shuffled, as far as barriers allow, and
# compares. Here is what each order makes of the product:

# %%
for words in ("the tiles are complete", "the tiles may be overwritten"):
    (racing,) = compiled(TILED.replace(f"__syncthreads();  // {words}", ""), "product")
    for order in emulator.ORDERS:
        racing.orders = (order,)
        wrong = ~(np.abs(multiply(racing) - product) < 1e-5)  # NaN is wrong
        print(f"not waiting until {words}, {order}: {wrong.sum()} of {wrong.size} wrong")
        assert wrong.any()
    racing.orders = tuple(emulator.ORDERS)
    print("caught:", caught(multiply, racing))

# %% [markdown]
# A barrier that only some threads reach is the other mistake: the rest wait for ever. Three orders
# find many races, not all: on a real GPU, `tests/sanitize_cuda.sh` follows every access.

# %%
stuck = TILED.replace("__syncthreads();  // the tiles are complete", "if (j < 8) __syncthreads();")
print("caught:", caught(multiply, *compiled(stuck, "product")))

# %% [markdown]
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
def tf32(x):
    """x rounded to 10 bits of mantissa."""
    return ((x.view(np.uint32) + 0x1000) & 0xFFFFE000).view(np.float32)


print(re.search(r"// c \(16 x 8\).*?\n}\n", read("gemm.cu"), re.S)[0])
(implicit,) = compiled(read("gemm.cu"), "forward_narrow")
for name, a, b in (("any numbers", x, w), ("numbers that TF32 holds", tf32(x), tf32(w))):
    y = empty(*want.shape)
    blocks = math.ceil(small.pixels / 128) * math.ceil(small.o / 64)
    implicit((blocks,), (256,), (np.int32(small.pixels), to_gpu(a), to_gpu(b), y, geometry))
    error = np.abs(y.host - convolution(a, b)).max() / np.abs(want).max()
    print(f"{name}: difference to NumPy {error:.1e} of the largest output")
    assert error < (2e-3 if a is x else 1e-6)
note("implicit, tiles of 128 x 64",
     lambda a: 4 * (math.ceil(a.o / 64) * a.met * a.c
                    + math.ceil(a.pixels / 128) * 9 * a.c * a.o + a.pixels * a.o))

# %% [markdown]
# Here, with 16 outputs, three quarters of each tile multiply zeros: a fast kernel is fast for the
# sizes that it was made for. And it has barriers of its own to lose:

# %%
barrier = "    __syncthreads();  // before the next copies"
assert barrier in read("gemm.cu")
(racing,) = compiled(read("gemm.cu").replace(barrier, "    // before the next copies"),
                     "forward_narrow")
arguments = np.int32(small.pixels), to_gpu(x), to_gpu(w), y, geometry
print("caught:", caught(racing, (blocks,), (256,), arguments))

# %% [markdown]
# ## 7. The roofline
#
# A GPU has a greatest speed of arithmetic and a greatest speed of memory. A kernel of intensity I
# can be no faster than min(peak, I x bandwidth): a roof, first rising, then flat. Peaks and
# bandwidths are from NVIDIA's data sheets "NVIDIA H100 Tensor Core GPU" (H100 SXM) and "NVIDIA A100
# Tensor Core GPU" (A100 80GB SXM), TF32 without sparsity. The layer of ResNet-18 with a batch of
# 64, if all that its threads ask for came from memory:

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
    "ResNet-18, batch 64": roofline.layers(models.resnet18(), (3, 224, 224), batch=64),
    "LeNet-5, batch 256": roofline.layers(models.lenet5(), (1, 32, 32), batch=256)}
for name, layers in networks.items():
    for kind in roofline.COLOURS:
        some = [work for work in layers if work.kind == kind]
        if some:
            intensities = [work.intensity for work in some]
            share = sum(map(tensor_cores.seconds, some)) / sum(map(tensor_cores.seconds, layers))
            print(f"{name}: {len(some):2} x {kind:14} {min(intensities):6.3g} to "
                  f"{max(intensities):6.3g} FLOP per byte, {share:3.0%} of the least time")
    print(f"{name}: {len(layers)} ops, at least "
          f"{sum(map(tensor_cores.seconds, layers)) * 1e6:.1f} microseconds on an H100")
folder = Path("results")
files = save_figure(lambda: roofline.draw(networks, works), "roofline", folder)
print("the picture:", *(folder / file for file in files))

# %% [markdown]
# ## Where to go on
#
# `minigrad/kernels/cuda.py` launches all this on a real GPU. `norm.cu` shows sums over many blocks
# in a fixed order, `optim.cu` one launch for all parameters. The emulator's header, `emulator.h`,
# is a small GPU to read; `tests/test_cuda_host.py` plants mistakes in kernels and sees them caught.
