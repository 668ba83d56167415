// The plain rows: what the fast ones are measured by, and what runs where nothing else can.
#include <bit>
#include <cmath>

#include "warp/warp.hpp"

namespace darter::warp {
namespace {

void blend(const uint8_t* const* rows, const float* weights, int taps, int64_t count, float* out) {
    for (int64_t i = 0; i < count; ++i) {
        float sum = 0;
        for (int t = 0; t < taps; ++t) sum += weights[t] * rows[t][i];
        out[i] = sum;
    }
}

void cross(const float* row, const Taps& taps, int64_t width, float* rgbx) {
    for (int64_t x = 0; x < width; ++x) {
        const float* pixel = row + 3 * taps.first[x];
        const float* weights = taps.weights + x * taps.count;
        float sum[3] = {0, 0, 0};
        for (int t = 0; t < taps.count; ++t)
            for (int c = 0; c < 3; ++c) sum[c] += weights[t] * pixel[3 * t + c];
        for (int c = 0; c < 3; ++c) rgbx[4 * x + c] = sum[c];
        rgbx[4 * x + 3] = 0;
    }
}

void write_pixel(const float rgb[3], const Color& color, float* out, ptrdiff_t channel) {
    for (int k = 0; k < 3; ++k) {
        const float* m = color.matrix[k];
        float value = m[3] + m[0] * rgb[0] + m[1] * rgb[1] + m[2] * rgb[2];
        value = value > color.low[k] ? value : color.low[k];
        out[k * channel] = value < color.high[k] ? value : color.high[k];
    }
}

void color(const float* rgbx, const Color& color, int64_t width, float* out, ptrdiff_t channel,
           ptrdiff_t column) {
    for (int64_t x = 0; x < width; ++x)
        write_pixel(rgbx + 4 * x, color, out + x * column, channel);
}

void quantize(const float* rgbx, int64_t width, uint8_t* out) {
    for (int64_t i = 0; i < 4 * width; ++i) out[i] = static_cast<uint8_t>(rgbx[i] + 0.5f);
}

void bytes(const float* in, int64_t count, uint8_t* out) {
    for (int64_t i = 0; i < count; ++i) out[i] = static_cast<uint8_t>(in[i] + 0.5f);
}

void halves(const float* in, int64_t count, uint16_t* out) {
    for (int64_t i = 0; i < count; ++i) {
        auto bits = std::bit_cast<uint32_t>(in[i]);
        out[i] = static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    }
}

void map_point(const LevelMap& map, double x, double y, float& u, float& v) {
    if (map.bent) {
        double dx = x - map.cx, dy = y - map.cy;
        double r2 = (dx * dx + dy * dy) * map.inverse_radius2;
        double factor = 1 + r2 * (map.k1 + r2 * map.k2);
        x = map.cx + dx * factor;
        y = map.cy + dy * factor;
    }
    const double* h = map.h;
    double w = map.projective ? h[6] * x + h[7] * y + h[8] : 1.0;
    u = static_cast<float>((h[0] * x + h[1] * y + h[2]) / w);
    v = static_cast<float>((h[3] * x + h[4] * y + h[5]) / w);
}

// The pixel to the left of u and the share of its right neighbor; NaN counts as 0.
int32_t split(float u, int32_t width, float& share) {
    u = u > 0.0f ? u : 0.0f;
    u = u < width - 1 ? u : static_cast<float>(width - 1);
    int32_t i = static_cast<int32_t>(u);
    i = i < width - 2 ? i : width - 2;
    share = u - i;
    return i;
}

void sample(const Level& level, const LevelMap& map, int64_t y, const Color& color, int64_t width,
            float* out, ptrdiff_t channel, ptrdiff_t column) {
    for (int64_t x = 0; x < width; ++x) {
        float u, v, right, down;
        map_point(map, x + 0.5, y + 0.5, u, v);
        int32_t i = split(u, level.width, right), j = split(v, level.height, down);
        const uint8_t* above = level.pixels + j * level.row_bytes + i * level.pixel_bytes;
        const uint8_t* below = above + level.row_bytes;
        float rgb[3];
        for (int c = 0; c < 3; ++c) {
            float a = above[c], b = above[c + level.pixel_bytes];
            float top = a + right * (b - a);
            a = below[c], b = below[c + level.pixel_bytes];
            float bottom = a + right * (b - a);
            rgb[c] = top + down * (bottom - top);
        }
        write_pixel(rgb, color, out + x * column, channel);
    }
}

}  // namespace

const Rows scalar_rows{blend, cross, color, quantize, bytes, halves, sample};

}  // namespace darter::warp
