// What becomes of sums, in registers of 512 bits. Each source gets functions of its own.
#pragma once
#include <immintrin.h>

#include "integer/kernel.hpp"

namespace darter {
namespace {

constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

inline __m512 within(__m512 v, float low, float high) {
    return _mm512_min_ps(_mm512_max_ps(v, _mm512_set1_ps(low)), _mm512_set1_ps(high));
}

// How much is left out of what follows the sums.   plain: scales are below 1, and no residual is added.
// bare: the zero point is 0, too, and limits are those of bytes.   sum, swapped: scales are below 1, and
// with a residual everything fits 32 bits; the sum's own product is added last, or first.
enum class After { anything, plain, bare, sum, swapped };

constexpr bool adds(After kind) { return kind == After::sum || kind == After::swapped; }

inline After after(const IntegerFinish& f, bool residual) {
    constexpr float kMost = 1 << 20;
    const auto fits = [](float factor) { return factor < kMost && factor > -kMost; };
    if (!f.small) return After::anything;
    if (residual && !(fits(f.own) && fits(f.other) && fits(f.fixed))) return After::anything;
    if (residual) return f.own_first ? After::sum : After::swapped;
    return f.zero == 0 && f.low == 0 && f.high == 255 ? After::bare : After::plain;
}

// What follows the sums of 4 pixels of a block of 16 channels, ready in registers.
template <After kind>
struct FourPixels {
    const IntegerFinish f;
    const __m512i zero, least, most;

    explicit FourPixels(const IntegerFinish& f)
        : f(f), zero(_mm512_set1_epi16(static_cast<int16_t>(f.zero))),
          least(every(adds(kind) ? f.sum_low : f.low + f.zero)),
          most(every(adds(kind) ? f.sum_high : f.high + f.zero)) {}

    // 64 bytes in the order of memory.
    [[gnu::always_inline]] __m512i operator()(const __m512i (&sums)[4], __m512 scale) const {
        __m512i whole[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) whole[i] = _mm512_cvtps_epi32(scaled(sums[i], scale));
        return joined(whole, zero);
    }

    // residual: of each pixel.
    [[gnu::always_inline]] __m512i operator()(const __m512i (&sums)[4], __m512 scale,
                                              const uint8_t* const (&residual)[4]) const {
        __m512i whole[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
            const __m128i r = _mm_loadu_si128(reinterpret_cast<const __m128i*>(residual[i]));
            const __m512 added = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(r));
            const __m512 v = _mm512_roundscale_ps(within(scaled(sums[i], scale), f.low, f.high), kNearest);
            const __m512 q = _mm512_add_ps(v, _mm512_set1_ps(f.zero));
            const __m512 own = _mm512_set1_ps(f.own), other = _mm512_set1_ps(f.other);
            const __m512 fixed = _mm512_set1_ps(f.fixed);
            const bool own_last = kind == After::sum || (kind == After::anything && f.own_first);
            const __m512 sum = own_last ? _mm512_fmadd_ps(q, own, _mm512_fmadd_ps(added, other, fixed))
                                        : _mm512_fmadd_ps(added, other, _mm512_fmadd_ps(q, own, fixed));
            whole[i] = _mm512_cvtps_epi32(adds(kind) ? sum : within(sum, f.sum_low, f.sum_high));
        }
        return joined(whole, _mm512_setzero_si512());
    }

private:
    static __m512i every(float byte) { return _mm512_set1_epi8(static_cast<char>(static_cast<int>(byte))); }

    __m512 scaled(__m512i sums, __m512 scale) const {
        const __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(sums), scale);
        return kind != After::anything || f.small ? v : within(v, f.low, f.high);
    }

    // Saturates where it must; limits come last.
    __m512i joined(const __m512i (&r)[4], __m512i zero) const {
        __m512i pair = _mm512_packs_epi32(r[0], r[1]), next = _mm512_packs_epi32(r[2], r[3]);
        if (kind == After::anything || kind == After::plain)
            pair = _mm512_adds_epi16(pair, zero), next = _mm512_adds_epi16(next, zero);
        const __m512i all = _mm512_packus_epi16(pair, next);
        const __m512i by_pixel = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        const __m512i pixels = _mm512_permutexvar_epi32(by_pixel, all);
        if (kind == After::bare || (kind == After::anything && f.residual)) return pixels;
        return _mm512_min_epu8(_mm512_max_epu8(pixels, least), most);
    }
};

// Of the first `count` of 4 pixels, in halves.
inline __mmask8 pixels_mask(int64_t count) {
    return count >= 4 ? 0xff : static_cast<__mmask8>((1 << 2 * count) - 1);
}

inline void store_pixels(uint8_t* y, int64_t count, __m512i bytes) {
    _mm512_mask_storeu_epi64(y, pixels_mask(count), bytes);
}

