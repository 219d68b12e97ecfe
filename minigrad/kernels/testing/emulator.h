// Runs CUDA kernels on the CPU: g++ compiles them with this header in front.
//
// The blocks of a launch run one after another. The threads of a block are coroutines: each runs
// until it waits at a barrier or returns, and when all have done so, the barrier opens. Between
// barriers the warps, and the threads of a warp, run one after another, in an order that the caller
// chooses: forward, backward, or shuffled anew each time. A kernel in which a thread reads what
// another one writes, without a barrier in between, gives different results in different orders.
// Asynchronous copies happen at once if the order is backward, as late as a GPU may perform them
// (when they are waited for) if it is forward, and at either time if it is shuffled.

#include <climits>
#include <cmath>
#include <csetjmp>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <tuple>
#include <type_traits>
#include <ucontext.h>
#include <vector>

#define CUDA_ON_HOST
#define __global__
#define __device__
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ static  // in .bss, which `forget` overwrites before each block
#define KEPT static __attribute__((section(".data")))  // what `forget` must not overwrite
#define __syncthreads() cuda_host::leave(cuda_host::AT_BLOCK_BARRIER, __LINE__)
#define __syncwarp() cuda_host::leave(cuda_host::AT_WARP_BARRIER, __LINE__)

struct dim3 { unsigned x, y, z; };
KEPT dim3 threadIdx, blockIdx, blockDim, gridDim;
using std::max;
using std::min;

static inline unsigned __float_as_uint(float x) {
    unsigned bits;
    memcpy(&bits, &x, 4);
    return bits;
}
static inline float __uint_as_float(unsigned bits) {
    float x;
    memcpy(&x, &bits, 4);
    return x;
}
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned __int128)a * b >> 64;
}

struct float16;
struct bfloat16;  // of common.cuh

namespace cuda_host {

enum Order { FORWARD, BACKWARD, SHUFFLED };
enum State { RUNNING, AT_BLOCK_BARRIER, AT_WARP_BARRIER, FINISHED };
typedef std::vector<std::function<void()>> Copies;
struct Thread {
    ucontext_t context;
    jmp_buf here;
    char* stack = nullptr;
    bool started = false;  // if so, `here` is a place in the coroutine
    State state;
    int line;  // where it waits at a barrier
    std::vector<Copies> copies;  // the groups that are on their way; new ones join the last
};

static const int STACK = 1 << 17, WARP = 32;
KEPT std::vector<Thread> threads;
KEPT jmp_buf scheduler;
KEPT int current, order_kind;
KEPT const char* error;
KEPT void (*body)(void**);
KEPT void** arguments;

static void leave(State state, int line) {
    threads[current].state = state;
    threads[current].line = line;
    if (!_setjmp(threads[current].here)) _longjmp(scheduler, 1);
}

static void coroutine() {
    for (;;) {
        body(arguments);
        leave(FINISHED, 0);
    }
}

static void __attribute__((noinline)) resume(int number) {
    current = number;
    threadIdx = {unsigned(number) % blockDim.x, unsigned(number) / blockDim.x, 0};
    Thread& t = threads[number];
    t.state = RUNNING;
    if (_setjmp(scheduler)) return;
    if (t.started) _longjmp(t.here, 1);
    t.started = true;
    if (!t.stack) t.stack = new char[STACK];
    getcontext(&t.context);
    t.context.uc_stack.ss_sp = t.stack;
    // stacks end at different offsets, or all of them would use the same lines of the cache
    t.context.uc_stack.ss_size = STACK - number * 832 % (STACK / 2);
    t.context.uc_link = nullptr;
    makecontext(&t.context, coroutine, 0);
    setcontext(&t.context);
}

KEPT uint32_t randomness;
static uint32_t next_random() { return randomness = randomness * 1664525u + 1013904223u; }

static std::vector<int> arranged(int n) {  // the numbers below n, in the order of this launch
    std::vector<int> order(n);
    for (int i = 0; i < n; i++) order[i] = order_kind == BACKWARD ? n - 1 - i : i;
    for (int i = n - 1; order_kind == SHUFFLED && i > 0; i--)
        std::swap(order[i], order[next_random() % (i + 1)]);
    return order;
}

// Opens a barrier if all threads from start to end wait at it; false if they do not.
static bool open(int start, int end, State barrier) {
    for (int i = start; i < end; i++)
        if (threads[i].state != barrier || threads[i].line != threads[start].line) return false;
    for (int i = start; i < end; i++) threads[i].state = RUNNING;
    return true;
}

// Lets a warp run as far as it can without the other warps.
static void run_warp(int start, int end) {
    do
        for (int lane : arranged(end - start))
            if (threads[start + lane].state == RUNNING) resume(start + lane);
    while (open(start, end, AT_WARP_BARRIER));
}

// Overwrites shared memory, which lies in .bss, with NaN: no block may read what another one left.
extern "C" __attribute__((visibility("hidden"))) char __bss_start, _end;
static void forget() { memset(&__bss_start, 0xFF, &_end - &__bss_start); }

// Runs all threads of a block in step with each other; false if some wait for ever.
static bool run_block(int n) {
    do
        for (int w : arranged((n + WARP - 1) / WARP)) run_warp(w * WARP, min(w * WARP + WARP, n));
    while (open(0, n, AT_BLOCK_BARRIER));
    bool complete = true;
    for (int i = 0; i < n; i++) {  // coroutines that wait for ever start anew next time
        threads[i].started = threads[i].state == FINISHED;
        complete = complete && threads[i].started;
    }
    return complete;
}

static const char* launch(void (*kernel)(void**), void** args, const unsigned* grid,
                          const unsigned* block, int kind, unsigned seed) {
    body = kernel, arguments = args, error = nullptr;
    order_kind = kind, randomness = seed;
    gridDim = {grid[0], grid[1], grid[2]}, blockDim = {block[0], block[1], block[2]};
    int n = block[0] * block[1];
    if (threads.empty()) threads.resize(1024);  // once, as threads with a stack cannot be moved
    if (n > 1024 || block[2] != 1) return "unsupported launch";
    for (unsigned number : arranged(grid[0] * grid[1] * grid[2])) {
        unsigned row = number / grid[0];
        blockIdx = {number % grid[0], row % grid[1], row / grid[1]};
        forget();
        for (int i = 0; i < n; i++) threads[i].state = RUNNING, threads[i].copies.assign(1, {});
        if (!run_block(n)) return "a barrier that only some threads of the block or warp reach";
    }
    return error;
}

// The type of an argument as NumPy names it: "f4", "i8", "const-f4*", "V64" for 64 bytes of struct.
template <typename P> std::string type_name() {
    if (std::is_pointer_v<P>) return type_name<std::remove_pointer_t<P>>() + "*";
    if (std::is_const_v<P>) return "const-" + type_name<std::remove_const_t<P>>();
    if (std::is_same_v<P, float16>) return "f2";
    const char* kind = std::is_class_v<P> ? "V" : std::is_same_v<P, bool> ? "b"
        : std::is_floating_point_v<P> ? "f" : std::is_unsigned_v<P> ? "u" : "i";
    return kind + std::to_string(sizeof(P));
}

template <auto KERNEL> struct Entry;
template <typename... P, void (*KERNEL)(P...)> struct Entry<KERNEL> {
    static void call(void** arguments) {
        std::apply(KERNEL, std::tuple<P&...>{*static_cast<P*>(*arguments++)...});
    }
    static const char* signature() {
        std::string names = ((type_name<P>() + " ") + ... + "");
        return strdup(names.c_str());  // never freed, as the caller keeps it
    }
};

}  // namespace cuda_host

