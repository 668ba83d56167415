#include "gemm/gemm.hpp"

#include <algorithm>
#include <cstring>

#include "product/tiling.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {
namespace {

// A panel of b (depth x 32 floats, 32 KiB) stays in L1 while tiles of a stream past it; the packed
// block of a (rows x depth floats, 224 KiB) stays in L2 while all panels of b pass. Where a product
// is added to several targets, adding is what costs: then sums run four times as deep, and panels
// of b come from L2.
struct Blocking {
    int64_t rows, depth;
};
constexpr Blocking kOneTarget{224, 256}, kManyTargets{56, 1024};

// to[i] = sum of the terms at `index` and the count - 1 elements that follow `stride` apart.
void gather(const Operand& from, int64_t index, int64_t stride, int64_t count, float* to) {
    if (from.count == 1 && stride == 1 && from.signs[0] == 1) {
        if (count == kBlock)
            std::memcpy(to, from.terms[0] + index, kBlock * sizeof(float));
        else
            std::memcpy(to, from.terms[0] + index, count * sizeof(float));
        return;
    }
    std::fill_n(to, count, 0.0f);
    for (int t = 0; t < from.count; ++t) {
        const float* term = from.terms[t] + index;
        if (stride == 1)
            for (int64_t i = 0; i < count; ++i) to[i] += from.signs[t] * term[i];
        else
            for (int64_t i = 0; i < count; ++i) to[i] += from.signs[t] * term[i * stride];
    }
}

void gather_padded(const Operand& from, int64_t index, int64_t stride, int64_t count, int64_t width,
                   float* to) {
    count = std::clamp<int64_t>(count, 0, width);
    gather(from, index, stride, count, to);
    std::fill(to + count, to + width, 0.0f);
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

    int64_t chunk(int64_t first) const { return std::min(blocking.depth, depth - first); }
    // Panel `panel` of the chunk that begins at depth `first`.
    int64_t panel_offset(int64_t first, int64_t panel) const {
        return (first * panels + panel * chunk(first)) * width;
    }
};

// Two rows of b side by side: what a product of pairs reads.
void interleave(const float (&rows)[2][kBlock], float* pairs) {
    for (int j = 0; j < kBlock; ++j) pairs[2 * j] = rows[0][j], pairs[2 * j + 1] = rows[1][j];
}

void pack_panel(const Plan& plan, const Operand& b, int64_t first, int64_t panel, void* to) {
    const Operands& operands = plan.operands;
    const int pack = operands.pack();
    const int64_t column = panel * plan.width;
    alignas(64) float rows[2][kBlock], pairs[2 * kBlock];
    for (int64_t i = first; i < first + plan.chunk(first); i += pack)
        for (int64_t j = 0; j < plan.width; j += kBlock) {
            for (int row = 0; row < pack; ++row) {
                int64_t count = i + row < plan.k ? plan.n - column - j : 0;
                int64_t index = (i + row) * b.row_stride + (column + j) * b.column_stride;
                float* line = operands.rounded() ? rows[row] : static_cast<float*>(to);
                gather_padded(b, index, b.column_stride, count, kBlock, line);
            }
            if (pack == 2) interleave(rows, pairs);
            if (operands.rounded()) operands.store(pack == 2 ? pairs : rows[0], to, pack * kBlock);
            to = operands.at(to, pack * kBlock);
        }
}

// Tiles of a: [tile][step][row][16].
void pack_rows(const Plan& plan, const Operand& a, int64_t row, int64_t count, int64_t first,
               void* to) {
    const Operands& operands = plan.operands;
    int64_t steps = plan.chunk(first) / kBlock;
    alignas(64) float line[kBlock];
    for (int64_t tile = 0; tile < count; tile += plan.rows)
        for (int64_t step = 0; step < steps; ++step)
            for (int64_t i = 0; i < plan.rows; ++i, to = operands.at(to, kBlock)) {
                if (tile + i >= count) continue;
                int64_t column = first + step * kBlock;
                int64_t index = (row + tile + i) * a.row_stride + column * a.column_stride;
                float* values = operands.rounded() ? line : static_cast<float*>(to);
                gather_padded(a, index, a.column_stride, plan.k - column, kBlock, values);
                if (operands.rounded()) operands.store(line, to, kBlock);
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

// Rows [row, row + count) times the panels [panel, last) of b, one chunk of the depth.
void multiply_block(const Plan& plan, const void* packed_a, const void* packed_b, int64_t row,
                    int64_t count, int64_t panel, int64_t last, int64_t first,
                    const Target& target, bool overwrite) {
    int64_t steps = plan.chunk(first) / kBlock;
    int64_t offsets[kManyTargets.depth / kBlock];
    for (int64_t s = 0; s < steps; ++s) offsets[s] = s * plan.rows * kBlock;
    alignas(64) float aside[14 * 2 * kBlock];
    bool plain = target.count == 1 && target.signs[0] == 1;
    for (; panel < last; ++panel) {
        int64_t column = panel * plan.width;
        int64_t columns = std::min(plan.width, plan.n - column);
        for (int64_t tile = 0; tile < count; tile += plan.rows) {
            int64_t index = (row + tile) * target.row_stride + column;
            Product p{};
            p.a = plan.operands.at(packed_a, tile * steps * kBlock);
            p.b = plan.operands.at(packed_b, plan.panel_offset(first, panel));
            p.offsets = offsets;
            p.steps = steps;
            p.row_stride = kBlock;
            p.rows = static_cast<int>(std::min(plan.rows, count - tile));
            p.blocks = plan.kernels.blocks;
            p.depth = kBlock;
            bool direct = plain && columns == plan.width;
            p.out = direct ? target.terms[0] + index : aside;
            p.out_row = direct ? target.row_stride : plan.width;
            p.out_block = kBlock;
            p.accumulate = direct && !overwrite;
            plan.kernels.run(p);
            if (!direct) add_tile(aside, plan.width, target, index, p.rows, columns, overwrite);
        }
    }
}

}  // namespace

void gemm(int64_t m, int64_t n, int64_t k, const Operand& a, const Operand& b, const Target& target,
          bool overwrite, Precision precision) {
    if (m == 0 || n == 0) return;
    Plan plan{m, n, k, Operands(precision), target.count == 1 ? kOneTarget : kManyTargets};
    if (k == 0) {
        for (int64_t i = 0; overwrite && i < m; ++i)
            std::fill_n(target.terms[0] + i * target.row_stride, n, 0.0f);
        return;
    }
    const Operands& operands = plan.operands;
    int64_t b_size = plan.depth * plan.panels * plan.width;
    void* packed_b = scratch(Scratch::caller_a, operands.floats(b_size));
    int64_t chunks = ceil_div(plan.depth, plan.blocking.depth);
    parallel_for(chunks * plan.panels, [&](size_t index) {
        int64_t first = index / plan.panels * plan.blocking.depth, panel = index % plan.panels;
        pack_panel(plan, b, first, panel, operands.at(packed_b, plan.panel_offset(first, panel)));
    });

    // Enough blocks of rows and groups of panels that threads finish together.
    int64_t row_blocks = ceil_div(m, plan.blocking.rows);
    int64_t block = ceil_div(ceil_div(m, row_blocks), plan.rows) * plan.rows;
    row_blocks = ceil_div(m, block);
    int64_t wanted = threads() == 1 ? 1 : 4 * threads();
    int64_t groups = std::clamp<int64_t>(ceil_div(wanted, row_blocks), 1, plan.panels);
    int64_t group = ceil_div(plan.panels, groups);
    parallel_for(row_blocks * groups, [&](size_t index) {
        int64_t row = index / groups * block, count = std::min(block, m - row);
        int64_t panel = index % groups * group, last = std::min(plan.panels, panel + group);
        void* packed_a = scratch(Scratch::worker_a, operands.floats(block * plan.chunk(0)));
        for (int64_t first = 0; first < plan.depth && panel < last; first += plan.blocking.depth) {
            pack_rows(plan, a, row, count, first, packed_a);
            multiply_block(plan, packed_a, packed_b, row, count, panel, last, first, target,
                           overwrite && first == 0);
        }
    });
}

}  // namespace darter
