// Sixteen bfloat16 to float32 lanes and back. Only avx512_bf16.cpp files may include this.
#pragma once
#include <cstdint>

#include "simd/avx512.hpp"

namespace darter::avx512 {

struct Bfloat16 {
    using Element = uint16_t;

    static Vector load(const uint16_t* from) {
        // One instruction instead of two (widen, shift): each number into the upper half of a lane.
        constexpr __mmask32 kUpper = 0xaaaaaaaa;
        const __m512i twice = _mm512_set_epi16(15, 15, 14, 14, 13, 13, 12, 12, 11, 11, 10, 10, 9, 9,
                                               8, 8, 7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
        const __m256i numbers = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
        return {_mm512_castsi512_ps(_mm512_maskz_permutexvar_epi16(
            kUpper, twice, _mm512_castsi256_si512(numbers)))};
    }
    static void store(Vector x, uint16_t* to) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), (__m256i)_mm512_cvtneps_pbh(x.v));
    }
};

// 16 numbers and the 16 after them, in turns.
inline __m512i turns_of(__m512bh both) {
    alignas(64) static constexpr uint16_t order[32] = {
        0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
        8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    return _mm512_permutexvar_epi16(_mm512_load_si512(order), (__m512i)both);
}

}  // namespace darter::avx512
