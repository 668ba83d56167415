// Depthwise convolution of one block of 16 channels, one output row at a time.
#pragma once
#include <cstdint>

namespace darter {

// x, y and residual: float32, or bfloat16 for the kernels of those names.
struct DepthwiseRow {
    const void* x;           // input row of the first filter row, column 0
    int64_t row_stride;      // numbers between the input rows of two filter rows (dilation included)
    int64_t rows;            // filter rows inside the image, or all of them
    const float* w;          // their weights, [row][column][16]
    int64_t columns;         // filter columns
    int64_t in_w, out_w;     // pixels
    int64_t stride, dilation, pad_left;
    const float* bias;       // 16 floats
    const void* residual;    // like y, or null
    void* y;
    float low, high;
    // Where padding is filled with pixels of the image: from where, [filter row] and [padded
    // column]. Null: zeros around.
    const void* const* row_at;
    const int64_t* column_at;
    bool uneven;             // rows are not row_stride apart
};

using DepthwiseKernel = void (*)(const DepthwiseRow&);

}  // namespace darter
