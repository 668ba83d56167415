// The parts of binary kernels that the compiler vectorizes; each source gets functions of its own.
#pragma once
#include "binary/tile.hpp"

namespace darter {
namespace {

// No fused multiply-add: every instruction set gives the same bits.
void finish_binary(const int32_t* counts, const BinaryFinish& f, const float* residual, float* y) {
    float v[kBinaryFilters];
    for (int i = 0; i < kBinaryFilters; ++i)
        v[i] = static_cast<float>(f.base[i] - 2 * counts[i]) * f.scale[i] + f.bias[i];
    if (residual)
        for (int i = 0; i < kBinaryFilters; ++i) v[i] += residual[i];
    for (int i = 0; i < kBinaryFilters; ++i)
        y[i] = v[i] * (v[i] >= 0 ? 1.0f : f.slope[i]) + f.shift[i];
}

[[maybe_unused]] uint16_t compare_plainly(const int32_t* counts, const int32_t* limits) {
    uint32_t bits = 0;
    for (int i = 0; i < kBinaryFilters; ++i) bits |= static_cast<uint32_t>(counts[i] <= limits[i]) << i;
    return static_cast<uint16_t>(bits);
}

[[maybe_unused]] uint16_t pack_plainly(const float* x, const float* thresholds) {
    uint32_t bits = 0;
    for (int i = 0; i < kBinaryFilters; ++i) bits |= static_cast<uint32_t>(x[i] >= thresholds[i]) << i;
    return static_cast<uint16_t>(bits);
}

}  // namespace
}  // namespace darter
