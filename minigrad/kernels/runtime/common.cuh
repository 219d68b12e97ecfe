// What every kernel file starts with: number types, sums and extrema, how a block merges what its
// threads have, how a thread finds its element, and the shape of a window.
//
// Each kernel is a template over the number type T (float, double, float16, bfloat16) and the type
// I of indices (int, or long long for arrays of 2^31 elements and more). Its first parameter is the
// number of elements that it makes. Images lie in memory as (N, H, W, C): neighbouring threads work
// on neighbouring channels, and so on neighbouring numbers. No kernel adds to memory that another
// thread adds to: each element of a result has one thread, or one block, which gathers what belongs
// to it in a fixed order.

#ifndef INFINITY  // NVRTC has no math.h
#define INFINITY __int_as_float(0x7f800000)
#define NAN __int_as_float(0x7fffffff)
#endif

// Numbers of 16 bits are for storage alone: kernels compute in Wide<T>, and round when they store.

#ifndef CUDA_ON_HOST
__device__ inline unsigned short float16_bits(float x) {
    unsigned short bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
    return bits;
}
__device__ inline float float16_value(unsigned short bits) {
    float x;
    asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
    return x;
}
#endif

__device__ inline unsigned short bfloat16_bits(float x) {  // rounds to nearest, ties to even
#if __CUDA_ARCH__ >= 800
    unsigned short bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
    return bits;
#else
    unsigned bits = __float_as_uint(x);
    return x != x ? 0x7FFF : (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
#endif
}

struct float16 {
    unsigned short bits;

    float16() = default;
    __device__ float16(float x) : bits(float16_bits(x)) {}
    __device__ operator float() const { return float16_value(bits); }
};

struct bfloat16 {
    unsigned short bits;

    bfloat16() = default;
    __device__ bfloat16(float x) : bits(bfloat16_bits(x)) {}
    __device__ operator float() const { return __uint_as_float(unsigned(bits) << 16); }
};

template <typename T> using Wide = decltype(T() + 0.0f);

// A window over images, as kernels/runtime/window.py has it: x (N, H, W, C), y (N, oh, ow, O or C),
// where C and O count the channels of all groups.
struct Geometry {
    int N, C, H, W, O, oh, ow, kh, kw, sh, sw, ph, pw, dh, dw, groups;
};

// A sum, and what rounding has lost of it: Kahan, Communications of the ACM 8, 1965.
template <typename T>
struct Sum {
    T value, lost;

    __device__ void add(T x) {
        T exact = x - lost, rounded = value + exact;
        bool finite = rounded - rounded == 0;  // an infinite sum has lost nothing, and stays
        lost = finite ? (rounded - value) - exact : 0;
        value = rounded;
    }

    __device__ void merge(const Sum& b) {
        add(-b.lost);  // first, because a larger sum would lose some of it again
        add(b.value);
    }
};

// Whether x takes the place of the largest number so far. NaN always does, and stays.
template <typename T>
__device__ bool larger_or_nan(T x, T best) { return x > best || x != x; }

template <typename T>
struct Largest {
    T value;

    __device__ void add(T x) { if (larger_or_nan(x, value)) value = x; }
    __device__ void merge(const Largest& b) { add(b.value); }
};

template <typename T>
struct Smallest {
    T value;

    __device__ void add(T x) { if (x < value || x != x) value = x; }
    __device__ void merge(const Smallest& b) { add(b.value); }
};

// The values of several threads of a block merged into one, which each of them gets. `sharers`, a
// power of two, is the number of threads that share a result, `sharer` the number of this one among
// them, `step` how far apart they are; by default the whole block shares one result. In rounds with
// half = sharers / 2, ..., 2, 1, sharer k < half merges the value of sharer k + half into its own:
// the order is fixed, and with it every bit. All THREADS threads of the block must call it.
template <int THREADS, typename V>
__device__ V block_merge(V value, int sharer = threadIdx.x, int sharers = THREADS, int step = 1) {
    __shared__ V shared[THREADS];
    int place = threadIdx.y * blockDim.x + threadIdx.x;
    shared[place] = value;
    __syncthreads();
    for (int half = sharers / 2; half > 0; half /= 2) {
        if (sharer < half) shared[place].merge(shared[place + half * step]);
        __syncthreads();
    }
    value = shared[place - sharer * step];
    __syncthreads();  // before the next call writes
    return value;
}

template <typename I>
__device__ I thread_number() {
    return I(blockIdx.x) * I(blockDim.x) + I(threadIdx.x);
}

// The (image, row, column, channel) of element i of an array (N, H, W, C). `offset` is the inverse.
template <typename I>
struct Place {
    I image;
    int row, column, channel;

    __device__ Place(I i, int H, int W, int C) {
        I pixel = i / C, line = pixel / W;
        channel = int(i - pixel * C);
        column = int(pixel - line * W);
        image = line / H;
        row = int(line - image * H);
    }
};

template <typename I>
__device__ I offset(I image, int row, int column, int channel, int H, int W, int C) {
    return ((image * H + row) * W + column) * C + channel;
}

__device__ inline bool inside(int i, int n) { return 0 <= i && i < n; }

// The number i of the window whose tap u meets pixel `row`: i stride + u dilation - pad = row. If
// there is none, it is -1.
__device__ inline int window_at(int row, int u, int stride, int pad, int dilation, int windows) {
    int start = row + pad - u * dilation;
    if (stride == 1) return inside(start, windows) ? start : -1;
    return start >= 0 && start % stride == 0 && start / stride < windows ? start / stride : -1;
}

// The number of the pixel that a tap of the window at output `at` meets, or -1 in the padding.
template <typename I>
__device__ I pixel_at(const Place<I>& at, int tap, const Geometry& g) {
    int row = at.row * g.sh - g.ph + tap / g.kw * g.dh;
    int column = at.column * g.sw - g.pw + tap % g.kw * g.dw;
    bool within = inside(row, g.H) && inside(column, g.W);
    return within ? offset<I>(at.image, row, column, 0, g.H, g.W, 1) : -1;
}

// Calls visit(tap, pixel) for each pixel that the window at output `at` meets, tap by tap.
template <typename I, typename Visit>
__device__ void for_pixels(const Place<I>& at, const Geometry& g, Visit visit) {
    for (int u = 0; u < g.kh; u++) {
        for (int v = 0; v < g.kw; v++) {
            int row = at.row * g.sh - g.ph + u * g.dh, column = at.column * g.sw - g.pw + v * g.dw;
            if (inside(row, g.H) && inside(column, g.W))
                visit(u * g.kw + v, offset<I>(at.image, row, column, 0, g.H, g.W, 1));
        }
    }
}

// Calls visit(tap, window) for each window that meets pixel `at`, tap by tap.
template <typename I, typename Visit>
__device__ void for_windows(const Place<I>& at, const Geometry& g, Visit visit) {
    for (int u = 0; u < g.kh; u++) {
        int row = window_at(at.row, u, g.sh, g.ph, g.dh, g.oh);
        for (int v = 0; row >= 0 && v < g.kw; v++) {
            int column = window_at(at.column, v, g.sw, g.pw, g.dw, g.ow);
            if (column >= 0)
                visit(u * g.kw + v, offset<I>(at.image, row, column, 0, g.oh, g.ow, 1));
        }
    }
}
