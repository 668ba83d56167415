#include "integer/avx512_finish.hpp"

namespace darter::avx512_vnni {
namespace {

struct Vnni : WideFinish {
    static constexpr int kLanes = 16, kPixels[] = {12, 12, 8, 6};
    using Sums = __m512i;
    using Weights = __m512i;
    using Values = __m512i;
    static Sums sums(const int32_t* from) { return _mm512_loadu_si512(from); }
    static Weights weights(const int8_t* w) { return _mm512_loadu_si512(w); }
    static Values values(const uint8_t* x) {
        int32_t four;
        std::memcpy(&four, x, sizeof four);
        return _mm512_set1_epi32(four);
    }
    static Sums dot(Sums sums, Values x, Weights w) { return _mm512_dpbusd_epi32(sums, x, w); }
    using PairWeights = __m512i;
    static Sums dot_pairs(Sums sums, __m512i v, __m512i w) {
        return _mm512_dpwssd_epi32(sums, v, w);
    }
    static void store(int32_t* to, Sums sums) { _mm512_storeu_si512(to, sums); }
};

// 4 pixels of 16 channels -> 16 channels of 4 pixels.
inline __m512i by_channel(__m512i pixels) {
    const __m512i lanes = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i fours = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    return _mm512_shuffle_epi8(_mm512_permutexvar_epi32(lanes, pixels), fours);
}

// The next `read` (a mask of halves of pixels) of 4 pixels from each of 4 places on.
inline void taps_of(const uint8_t* x, const int64_t (&places)[4], __mmask8 read, __m512i (&taps)[4]) {
    for (int i = 0; i < 4; ++i) taps[i] = by_channel(_mm512_maskz_loadu_epi64(read, x + places[i]));
}

inline void add_taps(__m512i (&sums)[4], const __m512i (&taps)[4], __m512i w) {
    for (int i = 0; i < 4; ++i) sums[i] = _mm512_dpbusd_epi32(sums[i], taps[i], w);
}

// The places of 4 pixels; past the last one, its place.
inline void places_of(const IntegerDepthwise& d, int64_t pixel, int64_t (&places)[4]) {
    for (int64_t i = 0; i < 4; ++i) places[i] = d.places[pixel + i < d.pixels ? pixel + i : d.pixels - 1];
}

// Adds a row of taps, number `row` of the oldest of the lines that are begun: R rows are one line, S of
// them lie between lines. Rows of 5 taps have one more than the four that are multiplied at once.
template <int R, int S, int L>
[[gnu::always_inline]] inline void add_row(__m512i (&sums)[L][4], int row, const uint8_t* x,
                                           const int64_t (&places)[4], __mmask8 read, const int8_t* fours) {
    constexpr bool fifth = R == 5;
    __m512i taps[4], last[4];
    taps_of(x, places, read, taps);
    if (fifth)
        for (int i = 0; i < 4; ++i)
            last[i] = _mm512_cvtepu8_epi32(_mm_loadu_si128(
                reinterpret_cast<const __m128i*>(x + places[i] + 4 * kIntegerBlock)));
#pragma GCC unroll 5
    for (int line = 0; line < L; ++line) {
        const int tap = row - line * S;
        if (tap < 0 || tap >= R) continue;
        const int8_t* w = fours + tap * (fifth ? 128 : 64);
        add_taps(sums[line], taps, _mm512_loadu_si512(w));
        if (fifth) add_taps(sums[line], last, _mm512_loadu_si512(w + 64));
    }
}

// What is read of a row serves every line that it is a part of.
template <After kind, int R, int S>
void shared_rows(const IntegerDepthwise& d) {
    constexpr int kLines = (R + S - 1) / S;  // that are begun at a time
    const FourPixels<kind> four(d.finish);
    const __m512i bias = _mm512_loadu_si512(d.finish.bias);
    const __m512 scale = _mm512_loadu_ps(d.finish.scale);
    const __mmask8 read = pixels_mask(d.columns);
    const int64_t row = d.x_line / S;
    for (int64_t p = 0; p < d.pixels; p += 4) {
        int64_t places[4];
        places_of(d, p, places);
        const uint8_t* x = d.x + d.offsets[0];
        auto* y = static_cast<uint8_t*>(d.y) + p * kIntegerBlock;
        __m512i sums[kLines][4];
#pragma GCC unroll 5
        for (auto& line : sums)
            for (__m512i& each : line) each = bias;
#pragma GCC unroll 5
        for (int i = 0; i < R - S; ++i, x += row) add_row<R, S>(sums, i, x, places, read, d.fours);
        for (int64_t line = 0; line < d.lines; ++line, y += d.pixels * kIntegerBlock) {
#pragma GCC unroll 5
            for (int i = R - S; i < R; ++i, x += row) add_row<R, S>(sums, i, x, places, read, d.fours);
            store_pixels(y, d.pixels - p, four(sums[0], scale));
#pragma GCC unroll 5
            for (int next = 1; next < kLines; ++next)
                for (int i = 0; i < 4; ++i) sums[next - 1][i] = sums[next][i];
            for (__m512i& each : sums[kLines - 1]) each = bias;
        }
    }
}

template <After kind>
void shared_rows(const IntegerDepthwise& d, int64_t row) {
    if (d.rows == 5) return row == d.x_line ? shared_rows<kind, 5, 1>(d) : shared_rows<kind, 5, 2>(d);
    return row == d.x_line ? shared_rows<kind, 3, 1>(d) : shared_rows<kind, 3, 2>(d);
}

// Four taps of a row at a time: the next pixels of each place. What lies past the last tap is not read.
void any_rows(const IntegerDepthwise& d) {
    const FourPixels<After::anything> four(d.finish);
    const __m512i bias = _mm512_loadu_si512(d.finish.bias);
    const __m512 scale = _mm512_loadu_ps(d.finish.scale);
    const int64_t fours = (d.columns + 3) / 4;
    const __mmask8 last = pixels_mask(d.columns - 4 * (fours - 1));
    for (int64_t p = 0; p < d.pixels; p += 4) {
        int64_t places[4];
        places_of(d, p, places);
        for (int64_t line = 0; line < d.lines; ++line) {
            const uint8_t* x = d.x + line * d.x_line;
            __m512i sums[4] = {bias, bias, bias, bias}, taps[4];
            const int8_t* w = d.fours;
            for (int64_t row = 0; row < d.rows; ++row)
                for (int64_t i = 0; i < fours; ++i, w += 64) {
                    const int64_t offset = d.offsets[row * d.columns + 4 * i];
                    taps_of(x + offset, places, i + 1 < fours ? 0xff : last, taps);
                    add_taps(sums, taps, _mm512_loadu_si512(w));
                }
            const int64_t at = (line * d.pixels + p) * kIntegerBlock;
            __m512i bytes;
            if (d.residual) {
                const uint8_t* residual[4];
                for (int64_t i = 0; i < 4; ++i)
                    residual[i] = d.residual + at + (p + i < d.pixels ? i : d.pixels - p - 1) * kIntegerBlock;
                bytes = four(sums, scale, residual);
            } else {
                bytes = four(sums, scale);
            }
            store_pixels(static_cast<uint8_t*>(d.y) + at, d.pixels - p, bytes);
        }
    }
}

void depthwise_in_fours(const IntegerDepthwise& d) {
    if (!d.neighbors || d.finish.to_float) return depthwise<Vnni>(d);
    const bool shared = (d.rows == 3 && d.columns <= 4) || (d.rows == 5 && d.columns == 5);
    const int64_t row = shared ? d.offsets[d.columns] - d.offsets[0] : 0;
    if (d.residual || (row != d.x_line && 2 * row != d.x_line)) return any_rows(d);
    switch (after(d.finish, false)) {
        case After::bare: return shared_rows<After::bare>(d, row);
        case After::plain: return shared_rows<After::plain>(d, row);
        default: return shared_rows<After::anything>(d, row);
    }
}

constexpr IntegerKernels with_fours() {
    IntegerKernels kernels = integer_kernels_of<Vnni>();
    kernels.depthwise = depthwise_in_fours;
    return kernels;
}

}  // namespace

extern const IntegerKernels integer_kernels;
const IntegerKernels integer_kernels = with_fours();

}  // namespace darter::avx512_vnni
