// Winograd convolution F(m x m, 3 x 3): transform patches, multiply at every position of the tile,
// transform back. The products are n * n / (m * m) per output and channel instead of 9.
//
// Tiles are worked on in groups. `v` holds the transformed patches of a group, [position][channel
// block][tile][16]; the filters are packed as [pair of blocks][position][channel][32], so that each
// thread reads them front to back, once per group. Two ways to split the work:
//   private  v fits in the L2 cache: a thread takes a whole group through all three stages;
//   shared   v lies in L3: all threads transform a large group, then each takes pairs of blocks,
//            so that filters that exceed the caches are read from memory as seldom as possible.
#include <algorithm>
#include <stdexcept>

#include "conv/convolution.hpp"
#include "conv/winograd/cook_toom.hpp"
#include "conv/winograd/tiles.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {
namespace scalar { extern const WinogradKernels winograd_kernels[3]; }
#if defined(__x86_64__)
namespace avx2 { extern const WinogradKernels winograd_kernels[3]; }
namespace avx512 { extern const WinogradKernels winograd_kernels[3]; }
#endif

namespace {

const WinogradKernels& active_kernels(int tile) {
    int index = tile / 2 - 1;
#if defined(__x86_64__)
    if (active_isa() == Isa::avx512) return avx512::winograd_kernels[index];
    if (active_isa() == Isa::avx2) return avx2::winograd_kernels[index];
#endif
    return scalar::winograd_kernels[index];
}

const winograd::Transforms& transforms_of(int tile) {
    static constexpr winograd::Transforms table[3] = {
        winograd::transforms(2), winograd::transforms(4), winograd::transforms(6)};
    return table[tile / 2 - 1];
}

constexpr int64_t kPrivateFloats = 128 * 1024;     // v of a private group: 512 KiB of L2
constexpr int64_t kSharedFloats = 3 * 1024 * 1024; // v of a shared group: 12 MiB of L3
constexpr int64_t kProductFloats = 160 * 1024;     // products of one pair: 640 KiB
constexpr int64_t kChannelBlocks = 16;             // depth whose filters stay in L1: 32 KiB

class Winograd final : public Convolution {
public:
    Winograd(const ConvSpec& spec, const Filters& filters, int tile)
        : Convolution(spec, filters), m_(tile), n_(tile + winograd::kTaps - 1),
          winograd_(active_kernels(tile)) {
        pack(filters.w);
        choose_group();
    }

    size_t weight_bytes() const override { return weights_.size() * sizeof(float); }

    void run(const float* x, float* y, const float* residual) const override {
        if (shared_) return run_shared(x, y, residual);
        parallel_for(ceil_div(tiles_, group_), [&](size_t index) {
            int64_t first = index * group_, last = std::min(tiles_, first + group_);
            float* v = scratch(Scratch::worker_a, positions() * v_position_);
            transform(x, v, first, first, last);
            for (int64_t pair = 0; pair < pairs_; ++pair)
                finish(v, pair, first, first, last, y, residual);
        });
    }

private:
    int64_t positions() const { return n_ * n_; }
    int64_t in_blocks() const { return blocks_of(spec.c); }
    int64_t width() const { return product_.blocks * kBlock; }
    int64_t pair_blocks(int64_t pair) const {
        return std::min<int64_t>(product_.blocks, blocks_of(spec.k) - pair * product_.blocks);
    }
    // An odd number of cache lines between positions spreads them over all sets of the caches.
    static int64_t odd_lines(int64_t floats) { return (floats / kBlock | 1) * kBlock; }

