// The filter gradient as products whose inner dimension is pixels, two by two in bfloat16: dy of some
// rows is rounded and paired once, x once for each tap, with zeros where the tap sees none.
#include <cstring>
#include <stdexcept>

#include "conv/gradient/gradient.hpp"
#include "conv/gradient/pieces.hpp"
#include "conv/gradient/range.hpp"

namespace darter {
namespace {

constexpr int64_t kPackedNumbers = 256 * 1024;               // of dy: 512 KiB of L2
constexpr int64_t kFewestPixels = 128, kMostPixels = 1024;  // that a product adds up

// Outputs of some rows, and of some columns in each.
struct Part {
    int64_t first_row, rows;
    Range columns;

    int64_t width() const { return columns.last - columns.first; }
    int64_t row_pairs() const { return pairs_of(width()); }
    int64_t pairs() const { return rows * row_pairs(); }
};

class Pairs final : public FilterGradient {
public:
    explicit Pairs(const ConvSpec& spec)
        : FilterGradient(flattened(spec)), pieces_(this->spec, spec.r * spec.s),
          of_channels_(blocks_of(spec.c)) {
        if (!kernels_) throw std::invalid_argument("this CPU does not multiply bfloat16");
        for (int64_t i = 0; i < pieces_.count(); ++i) of_channels_[pieces_[i].c_block].push_back(i);
        pixels_ = std::clamp(kPackedNumbers / (blocks_of(spec.k) * kBlock), kFewestPixels, kMostPixels);
    }

    int64_t sum_floats() const override { return pieces_.floats(); }

    void add(const float* x, const float* dy, int64_t images, float* sum, bool first) const override {
        const int64_t out_w = spec.out_w(), rows = images * spec.out_h();
        const int64_t at_once = std::max<int64_t>(1, pixels_ / out_w);
        for (int64_t row = 0; row < rows; row += at_once)
            for (int64_t column = 0; column < out_w; column += pixels_) {
                const Part part{row, std::min(rows - row, at_once),
                                {column, std::min(out_w, column + pixels_)}};
                add_part(part, x, dy, sum, first && row == 0 && column == 0);
            }
    }

    void finish(const float* sums, int64_t parts, float* dw) const override {
        pieces_.join(const_cast<float*>(sums), parts);
        parallel_for(pieces_.count(), [&](size_t i) {
            pieces_.write(pieces_[i], sums + pieces_[i].sum, dw);
        });
    }

private:
    void add_part(const Part& part, const float* x, const float* dy, float* sum, bool first) const {
        const int64_t numbers = part.pairs() * kPair, out_blocks = blocks_of(spec.k);
        auto* by = reinterpret_cast<uint16_t*>(scratch(Scratch::caller_a, out_blocks * numbers / 2));
        parallel_for(out_blocks, [&](size_t block) { pair_dy(part, dy, block, by + block * numbers); });
        parallel_for(of_channels_.size(), [&](size_t block) {
            auto* seen = reinterpret_cast<uint16_t*>(scratch(Scratch::worker_a, numbers / 2));
            for (int64_t tap = 0; tap < spec.r * spec.s; ++tap) {
                pair_x(part, x, block, tap, seen);
                for (int64_t i : of_channels_[block]) {
                    const Piece& piece = pieces_[i];
                    PairProduct p{};
                    p.x = seen, p.dy = by + piece.k_block * numbers;
                    p.pairs = part.pairs();
                    p.dy_block = numbers;
                    p.first = first;
                    pieces_.multiply(*kernels_, p, piece, sum + piece.sum + tap * Pieces::size(piece));
                }
            }
        });
    }

    void pair_dy(const Part& part, const float* dy, int64_t block, uint16_t* to) const {
        const int64_t out_h = spec.out_h(), out_w = spec.out_w();
        for (int64_t i = 0; i < part.rows; ++i, to += part.row_pairs() * kPair) {
            const int64_t image = (part.first_row + i) / out_h, row = (part.first_row + i) % out_h;
            const int64_t pixel = (block * out_h + row) * out_w + part.columns.first;
            kernels_->pair({dy + image * spec.y_image() + pixel * kBlock, kBlock, 0, part.width(),
                            part.width(), to});
        }
    }

    void pair_x(const Part& part, const float* x, int64_t block, int64_t tap, uint16_t* to) const {
        const int64_t r = tap / spec.s, s = tap % spec.s, out_h = spec.out_h();
        const Range inside =
            seen(s, spec.dilation_w, spec.stride_w, spec.pad_left, spec.w, spec.out_w());
        const int64_t first = std::max(part.columns.first, inside.first);
        const int64_t last = std::max(first, std::min(part.columns.last, inside.last));
        const int64_t column = first * spec.stride_w - spec.pad_left + s * spec.dilation_w;
        for (int64_t i = 0; i < part.rows; ++i, to += part.row_pairs() * kPair) {
            const int64_t image = (part.first_row + i) / out_h, out = (part.first_row + i) % out_h;
            const int64_t row = out * spec.stride_h - spec.pad_top + r * spec.dilation_h;
            if (row < 0 || row >= spec.h || first == last) {
                std::memset(to, 0, part.row_pairs() * kPair * sizeof *to);
                continue;
            }
            const int64_t pixel = (block * spec.h + row) * spec.w + column;
            kernels_->pair({x + image * spec.x_image() + pixel * kBlock, spec.stride_w * kBlock,
                            first - part.columns.first, last - first, part.width(), to});
        }
    }

    const PairKernels* const kernels_ = pair_kernels();
    const Pieces pieces_;
    std::vector<std::vector<int64_t>> of_channels_;  // pieces of each block of channels
    int64_t pixels_;
};

}  // namespace

std::unique_ptr<FilterGradient> make_filter_gradient_pairs(const ConvSpec& spec) {
    return std::make_unique<Pairs>(spec);
}

}  // namespace darter
