// Pooling of images (N, H, W, C) to (N, oh, ow, C) and back; the specification is kernels/pool.py.

// The first tap along one axis that is in the image: smallest u >= 0 with start + u dilation >= 0.
__device__ inline int first_tap(int start, int dilation, int taps) {
    int u = start >= 0 ? 0 : (-start + dilation - 1) / dilation;
    return u < taps ? u : taps - 1;
}

// y = the largest pixel of each window, NaN if there is one; winner = the number of its tap.
template <typename T, typename I>
__global__ void maximum(I size, const T* x, T* y, unsigned short* winner, Geometry g) {
    I i = thread_number<I>();
    if (i >= size) return;
    Place<I> at(i, g.oh, g.ow, g.C);
    int top = at.row * g.sh - g.ph, left = at.column * g.sw - g.pw;
    Wide<T> best = -INFINITY;
    int tap = first_tap(top, g.dh, g.kh) * g.kw + first_tap(left, g.dw, g.kw);
    for (int u = 0; u < g.kh; u++) {
        for (int v = 0; v < g.kw; v++) {
            int row = top + u * g.dh, column = left + v * g.dw;
            if (!inside(row, g.H) || !inside(column, g.W)) continue;
            Wide<T> value = x[offset<I>(at.image, row, column, at.channel, g.H, g.W, g.C)];
            if (value > best || (value != value && best == best)) {
                best = value;
                tap = u * g.kw + v;
            }
        }
    }
    y[i] = best;
    winner[i] = tap;
}

// gx = for each pixel the sum of the gradients of the windows that it won.
template <typename T, typename I>
__global__ void scatter(I size, const T* gy, const unsigned short* winner, T* gx, Geometry g) {
    I i = thread_number<I>();
    if (i >= size) return;
    Place<I> at(i, g.H, g.W, g.C);
    Wide<T> sum = 0;
    for (int u = 0; u < g.kh; u++) {
        int row = window_at(at.row, u, g.sh, g.ph, g.dh, g.oh);
        for (int v = 0; row >= 0 && v < g.kw; v++) {
            int column = window_at(at.column, v, g.sw, g.pw, g.dw, g.ow);
            if (column < 0) continue;
            I from = offset<I>(at.image, row, column, at.channel, g.oh, g.ow, g.C);
            if (winner[from] == u * g.kw + v) sum += gy[from];
        }
    }
    gx[i] = sum;
}

// y = the pixel of x at each window's winner, 0 in the padding.
template <typename T, typename I>
__global__ void gather(I size, const T* x, const unsigned short* winner, T* y, Geometry g) {
    I i = thread_number<I>();
    if (i >= size) return;
    Place<I> at(i, g.oh, g.ow, g.C);
    int row = at.row * g.sh - g.ph + winner[i] / g.kw * g.dh;
    int column = at.column * g.sw - g.pw + winner[i] % g.kw * g.dw;
    bool within = inside(row, g.H) && inside(column, g.W);
    y[i] = within ? x[offset<I>(at.image, row, column, at.channel, g.H, g.W, g.C)] : T(0);
}

// y = the mean of each window; the padding counts as zeros.
template <typename T, typename I>
__global__ void average(I size, const T* x, T* y, Geometry g) {
    I i = thread_number<I>();
    if (i >= size) return;
    Place<I> at(i, g.oh, g.ow, g.C);
    Wide<T> sum = 0;
    for (int u = 0; u < g.kh; u++) {
        for (int v = 0; v < g.kw; v++) {
            int row = at.row * g.sh - g.ph + u * g.dh, column = at.column * g.sw - g.pw + v * g.dw;
            if (inside(row, g.H) && inside(column, g.W))
                sum += x[offset<I>(at.image, row, column, at.channel, g.H, g.W, g.C)];
        }
    }
    y[i] = sum / (g.kh * g.kw);
}

// gx = for each pixel the sum of its shares in the gradients of its windows.
template <typename T, typename I>
__global__ void average_transpose(I size, const T* gy, T* gx, Geometry g) {
    I i = thread_number<I>();
    if (i >= size) return;
    Place<I> at(i, g.H, g.W, g.C);
    Wide<T> sum = 0;
    for (int u = 0; u < g.kh; u++) {
        int row = window_at(at.row, u, g.sh, g.ph, g.dh, g.oh);
        for (int v = 0; row >= 0 && v < g.kw; v++) {
            int column = window_at(at.column, v, g.sw, g.pw, g.dw, g.ow);
            if (column >= 0)
                sum += gy[offset<I>(at.image, row, column, at.channel, g.oh, g.ow, g.C)]
                    / (g.kh * g.kw);
        }
    }
    gx[i] = sum;
}
