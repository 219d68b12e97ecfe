// Convolution as a matrix product whose left factor is never stored (implicit GEMM), on tensor
// cores; for one group, on GPUs from sm_80 on. The specification is kernels/conv/__init__.py.
//
//   forward           y[pixel, o]   = sum over taps t, c of x[pixel moved by t, c] w[t, c, o]
//   input_gradient    gx[pixel, c]  = sum over taps t, o of gy[window at t, o] w[t, o, c]
//   weight_gradient   gw[(t, c), o] = sum over pixels of x[pixel moved by t, c] gy[pixel, o]
//
// Tensor cores multiply TF32 numbers (10 bits of mantissa) and add the products in float32. A float
// is rounded to TF32. float16 and bfloat16 fit into it, so that their products are exact, and they
// halve the memory traffic; multiplied as 16-bit numbers, they would also be twice as fast.
//
// A block of 8 warps makes a tile (ROWS, WIDTH) of the result, DEPTH terms of the sum at a time:
// its threads copy a pair of tiles of the factors, `left` (ROWS, DEPTH) and `right` (DEPTH, WIDTH),
// into shared memory, and while they multiply one pair, the next is on its way. Each warp makes a
// part of the result's tile, in pieces (16, 8), which is what one instruction multiplies into.
//
// The kernels come in three variants, of which `_variant` in gemm.py chooses: wide results are made
// in tiles of WIDTH 128 and narrow ones in tiles of 64, both by copies of 16 bytes, which hold V
// numbers; V is 1 where the channels or an address do not allow that.

const int ROWS = 128, DEPTH = 16, WARPS = 8, THREADS = 32 * WARPS;
// Lines of the tiles in shared memory are this much longer than what they hold, so that the 32
// threads of a warp read from 32 banks.
const int PAD_N = 8;
template <typename T> constexpr int PAD_K = 16 / sizeof(T);
template <typename T> constexpr int VECTOR = 16 / sizeof(T);  // numbers in a copy of 16 bytes

#ifndef CUDA_ON_HOST
#if __CUDA_ARCH__ >= 800

__device__ inline unsigned to_tf32(float x) {  // rounded to nearest
    unsigned y;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(y) : "f"(x));
    return y;
}

// c (16 x 8) += a (16 x 8) b (8 x 8), matrices whose elements the 32 threads of a warp hold between
// them. With lane = 4 group + member, a thread has (PTX ISA, mma.m16n8k8)
//
//   a[e] = A[group + 8 (e % 2)][member + 4 (e / 2)]        e = 0, 1, 2, 3
//   b[e] = B[member + 4 e][group]                          e = 0, 1
//   c[e] = C[group + 8 (e / 2)][2 member + e % 2]          e = 0, 1, 2, 3
__device__ inline void multiply_add(float* c, const unsigned* a, const unsigned* b) {
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Starts to copy 4, 8 or 16 bytes to shared memory, or as many zeros if they are not valid.
template <int BYTES>
__device__ void start_bytes(void* to, const void* from, bool valid) {
    unsigned address = unsigned(__cvta_generic_to_shared(to));
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;"
                 :: "r"(address), "l"(from), "n"(BYTES), "r"(valid ? BYTES : 0) : "memory");
}
// The copies that this thread has started since the last call become a group.
__device__ inline void close_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits until all groups of this thread's copies have arrived but the latest OPEN.
template <int OPEN>
__device__ void await_copies() { asm volatile("cp.async.wait_group %0;" :: "n"(OPEN) : "memory"); }

#else  // older GPUs compile this file and never run it: see `usable` in gemm.py

__device__ inline unsigned to_tf32(float x) { return __float_as_uint(x); }
__device__ inline void multiply_add(float*, const unsigned*, const unsigned*) { __trap(); }
template <int BYTES> __device__ void start_bytes(void*, const void*, bool) { __trap(); }
__device__ inline void close_copies() {}
template <int OPEN> __device__ void await_copies() {}

#endif
#endif

// Starts to copy V numbers to shared memory, or zeros; a single 16-bit number is copied at once.
template <int V, typename T>
__device__ void start_copy(T* to, const T* from, bool valid) {
    if constexpr (V * sizeof(T) < 4) *to = valid ? *from : T(0);
    else start_bytes<V * sizeof(T)>(to, from, valid);
}

// A number as the TF32 that tensor cores multiply; 16-bit numbers are that already.
__device__ inline unsigned factor(float x) { return to_tf32(x); }
template <typename T>
__device__ unsigned factor(T x) { return __float_as_uint(x); }

// A tile (ROWS, DEPTH) of the left factor lies in shared memory row by row, or column by column if
// TURNED: how many numbers it takes, and where (row, k) is.
template <bool TURNED, typename T>
__device__ constexpr int left_size() {
    return TURNED ? DEPTH * (ROWS + PAD_N) : ROWS * (DEPTH + PAD_K<T>);
}
template <bool TURNED, typename T>
__device__ int left_at(int row, int k) {
    return TURNED ? k * (ROWS + PAD_N) + row : row * (DEPTH + PAD_K<T>) + k;
}

