// Sums and extrema over one axis of an array (outer, n, inner); specification: kernels/reduce.py.
//
// y (outer, chunks, inner) holds an element for each chunk of `each` numbers along that axis; a
// second launch on y joins the chunks. Several threads share an element of y: each takes numbers
// a fixed distance apart, and they join theirs in shared memory, in a fixed order.

const int THREADS = 256;

struct Axis {
    long long n, chunks, each, inner;
    long long along;  // whether neighbouring threads share an element of y, or make neighbours
};

template <typename T>
struct Sum {  // with what rounding has lost of it: Kahan, Communications of the ACM 8, 1965
    T value, lost;

    __device__ void add(T x) {
        T exact = x - lost, rounded = value + exact;
        bool finite = rounded - rounded == 0;  // infinity has lost nothing, and stays
        lost = finite ? (rounded - value) - exact : 0;
        value = rounded;
    }

    __device__ void merge(const Sum& b) {
        add(-b.lost);  // first: beside a large number some of it would be lost again
        add(b.value);
    }
};

template <typename T, bool LARGEST>
struct Extremum {  // NaN wins
    T value;

    __device__ void add(T x) {
        if (x != x || (LARGEST ? x > value : x < value)) value = x;
    }

    __device__ void merge(const Extremum& b) { add(b.value); }
};

// y = all numbers of each chunk added to `total`, which starts as that of no numbers.
template <typename V, typename T, typename I>
__device__ void reduce(V total, I size, const T* x, Wide<T>* y, const Axis& a) {
    __shared__ V shared[THREADS];
    int place = threadIdx.y * blockDim.x + threadIdx.x, step = a.along ? 1 : blockDim.x;
    int sharer = a.along ? threadIdx.x : threadIdx.y, element = a.along ? threadIdx.y : threadIdx.x;
    int sharers = a.along ? blockDim.x : blockDim.y;
    I n = a.n, each = a.each, inner = a.inner;
    I i = I(blockIdx.x) * (THREADS / sharers) + element;
    if (i < size) {
        I row = i / inner, outer = row / I(a.chunks), begin = (row - outer * I(a.chunks)) * each;
        I end = n - begin < each ? n : begin + each;
        const T* numbers = x + outer * n * inner + (i - row * inner);
        for (I k = begin + sharer; k < end; k += sharers) total.add(numbers[k * inner]);
    }
    shared[place] = total;
    __syncthreads();
    for (int half = sharers / 2; half > 0; half /= 2) {
        if (sharer < half) shared[place].merge(shared[place + half * step]);
        __syncthreads();
    }
    if (i < size && sharer == 0) y[i] = shared[place].value;
}

template <typename T, typename I>
__global__ void sum(I size, const T* x, Wide<T>* y, Axis axis) {
    reduce(Sum<Wide<T>>{0, 0}, size, x, y, axis);
}

template <typename T, typename I>
__global__ void amax(I size, const T* x, Wide<T>* y, Axis axis) {
    reduce(Extremum<Wide<T>, true>{-INFINITY}, size, x, y, axis);
}

template <typename T, typename I>
__global__ void amin(I size, const T* x, Wide<T>* y, Axis axis) {
    reduce(Extremum<Wide<T>, false>{INFINITY}, size, x, y, axis);
}
