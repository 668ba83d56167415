// The input gradient by products: pixels of x that lie a stride apart are seen by the same taps, so
// each such phase is a dense sum over (filter block, tap) of dy. Any stride, padding, dilation and
// groups; only rows of dy that need padding are copied. With bfloat16 operands dy is rounded as it is
// copied, and sums stay float32.
#include "conv/gradient/gradient.hpp"

#include <cstring>

#include "conv/gradient/phases.hpp"
#include "product/operands.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {
namespace {

constexpr int64_t kBandFloats = 96 * 1024;  // dy of one task: 384 KiB, well inside L2

// What a task sees of dy: dy itself, or a copy with its padding.
struct View {
    const void* data;  // pixel (0, 0) of dy, which may lie outside
    int64_t block_stride, row_stride;
};

// The pixels of one task.
struct Band {
    int64_t image, first_row, last_row, first_column, last_column;
};

// Blocks of channels that one product computes, and the filters that see them.
struct Group {
    int64_t c_block, blocks, k_first, k_last;
    int64_t weights;  // where they begin
};

class Direct final : public InputGradient {
public:
    Direct(const ConvSpec& spec, Precision precision)
        : InputGradient(flattened(spec)),
          operands_(precision),
          down_(phases(spec.stride_h, spec.dilation_h, spec.r, spec.pad_top, this->spec.h)),
          across_(phases(spec.stride_w, spec.dilation_w, spec.s, spec.pad_left, this->spec.w)),
          out_h_(this->spec.out_h()),
          out_w_(this->spec.out_w()) {
        first_row_ = first_column_ = 0, last_row_ = out_h_ - 1, last_column_ = out_w_ - 1;
        reach(down_, first_row_, last_row_);
        reach(across_, first_column_, last_column_);
        copied_ = operands_.rounded() || padded();
        int64_t size = 0;
        for (int64_t c = 0; c < blocks_of(spec.c); c += kernels_.blocks) {
            Group group = group_at(c, size);
            groups_.push_back(group);
            size += (group.k_last - group.k_first) * spec.r * spec.s * kBlock * group.blocks * kBlock;
        }
        weights_ = Buffer(operands_.floats(size));
    }

    // [filter block][tap of the phase][16 filters][channels], phase after phase; filters are 0 where
    // they do not see a channel. Of bfloat16, pairs of filters lie together.
    void set_filters(const float* w) override {
        parallel_for(groups_.size(), [&](size_t i) {
            const Group& group = groups_[i];
            const int64_t count = group.k_last - group.k_first, width = group.blocks * kBlock;
            float* block = scratch(Scratch::worker_b, spec.r * spec.s * kBlock * width);
            for (int64_t k = group.k_first; k < group.k_last; ++k) {
                read_block(w, group, k, block);
                int64_t to = group.weights;
                for (const Phase& rows : down_)
                    for (const Phase& columns : across_) {
                        const int64_t taps = rows.taps.size() * columns.taps.size();
                        int64_t at = to + (k - group.k_first) * taps * kBlock * width;
                        for (int64_t r : rows.taps)
                            for (int64_t s : columns.taps) {
                                pack_tap(block + (r * spec.s + s) * kBlock * width, width, at);
                                at += kBlock * width;
                            }
                        to += count * taps * kBlock * width;
                    }
            }
        });
    }

    Buffer* packed_filters() override { return &weights_; }

    void run(const float* dy, float* dx, int64_t images, bool accumulate) const override {
        const int64_t groups = static_cast<int64_t>(groups_.size());
        const int64_t wanted = threads() == 1 ? 1 : 4 * threads();
        const int64_t least = ceil_div(wanted, images);
        const int64_t height = band_height(least), width = band_width(least);
        const int64_t across = ceil_div(spec.w, width), bands = ceil_div(spec.h, height) * across;
        const int64_t places = images * bands;
        const int64_t splits = std::clamp<int64_t>(ceil_div(wanted, places), 1, groups);
        parallel_for(places * splits, [&](size_t task) {
            const int64_t index = static_cast<int64_t>(task), place = index / splits;
            const int64_t number = place % bands, split = index % splits;
            const int64_t row = number / across * height, column = number % across * width;
            const Band band{place / bands, row, std::min(spec.h, row + height), column,
                            std::min(spec.w, column + width)};
            run_band(band, split * groups / splits, (split + 1) * groups / splits, dy, dx, accumulate);
        });
    }

private:
    // A 1x1 convolution does not care where rows end.
    static ConvSpec flattened(ConvSpec spec) {
        const bool plain = spec.r == 1 && spec.s == 1 && spec.stride_h == 1 && spec.stride_w == 1;
        if (plain && !spec.padded()) spec.w *= spec.h, spec.h = 1;
        return spec;
    }

