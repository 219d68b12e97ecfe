"""The nets catch what they are there for: mistakes planted in kernels, and in how they are used."""

import contextlib
import math
from unittest import mock

import numpy as np
import pytest

import minigrad as mg
from minigrad import set_float32_matmul_precision
from minigrad.kernels import conv
from minigrad.kernels.adaptive import cpu as adaptive
from minigrad.kernels.index import cpu as index
from minigrad.kernels.loss import cpu as loss
from minigrad.kernels.loss.targets import Targets
from minigrad.kernels.optim import gpu as optim_gpu
from minigrad.kernels.pool import cpu as pool
from minigrad.kernels.pool import gpu as pool_gpu
from minigrad.kernels.reduce import cpu as reduce
from minigrad.kernels.reduce import gpu as reduce_gpu
from minigrad.kernels.runtime import cuda
from minigrad.kernels.runtime.window import Window
from minigrad.kernels.testing.emulator import MISSING, HostModule, KernelError
from minigrad.ops.norm import BatchNorm, BatchNormReLU, ScaleShiftReLU
from tests.gpu import fake_cupy
from tests.gpu.cuda_devices import every_order

pytestmark = pytest.mark.skipif(bool(MISSING), reason=str(MISSING))

TURN = """
    __shared__ T shared[64];
    shared[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = shared[63 - threadIdx.x];"""

BODIES = {  # name: the body of a kernel (const T* x, T* y)
    "turn": TURN,
    "turn_without_barrier": TURN.replace("__syncthreads();", ""),
    "half_at_barrier": "if (threadIdx.x < 32) __syncthreads(); y[threadIdx.x] = 0;",
    "half_returned": "if (threadIdx.x >= 32) return; __syncthreads(); y[threadIdx.x] = 0;",
    "first_returned": "if (threadIdx.x < 32) return; __syncthreads(); y[threadIdx.x] = 0;",
    "two_barriers": "if (threadIdx.x % 2) __syncthreads();\n else __syncthreads();",
    "one_at_warp_barrier": "if (threadIdx.x == 5) __syncwarp();",
    "above": "y[threadIdx.x + 1] = 1;",
    "below": "y[int(threadIdx.x) - 1] = 1;",
    "copies_above": "y[threadIdx.x + 1] = x[threadIdx.x + 1];",
    "reads_above": "if (threadIdx.x) y[threadIdx.x] = x[threadIdx.x + 1];",
    "stale": "__shared__ T left; if (!threadIdx.x && !blockIdx.x) left = 1; __syncthreads();"
             "if (!threadIdx.x) y[blockIdx.x] = left;"}


def run(name, *arguments, grid=1):
    """Run a kernel of BODIES, in every order of threads."""
    kernels = "".join("template <typename T, typename I> __global__ void "
                      f"{name}(const T* x, T* y) {{ {body} }}\n" for name, body in BODIES.items())
    module = HostModule(kernels, [f"{name}<float, int>" for name in BODIES])
    with every_order():
        module.get_function(f"{name}<float, int>")((grid,), (64,), arguments)


def array(values, dtype=np.float32):
    return fake_cupy.asarray(np.array(values, dtype))


X, Y = array(range(64)), fake_cupy.empty(64, np.float32)


def test_threads_meet_at_barriers():
    run("turn", X, Y)
    assert Y.get().tolist() == list(range(63, -1, -1))


@pytest.mark.parametrize("name, words", [
    ("turn_without_barrier", "a barrier is missing"), ("half_at_barrier", "only some threads"),
    ("half_returned", "barrier"), ("first_returned", "barrier"),
    ("two_barriers", "only some threads"), ("one_at_warp_barrier", "barrier"),
    ("above", "outside"), ("below", "outside"), ("copies_above", "outside")])
def test_a_planted_mistake_is_caught(name, words):
    with pytest.raises(KernelError, match=words):
        run(name, X, fake_cupy.empty(64, np.float32))


def test_what_is_read_outside_or_not_written_is_nan():
    y = fake_cupy.empty(64, np.float32)
    run("reads_above", X, y)
    assert np.isnan(y.get()[[0, 63]]).all() and y.get()[1:63].tolist() == list(range(2, 64))


def test_shared_memory_does_not_outlive_its_block():
    y = fake_cupy.empty(2, np.float32)
    run("stale", X, y, grid=2)
    assert y.get()[0] == 1 and np.isnan(y.get()[1])


@pytest.mark.parametrize("arguments, words", [
    ([np.int64(3), Y], r"argument 0 is i8, the kernel takes const-f4\*"),
    ([X, array([1], np.float64)], r"argument 1 is f8\*, the kernel takes f4\*"),
    ([X], "takes 2 arguments, got 1"),
    ([X.reshape(8, 8).T, Y], "argument 0 is not in C order")], ids=range(4))
