// The vector kernels over a vector type; each instruction set instantiates them once.
#pragma once
#include <cmath>

#include "net/vector/kernels.hpp"
#include "simd/float32.hpp"

namespace darter::vector {

constexpr int kBlock = 16;
template <class V>
constexpr int kParts = kBlock / V::lanes;

struct Add {
    template <class V> static V of(V a, V b) { return a + b; }
};
struct Max {
    template <class V> static V of(V a, V b) { return maximum_of(a, b); }
};

template <class V, class Function, class Source = Float32<V>>
void down(const void* const* rows, int64_t count, int64_t pixels, float* line) {
    using Element = typename Source::Element;
    auto row = [&](int64_t r, int64_t i) {
        return Source::load(static_cast<const Element*>(rows[r]) + i);
    };
    for (int64_t i = 0; i < pixels * kBlock; i += V::lanes) {
        V value = row(0, i);
        if (count == 3) {  // the usual pool
            value = Function::of(Function::of(value, row(1, i)), row(2, i));
        } else {
            for (int64_t r = 1; r < count; ++r) value = Function::of(value, row(r, i));
        }
        value.store(line + i);
    }
}

template <class V, class Function, int kTaps>
void along_taps(const PoolLine& p) {
    const int64_t taps = kTaps ? kTaps : p.taps;
    for (int part = 0; part < kBlock; part += V::lanes) {
        const float* at = p.line + part;
        for (int64_t i = 0; i < p.outputs; ++i, at += p.step) {
            V value = V::load(at);
#pragma GCC unroll 8
            for (int64_t tap = 1; tap < taps; ++tap)
                value = Function::of(value, V::load(at + tap * p.tap_step));
            if (p.factors) value = value * V::fill(p.factors[i]);
            value.store(p.y + i * kBlock + part);
        }
    }
}

template <class V, class Function>
void along(const PoolLine& p) {
    switch (p.taps) {
        case 2: return along_taps<V, Function, 2>(p);
        case 3: return along_taps<V, Function, 3>(p);
        default: return along_taps<V, Function, 0>(p);
    }
}

struct Sub {
    template <class V> static V of(V a, V b) { return a - b; }
};
struct Mul {
    template <class V> static V of(V a, V b) { return a * b; }
};
struct Div {
    template <class V> static V of(V a, V b) { return a / b; }
};
struct Min {
    template <class V> static V of(V a, V b) { return minimum_of(a, b); }
};
struct Prelu {
    template <class V> static V of(V x, V slope) { return where_negative(x, x * slope, x); }
};

template <class V, class Function>
void binary(const float* a, int64_t a_step, const float* b, int64_t b_step, float* y,
            int64_t pixels) {
    for (int64_t i = 0; i < pixels; ++i, a += a_step, b += b_step, y += kBlock)
#pragma GCC unroll 4
        for (int part = 0; part < kBlock; part += V::lanes)
            Function::of(V::load(a + part), V::load(b + part)).store(y + part);
}

template <class V>
void scale(const float* x, const float* scale, const float* shift, float* y, int64_t pixels) {
    for (int part = 0; part < kBlock; part += V::lanes) {
        const V factor = V::load(scale + part), term = V::load(shift + part);
        for (int64_t i = part; i < pixels * kBlock; i += kBlock)
            fma(V::load(x + i), factor, term).store(y + i);
    }
}

template <class V>
float total(V value) {
    float lanes[V::lanes], sum = 0;
    value.store(lanes);
    for (float lane : lanes) sum += lane;
    return sum;
}

template <class V>
void layer_norm(const float* x, int64_t x_plane, float* y, int64_t y_plane, int64_t channels,
                int64_t pixels, const float* scale, const float* shift, float epsilon) {
    const int64_t blocks = (channels + kBlock - 1) / kBlock, missing = blocks * kBlock - channels;
    float present[kBlock];  // in the last block: what it holds beyond the channels must not count
    for (int i = 0; i < kBlock; ++i) present[i] = i < kBlock - missing ? 1 : 0;
    auto counted = [&](V value, int64_t block, int part) {
        return block + 1 < blocks ? value : value * V::load(present + part);
    };
    auto value = [&](int64_t block, int part) {
        return counted(V::load(x + block * x_plane + part), block, part);
    };
    const float count = static_cast<float>(channels);
    for (int64_t pixel = 0; pixel < pixels; ++pixel, x += kBlock, y += kBlock) {
        V sums = V::zero(), squares = V::zero();
        for (int64_t block = 0; block < blocks; ++block)
            for (int part = 0; part < kBlock; part += V::lanes) sums = sums + value(block, part);
        const float mean = total(sums) / count;
        const V middle = V::fill(mean);
        for (int64_t block = 0; block < blocks; ++block)
            for (int part = 0; part < kBlock; part += V::lanes) {
                const V distance = counted(value(block, part) - middle, block, part);
                squares = fma(distance, distance, squares);
            }
        const V factor = V::fill(1.0f / std::sqrt(total(squares) / count + epsilon));
        for (int64_t block = 0; block < blocks; ++block)
            for (int part = 0; part < kBlock; part += V::lanes) {
                const int64_t channel = block * kBlock + part;
                fma((value(block, part) - middle) * factor, V::load(scale + channel),
                    V::load(shift + channel))
                    .store(y + block * y_plane + part);
            }
    }
}

template <class V>
void weigh(const float* const* taps, const float* weights, int64_t count, float* y) {
    for (int part = 0; part < kBlock; part += V::lanes) {
        V value = V::zero();
        for (int64_t tap = 0; tap < count; ++tap)
            value = fma(V::load(taps[tap] + part), V::fill(weights[tap]), value);
        value.store(y + part);
    }
}

// Four sums, so that additions need not wait for each other.
template <class V>
void accumulate(const float* x, const float* w, int64_t rows, float* y) {
    constexpr int kChains = 4;
    for (int part = 0; part < kBlock; part += V::lanes) {
        V total[kChains];
        for (V& each : total) each = V::zero();
        int64_t row = 0;
        for (; row + kChains <= rows; row += kChains)
#pragma GCC unroll 4
            for (int i = 0; i < kChains; ++i)
                total[i] = fma(V::fill(x[row + i]), V::load(w + (row + i) * kBlock + part), total[i]);
        for (; row < rows; ++row)
            total[0] = fma(V::fill(x[row]), V::load(w + row * kBlock + part), total[0]);
        (V::load(y + part) + ((total[0] + total[1]) + (total[2] + total[3]))).store(y + part);
    }
}

template <class V>
constexpr VectorKernels kernels() {
    return {{down<V, Max>, down<V, Add>}, along<V, Max>, along<V, Add>, binary<V, Add>, binary<V, Sub>, binary<V, Mul>,
            binary<V, Div>,   binary<V, Min>,   binary<V, Max>, binary<V, Prelu>, scale<V>,
            layer_norm<V>,    accumulate<V>,    weigh<V>};
}

}  // namespace darter::vector
