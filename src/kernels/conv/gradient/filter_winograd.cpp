// The filter gradient in Winograd's domain: where y = A^T [(G g G^T) * (B^T x B)] A, the gradient of g
// is G^T [sum over tiles of (B^T x B) * (A dy A^T)] G. One product per position, whose inner dimension
// is tiles: (m + 2)^2 multiplications of 9 m^2. With pairs, transformed tiles are rounded to bfloat16
// and multiplied two by two.
#include <stdexcept>

#include "conv/gradient/gradient.hpp"
#include "conv/gradient/pieces.hpp"
#include "conv/tiled/grid.hpp"
#include "conv/winograd/winograd.hpp"

namespace darter {
namespace {

constexpr int64_t kPrivateFloats = 192 * 1024;      // both transformed, of a thread alone: 768 KiB
constexpr int64_t kSharedFloats = 5 * 1024 * 1024;  // of all threads together: 20 MiB
constexpr int64_t kLeastTiles = 32;                 // that a product adds up

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

private:
    void transform(const TileGrid& grid, const float* x, const float* dy, int64_t begin, int64_t count,
                   int64_t group, float* v, int64_t v_position, float* m, int64_t m_position) const {
        const int64_t pieces = std::min<int64_t>(count, threads() == 1 ? 1 : 4 * threads());
        parallel_for(pieces, [&](size_t index) {
            const int64_t i = static_cast<int64_t>(index);
            for (int64_t tile = i * count / pieces; tile < (i + 1) * count / pieces; ++tile) {
                InputTile patch = grid.patch(x, begin + tile, 0, blocks_of(spec.c));
                patch.v = v + tile * kBlock;
                patch.v_position = v_position;
                patch.v_block = patch.v_next = group * kBlock;
                t_.input(patch);

                // Where forward would write, dy is read.
                OutputTile out = grid.outputs(nullptr, dy, begin + tile, 0, blocks_of(spec.k));
                w_.spread({.dy = out.residual,
                           .dy_row = out.y_row,
                           .dy_block = out.y_block,
                           .rows = out.rows,
                           .columns = out.columns,
                           .blocks = out.blocks,
                           .m = m + tile * kBlock,
                           .m_position = m_position,
                           .m_block = group * kBlock});
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
