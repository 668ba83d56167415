// The loops of training that no product computes, on one instruction set. A plane is one block of 16
// channels of one image, `pixels` times 16 floats.
#pragma once
#include <cstdint>

#include "activation/activation.hpp"

namespace darter {

// z = f(y * scale + shift + residual)
struct NormalizePlane {
    const float* y;
    const float *scale, *shift;  // 16 floats each; both null: 1 and 0
    const float* residual;       // or null
    Activation activation;
    float* z;
    int64_t pixels;
};

// Back through that: g = dz * f'. Where f clamps and z is given, z tells where f was flat, else
// u = y * scale + shift does.
struct NormalizeGradient {
    const float *dz, *y;
    const float *scale, *shift;  // 16 floats each; both null: 1 and 0
    const float* z;              // or null
    Activation activation;
    int64_t pixels;

    // Sums of g and of g * (y - mean), added to 16 numbers each; null: none.
    const float* mean;
    double *sum_g, *sum_gy;
    // dy = a * g + b * y + c, of 16 floats each (null: 1, 0, 0); or null. Added to it where told.
    const float *a, *b, *c;
    float* dy;
    bool accumulate;
};

// The part of a pool's window that lies inside the image.
struct PooledWindow {
    const float* x;              // its first pixel
    int64_t rows, columns, row_step;  // pixels; floats
    float factor;                // on the sum
};

// A window of a pool: rows x columns pixels from x on.
struct MaximumGradient {
    const float* x;
    const float *y, *dy;         // its pixel of the output
    float* dx;                   // like x; the first of the largest gets dy added
    int64_t rows, columns, row_step;  // floats
};

// out(r, c) = sum over d of a(r, d) * b(d, c), or added to it where told.
struct RowProduct {
    const float* a;
    int64_t a_row, a_depth;  // floats between rows, between the numbers of a sum
    const float* b;
    int64_t b_depth;         // columns are neighbours
    int64_t depth, columns;
    int rows;                // 1 ... kRowsAtOnce
    float* out;
    int64_t out_row;
    bool accumulate;
};
constexpr int kRowsAtOnce = 8;

struct TrainingKernels {
    // Sums of y - shift and of its square, added to 16 numbers each.
    void (*moments)(const float* y, int64_t pixels, const float* shift, double* sum, double* square);
    void (*normalize)(const NormalizePlane&);
    void (*gradient)(const NormalizeGradient&);
    void (*maximum)(const PooledWindow&, float* y);
    void (*sum)(const PooledWindow&, float* y);
    void (*maximum_gradient)(const MaximumGradient&);
    // y += x, y = x * factor, y += x * factor, for `pixels` pixels; factor: 16 floats.
    void (*add)(const float* x, float* y, int64_t pixels);
    void (*scale)(const float* x, const float* factor, float* y, int64_t pixels, bool accumulate);
    // sum += the sum over pixels of a * b, 16 floats.
    void (*dot)(const float* a, const float* b, int64_t pixels, float* sum);
    // Every pixel of y becomes (or grows by) x, one pixel.
    void (*spread)(const float* x, float factor, float* y, int64_t pixels, bool accumulate);
    // bfloat16 to float32, and to the nearest bfloat16, ties to even; count: a multiple of 16.
    void (*widen)(const uint16_t* from, float* to, int64_t count);
    void (*round)(const float* from, uint16_t* to, int64_t count);
    void (*row_product)(const RowProduct&);
};

const TrainingKernels& training_kernels();  // of the active instruction set

}  // namespace darter
