// CUDA's runtime and driver on the CPU, as far as CuPy asks for them: the device's memory is the
// host's, work in a stream is done at once, and a module is a library made by g++ (emulator.h).

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <map>
#include <string>

#include <driver_types.h>

#define API extern "C" __attribute__((visibility("default")))

// ---- memory --------------------------------------------------------------------------------------

static const size_t TOTAL = size_t(8) << 30;
static std::map<uintptr_t, size_t> blocks;  // where the device's memory starts, and its bytes
static size_t used;
static int last_error;

static void* memory(size_t bytes) { return aligned_alloc(512, (bytes + 511) / 512 * 512); }

static int take(void** p, size_t bytes) {
    if (used + bytes > TOTAL) return last_error = cudaErrorMemoryAllocation;
    *p = memory(bytes);
    memset(*p, 0xFF, bytes);  // NaN until something is written
    blocks[uintptr_t(*p)] = bytes;
    used += bytes;
    return 0;
}

static int give(void* p) {
    auto block = blocks.find(uintptr_t(p));
    if (block == blocks.end()) return p ? last_error = cudaErrorInvalidValue : 0;
    used -= block->second;
    blocks.erase(block);
    free(p);
    return 0;
}

static bool on_device(const void* p) {
    auto block = blocks.upper_bound(uintptr_t(p));
    return block != blocks.begin() && (--block, uintptr_t(p) < block->first + block->second);
}

API int cudaMalloc(void** p, size_t bytes) { return take(p, bytes); }
API int cudaMallocAsync(void** p, size_t bytes, void*) { return take(p, bytes); }
API int cudaFree(void* p) { return give(p); }
API int cudaFreeAsync(void* p, void*) { return give(p); }
API int cudaHostAlloc(void** p, size_t bytes, unsigned) { return *p = memory(bytes), 0; }
API int cudaFreeHost(void* p) { return free(p), 0; }
API int cudaMemGetInfo(size_t* available, size_t* total) {
    *available = TOTAL - used, *total = TOTAL;
    return 0;
}
API int cudaMemcpy(void* to, const void* from, size_t n, int) { return memmove(to, from, n), 0; }
API int cudaMemcpyAsync(void* to, const void* from, size_t n, int, void*) {
    return memmove(to, from, n), 0;
}
API int cudaMemset(void* to, int value, size_t n) { return memset(to, value, n), 0; }
API int cudaMemsetAsync(void* to, int value, size_t n, void*) { return memset(to, value, n), 0; }
API int cudaPointerGetAttributes(cudaPointerAttributes* a, const void* p) {
    a->type = on_device(p) ? cudaMemoryTypeDevice : cudaMemoryTypeUnregistered;
    a->device = 0;
    a->devicePointer = on_device(p) ? const_cast<void*>(p) : nullptr;
    a->hostPointer = nullptr;
    return 0;
}

// ---- the device ----------------------------------------------------------------------------------

API int cudaGetDeviceCount(int* n) { return *n = 1, 0; }
API int cudaGetDevice(int* n) { return *n = 0, 0; }
API int cudaSetDevice(int n) { return n ? last_error = cudaErrorInvalidDevice : 0; }
API int cudaDeviceSynchronize() { return 0; }
API int cudaDriverGetVersion(int* version) { return *version = 12090, 0; }
API int cudaRuntimeGetVersion(int* version) { return *version = 12090, 0; }
API int cudaDeviceCanAccessPeer(int* can, int, int) { return *can = 0, 0; }
API int cudaDeviceGetAttribute(int* value, int attribute, int) {
    static const std::map<int, int> known = {
        {cudaDevAttrComputeCapabilityMajor, 9}, {cudaDevAttrMultiProcessorCount, 132},
        {cudaDevAttrMaxThreadsPerBlock, 1024}, {cudaDevAttrWarpSize, 32},
        {cudaDevAttrMaxSharedMemoryPerBlock, 49152}, {cudaDevAttrMaxGridDimX, 0x7fffffff}};
    auto found = known.find(attribute);
    *value = found == known.end() ? 0 : found->second;
    return 0;
}
API int cudaGetDeviceProperties_v2(cudaDeviceProp* p, int) {
    *p = cudaDeviceProp{};
    strcpy(p->name, "emulated");
    p->major = 9, p->warpSize = 32, p->maxThreadsPerBlock = 1024, p->multiProcessorCount = 132;
    p->totalGlobalMem = TOTAL, p->sharedMemPerBlock = 49152;
    return 0;
}
API const char* cudaGetErrorName(int error) {
    return error == cudaErrorMemoryAllocation ? "cudaErrorMemoryAllocation" : "cudaErrorEmulated";
}
API const char* cudaGetErrorString(int error) {
    return error == cudaErrorMemoryAllocation ? "out of memory" : "not in the emulated runtime";
}
API int cudaGetLastError() {
    int error = last_error;
    last_error = 0;
    return error;
}

