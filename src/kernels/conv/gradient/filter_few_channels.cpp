// The filter gradient of pictures with few channels: in a row of x the channels of all columns lie
// side by side, so that all taps of a filter's row are neighbours, and are summed as if each were a
// channel. With bfloat16 operands, pixels are rounded and multiplied two by two.
#include <stdexcept>

#include "conv/gradient/gradient.hpp"
#include "conv/gradient/kernels.hpp"
#include "conv/gradient/pairs.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {
namespace {

constexpr int64_t kPixels = 1024;  // whose dy is used from L2 by all rows of taps

class FewChannels final : public FilterGradient {
public:
    FewChannels(const ConvSpec& spec, Precision precision, bool plain)
        : FilterGradient(spec),
          plain_(plain),
          pairs_(precision == Precision::bfloat16 ? pair_kernels() : nullptr),
          width_(spec.s * spec.c),
          row_floats_((spec.w + spec.pad_left + spec.pad_right) * spec.c + kBlock) {
        if (precision == Precision::bfloat16 && !pairs_)
            throw std::invalid_argument("this CPU does not multiply bfloat16");
        if (spec.c > kBlock || spec.groups > 1 || spec.dilation_w > 1)
            throw std::invalid_argument("taps of these filters are no neighbours");
        const int64_t most = even_piece(blocks_of(spec.k), pairs_ ? pairs_->blocks : kernels_.blocks);
        for (int64_t block = 0; block < blocks_of(spec.k); block += most)
            pieces_.push_back({block, std::min(most, blocks_of(spec.k) - block)});
    }

    int64_t sum_floats() const override { return spec.r * row_sums(); }

    void add(const float* x, const float* dy, int64_t images, float* sum, bool first) const override {
        const int64_t rows = std::clamp<int64_t>(kPixels / spec.out_w(), 1, spec.out_h());
        const int64_t picture = plain_ ? spec.c * spec.h * spec.w : spec.x_image();
        for (int64_t image = 0; image < images; ++image)
            for (int64_t row = 0; row < spec.out_h(); row += rows) {
                const Band band{row, std::min(rows, spec.out_h() - row)};
                add_band(band, x + image * picture, dy + image * spec.y_image(), sum,
                         first && image == 0 && row == 0);
            }
    }

    void finish(const float* sums, int64_t parts, float* dw) const override {
        for (const Piece& piece : pieces_)
            for (int64_t k = 0; k < piece.blocks * kBlock; ++k) {
                const int64_t filter = piece.block * kBlock + k;
                if (filter < spec.k) finish_filter(sums + place(piece) + k, piece, parts,
                                                   dw + filter * spec.c * spec.r * spec.s);
            }
    }

private:
    // Rows of the output.
    struct Band {
        int64_t first, rows;
    };
    // Blocks of filters that one product computes.
    struct Piece {
        int64_t block, blocks;
    };

    // Sums lie as [row of taps][piece][column and channel][filters of the piece].
    int64_t row_sums() const { return width_ * blocks_of(spec.k) * kBlock; }
    int64_t place(const Piece& piece) const { return piece.block * kBlock * width_; }

    void add_band(const Band& band, const float* x, const float* dy, float* sum, bool first) const {
        const int64_t reach = (spec.r - 1) * spec.dilation_h + 1;
        const int64_t rows = (band.rows - 1) * spec.stride_h + reach;
        float* seen = scratch(Scratch::caller_b, rows * row_floats_);
        const int64_t top = band.first * spec.stride_h - spec.pad_top;
        for (int64_t i = 0; i < rows; ++i) copy_row(x, top + i, seen + i * row_floats_);
        const uint16_t* by = pairs_ ? pair_dy(band, dy) : nullptr;
        parallel_for(spec.r, [&](size_t r) {
            const float* from = seen + r * spec.dilation_h * row_floats_;
            float* to = sum + r * row_sums();
            pairs_ ? add_pairs(band, from, by, to, first) : add_floats(band, from, dy, to, first);
        });
    }

    // Row `row` of x, which may lie outside, with its padding, as [column][channel].
    void copy_row(const float* x, int64_t row, float* to) const {
        std::fill_n(to, row_floats_, 0.0f);
        if (row < 0 || row >= spec.h) return;
        to += spec.pad_left * spec.c;
        const int64_t channel = plain_ ? spec.h * spec.w : 1, column = plain_ ? 1 : kBlock;
        x += row * spec.w * column;
        if (spec.c == 3) {  // nearly always
            for (int64_t i = 0; i < spec.w; ++i, to += 3, x += column)
                to[0] = x[0], to[1] = x[channel], to[2] = x[2 * channel];
            return;
        }
        for (int64_t i = 0; i < spec.w; ++i, to += spec.c, x += column)
            for (int64_t c = 0; c < spec.c; ++c) to[c] = x[c * channel];
    }

