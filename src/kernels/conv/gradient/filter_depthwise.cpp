// The filter gradient of a depthwise convolution: correlations of rows of x with rows of dy.
#include <algorithm>

#include "conv/gradient/gradient.hpp"
#include "conv/gradient/kernels.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {
namespace {

// Sums lie as [block][tap][16].
class Depthwise final : public FilterGradient {
public:
    explicit Depthwise(const ConvSpec& spec) : FilterGradient(spec) {}

    int64_t sum_floats() const override { return blocks_of(spec.c) * block_floats(); }

    void add(const float* x, const float* dy, int64_t images, float* sum, bool first) const override {
        if (first) std::fill_n(sum, sum_floats(), 0.0f);
        const int64_t in_plane = spec.h * spec.w * kBlock;
        const int64_t out_plane = spec.out_h() * spec.out_w() * kBlock;
        parallel_for(blocks_of(spec.c), [&](size_t block) {
            for (int64_t image = 0; image < images; ++image)
                for (int64_t row = 0; row < spec.out_h(); ++row)
                    add_row(x + image * spec.x_image() + block * in_plane,
                            dy + image * spec.y_image() + block * out_plane, row,
                            sum + block * block_floats());
        });
    }

    void finish(const float* sums, int64_t parts, float* dw) const override {
        const int64_t taps = spec.r * spec.s;
        for (int64_t c = 0; c < spec.c; ++c)
            for (int64_t tap = 0; tap < taps; ++tap) {
                float total = 0;
                for (int64_t part = 0; part < parts; ++part)
                    total += sums[part * sum_floats() + (c / kBlock * taps + tap) * kBlock +
                                  c % kBlock];
                dw[c * taps + tap] = total;
            }
    }

private:
    int64_t block_floats() const { return spec.r * spec.s * kBlock; }

    void add_row(const float* x, const float* dy, int64_t row, float* sum) const {
        for (int64_t r = 0; r < spec.r; ++r) {
            const int64_t in = row * spec.stride_h - spec.pad_top + r * spec.dilation_h;
            if (in < 0 || in >= spec.h) continue;
            add_taps(x + in * spec.w * kBlock, dy + row * spec.out_w() * kBlock,
                     sum + r * spec.s * kBlock);
        }
    }

    // Columns that see the whole row of taps together, the others one by one.
    void add_taps(const float* x, const float* dy, float* sum) const {
        const int64_t out_w = spec.out_w(), reach = (spec.s - 1) * spec.dilation_w;
        const int64_t free = spec.w - 1 - reach + spec.pad_left;
        const int64_t first = std::min(out_w, ceil_div(spec.pad_left, spec.stride_w));
        const int64_t last =
            std::clamp<int64_t>(free < 0 ? 0 : free / spec.stride_w + 1, first, out_w);
        correlate(x, dy, first, last, 0, spec.s, sum);
        for (int64_t column = 0; column < out_w; ++column) {
            if (column == first) column = last;
            if (column >= out_w) break;
            const int64_t left = column * spec.stride_w - spec.pad_left;
            for (int64_t s = 0; s < spec.s; ++s) {
                const int64_t at = left + s * spec.dilation_w;
                if (at >= 0 && at < spec.w) correlate(x, dy, column, column + 1, s, 1, sum);
            }
        }
    }

    void correlate(const float* x, const float* dy, int64_t first, int64_t last, int64_t tap,
                   int64_t taps, float* sum) const {
        if (first == last) return;
        const int64_t at = first * spec.stride_w - spec.pad_left + tap * spec.dilation_w;
        kernels_.correlate({.x = x + at * kBlock,
                            .dy = dy + first * kBlock,
                            .columns = last - first,
                            .taps = taps,
                            .x_step = spec.stride_w * kBlock,
                            .tap_step = spec.dilation_w * kBlock,
                            .sum = sum + tap * kBlock});
    }

    const GradientKernels& kernels_ = gradient_kernels();
};

}  // namespace

std::unique_ptr<FilterGradient> make_filter_gradient_depthwise(const ConvSpec& spec) {
    return std::make_unique<Depthwise>(spec);
}

}  // namespace darter
