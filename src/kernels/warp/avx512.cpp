#include <immintrin.h>

#include "warp/quad_x86.hpp"
#include "warp/rows.hpp"

namespace darter::warp {
namespace {

struct Avx512 {
    using F = __m512;
    using I = __m512i;
    using Quad = QuadX86;
    static constexpr int N = 16;

    static F load(const float* p) { return _mm512_loadu_ps(p); }
    static void store(float* p, F a) { _mm512_storeu_ps(p, a); }
    static F set(float a) { return _mm512_set1_ps(a); }
    static F ramp() {
        return _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    }
    static F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
    static F add(F a, F b) { return _mm512_add_ps(a, b); }
    static F sub(F a, F b) { return _mm512_sub_ps(a, b); }
    static F mul(F a, F b) { return _mm512_mul_ps(a, b); }
    static F div(F a, F b) { return _mm512_div_ps(a, b); }
    static F min(F a, F b) { return _mm512_min_ps(a, b); }
    static F max(F a, F b) { return _mm512_max_ps(a, b); }
    static I set_int(int32_t a) { return _mm512_set1_epi32(a); }
    static I add_int(I a, I b) { return _mm512_add_epi32(a, b); }
    static I mul_int(I a, I b) { return _mm512_mullo_epi32(a, b); }
    static I min_int(I a, I b) { return _mm512_min_epi32(a, b); }
    static I truncate(F a) { return _mm512_cvttps_epi32(a); }
    static F to_float(I a) { return _mm512_cvtepi32_ps(a); }

    static F bytes(const uint8_t* p) {
        __m128i loaded = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
        return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(loaded));
    }

    static void round_bytes(F a, uint8_t* p) {
        I whole = _mm512_cvttps_epi32(_mm512_add_ps(a, _mm512_set1_ps(0.5f)));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtusepi32_epi8(whole));
    }

    template <int K>
    static F byte(I a) {
        return _mm512_cvtepi32_ps(_mm512_and_si512(_mm512_srli_epi32(a, 8 * K), set_int(255)));
    }

    static void pixels(const float* rgbx, F rgb[3]) {
        const I red_green = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29);
        const I blue = _mm512_setr_epi32(2, 6, 10, 14, 18, 22, 26, 30, 2, 6, 10, 14, 18, 22, 26, 30);
        F a = load(rgbx), b = load(rgbx + 16), c = load(rgbx + 32), d = load(rgbx + 48);
        F first = _mm512_permutex2var_ps(a, red_green, b);
        F second = _mm512_permutex2var_ps(c, red_green, d);
        rgb[0] = _mm512_shuffle_f32x4(first, second, 0x44);
        rgb[1] = _mm512_shuffle_f32x4(first, second, 0xee);
        first = _mm512_permutex2var_ps(a, blue, b);
        second = _mm512_permutex2var_ps(c, blue, d);
        rgb[2] = _mm512_shuffle_f32x4(first, second, 0x44);
    }

    // Float i of RGB is channel i % 3 of pixel i / 3; 16 + n means entry n of the second operand.
    static void interleave(const F rgb[3], float* out) {
        const I rg[3] = {
            _mm512_setr_epi32(0, 16, 0, 1, 17, 0, 2, 18, 0, 3, 19, 0, 4, 20, 0, 5),
            _mm512_setr_epi32(21, 0, 6, 22, 0, 7, 23, 0, 8, 24, 0, 9, 25, 0, 10, 26),
            _mm512_setr_epi32(0, 11, 27, 0, 12, 28, 0, 13, 29, 0, 14, 30, 0, 15, 31, 0)};
        const I b[3] = {
            _mm512_setr_epi32(0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 3, 0, 0, 4, 0),
            _mm512_setr_epi32(0, 5, 0, 0, 6, 0, 0, 7, 0, 0, 8, 0, 0, 9, 0, 0),
            _mm512_setr_epi32(10, 0, 0, 11, 0, 0, 12, 0, 0, 13, 0, 0, 14, 0, 0, 15)};
        const __mmask16 is_blue[3] = {0x4924, 0x2492, 0x9249};
        for (int k = 0; k < 3; ++k) {
            F mixed = _mm512_permutex2var_ps(rgb[0], rg[k], rgb[1]);
            store(out + 16 * k, _mm512_mask_permutexvar_ps(mixed, is_blue[k], b[k], rgb[2]));
        }
    }

    // Loads one by one: on recent AMD CPUs a gather takes about twice as long.
    static __m128i two(const uint8_t* base, const int32_t* at) {
        __m128i low = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(base + at[0]));
        __m128d both = _mm_loadh_pd(_mm_castsi128_pd(low), reinterpret_cast<const double*>(base + at[1]));
        return _mm_castpd_si128(both);
    }

    static I eight(const uint8_t* base, const int32_t* at) {
        __m256i low = _mm256_set_m128i(two(base, at + 2), two(base, at));
        __m256i high = _mm256_set_m128i(two(base, at + 6), two(base, at + 4));
        return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
    }

    static void pairs(const uint8_t* base, I offsets, int shift, I& left, I& right) {
        const I even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        const __m128i count = _mm_cvtsi32_si128(shift);
        alignas(64) int32_t at[N];
        _mm512_store_si512(at, offsets);
        I first = eight(base, at), second = eight(base, at + 8);
        left = _mm512_permutex2var_epi32(first, even, second);
        right = _mm512_permutex2var_epi32(_mm512_srl_epi64(first, count), even,
                                          _mm512_srl_epi64(second, count));
    }
};

}  // namespace

const Rows avx512_rows = FastRows<Avx512>::table;

}  // namespace darter::warp