    // x: the first row that this row of taps sees.
    void add_floats(const Band& band, const float* x, const float* dy, float* sum, bool first) const {
        const int64_t out_plane = spec.out_h() * spec.out_w() * kBlock;
        std::vector<int64_t> x_rows, dy_rows;
        for (int64_t i = 0; i < band.rows; ++i) {
            x_rows.push_back(i * spec.stride_h * row_floats_);
            dy_rows.push_back((band.first + i) * spec.out_w() * kBlock);
        }
        OuterProduct p{};
        p.x_rows = x_rows.data(), p.dy_rows = dy_rows.data();
        p.rows = band.rows;
        p.columns = spec.out_w();
        p.x_step = spec.stride_w * spec.c;
        p.dy_block = out_plane;
        p.first = first;
        const int64_t most = even_piece(width_, kernels_.channels);
        for (const Piece& piece : pieces_)
            for (int64_t i = 0; i < width_; i += most) {
                p.x = x + i;
                p.dy = dy + piece.block * out_plane;
                p.channels = static_cast<int>(std::min(most, width_ - i));
                p.blocks = static_cast<int>(piece.blocks);
                p.sum = sum + place(piece) + i * piece.blocks * kBlock;
                kernels_.outer(p);
            }
    }

    // Numbers of one block of channels in a band.
    int64_t numbers(const Band& band) const { return band.rows * pairs_of(spec.out_w()) * kPair; }

    // dy of a band, in pairs.
    const uint16_t* pair_dy(const Band& band, const float* dy) const {
        const int64_t blocks = blocks_of(spec.k), row = spec.out_w() * kBlock;
        auto* by = reinterpret_cast<uint16_t*>(
            scratch(Scratch::caller_a, blocks * numbers(band) / 2));
        for (int64_t block = 0; block < blocks; ++block)
            pair_rows(band, dy + (block * spec.out_h() + band.first) * row, row, kBlock,
                      by + block * numbers(band));
        return by;
    }

    // 16 numbers of each output pixel's place in x (or dy), `step` floats apart.
    void pair_rows(const Band& band, const float* x, int64_t row, int64_t step, uint16_t* to) const {
        const int64_t out_w = spec.out_w();
        for (int64_t i = 0; i < band.rows; ++i, to += pairs_of(out_w) * kPair)
            pairs_->pair({x + i * row, step, 0, out_w, out_w, to});
    }

    void add_pairs(const Band& band, const float* x, const uint16_t* dy, float* sum,
                   bool first) const {
        auto* seen = reinterpret_cast<uint16_t*>(scratch(Scratch::worker_a, numbers(band) / 2));
        PairProduct p{};
        p.pairs = band.rows * pairs_of(spec.out_w());
        p.dy_block = numbers(band);
        p.first = first;
        for (int64_t block = 0; block < width_; block += kBlock) {
            pair_rows(band, x + block, spec.stride_h * row_floats_, spec.stride_w * spec.c, seen);
            const int64_t some = std::min<int64_t>(kBlock, width_ - block);
            const int64_t most = even_piece(some, pairs_->channels);
            for (const Piece& piece : pieces_)
                for (int64_t i = 0; i < some; i += most) {
                    p.x = seen + 2 * i;
                    p.dy = dy + piece.block * numbers(band);
                    p.channels = static_cast<int>(std::min(most, some - i));
                    p.blocks = static_cast<int>(piece.blocks);
                    p.sum = sum + place(piece) + (block + i) * piece.blocks * kBlock;
                    pairs_->outer(p);
                }
        }
    }

    void finish_filter(const float* sums, const Piece& piece, int64_t parts, float* dw) const {
        for (int64_t c = 0; c < spec.c; ++c)
            for (int64_t r = 0; r < spec.r; ++r)
                for (int64_t s = 0; s < spec.s; ++s) {
                    const float* from = sums + r * row_sums() +
                                        (s * spec.c + c) * piece.blocks * kBlock;
                    float total = 0;
                    for (int64_t part = 0; part < parts; ++part) total += from[part * sum_floats()];
                    dw[(c * spec.r + r) * spec.s + s] = total;
                }
    }

    const bool plain_;
    const PairKernels* const pairs_;  // or null: products of float32
    const GradientKernels& kernels_ = gradient_kernels();
    const int64_t width_;       // columns times channels of a filter's row
    const int64_t row_floats_;  // of a row of x with its padding, and what a last vector may read
    std::vector<Piece> pieces_;
};

}  // namespace

std::unique_ptr<FilterGradient> make_filter_gradient_few_channels(const ConvSpec& spec,
                                                                  Precision precision, bool plain) {
    return std::make_unique<FewChannels>(spec, precision, plain);
}

}  // namespace darter
