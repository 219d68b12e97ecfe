// Normalisation of the rows of a matrix x (rows, n), and its gradient; the specification is
// kernels/layer_norm/cpu.py. The threads of a block share a row.
//
//   mean = sum x / n,   scale = 1 / sqrt(sum (x - mean)^2 / n + eps)
//   y = z w + b   with z = (x - mean) scale
//   gx = scale (gy w - sum gy w / n - z sum gy w z / n),   product = gy z, whose columns sum to gw

const int THREADS = 256;  // of a block

// y (rows, n); mean and scale (rows) of each row.
template <typename T, typename I>
__global__ void normalise(I rows, const T* x, const Wide<T>* w, const Wide<T>* b, T* y,
                          Wide<T>* mean, Wide<T>* scale, int n, Wide<T> eps) {
    I row = blockIdx.x, first = row * n;
    Sum<Wide<T>> total = {}, spread = {};
    for (int k = threadIdx.x; k < n; k += THREADS) total.add(x[first + k]);
    Wide<T> m = block_merge<THREADS>(total).value / n;
    for (int k = threadIdx.x; k < n; k += THREADS) {
        Wide<T> d = x[first + k] - m;
        spread.add(d * d);
    }
    Wide<T> s = 1 / sqrt(block_merge<THREADS>(spread).value / n + eps);
    for (int k = threadIdx.x; k < n; k += THREADS) y[first + k] = (x[first + k] - m) * s * w[k] + b[k];
    if (threadIdx.x) return;
    mean[row] = m;
    scale[row] = s;
}

// gx and product (rows, n).
template <typename T, typename I>
__global__ void gradient(I rows, const T* gy, const T* x, const Wide<T>* mean,
                         const Wide<T>* scale, const Wide<T>* w, T* gx, Wide<T>* product, int n) {
    I row = blockIdx.x, first = row * n;
    Wide<T> m = mean[row], s = scale[row];
    Sum<Wide<T>> shift = {}, slope = {};
    for (int k = threadIdx.x; k < n; k += THREADS) {
        Wide<T> g = gy[first + k], z = (x[first + k] - m) * s;
        product[first + k] = g * z;
        shift.add(g * w[k]);
        slope.add(g * w[k] * z);
    }
    Wide<T> a = block_merge<THREADS>(shift).value / n, c = block_merge<THREADS>(slope).value / n;
    for (int k = threadIdx.x; k < n; k += THREADS)
        gx[first + k] = s * (gy[first + k] * w[k] - a - (x[first + k] - m) * s * c);
}