    // U = G g Gt in float64, rounded once.
    void pack(const float* w) {
        const winograd::Transforms& t = transforms_of(m_);
        int64_t per_pair = positions() * in_blocks() * kBlock * width();
        weights_ = Buffer(pairs_ * per_pair);
        std::fill_n(weights_.data(), weights_.size(), 0.0f);
        parallel_for(spec.k, [&](size_t k) {
            int64_t pair = k / width(), columns = pair_blocks(pair) * kBlock;
            float* to = weights_.data() + pair * per_pair + k % width();
            for (int64_t c = 0; c < spec.c; ++c) {
                const float* g = w + (k * spec.c + c) * 9;
                double half[winograd::kMost][3] = {};
                for (int i = 0; i < n_; ++i)
                    for (int b = 0; b < 3; ++b)
                        for (int a = 0; a < 3; ++a)
                            half[i][b] += t.filter.rows[i].at[a] * g[a * 3 + b];
                for (int i = 0; i < n_; ++i)
                    for (int j = 0; j < n_; ++j) {
                        double u = 0;
                        for (int b = 0; b < 3; ++b) u += half[i][b] * t.filter.rows[j].at[b];
                        int64_t depth = (i * n_ + j) * in_blocks() * kBlock + c;
                        to[depth * columns] = static_cast<float>(u);
                    }
            }
        });
    }

    void choose_group() {
        tiles_h_ = ceil_div(spec.out_h(), m_);
        tiles_w_ = ceil_div(spec.out_w(), m_);
        tiles_ = spec.n * tiles_h_ * tiles_w_;
        int64_t rows = product_.rows, per_tile = positions() * in_blocks() * kBlock;
        int64_t fit = kPrivateFloats / per_tile / rows * rows;
        shared_ = fit == 0 || tiles_ < 2 * rows * threads();
        if (shared_)
            fit = std::max(rows, std::min(kSharedFloats / per_tile,
                                          kProductFloats / (positions() * width())) / rows * rows);
        // Equal groups, each a whole number of product tiles where there are several.
        group_ = tiles_ <= fit ? std::max<int64_t>(1, tiles_)
                               : even_piece(ceil_div(tiles_, rows), fit / rows) * rows;
        v_position_ = odd_lines(in_blocks() * group_ * kBlock);
    }

    void run_shared(const float* x, float* y, const float* residual) const {
        float* v = scratch(Scratch::caller_a, positions() * v_position_);
        for (int64_t first = 0; first < tiles_; first += group_) {
            int64_t last = std::min(tiles_, first + group_);
            int64_t piece = std::max<int64_t>(1, (last - first) / (4 * threads()));
            parallel_for(ceil_div(last - first, piece), [&](size_t index) {
                int64_t from = first + index * piece;
                transform(x, v, first, from, std::min(last, from + piece));
            });
            // Few filters and many threads: split the tiles too.
            int64_t rows = product_.rows, splits = ceil_div(threads(), pairs_);
            int64_t part = ceil_div(ceil_div(last - first, splits), rows) * rows;
            splits = ceil_div(last - first, part);
            parallel_for(pairs_ * splits, [&](size_t index) {
                int64_t from = first + index % splits * part;
                finish(v, index / splits, first, from, std::min(last, from + part), y, residual);
            });
        }
    }

    struct Place {
        int64_t image, row, column;  // of the tile's top left output
    };
    Place place(int64_t tile) const {
        return {tile / tiles_w_ / tiles_h_, tile / tiles_w_ % tiles_h_ * m_, tile % tiles_w_ * m_};
    }

    // Patches of tiles [first, last) into v, whose first tile is `group`.
    void transform(const float* x, float* v, int64_t group, int64_t first, int64_t last) const {
        int64_t plane = spec.h * spec.w * kBlock;
        for (int64_t tile = first; tile < last; ++tile) {
            Place at = place(tile);
            int64_t top = at.row - spec.pad_top, left = at.column - spec.pad_left;
            auto inside = [&](int64_t edge) {
                return static_cast<int>(std::clamp<int64_t>(edge, 0, n_));
            };
            winograd_.input({.x = x + at.image * in_blocks() * plane + (top * spec.w + left) * kBlock,
                             .x_row = spec.w * kBlock,
                             .x_block = plane,
                             .top = inside(-top),
                             .left = inside(-left),
                             .bottom = inside(spec.h - top),
                             .right = inside(spec.w - left),
                             .blocks = in_blocks(),
                             .v = v + (tile - group) * kBlock,
                             .v_position = v_position_,
                             .v_block = group_ * kBlock});
        }
    }

