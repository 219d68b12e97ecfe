// What every kernel file starts with: how a thread finds its element, and the shape of a window.
//
// Each kernel is a template over the number type T (float, double, float16, bfloat16) and the type I
// of indices (int, or long long for arrays of 2^31 elements and more), and its first parameter is
// the number of elements that it makes. Images lie in memory as (N, H, W, C): neighbouring threads work on
// neighbouring channels. No kernel adds to memory that another thread adds to: each output element
// has one thread, which gathers what belongs to it in a fixed order.

#ifndef INFINITY  // NVRTC has no math.h
#define INFINITY __int_as_float(0x7f800000)
#define NAN __int_as_float(0x7fffffff)
#endif

// 16-bit numbers, for storage alone: kernels compute in Wide<T>, and round when they store.

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

__device__ inline unsigned short bfloat16_bits(float x) {  // the upper half, to nearest even
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

template <typename T> struct Widened { typedef T type; };
template <> struct Widened<float16> { typedef float type; };
template <> struct Widened<bfloat16> { typedef float type; };
template <typename T> using Wide = typename Widened<T>::type;

struct Geometry {  // a window over images, as kernels/window.py; C and O count all groups
    int N, C, H, W, O, oh, ow, kh, kw, sh, sw, ph, pw, dh, dw, groups;
};

template <typename I>
__device__ I thread_number() {
    return I(blockIdx.x) * I(blockDim.x) + I(threadIdx.x);
}

template <typename I>
struct Place {  // (image, row, column, channel) of element i of an array (N, H, W, C)
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

// The window whose tap u meets pixel `row`, or -1: solves i stride + u dilation - pad = row.
__device__ inline int window_at(int row, int u, int stride, int pad, int dilation, int windows) {
    int start = row + pad - u * dilation;
    if (stride == 1) return inside(start, windows) ? start : -1;
    return start >= 0 && start % stride == 0 && start / stride < windows ? start / stride : -1;
}
