// The loops of conv/gradient/kernels.hpp over a vector type; each instruction set instantiates them
// once.
#pragma once
#include "conv/gradient/kernels.hpp"
#include "conv/winograd/kernel.hpp"
#include "product/kernel.hpp"

namespace darter::gradient {

constexpr int kBlock = 16;

template <class V, int Channels, int Blocks>
void outer(const OuterProduct& p) {
    constexpr int parts = Blocks * kBlock / V::lanes, per_block = kBlock / V::lanes;
    V sum[Channels][parts];
#pragma GCC unroll 8
    for (int c = 0; c < Channels; ++c)
#pragma GCC unroll 16
        for (int j = 0; j < parts; ++j) sum[c][j] = V::zero();
    for (int64_t row = 0; row < p.rows; ++row) {
        const float *x = p.x + p.x_rows[row], *dy = p.dy + p.dy_rows[row];
        for (int64_t column = 0; column < p.columns; ++column, x += p.x_step, dy += kBlock) {
            V by[parts];
#pragma GCC unroll 16
            for (int j = 0; j < parts; ++j)
                by[j] = V::load(dy + j / per_block * p.dy_block + j % per_block * V::lanes);
#pragma GCC unroll 8
            for (int c = 0; c < Channels; ++c) {
                const V value = V::fill(x[c]);
#pragma GCC unroll 16
                for (int j = 0; j < parts; ++j) sum[c][j] = fma(value, by[j], sum[c][j]);
            }
        }
    }
#pragma GCC unroll 8
    for (int c = 0; c < Channels; ++c)
#pragma GCC unroll 16
        for (int j = 0; j < parts; ++j) {
            float* to = p.sum + (c * parts + j) * V::lanes;
            (p.first ? sum[c][j] : V::load(to) + sum[c][j]).store(to);
        }
}

template <class V, int Channels, int Blocks>
void outer_channels(const OuterProduct& p) {
    if constexpr (Channels > 1)
        if (p.channels != Channels) return outer_channels<V, Channels - 1, Blocks>(p);
    outer<V, Channels, Blocks>(p);
}

template <class V, int Channels, int Blocks>
void outer_blocks(const OuterProduct& p) {
    if constexpr (Blocks > 1)
        if (p.blocks != Blocks) return outer_blocks<V, Channels, Blocks - 1>(p);
    outer_channels<V, Channels, Blocks>(p);
}

template <class V, int Pixels>
void tap_pixels(const TapRow& t, int64_t pixel) {
    for (int part = 0; part < kBlock; part += V::lanes) {
        float* to = t.dx + pixel * t.dx_step + part;
        V sum[Pixels];
#pragma GCC unroll 8
        for (int i = 0; i < Pixels; ++i)
            sum[i] = t.accumulate ? V::load(to + i * t.dx_step) : V::zero();
        for (int64_t tap = 0; tap < t.taps; ++tap) {
            const V weight = V::load(t.w[tap] + part);
            const float* dy = t.dy[tap] + pixel * kBlock + part;
#pragma GCC unroll 8
            for (int i = 0; i < Pixels; ++i) sum[i] = fma(V::load(dy + i * kBlock), weight, sum[i]);
        }
#pragma GCC unroll 8
        for (int i = 0; i < Pixels; ++i) sum[i].store(to + i * t.dx_step);
    }
}

template <class V>
void tap_row(const TapRow& t) {
    int64_t pixel = 0;
    for (; pixel + 8 <= t.pixels; pixel += 8) tap_pixels<V, 8>(t, pixel);
    for (; pixel + 2 <= t.pixels; pixel += 2) tap_pixels<V, 2>(t, pixel);
    for (; pixel < t.pixels; ++pixel) tap_pixels<V, 1>(t, pixel);
}

// Chains: additions of neighbouring columns need not wait for each other.
template <class V, int Taps, int Chains>
void correlate_taps(const Correlation& c, int64_t first_tap) {
    for (int part = 0; part < kBlock; part += V::lanes) {
        const float *x = c.x + first_tap * c.tap_step + part, *dy = c.dy + part;
        V sum[Chains][Taps];
#pragma GCC unroll 8
        for (int i = 0; i < Chains; ++i)
#pragma GCC unroll 8
            for (int s = 0; s < Taps; ++s) sum[i][s] = V::zero();
        int64_t column = 0;
        for (; column + Chains <= c.columns; column += Chains)
#pragma GCC unroll 8
            for (int i = 0; i < Chains; ++i) {
                const V by = V::load(dy + (column + i) * kBlock);
                const float* from = x + (column + i) * c.x_step;
#pragma GCC unroll 8
                for (int s = 0; s < Taps; ++s)
                    sum[i][s] = fma(V::load(from + s * c.tap_step), by, sum[i][s]);
            }
        for (; column < c.columns; ++column) {
            const V by = V::load(dy + column * kBlock);
            const float* from = x + column * c.x_step;
#pragma GCC unroll 8
            for (int s = 0; s < Taps; ++s)
                sum[0][s] = fma(V::load(from + s * c.tap_step), by, sum[0][s]);
        }
#pragma GCC unroll 8
        for (int s = 0; s < Taps; ++s) {
            V all = sum[0][s];
#pragma GCC unroll 8
            for (int i = 1; i < Chains; ++i) all = all + sum[i][s];
            float* to = c.sum + (first_tap + s) * kBlock + part;
            (V::load(to) + all).store(to);
        }
    }
}

template <class V>
void correlate(const Correlation& c) {
    int64_t tap = 0;
    if (c.taps == 5) {
        correlate_taps<V, 5, 2>(c, 0);
        return;
    }
    for (; tap + 3 <= c.taps; tap += 3) correlate_taps<V, 3, 4>(c, tap);
    for (; tap < c.taps; ++tap) correlate_taps<V, 1, 8>(c, tap);
}

template <class V>
void add(const float* x, float* sum, int64_t count) {
    for (int64_t i = 0; i < count; i += V::lanes)
        (V::load(sum + i) + V::load(x + i)).store(sum + i);
}

// A column of a matrix as a row.
consteval winograd::Row column_of(const winograd::Matrix& matrix, int column, int rows) {
    winograd::Row row;
    for (int j = 0; j < rows; ++j) row.at[j] = matrix.rows[j].at[column];
    return row;
}

// t = A y: even powers of +p and -p agree, odd ones change sign.
template <int m, int n, class V>
[[gnu::always_inline]] inline void spread_line(const V (&y)[m], V (&t)[n]) {
    constexpr winograd::Matrix f = winograd::transforms(m, n).output;
    t[0] = y[0];
    t[n - 1] = y[m - 1];
    [&]<int... pair>(std::integer_sequence<int, pair...>) {
        (
            [&] {
                constexpr int i = 2 * pair + 1;
                constexpr winograd::Row row = column_of(f, i, m);
                V even = winograd::dot<row, 0, 2>(y), odd = winograd::dot<row, 1, 2>(y);
                t[i] = even + odd;
                t[i + 1] = even - odd;
            }(),
            ...);
    }(std::make_integer_sequence<int, (n - 2) / 2>{});
}

template <class V, int m, int n>
void spread(const SpreadTile& tile) {
    const bool inside = tile.rows == m && tile.columns == m;
    alignas(64) float patch[m * m * kBlock];
    if (!inside)
        for (float& value : patch) value = 0;
    for (int64_t block = 0; block < tile.blocks; ++block) {
        const float* dy = tile.dy + block * tile.dy_block;
        int64_t row = tile.dy_row;
        if (!inside) {
            for (int i = 0; i < tile.rows; ++i)
                for (int j = 0; j < tile.columns * kBlock; j += V::lanes)
                    V::load(dy + i * row + j).store(patch + i * m * kBlock + j);
            dy = patch;
            row = m * kBlock;
        }
        for (int part = 0; part < kBlock; part += V::lanes) {
            V half[n][m];  // columns transformed
            for (int j = 0; j < m; ++j) {
                V y[m], t[n];
#pragma GCC unroll 8
                for (int i = 0; i < m; ++i) y[i] = V::load(dy + i * row + j * kBlock + part);
                spread_line<m, n>(y, t);
#pragma GCC unroll 8
                for (int i = 0; i < n; ++i) half[i][j] = t[i];
            }
            float* to = tile.m + block * tile.m_block + part;
            for (int i = 0; i < n; ++i) {
                V t[n];
                spread_line<m, n>(half[i], t);
#pragma GCC unroll 8
                for (int j = 0; j < n; ++j) t[j].store(to + (i * n + j) * tile.m_position);
            }
        }
    }
}

// g = G^T u
template <int m, int n, class V>
[[gnu::always_inline]] inline void gather_line(const V (&u)[n], V (&g)[n - m + 1]) {
    constexpr winograd::Matrix f = winograd::transforms(m, n).filter;
    [&]<int... a>(std::integer_sequence<int, a...>) {
        ((g[a] = winograd::dot<column_of(f, a, n), 0, 1>(u)), ...);
    }(std::make_integer_sequence<int, n - m + 1>{});
}

template <class V, int m, int n>
void gather(const float* u, int64_t position, float* g, int64_t tap, int64_t count) {
    constexpr int taps = n - m + 1;
    for (int64_t at = 0; at < count * kBlock; at += V::lanes) {
        V half[taps][n];
        for (int j = 0; j < n; ++j) {
            V t[n], y[taps];
#pragma GCC unroll 8
            for (int i = 0; i < n; ++i) t[i] = V::load(u + (i * n + j) * position + at);
            gather_line<m, n>(t, y);
#pragma GCC unroll 8
            for (int i = 0; i < taps; ++i) half[i][j] = y[i];
        }
        for (int i = 0; i < taps; ++i) {
            V y[taps];
            gather_line<m, n>(half[i], y);
#pragma GCC unroll 8
            for (int j = 0; j < taps; ++j) y[j].store(g + (i * taps + j) * tap + at);
        }
    }
}

template <class V, int m, int n>
constexpr WinogradGradient winograd_gradient() {
    return {m, n, spread<V, m, n>, gather<V, m, n>};
}

template <class V, int Channels, int Blocks>
constexpr GradientKernels kernels() {
    return {Channels, Blocks, outer_blocks<V, Channels, Blocks>, tap_row<V>, correlate<V>, add<V>,
            {winograd_gradient<V, 2, 4>(), winograd_gradient<V, 4, 6>(),
             winograd_gradient<V, 6, 8>()}};
}

}  // namespace darter::gradient
