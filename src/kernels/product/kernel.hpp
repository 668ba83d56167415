// The product loop over a vector type; each instruction set instantiates it once.
#pragma once
#include "product/product.hpp"

namespace darter::product {

// Strides between rows that are known at compile time cost no address registers. A stride of 0
// means "read it from the product"; its tiles have few rows, so the addresses still fit.
constexpr int kAnyStrideRows = 6;

constexpr int kNear = 8;  // rows of b that are fetched to L1 before they are used

// How elements of a and b meet: one float32 of each. (avx512_bf16.cpp meets two at a time.)
template <class V>
struct Single {
    using Sum = V;
    using Element = float;
    static constexpr int pack = 1;
    static V broadcast(const float* a) { return V::fill(*a); }
    static V load(const float* b) { return V::load(b); }
    static V multiply_add(V a, V b, V sum) { return fma(a, b, sum); }
    static V multiply_add(const float* a, V b, V sum) {
        if constexpr (requires { fma_broadcast(a, b, sum); })
            return fma_broadcast(a, b, sum);
        else
            return fma(V::fill(*a), b, sum);
    }
};

// Of `rows` rows of a, those whose elements are read once per product instead of once for all: a
// load more, an instruction less. Every core can load twice a cycle; two threads of one core share
// its instructions.
constexpr int read_again(int rows) { return rows * 5 / 14; }

template <class Arithmetic, int Rows, int Blocks, int Depth, int RowStride, int Fetched,
          int ColumnStride = 1>
void run(const Product& p) {
    using V = typename Arithmetic::Sum;
    using Element = typename Arithmetic::Element;
    constexpr int pack = Arithmetic::pack;
    constexpr int parts = Blocks * kBlock / V::lanes;
    constexpr int parts_per_block = kBlock / V::lanes;
    const int64_t row_stride = RowStride ? RowStride : p.row_stride;
    auto out = [&](int row, int part) {
        return row * p.out_row + part / parts_per_block * p.out_block +
               part % parts_per_block * V::lanes;
    };

    const int64_t number = pack == 2 && p.rounded ? 2 : 4;  // bytes of one of the outputs

    V sum[Rows][parts];
#pragma GCC unroll 16
    for (int j = 0; j < parts; ++j) {
        V start = p.bias && !p.accumulate ? V::load(p.bias + j * V::lanes) : V::zero();
#pragma GCC unroll 16
        for (int row = 0; row < Rows; ++row) sum[row][j] = start;
    }

    const Element* b = static_cast<const Element*>(p.b);
    for (int64_t step = 0; step < p.steps; ++step) {
        const Element* a = static_cast<const Element*>(p.a) + p.offsets[step];
        if (step < Rows)  // outputs come into the cache meanwhile, a row at a time
            for (int block = 0; block < Blocks; ++block)
                __builtin_prefetch(static_cast<const char*>(p.out) +
                                       (step * p.out_row + block * p.out_block) * number,
                                   1);
        for (int i = 0; i < Depth; i += pack) {
#pragma GCC unroll 2
            for (int line = 0; line < Fetched; ++line)
                __builtin_prefetch(b + p.ahead + line * kBlock * pack, 0, 2);
            if constexpr (ColumnStride != 1)  // b of a matrix product is in L2
                for (int line = 0; line < Blocks; ++line)
                    __builtin_prefetch(b + (kNear * Blocks + line) * kBlock * pack, 0, 3);
            decltype(Arithmetic::load(b)) weight[parts];
#pragma GCC unroll 16
            for (int j = 0; j < parts; ++j) weight[j] = Arithmetic::load(b + j * V::lanes * pack);
#pragma GCC unroll 16
            for (int row = 0; row < Rows; ++row) {
                const Element* at = a + row * row_stride + i * ColumnStride;
                if (row < read_again(Rows)) {
#pragma GCC unroll 16
                    for (int j = 0; j < parts; ++j)
                        sum[row][j] = Arithmetic::multiply_add(at, weight[j], sum[row][j]);
                    continue;
                }
                auto value = Arithmetic::broadcast(at);
#pragma GCC unroll 16
                for (int j = 0; j < parts; ++j)
                    sum[row][j] = Arithmetic::multiply_add(value, weight[j], sum[row][j]);
            }
            b += Blocks * kBlock * pack;
        }
    }

    V low = V::fill(p.low), high = V::fill(p.high);
    if constexpr (pack == 2)
        if (p.rounded) {
            using Numbers = typename Arithmetic::Numbers;
            auto* to = static_cast<Element*>(p.out);
            const auto* added = static_cast<const Element*>(p.residual);
#pragma GCC unroll 16
            for (int row = 0; row < Rows; ++row)
#pragma GCC unroll 16
                for (int j = 0; j < parts; ++j) {
                    if (added) sum[row][j] = sum[row][j] + Numbers::load(added + out(row, j));
                    Numbers::store(clamp(sum[row][j], low, high), to + out(row, j));
                }
            return;
        }

    float* to = static_cast<float*>(p.out);
    const float* added = static_cast<const float*>(p.residual);
    if (p.accumulate) {
#pragma GCC unroll 16
        for (int row = 0; row < Rows; ++row)
#pragma GCC unroll 16
            for (int j = 0; j < parts; ++j)
                sum[row][j] = sum[row][j] + V::load(to + out(row, j));
    }
    if (p.finish) {
        if (added) {
#pragma GCC unroll 16
            for (int row = 0; row < Rows; ++row)
#pragma GCC unroll 16
                for (int j = 0; j < parts; ++j)
                    sum[row][j] = sum[row][j] + V::load(added + out(row, j));
        }
#pragma GCC unroll 16
        for (int row = 0; row < Rows; ++row)
#pragma GCC unroll 16
            for (int j = 0; j < parts; ++j) sum[row][j] = clamp(sum[row][j], low, high);
    }
#pragma GCC unroll 16
    for (int row = 0; row < Rows; ++row)
#pragma GCC unroll 16
        for (int j = 0; j < parts; ++j) sum[row][j].store(to + out(row, j));
}

template <class Arithmetic, int Rows, int Blocks, int RowStride, int ColumnStride>
void run_fetch(const Product& p) {
    if constexpr (Blocks >= 2)
        if (p.fetched == 2)
            return run<Arithmetic, Rows, Blocks, kBlock, RowStride, 2, ColumnStride>(p);
    if (p.fetched) return run<Arithmetic, Rows, Blocks, kBlock, RowStride, 1, ColumnStride>(p);
    run<Arithmetic, Rows, Blocks, kBlock, RowStride, 0, ColumnStride>(p);
}

template <class Arithmetic, int MaxRows, int Rows, int Blocks>
void run_stride(const Product& p) {
    if constexpr (Arithmetic::pack == 1)
        if (p.transposed)
            return run_fetch<Arithmetic, Rows, Blocks, 1, transposed_stride(MaxRows)>(p);
    if (p.depth == kBlock) {
        if (p.row_stride == kBlock) return run_fetch<Arithmetic, Rows, Blocks, kBlock, 1>(p);
        if (p.row_stride == 2 * kBlock)
            return run<Arithmetic, Rows, Blocks, kBlock, 2 * kBlock, 0>(p);
        if constexpr (Rows <= kAnyStrideRows) return run<Arithmetic, Rows, Blocks, kBlock, 0, 0>(p);
    } else if constexpr (Arithmetic::pack == 2) {  // depth is 2: pixels of 3 channels side by side
        if (p.row_stride == 3) return run<Arithmetic, Rows, Blocks, 2, 3, 0>(p);
        if (p.row_stride == 6) return run<Arithmetic, Rows, Blocks, 2, 6, 0>(p);
        if (p.row_stride == 12) return run<Arithmetic, Rows, Blocks, 2, 12, 0>(p);
    } else {
        if (p.row_stride == 1) return run<Arithmetic, Rows, Blocks, 1, 1, 0>(p);
        if (p.row_stride == 2) return run<Arithmetic, Rows, Blocks, 1, 2, 0>(p);
        if (p.row_stride == 4) return run<Arithmetic, Rows, Blocks, 1, 4, 0>(p);
        if constexpr (Rows <= kAnyStrideRows) return run<Arithmetic, Rows, Blocks, 1, 0, 0>(p);
    }
}

template <class Arithmetic, int MaxRows, int MaxBlocks, int Rows = MaxRows>
void run_rows(const Product& p) {
    if constexpr (Rows >= 1) {
        if (p.rows != Rows) return run_rows<Arithmetic, MaxRows, MaxBlocks, Rows - 1>(p);
        if constexpr (MaxBlocks >= 2)
            if (p.blocks == 2) return run_stride<Arithmetic, MaxRows, Rows, 2>(p);
        return run_stride<Arithmetic, MaxRows, Rows, 1>(p);
    }
}

template <class Arithmetic, int MaxRows, int MaxBlocks>
constexpr ProductKernels kernels() {
    return {MaxRows, MaxBlocks, run_rows<Arithmetic, MaxRows, MaxBlocks>};
}

}  // namespace darter::product
