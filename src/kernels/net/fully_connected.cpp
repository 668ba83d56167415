// One matrix for every image: at a batch of one, reading the weights is all the work, so each
// thread reads its panels of 32 outputs front to back, once for up to 14 images.
#include <cstring>

#include "net/fully_connected.hpp"
#include "net/steps.hpp"

namespace darter {
namespace {

constexpr int64_t kAhead = 2048;       // weights fetched before they are needed: 8 KiB of float32
constexpr int64_t kDepthBlocks = 128;  // of a panel whose weights several tiles of images read

}  // namespace

FullyConnected::FullyConnected(int64_t c, int64_t k, const Filters& filters, Precision precision)
    : operands_(precision),
      product_(operands_.product()),
      c_(c),
      k_(k),
      bias_((blocks_of(k) + 1) * kBlock),
      low_(filters.low),
      high_(filters.high),
      activation_(filters.activation),
      activate_(activation_kernel()) {
    std::fill_n(bias_.data(), bias_.size(), 0.0f);
    if (filters.bias) std::copy_n(filters.bias, k, bias_.data());
    weights_ = Buffer(operands_.floats(depth() * blocks_of(k) * kBlock));
    parallel_for(panels(), [&](size_t index) {
        int64_t panel = index, first = panel * width(), columns = panel_blocks(panel) * kBlock;
        std::memset(operands_.at(weights_.data(), first * depth()), 0,
                    operands_.bytes(columns * depth()));
        for (int64_t row = 0; row < c; ++row)
            for (int64_t column = 0; column < std::min(columns, k - first); ++column)
                operands_.set_weight(weights_.data(), first * depth(), columns, row, column,
                                     filters.w[(first + column) * c + row]);
    });
}

void FullyConnected::run(const float* x, float* y, const float* residual, int64_t n,
                         int64_t x_image, int64_t y_image) const {
    const int64_t rows = even_piece(n, product_.rows), tiles = ceil_div(n, rows);
    void* packed = scratch(Scratch::caller_a, operands_.floats(tiles * rows * depth()));
    for (int64_t image = 0; image < n; ++image) pack_image(x + image * x_image, image, rows, packed);
    const int64_t most = tiles == 1 ? depth() / kBlock : kDepthBlocks;
    each_piece(panels(), depth() * width(), [&](int64_t first, int64_t last) {
        for (int64_t panel = first; panel < last; ++panel)
            for (int64_t block = 0; block < depth() / kBlock; block += most)
                for (int64_t tile = 0; tile < tiles; ++tile) {
                    int64_t count = std::min(rows, n - tile * rows), at = tile * rows * y_image;
                    multiply({packed, tile, rows, count}, panel, block, most,
                             y + at, residual ? residual + at : nullptr, y_image);
                }
    });
}

// [tile][depth block][image of the tile][16]
void FullyConnected::pack_image(const float* x, int64_t image, int64_t rows, void* packed) const {
    const int64_t tile = image / rows, row = image % rows;
    for (int64_t i = 0; i < depth(); i += kBlock) {
        int64_t to = (tile * depth() + i) * rows + row * kBlock;
        operands_.store(x + i, operands_.at(packed, to), kBlock);
    }
}

void FullyConnected::multiply(const Tile& tile, int64_t panel, int64_t block, int64_t most,
                              float* y, const float* residual, int64_t y_image) const {
    const int64_t steps = std::min(most, depth() / kBlock - block);
    const int64_t column = panel * width(), columns = panel_blocks(panel) * kBlock;
    const bool last = block + steps == depth() / kBlock;
    std::vector<int64_t> offsets(steps);
    for (int64_t i = 0; i < steps; ++i) offsets[i] = (block + i) * tile.rows * kBlock;
    Product p{};
    p.a = operands_.at(tile.packed, tile.index * tile.rows * depth());
    p.b = operands_.at(weights_.data(), column * depth() + block * kBlock * columns);
    p.ahead = kAhead;
    p.fetched = static_cast<int>(panel_blocks(panel));
    p.offsets = offsets.data();
    p.steps = steps;
    p.row_stride = kBlock;
    p.rows = static_cast<int>(tile.count);
    p.blocks = static_cast<int>(panel_blocks(panel));
    p.depth = kBlock;
    p.out = y + column;
    p.out_row = y_image;
    p.out_block = kBlock;
    p.bias = bias_.data() + column;
    p.residual = residual ? residual + column : nullptr;
    p.accumulate = block > 0;
    p.low = low_;
    p.high = high_;
    p.finish = last;
    product_.run(p);
    if (last && !activation_.clamps())
        for (int64_t row = 0; row < tile.count; ++row)
            activate_(activation_, y + column + row * y_image, columns);
}

namespace {

class FullyConnectedStep final : public Step {
public:
    FullyConnectedStep(std::shared_ptr<const FullyConnected> layer, bool residual, int64_t n,
                       int64_t x_blocks, int64_t y_blocks)
        : layer_(std::move(layer)), residual_(residual), n_(n), x_blocks_(x_blocks),
          y_blocks_(y_blocks) {}

    void run(const Reads& x, const Writes& y) const override {
        layer_->run(x[0], y[0], residual_ ? x[1] : nullptr, n_, x_blocks_ * kBlock,
                    y_blocks_ * kBlock);
    }
    size_t weight_bytes() const override { return layer_->weight_bytes(); }

private:
    const std::shared_ptr<const FullyConnected> layer_;
    const bool residual_;
    const int64_t n_, x_blocks_, y_blocks_;
};

}  // namespace

StepPointer fully_connected_step(std::shared_ptr<const FullyConnected> layer, bool residual,
                                 int64_t n, int64_t x_blocks, int64_t y_blocks) {
    return std::make_shared<FullyConnectedStep>(std::move(layer), residual, n, x_blocks, y_blocks);
}

}  // namespace darter
