#include <immintrin.h>

#include "warp/quad_x86.hpp"
#include "warp/rows.hpp"

namespace darter::warp {
namespace {

struct Avx2 {
    using F = __m256;
    using I = __m256i;
    using Quad = QuadX86;
    static constexpr int N = 8;

    static F load(const float* p) { return _mm256_loadu_ps(p); }
    static void store(float* p, F a) { _mm256_storeu_ps(p, a); }
    static F set(float a) { return _mm256_set1_ps(a); }
    static F ramp() { return _mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7); }
    static F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
    static F add(F a, F b) { return _mm256_add_ps(a, b); }
    static F sub(F a, F b) { return _mm256_sub_ps(a, b); }
    static F mul(F a, F b) { return _mm256_mul_ps(a, b); }
    static F div(F a, F b) { return _mm256_div_ps(a, b); }
    static F min(F a, F b) { return _mm256_min_ps(a, b); }
    static F max(F a, F b) { return _mm256_max_ps(a, b); }
    static I set_int(int32_t a) { return _mm256_set1_epi32(a); }
    static I add_int(I a, I b) { return _mm256_add_epi32(a, b); }
    static I mul_int(I a, I b) { return _mm256_mullo_epi32(a, b); }
    static I min_int(I a, I b) { return _mm256_min_epi32(a, b); }
    static I truncate(F a) { return _mm256_cvttps_epi32(a); }
    static F to_float(I a) { return _mm256_cvtepi32_ps(a); }

    static F bytes(const uint8_t* p) {
        __m128i loaded = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
        return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(loaded));
    }

    static void round_bytes(F a, uint8_t* p) {
        I whole = _mm256_cvttps_epi32(_mm256_add_ps(a, _mm256_set1_ps(0.5f)));
        __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(whole),
                                         _mm256_extracti128_si256(whole, 1));
        _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
    }

    template <int K>
    static F byte(I a) {
        return _mm256_cvtepi32_ps(_mm256_and_si256(_mm256_srli_epi32(a, 8 * K), set_int(255)));
    }

    static F halves(const float* low, const float* high) {
        return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(low)), _mm_loadu_ps(high), 1);
    }

    static void pixels(const float* rgbx, F rgb[3]) {
        F a = halves(rgbx, rgbx + 16), b = halves(rgbx + 4, rgbx + 20);
        F c = halves(rgbx + 8, rgbx + 24), d = halves(rgbx + 12, rgbx + 28);
        F red_green_ab = _mm256_unpacklo_ps(a, b), red_green_cd = _mm256_unpacklo_ps(c, d);
        F blue_ab = _mm256_unpackhi_ps(a, b), blue_cd = _mm256_unpackhi_ps(c, d);
        rgb[0] = _mm256_shuffle_ps(red_green_ab, red_green_cd, 0x44);
        rgb[1] = _mm256_shuffle_ps(red_green_ab, red_green_cd, 0xee);
        rgb[2] = _mm256_shuffle_ps(blue_ab, blue_cd, 0x44);
    }

    static void interleave(const F rgb[3], float* out) {
        F red_green_low = _mm256_unpacklo_ps(rgb[0], rgb[1]);   // r0 g0 r1 g1 | r4 g4 r5 g5
        F red_green_high = _mm256_unpackhi_ps(rgb[0], rgb[1]);  // r2 g2 r3 g3 | r6 g6 r7 g7
        F blue_low = _mm256_unpacklo_ps(rgb[2], rgb[2]);
        F blue_high = _mm256_unpackhi_ps(rgb[2], rgb[2]);
        F pixel[4] = {_mm256_shuffle_ps(red_green_low, blue_low, 0x44),
                      _mm256_shuffle_ps(red_green_low, blue_low, 0xee),
                      _mm256_shuffle_ps(red_green_high, blue_high, 0x44),
                      _mm256_shuffle_ps(red_green_high, blue_high, 0xee)};
        // Four floats for each pixel; the next pixel overwrites the fourth.
        for (int k = 0; k < 4; ++k) _mm_storeu_ps(out + 3 * k, _mm256_castps256_ps128(pixel[k]));
        for (int k = 0; k < 3; ++k) _mm_storeu_ps(out + 12 + 3 * k, _mm256_extractf128_ps(pixel[k], 1));
        const __m128i three = _mm_setr_epi32(-1, -1, -1, 0);
        _mm_maskstore_ps(out + 21, three, _mm256_extractf128_ps(pixel[3], 1));
    }

    // Loads one by one: on recent AMD CPUs a gather takes about twice as long.
    static __m128i two(const uint8_t* base, const int32_t* at) {
        __m128i low = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(base + at[0]));
        __m128d both = _mm_loadh_pd(_mm_castsi128_pd(low), reinterpret_cast<const double*>(base + at[1]));
        return _mm_castpd_si128(both);
    }

    static void pairs(const uint8_t* base, I offsets, int shift, I& left, I& right) {
        const __m128i count = _mm_cvtsi32_si128(shift);
        alignas(32) int32_t at[N];
        _mm256_store_si256(reinterpret_cast<I*>(at), offsets);
        I first = _mm256_set_m128i(two(base, at + 2), two(base, at));
        I second = _mm256_set_m128i(two(base, at + 6), two(base, at + 4));
        left = even(first, second);
        right = even(_mm256_srl_epi64(first, count), _mm256_srl_epi64(second, count));
    }

    // The lower halves of eight 64-bit integers, in their order.
    static I even(I first, I second) {
        F mixed = _mm256_shuffle_ps(_mm256_castsi256_ps(first), _mm256_castsi256_ps(second), 0x88);
        return _mm256_permute4x64_epi64(_mm256_castps_si256(mixed), 0xd8);
    }
};

}  // namespace

const Rows avx2_rows = FastRows<Avx2>::table;

}  // namespace darter::warp
