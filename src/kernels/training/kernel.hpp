// The loops of training/kernels.hpp over a vector type; each instruction set instantiates them once.
#pragma once
#include <bit>

#include "activation/kernel.hpp"
#include "training/kernels.hpp"
#include "training/row_product.hpp"

namespace darter::training {

constexpr int kBlock = 16;
constexpr int64_t kSummed = 128;  // pixels whose float32 sums become float64
constexpr int64_t kStretch = 64;  // pixels that go through an activation while they are in L1

// Adds 16 float32 sums, in `chains` parts, to float64.
template <class V, int chains>
[[gnu::always_inline]] inline void add_to(const V (&sum)[chains], double* to) {
    float lanes[V::lanes];
    V all = sum[0];
#pragma GCC unroll 4
    for (int i = 1; i < chains; ++i) all = all + sum[i];
    all.store(lanes);
    for (int i = 0; i < V::lanes; ++i) to[i] += static_cast<double>(lanes[i]);
}

template <class V>
void moments(const float* y, int64_t pixels, const float* shift, double* total, double* square) {
    constexpr int chains = 4;
    for (int part = 0; part < kBlock; part += V::lanes) {
        const V from = V::load(shift + part);
        for (int64_t begin = 0; begin < pixels; begin += kSummed) {
            const int64_t end = begin + kSummed < pixels ? begin + kSummed : pixels;
            V s[chains], q[chains];
            for (int i = 0; i < chains; ++i) s[i] = q[i] = V::zero();
            int64_t pixel = begin;
            for (; pixel + chains <= end; pixel += chains)
#pragma GCC unroll 4
                for (int i = 0; i < chains; ++i) {
                    const V value = V::load(y + (pixel + i) * kBlock + part) - from;
                    s[i] = s[i] + value;
                    q[i] = fma(value, value, q[i]);
                }
            for (; pixel < end; ++pixel) {
                const V value = V::load(y + pixel * kBlock + part) - from;
                s[0] = s[0] + value;
                q[0] = fma(value, value, q[0]);
            }
            add_to(s, total + part);
            add_to(q, square + part);
        }
    }
}

template <class V>
void normalize(const NormalizePlane& p) {
    const bool clamps = p.activation.clamps();
    const V low = V::fill(clamps ? p.activation.low() : -std::numeric_limits<float>::infinity());
    const V high = V::fill(clamps ? p.activation.high() : std::numeric_limits<float>::infinity());
    for (int part = 0; part < kBlock; part += V::lanes) {
        const V scale = p.scale ? V::load(p.scale + part) : V::fill(1.0f);
        const V shift = p.shift ? V::load(p.shift + part) : V::zero();
        for (int64_t i = part; i < p.pixels * kBlock; i += kBlock) {
            V value = fma(V::load(p.y + i), scale, shift);
            if (p.residual) value = value + V::load(p.residual + i);
            clamp(value, low, high).store(p.z + i);
        }
    }
}

template <class V>
void normalize_any(const NormalizePlane& p) {
    if (p.activation.clamps()) return normalize<V>(p);
    for (int64_t pixel = 0; pixel < p.pixels; pixel += kStretch) {
        NormalizePlane some = p;
        some.pixels = p.pixels - pixel < kStretch ? p.pixels - pixel : kStretch;
        some.y += pixel * kBlock;
        some.z += pixel * kBlock;
        if (some.residual) some.residual += pixel * kBlock;
        normalize<V>(some);
        activation::run<V>(p.activation, some.z, some.pixels * kBlock);
    }
}

// g = dz * f'(u)
template <Activation::Kind kind, class V>
[[gnu::always_inline]] inline V back(V dz, V u, V a, V b) {
    using namespace activation;
    const V zero = V::zero(), one = V::fill(1.0f);
    if constexpr (kind == Activation::leaky_relu)
        return where_negative(u, dz * a, dz);
    else if constexpr (kind == Activation::elu)
        return where_negative(u, dz * a * exponential(u), dz);
    else if constexpr (kind == Activation::sigmoid) {
        const V s = logistic(u);
        return dz * s * (one - s);
    } else if constexpr (kind == Activation::hard_sigmoid) {
        const V inner = fma(a, u, b);
        return where_negative(zero - inner, where_negative(inner - one, dz * a, zero), zero);
    } else if constexpr (kind == Activation::swish) {
        const V s = logistic(u);
        return dz * fma(u * s, one - s, s);
    } else if constexpr (kind == Activation::hard_swish) {
        // (2 u + 3) / 6 between -3 and 3, then 1
        const V three = V::fill(3.0f), slope = fma(u, V::fill(1.0f / 3), V::fill(0.5f));
        const V beyond = where_negative(u - three, dz * slope, dz);
        return where_negative(zero - three - u, beyond, zero);
    } else if constexpr (kind == Activation::gelu) {
        const V half = V::fill(0.5f);
        const V cumulative = half * (one + error_function(u * V::fill(0.70710678f)));
        const V density = V::fill(0.39894228f) * exponential(zero - half * u * u);
        return dz * fma(u, density, cumulative);
    } else if constexpr (kind == Activation::tanh) {
        const V t = hyperbolic_tangent(u);
        return dz * (one - t * t);
    } else
        return dz;
}

// clip here: by u, or by z where it is given.
template <Activation::Kind kind, bool sums, class V>
void gradient(const NormalizeGradient& p) {
    constexpr bool clips = kind == Activation::clip;
    constexpr int chains = 2;
    const V low = V::fill(clips ? p.activation.low() : 0), high = V::fill(clips ? p.activation.high() : 0);
    const V first = V::fill(p.activation.a), second = V::fill(p.activation.b), zero = V::zero();
    for (int part = 0; part < kBlock; part += V::lanes) {
        const V scale = p.scale ? V::load(p.scale + part) : V::fill(1.0f);
        const V shift = p.shift ? V::load(p.shift + part) : zero;
        const V a = p.a ? V::load(p.a + part) : V::fill(1.0f);
        const V b = p.b ? V::load(p.b + part) : zero, c = p.c ? V::load(p.c + part) : zero;
        const V mean = p.mean ? V::load(p.mean + part) : zero;
        auto g_at = [&](int64_t at, V y) __attribute__((always_inline)) {
            V g = V::load(p.dz + at);
            if constexpr (kind == Activation::none) return g;
            V u = p.z && clips ? V::load(p.z + at) : fma(y, scale, shift);
            if constexpr (clips)
                return where_negative(low - u, where_negative(u - high, g, zero), zero);
            else
                return back<kind>(g, u, first, second);
        };
        for (int64_t begin = 0; begin < p.pixels; begin += kSummed) {
            const int64_t end = begin + kSummed < p.pixels ? begin + kSummed : p.pixels;
            V sum_g[chains], sum_gy[chains];
            for (int i = 0; i < chains; ++i) sum_g[i] = sum_gy[i] = zero;
            auto one = [&](int64_t pixel, int chain) __attribute__((always_inline)) {
                const int64_t at = pixel * kBlock + part;
                const V y = p.y ? V::load(p.y + at) : zero;
                const V g = g_at(at, y);
                if constexpr (sums) {
                    sum_g[chain] = sum_g[chain] + g;
                    sum_gy[chain] = fma(g, y - mean, sum_gy[chain]);
                }
                if (p.dy) {
                    V value = p.b ? fma(a, g, fma(b, y, c)) : a * g;
                    if (p.accumulate) value = value + V::load(p.dy + at);
                    value.store(p.dy + at);
                }
            };
            int64_t pixel = begin;
            for (; pixel + chains <= end; pixel += chains) one(pixel, 0), one(pixel + 1, 1);
            if (pixel < end) one(pixel, 0);
            if constexpr (sums) {
                add_to(sum_g, p.sum_g + part);
                add_to(sum_gy, p.sum_gy + part);
            }
        }
    }
}

template <Activation::Kind kind, class V>
void gradient(const NormalizeGradient& p) {
    p.sum_g ? gradient<kind, true, V>(p) : gradient<kind, false, V>(p);
}

template <class V>
void gradient_any(const NormalizeGradient& p) {
    switch (p.activation.kind) {
        case Activation::none: return gradient<Activation::none, V>(p);
        case Activation::relu:
        case Activation::clip: return gradient<Activation::clip, V>(p);
        case Activation::leaky_relu: return gradient<Activation::leaky_relu, V>(p);
        case Activation::elu: return gradient<Activation::elu, V>(p);
        case Activation::sigmoid: return gradient<Activation::sigmoid, V>(p);
        case Activation::hard_sigmoid: return gradient<Activation::hard_sigmoid, V>(p);
        case Activation::swish: return gradient<Activation::swish, V>(p);
        case Activation::hard_swish: return gradient<Activation::hard_swish, V>(p);
        case Activation::gelu: return gradient<Activation::gelu, V>(p);
        case Activation::tanh: return gradient<Activation::tanh, V>(p);
        default: return;  // refused when the plan is made
    }
}

template <class V>
void maximum(const PooledWindow& w, float* y) {
    for (int part = 0; part < kBlock; part += V::lanes) {
        V best = V::load(w.x + part);
        for (int64_t row = 0; row < w.rows; ++row)
            for (int64_t column = 0; column < w.columns; ++column)
                best = maximum_of(best, V::load(w.x + row * w.row_step + column * kBlock + part));
        best.store(y + part);
    }
}

// Two sums, so that additions need not wait for each other.
template <class V>
void sum(const PooledWindow& w, float* y) {
    for (int part = 0; part < kBlock; part += V::lanes) {
        V even = V::zero(), odd = V::zero();
        for (int64_t row = 0; row < w.rows; ++row) {
            const float* x = w.x + row * w.row_step + part;
            int64_t column = 0;
            for (; column + 2 <= w.columns; column += 2) {
                even = even + V::load(x + column * kBlock);
                odd = odd + V::load(x + (column + 1) * kBlock);
            }
            if (column < w.columns) even = even + V::load(x + column * kBlock);
        }
        ((even + odd) * V::fill(w.factor)).store(y + part);
    }
}

// What is not below the largest is it: the first takes all of dy, `left` for the others is 0.
template <class V>
void maximum_gradient(const MaximumGradient& p) {
    for (int part = 0; part < kBlock; part += V::lanes) {
        const V y = V::load(p.y + part), dy = V::load(p.dy + part), zero = V::zero();
        V left = V::fill(1.0f);
        for (int64_t row = 0; row < p.rows; ++row)
            for (int64_t column = 0; column < p.columns; ++column) {
                const int64_t at = row * p.row_step + column * kBlock + part;
                const V hit = where_negative(V::load(p.x + at) - y, zero, left);
                fma(hit, dy, V::load(p.dx + at)).store(p.dx + at);
                left = left - hit;
            }
    }
}

template <class V>
void add(const float* x, float* y, int64_t pixels) {
    for (int64_t i = 0; i < pixels * kBlock; i += V::lanes)
        (V::load(y + i) + V::load(x + i)).store(y + i);
}

template <class V>
void scale(const float* x, const float* factor, float* y, int64_t pixels, bool accumulate) {
    for (int part = 0; part < kBlock; part += V::lanes) {
        const V by = V::load(factor + part);
        for (int64_t i = part; i < pixels * kBlock; i += kBlock) {
            V value = V::load(x + i) * by;
            if (accumulate) value = value + V::load(y + i);
            value.store(y + i);
        }
    }
}

template <class V>
void dot(const float* a, const float* b, int64_t pixels, float* total) {
    constexpr int chains = 4;
    for (int part = 0; part < kBlock; part += V::lanes) {
        V sum[chains];
        for (V& each : sum) each = V::zero();
        int64_t pixel = 0;
        for (; pixel + chains <= pixels; pixel += chains)
#pragma GCC unroll 4
            for (int i = 0; i < chains; ++i) {
                const int64_t at = (pixel + i) * kBlock + part;
                sum[i] = fma(V::load(a + at), V::load(b + at), sum[i]);
            }
        for (; pixel < pixels; ++pixel) {
            const int64_t at = pixel * kBlock + part;
            sum[0] = fma(V::load(a + at), V::load(b + at), sum[0]);
        }
        (V::load(total + part) + ((sum[0] + sum[1]) + (sum[2] + sum[3]))).store(total + part);
    }
}

template <class V>
void spread(const float* x, float factor, float* y, int64_t pixels, bool accumulate) {
    for (int part = 0; part < kBlock; part += V::lanes) {
        const V value = V::load(x + part) * V::fill(factor);
        for (int64_t i = part; i < pixels * kBlock; i += kBlock)
            (accumulate ? value + V::load(y + i) : value).store(y + i);
    }
}

template <class V>  // of each instruction set
void widen(const uint16_t* from, float* to, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
        to[i] = std::bit_cast<float>(static_cast<uint32_t>(from[i]) << 16);
}

template <class V>
void round(const float* from, uint16_t* to, int64_t count) {
    for (int64_t i = 0; i < count; i += kBlock) {
        float rounded[kBlock];
        for (int part = 0; part < kBlock; part += V::lanes)
            rounded_to_bfloat16(V::load(from + i + part)).store(rounded + part);
        for (int lane = 0; lane < kBlock; ++lane)
            to[i + lane] = static_cast<uint16_t>(std::bit_cast<uint32_t>(rounded[lane]) >> 16);
    }
}

template <class V>
constexpr TrainingKernels kernels() {
    return {moments<V>, normalize_any<V>,    gradient_any<V>, maximum<V>, sum<V>,
            maximum_gradient<V>, add<V>, scale<V>, dot<V>, spread<V>, widen<V>, round<V>,
            row_product<V>};
}

}  // namespace darter::training
