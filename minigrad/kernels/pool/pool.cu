// Pooling of images x (N, H, W, C) to y (N, oh, ow, C), and the transposed maps; the specification
// is kernels/pool/cpu.py. Tap (u, v) of the window at output (i, j) meets pixel
// (i sh + u dh - ph, j sw + v dw - pw), and has the number u kw + v. Over the taps in the image,
//
//   maximum   y = max x                 winner = the number of the tap that has it
//   average   y = sum x / (kh kw)       the padding counts as zeros
//
// There is a thread for each element of the result: of y, or of gx in the transposes, where a pixel
// gathers from all windows that meet it. W is the type of winners, 32 bits for windows of more than
// 65536 taps; the kernels of a mean take it only because all kernels of a file are compiled alike.

// The first tap along one axis that is in the image: the smallest u with start + u dilation >= 0.
__device__ inline int first_tap(int start, int dilation, int taps) {
    int u = start >= 0 ? 0 : (-start + dilation - 1) / dilation;
    return u < taps ? u : taps - 1;
}

// y, winner (N, oh, ow, C): the largest pixel of each window, or the last NaN if there is one, and
// the number of its tap.
template <typename T, typename I, typename W = unsigned short>
__global__ void maximum(I size, const T* x, T* y, W* winner, Geometry g) {
    I i = thread_number<I>();
    if (i >= size) return;
    Place<I> at(i, g.oh, g.ow, g.C);
    Wide<T> best = -INFINITY;
    int first_row = first_tap(at.row * g.sh - g.ph, g.dh, g.kh);
    int best_tap = first_row * g.kw + first_tap(at.column * g.sw - g.pw, g.dw, g.kw);
    for_pixels(at, g, [&](int tap, I pixel) {
        Wide<T> value = x[pixel * g.C + at.channel];
        if (larger_or_nan(value, best)) best = value, best_tap = tap;
    });
    y[i] = best;
    winner[i] = best_tap;
}

// gx (N, H, W, C): for each pixel the sum of gy over the windows that it won.
template <typename T, typename I, typename W = unsigned short>
__global__ void scatter(I size, const T* gy, const W* winner, T* gx, Geometry g) {
    I i = thread_number<I>();
    if (i >= size) return;
    Place<I> at(i, g.H, g.W, g.C);
    Wide<T> sum = 0;
    for_windows(at, g, [&](int tap, I window) {
        I from = window * g.C + at.channel;
        if (int(winner[from]) == tap) sum += gy[from];
    });
    gx[i] = sum;
}

// y (N, oh, ow, C): the mean of each window.
template <typename T, typename I, typename W = unsigned short>
__global__ void average(I size, const T* x, T* y, Geometry g) {
    I i = thread_number<I>();
    if (i >= size) return;
    Place<I> at(i, g.oh, g.ow, g.C);
    Sum<Wide<T>> sum = {};
    for_pixels(at, g, [&](int tap, I pixel) { sum.add(x[pixel * g.C + at.channel]); });
    y[i] = sum.value / (g.kh * g.kw);
}

// gx (N, H, W, C): for each pixel the sum of gy / (kh kw) over the windows that meet it.
template <typename T, typename I, typename W = unsigned short>
__global__ void average_transpose(I size, const T* gy, T* gx, Geometry g) {
    I i = thread_number<I>();
    if (i >= size) return;
    Place<I> at(i, g.H, g.W, g.C);
    Wide<T> sum = 0;
    for_windows(at, g, [&](int tap, I window) {
        sum += gy[window * g.C + at.channel] / (g.kh * g.kw);
    });
    gx[i] = sum;
}
