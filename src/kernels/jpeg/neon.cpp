// The scalar arithmetic on eight lanes of 16 bits, bit for bit.
#include <arm_neon.h>

#include <cstring>

#include "jpeg/jpeg.hpp"

namespace darter::jpeg {
namespace {

using V = int16x8_t;

// 32-bit sums of the lower and of the upper four lanes.
struct Wide {
    int32x4_t low, high;
};

Wide operator+(Wide a, Wide b) { return {vaddq_s32(a.low, b.low), vaddq_s32(a.high, b.high)}; }
Wide operator-(Wide a, Wide b) { return {vsubq_s32(a.low, b.low), vsubq_s32(a.high, b.high)}; }

// a * first + b * second
Wide times(V a, int16_t first, V b, int16_t second) {
    return {vmlal_n_s16(vmull_n_s16(vget_low_s16(a), first), vget_low_s16(b), second),
            vmlal_n_s16(vmull_n_s16(vget_high_s16(a), first), vget_high_s16(b), second)};
}

// a << 13
Wide shifted(V a) { return {vshll_n_s16(vget_low_s16(a), 13), vshll_n_s16(vget_high_s16(a), 13)}; }

// The half is added in 32 bits that wrap, unlike in NEON's rounding shifts.
template <int Shift>
V narrow(Wide a) {
    const int32x4_t half = vdupq_n_s32(1 << (Shift - 1));
    return vcombine_s16(vqmovn_s32(vshrq_n_s32(vaddq_s32(a.low, half), Shift)),
                        vqmovn_s32(vshrq_n_s32(vaddq_s32(a.high, half), Shift)));
}

// The scalar transform with its constants gathered into pairs.
template <int Shift>
void transform(V r[8]) {
    Wide two = times(r[2], 4433, r[6], 4433 - 15137), three = times(r[2], 4433 + 6270, r[6], 4433);
    Wide zero = shifted(vaddq_s16(r[0], r[4])), one = shifted(vsubq_s16(r[0], r[4]));
    Wide even[4] = {zero + three, one + two, one - two, zero - three};

    V a = r[7], b = r[5], c = r[3], d = r[1];
    V a_c = vaddq_s16(a, c), b_d = vaddq_s16(b, d);
    Wide ac = times(a_c, 9633 - 16069, b_d, 9633), bd = times(a_c, 9633, b_d, 9633 - 3196);
    Wide odd[4] = {times(a, -7373, d, 12299 - 7373) + bd, times(b, -20995, c, 25172 - 20995) + ac,
                   times(b, 16819 - 20995, c, -20995) + bd, times(a, 2446 - 7373, d, -7373) + ac};
    for (int i = 0; i < 4; ++i) {
        r[i] = narrow<Shift>(even[i] + odd[i]);
        r[7 - i] = narrow<Shift>(even[i] - odd[i]);
    }
}

V low_halves(int32x4_t a, int32x4_t b) {
    return vreinterpretq_s16_s64(vtrn1q_s64(vreinterpretq_s64_s32(a), vreinterpretq_s64_s32(b)));
}
V high_halves(int32x4_t a, int32x4_t b) {
    return vreinterpretq_s16_s64(vtrn2q_s64(vreinterpretq_s64_s32(a), vreinterpretq_s64_s32(b)));
}

void transpose(V r[8]) {
    int32x4_t pairs[8], quads[8];
    for (int i = 0; i < 8; i += 2) {  // 2 x 2 of 16 bits
        pairs[i] = vreinterpretq_s32_s16(vtrn1q_s16(r[i], r[i + 1]));
        pairs[i + 1] = vreinterpretq_s32_s16(vtrn2q_s16(r[i], r[i + 1]));
    }
    for (int i = 0; i < 8; i += 4)  // 2 x 2 of 32 bits
        for (int k = 0; k < 2; ++k) {
            quads[i + k] = vtrn1q_s32(pairs[i + k], pairs[i + k + 2]);
            quads[i + k + 2] = vtrn2q_s32(pairs[i + k], pairs[i + k + 2]);
        }
    for (int k = 0; k < 4; ++k) {  // 2 x 2 of 64 bits
        r[k] = low_halves(quads[k], quads[k + 4]);
        r[k + 4] = high_halves(quads[k], quads[k + 4]);
    }
}

void inverse_dct(int16_t* const blocks[2], uint8_t* const samples[2],
                 const ptrdiff_t row_bytes[2]) {
    for (int n = 0; n < 2; ++n) {
        V r[8];
        for (int y = 0; y < 8; ++y) r[y] = vld1q_s16(blocks[n] + 8 * y);
        std::memset(blocks[n], 0, 64 * sizeof(int16_t));
        transform<11>(r);
        transpose(r);
        transform<18>(r);
        transpose(r);
        for (int y = 0; y < 8; ++y) {
            const uint8x8_t bytes = vreinterpret_u8_s8(vqmovn_s16(r[y]));
            vst1_u8(samples[n] + y * row_bytes[n], veor_u8(bytes, vdup_n_u8(128)));
        }
    }
}

void lean(const uint8_t* near, const uint8_t* far, int count, uint16_t* out) {
    int i = 0;
    for (; i + 8 <= count; i += 8)
        vst1q_u16(out + i, vaddw_u8(vmull_u8(vld1_u8(near + i), vdup_n_u8(3)), vld1_u8(far + i)));
    for (; i < count; ++i) out[i] = static_cast<uint16_t>(3 * near[i] + far[i]);
}

void stretch(const uint16_t* in, int count, int even, int odd, int shift, uint8_t* out) {
    const uint16x8_t add_even = vdupq_n_u16(static_cast<uint16_t>(even));
    const uint16x8_t add_odd = vdupq_n_u16(static_cast<uint16_t>(odd));
    const int16x8_t by = vdupq_n_s16(static_cast<int16_t>(-shift));
    int i = 0;
    for (; i + 8 <= count; i += 8) {
        const uint16x8_t three = vmulq_n_u16(vld1q_u16(in + i), 3);
        const uint16x8_t left = vaddq_u16(vaddq_u16(three, vld1q_u16(in + i - 1)), add_even);
        const uint16x8_t right = vaddq_u16(vaddq_u16(three, vld1q_u16(in + i + 1)), add_odd);
        vst2_u8(out + 2 * i, uint8x8x2_t{{vmovn_u16(vshlq_u16(left, by)),
                                          vmovn_u16(vshlq_u16(right, by))}});
    }
    if (i < count) scalar_rows.stretch(in + i, count - i, even, odd, shift, out + 2 * i);
}

V load_words(const uint8_t* p) { return vreinterpretq_s16_u16(vmovl_u8(vld1_u8(p))); }

// (value * weight + 2^15) >> 16
V part(V value, int16_t weight) {
    return vcombine_s16(vrshrn_n_s32(vmull_n_s16(vget_low_s16(value), weight), 16),
                        vrshrn_n_s32(vmull_n_s16(vget_high_s16(value), weight), 16));
}

void color(const uint8_t* y, const uint8_t* cb, const uint8_t* cr, int count, uint8_t* rgb) {
    const V middle = vdupq_n_s16(128);
    int i = 0;
    for (; i + 8 <= count; i += 8) {
        const V luma = load_words(y + i);
        const V blue = vsubq_s16(load_words(cb + i), middle);
        const V red = vsubq_s16(load_words(cr + i), middle);
        // 91881 = 2^16 + 26345, 116130 = 2^17 - 14942, -46802 = 18734 - 2^16
        const V r = vaddq_s16(vaddq_s16(luma, red), part(red, 26345));
        const V b = vaddq_s16(vaddq_s16(luma, vaddq_s16(blue, blue)), part(blue, -14942));
        const V g = vaddq_s16(vsubq_s16(luma, red), narrow<16>(times(blue, -22554, red, 18734)));
        vst3_u8(rgb + 3 * i, uint8x8x3_t{{vqmovun_s16(r), vqmovun_s16(g), vqmovun_s16(b)}});
    }
    if (i < count) scalar_rows.color(y + i, cb + i, cr + i, count - i, rgb + 3 * i);
}

}  // namespace

const Rows neon_rows{inverse_dct, lean, stretch, color};

}  // namespace darter::jpeg
