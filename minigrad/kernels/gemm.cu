// Convolution as a matrix product whose left factor is never stored (implicit GEMM), on tensor
// cores: products of TF32 numbers (10 bits of mantissa), added in float32. Needs sm_80; one group.
// float is rounded to TF32; float16 and bfloat16 fit into it, so that their products are exact. They
// halve the memory traffic; 16-bit products would have twice the rate of these as well.
//
//   forward           y[pixel, o]  = sum over taps t, c of x[pixel moved by t, c] w[t, c, o]
//   input_gradient    gx[pixel, c] = sum over taps t, o of gy[window at t, o] w[t, o, c]
//   weight_gradient   gw[(t, c), o] = sum over pixels of x[pixel moved by t, c] gy[pixel, o]
//
// A block of 8 warps makes a tile of 128 rows and WIDTH columns of the result, DEPTH terms at a
// time: while it multiplies one pair of tiles in shared memory, the next pair is on its way there.

const int ROWS = 128, DEPTH = 16, WARPS = 8, THREADS = 32 * WARPS;
const int PAD_N = 8;  // so that the 32 threads of a warp read from 32 banks
template <typename T> constexpr int PAD_K = 16 / sizeof(T);
template <typename T> constexpr int VECTOR = 16 / sizeof(T);  // numbers per copy of 16 bytes

#ifndef CUDA_ON_HOST
#if __CUDA_ARCH__ >= 800

__device__ inline unsigned to_tf32(float x) {  // rounded to nearest
    unsigned y;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(y) : "f"(x));
    return y;
}

// c (16 x 8) += a (16 x 8) b (8 x 8) by one warp; who holds what: PTX ISA, mma.m16n8k8.
__device__ inline void multiply_add(float* c, const unsigned* a, const unsigned* b) {
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Start copying 4, 8 or 16 bytes to shared memory, or zeros if they are not valid.
template <int BYTES>
__device__ void start_bytes(void* to, const void* from, bool valid) {
    unsigned address = unsigned(__cvta_generic_to_shared(to));
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;"
                 :: "r"(address), "l"(from), "n"(BYTES), "r"(valid ? BYTES : 0) : "memory");
}
__device__ inline void close_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

template <int OPEN>  // wait until all closed groups but the OPEN latest have arrived
__device__ void await_copies() { asm volatile("cp.async.wait_group %0;" :: "n"(OPEN) : "memory"); }

#else  // older GPUs compile this file and never run it: gemm_cuda.usable

__device__ inline unsigned to_tf32(float x) { return __float_as_uint(x); }
__device__ inline void multiply_add(float*, const unsigned*, const unsigned*) { __trap(); }
template <int BYTES> __device__ void start_bytes(void*, const void*, bool) { __trap(); }
__device__ inline void close_copies() {}
template <int OPEN> __device__ void await_copies() {}

#endif
#endif

// Copy V numbers to shared memory, or zeros; single 16-bit numbers at once.
template <int V, typename T>
__device__ void start_copy(T* to, const T* from, bool valid) {
    if constexpr (V * sizeof(T) < 4) *to = valid ? *from : T(0);
    else start_bytes<V * sizeof(T)>(to, from, valid);
}

__device__ inline unsigned factor(float x) { return to_tf32(x); }
template <typename T>
__device__ unsigned factor(T x) { return __float_as_uint(x); }

// A tile of the left factor lies in shared memory by rows, or (TURNED) by terms of the sum.
template <bool TURNED, typename T>
__device__ constexpr int left_size() {
    return TURNED ? DEPTH * (ROWS + PAD_N) : ROWS * (DEPTH + PAD_K<T>);
}
template <bool TURNED, typename T>
__device__ int left_at(int row, int k) {
    return TURNED ? k * (ROWS + PAD_N) + row : row * (DEPTH + PAD_K<T>) + k;
}

