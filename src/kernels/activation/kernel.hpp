// Activations over a vector type; each instruction set instantiates them once.
#pragma once
#include <cmath>
#include <limits>

#include "activation/activation.hpp"

namespace darter::activation {

// exp(x) by 2^n exp(r), |r| <= ln 2 / 2; x is clamped to what float32 can hold.
template <class V>
[[gnu::always_inline]] inline V exponential(V x) {
    const V most = V::fill(88.37626f), least = V::fill(-87.33654f);
    const V bounded = clamp(x, least, most);
    // Adding 1.5 * 2^23 rounds to whole numbers; adding 127 leaves the exponent of 2^n in the low bits.
    const V magic = V::fill(12582912.0f + 127.0f);
    const V shifted = fma(bounded, V::fill(1.44269504f), magic);
    const V n = shifted - magic;
    V r = fma(n, V::fill(-0.693359375f), bounded);
    r = fma(n, V::fill(2.12194440e-4f), r);
    V p = V::fill(1.9875691500e-4f);
    p = fma(p, r, V::fill(1.3981999507e-3f));
    p = fma(p, r, V::fill(8.3334519073e-3f));
    p = fma(p, r, V::fill(4.1665795894e-2f));
    p = fma(p, r, V::fill(1.6666665459e-1f));
    p = fma(p, r, V::fill(5.0000001201e-1f));
    p = fma(p * r, r, r + V::fill(1.0f));

    return p * bits_shifted_to_exponent(shifted);
}

template <class V>
[[gnu::always_inline]] inline V logistic(V x) {
    return V::fill(1.0f) / (V::fill(1.0f) + exponential(V::zero() - x));
}

template <class V>
[[gnu::always_inline]] inline V hyperbolic_tangent(V x) {
    const V one = V::fill(1.0f);
    return one - V::fill(2.0f) / (one + exponential(x + x));
}

// Abramowitz & Stegun 7.1.26; |error| <= 1.5e-7.
template <class V>
[[gnu::always_inline]] inline V error_function(V x) {
    const V one = V::fill(1.0f), size = maximum_of(x, V::zero() - x);
    const V t = one / fma(size, V::fill(0.3275911f), one);
    V p = V::fill(1.061405429f);
    p = fma(p, t, V::fill(-1.453152027f));
    p = fma(p, t, V::fill(1.421413741f));
    p = fma(p, t, V::fill(-0.284496736f));
    p = fma(p, t, V::fill(0.254829592f));
    const V value = one - p * t * exponential(V::zero() - size * size);
    return where_negative(x, V::zero() - value, value);
}

template <Activation::Kind kind, class V>
[[gnu::always_inline]] inline V apply(V x, V a, V b) {
    const V zero = V::zero(), one = V::fill(1.0f), half = V::fill(0.5f);
    if constexpr (kind == Activation::relu)
        return clamp(x, zero, V::fill(std::numeric_limits<float>::infinity()));
    else if constexpr (kind == Activation::clip)
        return clamp(x, a, b);
    else if constexpr (kind == Activation::round_clip) {
        // Within whole a and b, so that adding 1.5 * 2^23 rounds to whole numbers, ties to even.
        const V magic = V::fill(12582912.0f);
        return (clamp(x, a, b) + magic) - magic;
    } else if constexpr (kind == Activation::leaky_relu)
        return where_negative(x, a * x, x);
    else if constexpr (kind == Activation::elu)
        return where_negative(x, a * (exponential(x) - one), x);
    else if constexpr (kind == Activation::sigmoid)
        return logistic(x);
    else if constexpr (kind == Activation::hard_sigmoid)
        return clamp(fma(a, x, b), zero, one);
    else if constexpr (kind == Activation::swish)
        return x * logistic(x);
    else if constexpr (kind == Activation::hard_swish)
        return x * clamp(fma(x, V::fill(1.0f / 6), half), zero, one);
    else if constexpr (kind == Activation::gelu)
        return half * x * (one + error_function(x * V::fill(0.70710678f)));
    else if constexpr (kind == Activation::gelu_tanh)
        return half * x *
               (one + hyperbolic_tangent(V::fill(0.79788456f) *
                                         fma(V::fill(0.044715f) * x * x, x, x)));
    else if constexpr (kind == Activation::tanh)
        return hyperbolic_tangent(x);
    else if constexpr (kind == Activation::mish) {
        // tanh(log(1 + e)) = 1 - 2 / ((1 + e)^2 + 1); beyond 20 it is 1
        const V e = one + exponential(clamp(x, V::fill(-87.0f), V::fill(20.0f)));
        return x * (one - V::fill(2.0f) / fma(e, e, one));
    } else
        return x;
}

// Kinds that no net spends time on.
inline float apply_slowly(const Activation& f, float x) {
    switch (f.kind) {
        case Activation::softplus: return x > 20 ? x : std::log1p(std::exp(x));
        case Activation::erf: return std::erf(x);
        case Activation::exp: return std::exp(x);
        case Activation::sqrt: return std::sqrt(x);
        case Activation::reciprocal: return 1 / x;
        case Activation::power: return std::pow(x, f.a);
        default: return x;
    }
}

template <class V, Activation::Kind kind>
void each(const Activation& f, float* values, int64_t count) {
    const V a = V::fill(f.a), b = V::fill(f.b);
    int64_t i = 0;
    for (; i + V::lanes <= count; i += V::lanes)
        apply<kind>(V::load(values + i), a, b).store(values + i);
    if (i == count) return;
    float rest[V::lanes] = {};
    for (int64_t j = i; j < count; ++j) rest[j - i] = values[j];
    apply<kind>(V::load(rest), a, b).store(rest);
    for (int64_t j = i; j < count; ++j) values[j] = rest[j - i];
}

template <class V>
void run(const Activation& f, float* values, int64_t count) {
    switch (f.kind) {
        case Activation::none: return;
        case Activation::relu: return each<V, Activation::relu>(f, values, count);
        case Activation::clip: return each<V, Activation::clip>(f, values, count);
        case Activation::round_clip: return each<V, Activation::round_clip>(f, values, count);
        case Activation::leaky_relu: return each<V, Activation::leaky_relu>(f, values, count);
        case Activation::elu: return each<V, Activation::elu>(f, values, count);
        case Activation::sigmoid: return each<V, Activation::sigmoid>(f, values, count);
        case Activation::hard_sigmoid: return each<V, Activation::hard_sigmoid>(f, values, count);
        case Activation::swish: return each<V, Activation::swish>(f, values, count);
        case Activation::hard_swish: return each<V, Activation::hard_swish>(f, values, count);
        case Activation::gelu: return each<V, Activation::gelu>(f, values, count);
        case Activation::gelu_tanh: return each<V, Activation::gelu_tanh>(f, values, count);
        case Activation::tanh: return each<V, Activation::tanh>(f, values, count);
        case Activation::mish: return each<V, Activation::mish>(f, values, count);
        default:
            for (int64_t i = 0; i < count; ++i) values[i] = apply_slowly(f, values[i]);
    }
}

}  // namespace darter::activation