struct WideFinish {
    typedef int16_t Halves __attribute__((vector_size(64)));
    static Halves halves(const uint8_t* x, int64_t next_block) {
        const auto part = [](const uint8_t* x) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(x)); };
        return Halves(_mm512_cvtepu8_epi16(
            _mm256_inserti128_si256(_mm256_castsi128_si256(part(x)), part(x + next_block), 1)));
    }
    static __m512i pair_weights(const int16_t* w) { return _mm512_loadu_si512(w); }
    static __m512i pair_values(const int16_t* v) {
        int32_t two;
        std::memcpy(&two, v, sizeof two);
        return _mm512_set1_epi32(two);
    }

    static void finish(const int32_t* sums, const IntegerFinish& f, const float* scale,
                       const uint8_t* residual, void* y, int64_t at) {
        const __m512i total = _mm512_loadu_si512(sums), all[4] = {total, total, total, total};
        const __m512 factors = _mm512_loadu_ps(scale);
        if (f.to_float)
            return _mm512_storeu_ps(static_cast<float*>(y) + at,
                                    _mm512_mul_ps(_mm512_cvtepi32_ps(total), factors));
        const FourPixels<After::anything> four(f);
        const uint8_t* const added[4] = {residual, residual, residual, residual};
        store_pixels(static_cast<uint8_t*>(y) + at, 1,
                     residual ? four(all, factors, added) : four(all, factors));
    }

    static void finish_row(const int32_t (&sums)[4][kIntegerBlock], int columns, const IntegerFinish& f,
                           const uint8_t* residual, uint8_t* y) {
        const FourPixels<After::anything> four(f);
        const __m512 scale = _mm512_loadu_ps(f.scale);
        const __m512i own[4] = {_mm512_load_si512(sums[0]), _mm512_load_si512(sums[1]),
                                _mm512_load_si512(sums[2]), _mm512_load_si512(sums[3])};
        if (!residual) return store_pixels(y, columns, four(own, scale));
        const uint8_t* added[4];
        for (int j = 0; j < 4; ++j) added[j] = residual + (j < columns ? j : columns - 1) * kIntegerBlock;
        store_pixels(y, columns, four(own, scale, added));
    }

    // Four pixels at a time are narrowed and written at once. Usually straight from registers: whether it was.
    template <int P, int B>
    [[gnu::always_inline]] static bool finish_registers(const __m512i (&sums)[P][B], const IntegerTile& t) {
        if (t.finish.to_float) return false;
        switch (after(t.finish, t.residual)) {
            case After::bare: finish_unrolled<After::bare>(sums, t); return true;
            case After::plain: finish_unrolled<After::plain>(sums, t); return true;
            case After::sum: finish_unrolled<After::sum>(sums, t); return true;
            case After::swapped: finish_unrolled<After::swapped>(sums, t); return true;
            case After::anything: return false;
        }
        return false;
    }

    // all: [pixel][block][16 filters].
    static void finish_stored(const int32_t* all, int pixels, int blocks, const IntegerTile& t) {
        const FourPixels<After::anything> four(t.finish);
        for (int b = 0; b < blocks; ++b)
            for (int first = 0; first < pixels; first += 4) {
                __m512i sums[4];
                const uint8_t* residual[4];
                for (int i = 0; i < 4; ++i) {
                    const int pixel = first + i < pixels ? first + i : pixels - 1;
                    sums[i] = _mm512_loadu_si512(all + (pixel * blocks + b) * kIntegerBlock);
                    if (t.residual) residual[i] = t.residual + b * t.residual_block + pixel * kIntegerBlock;
                }
                const __m512 scale = _mm512_loadu_ps(t.finish.scale + b * kIntegerBlock);
                store_pixels(static_cast<uint8_t*>(t.y) + b * t.y_block + first * kIntegerBlock, pixels - first,
                             t.residual ? four(sums, scale, residual) : four(sums, scale));
            }
    }

private:
    template <After kind, int P, int B>
    [[gnu::always_inline]] static void finish_unrolled(const __m512i (&sums)[P][B], const IntegerTile& t) {
        const FourPixels<kind> four(t.finish);
#pragma GCC unroll 4
        for (int b = 0; b < B; ++b) {
            const __m512 scale = _mm512_loadu_ps(t.finish.scale + b * kIntegerBlock);
            auto* y = static_cast<uint8_t*>(t.y) + b * t.y_block;
            const uint8_t* residual = adds(kind) ? t.residual + b * t.residual_block : y;
#pragma GCC unroll 3
            for (int first = 0; first < P; first += 4) {
                const int at[4] = {first, first + 1 < P ? first + 1 : P - 1, first + 2 < P ? first + 2 : P - 1,
                                   first + 3 < P ? first + 3 : P - 1};
                const __m512i own[4] = {sums[at[0]][b], sums[at[1]][b], sums[at[2]][b], sums[at[3]][b]};
                const uint8_t* const added[4] = {residual + at[0] * kIntegerBlock, residual + at[1] * kIntegerBlock,
                                                 residual + at[2] * kIntegerBlock, residual + at[3] * kIntegerBlock};
                store_pixels(y + first * kIntegerBlock, P - first,
                             adds(kind) ? four(own, scale, added) : four(own, scale));
            }
        }
    }
};

}  // namespace
}  // namespace darter
