#include <cstring>

#include "conv/gradient/pairs.hpp"
#include "simd/avx512_bf16.hpp"

namespace darter::avx512 {
namespace {

constexpr int kBlock = 16;

void pair(const PairedPixels& p) {
    const int64_t end = p.before + p.pixels, pairs = (p.all + 1) / 2;
    auto store = [&](int64_t i, __m512 even, __m512 odd) {
        _mm512_storeu_si512(p.to + i * kPair, turns_of(_mm512_cvtne2ps_pbh(odd, even)));
    };
    auto at = [&](int64_t pixel) {
        const bool inside = pixel >= p.before && pixel < end;
        return inside ? _mm512_loadu_ps(p.x + (pixel - p.before) * p.step) : _mm512_setzero_ps();
    };
    int64_t i = 0;
    for (; i < pairs && 2 * i < p.before; ++i) store(i, at(2 * i), at(2 * i + 1));
    const float* x = p.x + (2 * i - p.before) * p.step;
    for (; 2 * i + 2 <= end; ++i, x += 2 * p.step)
        store(i, _mm512_loadu_ps(x), _mm512_loadu_ps(x + p.step));
    for (; i < pairs; ++i) store(i, at(2 * i), at(2 * i + 1));
}

template <int Channels, int Blocks>
void outer(const PairProduct& p) {
    __m512 sum[Channels][Blocks];
#pragma GCC unroll 8
    for (int c = 0; c < Channels; ++c)
#pragma GCC unroll 4
        for (int j = 0; j < Blocks; ++j) sum[c][j] = _mm512_setzero_ps();
    const uint16_t *x = p.x, *dy = p.dy;
    for (int64_t i = 0; i < p.pairs; ++i, x += kPair, dy += kPair) {
        __m512i by[Blocks];
#pragma GCC unroll 4
        for (int j = 0; j < Blocks; ++j) by[j] = _mm512_loadu_si512(dy + j * p.dy_block);
#pragma GCC unroll 8
        for (int c = 0; c < Channels; ++c) {
            int both;
            std::memcpy(&both, x + 2 * c, sizeof both);
            const __m512i value = _mm512_set1_epi32(both);
#pragma GCC unroll 4
            for (int j = 0; j < Blocks; ++j)
                sum[c][j] = _mm512_dpbf16_ps(sum[c][j], (__m512bh)value, (__m512bh)by[j]);
        }
    }
#pragma GCC unroll 8
    for (int c = 0; c < Channels; ++c)
#pragma GCC unroll 4
        for (int j = 0; j < Blocks; ++j) {
            float* to = p.sum + (c * Blocks + j) * kBlock;
            const __m512 all = p.first ? sum[c][j] : _mm512_add_ps(_mm512_loadu_ps(to), sum[c][j]);
            _mm512_storeu_ps(to, all);
        }
}

template <int Channels, int Blocks>
void outer_channels(const PairProduct& p) {
    if constexpr (Channels > 1)
        if (p.channels != Channels) return outer_channels<Channels - 1, Blocks>(p);
    outer<Channels, Blocks>(p);
}

template <int Channels, int Blocks>
void outer_blocks(const PairProduct& p) {
    if constexpr (Blocks > 1)
        if (p.blocks != Blocks) return outer_blocks<Channels, Blocks - 1>(p);
    outer_channels<Channels, Blocks>(p);
}

}  // namespace

extern const PairKernels pair_kernels;
const PairKernels pair_kernels = {8, 3, pair, outer_blocks<8, 3>};

}  // namespace darter::avx512
