// Filters that are transformed when they are packed, as [unit of filter blocks][position][column
// blocks][depth][columns], so that each thread reads them front to back, once per group of tiles. A
// complex product is a real one of twice the depth and twice the columns: (x, y) (u, v; -v, u).
#include <algorithm>
#include <vector>

#include "conv/tiled/driver.hpp"
#include "conv/tiled/filters.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {
namespace {

constexpr int64_t kDepthBlocks = 16;             // depth whose filters stay in L1: 32 KiB
constexpr int64_t kMostTaps = 25, kMostPositions = 64;  // of a transform that has filters

class PackedTiled final : public Tiled {
public:
    PackedTiled(const ConvSpec& spec, const Filters& filters, const TileTransform& transform,
                Precision precision, const FilterTransform& transform_filter)
        : Tiled(spec, filters, transform, precision, layout(transform, Operands(precision))),
          transform_filter_(transform_filter),
          unit_weights_(t_.positions * depth_blocks() * kBlock * unit_blocks(0) * t_.parts * kBlock),
          weights_(operands_.floats(units() * unit_weights_)) {
        // What filters leave out stays zero.
        if (!PackedTiled::packed_filters()) std::fill_n(weights_.data(), weights_.size(), 0.0f);
        if (filters.w) PackedTiled::set_filters(filters.w);
    }

    size_t weight_bytes() const override { return weights_.size() * sizeof(float); }

    // Filters are transformed in float64 and rounded once.
    void set_filters(const float* w) override {
        if (t_.filters) return set_blocks(w, spec.c * taps(), taps(), false);
        int64_t parts = t_.parts;
        // 16 filters at a time: their weights for a position lie in one cache line.
        parallel_for(blocks_of(spec.k), [&](size_t index) {
            int64_t filters = index * kBlock, count = std::min<int64_t>(kBlock, spec.k - filters);
            std::vector<double> u(kBlock * t_.positions * parts);
            for (int64_t c = 0; c < spec.c; ++c) {
                for (int64_t i = 0; i < count; ++i)
                    transform_filter_(w + ((filters + i) * spec.c + c) * taps(),
                                      u.data() + i * t_.positions * parts);
                for (int64_t from = 0; from < parts; ++from)
                    for (int64_t part = 0; part < parts; ++part)
                        pack_block(index, c, from, part, count, u.data());
            }
        });
    }

    void set_turned_filters(const float* w) override {
        if (!t_.filters) return Tiled::set_turned_filters(w);
        set_blocks(w, taps(), spec.k * taps(), true);
    }

    Buffer* packed_filters() override {
        const int64_t inputs = depth_blocks() * kBlock, outputs = units() * unit_blocks(0) * kBlock;
        return inputs == spec.c && outputs == spec.k ? &weights_ : nullptr;  // else zeros stay
    }

    std::unique_ptr<Convolution> placed(int64_t n, int64_t x_blocks,
                                        int64_t y_blocks) const override {
        return std::unique_ptr<Convolution>(new PackedTiled(*this, n, x_blocks, y_blocks));
    }

private:
    PackedTiled(const PackedTiled& other, int64_t n, int64_t x_blocks, int64_t y_blocks)
        : Tiled(other, n, x_blocks, y_blocks),
          transform_filter_(other.transform_filter_),
          unit_weights_(other.unit_weights_),
          weights_(other.weights_) {}

    static Layout layout(const TileTransform& transform, const Operands& operands) {
        const ProductKernels& product = operands.product();
        return {.blocks = std::max(1, product.blocks / transform.parts),
                .rows = product.rows,
                .shared = false,
                .tasks = 1,
                .pieces = false};
    }

    int64_t taps() const { return spec.r * spec.s; }

