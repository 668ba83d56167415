#include <immintrin.h>

#include "integer/kernel.hpp"

namespace darter::avx_vnni {
namespace {

struct Vnni : PlainFinish {
    static constexpr int kLanes = 8, kPixels[] = {6};
    using Sums = __m256i;
    using Weights = __m256i;
    using Values = __m256i;
    static Sums sums(const int32_t* from) {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    }
    static Weights weights(const int8_t* w) {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w));
    }
    static Values values(const uint8_t* x) {
        int32_t four;
        std::memcpy(&four, x, sizeof four);
        return _mm256_set1_epi32(four);
    }
    static Sums dot(Sums sums, Values x, Weights w) { return _mm256_dpbusd_avx_epi32(sums, x, w); }
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
        return _mm256_dpwssd_avx_epi32(sums, v, w);
    }
    static void store(int32_t* to, Sums sums) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), sums);
    }
};

}  // namespace

extern const IntegerKernels integer_kernels;
const IntegerKernels integer_kernels = integer_kernels_of<Vnni>();

}  // namespace darter::avx_vnni
