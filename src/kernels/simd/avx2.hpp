// Eight float32 lanes with AVX2 and FMA. Only avx2.cpp files may include this.
#pragma once
#include <immintrin.h>

namespace darter::avx2 {

struct Vector {
    static constexpr int lanes = 8;
    __m256 v;

    static Vector zero() { return {_mm256_setzero_ps()}; }
    static Vector load(const float* p) { return {_mm256_loadu_ps(p)}; }
    static Vector fill(float x) { return {_mm256_set1_ps(x)}; }
    void store(float* p) const { _mm256_storeu_ps(p, v); }
};

inline Vector operator+(Vector a, Vector b) { return {_mm256_add_ps(a.v, b.v)}; }
inline Vector operator-(Vector a, Vector b) { return {_mm256_sub_ps(a.v, b.v)}; }
inline Vector operator*(Vector a, Vector b) { return {_mm256_mul_ps(a.v, b.v)}; }
inline Vector operator/(Vector a, Vector b) { return {_mm256_div_ps(a.v, b.v)}; }
inline Vector fma(Vector a, Vector b, Vector c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
// max and min return their second operand where one is NaN: NaN in x stays NaN.
inline Vector clamp(Vector x, Vector low, Vector high) {
    return {_mm256_min_ps(high.v, _mm256_max_ps(low.v, x.v))};
}

// The second operand where one is NaN.
inline Vector maximum_of(Vector a, Vector b) { return {_mm256_max_ps(a.v, b.v)}; }
inline Vector minimum_of(Vector a, Vector b) { return {_mm256_min_ps(a.v, b.v)}; }
inline Vector where_negative(Vector x, Vector yes, Vector no) {
    return {_mm256_blendv_ps(no.v, yes.v, _mm256_cmp_ps(x.v, _mm256_setzero_ps(), _CMP_LT_OQ))};
}
// The low nine bits of each lane become its sign and exponent.
inline Vector bits_shifted_to_exponent(Vector x) {
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(x.v), 23))};
}

// The nearest bfloat16, ties to even; NaN stays NaN.
inline Vector rounded_to_bfloat16(Vector x) {
    __m256i bits = _mm256_castps_si256(x.v);
    __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    __m256i up = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    __m256i cut = _mm256_and_si256(up, _mm256_set1_epi32(static_cast<int>(0xffff0000)));
    return {_mm256_blendv_ps(_mm256_castsi256_ps(cut), x.v,
                             _mm256_cmp_ps(x.v, x.v, _CMP_UNORD_Q))};
}

}  // namespace darter::avx2
