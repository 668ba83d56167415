#include "integer/avx2_vectors.hpp"

namespace darter::avx2 {
namespace {

// vpmaddubsw saturates, so that numbers are widened first: even and odd ones of each 4 apart.
struct Widened : EightSums {
    static constexpr int kPixels[] = {4};
    struct Pair { __m256i even, odd; };
    using Weights = Pair;
    using Values = Pair;
    static Weights weights(const int8_t* w) {
        const __m256i all = loaded(w);
        return {_mm256_srai_epi16(_mm256_slli_epi16(all, 8), 8), _mm256_srai_epi16(all, 8)};
    }
    static Values values(const uint8_t* x) {
        const __m256i all = everywhere(x);
        return {_mm256_and_si256(all, _mm256_set1_epi16(255)), _mm256_srli_epi16(all, 8)};
    }
    static Sums dot(Sums sums, const Values& x, const Weights& w) {
        const __m256i even = _mm256_madd_epi16(x.even, w.even), odd = _mm256_madd_epi16(x.odd, w.odd);
        return _mm256_add_epi32(sums, _mm256_add_epi32(even, odd));
    }
    static Sums dot_pairs(Sums sums, __m256i v, __m256i w) {
        return _mm256_add_epi32(sums, _mm256_madd_epi16(v, w));
    }
};

}  // namespace

extern const IntegerKernels integer_kernels;
const IntegerKernels integer_kernels = integer_kernels_of<Widened>();

}  // namespace darter::avx2
