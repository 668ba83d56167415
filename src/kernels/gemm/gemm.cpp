#include "gemm/gemm.hpp"

#include <algorithm>
#include <cstring>

#include "product/tiling.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {
namespace {

// The depth is cut into chunks. A chunk of b is packed for all threads; a panel of it (depth x 32
// floats, 64 KiB) comes from L2 while tiles of a stream past it, and the packed block of a (rows x
// depth floats, at most 448 KiB) stays in L2 while all panels of b pass. Where a product is added to
// several targets, adding is what costs: then sums run deeper.
struct Blocking {
    int64_t rows, depth;
};
constexpr Blocking kOneTarget{224, 512}, kManyTargets{112, 1024};
constexpr int kMostRows = 32;           // of a product, on any instruction set
constexpr int64_t kLeastTiles = 4;      // of a block of a: fewer make reading b the limit
constexpr int64_t kRowsAhead = 4;       // that packing fetches
constexpr int64_t kPanelsSwept = 4;     // past one tile of rows before the next tile comes
constexpr int64_t kPanelsTogether = 8;  // packed together, so that whole kilobytes are read

// to[i] = sum of the terms at `index` and the count - 1 elements that follow `stride` apart.
void gather(const Operand& from, int64_t index, int64_t stride, int64_t count, float* to) {
    const bool whole = count == kBlock && stride == 1;  // a loop of known length
    std::fill_n(to, count, 0.0f);
    for (int t = 0; t < from.count; ++t) {
        const float* term = from.terms[t] + index;
        const float sign = from.signs[t];
        if (whole)
            for (int i = 0; i < kBlock; ++i) to[i] += sign * term[i];
        else
            for (int64_t i = 0; i < count; ++i) to[i] += sign * term[i * stride];
    }
}

// Rows end too soon for the CPU to foresee the next: fetches what a row some rows on will need.
void fetch(const Operand& from, int64_t index) {
    for (int t = 0; t < from.count; ++t) __builtin_prefetch(from.terms[t] + index);
}

// 16 elements; beyond `count` they are 0.
inline void gather_padded(const Operand& from, int64_t index, int64_t stride, int64_t count,
                          float* to) {
    if (count >= kBlock && stride == 1 && from.count == 1 && from.signs[0] == 1) {
        std::memcpy(to, from.terms[0] + index, kBlock * sizeof(float));
        return;
    }
    count = std::clamp<int64_t>(count, 0, kBlock);
    gather(from, index, stride, count, to);
    std::fill(to + count, to + kBlock, 0.0f);
}

struct Plan {
    int64_t m, n, k;
    Operands operands;
    Blocking blocking;
    const ProductKernels& kernels = operands.product();
    int64_t rows = kernels.rows;
    int64_t width = kernels.blocks * kBlock;
    int64_t depth = ceil_div(k, kBlock) * kBlock;  // k, padded with zeros
    int64_t panels = ceil_div(n, width);
    int64_t most = even_piece(depth / kBlock, blocking.depth / kBlock) * kBlock;  // of a chunk

