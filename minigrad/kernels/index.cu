// Sums of what an index array sends to one place; the specification is kernels/index.py.

// y[i] = the sum of the x[order[k]] with places[k] = i, in the order of k. `places` is sorted, so
// that they stand in a row, whose start is found by bisection.
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
