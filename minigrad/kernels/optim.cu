// One step of an optimizer for all parameters in one launch, and limits on their gradients; the
// specifications are optim/sgd.py, optim/adam.py and optim/clip.py. `addresses` holds, one list behind another, where each of `count` parameters,
// its gradient and its state lie. Block b works on elements starts[b] .. starts[b] + CHUNK of
// parameter owners[b], which has sizes[owner] of them.

const int CHUNK = 4096, THREADS = 256;

template <typename T>
__device__ T* array_of(const unsigned long long* addresses, int list, int count, int owner) {
    return reinterpret_cast<T*>(addresses[list * count + owner]);
}

// g += decay p;  v = momentum v + share g;  p -= lr v, or lr (g + momentum v) if nesterov.
template <typename T, typename I>
__global__ void sgd(I blocks, const unsigned long long* addresses, const long long* sizes,
                    const int* owners, const long long* starts, int count, T lr, T momentum,
                    T share, T decay, int nesterov) {
    int owner = owners[blockIdx.x];
    long long start = starts[blockIdx.x], end = min(start + CHUNK, sizes[owner]);
    T* p = array_of<T>(addresses, 0, count, owner);
    const T* gradient = array_of<T>(addresses, 1, count, owner);
    for (long long i = start + threadIdx.x; i < end; i += blockDim.x) {
        T g = decay ? gradient[i] + decay * p[i] : gradient[i];
        if (momentum) {
            T* velocity = array_of<T>(addresses, 2, count, owner);
            T v = velocity[i] * momentum + share * g;
            velocity[i] = v;
            g = nesterov ? g + momentum * v : v;
        }
        p[i] -= lr * g;
    }
}

// m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  p -= rate m / (sqrt(v) / root + eps); before
// that p *= keep, and g += decay p.
template <typename T, typename I>
__global__ void adam(I blocks, const unsigned long long* addresses, const long long* sizes,
                     const int* owners, const long long* starts, int count, T rate, T root, T b1,
                     T b2, T rest1, T rest2, T eps, T decay, T keep) {
    int owner = owners[blockIdx.x];
    long long start = starts[blockIdx.x], end = min(start + CHUNK, sizes[owner]);
    T* p = array_of<T>(addresses, 0, count, owner);
    const T* gradient = array_of<T>(addresses, 1, count, owner);
    T* mean = array_of<T>(addresses, 2, count, owner);
    T* square = array_of<T>(addresses, 3, count, owner);
    for (long long i = start + threadIdx.x; i < end; i += blockDim.x) {
        T value = p[i] * keep, g = decay ? gradient[i] + decay * value : gradient[i];
        T m = mean[i] * b1 + rest1 * g, v = square[i] * b2 + rest2 * (g * g);
        mean[i] = m;
        square[i] = v;
        p[i] = value - rate * (m / (sqrt(v) / root + eps));
    }
}

// gradient = min(max(gradient, -limit), limit); NaN stays.
template <typename T, typename I>
__global__ void clip(I blocks, const unsigned long long* addresses, const long long* sizes,
                     const int* owners, const long long* starts, int count, T limit) {
    int owner = owners[blockIdx.x];
    long long start = starts[blockIdx.x], end = min(start + CHUNK, sizes[owner]);
    T* gradient = array_of<T>(addresses, 0, count, owner);
    for (long long i = start + threadIdx.x; i < end; i += blockDim.x) {
        T g = gradient[i];
        gradient[i] = g > limit ? limit : g < -limit ? -limit : g;
    }
}

// gradient *= factor.
template <typename T, typename I>
__global__ void scale(I blocks, const unsigned long long* addresses, const long long* sizes,
                      const int* owners, const long long* starts, int count, T factor) {
    int owner = owners[blockIdx.x];
    long long start = starts[blockIdx.x], end = min(start + CHUNK, sizes[owner]);
    T* gradient = array_of<T>(addresses, 0, count, owner);
    for (long long i = start + threadIdx.x; i < end; i += blockDim.x) gradient[i] *= factor;
}

// a + b, or the larger of the two if `largest`; NaN wins.
template <typename T>
__device__ T joined(T a, T b, bool largest) {
    return !largest ? a + b : a > b || a != a ? a : b;
}

// Thread 0 gets everybody's values joined, in a fixed order; all threads must call it.
template <typename T>
__device__ T joined_by_block(T value, bool largest) {
    __shared__ T shared[THREADS];
    shared[threadIdx.x] = value;
    __syncthreads();
    for (int half = THREADS / 2; half > 0; half /= 2) {
        if (threadIdx.x < half)
            shared[threadIdx.x] = joined(shared[threadIdx.x], shared[threadIdx.x + half], largest);
        __syncthreads();
    }
    return shared[0];
}

// Of each block: the sum of |gradient|^order, or the largest |gradient| if the order is infinite.
template <typename T, typename I>
__global__ void powers(I blocks, const unsigned long long* addresses, const long long* sizes,
                       const int* owners, const long long* starts, T* sums, int count, T order) {
    int owner = owners[blockIdx.x];
    long long start = starts[blockIdx.x], end = min(start + CHUNK, sizes[owner]);
    const T* gradient = array_of<T>(addresses, 0, count, owner);
    bool largest = order == INFINITY;
    T sum = 0;
    for (long long i = start + threadIdx.x; i < end; i += blockDim.x) {
        T size = fabs(gradient[i]);
        T power = largest || order == 1 ? size : order == 2 ? size * size : pow(size, order);
        sum = joined(power, sum, largest);
    }
    sum = joined_by_block(sum, largest);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// total = the `count` sums together, in one block.
template <typename T, typename I>
__global__ void join_powers(I one, const T* sums, T* total, int count, T order) {
    bool largest = order == INFINITY;
    T sum = 0;
    for (int k = threadIdx.x; k < count; k += THREADS) sum = joined(sums[k], sum, largest);
    sum = joined_by_block(sum, largest);
    if (threadIdx.x == 0) *total = sum;
}
