// The plain arithmetic of libjpeg's accurate integer decoder (jidctint.c, jdsample.c, jdcolor.c):
// what the fast rows are measured by, and what runs where nothing else can.
#include <algorithm>

#include "jpeg/jpeg.hpp"

namespace darter::jpeg {
namespace {

// Sums of damaged files overflow; they do so here as in libjpeg-turbo's vector registers: sums of
// coefficients wrap in 16 bits, products in 32, results are cut to 16.
int32_t wrapped(int32_t a) { return static_cast<int16_t>(a); }

struct Sum {  // 32 bits that wrap
    uint32_t bits;
    friend Sum operator+(Sum a, Sum b) { return {a.bits + b.bits}; }
    friend Sum operator-(Sum a, Sum b) { return {a.bits - b.bits}; }
};

Sum times(int32_t a, int32_t weight) { return {static_cast<uint32_t>(a * weight)}; }

int16_t narrow(Sum sum, int shift) {
    auto rounded = static_cast<int32_t>(sum.bits + (1u << (shift - 1)));
    return static_cast<int16_t>(std::clamp(rounded >> shift, -32768, 32767));
}

// One-dimensional inverse DCT with 13-bit constants, divided by 2^shift.
void transform(const int16_t in[8], int16_t out[8], int shift) {
    Sum two = times(in[2], 4433) + times(in[6], 4433 - 15137);
    Sum three = times(in[2], 4433 + 6270) + times(in[6], 4433);
    Sum zero = times(wrapped(in[0] + in[4]), 1 << 13), one = times(wrapped(in[0] - in[4]), 1 << 13);
    Sum even[4] = {zero + three, one + two, one - two, zero - three};

    int32_t a = in[7], b = in[5], c = in[3], d = in[1];
    int32_t a_c = wrapped(a + c), b_d = wrapped(b + d);
    Sum ac = times(a_c, 9633 - 16069) + times(b_d, 9633);
    Sum bd = times(a_c, 9633) + times(b_d, 9633 - 3196);
    Sum odd[4] = {times(a, -7373) + times(d, 12299 - 7373) + bd,
                  times(b, -20995) + times(c, 25172 - 20995) + ac,
                  times(b, 16819 - 20995) + times(c, -20995) + bd,
                  times(a, 2446 - 7373) + times(d, -7373) + ac};
    for (int i = 0; i < 4; ++i) {
        out[i] = narrow(even[i] + odd[i], shift);
        out[7 - i] = narrow(even[i] - odd[i], shift);
    }
}

void inverse_dct(int16_t* const blocks[2], uint8_t* const samples[2],
                 const ptrdiff_t row_bytes[2]) {
    for (int n = 0; n < 2; ++n) {
        int16_t middle[8][8], in[8], out[8];
        for (int x = 0; x < 8; ++x) {
            for (int y = 0; y < 8; ++y) in[y] = blocks[n][8 * y + x];
            transform(in, out, 11);
            for (int y = 0; y < 8; ++y) middle[y][x] = out[y];
        }
        std::fill_n(blocks[n], 64, int16_t{0});
        for (int y = 0; y < 8; ++y) {
            transform(middle[y], out, 18);
            for (int x = 0; x < 8; ++x)
                samples[n][y * row_bytes[n] + x] =
                    static_cast<uint8_t>(std::clamp(out[x] + 128, 0, 255));
        }
    }
}

void lean(const uint8_t* near, const uint8_t* far, int count, uint16_t* out) {
    for (int i = 0; i < count; ++i) out[i] = static_cast<uint16_t>(3 * near[i] + far[i]);
}

void stretch(const uint16_t* in, int count, int even, int odd, int shift, uint8_t* out) {
    for (int i = 0; i < count; ++i) {
        out[2 * i] = static_cast<uint8_t>((3 * in[i] + in[i - 1] + even) >> shift);
        out[2 * i + 1] = static_cast<uint8_t>((3 * in[i] + in[i + 1] + odd) >> shift);
    }
}

void color(const uint8_t* y, const uint8_t* cb, const uint8_t* cr, int count, uint8_t* rgb) {
    constexpr int half = 1 << 15;
    for (int i = 0; i < count; ++i, rgb += 3) {
        int b = cb[i] - 128, r = cr[i] - 128;
        rgb[0] = static_cast<uint8_t>(std::clamp(y[i] + ((91881 * r + half) >> 16), 0, 255));
        rgb[1] = static_cast<uint8_t>(
            std::clamp(y[i] + ((-22554 * b - 46802 * r + half) >> 16), 0, 255));
        rgb[2] = static_cast<uint8_t>(std::clamp(y[i] + ((116130 * b + half) >> 16), 0, 255));
    }
}

}  // namespace

const Rows scalar_rows{inverse_dct, lean, stretch, color};

}  // namespace darter::jpeg
