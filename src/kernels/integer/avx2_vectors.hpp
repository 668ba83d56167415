// What vectors of eight sums have in common, with and without VNNI. Only avx2.cpp and avx_vnni.cpp may
// include this.
#pragma once
#include <immintrin.h>

#include "integer/kernel.hpp"

namespace darter {
namespace {

struct EightSums : PlainFinish {
    static constexpr int kLanes = 8;
    using Sums = __m256i;
    static Sums sums(const int32_t* from) { return loaded(from); }
    static void store(int32_t* to, Sums sums) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), sums);
    }

    typedef int16_t Halves __attribute__((vector_size(32)));
    static Halves halves(const uint8_t* x, int64_t) {
        return Halves(_mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x))));
    }
    using PairWeights = __m256i;
    static __m256i pair_weights(const int16_t* w) { return loaded(w); }
    static __m256i pair_values(const int16_t* v) { return everywhere(v); }

protected:
    static __m256i loaded(const void* from) {
        return _mm256_loadu_si256(static_cast<const __m256i*>(from));
    }
    static __m256i everywhere(const void* four_bytes) {
        int32_t four;
        std::memcpy(&four, four_bytes, sizeof four);
        return _mm256_set1_epi32(four);
    }
};

}  // namespace
}  // namespace darter
