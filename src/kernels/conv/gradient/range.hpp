// What the filter gradients by pixels share. Not for files of one instruction set.
#pragma once
#include <algorithm>

#include "conv/convolution.hpp"

namespace darter {

struct Range {
    int64_t first, last;
};

// Outputs along one axis that see the image through a tap.
inline Range seen(int64_t tap, int64_t dilation, int64_t stride, int64_t pad, int64_t in, int64_t out) {
    const int64_t shift = pad - tap * dilation;  // input = output * stride - shift
    const int64_t first = shift > 0 ? ceil_div(shift, stride) : 0;
    const int64_t last = in - 1 + shift < 0 ? 0 : (in - 1 + shift) / stride + 1;
    return {std::min(first, out), std::clamp<int64_t>(last, std::min(first, out), out)};
}

// A 1x1 convolution does not care where rows end.
inline ConvSpec flattened(ConvSpec spec) {
    const bool plain = spec.r == 1 && spec.s == 1 && spec.stride_h == 1 && spec.stride_w == 1;
    if (plain && !spec.padded()) spec.w *= spec.h, spec.h = 1;
    return spec;
}

}  // namespace darter
