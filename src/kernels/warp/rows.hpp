// The rows for any vector type V, written once; avx2.cpp, avx512.cpp and neon.cpp say what a vector is.
// V lives in an unnamed namespace there, so that each file keeps its own copy of this code.
//
//   V::F, V::I      V::N floats, V::N 32-bit integers
//   load, store, set, fma(a, b, c) = a b + c, add, sub, mul, div, min, max
//                   min and max give the second operand where the first is NaN
//   bytes(p)        N bytes as floats
//   pixels          from N pixels of RGBx floats, N values each of r, g, b
//   interleave      the reverse, to 3 N floats of RGB
//   round_bytes     N floats to N bytes, rounded half up
//   Quad            four floats: load, store, fill, mul, fma, lane<K>(a): lane K of a in all four
//   pairs           at N offsets: the 4 bytes there, and the 4 bytes of the pixel to the right
#pragma once
#include <cstring>

#include "warp/warp.hpp"

namespace darter::warp {

template <typename V>
struct FastRows {
    using F = typename V::F;
    using I = typename V::I;
    static constexpr int N = V::N;

    static void blend(const uint8_t* const* rows, const float* weights, int taps, int64_t count,
                      float* out) {
        int64_t i = 0;
        for (; i + 4 * N <= count; i += 4 * N) blend_block<4>(rows, weights, taps, i, out);
        for (; i + N <= count; i += N) blend_block<1>(rows, weights, taps, i, out);
        if (i == count) return;
        if (count >= N) return blend_block<1>(rows, weights, taps, count - N, out);
        scalar_rows.blend(rows, weights, taps, count, out);
    }

    static void cross(const float* row, const Taps& taps, int64_t width, float* rgbx) {
        switch (taps.count) {
            case 1: return cross_taps<1>(row, taps, width, rgbx);
            case 2: return cross_taps<2>(row, taps, width, rgbx);
            case 3: return cross_taps<3>(row, taps, width, rgbx);
            case 4: return cross_taps<4>(row, taps, width, rgbx);
            default: return cross_taps<0>(row, taps, width, rgbx);
        }
    }

    static void color(const float* rgbx, const Color& color, int64_t width, float* out,
                      ptrdiff_t channel, ptrdiff_t column) {
        for (int64_t x = 0; x < width; x += N) {
            F rgb[3];
            V::pixels(rgbx + 4 * x, rgb);
            finish(rgb, color, x, width, out, channel, column);
        }
    }

    static void quantize(const float* rgbx, int64_t width, uint8_t* out) {
        for (int64_t i = 0; i < 4 * width; i += N) V::round_bytes(V::load(rgbx + i), out + i);
    }

    // Plain loops, which the compiler turns into vectors.
    static void bytes(const float* in, int64_t count, uint8_t* out) {
        for (int64_t i = 0; i < count; ++i)
            out[i] = static_cast<uint8_t>(static_cast<int32_t>(in[i] + 0.5f));
    }

    static void halves(const float* in, int64_t count, uint16_t* out) {
        for (int64_t i = 0; i < count; ++i) {
            uint32_t bits;
            std::memcpy(&bits, in + i, 4);
            out[i] = static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
        }
    }

    static void sample(const Level& level, const LevelMap& map, int64_t y, const Color& color,
                       int64_t width, float* out, ptrdiff_t channel, ptrdiff_t column) {
        if (map.bent) return sample_with<true, true>(level, map, y, color, width, out, channel, column);
        if (map.projective)
            return sample_with<false, true>(level, map, y, color, width, out, channel, column);
        sample_with<false, false>(level, map, y, color, width, out, channel, column);
    }

    static constexpr Rows table{blend, cross, color, quantize, bytes, halves, sample};

private:
    template <int Vectors>
    static void blend_block(const uint8_t* const* rows, const float* weights, int taps, int64_t at,
                            float* out) {
        F sums[Vectors];
        F weight = V::set(weights[0]);
        for (int k = 0; k < Vectors; ++k) sums[k] = V::mul(weight, V::bytes(rows[0] + at + k * N));
        for (int t = 1; t < taps; ++t) {
            weight = V::set(weights[t]);
            for (int k = 0; k < Vectors; ++k)
                sums[k] = V::fma(weight, V::bytes(rows[t] + at + k * N), sums[k]);
        }
        for (int k = 0; k < Vectors; ++k) V::store(out + at + k * N, sums[k]);
    }

    // One pixel in a vector of four: red, green, blue and the next pixel's red, which is not used.
    template <int Count>
    static void cross_taps(const float* row, const Taps& taps, int64_t width, float* rgbx) {
        using Q = typename V::Quad;
        const int count = Count ? Count : taps.count;
        const float* weights = taps.weights;
        const int32_t* first = taps.first;
        for (int64_t x = 0; x < width; ++x, weights += count) {
            const float* pixel = row + 3 * first[x];
            auto four = Q::load(weights);  // one load and shuffles: loads are the limit here
            auto sum = Q::mul(Q::template lane<0>(four), Q::load(pixel));
            if (Count == 0 || Count > 1) sum = Q::fma(Q::template lane<1>(four), Q::load(pixel + 3), sum);
            if (Count == 0 || Count > 2) sum = Q::fma(Q::template lane<2>(four), Q::load(pixel + 6), sum);
            if (Count == 0 || Count > 3) sum = Q::fma(Q::template lane<3>(four), Q::load(pixel + 9), sum);
            for (int t = 4; t < count; ++t)
                sum = Q::fma(Q::fill(weights[t]), Q::load(pixel + 3 * t), sum);
            Q::store(rgbx + 4 * x, sum);
        }
    }

