// The loops of steps that no product computes, on one instruction set. A pixel is 16 floats.
#pragma once
#include <cstdint>

namespace darter {

// One output pixel of a pool: the window's part that lies inside the image.
struct PoolWindow {
    const void* x;             // its first pixel
    int64_t rows, columns;     // pixels
    int64_t row_step, column_step;  // numbers
};

struct PoolKernels {
    void (*maximum)(const PoolWindow&, float* y);
    void (*sum)(const PoolWindow&, float factor, float* y);  // times factor
};

struct VectorKernels {
    PoolKernels pool;

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
