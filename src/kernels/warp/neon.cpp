#include <arm_neon.h>

#include "warp/rows.hpp"

namespace darter::warp {
namespace {

struct QuadNeon {
    using Q = float32x4_t;

    static Q load(const float* p) { return vld1q_f32(p); }
    static void store(float* p, Q a) { vst1q_f32(p, a); }
    static Q fill(float a) { return vdupq_n_f32(a); }
    static Q mul(Q a, Q b) { return vmulq_f32(a, b); }
    static Q fma(Q a, Q b, Q c) { return vfmaq_f32(c, a, b); }
    template <int K>
    static Q lane(Q a) {
        return vdupq_laneq_f32(a, K);
    }
};

struct Neon {
    using F = float32x4_t;
    using I = int32x4_t;
    using Quad = QuadNeon;
    static constexpr int N = 4;

    static F load(const float* p) { return vld1q_f32(p); }
    static void store(float* p, F a) { vst1q_f32(p, a); }
    static F set(float a) { return vdupq_n_f32(a); }
    static F ramp() { return F{0, 1, 2, 3}; }
    static F fma(F a, F b, F c) { return vfmaq_f32(c, a, b); }
    static F add(F a, F b) { return vaddq_f32(a, b); }
    static F sub(F a, F b) { return vsubq_f32(a, b); }
    static F mul(F a, F b) { return vmulq_f32(a, b); }
    static F div(F a, F b) { return vdivq_f32(a, b); }
    // NEON's own minimum and maximum give NaN where the first is NaN.
    static F min(F a, F b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
    static F max(F a, F b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
    static I set_int(int32_t a) { return vdupq_n_s32(a); }
    static I add_int(I a, I b) { return vaddq_s32(a, b); }
    static I mul_int(I a, I b) { return vmulq_s32(a, b); }
    static I min_int(I a, I b) { return vminq_s32(a, b); }
    static I truncate(F a) { return vcvtq_s32_f32(a); }
    static F to_float(I a) { return vcvtq_f32_s32(a); }

    static F bytes(const uint8_t* p) {
        uint32_t four;
        std::memcpy(&four, p, 4);
        const uint16x8_t words = vmovl_u8(vcreate_u8(four));
        return vcvtq_f32_u32(vmovl_u16(vget_low_u16(words)));
    }

    static void round_bytes(F a, uint8_t* p) {
        const uint16x4_t words = vqmovun_s32(vcvtq_s32_f32(vaddq_f32(a, vdupq_n_f32(0.5f))));
        const uint8x8_t bytes = vqmovn_u16(vcombine_u16(words, words));
        const uint32_t four = vget_lane_u32(vreinterpret_u32_u8(bytes), 0);
        std::memcpy(p, &four, 4);
    }

    template <int K>
    static F byte(I a) {
        const uint32x4_t shifted = vshlq_u32(vreinterpretq_u32_s32(a), vdupq_n_s32(-8 * K));
        return vcvtq_f32_u32(vandq_u32(shifted, vdupq_n_u32(255)));
    }

    static void pixels(const float* rgbx, F rgb[3]) {
        const float32x4x4_t planes = vld4q_f32(rgbx);
        for (int c = 0; c < 3; ++c) rgb[c] = planes.val[c];
    }

    static void interleave(const F rgb[3], float* out) {
        vst3q_f32(out, float32x4x3_t{{rgb[0], rgb[1], rgb[2]}});
    }

    static void pairs(const uint8_t* base, I offsets, int shift, I& left, I& right) {
        int32_t at[N];
        vst1q_s32(at, offsets);
        uint64_t both[N];
        for (int k = 0; k < N; ++k) std::memcpy(both + k, base + at[k], 8);
        const uint64x2_t first = vld1q_u64(both), second = vld1q_u64(both + 2);
        const int64x2_t by = vdupq_n_s64(-shift);
        left = even(first, second);
        right = even(vshlq_u64(first, by), vshlq_u64(second, by));
    }

    // The lower halves of four 64-bit integers, in their order.
    static I even(uint64x2_t first, uint64x2_t second) {
        return vreinterpretq_s32_u32(vcombine_u32(vmovn_u64(first), vmovn_u64(second)));
    }
};

}  // namespace

const Rows neon_rows = FastRows<Neon>::table;

}  // namespace darter::warp
