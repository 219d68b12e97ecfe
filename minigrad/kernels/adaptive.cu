// Adaptive pooling of images (N, H, W, C) to (N, oh, ow, C) and back; the specification is
// kernels/adaptive.py.

struct Range { int start, end; };

// Bin i of `parts` in a line of n pixels, floor(i n / parts) to ceil((i + 1) n / parts); with pixels
// and bins exchanged, the bins in which pixel i lies.
__device__ inline Range bin(int i, int parts, int n) {
    long long start = (long long)i * n, end = start + n;
    return {int(start / parts), int((end + parts - 1) / parts)};
}

// y = the mean of each bin.
template <typename T, typename I>
__global__ void average(I size, const T* x, T* y, int C, int H, int W, int oh, int ow) {
    I i = thread_number<I>();
    if (i >= size) return;
    Place<I> at(i, oh, ow, C);
    Range rows = bin(at.row, oh, H), columns = bin(at.column, ow, W);
    Wide<T> sum = 0;
    for (int r = rows.start; r < rows.end; r++)
        for (int c = columns.start; c < columns.end; c++)
            sum += x[offset<I>(at.image, r, c, at.channel, H, W, C)];
    y[i] = sum / ((rows.end - rows.start) * (columns.end - columns.start));
}

// gx = for each pixel the sum of its shares in the gradients of its bins.
template <typename T, typename I>
__global__ void average_transpose(I size, const T* gy, T* gx, int C, int H, int W, int oh, int ow) {
    I i = thread_number<I>();
    if (i >= size) return;
    Place<I> at(i, H, W, C);
    Range rows = bin(at.row, H, oh), columns = bin(at.column, W, ow);
    Wide<T> sum = 0;
    for (int r = rows.start; r < rows.end; r++) {
        for (int c = columns.start; c < columns.end; c++) {
            Range tall = bin(r, oh, H), wide = bin(c, ow, W);
            sum += gy[offset<I>(at.image, r, c, at.channel, oh, ow, C)]
                / ((tall.end - tall.start) * (wide.end - wide.start));
        }
    }
    gx[i] = sum;
}

// y = the largest pixel of each bin, NaN if there is one; place = its row W + column.
template <typename T, typename I>
__global__ void maximum(I size, const T* x, T* y, int* place, int C, int H, int W, int oh, int ow) {
    I i = thread_number<I>();
    if (i >= size) return;
    Place<I> at(i, oh, ow, C);
    Range rows = bin(at.row, oh, H), columns = bin(at.column, ow, W);
    int winner = rows.start * W + columns.start;
    Wide<T> best = x[offset<I>(at.image, rows.start, columns.start, at.channel, H, W, C)];
    for (int r = rows.start; r < rows.end; r++) {
        for (int c = columns.start; c < columns.end; c++) {
            Wide<T> value = x[offset<I>(at.image, r, c, at.channel, H, W, C)];
            if (value > best || (value != value && best == best)) {
                best = value;
                winner = r * W + c;
            }
        }
    }
    y[i] = best;
    place[i] = winner;
}

// gx = for each pixel the sum of the gradients of the bins that it won.
template <typename T, typename I>
__global__ void scatter(I size, const T* gy, const int* place, T* gx, int C, int H, int W, int oh,
                        int ow) {
    I i = thread_number<I>();
    if (i >= size) return;
    Place<I> at(i, H, W, C);
    Range rows = bin(at.row, H, oh), columns = bin(at.column, W, ow);
    Wide<T> sum = 0;
    for (int r = rows.start; r < rows.end; r++) {
        for (int c = columns.start; c < columns.end; c++) {
            I from = offset<I>(at.image, r, c, at.channel, oh, ow, C);
            if (place[from] == at.row * W + at.column) sum += gy[from];
        }
    }
    gx[i] = sum;
}

// y = the pixel of x at each place.
template <typename T, typename I>
__global__ void gather(I size, const T* x, const int* place, T* y, int C, int H, int W, int oh,
                       int ow) {
    I i = thread_number<I>();
    if (i >= size) return;
    Place<I> at(i, oh, ow, C);
    y[i] = x[offset<I>(at.image, place[i] / W, place[i] % W, at.channel, H, W, C)];
}
