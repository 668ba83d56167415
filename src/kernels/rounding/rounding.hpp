// Rounding to fewer bits, to nearest or at random so that the mean is kept (Gupta et al., arXiv:1502.02551).
#pragma once
#include <cstdint>

namespace darter {

// Fixed point: multiples of 2^-fraction_bits from -2^(integer_bits - 1) to 2^(integer_bits - 1) less one step.
struct FixedFormat {
    int integer_bits, fraction_bits;
};

// Random numbers by counting: number i of a stream is a function of (seed, stream, i) alone, so that
// any thread and any instruction set draws the same.
struct Draws {
    uint64_t seed, stream;
};

constexpr int64_t kRoundingGroup = 64;  // numbers that are drawn together

// From and to are `count` numbers and may be the same array. first_group: of the draws for from[0].
// NaN stays NaN. Fixed point saturates, and ties of its nearest go down, as in the paper.
// In bfloat16 infinity stays; ties of its nearest go to even.
struct RoundingKernels {
    void (*fixed_nearest)(const float* from, float* to, int64_t count, FixedFormat);
    void (*fixed_stochastic)(const float* from, float* to, int64_t count, FixedFormat, Draws,
                             uint64_t first_group);
    void (*bfloat16_stochastic)(const float* from, float* to, int64_t count, Draws,
                                uint64_t first_group);
};

}  // namespace darter
