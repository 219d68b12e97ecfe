#!/usr/bin/env bash
# Every kernel under compute-sanitizer (part of the CUDA toolkit), on a machine with a GPU:
#     PYTHON=.venv/bin/python tests/gpu/sanitize_cuda.sh
# memcheck: reads and writes outside of arrays; racecheck: missing barriers; initcheck: reads of
# what nobody wrote; synccheck: barriers that some threads miss. Exit status 0: nothing found.
set -euo pipefail
cd "$(dirname "$0")/../.."
export CUPY_CACHE_IN_MEMORY=1 CUDA_WITHOUT_POOL=1 HYPOTHESIS_PROFILE=once
for tool in memcheck racecheck initcheck synccheck; do
    echo "== $tool"
    compute-sanitizer --tool "$tool" --error-exitcode 1 --target-processes all \
        "${PYTHON:-python}" -m pytest -m gpu -x tests/gpu/test_cuda_kernels.py tests/gpu/test_cuda_gemm.py \
        tests/gpu/test_cuda_sums.py tests/gpu/test_cuda_reduce.py tests/gpu/test_cuda_pool.py
done
