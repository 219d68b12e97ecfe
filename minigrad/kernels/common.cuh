// What every kernel file starts with: how a thread finds its element, and the shape of a window.
//
// Each kernel is a template over the number type T (float, double) and the type I of indices (int,
// or long long for arrays of 2^31 elements and more), and its first parameter is the number of
// elements that it makes. Images lie in memory as (N, H, W, C): neighbouring threads work on
// neighbouring channels. No kernel adds to memory that another thread adds to: each output element
// has one thread, which gathers what belongs to it in a fixed order.

#ifndef INFINITY  // NVRTC has no math.h
#define INFINITY __int_as_float(0x7f800000)
#define NAN __int_as_float(0x7fffffff)
#endif

struct Geometry {  // a window over images, as kernels/window.py; C and O count all groups
    int N, C, H, W, O, oh, ow, kh, kw, sh, sw, ph, pw, dh, dw, groups;
};

template <typename I>
__device__ I thread_number() {
    return I(blockIdx.x) * I(blockDim.x) + I(threadIdx.x);
}

template <typename I>
struct Place {  // (image, row, column, channel) of element i of an array (N, H, W, C)
    I image;
    int row, column, channel;

    __device__ Place(I i, int H, int W, int C) {
        I pixel = i / C, line = pixel / W;
        channel = int(i - pixel * C);
        column = int(pixel - line * W);
        image = line / H;
        row = int(line - image * H);
    }
};

template <typename I>
__device__ I offset(I image, int row, int column, int channel, int H, int W, int C) {
    return ((image * H + row) * W + column) * C + channel;
}

__device__ inline bool inside(int i, int n) { return 0 <= i && i < n; }

// The window whose tap u meets pixel `row`, or -1: solves i stride + u dilation - pad = row.
__device__ inline int window_at(int row, int u, int stride, int pad, int dilation, int windows) {
    int start = row + pad - u * dilation;
    if (stride == 1) return inside(start, windows) ? start : -1;
    return start >= 0 && start % stride == 0 && start / stride < windows ? start / stride : -1;
}
