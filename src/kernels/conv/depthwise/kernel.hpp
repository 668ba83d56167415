// The depthwise loop over a vector type and what inputs are kept as; each instruction set
// instantiates it once for each.
#pragma once
#include "conv/depthwise/depthwise.hpp"
#include "simd/float32.hpp"

namespace darter::depthwise {

constexpr int kBlock = 16;
constexpr int kMostPixels = 8;  // of a tile: with 7 weights and a value they fit into 16 registers

// Inputs and outputs as their kinds of numbers.
template <class In, class Out>
struct Kinds {
    using Element = typename In::Element;
    using Y = Out;
    static auto load(const Element* from) { return In::load(from); }
};

template <class V, class Y, int Pixels>
[[gnu::always_inline]] inline void finish(const DepthwiseRow& d, V (&sum)[Pixels], int64_t out) {
    using Number = typename Y::Element;
    const auto* residual = static_cast<const Number*>(d.residual);
    const V low = V::fill(d.low), high = V::fill(d.high);
#pragma GCC unroll 8
    for (int i = 0; i < Pixels; ++i) {
        if (residual) sum[i] = sum[i] + Y::load(residual + out + i * kBlock);
        Y::store(clamp(sum[i], low, high), static_cast<Number*>(d.y) + out + i * kBlock);
    }
}

// Filters of any size, stride and dilation: an output some of whose filter columns lie outside.
template <class V, class Source>
void border(const DepthwiseRow& d, int64_t column, int part) {
    const int64_t left = column * d.stride - d.pad_left;
    int64_t first = 0, last = d.columns;
    if (!d.column_at) {
        while (first < last && left + first * d.dilation < 0) ++first;
        while (first < last && left + (last - 1) * d.dilation >= d.in_w) --last;
    }
    V sum[1] = {V::load(d.bias + part)};
    for (int64_t r = 0; r < d.rows; ++r) {
        V line = V::zero();  // a sum of its own: rows need not wait for each other
        for (int64_t s = first; s < last; ++s) {
            const int64_t at = left + s * d.dilation;
            const int64_t source = d.column_at ? d.column_at[at + d.pad_left] : at;
            auto row = static_cast<const typename Source::Element*>(d.column_at ? d.row_at[r] : d.x);
            if (!d.column_at) row += r * d.row_stride;
            line = fma(Source::load(row + source * kBlock + part),
                       V::load(d.w + (r * d.columns + s) * kBlock + part), line);
        }
        sum[0] = sum[0] + line;
    }
    finish<V, typename Source::Y>(d, sum, column * kBlock + part);
}

// The same for neighbouring outputs that see the whole filter.
template <class V, class Source, int Pixels>
void inner(const DepthwiseRow& d, int64_t column, int part) {
    const auto* x = static_cast<const typename Source::Element*>(d.x) +
                    (column * d.stride - d.pad_left) * kBlock + part;
    const float* w = d.w + part;
    const int64_t step = d.stride * kBlock;
    V sum[Pixels];
#pragma GCC unroll 8
    for (int i = 0; i < Pixels; ++i) sum[i] = V::load(d.bias + part);
    for (int64_t r = 0; r < d.rows; ++r, x += d.row_stride, w += d.columns * kBlock)
        for (int64_t s = 0; s < d.columns; ++s) {
            const V weight = V::load(w + s * kBlock);
            const auto* from = x + s * d.dilation * kBlock;
#pragma GCC unroll 8
            for (int i = 0; i < Pixels; ++i)
                sum[i] = fma(Source::load(from + i * step), weight, sum[i]);
        }
    finish<V, typename Source::Y>(d, sum, column * kBlock + part);
}

template <class V, class Source>
void any_row(const DepthwiseRow& d) {
    const int64_t reach = (d.columns - 1) * d.dilation;
    for (int part = 0; part < kBlock; part += V::lanes)
        for (int64_t column = 0; column < d.out_w;) {
            const int64_t left = column * d.stride - d.pad_left, free = d.in_w - 1 - reach - left;
            // Outputs from here on that see the whole filter.
            int64_t room = left < 0 || free < 0 || d.uneven ? 0 : free / d.stride + 1;
            if (room > d.out_w - column) room = d.out_w - column;
            if (room >= kMostPixels) {
                inner<V, Source, kMostPixels>(d, column, part);
                column += kMostPixels;
            } else if (room >= 4) {
                inner<V, Source, 4>(d, column, part);
                column += 4;
            } else {
                border<V, Source>(d, column++, part);
            }
        }
}

// The usual sizes: a row of the filter stays in registers, and every input is loaded once.
// Inputs [begin, end) of those that they see lie inside the image, all of them where `inside`.
enum class Sees { inside, zeros, filled };

template <class V, class Source, int Pixels, int Taps, int Stride, Sees sees>
void tile(const DepthwiseRow& d, int64_t column, int64_t begin, int64_t end, int part) {
    using Element = typename Source::Element;
    const Element* x =
        static_cast<const Element*>(d.x) + (column * Stride - d.pad_left) * kBlock + part;
    const float* w = d.w + part;
    V sum[Pixels];
#pragma GCC unroll 8
    for (int i = 0; i < Pixels; ++i) sum[i] = V::load(d.bias + part);
    for (int64_t r = 0; r < d.rows; ++r, x += d.row_stride, w += Taps * kBlock) {
        V weight[Taps];
#pragma GCC unroll 8
        for (int s = 0; s < Taps; ++s) weight[s] = V::load(w + s * kBlock);
#pragma GCC unroll 32
        for (int at = 0; at < (Pixels - 1) * Stride + Taps; ++at) {
            if constexpr (sees == Sees::zeros)
                if (at < begin || at >= end) continue;
            V value;
            if constexpr (sees == Sees::filled)
                value = Source::load(static_cast<const Element*>(d.row_at[r]) +
                                     d.column_at[column * Stride + at] * kBlock + part);
            else
                value = Source::load(x + at * kBlock);
#pragma GCC unroll 8
            for (int s = 0; s < Taps; ++s)
                if ((at - s) % Stride == 0 && at >= s && (at - s) / Stride < Pixels)
                    sum[(at - s) / Stride] = fma(value, weight[s], sum[(at - s) / Stride]);
        }
    }
    finish<V, typename Source::Y>(d, sum, column * kBlock + part);
}

template <class V, class Source, int Taps, int Stride, int Pixels = kMostPixels>
void pixels(const DepthwiseRow& d, int64_t column, int64_t count, int part) {
    if constexpr (Pixels > 1)
        if (count != Pixels) return pixels<V, Source, Taps, Stride, Pixels - 1>(d, column, count, part);
    constexpr int64_t seen = (Pixels - 1) * Stride + Taps;
    const int64_t left = column * Stride - d.pad_left;
    const int64_t begin = left < 0 ? -left : 0, end = d.in_w - left < seen ? d.in_w - left : seen;
    if (begin <= 0 && end >= seen && !d.uneven)
        tile<V, Source, Pixels, Taps, Stride, Sees::inside>(d, column, begin, end, part);
    else if (d.column_at)
        tile<V, Source, Pixels, Taps, Stride, Sees::filled>(d, column, begin, end, part);
    else
        tile<V, Source, Pixels, Taps, Stride, Sees::zeros>(d, column, begin, end, part);
}

template <class V, class Source, int Taps, int Stride>
void row(const DepthwiseRow& d) {
    const int64_t tiles = (d.out_w + kMostPixels - 1) / kMostPixels;
    for (int part = 0; part < kBlock; part += V::lanes)
        for (int64_t i = 0; i < tiles; ++i) {  // of equal width, but for one pixel
            const int64_t column = i * d.out_w / tiles, next = (i + 1) * d.out_w / tiles;
            pixels<V, Source, Taps, Stride>(d, column, next - column, part);
        }
}

template <class V, class Source = Kinds<Float32<V>, Float32<V>>>
void run(const DepthwiseRow& d) {
    if (d.dilation != 1 || d.stride > 2) return any_row<V, Source>(d);
    const bool one = d.stride == 1;
    switch (d.columns) {
        case 2: return one ? row<V, Source, 2, 1>(d) : row<V, Source, 2, 2>(d);
        case 3: return one ? row<V, Source, 3, 1>(d) : row<V, Source, 3, 2>(d);
        case 4: return one ? row<V, Source, 4, 1>(d) : row<V, Source, 4, 2>(d);
        case 5: return one ? row<V, Source, 5, 1>(d) : row<V, Source, 5, 2>(d);
        case 7: return one ? row<V, Source, 7, 1>(d) : row<V, Source, 7, 2>(d);
        default: return any_row<V, Source>(d);
    }
}

}  // namespace darter::depthwise
