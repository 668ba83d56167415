// The update as plain loops that the compiler vectorizes; nothing is contracted, and roots and quotients
// are rounded once, so that every instruction set gives the same bits.
#pragma once
#include <cmath>

#include "update/update.hpp"

namespace darter {
namespace {

// From `from` a share of the way to `to`, exact at both ends.
inline float between(float from, float to, float share) {
    return share < 0.5f ? from + share * (to - from) : to - (1 - share) * (to - from);
}

template <bool averages>
void adamw(const UpdateRule& rule, const Updated& u) {
    const UpdateRule r = rule;
    float *__restrict w = u.weight, *__restrict mean = u.mean, *__restrict square = u.square;
    float* __restrict average = u.average;
    const float* __restrict gradient = u.gradient;
    for (int64_t i = 0; i < u.count; ++i) {
        const float g = gradient[i];
        mean[i] = r.momentum * mean[i] + r.rest * g;
        square[i] = r.squares * square[i] + r.squares_rest * (g * g);
        const float root = std::sqrt(square[i]) / r.correction + r.epsilon;
        w[i] = r.decay * w[i] - r.rate * mean[i] / root;
        if constexpr (averages) average[i] = between(average[i], w[i], r.share);
    }
}

template <bool averages, bool momentum>
void sgd(const UpdateRule& rule, const Updated& u) {
    const UpdateRule r = rule;
    float *__restrict w = u.weight, *__restrict mean = u.mean, *__restrict average = u.average;
    const float* __restrict gradient = u.gradient;
    for (int64_t i = 0; i < u.count; ++i) {
        float step = gradient[i] + r.decay * w[i];
        if constexpr (momentum) step = mean[i] = r.momentum * mean[i] + step;
        w[i] -= r.rate * step;
        if constexpr (averages) average[i] = between(average[i], w[i], r.share);
    }
}

template <bool averages>
void update_as(const UpdateRule& rule, const Updated& u) {
    if (rule.adam) return adamw<averages>(rule, u);
    u.mean ? sgd<averages, true>(rule, u) : sgd<averages, false>(rule, u);
}

void update(const UpdateRule& rule, const Updated& u) {
    u.average ? update_as<true>(rule, u) : update_as<false>(rule, u);
}

}  // namespace
}  // namespace darter
