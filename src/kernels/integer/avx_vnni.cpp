#include "integer/avx2_vectors.hpp"

namespace darter::avx_vnni {
namespace {

struct Vnni : EightSums {
    static constexpr int kPixels[] = {6};
    using Weights = __m256i;
    using Values = __m256i;
    static Weights weights(const int8_t* w) { return loaded(w); }
    static Values values(const uint8_t* x) { return everywhere(x); }
    static Sums dot(Sums sums, Values x, Weights w) { return _mm256_dpbusd_avx_epi32(sums, x, w); }
    static Sums dot_pairs(Sums sums, __m256i v, __m256i w) {
        return _mm256_dpwssd_avx_epi32(sums, v, w);
    }
};

}  // namespace

extern const IntegerKernels integer_kernels;
const IntegerKernels integer_kernels = integer_kernels_of<Vnni>();

}  // namespace darter::avx_vnni
