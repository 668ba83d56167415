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

// 3 rows of taps, one line apart: what is read of a row serves three lines.
template <After kind>
void three_rows(const IntegerDepthwise& d) {
    const FourPixels<kind> four(d.finish);
    const __m512i bias = _mm512_loadu_si512(d.finish.bias), w0 = _mm512_loadu_si512(d.fours);
    const __m512i w1 = _mm512_loadu_si512(d.fours + 64), w2 = _mm512_loadu_si512(d.fours + 128);
    const __m512 scale = _mm512_loadu_ps(d.finish.scale);
    const __mmask8 read = pixels_mask(d.columns);
    for (int64_t p = 0; p < d.pixels; p += 4) {
        int64_t places[4];
        places_of(d, p, places);
        const uint8_t* x = d.x + d.offsets[0];
        auto* y = static_cast<uint8_t*>(d.y) + p * kIntegerBlock;
        __m512i taps[4], last[4], middle[4] = {bias, bias, bias, bias}, first[4] = {bias, bias, bias, bias};
        taps_of(x, places, read, taps);
        add_taps(middle, taps, w0);
        taps_of(x += d.x_line, places, read, taps);
        add_taps(middle, taps, w1);
        add_taps(first, taps, w0);
        for (int64_t line = 0; line < d.lines; ++line, y += d.pixels * kIntegerBlock) {
            taps_of(x += d.x_line, places, read, taps);
            for (int i = 0; i < 4; ++i) last[i] = middle[i], middle[i] = first[i], first[i] = bias;
            add_taps(last, taps, w2);
            add_taps(middle, taps, w1);
            add_taps(first, taps, w0);
            store_pixels(y, d.pixels - p, four(last, scale));
        }
    }
}

// 3 rows of taps, half a line apart: every second row serves two lines.
template <After kind>
void three_rows_by_two(const IntegerDepthwise& d) {
    const FourPixels<kind> four(d.finish);
    const __m512i bias = _mm512_loadu_si512(d.finish.bias), w0 = _mm512_loadu_si512(d.fours);
    const __m512i w1 = _mm512_loadu_si512(d.fours + 64), w2 = _mm512_loadu_si512(d.fours + 128);
    const __m512 scale = _mm512_loadu_ps(d.finish.scale);
    const __mmask8 read = pixels_mask(d.columns);
    const int64_t row = d.x_line / 2;
    for (int64_t p = 0; p < d.pixels; p += 4) {
        int64_t places[4];
        places_of(d, p, places);
        const uint8_t* x = d.x + d.offsets[0];
        auto* y = static_cast<uint8_t*>(d.y) + p * kIntegerBlock;
        __m512i taps[4], sums[4], next[4] = {bias, bias, bias, bias};
        taps_of(x, places, read, taps);
        add_taps(next, taps, w0);
        for (int64_t line = 0; line < d.lines; ++line, y += d.pixels * kIntegerBlock) {
            for (int i = 0; i < 4; ++i) sums[i] = next[i], next[i] = bias;
            taps_of(x += row, places, read, taps);
            add_taps(sums, taps, w1);
            taps_of(x += row, places, read, taps);
            add_taps(sums, taps, w2);
            add_taps(next, taps, w0);
            store_pixels(y, d.pixels - p, four(sums, scale));
        }
    }
}

template <After kind>
void shared_rows(const IntegerDepthwise& d, int64_t row) {
    row == d.x_line ? three_rows<kind>(d) : three_rows_by_two<kind>(d);
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
    const int64_t row = d.rows == 3 && d.columns <= 4 ? d.offsets[d.columns] - d.offsets[0] : 0;
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
