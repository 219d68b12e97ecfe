// Dropout's mask, bit for bit the one that NumPy draws:
//
//   mask[i] = 1 if r[i] >= p, else 0,   r: a stream of numbers in [0, 1)
//
// The stream is NumPy's Philox4x64-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2,
// 3", SC 2011, section 3.3). Its numbers 8 k, ..., 8 k + 7 come from block k + 1, because NumPy
// counts before it draws. Each of the four words of the block gives two numbers, first by its lower
// 32 bits, then by its upper 32 bits: r is the upper 24 of these, over 2^24. Thread k makes all 8.

typedef unsigned long long word;

// The four words of the block whose counter is (counter, 0, 0, 0), under the key (key0, key1).
__device__ inline void philox(word counter, word key0, word key1, word* block) {
    const word M0 = 0xD2E7470EE14C6C93ull, M1 = 0xCA5A826395121157ull;
    const word W0 = 0x9E3779B97F4A7C15ull, W1 = 0xBB67AE8584CAA73Bull;
    word a = counter, b = 0, c = 0, d = 0;
    for (int round = 0; round < 10; round++) {
        word high0 = __umul64hi(M0, a), low0 = M0 * a, high1 = __umul64hi(M1, c), low1 = M1 * c;
        a = high1 ^ b ^ key0, b = low1, c = high0 ^ d ^ key1, d = low0;
        key0 += W0, key1 += W1;
    }
    block[0] = a, block[1] = b, block[2] = c, block[3] = d;
}

// mask (size), of zeros and ones.
template <typename T, typename I>
__global__ void mask(I size, T* mask, word key0, word key1, float p) {
    I thread = thread_number<I>(), first = thread * 8;
    if (first >= size) return;
    word block[4];
    philox(word(thread) + 1, key0, key1, block);
    for (int j = 0; j < 8 && first + j < size; j++) {
        unsigned bits = unsigned(block[j / 2] >> 32 * (j % 2));
        mask[first + j] = (bits >> 8) * (1.0f / 16777216.0f) >= p ? T(1) : T(0);
    }
}