// The part of the result that one thread holds: in m16n8 pieces, ACROSS of them side by side.
template <int WIDTH>
struct Accumulator {
    static const int ACROSS = 4, WARPS_ACROSS = WIDTH / (8 * ACROSS);
    static const int DOWN = ROWS / (WARPS / WARPS_ACROSS) / 16;
    float sums[DOWN][ACROSS][4];
    int lane, row, column;  // of the warp's part in the tile

    __device__ Accumulator() {
        int warp = threadIdx.x / 32;
        lane = threadIdx.x % 32;
        row = warp / WARPS_ACROSS * DOWN * 16;
        column = warp % WARPS_ACROSS * ACROSS * 8;
        for (int i = 0; i < DOWN; i++)
            for (int j = 0; j < ACROSS; j++)
                for (int e = 0; e < 4; e++) sums[i][j][e] = 0;
    }

    template <bool TURNED, typename T>
    __device__ void add(const T* left, const T* right) {
        int group = lane / 4, member = lane % 4;
        for (int k = 0; k < DEPTH; k += 8) {
            unsigned b[ACROSS][2];
            #pragma unroll
            for (int j = 0; j < ACROSS; j++) {
                const T* from = right + (k + member) * (WIDTH + PAD_N) + column + j * 8 + group;
                b[j][0] = factor(from[0]);
                b[j][1] = factor(from[4 * (WIDTH + PAD_N)]);
            }
            #pragma unroll
            for (int i = 0; i < DOWN; i++) {
                unsigned a[4];
                #pragma unroll
                for (int e = 0; e < 4; e++)
                    a[e] = factor(left[left_at<TURNED, T>(row + i * 16 + group + e % 2 * 8,
                                                          k + member + e / 2 * 4)]);
                #pragma unroll
                for (int j = 0; j < ACROSS; j++) multiply_add(sums[i][j], a, b[j]);
            }
        }
    }

    // result[(first_row + r) columns + first_column + c] for the rows and columns that exist.
    template <typename T, typename I>
    __device__ void store(T* result, I first_row, int first_column, I rows, int columns) {
        #pragma unroll
        for (int i = 0; i < DOWN; i++)
            #pragma unroll
            for (int j = 0; j < ACROSS; j++)
                #pragma unroll
                for (int e = 0; e < 4; e++) {
                    I r = first_row + row + i * 16 + lane / 4 + e / 2 * 8;
                    int c = first_column + column + j * 8 + lane % 4 * 2 + e % 2;
                    if (r < rows && c < columns) result[r * columns + c] = sums[i][j][e];
                }
    }
};

// Start copying a tile of `right` (terms, columns): DEPTH terms from `first`, WIDTH columns.
template <int WIDTH, int V, typename T, typename I>
__device__ void start_right(T* tile, const T* right, I first, I terms, int first_column,
                            int columns) {
    for (int q = threadIdx.x; q < DEPTH * WIDTH / V; q += THREADS) {
        int k = q / (WIDTH / V), column = q % (WIDTH / V) * V;
        bool valid = first + k < terms && first_column + column < columns;
        start_copy<V>(tile + k * (WIDTH + PAD_N) + column,
                      valid ? right + (first + k) * columns + first_column + column : right, valid);
    }
}

// Where tap (u, v) of the window at a pixel of the result lies in the source, which has C channels.
// FORWARD: results are windows, the source the image. Else: results are pixels, the source windows.
template <bool FORWARD, typename I>
struct Pixel {
    I number, count, image;
    int row, column;

    __device__ void set(I n, I pixels, const Geometry& g) {
        Place<I> at(n, FORWARD ? g.oh : g.H, FORWARD ? g.ow : g.W, 1);
        number = n, count = pixels, image = at.image, row = at.row, column = at.column;
    }

    __device__ void advance(int by, const Geometry& g) {  // without the divisions of `set`
        int H = FORWARD ? g.oh : g.H, W = FORWARD ? g.ow : g.W;
        number += by;
        for (column += by; column >= W; column -= W)
            if (++row == H) row = 0, image++;
    }

