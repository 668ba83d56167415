// Tiles of n x n real pixels to and from their Fourier transforms; each instruction set instantiates
// them once. A real tile has redundant bins: columns 0 ... n/2 suffice, and of columns 0 and n/2 only
// rows 0 ... n/2. Positions are numbered column by column.
#pragma once
#include "conv/fft/fft.hpp"
#include "conv/fft/fourier.hpp"

namespace darter::fft {

constexpr int kBlock = 16;

[[gnu::always_inline]] constexpr bool half_column(int column, int n) {
    return column == 0 || column == n / 2;
}

// Two real rows make one complex row: after the transform, bin j of the first is
// (Z[j] + conj Z[n-j]) / 2, of the second (Z[j] - conj Z[n-j]) / 2i.
template <class V, int n>
void input(const InputTile& tile) {
    constexpr int bins = n / 2 + 1;
    const V half = V::fill(0.5f);
    for (int64_t block = 0; block < tile.blocks; ++block)
        for (int part = 0; part < kBlock; part += V::lanes) {
            const float* x = static_cast<const float*>(tile.x) + block * tile.x_block + part;
            V re[n][bins], im[n][bins];
            for (int i = 0; i < n; i += 2) {
                V a[n], b[n];
                for (int j = 0; j < n; ++j) {
                    bool inside = j >= tile.left && j < tile.right;
                    const float* at = x + i * tile.x_row + j * kBlock;
                    bool upper = inside && i >= tile.top && i < tile.bottom;
                    bool lower = inside && i + 1 >= tile.top && i + 1 < tile.bottom;
                    a[j] = upper ? V::load(at) : V::zero();
                    b[j] = lower ? V::load(at + tile.x_row) : V::zero();
                }
                fourier::transform<V, n>(a, b, 1);
                for (int j = 0; j < bins; ++j) {
                    int k = (n - j) % n;
                    re[i][j] = half * (a[j] + a[k]);
                    im[i][j] = half * (b[j] - b[k]);
                    re[i + 1][j] = half * (b[j] + b[k]);
                    im[i + 1][j] = half * (a[k] - a[j]);
                }
            }
            float* v = static_cast<float*>(tile.v) + block * tile.v_block + part;
            for (int j = 0; j < bins; ++j) {
                fourier::transform<V, n>(&re[0][j], &im[0][j], bins);
                for (int i = 0; i < (half_column(j, n) ? bins : n); ++i, v += tile.v_position) {
                    re[i][j].store(v);
                    im[i][j].store(v + tile.v_part);
                }
            }
        }
}

template <class V, int n>
void output(const OutputTile& tile) {
    constexpr int bins = n / 2 + 1;
    const V low = V::fill(tile.low), high = V::fill(tile.high);
    for (int64_t block = 0; block < tile.blocks; ++block)
        for (int part = 0; part < kBlock; part += V::lanes) {
            const float* from = tile.products + block * 2 * kBlock + part;
            V re[n][bins], im[n][bins];
            for (int j = 0; j < bins; ++j) {
                for (int i = 0; i < (half_column(j, n) ? bins : n); ++i, from += tile.position) {
                    re[i][j] = V::load(from);
                    im[i][j] = V::load(from + kBlock);
                }
                for (int i = bins; half_column(j, n) && i < n; ++i) {
                    re[i][j] = re[n - i][j];
                    im[i][j] = V::zero() - im[n - i][j];
                }
                fourier::transform<V, n>(&im[0][j], &re[0][j], bins);
            }
            const V bias = V::load(tile.bias + block * kBlock + part);
            const int64_t out = block * tile.y_block + part;
            for (int i = 0; i < tile.rows; i += 2) {
                V a[n], b[n];  // Z = first row + i * second row
                for (int j = 0; j < bins; ++j) {
                    a[j] = re[i][j] - im[i + 1][j];
                    b[j] = im[i][j] + re[i + 1][j];
                }
                for (int j = bins; j < n; ++j) {
                    a[j] = re[i][n - j] + im[i + 1][n - j];
                    b[j] = re[i + 1][n - j] - im[i][n - j];
                }
                fourier::transform<V, n>(b, a, 1);
                for (int row = i; row < tile.rows && row < i + 2; ++row)
                    for (int j = 0; j < tile.columns; ++j) {
                        int64_t at = out + row * tile.y_row + j * kBlock;
                        V value = (row == i ? a[j] : b[j]) + bias;
                        if (tile.residual) value = value + V::load(tile.residual + at);
                        clamp(value, low, high).store(tile.y + at);
                    }
            }
        }
}

template <class V>
void multiply(float* v, const float* u, int64_t positions) {
    for (int64_t i = 0; i < positions * 2 * kBlock; i += 2 * kBlock)
        for (int part = 0; part < kBlock; part += V::lanes) {
            float *real = v + i + part, *imaginary = real + kBlock;
            const V a = V::load(real), b = V::load(imaginary);
            const V c = V::load(u + i + part), d = V::load(u + i + part + kBlock);
            (a * c - b * d).store(real);
            fma(a, d, b * c).store(imaginary);
        }
}

template <class V, int n>
constexpr FftTile kernel() {
    return {n, input<V, n>, output<V, n>};
}

template <class V>
constexpr FftKernels kernels() {
    return {{kernel<V, 16>(), kernel<V, 32>(), kernel<V, 64>()}, multiply<V>};
}

}  // namespace darter::fft