    // Outputs of tiles [first, last) for one pair of filter blocks.
    void finish(const float* v, int64_t pair, int64_t group, int64_t first, int64_t last, float* y,
                const float* residual) const {
        int64_t blocks = pair_blocks(pair), columns = blocks * kBlock;
        int64_t position_stride = odd_lines((last - first) * columns);
        float* products = scratch(Scratch::worker_b, positions() * position_stride);
        multiply(v + (first - group) * kBlock, pair, last - first, products, position_stride);

        int64_t out_h = spec.out_h(), out_w = spec.out_w(), out_plane = out_h * out_w * kBlock;
        int64_t block = pair * product_.blocks;
        for (int64_t tile = first; tile < last; ++tile) {
            Place at = place(tile);
            int64_t index = (at.image * blocks_of(spec.k) + block) * out_plane +
                            (at.row * out_w + at.column) * kBlock;
            winograd_.output({.products = products + (tile - first) * columns,
                              .position = position_stride,
                              .blocks = blocks,
                              .bias = bias_.data() + block * kBlock,
                              .residual = residual ? residual + index : nullptr,
                              .y = y + index,
                              .y_row = out_w * kBlock,
                              .y_block = out_plane,
                              .rows = static_cast<int>(std::min<int64_t>(m_, out_h - at.row)),
                              .columns = static_cast<int>(std::min<int64_t>(m_, out_w - at.column)),
                              .low = low_,
                              .high = high_});
        }
    }

    void multiply(const float* v, int64_t pair, int64_t tiles, float* products,
                  int64_t position_stride) const {
        int64_t columns = pair_blocks(pair) * kBlock;
        int64_t offsets[kChannelBlocks];
        for (int64_t i = 0; i < kChannelBlocks; ++i) offsets[i] = i * group_ * kBlock;
        int64_t rows = even_piece(tiles, product_.rows);
        const float* b = weights_.data() + pair * positions() * in_blocks() * kBlock * width();
        for (int64_t position = 0; position < positions(); ++position)
            for (int64_t block = 0; block < in_blocks(); block += kChannelBlocks) {
                Product p{};
                p.offsets = offsets;
                p.steps = std::min(kChannelBlocks, in_blocks() - block);
                p.b = b;
                p.row_stride = kBlock;
                p.blocks = static_cast<int>(pair_blocks(pair));
                p.depth = kBlock;
                p.out_row = columns;
                p.out_block = kBlock;
                p.accumulate = block > 0;
                for (int64_t tile = 0; tile < tiles; tile += rows) {
                    p.rows = static_cast<int>(std::min(rows, tiles - tile));
                    p.a = v + position * v_position_ + (block * group_ + tile) * kBlock;
                    p.out = products + position * position_stride + tile * columns;
                    product_.run(p);
                }
                b += p.steps * kBlock * columns;
            }
    }

    const int m_, n_;
    const WinogradKernels& winograd_;
    const ProductKernels& product_ = product_kernels(active_isa());
    const int64_t pairs_ = ceil_div(blocks_of(spec.k), product_.blocks);
    int64_t tiles_h_, tiles_w_, tiles_, group_, v_position_;
    bool shared_;
    Buffer weights_;
};

}  // namespace

std::unique_ptr<Convolution> make_winograd(const ConvSpec& spec, const Filters& filters, int tile) {
    if (tile != 2 && tile != 4 && tile != 6) throw std::invalid_argument("tile must be 2, 4 or 6");
    return std::make_unique<Winograd>(spec, filters, tile);
}

}  // namespace darter
