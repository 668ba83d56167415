#include "conv/winograd/kernel.hpp"
#include "simd/avx512.hpp"

namespace darter::avx512 {
namespace {

struct Bfloat16 {
    using Element = uint16_t;
    static void store(Vector x, uint16_t* to) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), (__m256i)_mm512_cvtneps_pbh(x.v));
    }
};

}  // namespace

extern const Bfloat16Inputs winograd_bfloat16_inputs;
const Bfloat16Inputs winograd_bfloat16_inputs = winograd::bfloat16_inputs<Vector, Bfloat16>();

}  // namespace darter::avx512
