#include "bfloat16/arrays.hpp"
#include "simd/avx512_bf16.hpp"

namespace darter::avx512 {
namespace {

constexpr int kLanes = Vector::lanes;

void widen(const uint16_t* from, float* to, int64_t count) {
    for (int64_t i = 0; i < count; i += kLanes) Bfloat16::load(from + i).store(to + i);
}

void round(const float* from, uint16_t* to, int64_t count) {
    for (int64_t i = 0; i < count; i += kLanes) Bfloat16::store(Vector::load(from + i), to + i);
}

void add(const uint16_t* x, float* sums, int64_t count) {
    for (int64_t i = 0; i < count; i += kLanes)
        (Vector::load(sums + i) + Bfloat16::load(x + i)).store(sums + i);
}

void finish(const float* sums, const uint16_t* residual, float low, float high, uint16_t* y,
            int64_t count) {
    const Vector least = Vector::fill(low), most = Vector::fill(high);
    for (int64_t i = 0; i < count; i += kLanes) {
        Vector sum = Vector::load(sums + i);
        if (residual) sum = sum + Bfloat16::load(residual + i);
        Bfloat16::store(clamp(sum, least, most), y + i);
    }
}

void in_turns(const float* first, const float* second, uint16_t* to) {
    const __m512 even = _mm512_loadu_ps(first), odd = _mm512_loadu_ps(second);
    _mm512_storeu_si512(to, turns_of(_mm512_cvtne2ps_pbh(odd, even)));
}

}  // namespace

extern const Bfloat16Arrays bfloat16_arrays;
const Bfloat16Arrays bfloat16_arrays = {widen, round, add, finish, in_turns};

}  // namespace darter::avx512
