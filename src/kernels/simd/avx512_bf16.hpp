// Sixteen bfloat16 to float32 lanes and back. Only avx512_bf16.cpp files may include this.
#pragma once
#include <cstdint>

#include "simd/avx512.hpp"

namespace darter::avx512 {

struct Bfloat16 {
    using Element = uint16_t;

    static Vector load(const uint16_t* from) {
        const __m256i numbers = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
        return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(numbers), 16))};
    }
    static void store(Vector x, uint16_t* to) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), (__m256i)_mm512_cvtneps_pbh(x.v));
    }
};

}  // namespace darter::avx512
