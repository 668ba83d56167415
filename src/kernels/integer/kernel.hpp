// The kernels of one instruction set; V says how it multiplies. Each source gets functions of its own.
//
// V::Sums: kLanes sums of 32 bits.   V::Weights: kLanes filters of 4 weights.   V::Values: 4 numbers.
// V::kPixels: of a tile of 1, 2, ... blocks of filters.
#pragma once
#include <cstdint>
#include <cstring>
#include <iterator>

#include "integer/tile.hpp"
#include "integer/winograd_kernel.hpp"

namespace darter {
namespace {

// The whole number nearest to v, ties to even, for |v| < 2^22: added to it, no place is left for a
// fraction.
inline float rounded(float v) {
    constexpr float kWhole = 12582912.0f;  // 1.5 * 2^23
    return (v + kWhole) - kWhole;
}

inline float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }

inline float within(float v, float low, float high) {
    v = v < low ? low : v;
    return v > high ? high : v;
}

inline void finish_block(const int32_t* sums, const IntegerFinish& f, const float* scale,
                         const uint8_t* residual, void* y, int64_t at) {
    float v[kIntegerBlock];
    for (int i = 0; i < kIntegerBlock; ++i) v[i] = static_cast<float>(sums[i]) * scale[i];
    if (f.to_float) {
        std::memcpy(static_cast<float*>(y) + at, v, sizeof v);
        return;
    }
    for (int i = 0; i < kIntegerBlock; ++i) v[i] = rounded(within(v[i], f.low, f.high));
    for (int i = 0; i < kIntegerBlock; ++i) v[i] += f.zero;
    if (residual)
        for (int i = 0; i < kIntegerBlock; ++i) {
            const float r = static_cast<float>(static_cast<int32_t>(residual[i]));
            const float own = fused(v[i], f.own, f.own_first ? fused(r, f.other, f.fixed) : f.fixed);
            v[i] = rounded(within(f.own_first ? own : fused(r, f.other, own), f.sum_low, f.sum_high));
        }
    uint8_t* to = static_cast<uint8_t*>(y) + at;
    for (int i = 0; i < kIntegerBlock; ++i) to[i] = static_cast<uint8_t>(static_cast<int32_t>(v[i]));
}

template <class V, int P, int B>
void tile_of(const IntegerTile& t) {
    constexpr int kParts = kIntegerBlock / V::kLanes, kWidth = B * kParts;
    typename V::Sums sums[P][kWidth];
#pragma GCC unroll 12
    for (int p = 0; p < P; ++p)
#pragma GCC unroll 8
        for (int i = 0; i < kWidth; ++i) sums[p][i] = V::sums(t.finish.bias + i * V::kLanes);
    const int8_t *w = t.w, *next = t.next ? t.next : w;
    const int64_t groups = t.groups, next_line = t.next ? 64 : 0;
    for (int64_t step = 0; step < t.steps; ++step) {
        const uint8_t* x = t.x + t.offsets[step];
        for (int64_t group = 0; group < groups; ++group, x += kIntegerGroup, w += 64 * B, next += next_line) {
            if constexpr (P > 1) __builtin_prefetch(next, 0, 2);  // one pixel waits for w already
            typename V::Weights weights[kWidth];
#pragma GCC unroll 8
            for (int i = 0; i < kWidth; ++i) weights[i] = V::weights(w + i * V::kLanes * 4);
#pragma GCC unroll 12
            for (int p = 0; p < P; ++p) {
                const typename V::Values values = V::values(x + t.places[p]);
#pragma GCC unroll 8
                for (int i = 0; i < kWidth; ++i) sums[p][i] = V::dot(sums[p][i], values, weights[i]);
            }
        }
    }
    // Whatever takes sums by a place that is not known here would keep all of them in memory.
    if constexpr (requires { V::template finish_registers<P, B>(sums, t); })
        if (V::template finish_registers<P, B>(sums, t)) return;
    alignas(64) int32_t all[P * B * kIntegerBlock];
#pragma GCC unroll 12
    for (int p = 0; p < P; ++p)
#pragma GCC unroll 8
        for (int i = 0; i < kWidth; ++i)
            V::store(all + p * B * kIntegerBlock + i * V::kLanes, sums[p][i]);
    if constexpr (requires { V::finish_stored(all, P, B, t); })
        if (!t.finish.to_float) return V::finish_stored(all, P, B, t);
    for (int p = 0; p < P; ++p)
        for (int b = 0; b < B; ++b) {
            const int64_t pixel = p * kIntegerBlock;
            V::finish(all + (p * B + b) * kIntegerBlock, t.finish, t.finish.scale + b * kIntegerBlock,
                      t.finish.residual ? t.residual + b * t.residual_block + pixel : nullptr, t.y,
                      b * t.y_block + pixel);
        }
}

// So many tiles of `pixels`, which is at most P; the pixels behind them are next.
template <class V, int B, int P = V::kPixels[B - 1]>
void tiles_of(IntegerTile& t, int64_t count, int64_t pixels) {
    if constexpr (P > 1)
        if (pixels < P) return tiles_of<V, B, P - 1>(t, count, pixels);
    for (int64_t i = 0; i < count; ++i) {
        tile_of<V, P, B>(t);
        t.places += P;
        t.y = static_cast<uint8_t*>(t.y) + P * kIntegerBlock * (t.finish.to_float ? sizeof(float) : 1);
        if (t.residual) t.residual += P * kIntegerBlock;
        if (t.next && (t.next += t.steps * t.groups * 64) >= t.next_end) t.next = nullptr;
    }
}

// Of sizes that differ by a pixel at most.
template <class V, int B = std::size(V::kPixels)>
void tiles(const IntegerTile& all) {
    if constexpr (B > 1)
        if (all.blocks < B) return tiles<V, B - 1>(all);
    constexpr int64_t most = V::kPixels[B - 1];
    const int64_t count = (all.pixels + most - 1) / most, pixels = all.pixels / count, larger = all.pixels % count;
    IntegerTile t = all;
    if (larger) tiles_of<V, B>(t, larger, pixels + 1);
    tiles_of<V, B>(t, count - larger, pixels);
}

template <class V>
void depthwise(const IntegerDepthwise& d) {
    for (int64_t i = 0; i < d.lines * d.pixels; ++i) {
        const uint8_t* x = d.x + i / d.pixels * d.x_line + d.places[i % d.pixels];
        alignas(64) int32_t sums[kIntegerBlock];
        std::memcpy(sums, d.finish.bias, sizeof sums);
        for (int64_t tap = 0; tap < d.rows * d.columns; ++tap) {
            const uint8_t* from = x + d.offsets[tap];
            const int16_t* w = d.w + tap * kIntegerBlock;
            for (int c = 0; c < kIntegerBlock; ++c) sums[c] += static_cast<int32_t>(from[c]) * w[c];
        }
        V::finish(sums, d.finish, d.finish.scale, d.residual ? d.residual + i * kIntegerBlock : nullptr,
                  d.y, i * kIntegerBlock);
    }
}

// Lines are short: the compiler must not call memcpy for each.
void copy_lines(const uint8_t* x, int64_t bytes, uint8_t* y, int64_t y_line, int64_t lines) {
    for (int64_t line = 0; line < lines; ++line, y += y_line, x += bytes) {
        int64_t i = 0;
        for (; i + 4 * kIntegerBlock <= bytes; i += 4 * kIntegerBlock) {
            std::memcpy(y + i, x + i, 4 * kIntegerBlock);
            asm volatile("");
        }
        for (; i < bytes; i += kIntegerBlock) {
            std::memcpy(y + i, x + i, kIntegerBlock);
            asm volatile("");
        }
    }
}

void add(const uint8_t* a, const uint8_t* b, uint8_t* y, int64_t count, const float* numbers) {
    const float fixed = numbers[0], a_scale = numbers[1], b_scale = numbers[2];
    const float low = numbers[3], high = numbers[4];
    for (int64_t i = 0; i < count; ++i) {
        const float other = fused(static_cast<float>(static_cast<int32_t>(b[i])), b_scale, fixed);
        const float v = fused(static_cast<float>(static_cast<int32_t>(a[i])), a_scale, other);
        y[i] = static_cast<uint8_t>(static_cast<int32_t>(rounded(within(v, low, high))));
    }
}

void rescale(const uint8_t* x, uint8_t* y, int64_t count, const float* numbers) {
    const float x_zero = numbers[0], scale = numbers[1], low = numbers[2], high = numbers[3];
    const float zero = numbers[4];
    for (int64_t i = 0; i < count; ++i) {
        const float v = (static_cast<float>(static_cast<int32_t>(x[i])) - x_zero) * scale;
        y[i] = static_cast<uint8_t>(static_cast<int32_t>(rounded(within(v, low, high)) + zero));
    }
}

constexpr int kLinePart = 512;  // pixels whose bytes wait in the first cache

// A number that is none becomes the least.
void quantize(const float* x, uint8_t* q, int64_t count, float step, float low, float high,
              float zero) {
    for (int64_t i = 0; i < count; ++i) {
        float v = x[i] / step;
        v = v > low ? v : low;
        v = v > high ? high : v;
        q[i] = static_cast<uint8_t>(static_cast<int32_t>(rounded(v) + zero));
    }
}

template <int channels, int pixel>
void side_by_side(const uint8_t (&rows)[kIntegerGroup][kLinePart], uint8_t* __restrict y, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
        for (int c = 0; c < channels; ++c) y[i * pixel + c] = rows[c][i];
}

template <int channels>
void quantize_channels(const IntegerLine& line) {
    uint8_t rows[kIntegerGroup][kLinePart];
    for (int64_t first = 0; first < line.pixels; first += kLinePart) {
        const int64_t count = line.pixels - first < kLinePart ? line.pixels - first : kLinePart;
        for (int c = 0; c < channels; ++c)
            quantize(line.x + c * line.plane + first, rows[c], count, line.step, line.low, line.high, line.zero);
        uint8_t* y = line.y + first * line.pixel;
        if (line.pixel == channels) side_by_side<channels, channels>(rows, y, count);
        else side_by_side<channels, kIntegerGroup>(rows, y, count);
    }
}

void quantize_line(const IntegerLine& line) {
    switch (line.channels) {
        case 1: return quantize_channels<1>(line);
        case 2: return quantize_channels<2>(line);
        case 3: return quantize_channels<3>(line);
        default: return quantize_channels<kIntegerGroup>(line);
    }
}

void dequantize(const uint8_t* q, float* x, int64_t count, float scale, float zero) {
    for (int64_t i = 0; i < count; ++i)
        x[i] = (static_cast<float>(static_cast<int32_t>(q[i])) - zero) * scale;
}

typedef uint8_t Pixel __attribute__((vector_size(kIntegerBlock)));

inline Pixel pixel_of(const uint8_t* x) {
    Pixel pixel;
    std::memcpy(&pixel, x, sizeof pixel);
    return pixel;
}

void larger(const uint8_t* a, const uint8_t* b, uint8_t* __restrict y, int64_t count) {
    for (int64_t i = 0; i < count; ++i) y[i] = a[i] > b[i] ? a[i] : b[i];
}

void largest(const uint8_t* a, const uint8_t* b, const uint8_t* c, uint8_t* __restrict y, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
        const uint8_t v = a[i] > b[i] ? a[i] : b[i];
        y[i] = v > c[i] ? v : c[i];
    }
}

