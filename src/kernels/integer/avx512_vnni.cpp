#include "integer/avx512_finish.hpp"

namespace darter::avx512_vnni {
namespace {

struct Vnni : WideFinish {
    static constexpr int kLanes = 16, kPixels = 12, kBlocks = 2;
    using Sums = __m512i;
    using Weights = __m512i;
    using Values = __m512i;
    static Sums nothing() { return _mm512_setzero_si512(); }
    static Weights weights(const int8_t* w) { return _mm512_loadu_si512(w); }
    static Values values(const uint8_t* x) {
        int32_t four;
        std::memcpy(&four, x, sizeof four);
        return _mm512_set1_epi32(four);
    }
    static Sums dot(Sums sums, Values x, Weights w) { return _mm512_dpbusd_epi32(sums, x, w); }
    static void store(int32_t* to, Sums sums) { _mm512_storeu_si512(to, sums); }
};

}  // namespace

extern const IntegerKernels integer_kernels;
const IntegerKernels integer_kernels = integer_kernels_of<Vnni>();

}  // namespace darter::avx512_vnni
