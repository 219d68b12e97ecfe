#!/usr/bin/env bash
# The tests of the GPU on the real CuPy, without a GPU (tests/gpu/emulated_cuda):
#     tests/gpu/real_cupy.sh [FOLDER [pytest's arguments]]
# FOLDER keeps what is downloaded, built and compiled; without one, a temporary folder does. Exit
# status 0, and a line that says so, where the parts cannot be had.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ $# -gt 0 ]; then
    mkdir -p "$1"
    folder="$(realpath "$1")"
    shift
else
    folder="$(mktemp -d)"
    trap 'rm -rf "$folder"' EXIT
fi
version=14.2.0
skip() { echo "real CuPy: skipped, $1"; exit 0; }
command -v g++ > /dev/null || skip "g++ is not installed"
[ -e "$folder/venv" ] || "${PYTHON:-python3}" -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -q "cupy-cuda12x==$version" nvidia-cuda-runtime-cu12==12.9.79 ml_dtypes \
    "Cython>=3.1" setuptools wheel -e '.[test]' || skip "a package cannot be installed"
if [ ! -e "$folder/cupy-$version" ]; then
    # its metadata can be prepared without CUDA in this mode
    CUPY_INSTALL_USE_STUB=1 "$python" -m pip download -q --no-deps --no-build-isolation \
        --no-binary cupy -d "$folder" "cupy==$version" || skip "CuPy's source is not to be had"
    tar xf "$folder/cupy-$version.tar.gz" -C "$folder"
fi
[ -e "$folder/runtime.so" ] || "$python" tests/gpu/emulated_cuda/build.py "$folder"
# templates are found by cuFFT, which is not there; CuPy's own kernels for running sums and counts
# use more of CUDA than g++ is told of
[ $# -gt 0 ] || set -- tests/gpu/test_cuda_*.py tests/gpu/test_pyramids_cuda.py
EMULATED_CUDA="$folder" PYTHONPATH=. HYPOTHESIS_PROFILE="${HYPOTHESIS_PROFILE:-once}" \
    "$python" -m pytest -p tests.gpu.emulated_cuda -m gpu -n auto --dist worksteal \
    -k "not template and not cumsum-real and not bincount-real" "$@"
