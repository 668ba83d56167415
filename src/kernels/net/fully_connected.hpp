// A matrix that all images meet: y = f(x w + b + residual), x and y blocked, of 1x1 pixels.
#pragma once
#include "net/step.hpp"

namespace darter {

class FullyConnected {
public:
    // filters.w: (K, C)
    FullyConnected(int64_t c, int64_t k, const Filters& filters, Precision precision);

    // x_image, y_image: floats between images.   residual: like y, or null.
    void run(const float* x, float* y, const float* residual, int64_t n, int64_t x_image,
             int64_t y_image) const;
    size_t weight_bytes() const { return weights_.size() * sizeof(float); }

private:
    // `count` images of a packed tile that holds `rows`.
    struct Tile {
        const void* packed;
        int64_t index, rows, count;
    };
    int64_t depth() const { return blocks_of(c_) * kBlock; }
    int64_t width() const { return product_.blocks * kBlock; }
    int64_t panels() const { return ceil_div(blocks_of(k_), product_.blocks); }
    int64_t panel_blocks(int64_t panel) const {
        return std::min<int64_t>(product_.blocks, blocks_of(k_) - panel * product_.blocks);
    }
    void pack_image(const float* x, int64_t image, int64_t rows, void* packed) const;
    void multiply(const Tile& tile, int64_t panel, int64_t block, int64_t most, float* y,
                  const float* residual, int64_t y_image) const;

    const Operands operands_;
    const ProductKernels& product_;
    const int64_t c_, k_;
    Buffer bias_, weights_;
    const float low_, high_;
    const Activation activation_;
    const ActivationKernel activate_;
};

}  // namespace darter