    // Widens [first, last] to all outputs that some pixel is told to read, inside or not.
    static void reach(const std::vector<Phase>& all, int64_t& first, int64_t& last) {
        for (const Phase& phase : all)
            for (int64_t back : phase.back) {
                first = std::min(first, phase.first - back);
                last = std::max(last, phase.last - 1 - back);
            }
    }

    Group group_at(int64_t c_block, int64_t weights) const {
        const int64_t per_group = spec.c / spec.groups, filters = spec.k / spec.groups;
        const int64_t blocks = std::min<int64_t>(kernels_.blocks, blocks_of(spec.c) - c_block);
        const int64_t last = std::min(spec.c, (c_block + blocks) * kBlock) - 1;
        const int64_t first_k = c_block * kBlock / per_group * filters;
        const int64_t last_k = (last / per_group + 1) * filters - 1;
        return {c_block, blocks, first_k / kBlock, last_k / kBlock + 1, weights};
    }

    // 16 filters as [tap][filter][channel of the group], 0 where a filter does not see a channel.
    void read_block(const float* w, const Group& group, int64_t k_block, float* to) const {
        const int64_t per_group = spec.c / spec.groups, filters = spec.k / spec.groups;
        const int64_t taps = spec.r * spec.s, width = group.blocks * kBlock;
        const int64_t first = group.c_block * kBlock, last = std::min(spec.c, first + width);
        std::fill_n(to, taps * kBlock * width, 0.0f);
        for (int64_t i = 0; i < kBlock; ++i, to += width) {
            const int64_t k = k_block * kBlock + i;
            if (k >= spec.k) break;
            const int64_t seen = k / filters * per_group;  // the first channel that it sees
            const int64_t begin = std::max(first, seen), end = std::min(last, seen + per_group);
            const float* from = w + (k * per_group + begin - seen) * taps;
            for (int64_t c = begin - first; c < end - first; ++c)
                for (int64_t tap = 0; tap < taps; ++tap) to[tap * kBlock * width + c] = *from++;
        }
    }

    // [filter][channel] of a tap, to element `at` of the weights on.
    void pack_tap(const float* from, int64_t width, int64_t at) const {
        for (int64_t row = 0; row < kBlock; row += operands_.pack())
            for (int64_t column = 0; column < width; column += kBlock)
                operands_.set_rows(weights_.data(), at, width, row, column,
                                   from + row * width + column, width);
    }

    int64_t band_height(int64_t least_bands) const {
        const int64_t columns = last_column_ - first_column_ + 1, depth = blocks_of(spec.k) * kBlock;
        const int64_t reach = last_row_ - out_h_ - first_row_ + 2;
        int64_t height = 1;
        while (height < spec.h &&
               ((height + 1) / spec.stride_h + reach) * columns * depth <= kBandFloats)
            ++height;
        const int64_t bands = std::max(least_bands, ceil_div(spec.h, height));
        return ceil_div(spec.h, std::min(spec.h, bands));
    }

    // Bands span the width, except in a flattened 1x1, which has a single row.
    int64_t band_width(int64_t least_bands) const {
        if (spec.h > 1 || spec.s > 1 || spec.stride_w > 1 || padded()) return spec.w;
        const int64_t tiles = ceil_div(spec.w, kernels_.rows);
        const int64_t fit = kBandFloats / (blocks_of(spec.k) * kBlock * kernels_.rows);
        return even_piece(tiles, std::max<int64_t>(1, std::min(fit, tiles / least_bands))) *
               kernels_.rows;
    }

    void run_band(const Band& band, int64_t first, int64_t last, const float* dy, float* dx,
                  bool accumulate) const {
        const float* from = dy + band.image * spec.y_image();
        const View view = copied_ ? copy(from, band)
                                  : View{from, out_h_ * out_w_ * kBlock, out_w_ * kBlock};
        float* to = dx + band.image * spec.x_image();
        std::vector<int64_t> offsets;
        for (int64_t i = first; i < last; ++i) {
            const Group& group = groups_[i];
            int64_t weights = group.weights;
            for (const Phase& rows : down_)
                for (const Phase& columns : across_) {
                    tap_offsets(group, rows, columns, view, offsets);
                    run_phase(band, group, rows, columns, view, offsets, weights, to, accumulate);
                    weights += offsets.size() * kBlock * group.blocks * kBlock;
                }
        }
    }

    // Whether pixels read outputs that do not exist.
    bool padded() const {
        return first_row_ < 0 || last_row_ >= out_h_ || first_column_ < 0 || last_column_ >= out_w_;
    }

