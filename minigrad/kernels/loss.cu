// Cross entropy of logits (N, C) and class numbers (N), a block per row; the specification is
// ops/loss.py. With smoothing e: loss = -(1 - e) logp[target] - e / C sum_c logp[c].

const int THREADS = 128;

template <typename T>
__device__ T larger(T a, T b) {  // NaN wins
    return a > b || a != a ? a : b;
}

// All threads get the largest value, or the sum of everybody's, added in a fixed order.
template <typename T>
__device__ T agreed(T value, bool largest) {
    __shared__ T shared[THREADS];
    shared[threadIdx.x] = value;
    __syncthreads();
    for (int half = THREADS / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) {
            T a = shared[threadIdx.x], b = shared[threadIdx.x + half];
            shared[threadIdx.x] = largest ? larger(a, b) : a + b;
        }
        __syncthreads();
    }
    T result = shared[0];
    __syncthreads();  // before the next call writes
    return result;
}

// loss (N), 0 for the class `ignored`, NaN for a class number that does not exist; and
// logsum (N) = ln sum_c e^x, for the gradient.
template <typename T, typename I>
__global__ void cross_entropy(I size, const T* x, const long long* target, T* loss, T* logsum,
                              int C, long long ignored, T smoothing) {
    I row = blockIdx.x;
    const T* scores = x + row * C;
    T top = -INFINITY, sum = 0, total = 0;
    for (int c = threadIdx.x; c < C; c += THREADS) {
        top = larger(scores[c], top);
        total += scores[c];
    }
    top = agreed(top, true);
    if (top == INFINITY || top == -INFINITY) top = 0;
    for (int c = threadIdx.x; c < C; c += THREADS) sum += exp(scores[c] - top);
    sum = agreed(sum, false);
    total = agreed(total, false);
    if (threadIdx.x) return;
    T ln = log(sum) + top;
    long long t = target[row];
    T of_target = 0 <= t && t < C ? scores[t] - top - log(sum) : T(NAN);
    T spread = smoothing ? (total - C * ln) / C : 0;
    logsum[row] = ln;
    loss[row] = t == ignored ? 0 : -(1 - smoothing) * of_target - smoothing * spread;
}

// gx = g (softmax(x) - (1 - e) [c = target] - e / C), 0 in ignored rows; g (N) = dL/dloss.
template <typename T, typename I>
__global__ void cross_entropy_gradient(I size, const T* x, const long long* target,
                                       const T* logsum, const T* g, T* gx, int C,
                                       long long ignored, T smoothing) {
    I i = thread_number<I>();
    if (i >= size) return;
    I row = i / C;
    int c = int(i - row * C);
    T share = (c == target[row] ? 1 - smoothing : 0) + smoothing / C;
    gx[i] = target[row] == ignored ? 0 : g[row] * (exp(x[i] - logsum[row]) - share);
}
