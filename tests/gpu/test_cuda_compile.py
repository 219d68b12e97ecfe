"""Net 1: every instance of every kernel compiles for the GPUs that we support, without one.

NVRTC comes from the wheel nvidia-cuda-nvrtc-cu12; the tests skip where it is absent.
"""

import ctypes
import pathlib
import re

import pytest

from minigrad.kernels.runtime import cuda
from tests.places import ROOT

ARCHITECTURES = ("sm_70", "sm_80", "sm_90")


@pytest.fixture(scope="module")
def nvrtc():
    wheel = pytest.importorskip("nvidia.cuda_nvrtc", reason="needs nvidia-cuda-nvrtc-cu12")
    folder = pathlib.Path(wheel.__path__[0]) / "lib"
    return ctypes.CDLL(str(next(folder.glob("libnvrtc.so.*"))))


def instances(file):
    """The names of all instances of a file's kernels, in all variants that are launched."""
    vector = {"float": "4", "float16": "8", "bfloat16": "8"}
    return [name for number in cuda.types(file) for index in cuda.INDICES
            for variant in {"gemm": [("128", vector.get(number)), ("64", vector.get(number)),
                                     ("64", "1")],
                            "pool": [("unsigned short",), ("unsigned",)]}.get(file, [()])
            for name in cuda.expressions(file, number, index, *variant)]


def compile_kernels(nvrtc, code, names, architecture):
    """The size of the machine code. Raises AssertionError with the compiler's log."""
    program = ctypes.c_void_p()
    nothing = (0, None, None)
    assert not nvrtc.nvrtcCreateProgram(ctypes.byref(program), code.encode(), b"k.cu", *nothing)
    for name in names:
        assert not nvrtc.nvrtcAddNameExpression(program, name.encode())
    options = [b"--std=c++17", f"--gpu-architecture={architecture}".encode()]
    failed = nvrtc.nvrtcCompileProgram(program, len(options),
                                       (ctypes.c_char_p * len(options))(*options))
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    assert not failed, log.value.decode()
    assert not nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size))
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return size.value


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("file", cuda.FILES)
def test_every_instance_compiles(nvrtc, file, architecture):
    assert compile_kernels(nvrtc, cuda.source(file), instances(file), architecture) > 0


def test_a_mistake_does_not_compile(nvrtc):
    code = cuda.source("pool").replace("best = -INFINITY", "best = -INFINITTY")
    with pytest.raises(AssertionError, match="INFINITTY"):
        compile_kernels(nvrtc, code, ["maximum<float, int>"], "sm_80")


@pytest.mark.parametrize("file", cuda.FILES)
def test_every_kernel_is_found_and_none_adds_atomically(file):
    text = cuda.FILES[file].read_text()
    assert len(cuda.expressions(file, "float", "int")) == text.count("__global__") > 0
    assert not re.search("atomic", text, re.IGNORECASE)


@pytest.mark.parametrize("file", cuda.FILES)
def test_every_file_begins_with_its_equations_and_what_threads_do(file):
    head = re.match("(//.*\n)+", cuda.FILES[file].read_text())[0]
    assert re.search("^//   .* = ", head, re.MULTILINE)
    assert re.search(r"\bthreads?\b", head, re.IGNORECASE)


def test_no_file_hides_another():
    assert sorted(cuda.FILES.values()) == sorted(ROOT.joinpath("minigrad").rglob("*.cu"))
