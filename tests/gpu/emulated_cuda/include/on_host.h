// What CuPy's own kernels take from CUDA's headers and from CuPy's, for g++ behind emulator.h.

#include <cassert>
#include <complex>
#include <cstddef>
#include <type_traits>

#define __host__
#define __constant__ static const
#define __forceinline__ inline
#define __noinline__

using std::abs;
using std::complex;
using std::conj;
using std::imag;
using std::isfinite;
using std::isinf;
using std::isnan;
using std::real;
using std::signbit;
namespace thrust {
template <typename T> using complex = std::complex<T>;
}

static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }

static inline void* register_of(int warp, int lane) {
    KEPT char registers[32][32][16];
    return registers[warp][lane];
}
template <typename T> T exchanged(T x, int lane) {  // the x of another thread of the warp
    int warp = threadIdx.x / 32;
    memcpy(register_of(warp, threadIdx.x % 32), &x, sizeof x);
    __syncwarp();
    memcpy(&x, register_of(warp, lane), sizeof x);
    __syncwarp();
    return x;
}
template <typename T> T __shfl_xor_sync(unsigned, T x, int bits, int = 32) {
    return exchanged(x, threadIdx.x % 32 ^ bits);
}
template <typename T> T __shfl_up_sync(unsigned, T x, unsigned by, int = 32) {
    unsigned lane = threadIdx.x % 32;
    return exchanged(x, lane < by ? lane : lane - by);
}
template <typename T> T __shfl_down_sync(unsigned, T x, unsigned by, int = 32) {
    unsigned lane = threadIdx.x % 32;
    return exchanged(x, lane + by < 32 ? lane + by : lane);
}

static inline unsigned short bfloat16_bits(float x) {
    unsigned bits = __float_as_uint(x);
    return x != x ? 0x7FFF : (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
}
static inline float bfloat16_value(unsigned short bits) {
    return __uint_as_float(unsigned(bits) << 16);
}

// The classes of cupy/float16.cuh and cupy/bfloat16.cuh: stored in 16 bits, computed on in 32.
#define SIXTEEN_BITS(name) \
    struct name { \
        unsigned short bits; \
        name() = default; \
        name(float x) : bits(name##_bits(x)) {} \
        template <typename T, typename = std::enable_if_t<std::is_arithmetic<T>::value>> \
        explicit name(T x) : bits(name##_bits(float(x))) {} \
        operator float() const { return name##_value(bits); } \
        unsigned short to_bits() const { return bits; } \
        name& operator+=(float x) { return *this = name(float(*this) + x); } \
        name& operator-=(float x) { return *this = name(float(*this) - x); } \
        name& operator*=(float x) { return *this = name(float(*this) * x); } \
    }; \
    inline name min(name x, name y) { return x < y ? x : y; } \
    inline name max(name x, name y) { return x > y ? x : y; } \
    inline bool isnan(name x) { return std::isnan(float(x)); } \
    inline bool isinf(name x) { return std::isinf(float(x)); } \
    inline bool isfinite(name x) { return std::isfinite(float(x)); } \
    inline bool signbit(name x) { return x.bits >> 15; }

#include <cupy/carray.cuh>
