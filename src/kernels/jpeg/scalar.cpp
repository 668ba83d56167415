// The plain arithmetic of libjpeg's accurate integer decoder (jidctint.c, jdsample.c, jdcolor.c):
// what the fast rows are measured by, and what runs where nothing else can.
#include <algorithm>

#include "jpeg/jpeg.hpp"

namespace darter::jpeg {
namespace {

// One-dimensional inverse DCT with 13-bit constants, divided by 2^shift. 64 bits wide, so that no
// damaged file can overflow it.
void transform(const int64_t in[8], int64_t out[8], int shift) {
    int64_t z1 = (in[2] + in[6]) * 4433;
    int64_t two = z1 - in[6] * 15137, three = z1 + in[2] * 6270;
    int64_t zero = (in[0] + in[4]) << 13, one = (in[0] - in[4]) << 13;
    int64_t even[4] = {zero + three, one + two, one - two, zero - three};

    int64_t a = in[7], b = in[5], c = in[3], d = in[1];
    int64_t z5 = (a + c + b + d) * 9633;
    int64_t ad = (a + d) * -7373, bc = (b + c) * -20995;
    int64_t ac = (a + c) * -16069 + z5, bd = (b + d) * -3196 + z5;
    int64_t odd[4] = {d * 12299 + ad + bd, c * 25172 + bc + ac, b * 16819 + bc + bd,
                      a * 2446 + ad + ac};
    int64_t half = int64_t{1} << (shift - 1);
    for (int i = 0; i < 4; ++i) {
        out[i] = (even[i] + odd[i] + half) >> shift;
        out[7 - i] = (even[i] - odd[i] + half) >> shift;
    }
}

void inverse_dct(int16_t* const blocks[2], uint8_t* const samples[2],
                 const ptrdiff_t row_bytes[2]) {
    for (int n = 0; n < 2; ++n) {
        int64_t middle[8][8], in[8], out[8];
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
                    static_cast<uint8_t>(std::clamp<int64_t>(out[x] + 128, 0, 255));
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
