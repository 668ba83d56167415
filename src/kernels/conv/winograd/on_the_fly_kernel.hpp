// The loop of winograd/on_the_fly.hpp over a vector type; each instruction set instantiates it once.
#pragma once
#include "conv/winograd/kernel.hpp"
#include "conv/winograd/on_the_fly.hpp"
#include "product/kernel.hpp"

namespace darter::winograd {

constexpr int kMostTiles = 4;

// The positions whose sums fit into the registers: all six of four tiles with AVX-512, else three.
enum class Half { both, front, back };

// x, y and z of V::lanes filters.
template <class V, Form form>
[[gnu::always_inline]] inline void join(const float* first, const float* second, V (&kept)[3]) {
    const V minus_square = V::fill(static_cast<float>(-kOnTheFly.square));
#pragma GCC unroll 3
    for (int i = 0; i < 3; ++i) {
        V x = V::load(first + i * kBlock);
        if constexpr (form == Form::ends)
            kept[i] = fma(minus_square, V::load(second + i * kBlock), x);
        else if constexpr (form == Form::plus)
            kept[i] = x + V::load(second + i * kBlock);
        else
            kept[i] = x - V::load(second + i * kBlock);
    }
}

template <class V, Half half, int tiles, Form form>
void multiply_half(const RowProduct& p, int64_t filter) {
    constexpr int begin = half == Half::back ? 3 : 0, end = half == Half::front ? 3 : 6;
    const V minus_square = V::fill(static_cast<float>(-kOnTheFly.square));
    V sum[6][tiles];
#pragma GCC unroll 6
    for (int j = begin; j < end; ++j)
#pragma GCC unroll 4
        for (int tile = 0; tile < tiles; ++tile) sum[j][tile] = V::zero();

    const float *first = p.first + filter, *second = p.second + filter, *ahead = p.ahead;
    const int lines = half == Half::back || filter > 0 ? 0 : p.lines;
    for (int64_t channel = 0; channel < p.channels; channel += kBlock) {
        const float* v = p.v + channel / kBlock * p.v_block;
        const int64_t count = p.channels - channel < kBlock ? p.channels - channel : kBlock;
        for (int64_t c = 0; c < count; ++c) {
            for (int line = 0; line < lines; ++line, ahead += kBlock)
                __builtin_prefetch(ahead, 0, 2);
            V kept[3];
            join<V, form>(first, second, kept);
            auto add = [&](int j, V by) __attribute__((always_inline)) {
#pragma GCC unroll 4
                for (int tile = 0; tile < tiles; ++tile)
                    sum[j][tile] = product::Single<V>::multiply_add(
                        v + c + (j * kMostTiles + tile) * kBlock, by, sum[j][tile]);
            };
            if constexpr (half != Half::back) {
                add(0, fma(minus_square, kept[2], kept[0]));
                add(1, kept[0] + kept[1]);
                add(2, kept[0] - kept[1]);
            }
            if constexpr (half != Half::front) {
                add(3, kept[2] + kept[1]);
                add(4, kept[2] - kept[1]);
                add(5, fma(minus_square, kept[0], kept[2]));
            }
            first += kFilters;
            second += kFilters;
        }
    }
#pragma GCC unroll 6
    for (int j = begin; j < end; ++j)
#pragma GCC unroll 4
        for (int tile = 0; tile < tiles; ++tile) {
            float* to = p.products + j * p.product_position + tile * kBlock + filter;
            (p.accumulate ? V::load(to) + sum[j][tile] : sum[j][tile]).store(to);
        }
}

template <class V, int tiles, Form form>
void multiply_filters(const RowProduct& p) {
    for (int64_t filter = 0; filter < kBlock; filter += V::lanes)
        if constexpr (V::lanes == kBlock) {
            multiply_half<V, Half::both, tiles, form>(p, filter);
        } else {
            multiply_half<V, Half::front, tiles, form>(p, filter);
            multiply_half<V, Half::back, tiles, form>(p, filter);
        }
}

template <class V, int tiles = kMostTiles>
void multiply_on_the_fly(const RowProduct& p) {
    if constexpr (tiles > 1)
        if (p.tiles < tiles) return multiply_on_the_fly<V, tiles - 1>(p);
    switch (p.form) {
        case Form::ends: return multiply_filters<V, tiles, Form::ends>(p);
        case Form::plus: return multiply_filters<V, tiles, Form::plus>(p);
        case Form::minus: return multiply_filters<V, tiles, Form::minus>(p);
    }
}

template <class V>
constexpr OnTheFlyKernels on_the_fly_kernels() {
    return {kMostTiles, multiply_on_the_fly<V>,
            {6, 6, 4, 4, 36, 1, input<V, 6, 6>, output<V, 4, 6, 4, 6, Outputs::on_the_fly>}};
}

}  // namespace darter::winograd
