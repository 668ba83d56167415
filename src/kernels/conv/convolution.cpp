#include "conv/convolution.hpp"

#include <algorithm>

namespace darter {

Convolution::Convolution(const ConvSpec& spec, const Filters& filters)
    : spec(spec), bias_((blocks_of(spec.k) + 1) * kBlock), low_(filters.low), high_(filters.high) {
    std::fill_n(bias_.data(), bias_.size(), 0.0f);
    if (filters.bias) std::copy_n(filters.bias, spec.k, bias_.data());
}

}  // namespace darter