// ---- streams and events --------------------------------------------------------------------------

typedef std::chrono::steady_clock Clock;
static Clock::time_point& time_of(void* event) { return *static_cast<Clock::time_point*>(event); }

API int cudaStreamCreate(void** stream) { return *stream = malloc(1), 0; }
API int cudaStreamCreateWithFlags(void** stream, unsigned) { return *stream = malloc(1), 0; }
API int cudaStreamCreateWithPriority(void** stream, unsigned, int) {
    return *stream = malloc(1), 0;
}
API int cudaStreamDestroy(void* stream) { return free(stream), 0; }
API int cudaStreamSynchronize(void*) { return 0; }
API int cudaStreamQuery(void*) { return 0; }
API int cudaStreamWaitEvent(void*, void*, unsigned) { return 0; }
API int cudaStreamIsCapturing(void*, int* is) { return *is = 0, 0; }
API int cudaEventCreate(void** event) { return *event = new Clock::time_point, 0; }
API int cudaEventCreateWithFlags(void** event, unsigned) {
    return *event = new Clock::time_point, 0;
}
API int cudaEventDestroy(void* event) { return delete &time_of(event), 0; }
API int cudaEventRecord(void* event, void*) { return time_of(event) = Clock::now(), 0; }
API int cudaEventSynchronize(void*) { return 0; }
API int cudaEventQuery(void*) { return 0; }
API int cudaEventElapsedTime(float* ms, void* start, void* end) {
    *ms = std::chrono::duration<float, std::milli>(time_of(end) - time_of(start)).count();
    return 0;
}

// ---- the driver ----------------------------------------------------------------------------------

static std::string complaint;
static int complain(const char* what, int error) {
    complaint = what;
    return error;
}

API int cuGetErrorName(int, const char** name) { return *name = "CUDA_ERROR_EMULATED", 0; }
API int cuGetErrorString(int, const char** text) { return *text = complaint.c_str(), 0; }
API int cuCtxGetCurrent(void** context) { return *context = &used, 0; }
API int cuCtxSetCurrent(void*) { return 0; }
API int cuCtxGetDevice(int* device) { return *device = 0, 0; }
API int cuStreamGetCtx(void*, void** context) { return *context = &used, 0; }
API int cuDevicePrimaryCtxRelease(int) { return 0; }
API int cuModuleLoadData(void** module, const char* path) {
    *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    return *module ? 0 : complain(dlerror(), 200);
}
API int cuModuleUnload(void*) { return 0; }
API int cuModuleGetFunction(void** function, void* module, const char* name) {
    *function = dlsym(module, (std::string("launch_") + name).c_str());
    return *function ? 0 : complain(dlerror(), 500);
}
API int cuFuncGetAttribute(int* value, int, void*) { return *value = 1024, 0; }
API int cuFuncSetAttribute(void*, int, int) { return 0; }
API int cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void*, int, size_t) {
    return *blocks = 2, 0;
}
API int cuOccupancyMaxPotentialBlockSize(int* grid, int* block, void*, void*, size_t, int) {
    return *grid = 132, *block = 256, 0;
}
API int cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                       unsigned by, unsigned bz, unsigned, void*, void** arguments, void**) {
    typedef const char* Launch(void**, const unsigned*, const unsigned*, int, unsigned);
    static unsigned seed;
    const unsigned grid[] = {gx, gy, gz}, block[] = {bx, by, bz};
    const int SHUFFLED = 2;
    const char* error = reinterpret_cast<Launch*>(function)(arguments, grid, block, SHUFFLED,
                                                            ++seed);
    return error ? complain(error, 719) : 0;
}
