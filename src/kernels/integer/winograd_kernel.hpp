// The three phases of integer/winograd.hpp over the vectors of an instruction set; V as in kernel.hpp.
//
// V::Halves: 16 bits of the 16 channels of one block, or of two.   V::halves: of pixels of bytes.
// V::dot_pairs: sums of kLanes filters, each with the products of 2 channels.
#pragma once
#include <cstdint>
#include <cstring>
#include <iterator>

#include "integer/tile.hpp"
#include "integer/transforms.hpp"

namespace darter {
namespace {

// kept: bytes of a vector that are written.
template <class V, int kept = sizeof(typename V::Halves)>
void transform_input(const uint8_t* x, int64_t row, int64_t next_block, int16_t* v, int64_t position) {
    using Halves = typename V::Halves;
    constexpr int n = whole::kInputs;
    Halves half[n][n];  // columns transformed
    for (int j = 0; j < n; ++j) {
        Halves d[n], t[n];
#pragma GCC unroll 8
        for (int i = 0; i < n; ++i) d[i] = V::halves(x + i * row + j * kIntegerBlock, next_block);
        whole::input_line(d, t);
#pragma GCC unroll 8
        for (int i = 0; i < n; ++i) half[i][j] = t[i];
    }
    for (int i = 0; i < n; ++i) {
        Halves t[n];
        whole::input_line(half[i], t);
#pragma GCC unroll 8
        for (int j = 0; j < n; ++j) std::memcpy(v + (i * n + j) * position, &t[j], kept);
    }
}

template <class V>
void winograd_input(const IntegerPatch& p) {
    constexpr int bytes = sizeof(typename V::Halves), at_once = bytes / (2 * kIntegerBlock);
    int64_t block = 0;
    for (; block + at_once <= p.blocks; block += at_once)
        transform_input<V>(p.x + block * p.x_block, p.x_row, p.x_block, p.v + block * kIntegerBlock,
                           p.position);
    if (block < p.blocks)
        transform_input<V, bytes / at_once>(p.x + block * p.x_block, p.x_row, 0,
                                            p.v + block * kIntegerBlock, p.position);
}

// channels: of v.   next: filters that are read later, of which each pair of channels fetches so many lines.
template <class V, int P, int B>
void pairs_of(int64_t pairs, int64_t channels, const int16_t* v, const int16_t* w, int32_t* to,
              const char* next, int lines) {
    constexpr int kParts = kIntegerBlock / V::kLanes, kWidth = B * kParts;
    int64_t tiles[P];
    for (int p = 0; p < P; ++p) tiles[p] = p * channels;
    typename V::Sums sums[P][kWidth] = {};
    for (int64_t pair = 0; pair < pairs; ++pair, v += 2, w += 2 * B * kIntegerBlock) {
        for (int i = 0; i < lines; ++i, next += 64) __builtin_prefetch(next, 0, 2);
        typename V::PairWeights weights[kWidth];
#pragma GCC unroll 8
        for (int i = 0; i < kWidth; ++i) weights[i] = V::pair_weights(w + i * V::kLanes * 2);
#pragma GCC unroll 12
        for (int p = 0; p < P; ++p) {
            const auto values = V::pair_values(v + tiles[p]);
#pragma GCC unroll 8
            for (int i = 0; i < kWidth; ++i) sums[p][i] = V::dot_pairs(sums[p][i], values, weights[i]);
        }
    }
#pragma GCC unroll 12
    for (int p = 0; p < P; ++p)
#pragma GCC unroll 8
        for (int i = 0; i < kWidth; ++i) V::store(to + p * B * kIntegerBlock + i * V::kLanes, sums[p][i]);
}

template <class V, int B, int P = V::kPixels[B - 1]>
void pairs_of_tiles(int64_t tiles, int64_t pairs, int64_t channels, const int16_t* v, const int16_t* w,
                    int32_t* to, const char* next, int lines) {
    if constexpr (P > 1)
        if (tiles < P) return pairs_of_tiles<V, B, P - 1>(tiles, pairs, channels, v, w, to, next, lines);
    pairs_of<V, P, B>(pairs, channels, v, w, to, next, lines);
}

template <class V, int B = std::size(V::kPixels)>
void winograd_pairs(const IntegerPairs& q) {
    if constexpr (B > 1)
        if (q.blocks < B) return winograd_pairs<V, B - 1>(q);
    const int64_t groups = (q.tiles + V::kPixels[B - 1] - 1) / V::kPixels[B - 1];
    // Groups of tiles share the lines of the next position's filters: B for each pair.
    const int lines = static_cast<int>((B + groups - 1) / groups);
    const int16_t* w = q.w;
    for (int64_t position = 0; position < whole::kPositions; ++position) {
        const int16_t* v = q.v + position * q.v_position + 2 * q.first[position];
        const int16_t* after = w + q.pairs[position] * 2 * B * kIntegerBlock;
        for (int64_t group = 0; group < groups; ++group) {
            const int64_t first = group * q.tiles / groups, end = (group + 1) * q.tiles / groups;
            const char* next = reinterpret_cast<const char*>(after) + group * q.pairs[position] * lines * 64;
            pairs_of_tiles<V, B>(end - first, q.pairs[position], q.channels, v + first * q.channels, w,
                                 q.sums + position * q.sums_position + first * B * kIntegerBlock, next,
                                 group * lines < B ? lines : 0);
        }
        w = after;
    }
}

// Words wrap around.
template <int lanes>
struct Lanes;
template <>
struct Lanes<4> {
    typedef uint32_t Words __attribute__((vector_size(16)));
    typedef int32_t Signed __attribute__((vector_size(16)));
};
template <>
struct Lanes<8> {
    typedef uint32_t Words __attribute__((vector_size(32)));
    typedef int32_t Signed __attribute__((vector_size(32)));
};
template <>
struct Lanes<16> {
    typedef uint32_t Words __attribute__((vector_size(64)));
    typedef int32_t Signed __attribute__((vector_size(64)));
};

// The sums of 4 x 4 pixels of 16 filters, bias included, then what follows them.
template <class V>
void winograd_output(const IntegerPatchSums& s) {
    constexpr int lanes = V::kLanes < 4 ? 4 : V::kLanes, n = whole::kInputs, m = whole::kOutputs;
    using Words = typename Lanes<lanes>::Words;
    using Signed = typename Lanes<lanes>::Signed;
    alignas(64) int32_t sums[m][m][kIntegerBlock];
    for (int part = 0; part < kIntegerBlock; part += lanes) {
        Words half[m][n];  // columns transformed
        for (int j = 0; j < n; ++j) {
            Words t[n], y[m];
#pragma GCC unroll 8
            for (int i = 0; i < n; ++i)
                std::memcpy(&t[i], s.sums + (i * n + j) * s.position + part, sizeof t[i]);
            whole::output_line(t, y);
#pragma GCC unroll 8
            for (int i = 0; i < m; ++i) half[i][j] = y[i];
        }
        Signed bias;
        std::memcpy(&bias, s.finish.bias + part, sizeof bias);
#pragma GCC unroll 4
        for (int i = 0; i < m; ++i) {
            Words y[m];
            whole::output_line(half[i], y);
#pragma GCC unroll 4
            for (int j = 0; j < m; ++j) {
                const Words multiple = y[j] * whole::kNinth;
                const Signed sum = (Signed(multiple) >> (whole::kTwos[i] + whole::kTwos[j])) + bias;
                std::memcpy(sums[i][j] + part, &sum, sizeof sum);
            }
        }
    }
    for (int i = 0; i < s.rows; ++i) {
        const int64_t at = i * s.y_row;
        const uint8_t* residual = s.residual ? s.residual + at : nullptr;
        if constexpr (requires { V::finish_row(sums[i], s.columns, s.finish, residual, s.y + at); })
            V::finish_row(sums[i], s.columns, s.finish, residual, s.y + at);
        else
            for (int j = 0; j < s.columns; ++j)
                V::finish(sums[i][j], s.finish, s.finish.scale,
                          residual ? residual + j * kIntegerBlock : nullptr, s.y + at, j * kIntegerBlock);
    }
}

}  // namespace
}  // namespace darter
