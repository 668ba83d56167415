// Direct convolution: the sum over (channel block, filter row, filter column) is one product whose
// rows are neighbouring output pixels, so nothing is unfolded. Any stride, dilation and groups.
//
// With bfloat16 operands, x and the filters are rounded to bfloat16 and sums stay float32.
//
// A channel block is 16 channels of a blocked input, or one channel of a plain one: nets begin with
// 3 channels, and padding those to 16 would cost five times the work.
#include <algorithm>
#include <cstring>

#include "conv/direct/by_rows.hpp"
#include "conv/direct/few_channels.hpp"
#include "product/turn.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {
namespace {

constexpr int64_t kPlainChannels = 8;          // up to so many channels are read plain
constexpr int64_t kBandFloats = 96 * 1024;     // input of one task: 384 KiB, well inside L2

// Where the input of some output rows lies: x itself, or a copy with its padding.
struct View {
    const void* data;  // first channel block, first input row of the first output row
    int64_t block_stride, row_stride;
    int64_t first_column;  // output column that it begins with
};

// The outputs of one task.
struct Band {
    int64_t image, first_row, last_row, first_column, last_column;
};

class Direct final : public ByRows {
public:
    Direct(const ConvSpec& spec, const Filters& filters, Precision precision)
        : ByRows(flattened(spec), filters),
          operands_(precision),
          kernels_(operands_.product()),
          unit_(spec.c <= kPlainChannels && precision == Precision::float32 ? 1 : kBlock),
          in_blocks_(ceil_div(spec.c, unit_)),
          out_w_(this->spec.out_w()),
          out_h_(this->spec.out_h()),
          tile_(even_piece(out_w_, most_rows())) {
        plan_pairs();
        if (filters.w) Direct::set_filters(filters.w);
    }

    void set_filters(const float* w) override {
        int64_t per_group_in = spec.c / spec.groups, per_group_out = spec.k / spec.groups;
        parallel_for(pairs_.size(), [&](size_t i) {
            pack_pair(pairs_[i], w, per_group_in, per_group_out);
        });
    }

    Buffer* packed_filters() override { return &weights_; }
    bool plain_input() const override { return unit_ == 1; }
    size_t weight_bytes() const override { return weights_.size() * sizeof(float); }

    std::unique_ptr<Convolution> placed(int64_t n, int64_t x_blocks,
                                        int64_t y_blocks) const override {
        return std::unique_ptr<Convolution>(new Direct(*this, n, x_blocks, y_blocks));
    }

    void run(const float* x, float* y, const float* residual) const override {
        compute({.x = x, .y = y, .residual = residual, .plain_x = false, .plain_y = false});
    }

    bool takes(Element x, Element y) const override {
        const bool reads = x == Element::float32 || (has_bfloat16() && unit_ == kBlock);
        return reads && (y == Element::float32 || has_bfloat16());
    }

    void run_any(const Arrays& arrays) const override {
        arrays.all_floats() ? Convolution::run_any(arrays) : compute(arrays);
    }

private:
    void compute(const Arrays& arrays) const {
        int64_t pairs = static_cast<int64_t>(pairs_.size());
        int64_t wanted = threads() == 1 ? 1 : 4 * threads();
        // Split what is larger, pictures or filters: each thread mostly reads its own part of it.
        bool by_pixels = spec.n * (spec.x_image() + spec.y_image()) >=
                         static_cast<int64_t>(weights_.size());
        int64_t least_bands = by_pixels ? ceil_div(wanted, spec.n) : 1;
        int64_t height = band_height(least_bands), width = band_width(least_bands);
        int64_t across = ceil_div(out_w_, width), bands = ceil_div(out_h_, height) * across;
        int64_t places = spec.n * bands;
        int64_t groups = std::clamp<int64_t>(ceil_div(wanted, places), 1, pairs);
        int64_t group = ceil_div(pairs, groups);
        parallel_for(places * groups, [&](size_t task) {
            int64_t index = static_cast<int64_t>(task);
            int64_t place = by_pixels ? index / groups : index % places;
            int64_t first = (by_pixels ? index % groups : index / places) * group;
            int64_t last = std::min(pairs, first + group);
            if (first >= last) return;
            int64_t number = place % bands;
            int64_t first_row = number / across * height, first_column = number % across * width;
            Band band{place / bands,
                      first_row, std::min(out_h_, first_row + height),
                      first_column, std::min(out_w_, first_column + width)};
            View view = view_of(arrays, band);
            std::vector<int64_t> offsets = tap_offsets(view);
            for (int64_t pair = first; pair < last; ++pair)
                for (int64_t row = band.first_row; row < band.last_row; ++row)
                    run_row(pairs_[pair], view, offsets.data(), band, row, arrays);
        });
    }

