// The loops of gradients, on one instruction set.
#pragma once
#include <cstdint>

namespace darter {

// sum(c, k) += sum over rows and columns of x(row, column, c) * dy(row, column, k), for some channels
// c of one block and all k of some blocks.
struct OuterProduct {
    const float* x;               // its first channel
    const float* dy;
    const int64_t *x_rows, *dy_rows;  // where each row begins, in floats
    int64_t rows, columns;
    int64_t x_step;               // floats between columns of x; those of dy are 16 apart
    int64_t dy_block;             // floats between blocks of dy
    int channels;                 // 1 ... GradientKernels::channels
    int blocks;                   // 1 ... GradientKernels::blocks
    float* sum;                   // [channel][blocks * 16]
    bool first;                   // sum holds nothing yet
};

// dx(i) = sum over taps of dy(tap, i) * w(tap), each a pixel of 16 channels.
struct TapRow {
    const float* const* dy;       // of each tap, for the first pixel; the next are 16 floats apart
    const float* const* w;
    int64_t taps;
    float* dx;
    int64_t dx_step, pixels;      // floats between pixels
    bool accumulate;
};

// sum(s) += sum over columns of x(column * stride + s * dilation) * dy(column), of 16 channels.
struct Correlation {
    const float* x;
    const float* dy;
    int64_t columns, taps;
    int64_t x_step, tap_step;     // floats between columns, between taps
    float* sum;                   // [tap][16]
};

// Spreads one tile of dy over the positions of a transform: A dy A^T.
struct SpreadTile {
    const float* dy;              // first block, top left pixel
    int64_t dy_row, dy_block;     // floats
    int rows, columns;            // that lie inside
    int64_t blocks;
    float* m;                     // 16 values per (position, block)
    int64_t m_position, m_block;
};

struct WinogradGradient {
    int outputs, inputs;          // per side
    void (*spread)(const SpreadTile&);
    // G^T u G of `count` vectors of 16 filters: u(position) and g(tap) are so many floats apart.
    void (*gather)(const float* u, int64_t position, float* g, int64_t tap, int64_t count);
};

struct GradientKernels {
    int channels, blocks;         // of the largest outer product
    void (*outer)(const OuterProduct&);
    void (*tap_row)(const TapRow&);
    void (*correlate)(const Correlation&);
    void (*add)(const float* x, float* sum, int64_t count);  // count: a multiple of 16
    WinogradGradient winograd[3];  // of 3 taps
};

const GradientKernels& gradient_kernels();  // of the active instruction set

}  // namespace darter