// What one thread holds of the result's tile (ROWS, WIDTH). Its warp's part (16 DOWN, 8 ACROSS)
// consists of pieces (16, 8), and of each piece the thread has the four numbers c[e] above.
template <int WIDTH>
struct Accumulator {
    static const int ACROSS = 4, WARPS_ACROSS = WIDTH / (8 * ACROSS);
    static const int DOWN = ROWS / (WARPS / WARPS_ACROSS) / 16;
    float sums[DOWN][ACROSS][4] = {};
    int lane, row, column;  // the last two are where the warp's part begins in the tile

    __device__ Accumulator() {
        int warp = threadIdx.x / 32;
        lane = threadIdx.x % 32;
        row = warp / WARPS_ACROSS * DOWN * 16;
        column = warp % WARPS_ACROSS * ACROSS * 8;
    }

    // The sums += a left tile (ROWS, DEPTH) times a right tile (DEPTH, WIDTH).
    template <bool TURNED, typename T>
    __device__ void add(const T* left, const T* right) {
        int group = lane / 4, member = lane % 4;
        for (int k = 0; k < DEPTH; k += 8) {
            unsigned b[ACROSS][2];  // of (8, 8 ACROSS)
            #pragma unroll
            for (int j = 0; j < ACROSS; j++) {
                const T* from = right + (k + member) * (WIDTH + PAD_N) + column + j * 8 + group;
                b[j][0] = factor(from[0]);
                b[j][1] = factor(from[4 * (WIDTH + PAD_N)]);
            }
            #pragma unroll
            for (int i = 0; i < DOWN; i++) {
                unsigned a[4];  // of (16, 8)
                #pragma unroll
                for (int e = 0; e < 4; e++)
                    a[e] = factor(left[left_at<TURNED, T>(row + i * 16 + group + e % 2 * 8,
                                                          k + member + e / 2 * 4)]);
                #pragma unroll
                for (int j = 0; j < ACROSS; j++) multiply_add(sums[i][j], a, b[j]);
            }
        }
    }

    // Stores the tile that begins at (first_row, first_column) of result (rows, columns), as far as
    // these go. b (columns) is added first, unless it is null, so that the sum is rounded once.
    template <typename T, typename I>
    __device__ void store(T* result, const T* b, I first_row, int first_column, I rows,
                          int columns) {
        #pragma unroll
        for (int i = 0; i < DOWN; i++)
            #pragma unroll
            for (int j = 0; j < ACROSS; j++)
                #pragma unroll
                for (int e = 0; e < 4; e++) {
                    I r = first_row + row + i * 16 + lane / 4 + e / 2 * 8;
                    int c = first_column + column + j * 8 + lane % 4 * 2 + e % 2;
                    if (r < rows && c < columns)
                        result[r * columns + c] = b ? sums[i][j][e] + Wide<T>(b[c]) : sums[i][j][e];
                }
    }
};

// Starts to copy a tile (DEPTH, WIDTH), whose corner is (first, first_column), of `right` (terms,
// columns).
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

// Two pairs of tiles: while one is multiplied, the other is on its way.
template <bool TURNED, int WIDTH, typename T>
struct __align__(16) Tiles {
    T left[2][left_size<TURNED, T>()];  // (ROWS, DEPTH)
    T right[2][DEPTH * (WIDTH + PAD_N)];  // (DEPTH, WIDTH)
};

// Adds the products of `steps` pairs of tiles; start(buffer) starts the copies of the next pair.
template <bool TURNED, int WIDTH, typename T, typename Start>
__device__ void add_products(Accumulator<WIDTH>& sums, Tiles<TURNED, WIDTH, T>& tiles, int steps,
                             Start& start) {
    start(0);
    for (int step = 0; step < steps; step++) {
        if (step + 1 < steps) start((step + 1) % 2); else close_copies();
        await_copies<1>();
        __syncthreads();
        sums.template add<TURNED>(tiles.left[step % 2], tiles.right[step % 2]);
        __syncthreads();  // before the next copies overwrite what was just read
    }
}

// A pixel of the result, and where in the source lies what tap (u, v) multiplies. If FORWARD,
// a pixel of the result (N, oh, ow, O) is a window over the source, an image (N, H, W, C). If not,
// the pixels of the source (N, oh, ow, O) are windows over the result, an image (N, H, W, C).
template <bool FORWARD, typename I>
struct Pixel {
    I number, count, image;  // the pixel exists if number < count
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

