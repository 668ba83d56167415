// The depthwise loop over a vector type; each instruction set instantiates it once.
#pragma once
#include "conv/depthwise/depthwise.hpp"

namespace darter::depthwise {

constexpr int kBlock = 16;

// `Pixels` neighbouring outputs, their filter columns [first, last) inside the image.
template <class V, int Pixels>
void pixels(const DepthwiseRow& d, int64_t column, int64_t first, int64_t last, int part) {
    const float* x = d.x + (column * d.stride - d.pad_left) * kBlock + part;
    const int64_t step = d.stride * kBlock;
    V sum[Pixels];
#pragma GCC unroll 8
    for (int i = 0; i < Pixels; ++i) sum[i] = V::load(d.bias + part);
    for (int64_t r = 0; r < d.rows; ++r)
        for (int64_t s = first; s < last; ++s) {
            V weight = V::load(d.w + (r * d.columns + s) * kBlock + part);
            const float* from = x + r * d.row_stride + s * d.dilation * kBlock;
#pragma GCC unroll 8
            for (int i = 0; i < Pixels; ++i) sum[i] = fma(V::load(from + i * step), weight, sum[i]);
        }
    const V low = V::fill(d.low), high = V::fill(d.high);
    const int64_t out = column * kBlock + part;
#pragma GCC unroll 8
    for (int i = 0; i < Pixels; ++i) {
        if (d.residual) sum[i] = sum[i] + V::load(d.residual + out + i * kBlock);
        clamp(sum[i], low, high).store(d.y + out + i * kBlock);
    }
}

template <class V>
void row(const DepthwiseRow& d) {
    const int64_t reach = (d.columns - 1) * d.dilation;
    for (int part = 0; part < kBlock; part += V::lanes)
        for (int64_t column = 0; column < d.out_w;) {
            int64_t left = column * d.stride - d.pad_left;
            int64_t right = (column + 7) * d.stride - d.pad_left + reach;
            if (left >= 0 && right < d.in_w && column + 8 <= d.out_w) {
                pixels<V, 8>(d, column, 0, d.columns, part);
                column += 8;
                continue;
            }
            int64_t first = 0, last = d.columns;
            while (first < last && left + first * d.dilation < 0) ++first;
            while (first < last && left + (last - 1) * d.dilation >= d.in_w) --last;
            pixels<V, 1>(d, column, first, last, part);
            ++column;
        }
}

}  // namespace darter::depthwise
