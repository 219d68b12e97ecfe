// cuBLAS's products of matrices on the CPU, as far as CuPy asks for them. Matrices are column-major.

#include <algorithm>
#include <complex>
#include <cstdint>
#include <cstring>
#include <vector>

#include <library_types.h>

#define API extern "C" __attribute__((visibility("default")))

static const int TF32_MODE = 3, FAST_TF32 = 77;  // cublasMath_t, cublasComputeType_t
static int math_mode;

API int cublasCreate_v2(void** handle) { return *handle = &math_mode, 0; }
API int cublasDestroy_v2(void*) { return 0; }
API int cublasSetStream_v2(void*, void*) { return 0; }
API int cublasGetStream_v2(void*, void** stream) { return *stream = nullptr, 0; }
API int cublasSetMathMode(void*, int mode) { return math_mode = mode, 0; }
API int cublasGetMathMode(void*, int* mode) { return *mode = math_mode, 0; }
API int cublasSetPointerMode_v2(void*, int) { return 0; }
API int cublasGetPointerMode_v2(void*, int* mode) { return *mode = 0, 0; }

template <typename To, typename From>
static To bits_of(From x) {
    static_assert(sizeof(To) == sizeof(From));
    To y;
    memcpy(&y, &x, sizeof x);
    return y;
}

// How numbers are stored; they are multiplied and added as Wide.
template <typename T>
struct Plain {
    typedef T Wide;
    static T get(const T* p) { return *p; }
    static void put(T* p, T x) { *p = x; }
};
struct Half : Plain<float> {
    static float get(const uint16_t* p) { return float(bits_of<_Float16>(*p)); }
    static void put(uint16_t* p, float x) { *p = bits_of<uint16_t>(_Float16(x)); }
};
struct BFloat : Plain<float> {
    static float get(const uint16_t* p) { return bits_of<float>(uint32_t(*p) << 16); }
    static void put(uint16_t* p, float x) {  // to nearest, ties to even
        uint32_t bits = bits_of<uint32_t>(x);
        *p = x != x ? 0x7FFF : (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
    }
};
struct TF32 : Plain<float> {  // factors of 10 bits of mantissa
    static float get(const float* p) {
        return bits_of<float>((bits_of<uint32_t>(*p) + 0x1000) & 0xFFFFE000);
    }
};

template <typename E, typename S>
static void multiply(bool ta, bool tb, long m, long n, long k, const S* a, long lda, const S* b,
                     long ldb, S* c, long ldc) {
    std::vector<typename E::Wide> sums(m);
    for (long j = 0; j < n; j++) {
        std::fill(sums.begin(), sums.end(), typename E::Wide(0));
        for (long l = 0; l < k; l++) {
            auto right = E::get(b + (tb ? l * ldb + j : j * ldb + l));
            for (long i = 0; i < m; i++)
                sums[i] += E::get(a + (ta ? i * lda + l : l * lda + i)) * right;
        }
        for (long i = 0; i < m; i++) E::put(c + j * ldc + i, sums[i]);
    }
}

static int product(int type, bool tf32, bool ta, bool tb, long m, long n, long k, const void* a,
                   long lda, const void* b, long ldb, void* c, long ldc) {
#define AS(E, S) multiply<E, S>(ta, tb, m, n, k, (const S*)a, lda, (const S*)b, ldb, (S*)c, ldc)
    switch (type) {
        case CUDA_R_16F: return AS(Half, uint16_t), 0;
        case CUDA_R_16BF: return AS(BFloat, uint16_t), 0;
        case CUDA_R_32F: return tf32 ? AS(TF32, float) : AS(Plain<float>, float), 0;
        case CUDA_R_64F: return AS(Plain<double>, double), 0;
        case CUDA_C_32F: return AS(Plain<std::complex<float>>, std::complex<float>), 0;
        case CUDA_C_64F: return AS(Plain<std::complex<double>>, std::complex<double>), 0;
    }
    return 15;  // CUBLAS_STATUS_NOT_SUPPORTED
}

static size_t bytes(int type) {
    switch (type) {
        case CUDA_R_16F: case CUDA_R_16BF: return 2;
        case CUDA_R_32F: return 4;
        case CUDA_C_64F: return 16;
    }
    return 8;
}

API int cublasGemmStridedBatchedEx(
        void*, int ta, int tb, int m, int n, int k, const void*, const char* a, int type, int lda,
        long long step_a, const char* b, int, int ldb, long long step_b, const void*, char* c, int,
        int ldc, long long step_c, int count, int compute, int) {
    bool tf32 = compute == FAST_TF32 || math_mode == TF32_MODE;
    int error = 0;
    for (long i = 0; i < count && !error; i++)
        error = product(type, tf32, ta, tb, m, n, k, a + i * step_a * bytes(type), lda,
                        b + i * step_b * bytes(type), ldb, c + i * step_c * bytes(type), ldc);
    return error;
}
API int cublasGemmEx(void* handle, int ta, int tb, int m, int n, int k, const void* alpha,
                     const char* a, int type, int lda, const char* b, int, int ldb,
                     const void* beta, char* c, int, int ldc, int compute, int algorithm) {
    return cublasGemmStridedBatchedEx(handle, ta, tb, m, n, k, alpha, a, type, lda, 0, b, type, ldb,
                                      0, beta, c, type, ldc, 0, 1, compute, algorithm);
}

template <int TYPE, typename T>
static int batched(int ta, int tb, int m, int n, int k, const T** a, int lda, const T** b, int ldb,
                   T** c, int ldc, int count) {
    for (int i = 0; i < count; i++)
        product(TYPE, math_mode == TF32_MODE, ta, tb, m, n, k, a[i], lda, b[i], ldb, c[i], ldc);
    return 0;
}
API int cublasSgemmBatched(void*, int ta, int tb, int m, int n, int k, const void*, const float** a,
                           int lda, const float** b, int ldb, const void*, float** c, int ldc,
                           int count) {
    return batched<CUDA_R_32F>(ta, tb, m, n, k, a, lda, b, ldb, c, ldc, count);
}
API int cublasDgemmBatched(void*, int ta, int tb, int m, int n, int k, const void*,
                           const double** a, int lda, const double** b, int ldb, const void*,
                           double** c, int ldc, int count) {
    return batched<CUDA_R_64F>(ta, tb, m, n, k, a, lda, b, ldb, c, ldc, count);
}
