// The limits of this machine, to compare kernels with.
#pragma once
#include <cstdint>

namespace darter {

struct PeakKernels {
    int lanes;
    double (*multiply_add)(int64_t rounds);  // kChains dependent chains of fma; returns their sum
    double (*read)(const float* data, int64_t count);  // sum of count floats, a multiple of 128
};

constexpr int kChains = 12;  // latency 4 times 2 units need 8; more change nothing

}  // namespace darter