    Direct(const Direct& other, int64_t n, int64_t x_blocks, int64_t y_blocks)
        : ByRows(other, n, x_blocks, y_blocks),
          operands_(other.operands_),
          kernels_(other.kernels_),
          unit_(other.unit_),
          in_blocks_(other.in_blocks_),
          out_w_(other.out_w_),
          out_h_(other.out_h_),
          tile_(other.tile_),
          pairs_(other.pairs_),
          weights_(other.weights_) {}

    // Filters of one or two blocks, and the input blocks that they see.
    struct Pair {
        int64_t out_block, blocks, in_first, in_last, weights;
    };

    // A 1x1 convolution does not care where rows end.
    static ConvSpec flattened(ConvSpec spec) {
        bool plain = spec.r == 1 && spec.s == 1 && spec.stride_h == 1 && spec.stride_w == 1;
        if (plain && !spec.padded()) spec.w *= spec.h, spec.h = 1;
        return spec;
    }

    int most_rows() const {
        int64_t step = spec.stride_w;
        bool known = step == 1 || step == 2 || (unit_ == 1 && step == 4);
        return known ? kernels_.rows : std::min(kernels_.rows, 6);
    }

    int64_t columns_in() const { return spec.w + spec.pad_left + spec.pad_right; }
    int64_t rows_in(int64_t rows) const {
        return (rows - 1) * spec.stride_h + (spec.r - 1) * spec.dilation_h + 1;
    }

    // As many rows as fit, at most; fewer where more bands are wanted.
    int64_t band_height(int64_t least_bands) const {
        int64_t height = 1;
        while (height < out_h_ &&
               rows_in(height + 1) * columns_in() * in_blocks_ * unit_ <= kBandFloats)
            ++height;
        return ceil_div(out_h_, std::min(out_h_, std::max(least_bands, ceil_div(out_h_, height))));
    }

    // Bands span the width, except in a flattened 1x1, which has a single row.
    int64_t band_width(int64_t least_bands) const {
        if (spec.h > 1 || spec.padded()) return out_w_;
        int64_t all = ceil_div(out_w_, tile_), fit = kBandFloats / (in_blocks_ * unit_ * tile_);
        return even_piece(all, std::max<int64_t>(1, std::min(fit, all / least_bands))) * tile_;
    }

    void plan_pairs() {
        int64_t per_group_in = spec.c / spec.groups, per_group_out = spec.k / spec.groups;
        int64_t out_blocks = blocks_of(spec.k), size = 0;
        for (int64_t block = 0; block < out_blocks; block += kernels_.blocks) {
            int64_t blocks = std::min<int64_t>(kernels_.blocks, out_blocks - block);
            int64_t last_filter = std::min(spec.k, (block + blocks) * kBlock) - 1;
            int64_t first_channel = block * kBlock / per_group_out * per_group_in;
            int64_t last_channel = (last_filter / per_group_out + 1) * per_group_in - 1;
            Pair pair{block, blocks, first_channel / unit_, last_channel / unit_ + 1, size};
            size += (pair.in_last - pair.in_first) * taps() * unit_ * blocks * kBlock;
            pairs_.push_back(pair);
        }
        weights_ = Buffer(operands_.floats(size));
    }

    // [input block][tap][channel][filter]; filters see zeros outside their group.
    void pack_pair(const Pair& pair, const float* w, int64_t per_group_in, int64_t per_group_out) {
        int64_t width = pair.blocks * kBlock, first = pair.out_block * kBlock;
        int64_t depth = (pair.in_last - pair.in_first) * taps() * unit_;
        if (spec.groups == 1) return pack_dense(pair, w);
        std::memset(operands_.at(weights_.data(), pair.weights), 0, operands_.bytes(depth * width));
        std::vector<int64_t> groups;  // of the filters
        for (int64_t k = first; k < std::min(spec.k, first + width); ++k)
            groups.push_back(k / per_group_out);
        for (int64_t i = 0; i < per_group_in; ++i) {
            int64_t known = -1, row = 0;  // of the first tap, for this group
            for (size_t column = 0; column < groups.size(); ++column) {
                if (groups[column] != known) {
                    known = groups[column];
                    int64_t channel = known * per_group_in + i;
                    row = (channel / unit_ - pair.in_first) * taps() * unit_ + channel % unit_;
                }
                const float* from = w + ((first + column) * per_group_in + i) * taps();
                for (int64_t tap = 0; tap < taps(); ++tap)
                    operands_.set_weight(weights_.data(), pair.weights, width, row + tap * unit_,
                                         column, from[tap]);
            }
        }
    }

