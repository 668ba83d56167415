// Eight filters' words at a time: exclusive or, VPOPCNTQ, sum.
#include <immintrin.h>

#include "binary/kernel.hpp"

namespace darter::avx512 {
namespace {

constexpr int kPixels = 5;  // 20 sums, 4 of weights and 4 between in 32 registers

template <int Pixels, int Blocks>
void count_tile(const BinaryTile& t) {
    constexpr int parts = Blocks * 2, width = Blocks * kBinaryFilters;
    __m512i sum[Pixels][parts];
#pragma GCC unroll 8
    for (int p = 0; p < Pixels; ++p)
#pragma GCC unroll 8
        for (int j = 0; j < parts; ++j) sum[p][j] = _mm512_setzero_si512();
    const uint64_t* w = t.w;
    for (int64_t tap = 0; tap < t.taps; ++tap) {
        const uint64_t* x = t.x + t.offsets[tap];
        for (int64_t word = 0; word < t.words; ++word, ++x, w += width) {
            __m512i filters[parts];
#pragma GCC unroll 8
            for (int j = 0; j < parts; ++j) filters[j] = _mm512_loadu_si512(w + 8 * j);
#pragma GCC unroll 8
            for (int p = 0; p < Pixels; ++p) {
                const __m512i all = _mm512_set1_epi64(static_cast<int64_t>(x[p * t.pixel_step]));
#pragma GCC unroll 8
                for (int j = 0; j < parts; ++j)
                    sum[p][j] = _mm512_add_epi64(
                        sum[p][j], _mm512_popcnt_epi64(_mm512_xor_si512(all, filters[j])));
            }
        }
    }
#pragma GCC unroll 8
    for (int p = 0; p < Pixels; ++p)
#pragma GCC unroll 8
        for (int j = 0; j < parts; ++j)
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(t.counts + p * width + 8 * j),
                                _mm512_cvtepi64_epi32(sum[p][j]));
}

template <int Pixels>
void count_blocks(const BinaryTile& t) {
    t.blocks == 2 ? count_tile<Pixels, 2>(t) : count_tile<Pixels, 1>(t);
}

void count(const BinaryTile& t) {
    switch (t.pixels) {
        case 1: return count_blocks<1>(t);
        case 2: return count_blocks<2>(t);
        case 3: return count_blocks<3>(t);
        case 4: return count_blocks<4>(t);
        default: return count_blocks<kPixels>(t);
    }
}

uint16_t compare(const int32_t* counts, const int32_t* limits) {
    return _mm512_cmple_epi32_mask(_mm512_loadu_si512(counts), _mm512_loadu_si512(limits));
}

uint16_t pack(const float* x, const float* thresholds) {
    return _mm512_cmp_ps_mask(_mm512_loadu_ps(x), _mm512_loadu_ps(thresholds), _CMP_GE_OQ);
}

}  // namespace

extern const BinaryKernels binary_kernels;
const BinaryKernels binary_kernels{kPixels, count, finish_binary, compare, pack};

}  // namespace darter::avx512
