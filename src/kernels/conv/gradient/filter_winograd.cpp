// The filter gradient in Winograd's domain: where y = A^T [(G g G^T) * (B^T x B)] A, the gradient of g
// is G^T [sum over tiles of (B^T x B) * (A dy A^T)] G. One product per position, whose inner dimension
// is tiles: (m + 2)^2 multiplications of 9 m^2. With pairs, transformed tiles are rounded to bfloat16
// and multiplied two by two.
//
// Where all images are there at once, and all their transformed tiles stay in L3, a thread sums a few
// pieces over all tiles at all positions, and transforms the sums back from L2: none is kept.
#include <stdexcept>

#include "conv/gradient/gradient.hpp"
#include "conv/gradient/pieces.hpp"
#include "conv/gradient/range.hpp"
#include "conv/tiled/grid.hpp"
#include "conv/winograd/winograd.hpp"

namespace darter {
namespace {

constexpr int64_t kPrivateFloats = 192 * 1024;      // both transformed, of a thread alone: 768 KiB
constexpr int64_t kSharedFloats = 5 * 1024 * 1024;  // of all threads together: 20 MiB
constexpr int64_t kLeastTiles = 32;                 // that a product adds up
constexpr int64_t kWholeFloats = 3 * 1024 * 1024;   // of a whole batch, where that is enough: 12 MiB
constexpr int64_t kTaskFloats = 128 * 1024;         // sums of a thread: 512 KiB of L2
constexpr int64_t kPairedTiles = 8;                 // that are transformed before they are rounded

int64_t odd_lines(int64_t floats) { return (floats / kBlock | 1) * kBlock; }

const TileTransform& input_transform(int tile) {
    for (const TileTransform& t : winograd_transforms().all)
        if (t.outputs_h == tile && t.inputs_h == tile + 2 && t.inputs_w == t.inputs_h) return t;
    throw std::invalid_argument("no Winograd gradient of this tile");
}

const WinogradGradient& gradient_transform(int tile) {
    for (const WinogradGradient& w : gradient_kernels().winograd)
        if (w.outputs == tile) return w;
    throw std::invalid_argument("no Winograd gradient of this tile");
}

class Winograd final : public FilterGradient {
public:
    Winograd(const ConvSpec& spec, int tile, const PairKernels* pairs)
        : FilterGradient(spec),
          pairs_(pairs),
          t_(input_transform(tile)),
          w_(gradient_transform(tile)),
          pieces_(spec, t_.positions) {
        const int64_t per_tile = t_.positions * (blocks_of(spec.c) + blocks_of(spec.k)) * kBlock;
        int64_t fit = kPrivateFloats / per_tile;
        // Where sums exceed the caches, few passes over them matter more than tiles in L2.
        if (fit < kLeastTiles || pieces_.floats() > kPrivateFloats) fit = kSharedFloats / per_tile;
        group_ = std::max(fit, kLeastTiles);
    }

    int64_t sum_floats() const override { return pieces_.floats(); }

    void add(const float* x, const float* dy, int64_t images, float* sum, bool first) const override {
        ConvSpec some = spec;
        some.n = images;
        const TileGrid grid(some, t_);
        const int64_t group = even_piece(grid.size(), group_);
        const int64_t v_position = odd_lines(blocks_of(spec.c) * group * kBlock);
        const int64_t m_position = odd_lines(blocks_of(spec.k) * group * kBlock);
        float* v = scratch(Scratch::caller_a, t_.positions * (v_position + m_position));
        float* m = v + t_.positions * v_position;
        for (int64_t begin = 0; begin < grid.size(); begin += group) {
            const int64_t count = std::min(group, grid.size() - begin);
            transform(grid, x, dy, begin, count, group, v, v_position, m, m_position);
            const bool fresh = first && begin == 0;
            if (pairs_) {
                parallel_for(t_.positions, [&](size_t position) {
                    multiply_pairs(v + position * v_position, m + position * m_position, count,
                                   group, position, sum, fresh);
                });
                continue;
            }
            pieces_.each_range([&](int64_t from, int64_t to) {
                for (int64_t position = 0; position < t_.positions; ++position)
                    for (int64_t i = from; i < to; ++i)
                        multiply(v + position * v_position, m + position * m_position, count, group,
                                 pieces_[i], sum + position * Pieces::size(pieces_[i]), fresh);
            });
        }
    }

