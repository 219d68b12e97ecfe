// Adaptive pooling of images x (N, H, W, C) to y (N, oh, ow, C), and the transpose of the mean; the
// specification is kernels/adaptive/cpu.py.
//
//   average    y[i, j] = the mean of x over the rows of bin i and the columns of bin j
//   maximum    y[i, j] = the largest of these pixels
//   bin i = floor(i n / parts), ..., ceil((i + 1) n / parts) - 1,   n = H or W, parts = oh or ow
//
// Bins can share a pixel. There is a thread for each element of the result: of y, or of gx in the
// transpose of the mean, where a pixel gathers from all its bins.

struct Range { int start, end; };

// The pixels of bin i, where a line of n pixels has `parts` bins. With `parts` and n exchanged, the
// bins in which pixel i lies.
__device__ inline Range bin(int i, int parts, int n) {
    long long start = (long long)i * n, end = start + n;
    return {int(start / parts), int((end + parts - 1) / parts)};
}

// y (N, oh, ow, C): the mean of each bin.
template <typename T, typename I>
__global__ void average(I size, const T* x, T* y, int C, int H, int W, int oh, int ow) {
    I i = thread_number<I>();
    if (i >= size) return;
    Place<I> at(i, oh, ow, C);
    Range rows = bin(at.row, oh, H), columns = bin(at.column, ow, W);
    Sum<Wide<T>> sum = {};
    for (int r = rows.start; r < rows.end; r++)
        for (int c = columns.start; c < columns.end; c++)
            sum.add(x[offset<I>(at.image, r, c, at.channel, H, W, C)]);
    y[i] = sum.value / ((rows.end - rows.start) * (columns.end - columns.start));
}

// gx (N, H, W, C): for each pixel the sum of gy / (pixels in the bin) over its bins.
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

// y, place (N, oh, ow, C): the largest pixel of each bin, or the last NaN if there is one, and its
// place in the image, row W + column.
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
            if (larger_or_nan(value, best)) {
                best = value;
                winner = r * W + c;
            }
        }
    }
    y[i] = best;
    place[i] = winner;
}