    template <typename T>
    __device__ const T* tap(const T* source, int u, int v, const Geometry& g) const {
        int H = FORWARD ? g.H : g.oh, W = FORWARD ? g.W : g.ow, C = FORWARD ? g.C : g.O;
        int r = FORWARD ? row * g.sh - g.ph + u * g.dh
                        : window_at(row, u, g.sh, g.ph, g.dh, g.oh);
        int c = FORWARD ? column * g.sw - g.pw + v * g.dw
                        : window_at(column, v, g.sw, g.pw, g.dw, g.ow);
        bool within = number < count && inside(r, H) && inside(c, W);
        return within ? source + offset<I>(image, r, c, 0, H, W, C) : nullptr;
    }
};

// The forward map and the input gradient: every tap is a product over the source's channels.
template <bool FORWARD, int WIDTH, int V, typename T, typename I>
__device__ void convolve(I pixels, const T* source, const T* w, T* result, Geometry g) {
    __shared__ __align__(16) T left[2][left_size<false, T>()];
    __shared__ __align__(16) T right[2][DEPTH * (WIDTH + PAD_N)];
    const int PER_THREAD = ROWS * DEPTH / V / THREADS, CHUNKS = DEPTH / V;
    int channels = FORWARD ? g.C : g.O, columns = FORWARD ? g.O : g.C;
    int across = (columns + WIDTH - 1) / WIDTH, first_column = int(blockIdx.x) % across * WIDTH;
    I first = I(blockIdx.x / across) * ROWS;
    int steps = g.kh * g.kw * ((channels + DEPTH - 1) / DEPTH);

    Pixel<FORWARD, I> mine[PER_THREAD];  // the rows that this thread copies
    #pragma unroll
    for (int j = 0; j < PER_THREAD; j++)
        mine[j].set(first + (threadIdx.x + j * THREADS) / CHUNKS, pixels, g);
    int u = 0, v = 0, c = 0, k = threadIdx.x % CHUNKS * V;  // the next tap, and its channels

    auto start = [&](int buffer) {
        #pragma unroll
        for (int j = 0; j < PER_THREAD; j++) {
            const T* from = c + k < channels ? mine[j].tap(source, u, v, g) : nullptr;
            start_copy<V>(left[buffer] + left_at<false, T>((threadIdx.x + j * THREADS) / CHUNKS, k),
                          from ? from + c + k : source, from != nullptr);
        }
        start_right<WIDTH, V>(right[buffer], w + I(u * g.kw + v) * channels * columns, I(c),
                              I(channels), first_column, columns);
        close_copies();
        c += DEPTH;
        if (c >= channels) {
            c = 0;
            if (++v == g.kw) v = 0, u++;
        }
    };

    Accumulator<WIDTH> sums;
    start(0);
    for (int step = 0; step < steps; step++) {
        if (step + 1 < steps) start((step + 1) % 2); else close_copies();
        await_copies<1>();
        __syncthreads();
        sums.template add<false, T>(left[step % 2], right[step % 2]);
        __syncthreads();  // before the next copies overwrite what was just read
    }
    sums.store(result, first, first_column, pixels, columns);
}

