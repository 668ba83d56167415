// Four float32 lanes with NEON, which every 64-bit Arm CPU has. Only neon.cpp files may include this.
#pragma once
#include <arm_neon.h>

namespace darter::neon {

struct Vector {
    static constexpr int lanes = 4;
    float32x4_t v;

    static Vector zero() { return {vdupq_n_f32(0)}; }
    static Vector load(const float* p) { return {vld1q_f32(p)}; }
    static Vector fill(float x) { return {vdupq_n_f32(x)}; }
    void store(float* p) const { vst1q_f32(p, v); }
};

inline Vector operator+(Vector a, Vector b) { return {vaddq_f32(a.v, b.v)}; }
inline Vector operator-(Vector a, Vector b) { return {vsubq_f32(a.v, b.v)}; }
inline Vector operator*(Vector a, Vector b) { return {vmulq_f32(a.v, b.v)}; }
inline Vector operator/(Vector a, Vector b) { return {vdivq_f32(a.v, b.v)}; }
inline Vector fma(Vector a, Vector b, Vector c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
// NaN in x stays NaN: NEON's maximum and minimum give NaN where either is one.
inline Vector clamp(Vector x, Vector low, Vector high) {
    return {vminq_f32(vmaxq_f32(x.v, low.v), high.v)};
}

// The second operand where one is NaN.
inline Vector maximum_of(Vector a, Vector b) {
    return {vbslq_f32(vcgtq_f32(a.v, b.v), a.v, b.v)};
}
inline Vector minimum_of(Vector a, Vector b) {
    return {vbslq_f32(vcltq_f32(a.v, b.v), a.v, b.v)};
}
inline Vector where_negative(Vector x, Vector yes, Vector no) {
    return {vbslq_f32(vcltzq_f32(x.v), yes.v, no.v)};
}
// The low nine bits of each lane become its sign and exponent.
inline Vector bits_shifted_to_exponent(Vector x) {
    return {vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_f32(x.v), 23))};
}

// The nearest bfloat16, ties to even; NaN stays NaN.
inline Vector rounded_to_bfloat16(Vector x) {
    const uint32x4_t bits = vreinterpretq_u32_f32(x.v);
    const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    const uint32x4_t up = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
    const uint32x4_t cut = vandq_u32(up, vdupq_n_u32(0xffff0000));
    return {vbslq_f32(vceqq_f32(x.v, x.v), vreinterpretq_f32_u32(cut), x.v)};
}

}  // namespace darter::neon
