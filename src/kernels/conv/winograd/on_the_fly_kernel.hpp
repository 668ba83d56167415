// The loop of winograd/on_the_fly.hpp over a vector type; each instruction set instantiates it once.
#pragma once
#include "conv/winograd/kernel.hpp"
#include "conv/winograd/on_the_fly.hpp"

namespace darter::winograd {

constexpr int kMostTiles = 4;

// Three positions of `tiles` tiles by `vectors` vectors of filters: 24 sums with AVX-512, else 12.
template <class V, int vectors, int tiles, Form form>
void multiply_half_row(const HalfRow& p, int64_t filter) {
    const V minus_square = V::fill(static_cast<float>(-kOnTheFly.square));
    const int64_t width = p.blocks * kBlock;
    V sum[3][tiles][vectors];
#pragma GCC unroll 3
    for (int j = 0; j < 3; ++j)
#pragma GCC unroll 4
        for (int tile = 0; tile < tiles; ++tile)
#pragma GCC unroll 2
            for (int i = 0; i < vectors; ++i)
                sum[j][tile][i] = p.accumulate ? V::load(p.products[j] + tile * width + filter +
                                                         i * V::lanes)
                                               : V::zero();
    const float* first = p.first + filter;
    const float* second = p.second + filter;
    const float* ahead = p.ahead;
    const int64_t last_line = (p.lines - 1) * kBlock;
    for (int64_t channel = 0; channel < p.channels; channel += kBlock) {
        const int64_t block = channel / kBlock * p.v_block;
        const float *v0 = p.v[0] + block, *v1 = p.v[1] + block, *v2 = p.v[2] + block;
        const int64_t count = p.channels - channel < kBlock ? p.channels - channel : kBlock;
        for (int64_t c = 0; c < count; ++c) {
            if (ahead) {
                __builtin_prefetch(ahead, 0, 3);
                __builtin_prefetch(ahead + last_line, 0, 3);
                ahead += last_line + kBlock;
            }
            V u[3][vectors];
#pragma GCC unroll 2
            for (int i = 0; i < vectors; ++i) {
                V kept[3];
#pragma GCC unroll 3
                for (int t = 0; t < 3; ++t) {
                    const int64_t at = t * p.column + i * V::lanes;
                    V x = V::load(first + at);
                    if constexpr (form == Form::first)
                        kept[t] = x;
                    else if constexpr (form == Form::ends)
                        kept[t] = fma(minus_square, V::load(second + at), x);
                    else if constexpr (form == Form::plus)
                        kept[t] = x + V::load(second + at);
                    else
                        kept[t] = x - V::load(second + at);
                }
                u[0][i] = fma(minus_square, kept[2], kept[0]);
                u[1][i] = kept[0] + kept[1];
                u[2][i] = kept[0] - kept[1];
            }
            auto add = [&](V(&sums)[tiles][vectors], const float* v, const V(&by)[vectors])
                           __attribute__((always_inline)) {
#pragma GCC unroll 4
                for (int tile = 0; tile < tiles; ++tile) {
                    V value = V::fill(v[c + tile * kBlock]);
#pragma GCC unroll 2
                    for (int i = 0; i < vectors; ++i)
                        sums[tile][i] = fma(value, by[i], sums[tile][i]);
                }
            };
            add(sum[0], v0, u[0]);
            add(sum[1], v1, u[1]);
            add(sum[2], v2, u[2]);
            first += p.channel;
            second += p.channel;
        }
    }
#pragma GCC unroll 3
    for (int j = 0; j < 3; ++j)
#pragma GCC unroll 4
        for (int tile = 0; tile < tiles; ++tile)
#pragma GCC unroll 2
            for (int i = 0; i < vectors; ++i)
                sum[j][tile][i].store(p.products[j] + tile * width + filter + i * V::lanes);
}

template <class V, int vectors, int tiles>
void multiply_tiles(const HalfRow& p) {
    if constexpr (tiles > 1)
        if (p.tiles < tiles) return multiply_tiles<V, vectors, tiles - 1>(p);
    for (int64_t filter = 0; filter < p.blocks * kBlock; filter += vectors * V::lanes) {
        if (p.form == Form::first) multiply_half_row<V, vectors, tiles, Form::first>(p, filter);
        if (p.form == Form::ends) multiply_half_row<V, vectors, tiles, Form::ends>(p, filter);
        if (p.form == Form::plus) multiply_half_row<V, vectors, tiles, Form::plus>(p, filter);
        if (p.form == Form::minus) multiply_half_row<V, vectors, tiles, Form::minus>(p, filter);
    }
}

template <class V, int blocks>
void multiply_on_the_fly(const HalfRow& p) {
    if constexpr (blocks == 2)
        if (p.blocks == 2) return multiply_tiles<V, 2, kMostTiles>(p);
    multiply_tiles<V, 1, kMostTiles>(p);
}

// blocks: 2 where there are registers for two vectors of filters.
template <class V, int blocks>
constexpr OnTheFlyKernels on_the_fly_kernels() {
    return {kMostTiles, blocks, multiply_on_the_fly<V, blocks>,
            {6, 6, 4, 4, 36, 1, input<V, 6, 6>, output<V, 4, 6, 4, 6, Outputs::on_the_fly>}};
}

}  // namespace darter::winograd
