// Batch normalisation of a matrix x (rows, C), whose rows are the pixels of images, and its
// gradient; the specification is kernels/norm/cpu.py. In each channel,
//
//   mean = sum x / rows,   variance = sum (x - mean)^2 / rows,   scale = 1 / sqrt(variance + eps)
//   y = (x - mean) scale w + b
//   gb = sum gy,   gw = scale sum gy (x - mean)
//   gx = w scale (gy - gb / rows - (x - mean) scale gw / rows)
//
// A sum over rows takes two launches. In the first, a block of 32 x 8 threads works on 32 channels
// of a chunk of `each` rows: thread (c, k) takes the rows k, k + 8, ... of channel c, and the 8
// threads of a channel merge their sums. The second launch merges the chunks' sums in the same way.
// All other kernels have a thread for each element that they make.

const int CHANNELS = 32, SHARERS = 8;  // of a block: threadIdx.x is the channel, .y the sharer
const int THREADS = CHANNELS * SHARERS;

// Of a set of numbers: how many there are, their mean, the sum of their squared deviations from it.
template <typename T>
struct Moments {
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

// The values of a channel's threads merged into one.
template <typename V>
__device__ V merged(V value) {
    return block_merge<THREADS>(value, threadIdx.y, SHARERS, CHANNELS);
}

// The channel and the rows that a thread works on: begin, begin + SHARERS, ..., before end, of a
// chunk of `each` rows. Blocks go through the channels first.
template <typename I>
struct Task {
    int channel;
    I begin, end, result;  // `result` is where the chunk's sum lies in an array (chunks, C)
    bool stores;  // whether this thread stores it

    __device__ Task(I rows, int each, int C) {
        int across = (C + CHANNELS - 1) / CHANNELS;
        channel = int(blockIdx.x) % across * CHANNELS + threadIdx.x;
        I chunk = blockIdx.x / across, first = chunk * each;
        begin = first + threadIdx.y;
        end = channel >= C ? 0 : first + each < rows ? first + each : rows;
        result = chunk * C + channel;
        stores = channel < C && threadIdx.y == 0;
    }
};

// mean and spread (chunks, C): the moments of each chunk of x (rows, C).
template <typename T, typename I>
__global__ void moments(I rows, const T* x, Wide<T>* mean, Wide<T>* spread, int C, int each) {
    Task<I> task(rows, each, C);
    Moments<Wide<T>> m = {};
    for (I r = task.begin; r < task.end; r += SHARERS) m.add(x[r * C + task.channel]);
    m = merged(m);
    if (!task.stores) return;
    mean[task.result] = m.mean;
    spread[task.result] = m.spread;
}

// mean, variance and scale, each (C), of all rows, from the means and spreads (chunks, C).
template <typename T, typename I>
__global__ void merge_moments(I rows, const Wide<T>* means, const Wide<T>* spreads, Wide<T>* mean,
                              Wide<T>* variance, Wide<T>* scale, int C, int each, int chunks,
                              Wide<T> eps) {
    Task<I> task(chunks, chunks, C);
    Moments<Wide<T>> m = {};
    for (I k = task.begin; k < task.end; k += SHARERS) {
        I begin = k * each, n = begin + each < rows ? each : rows - begin;
        m.merge({Wide<T>(n), means[k * C + task.channel], spreads[k * C + task.channel]});
    }
    m = merged(m);
    if (!task.stores) return;
    mean[task.channel] = m.mean;
    variance[task.channel] = m.spread / m.count;
    scale[task.channel] = 1 / sqrt(m.spread / m.count + eps);
}

// running = (1 - momentum) running + momentum new; `factor` = rows / (rows - 1) makes the new
// variance unbiased. All arrays are (C).
template <typename T, typename I>
__global__ void update_running(I size, const Wide<T>* mean, const Wide<T>* variance,
                               Wide<T>* running_mean, Wide<T>* running_variance, Wide<T> momentum,
                               Wide<T> factor) {
    I c = thread_number<I>();
    if (c >= size) return;
    running_mean[c] += momentum * (mean[c] - running_mean[c]);
    running_variance[c] += momentum * (variance[c] * factor - running_variance[c]);
}

// y (rows, C) = (x - mean) factor + b, of which `relu` takes the ReLU (1), the ReLU6 (6) or neither
// (0); NaN stays. mean, factor and b are (C).
template <typename T, typename I>
__global__ void normalise(I size, const T* x, const Wide<T>* mean, const Wide<T>* factor,
                          const Wide<T>* b, T* y, int C, int relu) {
    I i = thread_number<I>();
    if (i >= size) return;
    int c = int(i % C);
    Wide<T> value = (x[i] - mean[c]) * factor[c] + b[c];
    if (relu && value <= 0) value = 0;
    y[i] = relu > 1 && value > relu ? Wide<T>(relu) : value;
}

// The part of gy that passes back through the ReLU or ReLU6: where y is between its limits, or NaN.
// Without either, all of it.
template <typename T>
__device__ Wide<T> passed(T gy, T y, int relu) {
    return relu && (y <= 0 || (relu > 1 && y >= relu)) ? Wide<T>(0) : Wide<T>(gy);
}

// shifts = sum gy and scales = sum gy (x - mean), both (chunks, C), over the rows of each chunk, of
// the gy that passes.
template <typename T, typename I>
__global__ void gradient_sums(I rows, const T* x, const T* gy, const T* y, const Wide<T>* mean,
                              Wide<T>* shifts, Wide<T>* scales, int C, int each, int relu) {
    Task<I> task(rows, each, C);
    Sum<Wide<T>> shift = {}, scale = {};
    for (I r = task.begin; r < task.end; r += SHARERS) {
        I i = r * C + task.channel;
        Wide<T> g = passed(gy[i], y[i], relu);
        shift.add(g);
        scale.add(g * (x[i] - mean[task.channel]));
    }
    shift = merged(shift), scale = merged(scale);
    if (!task.stores) return;
    shifts[task.result] = shift.value;
    scales[task.result] = scale.value;
}

// gb = sum gy, gw = scale sum gy (x - mean), both (C), from the sums (chunks, C) of the chunks.
template <typename T, typename I>
__global__ void merge_gradient_sums(I rows, const Wide<T>* shifts, const Wide<T>* scales,
                                    const Wide<T>* scale, Wide<T>* gb, Wide<T>* gw, int C,
                                    int chunks) {
    Task<I> task(chunks, chunks, C);
    Sum<Wide<T>> b = {}, w = {};
    for (I k = task.begin; k < task.end; k += SHARERS) {
        b.add(shifts[k * C + task.channel]);
        w.add(scales[k * C + task.channel]);
    }
    b = merged(b), w = merged(w);
    if (!task.stores) return;
    gb[task.channel] = b.value;
    gw[task.channel] = w.value * scale[task.channel];
}

// gx (rows, C) = w scale (gy - gb / rows - (x - mean) scale gw / rows), of the gy that passes.
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

// gx (rows, C) = factor gy where gy passes, else 0: the gradient of y = ReLU(x factor + shift).
template <typename T, typename I>
__global__ void scale_passed(I size, const T* gy, const T* y, const Wide<T>* factor, T* gx, int C,
                             int relu) {
    I i = thread_number<I>();
    if (i >= size) return;
    gx[i] = passed(gy[i], y[i], relu) * factor[i % C];
}
