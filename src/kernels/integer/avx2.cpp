#include <immintrin.h>

#include "integer/kernel.hpp"

namespace darter::avx2 {
namespace {

// vpmaddubsw saturates, so that numbers are widened first: even and odd ones of each 4 apart.
struct Widened : PlainFinish {
    static constexpr int kLanes = 8, kPixels[] = {4};
    using Sums = __m256i;
    struct Pair { __m256i even, odd; };
    using Weights = Pair;
    using Values = Pair;
    static Sums sums(const int32_t* from) {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    }
    static Weights weights(const int8_t* w) {
        const __m256i all = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w));
        return {_mm256_srai_epi16(_mm256_slli_epi16(all, 8), 8), _mm256_srai_epi16(all, 8)};
    }
    static Values values(const uint8_t* x) {
        int32_t four;
        std::memcpy(&four, x, sizeof four);
        const __m256i all = _mm256_set1_epi32(four);
        return {_mm256_and_si256(all, _mm256_set1_epi16(255)), _mm256_srli_epi16(all, 8)};
    }
    static Sums dot(Sums sums, const Values& x, const Weights& w) {
        const __m256i even = _mm256_madd_epi16(x.even, w.even), odd = _mm256_madd_epi16(x.odd, w.odd);
        return _mm256_add_epi32(sums, _mm256_add_epi32(even, odd));
    }
    typedef int16_t Halves __attribute__((vector_size(32)));
    static Halves halves(const uint8_t* x, int64_t) {
        return Halves(_mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x))));
    }
    using PairWeights = __m256i;
    static __m256i pair_weights(const int16_t* w) {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w));
    }
    static __m256i pair_values(const int16_t* v) {
        int32_t two;
        std::memcpy(&two, v, sizeof two);
        return _mm256_set1_epi32(two);
    }
    static Sums dot_pairs(Sums sums, __m256i v, __m256i w) {
        return _mm256_add_epi32(sums, _mm256_madd_epi16(v, w));
    }
    static void store(int32_t* to, Sums sums) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), sums);
    }
};

}  // namespace

extern const IntegerKernels integer_kernels;
const IntegerKernels integer_kernels = integer_kernels_of<Widened>();

}  // namespace darter::avx2