    void finish(const float* sums, int64_t parts, float* dw) const override {
        pieces_.join(const_cast<float*>(sums), parts);
        parallel_for(pieces_.count(), [&](size_t i) {
            const Piece& piece = pieces_[i];
            const int64_t size = Pieces::size(piece);
            float* taps = scratch(Scratch::worker_a, 9 * size);
            w_.gather(sums + piece.sum, size, taps, size, size / kBlock);
            pieces_.write(piece, taps, dw);
        });
    }

    int64_t whole_floats(int64_t images) const override {
        return plan_whole(images).at_once ? 0 : sum_floats();
    }

    void whole(const float* x, const float* dy, int64_t images, float* sums, float* dw) const override {
        const Whole plan = plan_whole(images);
        if (!plan.at_once) return FilterGradient::whole(x, dy, images, sums, dw);
        ConvSpec some = spec;
        some.n = images;
        const TileGrid grid(some, t_);
        float* kept = scratch(Scratch::caller_a, t_.positions * (plan.kept + plan.part));
        float* part = kept + t_.positions * plan.kept;
        const int64_t inputs = blocks_of(spec.c), outputs = blocks_of(spec.k);
        transform_side(grid, plan.keeps_x ? x : dy, plan.keeps_x, {0, plan.keeps_x ? inputs : outputs},
                       kept, plan.kept);
        const int64_t others = plan.keeps_x ? outputs : inputs;
        for (int64_t first = 0; first < others; first += plan.at_once) {
            const Range blocks{first, std::min(others, first + plan.at_once)};
            transform_side(grid, plan.keeps_x ? dy : x, !plan.keeps_x, blocks, part, plan.part);
            const Operand of_x{plan.keeps_x ? kept : part, plan.keeps_x ? plan.kept : plan.part,
                               plan.keeps_x ? 0 : first};
            const Operand of_dy{plan.keeps_x ? part : kept, plan.keeps_x ? plan.part : plan.kept,
                                plan.keeps_x ? first : 0};
            sum_pieces(of_x, plan.keeps_x ? Range{0, inputs} : blocks, of_dy,
                       plan.keeps_x ? blocks : Range{0, outputs}, grid.size(), dw);
        }
    }

private:
    // How the transformed tiles of a whole batch are kept: all blocks of one side, and `at_once`
    // blocks of the other at a time; 0 where that does not fit. kept, part: floats of a position.
    struct Whole {
        bool keeps_x;
        int64_t at_once, kept, part;
    };
    // Transformed tiles of some blocks, from block `first` on.
    struct Operand {
        const float* data;
        int64_t position, first;
    };

    // Floats of one block at one position.
    int64_t block_floats(int64_t tiles) const {
        return pairs_ ? pairs_of(tiles) * kPair / 2 : tiles * kBlock;
    }

    Whole plan_whole(int64_t images) const {
        const int64_t tiles = images * ceil_div(spec.out_h(), t_.outputs_h) *
                              ceil_div(spec.out_w(), t_.outputs_w);
        const int64_t inputs = blocks_of(spec.c), outputs = blocks_of(spec.k);
        const bool keeps_x = inputs < outputs;
        // Filters come in pieces of several blocks.
        const int64_t step = keeps_x ? pieces_[0].blocks : 1, others = std::max(inputs, outputs);
        const int64_t block = t_.positions * block_floats(tiles);
        const int64_t room = kWholeFloats / block - std::min(inputs, outputs);
        const int64_t at_once = std::min(others, std::max(room / step, int64_t{1}) * step);
        const int64_t all = (std::min(inputs, outputs) + at_once) * block;
        const int64_t kept = odd_lines(std::min(inputs, outputs) * block_floats(tiles));
        return {keeps_x, all > kSharedFloats ? 0 : at_once, kept,
                odd_lines(at_once * block_floats(tiles))};
    }