    // The outputs of a band that its pixels are told to read, zeros where there are none.
    View copy(const float* dy, const Band& band) const {
        int64_t first = out_h_, last = -1;
        for (const Phase& phase : down_) {
            const auto [begin, end] = inside(phase, spec.stride_h, band.first_row, band.last_row);
            for (int64_t back : phase.back)
                if (begin < end) first = std::min(first, begin - back), last = std::max(last, end - 1 - back);
        }
        const bool part = band.last_column - band.first_column < spec.w;  // of a flattened 1x1
        const int64_t begin = part ? band.first_column : first_column_;
        const int64_t end = part ? band.last_column : last_column_ + 1;
        const int64_t rows = std::max<int64_t>(0, last - first + 1);
        const int64_t columns = end - begin, plane = rows * columns * kBlock;
        const int64_t left = std::max<int64_t>(0, -begin), from = std::max<int64_t>(0, begin);
        const int64_t kept = std::min(end, out_w_) - from;
        void* data = scratch(Scratch::worker_a, operands_.floats(blocks_of(spec.k) * plane));
        void* to = data;
        auto zeros = [&](int64_t pixels) {
            std::memset(to, 0, operands_.bytes(pixels * kBlock));
            to = operands_.at(to, pixels * kBlock);
        };
        for (int64_t block = 0; block < blocks_of(spec.k); ++block)
            for (int64_t at = first; at < first + rows; ++at) {
                if (at < 0 || at >= out_h_) {
                    zeros(columns);
                    continue;
                }
                zeros(left);
                operands_.store(dy + ((block * out_h_ + at) * out_w_ + from) * kBlock, to,
                                kept * kBlock);
                to = operands_.at(to, kept * kBlock);
                zeros(columns - left - kept);
            }
        return {operands_.at(data, -(first * columns + begin) * kBlock), plane, columns * kBlock};
    }

    // The pixels q of a phase that lie in [first, last) of the image.
    static std::pair<int64_t, int64_t> inside(const Phase& phase, int64_t stride, int64_t first,
                                              int64_t last) {
        auto from = [&](int64_t pixel) {
            const int64_t at = pixel - phase.offset;
            return at <= 0 ? 0 : ceil_div(at, stride);
        };
        return {std::max(phase.first, from(first)), std::min(phase.last, from(last))};
    }

    void tap_offsets(const Group& group, const Phase& rows, const Phase& columns, const View& view,
                     std::vector<int64_t>& offsets) const {
        offsets.clear();
        for (int64_t k = group.k_first; k < group.k_last; ++k)
            for (int64_t down : rows.back)
                for (int64_t across : columns.back)
                    offsets.push_back(k * view.block_stride - down * view.row_stride -
                                      across * kBlock);
    }

    void run_phase(const Band& band, const Group& group, const Phase& rows, const Phase& columns,
                   const View& view, const std::vector<int64_t>& offsets, int64_t weights, float* dx,
                   bool accumulate) const {
        if (offsets.empty() && accumulate) return;
        const auto [top, bottom] = inside(rows, spec.stride_h, band.first_row, band.last_row);
        const auto [left, right] = inside(columns, spec.stride_w, band.first_column, band.last_column);
        if (left >= right) return;
        const int64_t plane = spec.h * spec.w * kBlock;
        const int64_t tile = even_piece(right - left, kernels_.rows);
        Product p{};
        p.b = operands_.at(weights_.data(), weights);
        p.offsets = offsets.data();
        p.steps = static_cast<int64_t>(offsets.size());
        p.row_stride = kBlock;
        p.blocks = static_cast<int>(group.blocks);
        p.depth = kBlock;
        p.out_row = spec.stride_w * kBlock;
        p.out_block = plane;
        p.accumulate = accumulate;
        for (int64_t q = top; q < bottom; ++q) {
            float* row = dx + group.c_block * plane + (q * spec.stride_h + rows.offset) * spec.w * kBlock;
            for (int64_t at = left; at < right; at += tile) {
                p.rows = static_cast<int>(std::min(tile, right - at));
                p.a = operands_.at(view.data, q * view.row_stride + at * kBlock);
                p.out = row + (at * spec.stride_w + columns.offset) * kBlock;
                kernels_.run(p);
            }
        }
    }

    const Operands operands_;
    const ProductKernels& kernels_ = operands_.product();
    const std::vector<Phase> down_, across_;
    const int64_t out_h_, out_w_;
    int64_t first_row_, last_row_, first_column_, last_column_;  // of dy that is read
    bool copied_;
    std::vector<Group> groups_;
    Buffer weights_;
};

}  // namespace

std::unique_ptr<InputGradient> make_input_gradient_direct(const ConvSpec& spec,
                                                          Precision precision) {
    return std::make_unique<Direct>(spec, precision);
}

}  // namespace darter
