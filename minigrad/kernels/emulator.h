// Runs CUDA kernels on the CPU, compiled by g++ with this header in front.
//
// The threads of a block are coroutines. Each runs until it waits at a barrier or returns; when all
// have, the barrier opens. Between barriers the warps, and the threads in a warp, run one after
// another in an order that the caller chooses: forward, backward, or shuffled anew each time. A
// kernel that reads what another thread writes without a barrier in between gives different results
// in different orders. Asynchronous copies happen at once in backward order, and as late as they
// may, when they are waited for, in forward order; at one of these times when it is shuffled.

#include <climits>
#include <cmath>
#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ucontext.h>
#include <utility>
#include <vector>

#define CUDA_ON_HOST
#define __global__
#define __device__
#define __launch_bounds__(...)
#define __restrict__
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ static  // blocks run one after another; see `forget`
#define KEPT static __attribute__((section(".data")))  // everything else that is static
#define __syncthreads() cuda_host::wait_for_block(__LINE__)
#define __syncwarp() cuda_host::wait_for_warp(__LINE__)

struct dim3 { unsigned x, y, z; };
KEPT dim3 threadIdx, blockIdx, blockDim, gridDim;
struct float4 { float x, y, z, w; };
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

enum State { RUNNING, AT_BLOCK_BARRIER, AT_WARP_BARRIER, FINISHED };
struct Copy {
    void* to;
    const void* from;  // nothing: zeros
    int bytes;

    void perform() {
        if (from) memcpy(to, from, bytes);
        else memset(to, 0, bytes);
    }
};
struct Group { std::vector<Copy> list; bool closed; };
struct Thread {
    ucontext_t context;
    jmp_buf here;
    char* stack = nullptr;
    bool started = false;  // `here` is a place in the coroutine
    State state;
    int line;  // of the barrier
    std::vector<Group> copies;  // oldest first
};

static const int STACK = 1 << 17, WARP = 32;
KEPT std::vector<Thread> threads;
KEPT jmp_buf scheduler;
KEPT int current, order_kind;
KEPT bool alone;  // no barrier in this kernel: threads run without coroutines
KEPT const char* error;
KEPT void (*body)(void**);
KEPT void** arguments;

static void leave(State state, int line) {
    threads[current].state = state;
    threads[current].line = line;
    if (!_setjmp(threads[current].here)) _longjmp(scheduler, 1);
}
static void wait_for_block(int line) {
    if (alone) error = "some threads return before a barrier that others reach";
    else leave(AT_BLOCK_BARRIER, line);
}
static void wait_for_warp(int line) {
    if (alone) error = "some threads return before a barrier that others reach";
    else leave(AT_WARP_BARRIER, line);
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
    t.context.uc_stack.ss_size = STACK - number * 832 % (STACK / 2);  // not all in one cache set
    t.context.uc_link = nullptr;
    makecontext(&t.context, coroutine, 0);
    setcontext(&t.context);
}

KEPT uint32_t randomness;
static uint32_t next_random() { return randomness = randomness * 1664525u + 1013904223u; }

static void arrange(std::vector<int>& order, int kind) {  // 0 forward, 1 backward, 2 shuffled
    int n = order.size();
    for (int i = 0; i < n; i++) order[i] = kind == 1 ? n - 1 - i : i;
    for (int i = n - 1; kind == 2 && i > 0; i--)
        std::swap(order[i], order[next_random() % (i + 1)]);
}

// Open a barrier if all threads from start to end wait at this one; false if not.
static bool open(int start, int end, State barrier) {
    for (int i = start; i < end; i++)
        if (threads[i].state != barrier || threads[i].line != threads[start].line) return false;
    for (int i = start; i < end; i++) threads[i].state = RUNNING;
    return true;
}

// Let a warp run as far as it can alone, ahead of the others or behind them.
static void run_warp(int start, int end, int kind) {
    std::vector<int> lanes(end - start);
    do {
        arrange(lanes, kind);
        for (int lane : lanes)
            if (threads[start + lane].state == RUNNING) resume(start + lane);
    } while (open(start, end, AT_WARP_BARRIER));
}

static bool finished(int n) {
    for (int i = 0; i < n; i++) if (threads[i].state != FINISHED) return false;
    return true;
}

// Shared memory is what lies in .bss. What the last block left is not to be read: NaN replaces it.
extern "C" __attribute__((visibility("hidden"))) char __bss_start, _end;
static void forget() { memset(&__bss_start, 0xFF, &_end - &__bss_start); }

static const char* abandon(int n) {  // coroutines that hang start anew next time
    for (int i = 0; i < n; i++) threads[i].started = threads[i].state == FINISHED;
    return "a barrier that only some threads of the block or warp reach";
}

