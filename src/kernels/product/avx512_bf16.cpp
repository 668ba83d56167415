// Pairs of bfloat16: sum += a0 * b0 + a1 * b1 per float32 lane (VDPBF16PS).
#include <cstring>

#include "product/kernel.hpp"
#include "simd/avx512.hpp"

namespace darter::avx512 {
namespace {

struct Bfloat16Pairs {
    using Sum = Vector;
    using Element = uint16_t;
    static constexpr int pack = 2;
    static __m512i broadcast(const uint16_t* a) {
        int pair;
        std::memcpy(&pair, a, sizeof pair);
        return _mm512_set1_epi32(pair);
    }
    static __m512i load(const uint16_t* b) { return _mm512_loadu_si512(b); }
    static Vector multiply_add(__m512i a, __m512i b, Vector sum) {
        return {_mm512_dpbf16_ps(sum.v, (__m512bh)a, (__m512bh)b)};
    }
    static Vector multiply_add(const uint16_t* a, __m512i b, Vector sum) {
        return multiply_add(broadcast(a), b, sum);
    }
};

void round_to_bfloat16(const float* from, uint16_t* to, int64_t count) {
    for (int64_t i = 0; i < count; i += 16)
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i),
                            (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(from + i)));
}

}  // namespace

extern const Bfloat16Kernels bfloat16_kernels;
const Bfloat16Kernels bfloat16_kernels = {product::kernels<Bfloat16Pairs, 14, 2>(),
                                          round_to_bfloat16};

}  // namespace darter::avx512
