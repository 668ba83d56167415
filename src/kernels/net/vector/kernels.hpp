// The loops of steps that no product computes, on one instruction set. A pixel is 16 floats.
#pragma once
#include <cstdint>

namespace darter {

// A pool goes down the rows of a window first, then along the line that they give.
struct PoolKernels {
    // line(i) = maximum, or sum, over rows of row(i), for some pixels
    using Down = void (*)(const void* const* rows, int64_t count, int64_t pixels, float* line);
    Down maximum, sum;
};

// y(i) = maximum, or factors[i] times the sum, over taps of line(i * step + tap * tap_step); steps in
// floats.
struct PoolLine {
    const float* line;
    int64_t taps, tap_step, step;
    const float* factors;
    float* y;
    int64_t outputs;
};

struct VectorKernels {
    PoolKernels pool;
    void (*line_maximum)(const PoolLine&);
    void (*line_sum)(const PoolLine&);

    // y = a op b for some pixels; steps: 16, or 0 to use one pixel for all.
    using Binary = void (*)(const float* a, int64_t a_step, const float* b, int64_t b_step, float* y,
                            int64_t pixels);
    Binary add, sub, mul, div, min, max, prelu;

    // y = x * scale + shift
    void (*scale)(const float* x, const float* scale, const float* shift, float* y, int64_t pixels);

    // Normalizes the channels of each pixel: x and y begin with the first block, `plane` floats lie
    // between blocks; scale and shift are zero in missing channels.
    void (*layer_norm)(const float* x, int64_t x_plane, float* y, int64_t y_plane, int64_t channels,
                       int64_t pixels, const float* scale, const float* shift, float epsilon);

    // y += sum over rows of x[row] * w[row]; y and each row of w are 16 floats.
    void (*accumulate)(const float* x, const float* w, int64_t rows, float* y);

    // y = sum over taps of weight[tap] * x[tap]; a tap is a pixel.
    void (*weigh)(const float* const* taps, const float* weights, int64_t count, float* y);
};

const VectorKernels& vector_kernels();  // of the active instruction set
const PoolKernels* pool_kernels_of_bfloat16();  // null where the CPU has none

}  // namespace darter
