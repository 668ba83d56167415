#include <algorithm>

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
    if (shared_) return run_shared(x, y, residual);
    parallel_for(ceil_div(tiles_, group_), [&](size_t index) {
        int64_t first = index * group_, last = std::min(tiles_, first + group_);
        void* v = scratch(Scratch::worker_a, operands_.floats(v_size_));
        transform(x, v, first, first, last);
        for (int64_t unit = 0; unit < units(); ++unit)
            finish(v, unit, first, first, last, y, residual);
    });
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

void Tiled::run_shared(const float* x, float* y, const float* residual) const {
    void* v = scratch(Scratch::caller_a, operands_.floats(v_size_));
    for (int64_t first = 0; first < tiles_; first += group_) {
        int64_t last = std::min(tiles_, first + group_);
        int64_t piece = std::max<int64_t>(1, (last - first) / (4 * threads()));
        parallel_for(ceil_div(last - first, piece), [&](size_t index) {
            int64_t from = first + index * piece;
            transform(x, v, first, from, std::min(last, from + piece));
        });
        // Few filters and many threads: split the tiles too.
        int64_t rows = layout_.pieces ? piece_ : layout_.rows;
        int64_t splits = threads() == 1 ? 1 : ceil_div(layout_.tasks * threads(), units());
        int64_t part = ceil_div(ceil_div(last - first, splits), rows) * rows;
        splits = ceil_div(last - first, part);
        parallel_for(units() * splits, [&](size_t index) {
            int64_t from = first + index % splits * part;
            finish(v, index / splits, first, from, std::min(last, from + part), y, residual);
        });
    }
}

// Patches of tiles [first, last) into v, whose first tile is `group`.
void Tiled::transform(const float* x, void* v, int64_t group, int64_t first, int64_t last) const {
    for (int64_t tile = first; tile < last; ++tile) {
        InputTile patch = grid_.patch(x, tile, 0, blocks_of(spec.c));
        patch.v = operands_.at(v, place(tile - group));
        patch.v_position = v_position_;
        patch.v_block = v_block_;
        patch.v_part = v_part_;
        t_.input(patch);
    }
}

// Outputs of tiles [first, last) for one unit of filters.
void Tiled::finish(const void* v, int64_t unit, int64_t group, int64_t first, int64_t last,
                   float* y, const float* residual) const {
    int64_t blocks = unit_blocks(unit), columns = blocks * t_.parts * kBlock;
    int64_t position_stride = odd_lines((last - first) * columns);
    float* products = scratch(Scratch::worker_b, t_.positions * position_stride);
    const void* patches = operands_.at(v, place(first - group));
    multiply(patches, unit, last - first, products, position_stride);

    int64_t block = unit * layout_.blocks;
    for (int64_t tile = first; tile < last; ++tile) {
        OutputTile out = grid_.outputs(y, residual, tile, block, blocks);
        out.products = products + (tile - first) * columns;
        out.position = position_stride;
        out.bias = bias_.data() + block * kBlock;
        out.low = low_;
        out.high = high_;
        t_.output(out);
        for (int64_t i = 0; i < blocks; ++i)
            for (int row = 0; row < out.rows; ++row)
                activate(out.y + i * out.y_block + row * out.y_row, out.columns * kBlock);
    }
}

}  // namespace darter
