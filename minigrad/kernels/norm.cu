// Batch normalisation of a matrix (rows, C), the pixels of images; specification: kernels/norm.py.
//
// Sums over rows take two launches. In the first a block of 32 x 8 threads covers 32 channels and a
// chunk of rows: 8 threads share a channel, and add up in shared memory in a fixed order. The
// second adds the chunks in the same way.

const int CHANNELS = 32, SHARERS = 8;  // threadIdx.x is the channel in the block, threadIdx.y whose

template <typename T>
struct Moments {  // of a set of numbers: how many, their mean, the sum of squared deviations
    T count, mean, spread;

    __device__ void add(T x) {  // Welford, Technometrics 4, 1962
        count += 1;
        T d = x - mean;
        mean += d / count;
        spread += d * (x - mean);
    }

    __device__ void merge(const Moments& b) {  // Chan, Golub and LeVeque, 1979, eq. 2.1
        T total = count + b.count;
        if (b.count == 0) return;
        T d = b.mean - mean, share = b.count / total;
        mean += d * share;
        spread += b.spread + d * d * count * share;
        count = total;
    }
};

template <typename T>
struct Pair {  // two sums
    T first, second;

    __device__ void merge(const Pair& b) {
        first += b.first;
        second += b.second;
    }
};

// Thread (c, 0) gets the merged values of (c, 0), (c, 1), ...; all threads must call it.
template <typename V>
__device__ V merged(V value) {
    __shared__ V shared[SHARERS][CHANNELS];
    shared[threadIdx.y][threadIdx.x] = value;
    __syncthreads();
    for (int half = SHARERS / 2; half > 0; half /= 2) {
        if (threadIdx.y < half)
            shared[threadIdx.y][threadIdx.x].merge(shared[threadIdx.y + half][threadIdx.x]);
        __syncthreads();
    }
    return shared[0][threadIdx.x];
}

// Which channel and chunk a block of `merged` works on.
struct Task {
    int channel, chunk;
    bool valid;

    __device__ Task(int C) {
        int across = (C + CHANNELS - 1) / CHANNELS;
        channel = int(blockIdx.x) % across * CHANNELS + threadIdx.x;
        chunk = blockIdx.x / across;
        valid = channel < C;
    }
};

// mean, spread (chunks, C) of each chunk of `each` rows of x.
template <typename T, typename I>
__global__ void moments(I rows, const T* x, Wide<T>* mean, Wide<T>* spread, int C, int each) {
    Task task(C);
    I begin = I(task.chunk) * each, end = begin + each < rows ? begin + each : rows;
    Moments<Wide<T>> m = {0, 0, 0};
    for (I r = begin + threadIdx.y; task.valid && r < end; r += SHARERS)
        m.add(x[r * C + task.channel]);
    m = merged(m);
    if (!task.valid || threadIdx.y) return;
    mean[I(task.chunk) * C + task.channel] = m.mean;
    spread[I(task.chunk) * C + task.channel] = m.spread;
}

// mean, variance (biased) and scale = 1 / sqrt(variance + eps), each (C), of all rows.
template <typename T, typename I>
__global__ void merge_moments(I rows, const Wide<T>* means, const Wide<T>* spreads, Wide<T>* mean,
                              Wide<T>* variance, Wide<T>* scale, int C, int each, int chunks,
                              Wide<T> eps) {
    Task task(C);
    Moments<Wide<T>> m = {0, 0, 0};
    for (int k = threadIdx.y; task.valid && k < chunks; k += SHARERS) {
        I begin = I(k) * each, n = begin + each < rows ? each : rows - begin;
        m.merge({Wide<T>(n), means[I(k) * C + task.channel], spreads[I(k) * C + task.channel]});
    }
    m = merged(m);
    if (!task.valid || threadIdx.y) return;
    mean[task.channel] = m.mean;
    variance[task.channel] = m.spread / m.count;
    scale[task.channel] = 1 / sqrt(m.spread / m.count + eps);
}

