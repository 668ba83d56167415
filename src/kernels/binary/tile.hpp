// What the instruction sets compute of a binary convolution. Only plain types: their sources may not
// share inline functions with others.
#pragma once
#include <cstdint>

namespace darter {

constexpr int kBinaryFilters = 16;  // of a block

// Some output pixels of a row and one or two blocks of 16 filters.
struct BinaryTile {
    const uint64_t* x;       // first word of the first tap of the first pixel
    int64_t pixel_step;      // words between the pixels' first taps
    const int64_t* offsets;  // words from the first tap to each
    int64_t taps, words;     // words of each tap
    const uint64_t* w;       // [tap][word][blocks * 16 filters]
    int pixels, blocks;
    int32_t* counts;         // differing bits: [pixel][blocks * 16]
};

// What becomes of the counts of one pixel and 16 filters: v = scale * (base - 2 * count) + bias, plus
// the residual where there is one; y = v where v >= 0, else slope * v; plus shift.
struct BinaryFinish {
    const int32_t* base;  // per filter
    const float *scale, *bias, *slope, *shift;
};

struct BinaryKernels {
    int pixels;  // of a tile, at most
    void (*count)(const BinaryTile&);
    // residual: 16 numbers or null.
    void (*finish)(const int32_t* counts, const BinaryFinish&, const float* residual, float* y);
    // Bit i of the result: whether counts[i] <= limits[i], of 16 filters.
    uint16_t (*compare)(const int32_t* counts, const int32_t* limits);
    // Bit i: whether x[i] >= thresholds[i], of 16 numbers.
    uint16_t (*pack)(const float* x, const float* thresholds);
};

}  // namespace darter
