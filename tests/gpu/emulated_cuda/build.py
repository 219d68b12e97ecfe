"""Builds what the real CuPy needs to run without a GPU:

    python tests/gpu/emulated_cuda/build.py FOLDER

FOLDER holds CuPy's source distribution, unpacked. CuPy's module of the CUDA runtime is compiled
from it, against runtime.cpp here instead of against CUDA; everything else of CuPy stays as its
wheel has it. cublas.cpp takes the place of cuBLAS. Needs g++, Cython, and the wheels cupy-cuda12x
and nvidia-cuda-runtime-cu12, of which only headers are read.
"""

import importlib.util
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig

HERE = pathlib.Path(__file__).parent
CUDA = 12090    # the version that the headers are of
COMPILE = "g++", "-std=c++17", "-O1", "-w", "-fPIC"


def build(folder):
    """runtime.so, libcuda.so.1 and libcublas.so.12 in the folder."""
    (source,) = folder.glob("cupy-[0-9]*/")
    runtime = source / "cupy_backends/cuda/api/runtime.pyx"
    settings = {"CUPY_CUDA_VERSION": CUDA, "CUPY_HIP_VERSION": 0, "CUPY_USE_CUDA_PYTHON": False,
                "CUPY_CUFFT_STATIC": False}
    run([sys.executable, "-m", "cython", "--cplus", "-3", "-w", source, "-E",
         ",".join(f"{name}={value}" for name, value in settings.items()), runtime,
         "-o", folder / "runtime.cpp"])
    nvidia = next(pathlib.Path(p) for p in
                  importlib.util.find_spec("nvidia").submodule_search_locations)
    include = [f"-I{HERE / 'include'}", f"-I{nvidia / 'cuda_runtime/include'}"]
    python = [f"-I{sysconfig.get_paths()['include']}", f"-I{runtime.parent}"]
    compile(folder / "runtime.cpp", folder / "module.o", *include, *python)
    compile(HERE / "runtime.cpp", folder / "runtime.o", *include)
    compile(HERE / "cublas.cpp", folder / "cublas.o", *include)
    (wheel,) = pathlib.Path(importlib.util.find_spec("cupy_backends").origin).parent.glob(
        "cuda/libs/cublas.*.so")
    link(folder, "libcuda.so.1", "runtime.o", symbols(folder / "module.o", r"U (cuda\w+)"))
    link(folder, "libcublas.so.12", "cublas.o", symbols(wheel, r"U (cublas\w+)", "-D"))
    kept = folder / "include/cupy"      # of CuPy's headers; include/ here replaces the others
    kept.mkdir(parents=True, exist_ok=True)
    for name in ("carray.cuh", "math_constants.h"):
        shutil.copy(source / "cupy/_core/include/cupy" / name, kept)
    run(["g++", "-shared", "-o", folder / "runtime.so", folder / "module.o",
         folder / "libcuda.so.1"])


def compile(source, result, *options):
    run([*COMPILE, *options, "-c", source, "-o", result])


def link(folder, name, objects, wanted):
    """A library; a function that is wanted and not there says that it is not supported (801)."""
    missing = wanted - symbols(folder / objects, r"T (\w+)")
    (folder / "missing.cpp").write_text("".join(
        f'extern "C" int {function}() {{ return 801; }}\n' for function in sorted(missing)))
    compile(folder / "missing.cpp", folder / "missing.o")
    run(["g++", "-shared", "-o", folder / name, folder / objects, folder / "missing.o", "-ldl",
         f"-Wl,-soname,{name}"])


def symbols(path, pattern, *options):
    return set(re.findall(pattern, run(["nm", *options, path])))


def run(command):
    """What the command prints. SystemExit with what it complains of if it fails."""
    ended = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if ended.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{ended.stderr[:4000]}")
    return ended.stdout


if __name__ == "__main__":
    build(pathlib.Path(sys.argv[1]).resolve())