// partial[part] = the sum over the part's `each` pixels; conv.cu's sum_chunks adds the parts.
template <int WIDTH, int V, typename T, typename I>
__device__ void correlate(I pixels, const T* x, const T* gy, float* partial, Geometry g, int each) {
    __shared__ __align__(16) T left[2][left_size<true, T>()];
    __shared__ __align__(16) T right[2][DEPTH * (WIDTH + PAD_N)];
    int rows = g.kh * g.kw * g.C, down = (rows + ROWS - 1) / ROWS;
    int across = (g.O + WIDTH - 1) / WIDTH, tile = int(blockIdx.x) % (down * across);
    int first_row = tile / across * ROWS, first_column = tile % across * WIDTH;
    I part = blockIdx.x / (down * across), begin = part * each;
    I end = begin + each < pixels ? begin + each : pixels;
    int steps = int((end - begin + DEPTH - 1) / DEPTH);

    const int PER_THREAD = ROWS * DEPTH / V / THREADS, CHUNKS = ROWS / V;
    Pixel<true, I> mine[PER_THREAD];  // the terms that this thread copies
    #pragma unroll
    for (int j = 0; j < PER_THREAD; j++)
        mine[j].set(begin + (threadIdx.x + j * THREADS) / CHUNKS, end, g);
    int row = threadIdx.x % CHUNKS * V;  // and the row, one for all of them: tap (u, v), channel c
    int t = (first_row + row) / g.C, c = first_row + row - t * g.C, u = t / g.kw, v = t % g.kw;
    I next = begin;

    auto start = [&](int buffer) {
        #pragma unroll
        for (int j = 0; j < PER_THREAD; j++) {
            const T* from = first_row + row < rows ? mine[j].tap(x, u, v, g) : nullptr;
            int k = (threadIdx.x + j * THREADS) / CHUNKS;
            start_copy<V>(left[buffer] + left_at<true, T>(row, k), from ? from + c : x,
                          from != nullptr);
            mine[j].advance(DEPTH, g);
        }
        start_right<WIDTH, V>(right[buffer], gy, next, end, first_column, g.O);
        close_copies();
        next += DEPTH;
    };

    Accumulator<WIDTH> sums;
    start(0);
    for (int step = 0; step < steps; step++) {
        if (step + 1 < steps) start((step + 1) % 2); else close_copies();
        await_copies<1>();
        __syncthreads();
        sums.template add<true, T>(left[step % 2], right[step % 2]);
        __syncthreads();
    }
    sums.store(partial + part * rows * g.O, I(first_row), first_column, I(rows), g.O);
}

// Copies are of 16 bytes where the numbers of channels allow it, else of one number; WIDTH fits
// narrow results.

template <typename T, typename I>
__global__ void __launch_bounds__(THREADS) forward(I pixels, const T* x, const T* w, T* y,
                                                   Geometry g) {
    convolve<true, 128, VECTOR<T>>(pixels, x, w, y, g);
}
template <typename T, typename I>
__global__ void __launch_bounds__(THREADS) forward_narrow(I pixels, const T* x, const T* w, T* y,
                                                          Geometry g) {
    convolve<true, 64, VECTOR<T>>(pixels, x, w, y, g);
}
template <typename T, typename I>
__global__ void __launch_bounds__(THREADS) forward_odd(I pixels, const T* x, const T* w, T* y,
                                                       Geometry g) {
    convolve<true, 64, 1>(pixels, x, w, y, g);
}
template <typename T, typename I>
__global__ void __launch_bounds__(THREADS) input_gradient(I pixels, const T* gy, const T* w, T* gx,
                                                          Geometry g) {
    convolve<false, 128, VECTOR<T>>(pixels, gy, w, gx, g);
}
template <typename T, typename I>
__global__ void __launch_bounds__(THREADS) input_gradient_narrow(I pixels, const T* gy, const T* w,
                                                                 T* gx, Geometry g) {
    convolve<false, 64, VECTOR<T>>(pixels, gy, w, gx, g);
}
template <typename T, typename I>
__global__ void __launch_bounds__(THREADS) input_gradient_odd(I pixels, const T* gy, const T* w,
                                                              T* gx, Geometry g) {
    convolve<false, 64, 1>(pixels, gy, w, gx, g);
}
template <typename T, typename I>
__global__ void __launch_bounds__(THREADS) weight_gradient(I pixels, const T* x, const T* gy,
                                                           float* partial, Geometry g, int each) {
    correlate<128, VECTOR<T>>(pixels, x, gy, partial, g, each);
}
template <typename T, typename I>
__global__ void __launch_bounds__(THREADS) weight_gradient_narrow(I pixels, const T* x, const T* gy,
                                                                  float* partial, Geometry g,
                                                                  int each) {
    correlate<64, VECTOR<T>>(pixels, x, gy, partial, g, each);
}
template <typename T, typename I>
__global__ void __launch_bounds__(THREADS) weight_gradient_odd(I pixels, const T* x, const T* gy,
                                                               float* partial, Geometry g, int each) {
    correlate<64, 1>(pixels, x, gy, partial, g, each);
}
