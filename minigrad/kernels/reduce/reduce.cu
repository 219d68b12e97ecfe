// The sum, the maximum and the minimum of x (outer, n, inner) over its middle axis; the
// specification is kernels/reduce/cpu.py. For a sum,
//
//   y[o, k, i] = x[o, k each, i] + x[o, k each + 1, i] + ...,   `each` numbers or what is left of n
//
// y (outer, chunks, inner) has an element for each chunk of the axis. Where there is more than one
// chunk, a second launch reduces y in the same way. Several threads of a block share an element of
// y: sharer k takes the numbers k, k + sharers, ... of its chunk, and the sharers merge theirs.

const int THREADS = 256;

struct Axis {
    long long n, chunks, each, inner;
    long long along;  // 1: neighbouring threads share an element of y; 0: they make neighbours
};

// y (outer, chunks, inner) = what `total`, which has no numbers yet, becomes when the numbers of a
// chunk are added to it.
template <typename V, typename T, typename I>
__device__ void reduce(V total, I size, const T* x, Wide<T>* y, const Axis& a) {
    int sharer = a.along ? threadIdx.x : threadIdx.y, element = a.along ? threadIdx.y : threadIdx.x;
    int sharers = a.along ? blockDim.x : blockDim.y, step = a.along ? 1 : blockDim.x;
    I n = a.n, each = a.each, inner = a.inner;
    I i = I(blockIdx.x) * (THREADS / sharers) + element;
    if (i < size) {
        I row = i / inner, outer = row / I(a.chunks), begin = (row - outer * I(a.chunks)) * each;
        I end = n - begin < each ? n : begin + each;
        const T* numbers = x + outer * n * inner + (i - row * inner);  // (n), `inner` apart
        for (I k = begin + sharer; k < end; k += sharers) total.add(numbers[k * inner]);
    }
    total = block_merge<THREADS>(total, sharer, sharers, step);
    if (i < size && sharer == 0) y[i] = total.value;
}

template <typename T, typename I>
__global__ void sum(I size, const T* x, Wide<T>* y, Axis axis) {
    reduce(Sum<Wide<T>>{0, 0}, size, x, y, axis);
}

template <typename T, typename I>
__global__ void amax(I size, const T* x, Wide<T>* y, Axis axis) {
    reduce(Largest<Wide<T>>{-INFINITY}, size, x, y, axis);
}

template <typename T, typename I>
__global__ void amin(I size, const T* x, Wide<T>* y, Axis axis) {
    reduce(Smallest<Wide<T>>{INFINITY}, size, x, y, axis);
}