// Of `many` arrays, a step apart.
void largest_of(const uint8_t* x, int64_t step, int64_t many, uint8_t* __restrict y, int64_t count) {
    switch (many) {
        case 0: std::memset(y, 0, count); return;
        case 1: std::memcpy(y, x, count); return;
        case 2: return larger(x, x + step, y, count);
    }
    largest(x, x + step, x + 2 * step, y, count);
    for (int64_t i = 3; i < many; ++i)
        for (int64_t j = 0; j < count; ++j) y[j] = y[j] > x[i * step + j] ? y[j] : x[i * step + j];
}

void pool(const IntegerPoolLine& p) {
    largest_of(p.x, p.row, p.rows, p.line + p.left * kIntegerBlock, p.bytes);
    const int64_t step = p.dilation * kIntegerBlock;
    if (p.stride == 1) return largest_of(p.line, step, p.columns, p.y, p.pixels * kIntegerBlock);
    for (int64_t i = 0; i < p.pixels; ++i) {
        const uint8_t* window = p.line + i * p.stride * kIntegerBlock;
        Pixel most = pixel_of(window);
        for (int64_t s = 1; s < p.columns; ++s) {
            const Pixel next = pixel_of(window + s * step);
            most = most > next ? most : next;
        }
        std::memcpy(p.y + i * kIntegerBlock, &most, sizeof most);
    }
}

template <class V>
constexpr IntegerKernels integer_kernels_of() {
    return {V::kPixels, std::size(V::kPixels), tiles<V>, depthwise<V>, copy_lines, winograd_input<V>,
            winograd_pairs<V>, winograd_output<V>, pool, add, rescale, quantize, quantize_line, dequantize};
}

// As the compiler vectorizes it.
struct PlainFinish {
    static void finish(const int32_t* sums, const IntegerFinish& f, const float* scale,
                       const uint8_t* residual, void* y, int64_t at) {
        finish_block(sums, f, scale, residual, y, at);
    }
};

}  // namespace
}  // namespace darter
