// What the Winograd kernels of an instruction set do to one tile.
#pragma once
#include <cstdint>

namespace darter {

// Transforms one patch of n x n pixels in every channel block.
struct InputTile {
    const float* x;                    // first channel block, top left pixel (may lie outside)
    int64_t x_row, x_block;            // floats between rows, between channel blocks
    int top, left, bottom, right;      // the part of the patch inside the image; 0 outside
    int64_t blocks;
    float* v;                          // 16 floats per (position, block)
    int64_t v_position, v_block;
};

// Turns n x n products of one tile into m x m outputs, for one or two blocks of filters.
struct OutputTile {
    const float* products;             // 16 floats per (position, block); blocks are neighbours
    int64_t position;                  // floats between positions
    int64_t blocks;
    const float* bias;
    const float* residual;             // like y, or null
    float* y;
    int64_t y_row, y_block;
    int rows, columns;                 // of the tile that lie inside the image
    float low, high;
};

struct WinogradKernels {
    int tile;  // m
    void (*input)(const InputTile&);
    void (*output)(const OutputTile&);
};

}  // namespace darter
