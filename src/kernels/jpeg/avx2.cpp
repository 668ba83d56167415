// Two blocks at once, one in each half of a register; 16 pixels of color at once.
#include <immintrin.h>

#include <cstring>

#include "jpeg/jpeg.hpp"

namespace darter::jpeg {
namespace {

using V = __m256i;

V both(int16_t first, int16_t second) {  // pairs of weights for multiply-add
    return _mm256_set1_epi32(static_cast<uint16_t>(first) | static_cast<uint32_t>(second) << 16);
}

// 32-bit sums of the lower and of the upper four lanes of each half.
struct Wide {
    V low, high;
};

Wide operator+(Wide a, Wide b) {
    return {_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
}
Wide operator-(Wide a, Wide b) {
    return {_mm256_sub_epi32(a.low, b.low), _mm256_sub_epi32(a.high, b.high)};
}

struct Pairs {
    V low, high;
    Pairs(V a, V b) : low(_mm256_unpacklo_epi16(a, b)), high(_mm256_unpackhi_epi16(a, b)) {}
    // a * first + b * second
    Wide times(int16_t first, int16_t second) const {
        V weights = both(first, second);
        return {_mm256_madd_epi16(low, weights), _mm256_madd_epi16(high, weights)};
    }
};

// a << 13
Wide shifted(V a) {
    V zero = _mm256_setzero_si256();
    return {_mm256_srai_epi32(_mm256_unpacklo_epi16(zero, a), 3),
            _mm256_srai_epi32(_mm256_unpackhi_epi16(zero, a), 3)};
}

template <int Shift>
V narrow(Wide a) {
    V half = _mm256_set1_epi32(1 << (Shift - 1));
    return _mm256_packs_epi32(_mm256_srai_epi32(_mm256_add_epi32(a.low, half), Shift),
                              _mm256_srai_epi32(_mm256_add_epi32(a.high, half), Shift));
}

// The scalar transform with its constants gathered into pairs.
template <int Shift>
void transform(V r[8]) {
    Pairs outer(r[2], r[6]);
    Wide two = outer.times(4433, 4433 - 15137), three = outer.times(4433 + 6270, 4433);
    Wide zero = shifted(_mm256_add_epi16(r[0], r[4])), one = shifted(_mm256_sub_epi16(r[0], r[4]));
    Wide even[4] = {zero + three, one + two, one - two, zero - three};

    V a = r[7], b = r[5], c = r[3], d = r[1];
    Pairs sums(_mm256_add_epi16(a, c), _mm256_add_epi16(b, d));
    Wide ac = sums.times(9633 - 16069, 9633), bd = sums.times(9633, 9633 - 3196);
    Pairs ad(a, d), bc(b, c);
    Wide odd[4] = {ad.times(-7373, 12299 - 7373) + bd, bc.times(-20995, 25172 - 20995) + ac,
                   bc.times(16819 - 20995, -20995) + bd, ad.times(2446 - 7373, -7373) + ac};
    for (int i = 0; i < 4; ++i) {
        r[i] = narrow<Shift>(even[i] + odd[i]);
        r[7 - i] = narrow<Shift>(even[i] - odd[i]);
    }
}

void transpose(V r[8]) {  // 8 x 8 of 16 bits in each half
    V a[8], b[8];
    for (int i = 0; i < 4; ++i) {
        a[2 * i] = _mm256_unpacklo_epi16(r[2 * i], r[2 * i + 1]);
        a[2 * i + 1] = _mm256_unpackhi_epi16(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 2; ++i)
        for (int k = 0; k < 2; ++k) {
            b[4 * i + 2 * k] = _mm256_unpacklo_epi32(a[4 * i + k], a[4 * i + k + 2]);
            b[4 * i + 2 * k + 1] = _mm256_unpackhi_epi32(a[4 * i + k], a[4 * i + k + 2]);
        }
    for (int k = 0; k < 4; ++k) {
        r[2 * k] = _mm256_unpacklo_epi64(b[k], b[k + 4]);
        r[2 * k + 1] = _mm256_unpackhi_epi64(b[k], b[k + 4]);
    }
}

__m128i load(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }

void inverse_dct(int16_t* const blocks[2], uint8_t* const samples[2],
                 const ptrdiff_t row_bytes[2]) {
    V r[8];
    for (int y = 0; y < 8; ++y)
        r[y] = _mm256_inserti128_si256(_mm256_castsi128_si256(load(blocks[0] + 8 * y)),
                                       load(blocks[1] + 8 * y), 1);
    for (int i = 0; i < 64; i += 16)
        for (int n = 0; n < 2; ++n)
            _mm256_storeu_si256(reinterpret_cast<V*>(blocks[n] + i), _mm256_setzero_si256());
    transform<11>(r);
    transpose(r);
    transform<18>(r);
    transpose(r);
    V middle = _mm256_set1_epi8(-128);
    for (int y = 0; y < 8; y += 2) {
        V bytes = _mm256_xor_si256(_mm256_packs_epi16(r[y], r[y + 1]), middle);
        __m128i halves[2] = {_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1)};
        for (int n = 0; n < 2; ++n) {
            uint8_t* to = samples[n] + y * row_bytes[n];
            _mm_storel_epi64(reinterpret_cast<__m128i*>(to), halves[n]);
            _mm_storel_epi64(reinterpret_cast<__m128i*>(to + row_bytes[n]),
                             _mm_unpackhi_epi64(halves[n], halves[n]));
        }
    }
}

V load_words(const uint8_t* p) { return _mm256_cvtepu8_epi16(load(p)); }

void lean(const uint8_t* near, const uint8_t* far, int count, uint16_t* out) {
    int i = 0;
    for (; i + 16 <= count; i += 16) {
        V sum = _mm256_add_epi16(_mm256_mullo_epi16(load_words(near + i), _mm256_set1_epi16(3)),
                                 load_words(far + i));
        _mm256_storeu_si256(reinterpret_cast<V*>(out + i), sum);
    }
    for (; i < count; ++i) out[i] = static_cast<uint16_t>(3 * near[i] + far[i]);
}

void stretch(const uint16_t* in, int count, int even, int odd, int shift, uint8_t* out) {
    V add_even = _mm256_set1_epi16(static_cast<int16_t>(even));
    V add_odd = _mm256_set1_epi16(static_cast<int16_t>(odd));
    __m128i by = _mm_cvtsi32_si128(shift);
    auto at = [&](const uint16_t* p) { return _mm256_loadu_si256(reinterpret_cast<const V*>(p)); };
    int i = 0;
    for (; i + 16 <= count; i += 16) {
        V three = _mm256_mullo_epi16(at(in + i), _mm256_set1_epi16(3));
        V left = _mm256_add_epi16(_mm256_add_epi16(three, at(in + i - 1)), add_even);
        V right = _mm256_add_epi16(_mm256_add_epi16(three, at(in + i + 1)), add_odd);
        V pairs = _mm256_or_si256(_mm256_srl_epi16(left, by),
                                  _mm256_slli_epi16(_mm256_srl_epi16(right, by), 8));
        _mm256_storeu_si256(reinterpret_cast<V*>(out + 2 * i), pairs);
    }
    if (i < count) scalar_rows.stretch(in + i, count - i, even, odd, shift, out + 2 * i);
}

// (value * weight + 2^15) >> 16 without leaving 16 bits; value in [-128, 127]
V part(V value, int16_t weight) {
    V twice = _mm256_mulhi_epi16(_mm256_slli_epi16(value, 1), _mm256_set1_epi16(weight));
    return _mm256_srai_epi16(_mm256_add_epi16(twice, _mm256_set1_epi16(1)), 1);
}

__m128i bytes_of(V words) {  // 16 words, clipped, in their order
    V packed = _mm256_packus_epi16(words, words);
    return _mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0x08));
}

void store_rgb(__m128i r, __m128i g, __m128i b, uint8_t* out) {
    constexpr char x = -1;
    auto pick = [](__m128i from, __m128i order) { return _mm_shuffle_epi8(from, order); };
    const __m128i orders[3][3] = {
        {_mm_setr_epi8(0, x, x, 1, x, x, 2, x, x, 3, x, x, 4, x, x, 5),
         _mm_setr_epi8(x, 0, x, x, 1, x, x, 2, x, x, 3, x, x, 4, x, x),
         _mm_setr_epi8(x, x, 0, x, x, 1, x, x, 2, x, x, 3, x, x, 4, x)},
        {_mm_setr_epi8(x, x, 6, x, x, 7, x, x, 8, x, x, 9, x, x, 10, x),
         _mm_setr_epi8(5, x, x, 6, x, x, 7, x, x, 8, x, x, 9, x, x, 10),
         _mm_setr_epi8(x, 5, x, x, 6, x, x, 7, x, x, 8, x, x, 9, x, x)},
        {_mm_setr_epi8(x, 11, x, x, 12, x, x, 13, x, x, 14, x, x, 15, x, x),
         _mm_setr_epi8(x, x, 11, x, x, 12, x, x, 13, x, x, 14, x, x, 15, x),
         _mm_setr_epi8(10, x, x, 11, x, x, 12, x, x, 13, x, x, 14, x, x, 15)},
    };
    for (int k = 0; k < 3; ++k) {
        __m128i mixed = _mm_or_si128(_mm_or_si128(pick(r, orders[k][0]), pick(g, orders[k][1])),
                                     pick(b, orders[k][2]));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 16 * k), mixed);
    }
}

