// What becomes of 16 sums, in registers of 512 bits. Each source gets functions of its own.
#pragma once
#include <immintrin.h>

#include "integer/kernel.hpp"

namespace darter {
namespace {

struct WideFinish {
    static void finish(const int32_t* sums, const IntegerFinish& f, const int32_t* bias,
                       const float* scale, const uint8_t* residual, void* y, int64_t at) {
        constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        const __m512i total = _mm512_add_epi32(_mm512_loadu_si512(sums), _mm512_loadu_si512(bias));
        __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(total), _mm512_loadu_ps(scale));
        if (f.to_float) return _mm512_storeu_ps(static_cast<float*>(y) + at, v);
        auto nearest = [](__m512 value, float low, float high) {
            value = _mm512_min_ps(_mm512_max_ps(value, _mm512_set1_ps(low)), _mm512_set1_ps(high));
            return _mm512_roundscale_ps(value, kNearest);
        };
        v = nearest(v, f.low, f.high);
        if (residual) {
            const __m128i r = _mm_loadu_si128(reinterpret_cast<const __m128i*>(residual));
            const __m512 centered = _mm512_sub_ps(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(r)),
                                                  _mm512_set1_ps(f.residual_zero));
            v = _mm512_add_ps(_mm512_mul_ps(v, _mm512_set1_ps(f.own)),
                              _mm512_mul_ps(centered, _mm512_set1_ps(f.other)));
            v = nearest(v, f.sum_low, f.sum_high);
        }
        const __m512i q = _mm512_cvtps_epi32(_mm512_add_ps(v, _mm512_set1_ps(f.zero)));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(static_cast<uint8_t*>(y) + at),
                         _mm512_cvtepi32_epi8(q));
    }
};

}  // namespace
}  // namespace darter
