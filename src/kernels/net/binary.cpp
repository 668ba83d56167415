// Tensors of +1 and -1 as bits, and products of them.
#include "binary/binary.hpp"
#include "net/steps.hpp"
#include "runtime/memory.hpp"

namespace darter {
namespace {

class PackBits final : public Step {
public:
    PackBits(const Blocked& x, const std::vector<float>& thresholds)
        : x_(x), thresholds_(x.blocks() * kBlock) {
        std::fill_n(thresholds_.data(), thresholds_.size(), 0.0f);
        std::copy(thresholds.begin(), thresholds.end(), thresholds_.data());
    }
    void run(const Reads& x, const Writes& y) const override {
        pack_bits(x_, x[0], thresholds_.data(), y.as<uint64_t>(0));
    }

private:
    const Blocked x_;
    const Buffer thresholds_;
};

class BinaryStep final : public Step {
public:
    BinaryStep(std::shared_ptr<const BinaryConvolution> layer, int64_t n, bool residual,
               int64_t y_blocks)
        : layer_(std::move(layer)), n_(n), residual_(residual), y_blocks_(y_blocks) {}

    void run(const Reads& x, const Writes& y) const override {
        const uint64_t* bits = x.as<uint64_t>(0);
        if (layer_->gives_bits()) return layer_->run(n_, bits, y.as<uint64_t>(0));
        layer_->run(n_, bits, residual_ ? x[1] : nullptr, y[0], y_blocks_);
    }
    size_t weight_bytes() const override { return layer_->weight_bytes(); }

private:
    const std::shared_ptr<const BinaryConvolution> layer_;
    const int64_t n_;
    const bool residual_;
    const int64_t y_blocks_;
};

}  // namespace

StepPointer pack_bits_step(const Blocked& x, const std::vector<float>& thresholds) {
    return std::make_shared<PackBits>(x, thresholds);
}

StepPointer binary_step(std::shared_ptr<const BinaryConvolution> layer, int64_t n, bool residual,
                        int64_t y_blocks) {
    return std::make_shared<BinaryStep>(std::move(layer), n, residual, y_blocks);
}

}  // namespace darter
