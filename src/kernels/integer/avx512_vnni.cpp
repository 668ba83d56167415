#include "integer/avx512_finish.hpp"

namespace darter::avx512_vnni {
namespace {

struct Vnni : WideFinish {
    static constexpr int kLanes = 16, kPixels = 12, kBlocks = 2;
    using Sums = __m512i;
    using Weights = __m512i;
    using Values = __m512i;
    static Sums nothing() { return _mm512_setzero_si512(); }
    static Weights weights(const int8_t* w) { return _mm512_loadu_si512(w); }
    static Values values(const uint8_t* x) {
        int32_t four;
        std::memcpy(&four, x, sizeof four);
        return _mm512_set1_epi32(four);
    }
    static Sums dot(Sums sums, Values x, Weights w) { return _mm512_dpbusd_epi32(sums, x, w); }
    static void store(int32_t* to, Sums sums) { _mm512_storeu_si512(to, sums); }

    // Four pixels at a time are narrowed and written at once.
    template <int P, int B>
    static void finish_pixels(const Sums (&sums)[P][B], const IntegerTile& t) {
        const IntegerFinish& f = t.finish;
        const __m512 low = _mm512_set1_ps(f.low), high = _mm512_set1_ps(f.high);
        const __m512i zero = _mm512_set1_epi32(static_cast<int32_t>(f.zero));
        const __m512i by_pixel = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        for (int b = 0; b < B; ++b) {
            const __m512i bias = _mm512_loadu_si512(f.bias + b * kIntegerBlock);
            const __m512 scale = _mm512_loadu_ps(f.scale + b * kIntegerBlock);
            auto* y = static_cast<uint8_t*>(t.y) + b * t.y_block;
            for (int first = 0; first < P; first += 4) {
                __m512i r[4];
                for (int i = 0; i < 4; ++i) {
                    const __m512i total = _mm512_add_epi32(sums[first + i < P ? first + i : P - 1][b], bias);
                    const __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(total), scale);
                    r[i] = _mm512_cvtps_epi32(_mm512_min_ps(_mm512_max_ps(v, low), high));
                    r[i] = _mm512_add_epi32(r[i], zero);
                }
                const __m512i bytes = _mm512_permutexvar_epi32(
                    by_pixel, _mm512_packus_epi16(_mm512_packs_epi32(r[0], r[1]),
                                                  _mm512_packs_epi32(r[2], r[3])));
                const int left = P - first;
                const auto kept = static_cast<__mmask8>(left >= 4 ? 0xff : (1 << 2 * left) - 1);
                _mm512_mask_storeu_epi64(y + first * kIntegerBlock, kept, bytes);
            }
        }
    }
};

// Four pixels of 16 channels, alike in depthwise convolutions and in what follows sums: register q
// holds channels 4q to 4q + 3 of each pixel in a lane of 128 bits.
struct Quarters {
    __m512i q[4];
};

inline __m512i four_pixels(const uint8_t* x, const int64_t* places, bool neighbors) {
    if (neighbors) return _mm512_loadu_si512(x + places[0]);
    auto pixel = [&](int i) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + places[i]));
    };
    __m512i all = _mm512_castsi128_si512(pixel(0));
    all = _mm512_inserti32x4(all, pixel(1), 1);
    all = _mm512_inserti32x4(all, pixel(2), 2);
    return _mm512_inserti32x4(all, pixel(3), 3);
}

inline __m512i in_each_lane(const void* from) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128(static_cast<const __m128i*>(from)));
}

// Sums of four taps at a time, whose bytes are brought next to each other.
inline Quarters depthwise_sums(const IntegerDepthwise& d, const int64_t* places, bool neighbors) {
    Quarters sums{_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                  _mm512_setzero_si512()};
    for (int64_t tap = 0; tap < d.taps; tap += 4) {
        __m512i t[4];
        for (int64_t i = 0; i < 4; ++i)
            t[i] = four_pixels(d.x + d.offsets[tap + i < d.taps ? tap + i : d.taps - 1], places,
                               neighbors);
        const __m512i low01 = _mm512_unpacklo_epi8(t[0], t[1]), high01 = _mm512_unpackhi_epi8(t[0], t[1]);
        const __m512i low23 = _mm512_unpacklo_epi8(t[2], t[3]), high23 = _mm512_unpackhi_epi8(t[2], t[3]);
        const int8_t* w = d.fours + tap * kIntegerBlock;
        sums.q[0] = _mm512_dpbusd_epi32(sums.q[0], _mm512_unpacklo_epi16(low01, low23), in_each_lane(w));
        sums.q[1] = _mm512_dpbusd_epi32(sums.q[1], _mm512_unpackhi_epi16(low01, low23), in_each_lane(w + 16));
        sums.q[2] = _mm512_dpbusd_epi32(sums.q[2], _mm512_unpacklo_epi16(high01, high23), in_each_lane(w + 32));
        sums.q[3] = _mm512_dpbusd_epi32(sums.q[3], _mm512_unpackhi_epi16(high01, high23), in_each_lane(w + 48));
    }
    return sums;
}

// Rounded to 64 bytes, pixel by pixel; no residual.
inline __m512i finished(const Quarters& sums, const IntegerFinish& f) {
    const __m512 low = _mm512_set1_ps(f.low), high = _mm512_set1_ps(f.high);
    const __m512i zero = _mm512_set1_epi32(static_cast<int32_t>(f.zero));
    __m512i r[4];
    for (int i = 0; i < 4; ++i) {
        const __m512i total = _mm512_add_epi32(sums.q[i], in_each_lane(f.bias + 4 * i));
        const __m512 scale = _mm512_castsi512_ps(in_each_lane(f.scale + 4 * i));
        __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(total), scale);
        v = _mm512_min_ps(_mm512_max_ps(v, low), high);
        r[i] = _mm512_add_epi32(_mm512_cvtps_epi32(v), zero);
    }
    return _mm512_packus_epi16(_mm512_packs_epi32(r[0], r[1]), _mm512_packs_epi32(r[2], r[3]));
}

void depthwise_in_fours(const IntegerDepthwise& d) {
    if (d.finish.residual || d.finish.to_float) return depthwise<Vnni>(d);
    auto* y = static_cast<uint8_t*>(d.y);
    for (int64_t p = 0; p < d.pixels; p += 4) {
        const int64_t left = d.pixels - p;
        int64_t places[4];
        for (int64_t i = 0; i < 4; ++i) places[i] = d.places[i < left ? p + i : d.pixels - 1];
        const bool neighbors = left >= 4 && places[3] - places[0] == 3 * kIntegerBlock;
        const __m512i bytes = finished(depthwise_sums(d, places, neighbors), d.finish);
        const __mmask8 kept = left >= 4 ? 0xff : static_cast<__mmask8>((1 << 2 * left) - 1);
        _mm512_mask_storeu_epi64(y + p * kIntegerBlock, kept, bytes);
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
