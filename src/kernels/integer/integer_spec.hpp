// The geometry of a convolution of integers.
#pragma once
#include <cstdint>

namespace darter {

// Of one picture. groups: 1, or c where k is c, too (depthwise).
struct IntegerSpec {
    int64_t c, h, w, k, r, s;
    int64_t stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right, dilation_h, dilation_w;
    int64_t groups;

    int64_t out_h() const {
        return (h + pad_top + pad_bottom - (r - 1) * dilation_h - 1) / stride_h + 1;
    }
    int64_t out_w() const {
        return (w + pad_left + pad_right - (s - 1) * dilation_w - 1) / stride_w + 1;
    }
    bool depthwise() const { return groups > 1; }
};

}  // namespace darter
