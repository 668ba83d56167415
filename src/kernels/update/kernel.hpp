// The update as plain loops that the compiler vectorizes; nothing is contracted, and roots and quotients
// are rounded once, so that every instruction set gives the same bits.
#pragma once
#include <algorithm>
#include <cmath>

#include "update/update.hpp"

namespace darter {
namespace {

// From `from` a share of the way to `to`, exact at both ends.
inline float between(float from, float to, float share) {
    return share < 0.5f ? from + share * (to - from) : to - (1 - share) * (to - from);
}

inline void adamw(const UpdateRule& rule, const Updated& u) {
    const UpdateRule r = rule;
    float *__restrict w = u.weight, *__restrict mean = u.mean, *__restrict square = u.square;
    const float* __restrict gradient = u.gradient;
    const float inverse = 1 / r.correction;
    for (int64_t i = 0; i < u.count; ++i) {
        const float g = gradient[i];
        mean[i] = r.momentum * mean[i] + r.rest * g;
        square[i] = r.squares * square[i] + r.squares_rest * (g * g);
        const float root = std::sqrt(square[i]) * inverse + r.epsilon;
        w[i] = r.decay * w[i] - r.rate * mean[i] / root;
    }
}

template <bool momentum>
void sgd(const UpdateRule& rule, const Updated& u) {
    const UpdateRule r = rule;
    float *__restrict w = u.weight, *__restrict mean = u.mean;
    const float* __restrict gradient = u.gradient;
    for (int64_t i = 0; i < u.count; ++i) {
        float step = gradient[i] + r.decay * w[i];
        if constexpr (momentum) step = mean[i] = r.momentum * mean[i] + step;
        w[i] -= r.rate * step;
    }
}

inline void take_average(float share, const Updated& u) {
    float* __restrict average = u.average;
    const float* __restrict w = u.weight;
    for (int64_t i = 0; i < u.count; ++i) average[i] = between(average[i], w[i], share);
}

// Stretch by stretch: memory is read in fewer places at a time, and weights are in L1 for the average.
void update(const UpdateRule& rule, const Updated& all) {
    constexpr int64_t kStretch = 1024;
    for (int64_t first = 0; first < all.count; first += kStretch) {
        const Updated u = all.part(first, std::min(kStretch, all.count - first));
        if (rule.adam)
            adamw(rule, u);
        else
            u.mean ? sgd<true>(rule, u) : sgd<false>(rule, u);
        if (u.average) take_average(rule.share, u);
    }
}

}  // namespace
}  // namespace darter
