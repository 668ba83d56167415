// Products with few rows, over a vector type: what a fully connected layer of few pictures needs.
#pragma once
#include "training/kernels.hpp"

namespace darter::training {

// Rows x Vectors sums in registers.
template <int Rows, int Vectors, class V>
void row_tile(const RowProduct& p, int64_t column) {
    V sum[Rows][Vectors];
    float* out = p.out + column;
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; ++v)
            sum[r][v] = p.accumulate ? V::load(out + r * p.out_row + v * V::lanes) : V::zero();
    const float *a = p.a, *b = p.b + column;
    for (int64_t d = 0; d < p.depth; ++d, a += p.a_depth, b += p.b_depth) {
        V by[Vectors];
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; ++v) by[v] = V::load(b + v * V::lanes);
#pragma GCC unroll 8
        for (int r = 0; r < Rows; ++r) {
            const V value = V::fill(a[r * p.a_row]);
#pragma GCC unroll 4
            for (int v = 0; v < Vectors; ++v) sum[r][v] = fma(value, by[v], sum[r][v]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; ++v) sum[r][v].store(out + r * p.out_row + v * V::lanes);
}

// Columns that fill no vector.
template <int Rows>
void row_rest(const RowProduct& p, int64_t column) {
    for (; column < p.columns; ++column)
        for (int r = 0; r < Rows; ++r) {
            float sum = p.accumulate ? p.out[r * p.out_row + column] : 0.0f;
            for (int64_t d = 0; d < p.depth; ++d)
                sum += p.a[r * p.a_row + d * p.a_depth] * p.b[d * p.b_depth + column];
            p.out[r * p.out_row + column] = sum;
        }
}

template <int Rows, class V>
void rows_of(const RowProduct& p) {
    if constexpr (Rows > 1)
        if (p.rows != Rows) return rows_of<Rows - 1, V>(p);
    constexpr int most = V::lanes == 16 ? 3 : 1;  // that fit into registers, eight times
    int64_t column = 0;
    for (; column + most * V::lanes <= p.columns; column += most * V::lanes)
        row_tile<Rows, most, V>(p, column);
    for (; column + V::lanes <= p.columns; column += V::lanes) row_tile<Rows, 1, V>(p, column);
    row_rest<Rows>(p, column);
}

template <class V>
void row_product(const RowProduct& p) {
    rows_of<kRowsAtOnce, V>(p);
}

}  // namespace darter::training
