// Pairs of bfloat16: sum += a0 * b0 + a1 * b1 per float32 lane (VDPBF16PS).
#include <cstring>

#include "product/kernel.hpp"
#include "simd/avx512_bf16.hpp"

namespace darter::avx512 {
namespace {

struct Bfloat16Pairs {
    using Sum = Vector;
    using Element = uint16_t;
    using Numbers = Bfloat16;
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

}  // namespace

extern const ProductKernels bfloat16_product_kernels;
const ProductKernels bfloat16_product_kernels = product::kernels<Bfloat16Pairs, 14, 2>();

}  // namespace darter::avx512
