// Four floats, one pixel and the next one's red, for `FastRows::cross` on x86-64.
#pragma once
#include <immintrin.h>

namespace darter::warp {
namespace {  // each instruction set's file keeps its own copy, compiled with its flags

struct QuadX86 {
    using Q = __m128;

    static Q load(const float* p) { return _mm_loadu_ps(p); }
    static void store(float* p, Q a) { _mm_storeu_ps(p, a); }
    static Q fill(float a) { return _mm_set1_ps(a); }
    static Q mul(Q a, Q b) { return _mm_mul_ps(a, b); }
    static Q fma(Q a, Q b, Q c) { return _mm_fmadd_ps(a, b, c); }
    template <int K>
    static Q lane(Q a) {
        return _mm_permute_ps(a, 0x55 * K);
    }
};

}  // namespace
}  // namespace darter::warp