    // The same of one group: of 16 filters and a block of channels, all taps are turned at once.
    void pack_dense(const Pair& pair, const float* w) {
        const int64_t width = pair.blocks * kBlock, next = spec.c * taps(), depth = unit_ * taps();
        float* turned = scratch(Scratch::worker_b, depth * kBlock);
        for (int64_t block = 0; block < in_blocks_; ++block)
            for (int64_t column = 0; column < width; column += kBlock) {
                const int64_t first = pair.out_block * kBlock + column, c = block * unit_;
                const int64_t filters = std::min<int64_t>(kBlock, spec.k - first);
                const int64_t known = std::min(unit_, spec.c - c) * taps();  // [channel][tap]
                turn(w + first * next + c * taps(), next, filters, known, turned, kBlock);
                std::fill(turned + known * kBlock, turned + depth * kBlock, 0.0f);
                for (int64_t tap = 0; tap < taps(); ++tap)
                    for (int64_t i = 0; i < unit_; i += operands_.pack())
                        operands_.set_rows(weights_.data(), pair.weights, width,
                                           block * depth + tap * unit_ + i, column,
                                           turned + (i * taps() + tap) * kBlock, taps() * kBlock);
            }
    }

    int64_t taps() const { return spec.r * spec.s; }

    View view_of(const Arrays& arrays, const Band& band) const {
        int64_t row_stride = spec.w * unit_, block_stride = spec.h * row_stride;
        int64_t image_stride = unit_ == 1 ? spec.c * block_stride : spec.x_image();
        int64_t from = band.image * image_stride;
        int64_t top = band.first_row * spec.stride_h - spec.pad_top;
        if (!operands_.are(arrays.x_element) || spec.padded()) return copy(arrays, from, top, band);
        return {operands_.at(arrays.x, from + top * row_stride), block_stride, row_stride, 0};
    }

    // What the band sees of every channel block, with its padding. from: where the image begins.
    View copy(const Arrays& arrays, int64_t from, int64_t top, const Band& band) const {
        // Of the single row of a flattened 1x1.
        bool part = band.last_column - band.first_column < out_w_;
        int64_t rows = rows_in(band.last_row - band.first_row);
        int64_t left = part ? band.first_column : -spec.pad_left;
        int64_t columns = part ? band.last_column - band.first_column : columns_in();
        int64_t first = std::max<int64_t>(left, 0), last = std::min(left + columns, spec.w);
        int64_t size = rows * columns * unit_;
        void* data = scratch(Scratch::worker_a, operands_.floats(in_blocks_ * size));
        void* to = data;
        auto zeros = [&](int64_t pixels) {
            std::memset(to, 0, operands_.bytes(pixels * unit_));
            to = operands_.at(to, pixels * unit_);
        };
        for (int64_t block = 0; block < in_blocks_; ++block)
            for (int64_t row = top; row < top + rows; ++row) {
                if (row < 0 || row >= spec.h || first >= last) {
                    zeros(columns);
                    continue;
                }
                int64_t line = from + ((block * spec.h + row) * spec.w + first) * unit_;
                zeros(first - left);
                operands_.store(arrays.x, arrays.x_element, line, to, (last - first) * unit_);
                to = operands_.at(to, (last - first) * unit_);
                zeros(left + columns - last);
            }
        return {data, size, columns * unit_, part ? band.first_column : 0};
    }

    std::vector<int64_t> tap_offsets(const View& view) const {
        std::vector<int64_t> offsets;
        offsets.reserve(in_blocks_ * taps());
        for (int64_t block = 0; block < in_blocks_; ++block)
            for (int64_t r = 0; r < spec.r; ++r)
                for (int64_t s = 0; s < spec.s; ++s)
                    offsets.push_back(block * view.block_stride +
                                      r * spec.dilation_h * view.row_stride +
                                      s * spec.dilation_w * unit_);
        return offsets;
    }

    void run_row(const Pair& pair, const View& view, const int64_t* offsets, const Band& band,
                 int64_t row, const Arrays& arrays) const {
        int64_t out_pixels = out_h_ * out_w_;
        int64_t index = band.image * spec.y_image() +
                        (pair.out_block * out_pixels + row * out_w_) * kBlock;
        Product p{};
        p.b = operands_.at(weights_.data(), pair.weights);
        p.offsets = offsets;
        p.steps = (pair.in_last - pair.in_first) * taps();
        p.row_stride = spec.stride_w * unit_;
        p.blocks = static_cast<int>(pair.blocks);
        p.depth = static_cast<int>(unit_);
        p.bias = bias_.data() + pair.out_block * kBlock;
        int64_t from = pair.in_first * view.block_stride +
                       (row - band.first_row) * spec.stride_h * view.row_stride;
        auto input = [&](int64_t column) {
            return operands_.at(view.data, from + (column - view.first_column) * p.row_stride);
        };
        write(p, kernels_, operands_.pack() == 2,
              {index, band.first_column, band.last_column, tile_}, input, arrays);
    }

    const Operands operands_;
    const ProductKernels& kernels_;
    int64_t unit_, in_blocks_, out_w_, out_h_;
    int64_t tile_;
    std::vector<Pair> pairs_;
    Buffer weights_;
};

}  // namespace

std::unique_ptr<Convolution> make_direct(const ConvSpec& spec, const Filters& filters,
                                         Precision precision) {
    if (precision == Precision::bfloat16 && suits_few_channels(spec))
        return make_few_channels(spec, filters);
    return std::make_unique<Direct>(spec, filters, precision);
}

}  // namespace darter
