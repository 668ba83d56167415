// Sixteen float32 lanes with AVX-512. Only avx512*.cpp files may include this.
#pragma once
#include <immintrin.h>

namespace darter::avx512 {

struct Vector {
    static constexpr int lanes = 16;
    __m512 v;

    static Vector zero() { return {_mm512_setzero_ps()}; }
    static Vector load(const float* p) { return {_mm512_loadu_ps(p)}; }
    static Vector fill(float x) { return {_mm512_set1_ps(x)}; }
    void store(float* p) const { _mm512_storeu_ps(p, v); }
};

inline Vector operator+(Vector a, Vector b) { return {_mm512_add_ps(a.v, b.v)}; }
inline Vector operator-(Vector a, Vector b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline Vector operator*(Vector a, Vector b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline Vector operator/(Vector a, Vector b) { return {_mm512_div_ps(a.v, b.v)}; }
inline Vector fma(Vector a, Vector b, Vector c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
// The same with a number from memory as part of the instruction. Left alone, GCC would load it once
// for several products.
inline Vector fma_broadcast(const float* a, Vector b, Vector c) {
    asm("vfmadd231ps %2%{1to16%}, %1, %0" : "+v"(c.v) : "v"(b.v), "m"(*a));
    return c;
}
// max and min return their second operand where one is NaN: NaN in x stays NaN.
// (The full mask costs nothing; it avoids a false warning of GCC 12 about _mm512_max_ps.)
inline Vector clamp(Vector x, Vector low, Vector high) {
    constexpr __mmask16 all = 0xffff;
    return {_mm512_maskz_min_ps(all, high.v, _mm512_maskz_max_ps(all, low.v, x.v))};
}

// The second operand where one is NaN.
inline Vector maximum_of(Vector a, Vector b) { return {_mm512_maskz_max_ps(0xffff, a.v, b.v)}; }
inline Vector minimum_of(Vector a, Vector b) { return {_mm512_maskz_min_ps(0xffff, a.v, b.v)}; }
inline Vector where_negative(Vector x, Vector yes, Vector no) {
    return {_mm512_mask_mov_ps(no.v, _mm512_cmp_ps_mask(x.v, _mm512_setzero_ps(), _CMP_LT_OQ), yes.v)};
}
// The low nine bits of each lane become its sign and exponent.
inline Vector bits_shifted_to_exponent(Vector x) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(x.v), 23))};
}

// The nearest bfloat16, ties to even; NaN stays NaN.
inline Vector rounded_to_bfloat16(Vector x) {
    __m512i bits = _mm512_castps_si512(x.v);
    __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i up = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    __m512i cut = _mm512_and_si512(up, _mm512_set1_epi32(static_cast<int>(0xffff0000)));
    __mmask16 number = _mm512_cmp_ps_mask(x.v, x.v, _CMP_ORD_Q);
    return {_mm512_mask_mov_ps(x.v, number, _mm512_castsi512_ps(cut))};
}

}  // namespace darter::avx512