    // The transformed tiles of some blocks of x or dy: [position][block][tile][16], or in pairs of
    // bfloat16.
    void transform_side(const TileGrid& grid, const float* from, bool of_x, const Range& blocks,
                        float* to, int64_t position) const {
        const int64_t tiles = grid.size(), at_once = pairs_ ? kPairedTiles : 1;
        const int64_t groups = ceil_div(tiles, at_once), count = blocks.last - blocks.first;
        const int64_t pieces = std::min<int64_t>(groups, threads() == 1 ? 1 : 4 * threads());
        parallel_for(pieces, [&](size_t index) {
            const int64_t i = static_cast<int64_t>(index);
            float* room = pairs_ ? scratch(Scratch::worker_a, t_.positions * count * at_once * kBlock)
                                 : nullptr;
            for (int64_t group = i * groups / pieces; group < (i + 1) * groups / pieces; ++group) {
                const int64_t first = group * at_once, some = std::min(at_once, tiles - first);
                if (!pairs_) {
                    transform_tile(grid, from, of_x, first, blocks, to + first * kBlock, position,
                                   tiles * kBlock);
                    continue;
                }
                for (int64_t tile = 0; tile < some; ++tile)
                    transform_tile(grid, from, of_x, first + tile, blocks, room + tile * kBlock,
                                   count * at_once * kBlock, at_once * kBlock);
                for (int64_t p = 0; p < t_.positions; ++p)
                    for (int64_t block = 0; block < count; ++block) {
                        auto* pairs = reinterpret_cast<uint16_t*>(
                            to + p * position + block * block_floats(tiles));
                        pairs_->pair({room + (p * count + block) * at_once * kBlock, kBlock, 0, some,
                                      some, pairs + pairs_of(first) * kPair});
                    }
            }
        });
    }

    void transform_tile(const TileGrid& grid, const float* from, bool of_x, int64_t tile,
                        const Range& blocks, float* to, int64_t position, int64_t block) const {
        const int64_t count = blocks.last - blocks.first;
        if (of_x) {
            InputTile patch = grid.patch(from, tile, blocks.first, count);
            patch.v = to;
            patch.v_position = position;
            patch.v_block = patch.v_next = block;
            t_.input(patch);
            return;
        }
        // Where forward would write, dy is read.
        OutputTile out = grid.outputs(nullptr, from, tile, blocks.first, count);
        w_.spread({.dy = out.residual,
                   .dy_row = out.y_row,
                   .dy_block = out.y_block,
                   .rows = out.rows,
                   .columns = out.columns,
                   .blocks = out.blocks,
                   .m = to,
                   .m_position = position,
                   .m_block = block});
    }

    // All pieces of some blocks, summed over all tiles and written to dw.
    void sum_pieces(const Operand& x, const Range& inputs, const Operand& dy, const Range& outputs,
                    int64_t tiles, float* dw) const {
        const int64_t across = blocks_of(spec.c), first = outputs.first / pieces_[0].blocks;
        const int64_t down = ceil_div(outputs.last, pieces_[0].blocks) - first;
        const int64_t channels = inputs.last - inputs.first;
        const int64_t fit = kTaskFloats / (t_.positions * Pieces::size(pieces_[0]));
        const int64_t wanted = ceil_div(4 * threads(), down);
        const int64_t splits = std::clamp(std::max(ceil_div(channels, std::max<int64_t>(1, fit)), wanted),
                                          int64_t{1}, channels);
        parallel_for(down * splits, [&](size_t task) {
            const int64_t row = first + task / splits, split = task % splits;
            const int64_t from = row * across + inputs.first + split * channels / splits;
            const int64_t to = row * across + inputs.first + (split + 1) * channels / splits;
            sum_some(x, dy, tiles, from, to, dw);
        });
    }

    // Pieces [first, last), which share their filters.
    void sum_some(const Operand& x, const Operand& dy, int64_t tiles, int64_t first, int64_t last,
                  float* dw) const {
        const int64_t size = Pieces::size(pieces_[first]), all = t_.positions * size;
        float* sums = scratch(Scratch::worker_a, (last - first) * all);
        for (int64_t position = 0; position < t_.positions; ++position)
            for (int64_t i = first; i < last; ++i) {
                const Piece& piece = pieces_[i];
                multiply_whole(x.data + position * x.position +
                                   (piece.c_block - x.first) * block_floats(tiles),
                               dy.data + position * dy.position +
                                   (piece.k_block - dy.first) * block_floats(tiles),
                               tiles, piece, sums + (i - first) * all + position * size);
            }
        float* taps = scratch(Scratch::worker_b, 9 * size);
        for (int64_t i = first; i < last; ++i) {
            w_.gather(sums + (i - first) * all, size, taps, size, size / kBlock);
            pieces_.write(pieces_[i], taps, dw);
        }
    }