def test_wrong_arguments_are_caught(arguments, words):
    with pytest.raises(KernelError, match=words):
        run("turn", *arguments)


MERGES = """
    template <typename T, typename I> __global__ void merges(const T* x, T* y) {
        T largest = block_merge<64>(Largest<T>{x[threadIdx.x]}).value;
        T own = block_merge<64>(Largest<T>{-x[threadIdx.x]}, threadIdx.x % 4, 4).value;
        y[threadIdx.x] = largest + own;
    }"""


@pytest.mark.parametrize("right, wrong", [
    ("", ""), ("= value;\n    __syncthreads();", "= value;"),
    ("step]);\n        __syncthreads();", "step]);"),
    ("    __syncthreads();  // before", "    // before")])
def test_a_block_merges_what_its_threads_have_and_may_do_so_again(right, wrong):
    """Without one of its barriers, the second call writes what the first has still to read."""
    code = cuda.COMMON.read_text()
    assert right in code
    module = HostModule(code.replace(right, wrong) + MERGES, ["merges<float, int>"])
    x, y = np.random.default_rng(0).standard_normal(64).astype(np.float32), X.copy()
    with every_order(), pytest.raises(KernelError) if right else contextlib.nullcontext():
        module.get_function("merges<float, int>")((1,), (64,), (array(x), y))
        assert np.array_equal(y.get(), x.max() + (-x).reshape(16, 4).max(1).repeat(4))


@pytest.mark.parametrize("kind, numbers, want", [
    ("Largest", [1, 3, np.nan, 2], np.nan), ("Smallest", [1, np.nan, 3, 2], np.nan),
    ("Largest", [np.nan, 3, 2, 5], np.nan), ("Smallest", [3, 1, 2, np.inf], 1),
    ("Largest", [-np.inf, -3, -1, -2], -1)])
def test_an_extremum_keeps_nan(kind, numbers, want):
    """Added one after another, and merged."""
    code = f"""template <typename T, typename I> __global__ void extremum(const T* x, T* y) {{
        {kind}<T> first = {{x[0]}}, second = {{x[2]}};
        first.add(x[1]), second.add(x[3]), first.merge(second);
        *y = first.value;
    }}"""
    module = HostModule(cuda.COMMON.read_text() + code, ["extremum<float, int>"])
    y = fake_cupy.empty(1, np.float32)
    module.get_function("extremum<float, int>")((1,), (1,), (array(numbers), y))
    assert np.array_equal(y.get(), [np.float32(want)], equal_nan=True)


def pooling():
    x = np.random.default_rng(0).standard_normal((2, 3, 9, 8)).astype(np.float32)
    x[1, 1, 4, 4] = np.nan
    window = Window(3, 2, 2, 1, 1, 0, 1, 2)
    got = pool_gpu.maximum(fake_cupy.asarray(x), window)
    return [a.get() for a in got], pool.maximum(x, window)


def bins():
    x = np.random.default_rng(0).standard_normal((2, 3, 7, 5)).astype(np.float32)
    g, (h, w) = x[:, :, :4, :3].copy(), x.shape[2:]
    a, b = map(fake_cupy.asarray, (x, g))
    got, want = ([adaptive.average(images, (4, 3)), *adaptive.maximum(images, (4, 3)),
                  adaptive.average_transpose(gradients, (h, w))]
                 for images, gradients in ((a, b), (x, g)))
    return [one.get() for one in got], want


def norm_of_all():
    x = np.random.default_rng(0).standard_normal(12000).astype(np.float32)
    got = [optim_gpu.norms([fake_cupy.asarray(x)], order)[0] for order in (2, math.inf)]
    return got, [np.linalg.norm(x), abs(x).max()]


def added_at():
    x, at = np.arange(1, 40, dtype=np.float32), np.arange(39) % 7
    return [index.add_at(*map(fake_cupy.asarray, (x, at)), (8,)).get()], [index.add_at(x, at, 8)]


def reduced(of=reduce.sum):
    x = np.random.default_rng(0).standard_normal((2, 61, 35)).astype(np.float32)
    x[0, 7, 3] = np.nan
    with mock.patch.object(reduce_gpu, "PER_THREAD", 1):
        got = [of(fake_cupy.asarray(x), axis).get() for axis in (1, (1, 2), (0, 2))]
    return got, [of(x, axis) for axis in (1, (1, 2), (0, 2))]


def largest():
    return reduced(reduce.amax)