static const char* launch(void (*kernel)(void**), void** args, const unsigned* grid,
                          const unsigned* block, int kind, unsigned seed) {
    body = kernel, arguments = args, error = nullptr, alone = false, randomness = seed;
    order_kind = kind;
    gridDim = {grid[0], grid[1], grid[2]}, blockDim = {block[0], block[1], block[2]};
    int n = block[0] * block[1];
    if (threads.empty()) threads.resize(1024);  // never moved: they hold their stacks
    if (n > 1024 || block[2] != 1 || grid[1] != 1 || grid[2] != 1) return "unsupported launch";
    std::vector<int> order(n), blocks(grid[0]);
    arrange(blocks, kind);
    for (size_t b = 0; b < blocks.size(); b++) {
        blockIdx = {unsigned(blocks[b]), 0, 0};
        forget();
        arrange(order, kind);
        for (int i = 0; i < n; i++) threads[i].state = RUNNING, threads[i].copies.clear();
        if (!alone) {
            resume(order[0]);
            alone = b == 0 && threads[order[0]].state == FINISHED;
        }
        for (int i = alone && b == 0; alone && i < n; i++) {
            threadIdx = {unsigned(order[i]) % blockDim.x, unsigned(order[i]) / blockDim.x, 0};
            kernel(args);
            if (error) return error;
        }
        std::vector<int> warps((n + WARP - 1) / WARP);
        do {
            arrange(warps, kind);
            for (int w : warps)
                if (!alone) run_warp(w * WARP, w * WARP + WARP < n ? w * WARP + WARP : n, kind);
        } while (!alone && open(0, n, AT_BLOCK_BARRIER));
        if (!alone && !finished(n)) return abandon(n);
    }
    return error;
}

// What an argument is, as NumPy names it: "f4", "i8", "const f4*", "V64" for a struct of 64 bytes.
template <typename P> struct Type {
    static void write(char* to) { sprintf(to, "V%d ", int(sizeof(P))); }
};
template <typename P> struct Type<P*> {
    static void write(char* to) { Type<P>::write(to); to[strlen(to) - 1] = '*'; strcat(to, " "); }
};
template <typename P> struct Type<const P> {
    static void write(char* to) { strcpy(to, "const-"); Type<P>::write(to + 6); }
};
#define CUDA_HOST_TYPE(type, name) \
    template <> struct Type<type> { static void write(char* to) { strcpy(to, name " "); } };
CUDA_HOST_TYPE(float, "f4") CUDA_HOST_TYPE(double, "f8") CUDA_HOST_TYPE(int, "i4")
CUDA_HOST_TYPE(long long, "i8") CUDA_HOST_TYPE(unsigned, "u4") CUDA_HOST_TYPE(bool, "b1")
CUDA_HOST_TYPE(unsigned long long, "u8") CUDA_HOST_TYPE(unsigned short, "u2")
CUDA_HOST_TYPE(unsigned char, "u1") CUDA_HOST_TYPE(float16, "f2") CUDA_HOST_TYPE(bfloat16, "V2")

template <auto K, typename... P, size_t... i>
void call(void** a, void (*)(P...), std::index_sequence<i...>) {
    K(*static_cast<P*>(a[i])...);
}
template <auto K, typename... P>
void unpack(void** a, void (*kernel)(P...)) {
    call<K>(a, kernel, std::index_sequence_for<P...>());
}
template <auto K>
void packed(void** a) { unpack<K>(a, K); }

template <typename... P>
const char* signature(void (*)(P...)) {
    char* text = new char[2048];  // for good
    text[0] = 0;
    (Type<P>::write(text + strlen(text)), ...);
    return text;
}

}  // namespace cuda_host

// ---- what kernels take from PTX ----------------------------------------------------------------

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
    // the exponent counts from 15 in one and from 127 in the other; subnormal numbers fall in place
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
    KEPT unsigned lefts[32][32][4], rights[32][32][2];  // warp, lane, register
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    memcpy(lefts[warp][lane], a, 16);
    memcpy(rights[warp][lane], b, 8);
    __syncwarp();
    for (int e = 0; e < 4; e++) {
        int row = lane / 4 + e / 2 * 8, column = lane % 4 * 2 + e % 2;
        for (int k = 0; k < 8; k++) {
            float left, right;
            memcpy(&left, &lefts[warp][row % 8 * 4 + k % 4][row / 8 + k / 4 * 2], 4);
            memcpy(&right, &rights[warp][column * 4 + k % 4][k / 4], 4);
            c[e] += left * right;
        }
    }
    __syncwarp();
}

template <int BYTES>
void start_bytes(void* to, const void* from, bool valid) {
    if ((uintptr_t(to) | uintptr_t(from)) % BYTES)
        cuda_host::error = "a copy that is not aligned";
    auto& copies = cuda_host::threads[cuda_host::current].copies;
    if (copies.empty() || copies.back().closed) copies.push_back({});
    cuda_host::Copy copy = {to, valid ? from : nullptr, BYTES};
    int kind = cuda_host::order_kind;
    if (kind == 1 || (kind == 2 && cuda_host::next_random() >> 31)) copy.perform();
    else copies.back().list.push_back(copy);
}
static inline void close_copies() {
    auto& copies = cuda_host::threads[cuda_host::current].copies;
    if (copies.empty() || copies.back().closed) copies.push_back({});
    copies.back().closed = true;
}
template <int OPEN>
void await_copies() {
    auto& copies = cuda_host::threads[cuda_host::current].copies;
    for (; copies.size() > OPEN; copies.erase(copies.begin()))
        for (auto& copy : copies.front().list) copy.perform();
}

#define CUDA_HOST_EXPORT extern "C" __attribute__((visibility("default"))) const char*
#define CUDA_HOST_ENTRY(number, ...) \
    CUDA_HOST_EXPORT launch_##number(void** args, const unsigned* grid, const unsigned* block, \
                                     int kind, unsigned seed) { \
        return cuda_host::launch(cuda_host::packed<__VA_ARGS__>, args, grid, block, kind, seed); \
    } \
    CUDA_HOST_EXPORT signature_##number() { return cuda_host::signature(__VA_ARGS__); }
