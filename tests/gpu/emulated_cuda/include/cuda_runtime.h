// For the host's compiler, which needs no more of CUDA's header of this name.
#include <cuda_runtime_api.h>
#include <driver_functions.h>
