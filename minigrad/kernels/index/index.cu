// The sums of the numbers that an index array sends to one place; the specification is
// kernels/index/cpu.py.
//
//   y[i] = the sum of x[order[k]] over all k with places[k] = i, in the order of k
//
// `places` (count) is sorted, so that these k are neighbours; thread i, which makes y[i], finds the
// first of them by bisection. `order` (count) says where in x (count) the numbers are.

template <typename T, typename I>
__global__ void sum_runs(I size, const long long* places, const long long* order, const T* x, T* y,
                         long long count) {
    I i = thread_number<I>();
    if (i >= size) return;
    long long k = 0, end = count;
    while (k < end) {
        long long middle = k + (end - k) / 2;
        if (places[middle] < i) k = middle + 1;
        else end = middle;
    }
    Wide<T> sum = 0;
    for (; k < count && places[k] == i; k++) sum += x[order[k]];
    y[i] = sum;
}
