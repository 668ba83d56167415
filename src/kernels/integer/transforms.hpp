// F(4x4, 3x3) on whole numbers: the sums of 4 x 4 pixels of a 3x3 filter by 36 products, not 144.
//
//     2^s 9 Y = At [ (G g Gt) * (Bt d B) ] A        all of them whole, s of each pixel its own
//
// The points are 0, 1, -1, 2, -2 and infinity. G and A are multiplied by the divisors that Lavin &
// Gray have in G (arXiv:1509.09308), so that nothing is rounded. Pixels of 8 bits are at most 12,750
// once transformed, filters at most 6,272: both fit 16 bits. Their sums may not fit 32, but sums that
// wrap around are right modulo 2^32, 9 has an inverse there, and of 2^s Y, s <= 6, the quotient is
// known where |Y| < 2^25.
#pragma once
#include <cstdint>

namespace darter::whole {

constexpr int kInputs = 6, kOutputs = 4, kTaps = 3, kPositions = kInputs * kInputs;
constexpr int kTwos[kOutputs] = {3, 2, 1, 1};      // an output is 3 * 2^these times what it should be
constexpr uint32_t kNinth = 954437177;             // 9 * kNinth = 1 modulo 2^32
constexpr int64_t kMostSum = int64_t{1} << (31 - 2 * kTwos[0]);
static_assert(9 * kNinth == 1);

template <class T>
[[gnu::always_inline]] constexpr void input_line(const T (&d)[kInputs], T (&t)[kInputs]) {
    const T even = d[4] - d[2], odd = d[3] - d[1], far_even = d[4] - (d[2] << 2), far_odd = d[3] - (d[1] << 2);
    t[0] = ((d[0] - d[2]) << 2) + even;
    t[1] = far_even + far_odd;
    t[2] = far_even - far_odd;
    t[3] = even + (odd << 1);
    t[4] = even - (odd << 1);
    t[5] = (d[5] - d[3]) - (odd << 2);
}

template <class T>
[[gnu::always_inline]] constexpr void filter_line(const T (&g)[kTaps], T (&t)[kInputs]) {
    const T ends = g[0] + g[2], far_ends = g[0] + 4 * g[2];
    t[0] = 6 * g[0];
    t[1] = ends + g[1];
    t[2] = ends - g[1];
    t[3] = far_ends + 2 * g[1];
    t[4] = far_ends - 2 * g[1];
    t[5] = 6 * g[2];
}

template <class T>
[[gnu::always_inline]] constexpr void output_line(const T (&t)[kInputs], T (&y)[kOutputs]) {
    const T near = t[1] + t[2], across = t[2] - t[1], far = t[3] + t[4], far_across = t[3] - t[4];
    y[0] = (t[0] - (near << 2)) + far;
    y[1] = (across << 1) + far_across;
    y[2] = far - near;
    y[3] = (across + (far_across << 1)) + t[5];
}

// Of a picture of zeros but for pixel l, and a filter of zeros but for tap a: output i is 3 * 2^twos
// where l = i + a, 0 elsewhere.
consteval bool is_exact() {
    for (int l = 0; l < kInputs; ++l)
        for (int a = 0; a < kTaps; ++a) {
            int d[kInputs] = {}, g[kTaps] = {}, v[kInputs], u[kInputs], y[kOutputs];
            d[l] = g[a] = 1;
            input_line(d, v);
            filter_line(g, u);
            for (int j = 0; j < kInputs; ++j) v[j] *= u[j];
            output_line(v, y);
            for (int i = 0; i < kOutputs; ++i)
                if (y[i] != (l == i + a ? 3 << kTwos[i] : 0)) return false;
        }
    return true;
}
static_assert(is_exact());

}  // namespace darter::whole
