#include <algorithm>
#include <limits>

#include "conv/tiled/driver.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {
namespace {

constexpr int64_t kPrivateFloats = 128 * 1024;     // v of a private group: 512 KiB of L2
constexpr int64_t kSharedFloats = 3 * 1024 * 1024; // v of a shared group: 12 MiB of L3
constexpr int64_t kProductFloats = 160 * 1024;     // products of one pair: 640 KiB

// An odd number of cache lines between positions spreads them over all sets of the caches.
int64_t odd_lines(int64_t floats) { return (floats / kBlock | 1) * kBlock; }

}  // namespace

Tiled::Tiled(const ConvSpec& spec, const Filters& filters, const TileTransform& transform,
             Precision precision, const Layout& layout)
    : Convolution(spec, filters), t_(transform), operands_(precision), layout_(layout) {
    choose_group();
}

Tiled::Tiled(const Tiled& other, int64_t n, int64_t x_blocks, int64_t y_blocks)
    : Convolution(other, n, x_blocks, y_blocks),
      t_(other.t_),
      operands_(other.operands_),
      layout_(other.layout_) {
    choose_group();
}

void Tiled::run(const float* x, float* y, const float* residual) const {
    run_any({.x = x, .y = y, .residual = residual, .plain_x = false, .plain_y = false});
}

void Tiled::run_any(const Arrays& arrays) const {
    if (shared_) return run_shared(arrays);
    parallel_for(ceil_div(tiles_, group_), [&](size_t index) {
        int64_t first = index * group_, last = std::min(tiles_, first + group_);
        void* v = scratch(Scratch::worker_a, operands_.floats(v_size_));
        transform(arrays, v, first, first, last);
        for (int64_t unit = 0; unit < units(); ++unit)
            finish(v, unit, first, first, last, arrays);
    });
}

bool Tiled::takes(Element x, Element y) const {
    const bool reads = x == Element::float32 || (has_bfloat16() && t_.input_of_bfloat16);
    return reads && (y == Element::float32 || has_bfloat16());
}

void Tiled::choose_group() {
    int64_t rows = layout_.rows, per_tile = t_.positions * depth_blocks() * kBlock;
    int64_t products = t_.positions * layout_.blocks * t_.parts * kBlock;
    int64_t fit = kPrivateFloats / per_tile / rows * rows;
    shared_ = layout_.shared || fit == 0 || tiles_ < 2 * rows * threads();
    if (shared_)
        fit = std::max(rows, std::min(kSharedFloats / per_tile, kProductFloats / products) /
                                 rows * rows);
    // Equal groups, each a whole number of product tiles where there are several.
    group_ = tiles_ <= fit ? std::max<int64_t>(1, tiles_)
                           : even_piece(ceil_div(tiles_, rows), fit / rows) * rows;
    lay_out();
}

void Tiled::lay_out() {
    int64_t blocks = blocks_of(spec.c);
    if (layout_.pieces) {
        piece_ = even_piece(group_, layout_.rows);
        v_part_ = layout_.rows * kBlock;
        v_position_ = t_.parts * v_part_;
        v_block_ = t_.positions * v_position_;
        v_piece_ = blocks * v_block_;
        v_size_ = ceil_div(group_, piece_) * v_piece_;
    } else {
        piece_ = group_;
        v_part_ = group_ * kBlock;
        v_block_ = t_.parts * v_part_;
        v_position_ = odd_lines(blocks * v_block_);
        v_piece_ = v_size_ = t_.positions * v_position_;
    }
}

void Tiled::run_shared(const Arrays& arrays) const {
    void* v = scratch(Scratch::caller_a, operands_.floats(v_size_));
    for (int64_t first = 0; first < tiles_; first += group_) {
        int64_t last = std::min(tiles_, first + group_);
        int64_t piece = std::max<int64_t>(1, (last - first) / (4 * threads()));
        parallel_for(ceil_div(last - first, piece), [&](size_t index) {
            int64_t from = first + index * piece;
            transform(arrays, v, first, from, std::min(last, from + piece));
        });
        // Few filters and many threads: split the tiles too.
        int64_t rows = layout_.pieces ? piece_ : layout_.rows;
        int64_t splits = threads() == 1 ? 1 : ceil_div(layout_.tasks * threads(), units());
        int64_t part = ceil_div(ceil_div(last - first, splits), rows) * rows;
        splits = ceil_div(last - first, part);
        parallel_for(units() * splits, [&](size_t index) {
            int64_t from = first + index % splits * part;
            finish(v, index / splits, first, from, std::min(last, from + part), arrays);
        });
    }
}

