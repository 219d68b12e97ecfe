// Convolution of images (N, H, W, C) as columns for a matrix product, and direct for thin groups;
// the specification is kernels/conv.py. Taps are numbered t = u kw + v, groups' channels c, o.

// columns[group][pixel of y][t][c] = the pixels of x that the window meets, 0 in the padding.
template <typename T, typename I>
__global__ void image_to_columns(I size, const T* x, T* columns, Geometry g) {
    I i = thread_number<I>();
    if (i >= size) return;
    int channels = g.C / g.groups, taps = g.kh * g.kw;
    I rest = i / channels, pixels = I(g.N) * g.oh * g.ow;
    int c = int(i - rest * channels), t = int(rest % taps);
    rest /= taps;
    int group = int(rest / pixels);
    Place<I> at(rest - group * pixels, g.oh, g.ow, 1);
    int row = at.row * g.sh - g.ph + t / g.kw * g.dh;
    int column = at.column * g.sw - g.pw + t % g.kw * g.dw;
    bool within = inside(row, g.H) && inside(column, g.W);
    int channel = group * channels + c;
    columns[i] = within ? x[offset<I>(at.image, row, column, channel, g.H, g.W, g.C)] : T(0);
}

// The transpose: gx = for each pixel the sum of the columns' elements that were copied from it.
template <typename T, typename I>
__global__ void columns_to_image(I size, const T* columns, T* gx, Geometry g) {
    I i = thread_number<I>();
    if (i >= size) return;
    Place<I> at(i, g.H, g.W, g.C);
    int channels = g.C / g.groups, group = at.channel / channels, taps = g.kh * g.kw;
    int c = at.channel - group * channels;
    Wide<T> sum = 0;
    for (int u = 0; u < g.kh; u++) {
        int row = window_at(at.row, u, g.sh, g.ph, g.dh, g.oh);
        for (int v = 0; row >= 0 && v < g.kw; v++) {
            int column = window_at(at.column, v, g.sw, g.pw, g.dw, g.ow);
            if (column < 0) continue;
            I pixel = offset<I>(group * I(g.N) + at.image, row, column, 0, g.oh, g.ow, 1);
            sum += columns[(pixel * taps + u * g.kw + v) * channels + c];
        }
    }
    gx[i] = sum;
}

// y = sum over t, c of x w, with w laid out as (t, c, o): coalesced over the output channels o.
template <typename T, typename I>
__global__ void direct(I size, const T* x, const T* w, T* y, Geometry g) {
    I i = thread_number<I>();
    if (i >= size) return;
    Place<I> at(i, g.oh, g.ow, g.O);
    int channels = g.C / g.groups, first = at.channel / (g.O / g.groups) * channels;
    Wide<T> sum = 0;
    for (int u = 0; u < g.kh; u++) {
        for (int v = 0; v < g.kw; v++) {
            int row = at.row * g.sh - g.ph + u * g.dh, column = at.column * g.sw - g.pw + v * g.dw;
            if (!inside(row, g.H) || !inside(column, g.W)) continue;
            const T* pixel = x + offset<I>(at.image, row, column, first, g.H, g.W, g.C);
            const T* filter = w + (u * g.kw + v) * channels * g.O + at.channel;
            for (int c = 0; c < channels; c++) sum += pixel[c] * filter[c * g.O];
        }
    }
    y[i] = sum;
}

// gx = sum over t, o of gy w, with w laid out as (t, o, c).
template <typename T, typename I>
__global__ void direct_input_gradient(I size, const T* gy, const T* w, T* gx, Geometry g) {
    I i = thread_number<I>();
    if (i >= size) return;
    Place<I> at(i, g.H, g.W, g.C);
    int outputs = g.O / g.groups, first = at.channel / (g.C / g.groups) * outputs;
    Wide<T> sum = 0;
    for (int u = 0; u < g.kh; u++) {
        int row = window_at(at.row, u, g.sh, g.ph, g.dh, g.oh);
        for (int v = 0; row >= 0 && v < g.kw; v++) {
            int column = window_at(at.column, v, g.sw, g.pw, g.dw, g.ow);
            if (column < 0) continue;
            const T* pixel = gy + offset<I>(at.image, row, column, first, g.oh, g.ow, g.O);
            const T* filter = w + (u * g.kw + v) * outputs * g.C + at.channel;
            for (int o = 0; o < outputs; o++) sum += pixel[o] * filter[o * g.C];
        }
    }
    gx[i] = sum;
}

// partial[chunk][t][c][o] = sum over the chunk's pixels of y of x gy; `sum_chunks` adds the chunks.
template <typename T, typename I>
__global__ void direct_weight_gradient(I size, const T* x, const T* gy, Wide<T>* partial,
                                       Geometry g, int chunk) {
    I i = thread_number<I>();
    if (i >= size) return;
    int channels = g.C / g.groups, taps = g.kh * g.kw;
    I rest = i / g.O;
    int o = int(i - rest * g.O), c = int(rest % channels);
    rest /= channels;
    int t = int(rest % taps);
    I begin = rest / taps * chunk, end = I(g.N) * g.oh * g.ow;
    if (begin + chunk < end) end = begin + chunk;
    int channel = o / (g.O / g.groups) * channels + c;
    Wide<T> sum = 0;
    for (I pixel = begin; pixel < end; pixel++) {
        Place<I> at(pixel, g.oh, g.ow, 1);
        int row = at.row * g.sh - g.ph + t / g.kw * g.dh;
        int column = at.column * g.sw - g.pw + t % g.kw * g.dw;
        if (inside(row, g.H) && inside(column, g.W))
            sum += x[offset<I>(at.image, row, column, channel, g.H, g.W, g.C)]
                * gy[pixel * g.O + o];
    }
    partial[i] = sum;
}

// y = the sum of `chunks` arrays that lie one behind another, in their order.
template <typename T, typename I>
__global__ void sum_chunks(I size, const Wide<T>* partial, T* y, int chunks) {
    I i = thread_number<I>();
    if (i >= size) return;
    Wide<T> sum = 0;
    for (int k = 0; k < chunks; k++) sum += partial[k * size + i];
    y[i] = sum;
}