def normalisation():
    x, w, b = np.random.default_rng(0).standard_normal((3, 40, 33)).astype(np.float32)
    got = BatchNorm(1e-5).forward(*map(fake_cupy.asarray, (x, w[0], b[0])))
    return [got.get()], [BatchNorm(1e-5).forward(x, w[0], b[0])]


def rectified():
    x, g, y, w, b = np.random.default_rng(0).standard_normal((5, 40, 33)).astype(np.float32)
    results = []
    for to in (fake_cupy.asarray, np.asarray):
        a, k, z, f, s = map(to, (x, g, y, w[0], b[0]))
        op, fixed = BatchNormReLU(1e-5), ScaleShiftReLU()
        results.append([op.forward(a, f, s), *op.backward(k, a, f, z), fixed.forward(a, f, s),
                        *fixed.backward(k, a, f, z)])
    return [one.get() for one in results[0]], results[1]


def cross_entropy():
    x = np.random.default_rng(0).standard_normal((3, 200)).astype(np.float32)
    targets = Targets(fake_cupy.asarray(np.zeros(3, int)), None, -1, 0.0, "none")
    got, _ = loss.cross_entropy(fake_cupy.asarray(x), targets)
    return [got.get()], [-mg.ops.log_softmax(x, 1)[:, 0]]


def half_product():
    """The same in 16 bits, which are stored and read where 32 bits are not."""
    x, w = np.random.default_rng(0).standard_normal((2, 8, 16, 3, 3)).astype(np.float16)
    window = Window(3, 3, 1, 1, 1, 1)
    got = conv.forward(*map(fake_cupy.asarray, (x, w)), window)
    return [got.get()], [conv.forward(x.astype(np.float32), w.astype(np.float32), window)]


def product():
    x, w = np.random.default_rng(0).standard_normal((2, 4, 20, 3, 3)).astype(np.float32)
    window = Window(3, 3, 1, 1, 1, 1)
    set_float32_matmul_precision("high")
    got = conv.forward(*map(fake_cupy.asarray, (x, w)), window)
    set_float32_matmul_precision("highest")
    return [got.get()], [conv.forward(x, w, window)]


NORMS = ["moments", "merge_moments", "normalise", "gradient_sums", "merge_gradient_sums",
         "input_gradient", "scale_passed"]
BINS, NORM = ["average", "average_transpose", "maximum"], ["powers"]
MISTAKES = [  # file, kernels, the comparison, what is right, what is wrong
    ("pool", ["maximum"], pooling, "at.row * g.sh - g.ph + u", "at.row * g.sh - g.pw + u"),
    ("pool", ["maximum"], pooling, "u * g.dh, column", "u * g.dw, column"),
    ("pool", ["maximum"], pooling, "x > best || x != x", "x > best"),  # NaN loses
    ("pool", ["maximum"], pooling, "if (i >= size) return;", ""),
    ("pool", ["maximum"], pooling, "visit(u * g.kw + v,", "visit(u * g.kh + v,"),
    ("norm", ["moments", "merge_moments", "normalise"], normalisation,
     "= value;\n    __syncthreads();", "= value;"),
    ("norm", ["moments", "merge_moments", "normalise"], normalisation,
     "half * step]);\n        __syncthreads();", "half * step]);"),
    ("norm", NORMS, rectified, "relu && value <= 0", "value <= -1"),
    ("norm", NORMS, rectified, "relu && (y <= 0 ||", "relu && (y <= -1 ||"),
    ("norm", NORMS, rectified, "Wide<T> g = passed(gy[i], y[i], relu);", "Wide<T> g = gy[i];"),
    ("norm", NORMS, rectified, "factor * (passed(gy[i], y[i], relu)", "factor * (gy[i]"),
    ("norm", NORMS, rectified, "factor[i % C]", "factor[i / C]"),
    ("adaptive", BINS, bins, "(end + parts - 1) / parts", "end / parts"),
    ("adaptive", BINS, bins, "Range rows = bin(at.row, oh, H)", "Range rows = bin(at.row, H, oh)"),
    ("adaptive", BINS, bins, "winner = r * W + c;", "winner = r * H + c;"),
    ("adaptive", BINS, bins, "Range tall = bin(r, oh, H)", "Range tall = bin(r, H, oh)"),
    ("optim", NORM, norm_of_all, "        __syncthreads();\n    }\n    value", "    }\n    value"),
    ("optim", NORM, norm_of_all, "sum = block_merge<THREADS>(sum);", ""),
    ("optim", NORM, norm_of_all, "larger_or_nan(power, value) ? power : value", "value + power"),
    ("optim", NORM, norm_of_all, "i < piece.end", "i <= piece.end"),
    ("index", ["sum_runs"], added_at, "k = middle + 1", "k = middle + 2"),
    ("index", ["sum_runs"], added_at, "x[order[k]]", "x[k]"),
    ("reduce", ["sum"], reduced, "= value;\n    __syncthreads();", "= value;"),
    ("reduce", ["sum"], reduced, "        __syncthreads();\n    }\n    value", "    }\n    value"),
    ("reduce", ["sum"], reduced, "numbers[k * inner]", "numbers[k]"),
    ("reduce", ["sum"], reduced, "x + outer * n * inner", "x + outer * each * inner"),
    ("reduce", ["sum"], reduced, "half * step", "half"),
    ("reduce", ["sum"], reduced, "n - begin < each ? n : begin + each", "begin + each"),
    ("reduce", ["amax"], largest, " || x != x", ""),  # NaN loses
    ("loss", ["cross_entropy"], cross_entropy, "block_merge<THREADS>(part)", "part"),
    ("gemm", ["forward"], product, "    __syncthreads();  // before", "    // before"),
    ("gemm", ["forward"], product, "await_copies<1>", "await_copies<2>"),
    ("gemm", ["forward"], product, "k * (WIDTH + PAD_N) + column,", "k * WIDTH + column,"),
    ("gemm", ["forward"], half_product, "PAD_K = 16 / sizeof(T)", "PAD_K = 4"),  # alignment
    ("gemm", ["forward"], half_product, "return __float_as_uint(x)", "return x.bits << 16")]