    // That a packed tile of a has room for.
    int64_t tile_rows() const {
        return operands.rounded() ? rows : transposed_stride(kernels.rows);
    }
    int64_t chunk(int64_t first) const { return std::min(most, depth - first); }
};

// Two rows of b side by side: what a product of pairs reads.
void interleave(const float (&rows)[2][kBlock], float* pairs) {
    for (int j = 0; j < kBlock; ++j) pairs[2 * j] = rows[0][j], pairs[2 * j + 1] = rows[1][j];
}

// Rows [first, first + chunk) of some panels of b, each panel [depth][width].
void pack_panels(const Plan& plan, const Operand& b, int64_t first, int64_t panel, int64_t last,
                 void* packed) {
    const Operands& operands = plan.operands;
    const int pack = operands.pack();
    const int64_t panel_size = plan.chunk(first) * plan.width;
    alignas(64) float rows[2][kBlock], pairs[2 * kBlock];
    for (int64_t i = 0; i < plan.chunk(first); i += pack)
        for (int64_t p = panel; p < last; ++p)
            for (int64_t j = 0; j < plan.width; j += kBlock) {
                void* to = operands.at(packed, p * panel_size + i * plan.width + j * pack);
                const int64_t column = p * plan.width + j;
                fetch(b, (first + i + kRowsAhead) * b.row_stride + column * b.column_stride);
                for (int row = 0; row < pack; ++row) {
                    int64_t count = first + i + row < plan.k ? plan.n - column : 0;
                    int64_t index = (first + i + row) * b.row_stride + column * b.column_stride;
                    float* line = operands.rounded() ? rows[row] : static_cast<float*>(to);
                    gather_padded(b, index, b.column_stride, count, line);
                }
                if (pack == 2) interleave(rows, pairs);
                if (operands.rounded())
                    operands.store(pack == 2 ? pairs : rows[0], to, pack * kBlock);
            }
}

using Four [[gnu::vector_size(16)]] = float;

// to[j * stride + i] = from[i * 16 + j] for four rows of 16.
void transpose_four_rows(const float* from, float* to, int64_t stride) {
    for (int j = 0; j < kBlock; j += 4) {
        Four row[4];
        for (int i = 0; i < 4; ++i) std::memcpy(&row[i], from + i * kBlock + j, sizeof(Four));
        using Order [[gnu::vector_size(16)]] = int;
        Four a = __builtin_shuffle(row[0], row[1], Order{0, 4, 1, 5});
        Four b = __builtin_shuffle(row[2], row[3], Order{0, 4, 1, 5});
        Four c = __builtin_shuffle(row[0], row[1], Order{2, 6, 3, 7});
        Four d = __builtin_shuffle(row[2], row[3], Order{2, 6, 3, 7});
        Four column[4] = {__builtin_shuffle(a, b, Order{0, 1, 4, 5}),
                          __builtin_shuffle(a, b, Order{2, 3, 6, 7}),
                          __builtin_shuffle(c, d, Order{0, 1, 4, 5}),
                          __builtin_shuffle(c, d, Order{2, 3, 6, 7})};
        for (int i = 0; i < 4; ++i) std::memcpy(to + (j + i) * stride, &column[i], sizeof(Four));
    }
}

// Tiles of a: [tile][step][16][row], or [tile][step][row][16] where rounded.
void pack_rows(const Plan& plan, const Operand& a, int64_t row, int64_t count, int64_t first,
               void* packed) {
    const Operands& operands = plan.operands;
    const int64_t stride = plan.tile_rows();
    alignas(64) float lines[4][kBlock] = {};
    for (int64_t tile = 0; tile < count; tile += plan.rows)
        for (int64_t column = 0; column < plan.chunk(first); column += kBlock)
            for (int64_t i = 0; i < plan.rows; i += 4) {
                int64_t rows = std::min({int64_t{4}, plan.rows - i, count - tile - i});
                if (rows <= 0) break;
                for (int64_t j = 0; j < rows; ++j) {
                    int64_t index = (row + tile + i + j) * a.row_stride +
                                    (first + column) * a.column_stride;
                    fetch(a, index + 4 * kBlock * a.column_stride);
                    gather_padded(a, index, a.column_stride, plan.k - first - column, lines[j]);
                }
                int64_t to = tile * plan.chunk(first) / plan.rows * stride + column * stride;
                if (!operands.rounded())
                    transpose_four_rows(lines[0], static_cast<float*>(packed) + to + i, stride);
                else
                    for (int64_t j = 0; j < rows; ++j)
                        operands.store(lines[j], operands.at(packed, to + (i + j) * kBlock), kBlock);
            }
}

// Adds a finished tile, held aside, to the part of every target that it covers.
void add_tile(const float* tile, int64_t width, const Target& target, int64_t index, int64_t rows,
              int64_t columns, bool overwrite) {
    for (int t = 0; t < target.count; ++t) {
        const float sign = target.signs[t];
        for (int64_t i = 0; i < rows; ++i) {
            float* __restrict to = target.terms[t] + index + i * target.row_stride;
            const float* from = tile + i * width;
            if (overwrite)
                std::copy(from, from + columns, to);
            else
                for (int64_t j = 0; j < columns; ++j) to[j] += sign * from[j];
        }
    }
}

// A packed block of a, rows [row, row + count), and a packed chunk of b, from depth `first` on.
struct Block {
    const void* a;
    const void* b;
    int64_t row, count, first;
};

// One tile of rows times one panel.
void multiply_tile(const Plan& plan, const Block& block, int64_t tile, int64_t panel,
                   const int64_t* offsets, const Target& target, bool overwrite) {
    const int64_t chunk = plan.chunk(block.first), row = tile * plan.rows;
    const int64_t column = panel * plan.width, columns = std::min(plan.width, plan.n - column);
    const int64_t index = (block.row + row) * target.row_stride + column;
    const bool plain = target.count == 1 && target.signs[0] == 1;
    const bool direct = plain && columns == plan.width;
    alignas(64) float aside[kMostRows * 2 * kBlock];
    Product p{};
    p.a = plan.operands.at(block.a, tile * plan.tile_rows() * chunk);
    p.b = plan.operands.at(block.b, panel * chunk * plan.width);
    p.offsets = offsets;
    p.steps = chunk / kBlock;
    p.row_stride = kBlock;
    p.transposed = !plan.operands.rounded();
    p.rows = static_cast<int>(std::min(plan.rows, block.count - row));
    p.blocks = plan.kernels.blocks;
    p.depth = kBlock;
    // A line of each row of a panel to come in each of two passes over this one.
    p.fetched = tile < p.blocks ? 1 : 0;
    p.ahead = kPanelsSwept * chunk * plan.width + tile * kBlock * plan.operands.pack();
    p.out = direct ? target.terms[0] + index : aside;
    p.out_row = direct ? target.row_stride : plan.width;
    p.out_block = kBlock;
    p.accumulate = direct && !overwrite;
    plan.kernels.run(p);
    if (!direct) add_tile(aside, plan.width, target, index, p.rows, columns, overwrite);
}

// A block of a times the panels [panel, last) of b. A few panels pass by a tile of rows before the
// next tile comes: their outputs are neighbours.
void multiply_block(const Plan& plan, const Block& block, int64_t panel, int64_t last,
                    const Target& target, bool overwrite) {
    int64_t offsets[kManyTargets.depth / kBlock];
    for (int64_t s = 0; s < plan.chunk(block.first) / kBlock; ++s)
        offsets[s] = s * plan.tile_rows() * kBlock;
    for (; panel < last; panel += kPanelsSwept)
        for (int64_t tile = 0; tile < ceil_div(block.count, plan.rows); ++tile)
            for (int64_t p = panel; p < std::min(last, panel + kPanelsSwept); ++p)
                multiply_tile(plan, block, tile, p, offsets, target, overwrite);
}

}  // namespace

