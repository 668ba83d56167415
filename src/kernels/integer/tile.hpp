// What the instruction sets compute of convolutions of 8-bit integers. Only plain types: their
// sources may not share inline functions with others.
#pragma once
#include <cstdint>

namespace darter {

constexpr int kIntegerBlock = 16;  // channels that lie together
constexpr int kIntegerGroup = 4;   // channels, or pixels of few channels, of one dot product

// What becomes of sums of 16 filters, which begin with the bias. q = sum * scale within [low, high],
// rounded, ties to even, plus zero. y = q; with a residual r, y = first + (second + fixed) within
// [sum_low, sum_high], rounded, where one of the two is q * own and the other r * other, each added
// without rounding its product. Otherwise nothing is fused: every instruction set gives the same bits.
struct IntegerFinish {
    const int32_t* bias;  // of the first filter
    const float* scale;
    float low, high, zero;
    float own, other, fixed, sum_low, sum_high;
    bool own_first, residual, to_float;  // to_float: y = sum * scale, float32
    bool small;                           // scales are below 1, so that every v fits 32 bits
};

// Some output pixels, of one tile after the other, and the blocks of 16 filters of a tile.
struct IntegerTile {
    const uint8_t* x;
    const int64_t* places;   // bytes from x to the first tap of each pixel
    const int64_t* offsets;  // bytes from a pixel's first tap to each run of taps
    int64_t steps;           // runs
    int64_t groups;          // dot products in a run, 4 bytes apart
    const int8_t* w;         // [step][group][block][16 filters][4]
    const int8_t *next, *next_end;  // filters that are read after these: fetched meanwhile; or none
    int64_t pixels;
    int blocks;
    IntegerFinish finish;
    void* y;                 // [block][pixel][16]
    int64_t y_block;         // numbers from one block of filters to the next
    const uint8_t* residual;
    int64_t residual_block;
};

// A line of pixels, each of whose channels lies apart, and how its numbers are rounded.
struct IntegerLine {
    const float* x;
    int64_t plane;     // numbers from one channel to the next
    int channels;      // 1 to 4
    uint8_t* y;
    int64_t pixel;     // bytes from one pixel to the next
    int64_t pixels;
    float step, low, high, zero;
};

// Some lines of output pixels of one block of 16 channels, each filtered on its own.
struct IntegerDepthwise {
    const uint8_t* x;
    const int64_t *places, *offsets;  // places: of a line's pixels
    int64_t rows, columns;  // of taps
    bool neighbors;         // the taps of a row are neighboring pixels
    const int16_t* w;       // [row][column][16]
    const int8_t* fours;    // [row][4 columns][16][4]; past the last column 0
    int64_t lines, pixels;
    int64_t x_line;         // bytes from the taps of a line to those of the next
    IntegerFinish finish;
    void* y;                // [line][pixel][16]
    const uint8_t* residual;
};

// The largest numbers of windows: a line of pixels of a block of channels.
struct IntegerPoolLine {
    const uint8_t* x;
    int64_t row, rows;      // bytes from one row of the window to the next; rows in the picture
    int64_t bytes;          // of a row of the picture
    uint8_t* line;          // room for what the windows of the line span; zeros beside the picture
    int64_t left;           // pixels of them before it
    int64_t columns, stride, dilation;
    uint8_t* y;             // [pixel][16]
    int64_t pixels;
};

// Of the phases of integer/winograd.hpp. Pixels of 6 x 6 places, transformed.
struct IntegerPatch {
    const uint8_t* x;
    int64_t x_row, x_block;  // bytes
    int64_t blocks;
    int16_t* v;              // [position][...][channel]
    int64_t position;        // numbers from one of the 36 positions to the next
};

// Of each position the products of some tiles and some blocks of filters.
struct IntegerPairs {
    const int16_t* v;  // [position][tile][channel]
    int64_t v_position;
    const int16_t* w;  // [position][its pairs of channels][block][16 filters][2]
    const int64_t *first, *pairs;  // of each position
    int64_t channels, tiles;
    int blocks;
    int32_t* sums;     // [position][tile][block][16 filters]
    int64_t sums_position;
};

// What becomes of the sums of a tile and a block.
struct IntegerPatchSums {
    const int32_t* sums;
    int64_t position;
    int rows, columns;  // of the 4 x 4 pixels that are in the picture
    IntegerFinish finish;
    uint8_t* y;
    int64_t y_row;
    const uint8_t* residual;
};

struct IntegerKernels {
    const int* pixels;   // of a tile of 1, 2, ... blocks, at most
    int64_t blocks;      // of a tile, at most
    void (*tiles)(const IntegerTile&);
    void (*depthwise)(const IntegerDepthwise&);
    // So many lines of `bytes`, whole pixels of 16 channels.
    void (*copy_lines)(const uint8_t* x, int64_t bytes, uint8_t* y, int64_t y_line, int64_t lines);
    void (*winograd_input)(const IntegerPatch&);
    void (*winograd_pairs)(const IntegerPairs&);
    void (*winograd_output)(const IntegerPatchSums&);
    void (*pool)(const IntegerPoolLine&);
    // numbers: fixed, a_scale, b_scale, low, high. y = a * a_scale + (b * b_scale + fixed) within
    // [low, high], rounded; products are not.
    void (*add)(const uint8_t* a, const uint8_t* b, uint8_t* y, int64_t count, const float* numbers);
    // numbers: x_zero, scale, low, high, zero. y = (x - x_zero) * scale within [low, high], rounded, + zero
    void (*rescale)(const uint8_t* x, uint8_t* y, int64_t count, const float* numbers);
    // q = x / step within [low, high], rounded, plus zero
    void (*quantize)(const float* x, uint8_t* q, int64_t count, float step, float low, float high,
                     float zero);
    // The channels of each pixel side by side.
    void (*quantize_line)(const IntegerLine&);
    void (*dequantize)(const uint8_t* q, float* x, int64_t count, float scale, float zero);
};

}  // namespace darter