@pytest.mark.parametrize("file, kernels, compare, right, wrong", MISTAKES, ids=range(len(MISTAKES)))
def test_a_mistake_planted_in_a_real_kernel_is_caught(monkeypatch, file, kernels, compare, right,
                                                      wrong):
    """The comparison with the specification fails, or the kernel does; without it, neither."""
    fake_cupy.install(monkeypatch)
    code = cuda.source(file)
    assert right in code
    monkeypatch.setattr(cuda, "expressions", lambda file, *arguments: [
        f"{kernel}<{', '.join(arguments)}>" for kernel in kernels])
    for name in ("_function", "_module"):
        monkeypatch.setattr(cuda, name, getattr(cuda, name).__wrapped__)

    def agrees():
        with every_order():
            got, want = compare()
        return all(np.allclose(a, b, 1e-2, 1e-2, equal_nan=True) for a, b in zip(got, want))

    assert agrees()
    monkeypatch.setattr(cuda, "source", lambda file: code.replace(right, wrong))
    with contextlib.suppress(KernelError):
        assert not agrees()


def test_the_launcher_refuses_what_kernels_cannot_take(monkeypatch):
    xp = fake_cupy.install(monkeypatch)
    half, single, double = (xp.asarray(np.ones(4, d)) for d in ("float16", "float32", "float64"))
    classes = xp.asarray(np.ones(4, np.int64))
    for file, kernel, arrays, words in [
            ("elementwise", "sigmoid", [classes, classes], "T, T with T one of"),
            ("elementwise", "sigmoid", [single, double], "got float32, float64"),
            ("elementwise", "sigmoid", [half, single], "got float16, float32"),
            ("norm", "normalise", [half, single, half, single, half], "T, Wide<T>, Wide<T>"),
            ("pool", "maximum", [half, half, half], "arrays of T, T, W with T"),
            ("gemm", "forward", [double] * 4, "T one of float, float16, bfloat16, got"),
            ("loss", "cross_entropy", [half, classes, half, half], "T one of float, double, got")]:
        with pytest.raises(TypeError, match=words):
            cuda.launch(file, kernel, arrays[:-1], arrays[-1:])
    with pytest.raises(ValueError, match="not in C order"):
        cuda.launch("elementwise", "sigmoid", [single[:2]], [single[::2]])


def test_arrays_of_two_to_the_31_elements_get_64_bit_indices(monkeypatch):
    fake_cupy.install(monkeypatch)
    seen = []
    monkeypatch.setattr(cuda, "_function", lambda *key: lambda *launch: seen.append((key, launch)))
    small = fake_cupy.empty(4, np.float32)
    large = fake_cupy.ndarray(np.broadcast_to(np.float32(0), 2**31))
    monkeypatch.setattr(fake_cupy.module, "ascontiguousarray", lambda x: x)
    cuda.launch("elementwise", "sigmoid", [small], [small])
    cuda.launch("elementwise", "sigmoid", [large], [small])
    assert [key[-1] for key, _ in seen] == ["int", "long long"]
    assert [launch[2][0].dtype for _, launch in seen] == [np.int32, np.int64]
    cuda.launch("elementwise", "sigmoid", [small], [small], size=2**31 + 1)
    assert seen[-1][1][0] == (2**23 + 1,)  # blocks of 256 threads
