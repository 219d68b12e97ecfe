// Functions of one element, in one pass over memory where NumPy makes several; the specifications
// are the functions of cpu.py.
//
//   erf       y = erf(x), which is CUDA's
//   relu      y = max(x, 0)               gx = gy where y > 0, else 0
//   sigmoid   y = 1 / (1 + exp(-x))       gx = gy y (1 - y)
//   tanh                                  gx = gy (1 - y^2)
//   gelu      y = x P(x)                  gx = gy (P(x) + x P'(x))
//
// Thread i makes element i in the order of memory, whatever the shape of the arrays.

template <typename T, typename I>
__global__ void error_function(I size, const T* x, T* y) {
    I i = thread_number<I>();
    if (i < size) y[i] = erf(Wide<T>(x[i]));
}

template <typename T, typename I>
__global__ void relu(I size, const T* x, T* y) {  // NaN stays
    I i = thread_number<I>();
    if (i < size) y[i] = x[i] < 0 ? T(0) : x[i];
}

template <typename T, typename I>
__global__ void relu_gradient(I size, const T* gy, const T* y, T* gx) {  // gy where y is NaN
    I i = thread_number<I>();
    if (i < size) gx[i] = y[i] <= 0 ? T(0) : gy[i];
}

template <typename T, typename I>
__global__ void sigmoid(I size, const T* x, T* y) {  // exp(-|x|) never overflows
    I i = thread_number<I>();
    if (i >= size) return;
    Wide<T> v = x[i], e = exp(v < 0 ? v : -v);
    y[i] = (v < 0 ? e : 1) / (1 + e);
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

// P(x) = (1 + erf(x / sqrt 2)) / 2 or its approximation (1 + tanh u) / 2, and its slope.
template <typename W>
__device__ W normal(W x, int approximate, W* slope) {
    if (!approximate) {
        *slope = exp(W(-0.5) * x * x) * W(0.39894228040143267794);
        return W(0.5) * (1 + erf(x * W(0.70710678118654752440)));
    }
    W c = W(0.79788456080286535588), t = tanh(c * x * (1 + W(0.044715) * x * x));
    *slope = W(0.5) * (1 - t * t) * c * (1 + W(0.134145) * x * x);
    return W(0.5) * (1 + t);
}

template <typename T, typename I>
__global__ void gelu(I size, const T* x, T* y, int approximate) {
    I i = thread_number<I>();
    if (i >= size) return;
    Wide<T> slope, v = x[i];
    y[i] = v * normal(v, approximate, &slope);
}

template <typename T, typename I>
__global__ void gelu_gradient(I size, const T* gy, const T* x, T* gx, int approximate) {
    I i = thread_number<I>();
    if (i >= size) return;
    Wide<T> slope, v = x[i], p = normal(v, approximate, &slope);
    gx[i] = gy[i] * (p + v * slope);
}