void gemm(int64_t m, int64_t n, int64_t k, const Operand& a, const Operand& b, const Target& target,
          bool overwrite, Precision precision) {
    if (m == 0 || n == 0) return;
    if (k == 0) {
        for (int64_t i = 0; overwrite && i < m; ++i)
            std::fill_n(target.terms[0] + i * target.row_stride, n, 0.0f);
        return;
    }
    Plan plan{m, n, k, Operands(precision), target.count == 1 ? kOneTarget : kManyTargets};
    const Operands& operands = plan.operands;
    void* packed_b = scratch(Scratch::caller_a,
                             operands.floats(plan.most * plan.panels * plan.width));
    // Enough blocks of rows, and groups of panels where rows are few, that threads end together.
    int64_t wanted = threads() == 1 ? 1 : 4 * threads();
    int64_t block = std::clamp(ceil_div(m, wanted), kLeastTiles * plan.rows, plan.blocking.rows);
    block = even_piece(ceil_div(m, plan.rows), block / plan.rows) * plan.rows;
    int64_t row_blocks = ceil_div(m, block);
    int64_t block_size = block / plan.rows * plan.tile_rows() * plan.most;
    int64_t group = ceil_div(plan.panels, ceil_div(wanted, row_blocks));
    int64_t groups = ceil_div(plan.panels, group);

    for (int64_t first = 0; first < plan.depth; first += plan.most) {
        parallel_for(ceil_div(plan.panels, kPanelsTogether), [&](size_t index) {
            int64_t panel = index * kPanelsTogether;
            pack_panels(plan, b, first, panel, std::min(plan.panels, panel + kPanelsTogether),
                        packed_b);
        });
        parallel_for(row_blocks * groups, [&](size_t index) {
            int64_t row = index / groups * block, count = std::min(block, m - row);
            int64_t panel = index % groups * group, last = std::min(plan.panels, panel + group);
            void* packed_a = scratch(Scratch::worker_a, operands.floats(block_size));
            pack_rows(plan, a, row, count, first, packed_a);
            multiply_block(plan, {packed_a, packed_b, row, count, first}, panel, last, target,
                           overwrite && first == 0);
        });
    }
}

}  // namespace darter
