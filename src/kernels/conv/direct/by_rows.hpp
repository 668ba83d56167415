// What direct convolutions share: a row of outputs as products of a few neighbouring pixels each. Not
// for files of one instruction set.
#pragma once
#include <algorithm>

#include "conv/convolution.hpp"

namespace darter {

class ByRows : public Convolution {
protected:
    using Convolution::Convolution;

    // Outputs of one row for a product's blocks of filters.
    struct Row {
        int64_t index;        // where the row begins in y, in numbers
        int64_t first, last;  // columns of it
        int64_t tile;         // columns that one product takes
    };

    // p: all but a, out, rows and residual.   input: column -> where a begins.   pairs: whether
    // operands are pairs of bfloat16.
    template <typename Input>
    void write(Product p, const ProductKernels& kernels, bool pairs, const Row& row,
               const Input& input, const Arrays& arrays) const {
        p.out_row = kBlock;
        p.out_block = spec.out_h() * spec.out_w() * kBlock;
        p.low = low_;
        p.high = high_;
        p.finish = true;
        if (arrays.y_element == Element::bfloat16) {
            p.rounded = pairs && clamps();
            return p.rounded ? write_straight<uint16_t>(p, kernels, row, input, arrays)
                             : write_rounded(p, kernels, row, input, arrays);
        }
        write_straight<float>(p, kernels, row, input, arrays);
        float* y = static_cast<float*>(arrays.y) + row.index + row.first * kBlock;
        for (int block = 0; block < p.blocks; ++block)
            activate(y + block * p.out_block, (row.last - row.first) * kBlock);
    }

private:
    // From the registers.
    template <typename Number, typename Input>
    static void write_straight(Product p, const ProductKernels& kernels, const Row& row,
                               const Input& input, const Arrays& arrays) {
        Number* y = static_cast<Number*>(arrays.y) + row.index;
        const Number* residual = static_cast<const Number*>(arrays.residual);
        for (int64_t column = row.first; column < row.last; column += row.tile) {
            p.rows = static_cast<int>(std::min(row.tile, row.last - column));
            p.a = input(column);
            p.out = y + column * kBlock;
            p.residual = residual ? residual + row.index + column * kBlock : nullptr;
            kernels.run(p);
        }
    }

    // By way of a tile in the L1 cache.
    template <typename Input>
    void write_rounded(Product p, const ProductKernels& kernels, const Row& row, const Input& input,
                       const Arrays& arrays) const {
        const int64_t plane = p.out_block;
        auto* y = static_cast<uint16_t*>(arrays.y) + row.index;
        const auto* residual = static_cast<const uint16_t*>(arrays.residual);
        float* sums = scratch(Scratch::worker_b, row.tile * p.blocks * kBlock);
        p.out = sums;
        p.finish = false;
        for (int64_t column = row.first; column < row.last; column += row.tile) {
            p.rows = static_cast<int>(std::min(row.tile, row.last - column));
            p.a = input(column);
            p.out_block = p.rows * kBlock;
            kernels.run(p);
            for (int block = 0; block < p.blocks; ++block) {
                const int64_t at = block * plane + column * kBlock;
                finish(sums + block * p.out_block, residual ? residual + row.index + at : nullptr,
                       y + at, p.out_block);
            }
        }
    }
};

}  // namespace darter