void Tiled::transform(const Arrays& arrays, void* v, int64_t group, int64_t first,
                      int64_t last) const {
    arrays.plain_x
        ? transform_plain(static_cast<const float*>(arrays.x), v, group, first, last)
        : transform_blocked(arrays, v, group, first, last);
}

void Tiled::transform_blocked(const Arrays& arrays, void* v, int64_t group, int64_t first,
                              int64_t last) const {
    const bool floats = arrays.x_element == Element::float32;
    const auto transform = floats ? t_.input : t_.input_of_bfloat16;
    for (int64_t tile = first; tile < last; ++tile) {
        InputTile patch =
            floats ? grid_.patch(static_cast<const float*>(arrays.x), tile, 0, blocks_of(spec.c))
                   : grid_.patch(static_cast<const uint16_t*>(arrays.x), tile, 0, blocks_of(spec.c));
        patch.v = operands_.at(v, place(tile - group));
        patch.v_position = v_position_;
        patch.v_block = v_block_;
        patch.v_part = v_part_;
        patch.v_next = v_block_;
        transform(patch);
    }
}

void Tiled::finish(const void* v, int64_t unit, int64_t group, int64_t first, int64_t last,
                   const Arrays& arrays) const {
    int64_t columns = unit_blocks(unit) * t_.parts * kBlock;
    int64_t position_stride = odd_lines((last - first) * columns);
    float* products = scratch(Scratch::worker_b, t_.positions * position_stride);
    const void* patches = operands_.at(v, place(first - group));
    multiply(patches, unit, last - first, products, position_stride);
    const Products made{products, position_stride, columns};
    if (arrays.y_element == Element::bfloat16)
        return finish_rounded(made, unit, first, last, static_cast<uint16_t*>(arrays.y),
                              static_cast<const uint16_t*>(arrays.residual));
    auto* y = static_cast<float*>(arrays.y);
    const auto* residual = static_cast<const float*>(arrays.residual);
    arrays.plain_y ? finish_plain(made, unit, first, last, y, residual)
                   : finish_blocked(made, unit, first, last, y, residual);
}

// By way of a tile in the L1 cache.
void Tiled::finish_rounded(const Products& products, int64_t unit, int64_t first, int64_t last,
                           uint16_t* y, const uint16_t* residual) const {
    constexpr float kNoLimit = std::numeric_limits<float>::infinity();
    const int64_t blocks = unit_blocks(unit), block = unit * layout_.blocks;
    const int64_t row = t_.outputs_w * kBlock, plane = spec.out_h() * spec.out_w() * kBlock;
    float* sums = scratch(Scratch::window_out, blocks * t_.outputs_h * row);
    for (int64_t tile = first; tile < last; ++tile) {
        const TileGrid::Outputs inside = grid_.outputs_at(tile, block);
        OutputTile out = completed({.blocks = blocks,
                                    .residual = nullptr,
                                    .y = sums,
                                    .y_row = row,
                                    .y_block = t_.outputs_h * row,
                                    .rows = inside.rows,
                                    .columns = inside.columns},
                                   products, tile - first, block);
        out.low = -kNoLimit, out.high = kNoLimit;
        t_.output(out);
        for (int64_t i = 0; i < blocks; ++i)
            for (int j = 0; j < inside.rows; ++j) {
                const int64_t at = inside.at + i * plane + j * spec.out_w() * kBlock;
                Convolution::finish(sums + i * out.y_block + j * row,
                                    residual ? residual + at : nullptr, y + at,
                                    inside.columns * kBlock);
            }
    }
}

void Tiled::finish_blocked(const Products& products, int64_t unit, int64_t first, int64_t last,
                           float* y, const float* residual) const {
    int64_t blocks = unit_blocks(unit), block = unit * layout_.blocks;
    for (int64_t tile = first; tile < last; ++tile) {
        OutputTile out = completed(grid_.outputs(y, residual, tile, block, blocks), products,
                                   tile - first, block);
        t_.output(out);
        for (int64_t i = 0; i < blocks; ++i)
            for (int row = 0; row < out.rows; ++row)
                activate(out.y + i * out.y_block + row * out.y_row, out.columns * kBlock);
    }
}

OutputTile Tiled::completed(OutputTile out, const Products& products, int64_t tile,
                            int64_t block) const {
    out.products = products.data + tile * products.tile +
                   block % layout_.blocks * t_.parts * kBlock;
    out.position = products.position;
    out.bias = bias_.data() + block * kBlock;
    out.low = low_;
    out.high = high_;
    return out;
}

}  // namespace darter
