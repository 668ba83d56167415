// Winograd tile transforms over a vector type; each instruction set instantiates them once.
#pragma once
#include <utility>

#include "conv/winograd/cook_toom.hpp"
#include "conv/winograd/winograd.hpp"
#include "simd/float32.hpp"

namespace darter::winograd {

constexpr int kBlock = 16;

// value += coefficient * x, with the coefficient known: 0, 1 and -1 cost no product.
template <double coefficient, class V>
[[gnu::always_inline]] inline void add_term(V& value, bool& empty, V x) {
    if constexpr (coefficient != 0) {
        if (empty) {
            if constexpr (coefficient == 1)
                value = x;
            else
                value = V::fill(static_cast<float>(coefficient)) * x;
        } else if constexpr (coefficient == 1) {
            value = value + x;
        } else if constexpr (coefficient == -1) {
            value = value - x;
        } else {
            value = fma(V::fill(static_cast<float>(coefficient)), x, value);
        }
        empty = false;
    }
}

// Sum of row.at[j] * x[j] over j = First, First + Step, ... The leading coefficient of the input
// rows is 1, so the sum begins at the end.
template <Row row, int First, int Step, class V, int n>
[[gnu::always_inline]] inline V dot(const V (&x)[n]) {
    V value = V::zero();
    bool empty = true;
    [&]<int... j>(std::integer_sequence<int, j...>) {
        (add_term<(n - 1 - j) % Step == First % Step ? row.at[n - 1 - j] : 0.0>(value, empty,
                                                                               x[n - 1 - j]),
         ...);
    }(std::make_integer_sequence<int, n>{});
    return value;
}

// Bt depends on the points alone, so it is the same for all F(m, r) with n = m + r - 1 inputs.
template <int n, class V>
[[gnu::always_inline]] inline void input_line(const V (&d)[n], V (&t)[n]) {
    if constexpr (n == 1) {
        t[0] = d[0];
    } else {
        constexpr Transforms f = transforms(n, n);
        t[0] = dot<f.input.rows[0], 0, 1>(d);
        t[n - 1] = dot<f.input.rows[n - 1], 0, 1>(d);
        [&]<int... pair>(std::integer_sequence<int, pair...>) {
            (
                [&] {
                    constexpr int i = 2 * pair + 1;  // rows of +p and -p: the odd half changes sign
                    V even = dot<f.input.rows[i], 0, 2>(d), odd = dot<f.input.rows[i], 1, 2>(d);
                    t[i] = even + odd;
                    t[i + 1] = even - odd;
                }(),
                ...);
        }(std::make_integer_sequence<int, (n - 2) / 2>{});
    }
}

// The row without the second of each pair of points.
consteval Row folded(Row row, int n) {
    for (int i = 2; i < n - 1; i += 2) row.at[i] = 0;
    return row;
}

enum class Outputs { exact, on_the_fly };  // of products whose filters have G, or its multiples

template <int m, int n, Outputs outputs, class V>
[[gnu::always_inline]] inline void output_line(const V (&t)[n], V (&y)[m]) {
    constexpr Matrix f = outputs == Outputs::exact ? transforms(m, n).output : kOnTheFly.output;
    // Even powers of +p and -p agree, odd ones change sign: fold the pairs first.
    V even[n], odd[n];
    even[0] = odd[0] = t[0];
    even[n - 1] = odd[n - 1] = t[n - 1];
#pragma GCC unroll 8
    for (int i = 1; i + 1 < n; i += 2) {
        even[i] = even[i + 1] = t[i] + t[i + 1];
        odd[i] = odd[i + 1] = t[i] - t[i + 1];
    }
    [&]<int... j>(std::integer_sequence<int, j...>) {
        ((y[j] = dot<folded(f.rows[j], n), 0, 1>(j % 2 ? odd : even)), ...);
    }(std::make_integer_sequence<int, m>{});
}

// A transformed value that is kept for the products as a rounded float32.
template <class V>
struct Rounded {
    using Element = float;
    static void store(V x, float* to) { rounded_to_bfloat16(x).store(to); }
};

template <class V, int nh, int nw, class Kept = Float32<V>, class Source = Float32<V>>
void input(const InputTile& tile) {
    using Pixel = typename Source::Element;
    const bool inside = tile.top == 0 && tile.left == 0 && tile.bottom == nh && tile.right == nw;
    alignas(64) Pixel patch[nh * nw * kBlock];
    if (!inside)
        for (Pixel& value : patch) value = 0;
    for (int64_t block = 0; block < tile.blocks; ++block) {
        const Pixel* x = static_cast<const Pixel*>(tile.x) + block * tile.x_block;
        int64_t row = tile.x_row;
        for (int i = 0; i < nh; ++i)
            for (int j = 0; j < tile.step; ++j)
                __builtin_prefetch(x + i * row + (nw + j) * kBlock);
        if (!inside) {
            for (int i = tile.top; i < tile.bottom; ++i)
                for (int j = tile.left * kBlock; j < tile.right * kBlock; j += V::lanes)
                    Source::store(Source::load(x + i * row + j), patch + i * nw * kBlock + j);
            x = patch;
            row = nw * kBlock;
        }
        for (int part = 0; part < kBlock; part += V::lanes) {
            V half[nh][nw];  // columns transformed
            for (int j = 0; j < nw; ++j) {
                V d[nh], t[nh];
#pragma GCC unroll 8
                for (int i = 0; i < nh; ++i) d[i] = Source::load(x + i * row + j * kBlock + part);
                input_line<nh>(d, t);
#pragma GCC unroll 8
                for (int i = 0; i < nh; ++i) half[i][j] = t[i];
            }
            auto* v = static_cast<typename Kept::Element*>(tile.v) + block * tile.v_block + part;
            for (int i = 0; i < nh; ++i) {
                for (int j = 0; j < nw; ++j)  // the lines of the next block or tile
                    __builtin_prefetch(v + (i * nw + j) * tile.v_position + tile.v_next, 1);
                V t[nw];
                input_line<nw>(half[i], t);
#pragma GCC unroll 8
                for (int j = 0; j < nw; ++j) Kept::store(t[j], v + (i * nw + j) * tile.v_position);
            }
        }
    }
}

template <class V, int mh, int nh, int mw, int nw, Outputs outputs = Outputs::exact>
void output(const OutputTile& tile) {
    const V low = V::fill(tile.low), high = V::fill(tile.high);
    for (int64_t block = 0; block < tile.blocks; ++block)
        for (int part = 0; part < kBlock; part += V::lanes) {
            const float* from = tile.products + block * kBlock + part;
            V half[mh][nw];  // columns transformed
            for (int j = 0; j < nw; ++j) {
                V t[nh], y[mh];
#pragma GCC unroll 8
                for (int i = 0; i < nh; ++i) t[i] = V::load(from + (i * nw + j) * tile.position);
                output_line<mh, nh, outputs>(t, y);
#pragma GCC unroll 8
                for (int i = 0; i < mh; ++i) half[i][j] = y[i];
            }
            const V bias = V::load(tile.bias + block * kBlock + part);
            const int64_t out = block * tile.y_block + part;
            for (int i = 0; i < mh; ++i)
                for (int j = 0; j < mw; ++j)  // the next tile
                    __builtin_prefetch(tile.y + out + i * tile.y_row + (mw + j) * kBlock, 1);
            for (int i = 0; i < tile.rows; ++i) {
                V y[mw];
                output_line<mw, nw, outputs>(half[i], y);
#pragma GCC unroll 8
                for (int j = 0; j < mw; ++j) {
                    if (j >= tile.columns) break;
                    int64_t at = out + i * tile.y_row + j * kBlock;
                    V value = y[j] + bias;
                    if (tile.residual) value = value + V::load(tile.residual + at);
                    clamp(value, low, high).store(tile.y + at);
                }
            }
        }
}

// u = G g G^T of 16 filters. V only tells instruction sets apart.
template <class V, int mh, int nh, int mw, int nw>
void filters(const float* g, float* u) {
    constexpr int rh = nh - mh + 1, rw = nw - mw + 1;
    static constexpr Matrix down = transforms(mh, nh).filter, across = transforms(mw, nw).filter;
    double half[nh][rw][kBlock];
    for (int i = 0; i < nh; ++i)
        for (int b = 0; b < rw; ++b) {
            for (double& value : half[i][b]) value = 0;
            for (int a = 0; a < rh; ++a)
                for (int lane = 0; lane < kBlock; ++lane)
                    half[i][b][lane] += down.rows[i].at[a] * g[(a * rw + b) * kBlock + lane];
        }
    for (int i = 0; i < nh; ++i)
        for (int j = 0; j < nw; ++j) {
            double value[kBlock] = {};
            for (int b = 0; b < rw; ++b)
                for (int lane = 0; lane < kBlock; ++lane)
                    value[lane] += half[i][b][lane] * across.rows[j].at[b];
            for (int lane = 0; lane < kBlock; ++lane)
                u[(i * nw + j) * kBlock + lane] = static_cast<float>(value[lane]);
        }
}

// F(m_h, n_h - m_h + 1) down by F(m_w, n_w - m_w + 1) across.
template <class V, int mh, int nh, int mw, int nw>
constexpr TileTransform kernel() {
    return {nh, nw, mh, mw, nh * nw, 1, input<V, nh, nw>, output<V, mh, nh, mw, nw>,
            filters<V, mh, nh, mw, nw>};
}

template <class V, class Kept, class Source = Float32<V>>
constexpr Bfloat16Inputs bfloat16_inputs() {
    return {input<V, 4, 4, Kept, Source>, input<V, 6, 6, Kept, Source>};
}

// In the order of `kernels`.
template <class V, class Source>
constexpr InputsOfBfloat16 inputs_of_bfloat16() {
    using F = Float32<V>;
    return {{input<V, 4, 4, F, Source>, input<V, 6, 6, F, Source>, input<V, 8, 8, F, Source>,
             input<V, 6, 6, F, Source>, input<V, 8, 8, F, Source>, input<V, 1, 6, F, Source>,
             input<V, 6, 1, F, Source>, input<V, 1, 8, F, Source>, input<V, 8, 1, F, Source>,
             input<V, 1, 8, F, Source>, input<V, 8, 1, F, Source>},
            bfloat16_inputs<V, Source, Source>()};
}

template <class V>
constexpr WinogradKernels kernels() {
    return {{kernel<V, 2, 4, 2, 4>(), kernel<V, 4, 6, 4, 6>(), kernel<V, 6, 8, 6, 8>(),
             kernel<V, 2, 6, 2, 6>(), kernel<V, 4, 8, 4, 8>(),
             kernel<V, 1, 1, 4, 6>(), kernel<V, 4, 6, 1, 1>(),
             kernel<V, 1, 1, 6, 8>(), kernel<V, 6, 8, 1, 1>(),
             kernel<V, 1, 1, 2, 8>(), kernel<V, 2, 8, 1, 1>()},
            bfloat16_inputs<V, Rounded<V>>()};
}

}  // namespace darter::winograd
