// Pools: the rows of a window are reduced to a line in the L1 cache, then the line's columns.
#include <cstddef>
#include <limits>

#include "net/steps.hpp"
#include "net/vector/kernels.hpp"

namespace darter {
namespace {

// The taps of a window from `begin` on that lie inside: the first one's place, and how many.
struct Inside {
    int64_t first, count;
};

Inside clip_window(int64_t begin, int64_t kernel, int64_t dilation, int64_t size) {
    int64_t skipped = begin < 0 ? ceil_div(-begin, dilation) : 0;
    int64_t first = begin + skipped * dilation;
    int64_t count = first >= size ? 0 : std::min(kernel - skipped, (size - 1 - first) / dilation + 1);
    return {first, std::max<int64_t>(count, 0)};
}

class Pool final : public Step {
public:
    Pool(const Blocked& x, const Blocked& y, const PoolShape& shape)
        : x_(x), y_(y), s_(shape), down_(down_for(x.element, shape.mean)),
          along_(shape.mean ? vector_kernels().line_sum : vector_kernels().line_maximum) {
        const int64_t seen = (y.w - 1) * s_.stride_w + (s_.kernel_w - 1) * s_.dilation_w + 1;
        right_ = std::max<int64_t>(0, seen - s_.pad_left - x.w);
        if (!s_.mean) return;
        for (int64_t row = 0; row < y.h; ++row)
            for (int64_t column = 0; column < y.w; ++column)
                factors_.push_back(1.0f / static_cast<float>(std::max<int64_t>(
                                              counted(row, column), 1)));
    }

    void run(const Reads& x, const Writes& y) const override {
        const int64_t work = (s_.kernel_h * x_.w + s_.kernel_w * y_.w) * kBlock;
        each_piece(y_.planes() * y_.h, work, [&](int64_t first, int64_t last) {
            float* line = scratch(Scratch::worker_a, (s_.pad_left + x_.w + right_) * kBlock);
            fill(line, s_.pad_left);
            fill(line + (s_.pad_left + x_.w) * kBlock, right_);
            std::vector<const void*> rows(s_.kernel_h);
            for (int64_t i = first; i < last; ++i) {
                const std::byte* plane = x.as<std::byte>(0) + bytes_of(x_.element, x_.at(i / y_.h));
                reduce_rows(plane, i % y_.h, rows, line + s_.pad_left * kBlock);
                write_row(line, i % y_.h, y, y_.at(i / y_.h) + i % y_.h * y_.w * kBlock);
            }
        });
    }

private:
    static PoolKernels::Down down_for(Element element, bool mean) {
        const PoolKernels& kernels =
            element == Element::float32 ? vector_kernels().pool : *pool_kernels_of_bfloat16();
        return mean ? kernels.sum : kernels.maximum;
    }

    // What changes neither a sum nor a maximum.
    void fill(float* pixels, int64_t count) const {
        std::fill_n(pixels, count * kBlock,
                    s_.mean ? 0.0f : -std::numeric_limits<float>::infinity());
    }

    Inside rows_of(int64_t row) const {
        return clip_window(row * s_.stride_h - s_.pad_top, s_.kernel_h, s_.dilation_h, x_.h);
    }

    void reduce_rows(const std::byte* plane, int64_t row, std::vector<const void*>& rows,
                     float* line) const {
        const Inside inside = rows_of(row);
        if (inside.count == 0) return fill(line, x_.w);
        for (int64_t r = 0; r < inside.count; ++r)
            rows[r] = plane + bytes_of(x_.element, (inside.first + r * s_.dilation_h) * x_.w * kBlock);
        down_(rows.data(), inside.count, x_.w, line);
    }

    // at: where the row begins in y.
    void write_row(const float* line, int64_t row, const Writes& y, int64_t at) const {
        const bool rounded = y_.element == Element::bfloat16;
        float* to = rounded ? scratch(Scratch::worker_b, y_.w * kBlock) : y[0] + at;
        along_({.line = line,
                .taps = s_.kernel_w,
                .tap_step = s_.dilation_w * kBlock,
                .step = s_.stride_w * kBlock,
                .factors = s_.mean ? factors_.data() + row * y_.w : nullptr,
                .y = to,
                .outputs = y_.w});
        if (rounded) rounding_->round(to, y.as<uint16_t>(0) + at, y_.w * kBlock);
    }

    // Pixels that the mean of an output is over.
    int64_t counted(int64_t row, int64_t column) const {
        const int64_t top = row * s_.stride_h - s_.pad_top;
        const int64_t left = column * s_.stride_w - s_.pad_left;
        if (s_.count_padding)
            return before(top, s_.kernel_h, s_.dilation_h, x_.h + s_.pad_bottom) *
                   before(left, s_.kernel_w, s_.dilation_w, x_.w + s_.pad_right);
        return rows_of(row).count * clip_window(left, s_.kernel_w, s_.dilation_w, x_.w).count;
    }

    // Pixels of a window that lie before `end`: with ceil, the last one may stick out.
    static int64_t before(int64_t begin, int64_t kernel, int64_t dilation, int64_t end) {
        return std::min(kernel, (end - 1 - begin) / dilation + 1);
    }

    const Blocked x_, y_;
    const PoolShape s_;
    const PoolKernels::Down down_;
    void (*const along_)(const PoolLine&);
    const Bfloat16Arrays* const rounding_ = bfloat16_arrays(active_isa());
    int64_t right_;  // pixels that windows see beyond x
    std::vector<float> factors_;
};

}  // namespace

StepPointer pool_step(const Blocked& x, const Blocked& y, const PoolShape& shape) {
    return std::make_shared<Pool>(x, y, shape);
}

}  // namespace darter