    // The channels of the source there; null in the padding and where no window is.
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

// The forward map and the input gradient: source (pixels of it, channels), w (kh kw, channels,
// columns), b (columns) or null -> result (pixels, columns). A step is DEPTH channels of a tap.
template <bool FORWARD, int WIDTH, int V, typename T, typename I>
__device__ void convolve(I pixels, const T* source, const T* w, T* result, Geometry g,
                         const T* b = nullptr) {
    __shared__ Tiles<false, WIDTH, T> tiles;
    const int PER_THREAD = ROWS * DEPTH / V / THREADS, CHUNKS = DEPTH / V;
    int channels = FORWARD ? g.C : g.O, columns = FORWARD ? g.O : g.C;
    int across = (columns + WIDTH - 1) / WIDTH, first_column = int(blockIdx.x) % across * WIDTH;
    I first = I(blockIdx.x / across) * ROWS;
    int steps = g.kh * g.kw * ((channels + DEPTH - 1) / DEPTH);

    Pixel<FORWARD, I> mine[PER_THREAD];  // the rows of the left tile that this thread copies
    #pragma unroll
    for (int j = 0; j < PER_THREAD; j++)
        mine[j].set(first + (threadIdx.x + j * THREADS) / CHUNKS, pixels, g);
    int k = threadIdx.x % CHUNKS * V;  // the first of the columns that it copies, of V
    int u = 0, v = 0, c = 0;  // the tap of the next step, and the first of its channels

    auto start = [&](int buffer) {
        #pragma unroll
        for (int j = 0; j < PER_THREAD; j++) {
            const T* from = c + k < channels ? mine[j].tap(source, u, v, g) : nullptr;
            int row = (threadIdx.x + j * THREADS) / CHUNKS;
            start_copy<V>(tiles.left[buffer] + left_at<false, T>(row, k),
                          from ? from + c + k : source, from != nullptr);
        }
        start_right<WIDTH, V>(tiles.right[buffer], w + I(u * g.kw + v) * channels * columns, I(c),
                              I(channels), first_column, columns);
        close_copies();
        c += DEPTH;
        if (c >= channels) {
            c = 0;
            if (++v == g.kw) v = 0, u++;
        }
    };

    Accumulator<WIDTH> sums;
    add_products(sums, tiles, steps, start);
    sums.store(result, b, first, first_column, pixels, columns);
}

template <typename T, typename I, int WIDTH = 64, int V = VECTOR<T>>
__global__ void __launch_bounds__(THREADS) forward(
        I pixels, const T* x, const T* w, const T* b, T* y, Geometry g, int biased) {
    convolve<true, WIDTH, V>(pixels, x, w, y, g, biased ? b : nullptr);
}

template <typename T, typename I, int WIDTH = 64, int V = VECTOR<T>>
__global__ void __launch_bounds__(THREADS) input_gradient(
        I pixels, const T* gy, const T* w, T* gx, Geometry g) {
    convolve<false, WIDTH, V>(pixels, gy, w, gx, g);
}

// The weight gradient: x (N, H, W, C), gy (pixels, O) -> partial (parts, kh kw C, O), the sums over
// `each` pixels; conv.cu's sum_chunks adds the parts. A step is DEPTH pixels.
template <typename T, typename I, int WIDTH = 64, int V = VECTOR<T>>
__global__ void __launch_bounds__(THREADS) weight_gradient(
        I pixels, const T* x, const T* gy, float* partial, Geometry g, int each) {
    __shared__ Tiles<true, WIDTH, T> tiles;
    int rows = g.kh * g.kw * g.C, down = (rows + ROWS - 1) / ROWS;
    int across = (g.O + WIDTH - 1) / WIDTH, tile = int(blockIdx.x) % (down * across);
    int first_row = tile / across * ROWS, first_column = tile % across * WIDTH;
    I part = blockIdx.x / (down * across), begin = part * each;
    I end = begin + each < pixels ? begin + each : pixels;
    int steps = int((end - begin + DEPTH - 1) / DEPTH);

    const int PER_THREAD = ROWS * DEPTH / V / THREADS, CHUNKS = ROWS / V;
    Pixel<true, I> mine[PER_THREAD];  // the columns of the left tile that this thread copies
    #pragma unroll
    for (int j = 0; j < PER_THREAD; j++)
        mine[j].set(begin + (threadIdx.x + j * THREADS) / CHUNKS, end, g);
    int row = threadIdx.x % CHUNKS * V;  // the first of V rows of them: tap (u, v), channel c
    int t = (first_row + row) / g.C, c = first_row + row - t * g.C, u = t / g.kw, v = t % g.kw;
    I next = begin;

    auto start = [&](int buffer) {
        #pragma unroll
        for (int j = 0; j < PER_THREAD; j++) {
            const T* from = first_row + row < rows ? mine[j].tap(x, u, v, g) : nullptr;
            int k = (threadIdx.x + j * THREADS) / CHUNKS;
            start_copy<V>(tiles.left[buffer] + left_at<true, T>(row, k), from ? from + c : x,
                          from != nullptr);
            mine[j].advance(DEPTH, g);
        }
        start_right<WIDTH, V>(tiles.right[buffer], gy, next, end, first_column, g.O);
        close_copies();
        next += DEPTH;
    };

    Accumulator<WIDTH> sums;
    add_products(sums, tiles, steps, start);
    sums.store(partial + part * rows * g.O, (const float*)nullptr, I(first_row), first_column,
               I(rows), g.O);
}
