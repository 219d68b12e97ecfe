// Cross entropy of logits x (N, C) and class numbers target (N), and its gradient; the
// specification is cpu.py. In each row, with logp = x - ln sum_c exp(x[c]) and smoothing e,
//
//   loss = -(1 - e) logp[target] - e / C sum_c logp[c]
//   gx[c] = g (exp(logp[c]) - (1 - e) [c = target] - e / C),   g = dL/dloss
//
// The loss of a row is the work of a block: thread k takes the classes k, k + THREADS, ..., and the
// threads merge what they have. Its gradient has a thread for each element of x.

const int THREADS = 128;

// loss (N), which is 0 where the target is `ignored`, and NaN where there is no such class; and
// logsum (N) = ln sum_c exp(x[c]), which the gradient needs.
template <typename T, typename I>
__global__ void cross_entropy(I size, const T* x, const long long* target, T* loss, T* logsum,
                              int C, long long ignored, T smoothing) {
    I row = blockIdx.x;
    const T* scores = x + row * C;  // (C)
    Largest<T> largest = {-INFINITY};
    Sum<T> part = {}, spread_part = {};
    for (int c = threadIdx.x; c < C; c += THREADS) {
        largest.add(scores[c]);
        spread_part.add(scores[c]);
    }
    T top = block_merge<THREADS>(largest).value;
    if (top == INFINITY || top == -INFINITY) top = 0;
    for (int c = threadIdx.x; c < C; c += THREADS) part.add(exp(scores[c] - top));
    T sum = block_merge<THREADS>(part).value, total = block_merge<THREADS>(spread_part).value;
    if (threadIdx.x) return;
    T ln = log(sum) + top;
    long long t = target[row];
    T of_target = 0 <= t && t < C ? scores[t] - top - log(sum) : T(NAN);
    T spread = smoothing ? (total - C * ln) / C : 0;
    logsum[row] = ln;
    loss[row] = t == ignored ? 0 : -(1 - smoothing) * of_target - smoothing * spread;
}

// gx (N, C) from g (N) and logsum (N); 0 in the rows whose target is `ignored`.
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
