#include "integer/avx512_finish.hpp"

namespace darter::avx512 {
namespace {

// Widened first, as in avx2.cpp.
struct Widened : WideFinish {
    static constexpr int kLanes = 16, kPixels[] = {8, 8};
    using Sums = __m512i;
    struct Pair { __m512i even, odd; };
    using Weights = Pair;
    using Values = Pair;
    static Sums sums(const int32_t* from) { return _mm512_loadu_si512(from); }
    static Weights weights(const int8_t* w) {
        const __m512i all = _mm512_loadu_si512(w);
        return {_mm512_srai_epi16(_mm512_slli_epi16(all, 8), 8), _mm512_srai_epi16(all, 8)};
    }
    static Values values(const uint8_t* x) {
        int32_t four;
        std::memcpy(&four, x, sizeof four);
        const __m512i all = _mm512_set1_epi32(four);
        return {_mm512_and_si512(all, _mm512_set1_epi16(255)), _mm512_srli_epi16(all, 8)};
    }
    static Sums dot(Sums sums, const Values& x, const Weights& w) {
        const __m512i even = _mm512_madd_epi16(x.even, w.even), odd = _mm512_madd_epi16(x.odd, w.odd);
        return _mm512_add_epi32(sums, _mm512_add_epi32(even, odd));
    }
    using PairWeights = __m512i;
    static Sums dot_pairs(Sums sums, __m512i v, __m512i w) {
        return _mm512_add_epi32(sums, _mm512_madd_epi16(v, w));
    }
    static void store(int32_t* to, Sums sums) { _mm512_storeu_si512(to, sums); }
};

}  // namespace

extern const IntegerKernels integer_kernels;
const IntegerKernels integer_kernels = integer_kernels_of<Widened>();

}  // namespace darter::avx512
