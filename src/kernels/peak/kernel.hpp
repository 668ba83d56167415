#pragma once
#include "peak/peak.hpp"

namespace darter::peak {

template <class V>
double total(const V (&sums)[kChains]) {
    double total = 0;
    for (const V& sum : sums) {
        float lane[V::lanes];
        sum.store(lane);
        for (float value : lane) total += value;
    }
    return total;
}

template <class V>
double multiply_add(int64_t rounds) {
    V sums[kChains], a = V::fill(0.999f), b = V::fill(0.001f);
    for (int i = 0; i < kChains; ++i) sums[i] = V::fill(0.1f * static_cast<float>(i));
    for (int64_t round = 0; round < rounds; ++round)
#pragma GCC unroll 12
        for (int i = 0; i < kChains; ++i) sums[i] = fma(sums[i], a, b);
    return total(sums);
}

template <class V>
double read(const float* data, int64_t count) {
    V sums[kChains];
    for (V& sum : sums) sum = V::zero();
    for (int64_t i = 0; i < count; i += 8 * V::lanes)
#pragma GCC unroll 8
        for (int j = 0; j < 8; ++j) sums[j] = sums[j] + V::load(data + i + j * V::lanes);
    return total(sums);
}

template <class V>
constexpr PeakKernels kernels() {
    return {V::lanes, multiply_add<V>, read<V>};
}

}  // namespace darter::peak