void color(const uint8_t* y, const uint8_t* cb, const uint8_t* cr, int count, uint8_t* rgb) {
    V middle = _mm256_set1_epi16(128);
    int i = 0;
    for (; i + 16 <= count; i += 16) {
        V luma = load_words(y + i);
        V blue = _mm256_sub_epi16(load_words(cb + i), middle);
        V red = _mm256_sub_epi16(load_words(cr + i), middle);
        // 91881 = 2^16 + 26345, 116130 = 2^17 - 14942, -46802 = 18734 - 2^16
        V r = _mm256_add_epi16(_mm256_add_epi16(luma, red), part(red, 26345));
        V b = _mm256_add_epi16(_mm256_add_epi16(luma, _mm256_slli_epi16(blue, 1)),
                               part(blue, -14942));
        Wide green = Pairs(blue, red).times(-22554, 18734);
        V g = _mm256_add_epi16(_mm256_sub_epi16(luma, red), narrow<16>(green));
        store_rgb(bytes_of(r), bytes_of(g), bytes_of(b), rgb + 3 * i);
    }
    if (i < count) scalar_rows.color(y + i, cb + i, cr + i, count - i, rgb + 3 * i);
}

}  // namespace

const Rows avx2_rows{inverse_dct, lean, stretch, color};

}  // namespace darter::jpeg
