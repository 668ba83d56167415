// Tiles are worked on in groups. `v` holds the transformed patches of a group, [position][channel
// block][part][tile][16]; the filters are packed as [unit of filter blocks][position][column
// blocks][depth][columns], so that each thread reads them front to back, once per group. A complex
// product is a real one of twice the depth and twice the columns: (x, y) (u, v; -v, u).
//
// Two ways to split the work:
//   private  v fits in the L2 cache: a thread takes a whole group through all three stages;
//   shared   v lies in L3: all threads transform a large group, then each takes units of filters,
//            so that filters that exceed the caches are read from memory as seldom as possible.
#include <algorithm>

#include "conv/tiled/filters.hpp"
#include "conv/tiled/grid.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {
namespace {

constexpr int64_t kPrivateFloats = 128 * 1024;     // v of a private group: 512 KiB of L2
constexpr int64_t kSharedFloats = 3 * 1024 * 1024; // v of a shared group: 12 MiB of L3
constexpr int64_t kProductFloats = 160 * 1024;     // products of one pair: 640 KiB
constexpr int64_t kDepthBlocks = 16;             // depth whose filters stay in L1: 32 KiB

class Tiled final : public Convolution {
public:
    Tiled(const ConvSpec& spec, const Filters& filters, const TileTransform& transform,
          Precision precision, const FilterTransform& transform_filter)
        : Convolution(spec, filters), t_(transform), operands_(precision) {
        pack(filters.w, transform_filter);
        choose_group();
    }

    size_t weight_bytes() const override { return weights_.size() * sizeof(float); }

    std::unique_ptr<Convolution> placed(int64_t n, int64_t x_blocks,
                                        int64_t y_blocks) const override {
        return std::unique_ptr<Convolution>(new Tiled(*this, n, x_blocks, y_blocks));
    }

    void run(const float* x, float* y, const float* residual) const override {
        if (shared_) return run_shared(x, y, residual);
        parallel_for(ceil_div(tiles_, group_), [&](size_t index) {
            int64_t first = index * group_, last = std::min(tiles_, first + group_);
            void* v = scratch(Scratch::worker_a, operands_.floats(t_.positions * v_position_));
            transform(x, v, first, first, last);
            for (int64_t unit = 0; unit < units_; ++unit)
                finish(v, unit, first, first, last, y, residual);
        });
    }

private:
    Tiled(const Tiled& other, int64_t n, int64_t x_blocks, int64_t y_blocks)
        : Convolution(other, n, x_blocks, y_blocks),
          t_(other.t_),
          operands_(other.operands_),
          unit_weights_(other.unit_weights_),
          weights_(other.weights_) {
        choose_group();
    }

    int64_t depth_blocks() const { return blocks_of(spec.c) * t_.parts; }
    // Filter blocks of a unit: the last one may have fewer.
    int64_t unit_blocks(int64_t unit) const {
        return std::min(most_blocks_, blocks_of(spec.k) - unit * most_blocks_);
    }
    // Blocks of columns that one product computes.
    int64_t product_blocks(int64_t unit) const {
        return std::min<int64_t>(product_.blocks, unit_blocks(unit) * t_.parts);
    }
    // An odd number of cache lines between positions spreads them over all sets of the caches.
    static int64_t odd_lines(int64_t floats) { return (floats / kBlock | 1) * kBlock; }

    // Filters are transformed in float64 and rounded once.
    void pack(const float* w, const FilterTransform& transform_filter) {
        int64_t parts = t_.parts, depth = depth_blocks() * kBlock, taps = spec.r * spec.s;
        unit_weights_ = t_.positions * depth * most_blocks_ * parts * kBlock;
        weights_ = Buffer(operands_.floats(units_ * unit_weights_));
        std::fill_n(weights_.data(), weights_.size(), 0.0f);
        // 16 filters at a time: their weights for a position lie in one cache line.
        parallel_for(blocks_of(spec.k), [&](size_t index) {
            int64_t filters = index * kBlock, count = std::min<int64_t>(kBlock, spec.k - filters);
            std::vector<double> u(kBlock * t_.positions * parts);
            for (int64_t c = 0; c < spec.c; ++c) {
                for (int64_t i = 0; i < count; ++i)
                    transform_filter(w + ((filters + i) * spec.c + c) * taps,
                                     u.data() + i * t_.positions * parts);
                for (int64_t from = 0; from < parts; ++from)
                    for (int64_t part = 0; part < parts; ++part)
                        pack_block(index, c, from, part, count, u.data());
            }
        });
    }

    // u: [filter of the block][position][part], of channel c.
    void pack_block(int64_t filter_block, int64_t c, int64_t from, int64_t part, int64_t count,
                    const double* u) {
        int64_t parts = t_.parts, depth = depth_blocks() * kBlock;
        int64_t unit = filter_block / most_blocks_, block = filter_block % most_blocks_;
        int64_t columns = product_blocks(unit) * kBlock;
        int64_t row = (c / kBlock * parts + from) * kBlock + c % kBlock;
        int64_t column = (block * parts + part) * kBlock;
        int64_t begin = unit * unit_weights_ + column / columns * depth * columns;
        int64_t per_position = depth * unit_blocks(unit) * parts * kBlock;
        const double sign = from > part ? -1 : 1;
        for (int64_t position = 0; position < t_.positions; ++position)
            for (int64_t i = 0; i < count; ++i) {
                double value = sign * u[(i * t_.positions + position) * parts + (from ^ part)];
                operands_.set_weight(weights_.data(), begin + position * per_position, columns,
                                     row, column % columns + i, static_cast<float>(value));
            }
    }