    // Filter k of channel c lies at w + k * next_filter + c * next_channel.
    void set_blocks(const float* w, int64_t next_filter, int64_t next_channel, bool turned) {
        const int64_t pieces = ceil_div(spec.c, kBlock);
        parallel_for(blocks_of(spec.k) * pieces, [&](size_t index) {
            const int64_t block = index / pieces, filters = block * kBlock;
            const int64_t count = std::min<int64_t>(kBlock, spec.k - filters);
            const int64_t first = index % pieces * kBlock, last = std::min(spec.c, first + kBlock);
            float g[kMostTaps * kBlock] = {}, u[2][kMostPositions * kBlock];
            for (int64_t c = first; c < last; c += operands_.pack()) {
                for (int64_t next = 0; next < operands_.pack(); ++next) {
                    if (c + next == spec.c) {
                        std::fill_n(u[next], kMostPositions * kBlock, 0.0f);
                        continue;
                    }
                    for (int64_t i = 0; i < count; ++i) {
                        const float* from = w + (filters + i) * next_filter + (c + next) * next_channel;
                        for (int64_t tap = 0; tap < taps(); ++tap)
                            g[tap * kBlock + i] = from[turned ? taps() - 1 - tap : tap];
                    }
                    t_.filters(g, u[next]);
                }
                store_block(block, c, u[0]);
            }
        });
    }

    // u: [position][16], of channel c; and of the next one, where two lie together.
    void store_block(int64_t filter_block, int64_t c, const float* u) {
        int64_t unit = filter_block / unit_blocks(0), block = filter_block % unit_blocks(0);
        int64_t depth = depth_blocks() * kBlock, columns = product_blocks(unit) * kBlock;
        int64_t column = block * kBlock, per_position = depth * unit_blocks(unit) * kBlock;
        int64_t begin = unit * unit_weights_ + column / columns * depth * columns;
        for (int64_t position = 0; position < t_.positions; ++position, begin += per_position)
            operands_.set_rows(weights_.data(), begin, columns, c, column % columns,
                               u + position * kBlock, kMostPositions * kBlock);
    }

    // Blocks of columns that one product computes.
    int64_t product_blocks(int64_t unit) const {
        return std::min<int64_t>(product_.blocks, unit_blocks(unit) * t_.parts);
    }

    // u: [filter of the block][position][part], of channel c.
    void pack_block(int64_t filter_block, int64_t c, int64_t from, int64_t part, int64_t count,
                    const double* u) {
        int64_t parts = t_.parts, depth = depth_blocks() * kBlock;
        int64_t unit = filter_block / unit_blocks(0), block = filter_block % unit_blocks(0);
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

    void multiply(const void* v, int64_t unit, int64_t tiles, float* products,
                  int64_t position_stride) const override {
        int64_t all_columns = unit_blocks(unit) * t_.parts * kBlock;
        int64_t columns = product_blocks(unit) * kBlock;
        int64_t offsets[kDepthBlocks];
        for (int64_t i = 0; i < kDepthBlocks; ++i) offsets[i] = i * v_part();
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
                        // The filters to come, for memory is far; one line of each row in each of
                        // two passes over b: memory would be idle in the second.
                        const int64_t pass = tile / rows;
                        p.fetched = pass >= p.blocks ? 0 : tiles > rows ? 1 : p.blocks;
                        p.ahead = ahead + pass * kBlock * operands_.pack();
                        p.rows = static_cast<int>(std::min(rows, tiles - tile));
                        p.a = operands_.at(
                            v, position * v_position() + block * v_part() + tile * kBlock);
                        p.out = products + position * position_stride + tile * all_columns + column;
                        product_.run(p);
                    }
                    b = operands_.at(b, p.steps * kBlock * columns);
                }
    }

    const ProductKernels& product_ = operands_.product();
    const FilterTransform transform_filter_;
    const int64_t unit_weights_;
    Buffer weights_;
};

}  // namespace

std::unique_ptr<Convolution> make_tiled(const ConvSpec& spec, const Filters& filters,
                                        const TileTransform& transform, Precision precision,
                                        const FilterTransform& transform_filter) {
    return std::make_unique<PackedTiled>(spec, filters, transform, precision, transform_filter);
}

}  // namespace darter
