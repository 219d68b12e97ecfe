// One step of an optimizer for all parameters p in one launch, and limits on their gradients g; the
// specifications are optim/sgd.py, optim/adam.py and optim/clip.py.
//
//   sgd       v = momentum v + share g,   p -= lr v
//   adam      m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g^2,
//             p -= rate m / (sqrt(v) / root + eps)
//   clip      g = min(max(g, -limit), limit)
//   scale     g = factor g
//   powers    the sum of |g|^order over each block's elements, or the largest |g|
//
// `addresses` is several lists of `count` pointers, one pointer for each parameter: to the
// parameters, to their gradients, then to each part of their state. The kernels that only limit
// gradients get the list of gradients alone. `pieces` (blocks, 3) has a line for each block: the
// number of its parameter, and where its elements begin and end. Thread k takes elements k,
// k + 256, ... of them.

const int THREADS = 256;

struct Piece { long long owner, begin, end; };  // a line of `pieces`

// The array of parameter `owner` in the given list of `addresses`.
template <typename T>
__device__ T* array_of(const unsigned long long* addresses, int list, int count, int owner) {
    return reinterpret_cast<T*>(addresses[list * count + owner]);
}

// g = gradient + decay p;   v = momentum v + share g;   p -= lr v, or p -= lr (g + momentum v) if
// `nesterov`. Without momentum there is no v, and p -= lr g.
template <typename T, typename I>
__global__ void sgd(I blocks, const unsigned long long* addresses, const long long* pieces,
                    int count, T lr, T momentum, T share, T decay, int nesterov) {
    Piece piece = reinterpret_cast<const Piece*>(pieces)[blockIdx.x];
    T* p = array_of<T>(addresses, 0, count, piece.owner);
    const T* gradient = array_of<T>(addresses, 1, count, piece.owner);
    for (long long i = piece.begin + threadIdx.x; i < piece.end; i += blockDim.x) {
        T g = decay ? gradient[i] + decay * p[i] : gradient[i];
        if (momentum) {
            T* velocity = array_of<T>(addresses, 2, count, piece.owner);
            T v = velocity[i] * momentum + share * g;
            velocity[i] = v;
            g = nesterov ? g + momentum * v : v;
        }
        p[i] -= lr * g;
    }
}

// p = keep p;   g = gradient + decay p;   m = b1 m + (1 - b1) g;   v = b2 v + (1 - b2) g^2;
// p -= rate m / (sqrt(v) / root + eps), where rate = lr / (1 - b1^t) and root = sqrt(1 - b2^t).
template <typename T, typename I>
__global__ void adam(I blocks, const unsigned long long* addresses, const long long* pieces,
                     int count, T rate, T root, T b1, T b2, T rest1, T rest2, T eps, T decay,
                     T keep) {
    Piece piece = reinterpret_cast<const Piece*>(pieces)[blockIdx.x];
    T* p = array_of<T>(addresses, 0, count, piece.owner);
    const T* gradient = array_of<T>(addresses, 1, count, piece.owner);
    T* mean = array_of<T>(addresses, 2, count, piece.owner);
    T* square = array_of<T>(addresses, 3, count, piece.owner);
    for (long long i = piece.begin + threadIdx.x; i < piece.end; i += blockDim.x) {
        T value = p[i] * keep, g = decay ? gradient[i] + decay * value : gradient[i];
        T m = mean[i] * b1 + rest1 * g, v = square[i] * b2 + rest2 * (g * g);
        mean[i] = m;
        square[i] = v;
        p[i] = value - rate * (m / (sqrt(v) / root + eps));
    }
}

// Calls visit(g) for each element g of the block's piece of a gradient.
template <typename T, typename Visit>
__device__ void for_piece(const unsigned long long* gradients, const long long* pieces,
                          Visit visit) {
    Piece piece = reinterpret_cast<const Piece*>(pieces)[blockIdx.x];
    T* g = array_of<T>(gradients, 0, 0, piece.owner);
    for (long long i = piece.begin + threadIdx.x; i < piece.end; i += blockDim.x) visit(g[i]);
}

// g = min(max(g, -limit), limit); NaN stays.
template <typename T, typename I>
__global__ void clip(I blocks, const unsigned long long* addresses, const long long* pieces,
                     int count, T limit) {
    for_piece<T>(addresses, pieces, [&](T& g) { g = g > limit ? limit : g < -limit ? -limit : g; });
}

// g *= factor.
template <typename T, typename I>
__global__ void scale(I blocks, const unsigned long long* addresses, const long long* pieces,
                      int count, T factor) {
    for_piece<T>(addresses, pieces, [&](T& g) { g *= factor; });
}

// Of numbers |g|^order: their sum, or the largest of them if the order is infinite.
template <typename T>
struct PowerSum {
    T value;
    bool largest;

    __device__ void add(T power) {
        value = !largest ? value + power : larger_or_nan(power, value) ? power : value;
    }

    __device__ void merge(const PowerSum& b) { add(b.value); }
};

// sums (blocks) = the sum of |g|^order over the elements of each block, or the largest |g| if the
// order is infinite.
template <typename T, typename I>
__global__ void powers(I blocks, const unsigned long long* addresses, const long long* pieces,
                       T* sums, int count, T order) {
    PowerSum<T> sum = {0, order == INFINITY};
    for_piece<T>(addresses, pieces, [&](T g) {
        T size = fabs(g);
        sum.add(sum.largest || order == 1 ? size : order == 2 ? size * size : pow(size, order));
    });
    sum = block_merge<THREADS>(sum);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum.value;
}