    void choose_group() {
        int64_t rows = product_.rows, per_tile = t_.positions * depth_blocks() * kBlock;
        int64_t products = t_.positions * most_blocks_ * t_.parts * kBlock;
        int64_t fit = kPrivateFloats / per_tile / rows * rows;
        shared_ = fit == 0 || tiles_ < 2 * rows * threads();
        if (shared_)
            fit = std::max(rows, std::min(kSharedFloats / per_tile, kProductFloats / products) /
                                     rows * rows);
        // Equal groups, each a whole number of product tiles where there are several.
        group_ = tiles_ <= fit ? std::max<int64_t>(1, tiles_)
                               : even_piece(ceil_div(tiles_, rows), fit / rows) * rows;
        v_position_ = odd_lines(depth_blocks() * group_ * kBlock);
    }

    void run_shared(const float* x, float* y, const float* residual) const {
        void* v = scratch(Scratch::caller_a, operands_.floats(t_.positions * v_position_));
        for (int64_t first = 0; first < tiles_; first += group_) {
            int64_t last = std::min(tiles_, first + group_);
            int64_t piece = std::max<int64_t>(1, (last - first) / (4 * threads()));
            parallel_for(ceil_div(last - first, piece), [&](size_t index) {
                int64_t from = first + index * piece;
                transform(x, v, first, from, std::min(last, from + piece));
            });
            // Few filters and many threads: split the tiles too.
            int64_t rows = product_.rows, splits = ceil_div(threads(), units_);
            int64_t part = ceil_div(ceil_div(last - first, splits), rows) * rows;
            splits = ceil_div(last - first, part);
            parallel_for(units_ * splits, [&](size_t index) {
                int64_t from = first + index % splits * part;
                finish(v, index / splits, first, from, std::min(last, from + part), y, residual);
            });
        }
    }

    // Patches of tiles [first, last) into v, whose first tile is `group`.
    void transform(const float* x, void* v, int64_t group, int64_t first, int64_t last) const {
        for (int64_t tile = first; tile < last; ++tile) {
            InputTile patch = grid_.patch(x, tile, 0, blocks_of(spec.c));
            patch.v = operands_.at(v, (tile - group) * kBlock);
            patch.v_position = v_position_;
            patch.v_block = t_.parts * group_ * kBlock;
            patch.v_part = group_ * kBlock;
            t_.input(patch);
        }
    }

    // Outputs of tiles [first, last) for one unit of filters.
    void finish(const void* v, int64_t unit, int64_t group, int64_t first, int64_t last, float* y,
                const float* residual) const {
        int64_t blocks = unit_blocks(unit), columns = blocks * t_.parts * kBlock;
        int64_t position_stride = odd_lines((last - first) * columns);
        float* products = scratch(Scratch::worker_b, t_.positions * position_stride);
        const void* patches = operands_.at(v, (first - group) * kBlock);
        multiply(patches, unit, last - first, products, position_stride);

        int64_t block = unit * most_blocks_;
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

    void multiply(const void* v, int64_t unit, int64_t tiles, float* products,
                  int64_t position_stride) const {
        int64_t all_columns = unit_blocks(unit) * t_.parts * kBlock;
        int64_t columns = product_blocks(unit) * kBlock;
        int64_t offsets[kDepthBlocks];
        for (int64_t i = 0; i < kDepthBlocks; ++i) offsets[i] = i * group_ * kBlock;
        int64_t rows = even_piece(tiles, product_.rows);
        const int64_t ahead = kDepthBlocks * kBlock * columns;
        const void* b = operands_.at(weights_.data(), unit * unit_weights_);
        for (int64_t position = 0; position < t_.positions; ++position)
            for (int64_t column = 0; column < all_columns; column += columns)
                for (int64_t block = 0; block < depth_blocks(); block += kDepthBlocks) {
                    Product p{};
                    p.offsets = offsets;
                    p.steps = std::min(kDepthBlocks, depth_blocks() - block);
                    p.b = b;
                    p.row_stride = kBlock;
                    p.blocks = static_cast<int>(product_blocks(unit));
                    p.depth = kBlock;
                    p.out_row = all_columns;
                    p.out_block = kBlock;
                    p.accumulate = block > 0;
                    for (int64_t tile = 0; tile < tiles; tile += rows) {
                        // The filters to come, for memory is far; evenly: fetching all in the first
                        // of several passes over b would leave memory idle in the others.
                        for (int line : {0, 1})
                            p.ahead[line] = tiles <= rows || tile == line * rows ? ahead : 0;
                        p.rows = static_cast<int>(std::min(rows, tiles - tile));
                        p.a = operands_.at(
                            v, position * v_position_ + (block * group_ + tile) * kBlock);
                        p.out = products + position * position_stride + tile * all_columns + column;
                        product_.run(p);
                    }
                    b = operands_.at(b, p.steps * kBlock * columns);
                }
    }

    const TileTransform t_;
    const TileGrid grid_{spec, t_};
    const Operands operands_;
    const ProductKernels& product_ = operands_.product();
    const int64_t most_blocks_ = std::max(1, product_.blocks / t_.parts);
    const int64_t units_ = ceil_div(blocks_of(spec.k), most_blocks_);
    const int64_t tiles_ = grid_.size();
    int64_t group_, v_position_, unit_weights_;
    bool shared_;
    Buffer weights_;
};

}  // namespace

std::unique_ptr<Convolution> make_tiled(const ConvSpec& spec, const Filters& filters,
                                        const TileTransform& transform, Precision precision,
                                        const FilterTransform& transform_filter) {
    return std::make_unique<Tiled>(spec, filters, transform, precision, transform_filter);
}

}  // namespace darter
