// Direct convolution of pictures of a few plain channels, with bfloat16 operands.
#pragma once
#include <memory>

#include "conv/convolution.hpp"

namespace darter {

// Whether there is a kernel for these strides and channels, and the CPU multiplies bfloat16.
bool suits_few_channels(const ConvSpec& spec);
std::unique_ptr<Convolution> make_few_channels(const ConvSpec& spec, const Filters& filters);

}  // namespace darter
