// Convolution of images x (N, H, W, C) to y (N, oh, ow, O), and the two maps that transpose it; the
// specification is kernels/conv/__init__.py. In each group of channels,
//
//   y[n,i,j,o] = sum over u, v, c of x[n, i sh + u dh - ph, j sw + v dw - pw, c] w[u,v,c,o]
//
// Tap (u, v) has the number t = u kw + v; c and o count the channels of one group. The kernel
// image_to_columns lays the windows out as rows of a matrix, so that the sum is a matrix product;
// columns_to_image is its transpose. The `direct` kernels compute the sum as it stands, which pays
// where groups have few channels. Every kernel has a thread for each element of its result.

// columns (G, N oh ow, kh kw, C/G): the pixels of x that each window meets, 0 in the padding.
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
    I pixel = pixel_at(at, t, g);
    columns[i] = pixel < 0 ? T(0) : x[pixel * g.C + group * channels + c];
}

// gx (N, H, W, C): for each pixel the sum of the elements of `columns` that are copies of it in
// image_to_columns, whose transpose this is.
template <typename T, typename I>
__global__ void columns_to_image(I size, const T* columns, T* gx, Geometry g) {
    I i = thread_number<I>();
    if (i >= size) return;
    Place<I> at(i, g.H, g.W, g.C);
    int channels = g.C / g.groups, group = at.channel / channels, taps = g.kh * g.kw;
    int c = at.channel - group * channels;
    Wide<T> sum = 0;
    for_windows(at, g, [&](int tap, I window) {
        I line = I(group) * g.N * g.oh * g.ow + window;
        sum += columns[(line * taps + tap) * channels + c];
    });
    gx[i] = sum;
}

// y (N, oh, ow, O) from w (kh kw, C/G, O): neighbouring threads read neighbouring weights.
template <typename T, typename I>
__global__ void direct(I size, const T* x, const T* w, T* y, Geometry g) {
    I i = thread_number<I>();
    if (i >= size) return;
    Place<I> at(i, g.oh, g.ow, g.O);
    int channels = g.C / g.groups, first = at.channel / (g.O / g.groups) * channels;
    Wide<T> sum = 0;
    for_pixels(at, g, [&](int tap, I pixel) {
        const T* factors = x + pixel * g.C + first;  // (C/G)
        const T* filter = w + tap * channels * g.O + at.channel;  // (C/G), O apart
        for (int c = 0; c < channels; c++) sum += factors[c] * filter[c * g.O];
    });
    y[i] = sum;
}

// gx (N, H, W, C) from gy (N, oh, ow, O), w (kh kw, O/G, C): the sum over taps t and outputs o.
template <typename T, typename I>
__global__ void direct_input_gradient(I size, const T* gy, const T* w, T* gx, Geometry g) {
    I i = thread_number<I>();
    if (i >= size) return;
    Place<I> at(i, g.H, g.W, g.C);
    int outputs = g.O / g.groups, first = at.channel / (g.C / g.groups) * outputs;
    Wide<T> sum = 0;
    for_windows(at, g, [&](int tap, I window) {
        const T* factors = gy + window * g.O + first;  // (O/G)
        const T* filter = w + tap * outputs * g.C + at.channel;  // (O/G), C apart
        for (int o = 0; o < outputs; o++) sum += factors[o] * filter[o * g.C];
    });
    gx[i] = sum;
}

// partial (chunks, kh kw, C/G, O): the sum of x gy over the `chunk` pixels of y in each chunk;
// sum_chunks adds the chunks.
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
    for (I window = begin; window < end; window++) {
        I pixel = pixel_at(Place<I>(window, g.oh, g.ow, 1), t, g);
        if (pixel >= 0) sum += x[pixel * g.C + channel] * gy[window * g.O + o];
    }
    partial[i] = sum;
}

// y (size) = the sum of partial (chunks, size) over the chunks, in their order.
template <typename T, typename I>
__global__ void sum_chunks(I size, const Wide<T>* partial, T* y, int chunks) {
    I i = thread_number<I>();
    if (i >= size) return;
    Wide<T> sum = 0;
    for (int k = 0; k < chunks; k++) sum += partial[k * size + i];
    y[i] = sum;
}
