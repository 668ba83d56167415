// Convolution by transformed tiles: transform patches of the image, multiply at every position of
// the transform, transform back. Winograd and FFT differ only in the transform.
#pragma once
#include <cstdint>

namespace darter {

// Transforms one patch of pixels in every channel block.
struct InputTile {
    const void* x;                    // first channel block, top left pixel (may lie outside)
    int64_t x_row, x_block;           // numbers between rows, between channel blocks
    int step;                         // pixels to the next tile, which is fetched meanwhile
    int top, left, bottom, right;     // the part of the patch inside the image; 0 outside
    int64_t blocks;
    void* v;                          // 16 values per (position, block, part), as products read
    int64_t v_position, v_block, v_part;  // values
    int64_t v_next;                   // values to what is written next, which is fetched meanwhile
};

// Turns the products of one tile into outputs, for some blocks of filters.
struct OutputTile {
    const float* products;            // 16 floats per (position, block, part); parts, then blocks,
    int64_t position;                 // are neighbours; floats between positions
    int64_t blocks;
    const float* bias;
    const float* residual;            // like y, or null
    float* y;
    int64_t y_row, y_block;
    int rows, columns;                // of the tile that lie inside the image
    float low, high;
};

// A transform on one instruction set. A value at a position is one number (Winograd), or a real
// and an imaginary part (FFT).
struct TileTransform {
    int inputs_h, inputs_w;           // pixels of a patch
    int outputs_h, outputs_w;         // pixels that it gives
    int positions, parts;
    void (*input)(const InputTile&);   // of float32
    void (*output)(const OutputTile&);
    // 16 filters, [tap][16], to [position][16], by way of float64; null where parts are more than one.
    void (*filters)(const float* g, float* u) = nullptr;
    void (*input_of_bfloat16)(const InputTile&) = nullptr;  // null where there is none
};

}  // namespace darter