    // x, dy: of the piece's blocks.
    void multiply_whole(const float* x, const float* dy, int64_t tiles, const Piece& piece,
                        float* sum) const {
        if (pairs_) {
            PairProduct p{};
            p.x = reinterpret_cast<const uint16_t*>(x), p.dy = reinterpret_cast<const uint16_t*>(dy);
            p.pairs = pairs_of(tiles);
            p.dy_block = pairs_of(tiles) * kPair;
            p.first = true;
            return pieces_.multiply(*pairs_, p, piece, sum);
        }
        const int64_t begin = 0;
        OuterProduct p{};
        p.x = x, p.dy = dy;
        p.x_rows = p.dy_rows = &begin;
        p.rows = 1;
        p.columns = tiles;
        p.x_step = kBlock;
        p.dy_block = tiles * kBlock;
        p.first = true;
        pieces_.multiply(p, piece, sum);
    }

    void transform(const TileGrid& grid, const float* x, const float* dy, int64_t begin, int64_t count,
                   int64_t group, float* v, int64_t v_position, float* m, int64_t m_position) const {
        const int64_t pieces = std::min<int64_t>(count, threads() == 1 ? 1 : 4 * threads());
        parallel_for(pieces, [&](size_t index) {
            const int64_t i = static_cast<int64_t>(index);
            for (int64_t tile = i * count / pieces; tile < (i + 1) * count / pieces; ++tile) {
                transform_tile(grid, x, true, begin + tile, {0, blocks_of(spec.c)}, v + tile * kBlock,
                               v_position, group * kBlock);
                transform_tile(grid, dy, false, begin + tile, {0, blocks_of(spec.k)},
                               m + tile * kBlock, m_position, group * kBlock);
            }
        });
    }

    void multiply(const float* v, const float* m, int64_t tiles, int64_t group, const Piece& piece,
                  float* sum, bool first) const {
        const int64_t begin = 0;
        OuterProduct p{};
        p.x = v + piece.c_block * group * kBlock;
        p.dy = m + piece.k_block * group * kBlock;
        p.x_rows = p.dy_rows = &begin;
        p.rows = 1;
        p.columns = tiles;
        p.x_step = kBlock;
        p.dy_block = group * kBlock;
        p.first = first;
        pieces_.multiply(p, piece, sum + piece.sum);
    }

    // All pieces at one position.
    void multiply_pairs(const float* v, const float* m, int64_t tiles, int64_t group,
                        int64_t position, float* sum, bool first) const {
        const int64_t inputs = blocks_of(spec.c), outputs = blocks_of(spec.k);
        const int64_t numbers = pairs_of(tiles) * kPair;
        auto* x = reinterpret_cast<uint16_t*>(
            scratch(Scratch::worker_a, (inputs + outputs) * numbers / 2));
        uint16_t* dy = x + inputs * numbers;
        auto pair = [&](const float* from, int64_t blocks, uint16_t* to) {
            for (int64_t block = 0; block < blocks; ++block)
                pairs_->pair({from + block * group * kBlock, kBlock, 0, tiles, tiles,
                              to + block * numbers});
        };
        pair(v, inputs, x);
        pair(m, outputs, dy);
        for (int64_t i = 0; i < pieces_.count(); ++i) {
            const Piece& piece = pieces_[i];
            PairProduct p{};
            p.x = x + piece.c_block * numbers, p.dy = dy + piece.k_block * numbers;
            p.pairs = pairs_of(tiles);
            p.dy_block = numbers;
            p.first = first;
            pieces_.multiply(*pairs_, p, piece, sum + piece.sum + position * Pieces::size(piece));
        }
    }

    const PairKernels* const pairs_;  // or null: products of float32
    const TileTransform t_;
    const WinogradGradient w_;
    const Pieces pieces_;
    int64_t group_;
};

}  // namespace

std::unique_ptr<FilterGradient> make_filter_gradient_winograd(const ConvSpec& spec, int tile) {
    return std::make_unique<Winograd>(spec, tile, nullptr);
}

std::unique_ptr<FilterGradient> make_filter_gradient_winograd_pairs(const ConvSpec& spec, int tile) {
    const PairKernels* pairs = pair_kernels();
    if (!pairs) throw std::invalid_argument("this CPU does not multiply bfloat16");
    return std::make_unique<Winograd>(spec, tile, pairs);
}

}  // namespace darter
