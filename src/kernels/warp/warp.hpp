// From a decoded picture to a slot of a batch: one resampling, one color matrix, one clip.
//
// Straight maps (scale, crop, flip, shift) take a separable triangle filter as wide as the map
// minifies, as Pillow's BILINEAR. All others look bilinearly into a level: the picture, box-averaged
// so far that the map does not minify it any more (a copy where nothing is averaged).
#pragma once
#include <cstddef>
#include <cstdint>

namespace darter::warp {

enum class Border { reflect, edge, fill };

// Columns [left, right) and rows [top, bottom).
struct Box {
    int64_t left, top, right, bottom;

    bool contains(const Box& other) const {
        return left <= other.left && top <= other.top && other.right <= right &&
               other.bottom <= bottom;
    }
};

struct Picture {
    const uint8_t* pixels;  // RGB, of the part that is held; rows contiguous
    int64_t width, height;  // of the whole picture, which is what maps and borders refer to
    Box held;

    const uint8_t* at(int64_t x, int64_t y) const {
        return pixels + 3 * ((y - held.top) * (held.right - held.left) + x - held.left);
    }
};

enum class Format { float32, bfloat16, uint8 };

// Strides in values of the format; bytes are rounded half up, bfloat16 to the nearest, ties to even.
struct Output {
    void* data;
    Format format;
    int64_t width, height;
    ptrdiff_t channel, row, column;
};

// Output points to picture points: first the lens, then the homography (row by row). Pixel i spans
// [i, i + 1). The lens moves p to c + (p - c)(1 + k1 r^2 + k2 r^4), r = |p - c| / radius.
struct Map {
    double h[9];
    bool bent;  // whether there is a lens
    double cx, cy, radius, k1, k2;
};

// Channel k of the output: matrix[k] . (r, g, b, 1), r, g, b in 0..255, clipped to [low, high].
struct Color {
    float matrix[3][4], low[3], high[3];
};

// What `sample_row` looks into. i < width - 1 and j < height - 1 have a right and a lower neighbor;
// 8 bytes can be read at each of them.
struct Level {
    const uint8_t* pixels;
    int32_t row_bytes, pixel_bytes;  // pixel_bytes: 3 or 4
    int32_t width, height;
};

// `Map` in single precision from output points to pixel centers of a level: u = h . (x, y, 1).
// Without lens and denominator only h[0..5] are used.
struct LevelMap {
    double h[9];
    bool projective, bent;
    float cx, cy, inverse_radius2, k1, k2;
};

// `count` source pixels for each output pixel: row[first[x] + t] times weights[x * count + t].
struct Taps {
    int count;
    const int32_t* first;
    const float* weights;
};

constexpr int kSlack = 64;  // floats that may be read or written past the end of a scratch row

// The inner loops, one row at a time; one table per instruction set.
struct Rows {
    // out[i] = sum of weights[t] * rows[t][i], i < count
    void (*blend)(const uint8_t* const* rows, const float* weights, int taps, int64_t count,
                  float* out);
    // RGB floats to RGBx floats; x is anything finite
    void (*cross)(const float* row, const Taps& taps, int64_t width, float* rgbx);
    // RGBx floats to the output's row
    void (*color)(const float* rgbx, const Color& color, int64_t width, float* out,
                  ptrdiff_t channel, ptrdiff_t column);
    // RGBx floats to bytes, rounded half up; width pixels of 4 bytes
    void (*quantize)(const float* rgbx, int64_t width, uint8_t* out);
    // floats to bytes, each in 0..255, and to the upper halves of floats
    void (*bytes)(const float* in, int64_t count, uint8_t* out);
    void (*halves)(const float* in, int64_t count, uint16_t* out);
    // row y of the output, seen in a level
    void (*sample)(const Level& level, const LevelMap& map, int64_t y, const Color& color,
                   int64_t width, float* out, ptrdiff_t channel, ptrdiff_t column);
};

extern const Rows scalar_rows, avx2_rows, avx512_rows, neon_rows;

// The part of a width x height picture that `warp` reads.
Box reach(int64_t width, int64_t height, const Output& out, const Map& map, Border border);

// `picture` must hold what `reach` says.
void warp(const Picture& picture, const Output& out, const Map& map, const Color& color,
          Border border, const uint8_t fill[3]);

// Of the part that is in `box`.
void mean_rgb(const Picture& picture, const Box& box, double mean[3]);

}  // namespace darter::warp
