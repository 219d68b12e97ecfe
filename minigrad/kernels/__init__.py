"""Arithmetic and data movement too heavy for one line of NumPy, on the CPU and on the GPU.

Each primitive has a folder, its room. `cpu.py` has the functions that ops call (those of conv are
in its `__init__.py`), `gpu.py` the forms of the same names for CuPy's arrays, and the `.cu` file
the kernels that these launch:

    adaptive        pooling into a given number of bins
    conv            convolution and its two transposes; the maps and their plans are in __init__
    dropout         the mask, bit for bit the same on both devices
    elementwise     activations and their gradients, masks, conversions of dtype
    index           adding up by index
    layer_norm      normalisation of rows: values, gradient
    loss            softmax cross entropy
    matmul          products of matrices and of stacks of them
    norm            batch normalisation: statistics, values, gradient
    optim           steps of optimizers, norms and limits of gradients, over many arrays at once
    pool            maximum and mean over windows, and their transposes
    reduce          sums and extrema over any axes
    runtime         cuda.py is the door to the GPU, common.cuh what all kernels share; window.py has
                    windows and the memory of images, threads.py the threads of the CPU
    testing         the emulator, on which the kernels run without a GPU

There is one door: `@gpu_form(gpu.average)` above a CPU form (runtime/cuda.py) sends CuPy's arrays
to the GPU form, and lists both for the test that compares them. The way of one call:

    model(x)                    a module calls ops.avg_pool2d(x, 2), which makes an op and calls it
    AvgPool2d.forward(x)        gets arrays in place of Tensors (function.py), and calls
    pool.average(x, window)     the name that `gpu_form` made: NumPy's arrays go to the function
                                below it in pool/cpu.py, and CuPy's to
    gpu.average(x, window)      in pool/gpu.py, which says what the kernel needs to know, and calls
    launch_on_images("pool", "average", [x], size, ...)
                                in runtime/cuda.py, which makes the output array y, and calls
    launch("pool", "average", [x], [y], ...)
                                beside it: it checks dtypes, layouts and sizes, compiles pool.cu
                                for that dtype once, and starts its kernel

Most ops have no form of their own, and need none: CuPy's arrays answer NumPy's functions themselves
(`__array_ufunc__`, `__array_function__`), so `np.exp(x)` or `x + y` runs where x lives.

Images have the shape (N, C, H, W). Their memory is channels-last wherever a kernel made it: H, W, C
from slow to fast behind a transposed view, so that one pixel's channels lie side by side, 1x1
convolutions are a single matrix product and every copy moves runs of C numbers.
"""