// ---- what kernels do by PTX on a GPU -----------------------------------------------------------

static inline unsigned short float16_bits(float x) {  // to nearest, ties to even
    unsigned bits = __float_as_uint(x), sign = bits >> 16 & 0x8000, size = bits & 0x7FFFFFFF;
    if (size > 0x7F800000) return 0x7FFF;  // NaN
    if (size >= 0x477FF000) return sign | 0x7C00;  // from 65520 on: infinity
    if (size < 0x38800000)  // below 2^-14: adding 1/2 rounds to multiples of 2^-24
        return sign | (__float_as_uint(__uint_as_float(size) + 0.5f) - __float_as_uint(0.5f));
    return sign | (size - 0x38000000 + 0xFFF + (size >> 13 & 1)) >> 13;
}
static inline float float16_value(unsigned short half) {
    unsigned sign = (half & 0x8000) << 16, size = half & 0x7FFF;
    if (size >= 0x7C00) return __uint_as_float(sign | 0x7F800000 | size << 13);
    // the exponent counts from 15 there and from 127 here; subnormal numbers come out right as well
    float x = __uint_as_float(size << 13) * 0x1p112f;
    return __uint_as_float(sign | __float_as_uint(x));
}

static inline unsigned to_tf32(float x) {  // to nearest, ties away from zero
    unsigned bits = __float_as_uint(x);
    bool finite = (bits & 0x7F800000) != 0x7F800000;
    return (finite ? bits + 0x1000 : bits) & 0xFFFFE000;
}

static inline void multiply_add(float* c, const unsigned* a, const unsigned* b) {
    using namespace cuda_host;
    KEPT unsigned lefts[32][32][4], rights[32][32][2];  // [warp][lane][e], as in gemm.cu
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    memcpy(lefts[warp][lane], a, 16);
    memcpy(rights[warp][lane], b, 8);
    __syncwarp();
    for (int e = 0; e < 4; e++) {
        int row = lane / 4 + e / 2 * 8, column = lane % 4 * 2 + e % 2;  // of c[e] in C (16, 8)
        for (int k = 0; k < 8; k++)
            c[e] += __uint_as_float(lefts[warp][row % 8 * 4 + k % 4][row / 8 + k / 4 * 2])
                * __uint_as_float(rights[warp][column * 4 + k % 4][k / 4]);
    }
    __syncwarp();
}

template <int BYTES>
void start_bytes(void* to, const void* from, bool valid) {
    using namespace cuda_host;
    if ((uintptr_t(to) | uintptr_t(from)) % BYTES) error = "a copy that is not aligned";
    if (!valid) from = nullptr;
    auto copy = [=] { from ? memcpy(to, from, BYTES) : memset(to, 0, BYTES); };
    if (order_kind == BACKWARD || (order_kind == SHUFFLED && next_random() >> 31)) copy();
    else threads[current].copies.back().push_back(copy);
}
static inline void close_copies() { cuda_host::threads[cuda_host::current].copies.push_back({}); }
template <int OPEN>
void await_copies() {
    auto& groups = cuda_host::threads[cuda_host::current].copies;
    for (; groups.size() > OPEN + 1; groups.erase(groups.begin()))
        for (auto& copy : groups.front()) copy();
}

#define CUDA_HOST_EXPORT extern "C" __attribute__((visibility("default"))) const char*
#define CUDA_HOST_ENTRY(number, ...) \
    CUDA_HOST_EXPORT launch_##number(void** args, const unsigned* grid, const unsigned* block, \
                                     int kind, unsigned seed) { \
        return cuda_host::launch(cuda_host::Entry<__VA_ARGS__>::call, args, grid, block, kind, \
                                 seed); \
    } \
    CUDA_HOST_EXPORT signature_##number() { return cuda_host::Entry<__VA_ARGS__>::signature(); }
