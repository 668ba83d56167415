#include "conv/convolution.hpp"

#include <algorithm>

namespace darter {

namespace {

ConvSpec with_places(ConvSpec spec, int64_t n, int64_t x_blocks, int64_t y_blocks) {
    spec.n = n, spec.x_blocks = x_blocks, spec.y_blocks = y_blocks;
    return spec;
}

}  // namespace

Convolution::Convolution(const ConvSpec& spec, const Filters& filters)
    : spec(spec),
      bias_((blocks_of(spec.k) + 1) * kBlock),
      low_(filters.low),
      high_(filters.high),
      activation_(filters.activation),
      activate_(activation_.clamps() ? nullptr : activation_kernel()) {
    std::fill_n(bias_.data(), bias_.size(), 0.0f);
    if (filters.bias) std::copy_n(filters.bias, spec.k, bias_.data());
}

Convolution::Convolution(const Convolution& other, int64_t n, int64_t x_blocks, int64_t y_blocks)
    : spec(with_places(other.spec, n, x_blocks, y_blocks)),
      bias_(other.bias_),
      low_(other.low_),
      high_(other.high_),
      activation_(other.activation_),
      activate_(other.activate_) {}

}  // namespace darter