    static void finish(const F rgb[3], const Color& color, int64_t x, int64_t width, float* out,
                       ptrdiff_t channel, ptrdiff_t column) {
        F done[3];
        for (int k = 0; k < 3; ++k) {
            const float* m = color.matrix[k];
            F value = V::fma(V::set(m[0]), rgb[0], V::set(m[3]));
            value = V::fma(V::set(m[1]), rgb[1], value);
            value = V::fma(V::set(m[2]), rgb[2], value);
            done[k] = V::min(V::max(value, V::set(color.low[k])), V::set(color.high[k]));
        }
        if (x + N <= width && column == 1) {
            for (int k = 0; k < 3; ++k) V::store(out + k * channel + x, done[k]);
        } else if (x + N <= width && channel == 1 && column == 3) {
            V::interleave(done, out + 3 * x);
        } else {
            alignas(64) float values[3][N];
            for (int k = 0; k < 3; ++k) V::store(values[k], done[k]);
            for (int64_t i = 0; i < N && x + i < width; ++i)
                for (int k = 0; k < 3; ++k) out[k * channel + (x + i) * column] = values[k][i];
        }
    }

    // The pixel to the left of u, and the share of its right neighbor.
    static I split(F u, int32_t width, F& share) {
        u = V::min(V::max(u, V::set(0.0f)), V::set(static_cast<float>(width - 1)));
        I i = V::min_int(V::truncate(u), V::set_int(width - 2));
        share = V::sub(u, V::to_float(i));
        return i;
    }

    static F mix(F a, F b, F share) { return V::fma(share, V::sub(b, a), a); }

    template <bool Bent, bool Projective>
    static void sample_with(const Level& level, const LevelMap& map, int64_t row, const Color& color,
                            int64_t width, float* out, ptrdiff_t channel, ptrdiff_t column) {
        float h[9];
        for (int i = 0; i < 9; ++i) h[i] = static_cast<float>(map.h[i]);
        const double y = row + 0.5;
        const float start_u = static_cast<float>(map.h[1] * y + map.h[2]);
        const float start_v = static_cast<float>(map.h[4] * y + map.h[5]);
        const float start_w = static_cast<float>(map.h[7] * y + map.h[8]);
        for (int64_t at = 0; at < width; at += N) {
            F x = V::add(V::set(static_cast<float>(at) + 0.5f), V::ramp());
            F u, v;
            if constexpr (Bent) {
                F dx = V::sub(x, V::set(map.cx));
                F dy = V::set(static_cast<float>(y) - map.cy);
                F r2 = V::mul(V::fma(dx, dx, V::mul(dy, dy)), V::set(map.inverse_radius2));
                F factor = V::fma(r2, V::fma(r2, V::set(map.k2), V::set(map.k1)), V::set(1.0f));
                F px = V::fma(dx, factor, V::set(map.cx)), py = V::fma(dy, factor, V::set(map.cy));
                u = V::fma(V::set(h[0]), px, V::fma(V::set(h[1]), py, V::set(h[2])));
                v = V::fma(V::set(h[3]), px, V::fma(V::set(h[4]), py, V::set(h[5])));
                F w = V::fma(V::set(h[6]), px, V::fma(V::set(h[7]), py, V::set(h[8])));
                u = V::div(u, w);
                v = V::div(v, w);
            } else {
                u = V::fma(V::set(h[0]), x, V::set(start_u));
                v = V::fma(V::set(h[3]), x, V::set(start_v));
                if constexpr (Projective) {
                    F w = V::fma(V::set(h[6]), x, V::set(start_w));
                    u = V::div(u, w);
                    v = V::div(v, w);
                }
            }
            F right, down, rgb[3];
            I i = split(u, level.width, right), j = split(v, level.height, down);
            I offset = V::add_int(V::mul_int(j, V::set_int(level.row_bytes)),
                                  V::mul_int(i, V::set_int(level.pixel_bytes)));
            I a, b, c, d;
            V::pairs(level.pixels, offset, 8 * level.pixel_bytes, a, b);
            V::pairs(level.pixels + level.row_bytes, offset, 8 * level.pixel_bytes, c, d);
            rgb[0] = mix(mix(V::template byte<0>(a), V::template byte<0>(b), right),
                         mix(V::template byte<0>(c), V::template byte<0>(d), right), down);
            rgb[1] = mix(mix(V::template byte<1>(a), V::template byte<1>(b), right),
                         mix(V::template byte<1>(c), V::template byte<1>(d), right), down);
            rgb[2] = mix(mix(V::template byte<2>(a), V::template byte<2>(b), right),
                         mix(V::template byte<2>(c), V::template byte<2>(d), right), down);
            finish(rgb, color, at, width, out, channel, column);
        }
    }
};

}  // namespace darter::warp
