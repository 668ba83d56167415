// Filter gradients of bfloat16: pixels (or tiles) two by two, as the CPU multiplies them.
#pragma once
#include <cstdint>

#include "conv/gradient/kernels.hpp"

namespace darter {

// Rounds `all` pixels of 16 channels to [pair][channel][2]: `before` zeros, `pixels` of x, zeros.
struct PairedPixels {
    const float* x;
    int64_t step;  // floats between pixels
    int64_t before, pixels, all;
    uint16_t* to;
};

inline int64_t pairs_of(int64_t pixels) { return (pixels + 1) / 2; }
constexpr int64_t kPair = 32;  // numbers

// sum(c, k) += sum over pairs of x(pair, c) * dy(pair, k), for some channels of one block and all k
// of some blocks.
struct PairProduct {
    const uint16_t* x;   // its first channel
    const uint16_t* dy;
    int64_t pairs;
    int64_t dy_block;    // numbers between blocks of dy
    int channels, blocks;
    float* sum;          // [channel][blocks * 16]
    bool first;          // sum holds nothing yet
};

struct PairKernels {
    int channels, blocks;  // of the largest product
    void (*pair)(const PairedPixels&);
    void (*outer)(const PairProduct&);
};

const PairKernels* pair_kernels();  // null where the CPU has none for the active instruction set

}  // namespace darter
