// The one inner product loop under gemm, direct and Winograd convolution.
//
// It computes a tile of `rows` x (blocks * 16) outputs:
//
//     out(row, j) = start(row, j) + sum over steps s, depth i of  a(row, s, i) * b(s, i, j)
//
// a(row, s, i) = a[row * row_stride + offsets[s] + i] is broadcast, b is packed as
// [step][depth][blocks * 16] and read once, front to back. A step is `depth` = 16 channels of a
// channel-blocked array, or 1 element of a plain one.
//
// Elements are float32, or bfloat16 with b packed in pairs: [step][depth / 2][blocks * 16][2].
// Offsets and strides count elements; sums and outputs are float32.
#pragma once
#include <cstddef>
#include <cstdint>

#include "runtime/isa.hpp"

namespace darter {

constexpr int kBlock = 16;  // channels per block in every blocked layout

struct Product {
    const void* a;
    const void* b;
    int64_t ahead;           // while b is read, what lies so many elements after each of its rows
    int fetched;             // is fetched to L2: so many lines of 64 bytes, 0 ... blocks; none unless
                             // depth is 16, and row_stride too or a transposed
    const int64_t* offsets;  // one per step
    int64_t steps;
    int64_t row_stride;
    bool transposed;  // float32 a(row, s, i) is at a + offsets[s] + i * transposed_stride(most rows)
                      // + row instead; depth is 16
    int rows;    // 1 ... ProductKernels::rows
    int blocks;  // 1 ... ProductKernels::blocks
    int depth;   // 16; float32 also 1, bfloat16 also 2 with a row_stride of 3, 6 or 12
    void* out;  // float32; out(row, block) is 16 numbers at out + row * out_row + block * out_block
    int64_t out_row, out_block;
    const float* bias;      // blocks * 16 floats, or null
    const void* residual;   // laid out like out, added before the clamp; or null
    bool accumulate;        // add to what out holds; the bias is not added again
    float low, high;        // clamp, applied when `finish`
    bool finish;            // last part of the sum: add the residual and clamp
    bool rounded;           // with `finish`, of bfloat16 operands: out and residual are bfloat16, and
                            // nothing is accumulated
};

constexpr int transposed_stride(int most_rows) { return (most_rows + 3) / 4 * 4; }

struct ProductKernels {
    int rows, blocks;  // largest tile; the shape that fills the registers
    void (*run)(const Product&);
};

const ProductKernels& product_kernels(Isa isa);

const ProductKernels* bfloat16_product_kernels(Isa isa);  // null where the CPU has none for `isa`

// For tests, where the CPU has tiles: what another library may leave behind; whether this thread's
// tiles hold anything.
namespace amx {
void load_foreign_tiles();
bool tiles_in_use();
}

}  // namespace darter