// run = (1 - momentum) run + momentum new, with `factor` = rows / (rows - 1) on the variance.
template <typename T, typename I>
__global__ void update_running(I size, const Wide<T>* mean, const Wide<T>* variance,
                               Wide<T>* running_mean, Wide<T>* running_variance, Wide<T> momentum,
                               Wide<T> factor) {
    I c = thread_number<I>();
    if (c >= size) return;
    running_mean[c] += momentum * (mean[c] - running_mean[c]);
    running_variance[c] += momentum * (variance[c] * factor - running_variance[c]);
}

// y = (x - mean) factor + b, or if `relu` the larger of that and 0; NaN stays.
template <typename T, typename I>
__global__ void normalise(I size, const T* x, const Wide<T>* mean, const Wide<T>* factor,
                          const Wide<T>* b, T* y, int C, int relu) {
    I i = thread_number<I>();
    if (i >= size) return;
    int c = int(i % C);
    Wide<T> value = (x[i] - mean[c]) * factor[c] + b[c];
    y[i] = relu && value <= 0 ? 0 : value;
}

// What of gy reaches the normalisation: all of it, or if `relu` that of the positive y.
template <typename T>
__device__ Wide<T> passed(T gy, T y, int relu) {
    Wide<T> g = gy;
    return relu ? g * (y > 0) : g;
}

// Of each chunk: shifts = sum gy, scales = sum gy (x - mean), both (chunks, C), of what is passed.
template <typename T, typename I>
__global__ void gradient_sums(I rows, const T* x, const T* gy, const T* y, const Wide<T>* mean,
                              Wide<T>* shifts, Wide<T>* scales, int C, int each, int relu) {
    Task task(C);
    I begin = I(task.chunk) * each, end = begin + each < rows ? begin + each : rows;
    Pair<Wide<T>> sums = {0, 0};
    for (I r = begin + threadIdx.y; task.valid && r < end; r += SHARERS) {
        I i = r * C + task.channel;
        Wide<T> g = passed(gy[i], y[i], relu);
        sums.merge({g, g * (x[i] - mean[task.channel])});
    }
    sums = merged(sums);
    if (!task.valid || threadIdx.y) return;
    shifts[I(task.chunk) * C + task.channel] = sums.first;
    scales[I(task.chunk) * C + task.channel] = sums.second;
}

// gb = sum gy, gw = scale sum gy (x - mean), both (C).
template <typename T, typename I>
__global__ void merge_gradient_sums(I rows, const Wide<T>* shifts, const Wide<T>* scales,
                                    const Wide<T>* scale, Wide<T>* gb, Wide<T>* gw, int C,
                                    int chunks) {
    Task task(C);
    Pair<Wide<T>> sums = {0, 0};
    for (int k = threadIdx.y; task.valid && k < chunks; k += SHARERS)
        sums.merge({shifts[I(k) * C + task.channel], scales[I(k) * C + task.channel]});
    sums = merged(sums);
    if (!task.valid || threadIdx.y) return;
    gb[task.channel] = sums.first;
    gw[task.channel] = sums.second * scale[task.channel];
}

// gx = w scale (gy - gb / rows - (x - mean) scale gw / rows), of the gy that is passed.
template <typename T, typename I>
__global__ void input_gradient(I size, const T* x, const T* gy, const T* y, const Wide<T>* mean,
                               const Wide<T>* scale, const Wide<T>* w, const Wide<T>* gb,
                               const Wide<T>* gw, T* gx, int C, Wide<T> rows, int relu) {
    I i = thread_number<I>();
    if (i >= size) return;
    int c = int(i % C);
    Wide<T> factor = w[c] * scale[c];
    gx[i] = factor * (passed(gy[i], y[i], relu) - gb[c] / rows)
        - (x[i] - mean[c]) * (factor * scale[c] * gw[c] / rows);
}

// gx = factor gy where y > 0, else 0: of y = max(x factor + shift, 0).
template <typename T, typename I>
__global__ void scale_passed(I size, const T* gy, const T* y, const Wide<T>* factor, T* gx, int C) {
    I i = thread_number<I>();
    if (i >= size) return;
    gx[i] = passed(gy[i], y[i], 1) * factor[i % C];
}
