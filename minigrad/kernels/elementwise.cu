// One pass over memory for formulas that NumPy composes of several; the specifications are the
// classes of ops/activation.py. Arrays are in the order of memory, whatever their shape.

template <typename T, typename I>
__global__ void relu(I size, const T* x, T* y) {  // NaN stays
    I i = thread_number<I>();
    if (i < size) y[i] = x[i] < 0 ? T(0) : x[i];
}

template <typename T, typename I>
__global__ void relu_gradient(I size, const T* gy, const T* y, T* gx) {
    I i = thread_number<I>();
    if (i < size) gx[i] = gy[i] * (y[i] > 0);
}

template <typename T, typename I>
__global__ void sigmoid(I size, const T* x, T* y) {
    I i = thread_number<I>();
    if (i < size) y[i] = Wide<T>(0.5) * (1 + tanh(Wide<T>(0.5) * x[i]));
}

template <typename T, typename I>
__global__ void sigmoid_gradient(I size, const T* gy, const T* y, T* gx) {
    I i = thread_number<I>();
    if (i < size) gx[i] = gy[i] * (y[i] * (1 - y[i]));
}

template <typename T, typename I>
__global__ void tanh_gradient(I size, const T* gy, const T* y, T* gx) {
    I i = thread_number<I>();
    if (i < size) gx[i] = gy[i] * (1 - y[i] * y[i]);
}
