#include "conv/depthwise/depthwise.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <vector>

#include "conv/convolution.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {
namespace scalar { extern const DepthwiseKernel depthwise_row; }
namespace avx2 { extern const DepthwiseKernel depthwise_row; }
namespace neon { extern const DepthwiseKernel depthwise_row; }
namespace avx512 {
extern const DepthwiseKernel depthwise_row;
extern const DepthwiseKernel depthwise_row_of_bfloat16;  // to float32
extern const DepthwiseKernel depthwise_row_in_bfloat16;
}

namespace {

constexpr int64_t kLargePixels = 128;  // of a batch's outputs: split by rows

constexpr Dispatch<const DepthwiseKernel*> kRow{EVERY_ISA(depthwise_row)};

constexpr Dispatch<const DepthwiseKernel*> kRowOfBfloat16{
    nullptr, nullptr, X86_ONLY(&avx512::depthwise_row_of_bfloat16)};

constexpr Dispatch<const DepthwiseKernel*> kRowInBfloat16{
    nullptr, nullptr, X86_ONLY(&avx512::depthwise_row_in_bfloat16)};

DepthwiseKernel active_kernel(const Dispatch<const DepthwiseKernel*>& kernels) {
    return kernels.active() ? *kernels.active() : nullptr;
}

// The pixel that fills each place of a padded line.
std::vector<int64_t> filled_from(int64_t before, int64_t size, int64_t after, Border border) {
    if (border == Border::reflect && std::max(before, after) >= size)
        throw std::invalid_argument("more padding than there is to reflect");
    std::vector<int64_t> from(before + size + after);
    for (int64_t i = 0; i < static_cast<int64_t>(from.size()); ++i) {
        int64_t at = i - before;
        if (border == Border::reflect) at = at < 0 ? -at : at < size ? at : 2 * (size - 1) - at;
        from[i] = std::clamp<int64_t>(at, 0, size - 1);
    }
    return from;
}

class Depthwise final : public Convolution {
public:
    Depthwise(const ConvSpec& spec, const Filters& filters, Border border)
        : Convolution(spec, filters),
          border_(border),
          row_at_(filled_from(spec.pad_top, spec.h, spec.pad_bottom, border)),
          column_at_(filled_from(spec.pad_left, spec.w, spec.pad_right, border)),
          weights_(blocks_of(spec.c) * spec.r * spec.s * kBlock) {
        if (filters.w) Depthwise::set_filters(filters.w);
    }

    void set_filters(const float* w) override {
        std::fill_n(weights_.data(), weights_.size(), 0.0f);
        int64_t taps = spec.r * spec.s;
        for (int64_t c = 0; c < spec.c; ++c)
            for (int64_t tap = 0; tap < taps; ++tap)
                weights_.data()[(c / kBlock * taps + tap) * kBlock + c % kBlock] = w[c * taps + tap];
    }

    size_t weight_bytes() const override { return weights_.size() * sizeof(float); }

    std::unique_ptr<Convolution> placed(int64_t n, int64_t x_blocks,
                                        int64_t y_blocks) const override {
        return std::unique_ptr<Convolution>(new Depthwise(*this, n, x_blocks, y_blocks));
    }

    void run(const float* x, float* y, const float* residual) const override {
        compute({.x = x, .y = y, .residual = residual, .plain_x = false, .plain_y = false});
    }

    bool takes(Element x, Element y) const override {
        auto known = [&](Element e) {
            return e == Element::float32 || (e == Element::bfloat16 && has_bfloat16());
        };
        return known(x) && known(y);
    }

    void run_any(const Arrays& arrays) const override {
        arrays.all_floats() ? Convolution::run_any(arrays) : compute(arrays);
    }

private:
    void compute(const Arrays& arrays) const {
        int64_t blocks = blocks_of(spec.c), out_h = spec.out_h(), out_w = spec.out_w();
        // As 1x1 layers before and after do: large pictures are split into bands of rows, small
        // ones by channels, so that each thread mostly reads what it wrote.
        int64_t bands = 1, pieces = blocks;
        if (threads() > 1 && spec.n * out_h * out_w >= kLargePixels) {
            bands = std::min(out_h, ceil_div(4 * threads(), spec.n));
            pieces = 1;
        }
        int64_t piece = ceil_div(blocks, pieces);
        parallel_for(spec.n * bands * pieces, [&](size_t index) {
            int64_t image = index / pieces / bands, band = index / pieces % bands;
            int64_t first = band * out_h / bands, last = (band + 1) * out_h / bands;
            int64_t begin = index % pieces * piece;
            for (int64_t block = begin; block < std::min(blocks, begin + piece); ++block) {
                int64_t out = image * spec.y_image() + block * out_h * out_w * kBlock;
                int64_t in = image * spec.x_image() + block * spec.h * spec.w * kBlock;
                for (int64_t row = first; row < last; ++row)
                    write_row(arrays, in, out + row * out_w * kBlock, block, row, out_w);
                if (arrays.y_element == Element::float32)
                    activate(static_cast<float*>(arrays.y) + out + first * out_w * kBlock,
                             (last - first) * out_w * kBlock);
            }
        });
    }

    Depthwise(const Depthwise& other, int64_t n, int64_t x_blocks, int64_t y_blocks)
        : Convolution(other, n, x_blocks, y_blocks),
          border_(other.border_),
          kernel_(other.kernel_),
          of_bfloat16_(other.of_bfloat16_),
          in_bfloat16_(other.in_bfloat16_),
          row_at_(other.row_at_),
          column_at_(other.column_at_),
          weights_(other.weights_) {}

    // What a row is read from and written to.
    struct Row {
        const std::byte* x;  // the first row of the image
        int64_t size;        // bytes of a number in x
        void* y;
        const void* residual;
        float low, high;
        DepthwiseKernel kernel;
    };

    // One row of one channel block, whose first input row is at `in`, to `out`.
    void write_row(const Arrays& arrays, int64_t in, int64_t out, int64_t block, int64_t row,
                   int64_t out_w) const {
        const int64_t size = bytes_of(arrays.x_element, 1);
        const auto* x = static_cast<const std::byte*>(arrays.x) + in * size;
        const DepthwiseKernel to_floats =
            arrays.x_element == Element::float32 ? kernel_ : of_bfloat16_;
        if (arrays.y_element == Element::float32) {
            const auto* residual = static_cast<const float*>(arrays.residual);
            float* y = static_cast<float*>(arrays.y) + out;
            run_row({x, size, y, residual ? residual + out : nullptr, low_, high_, to_floats}, block,
                    row, out_w);
            return;
        }
        const auto* residual = static_cast<const uint16_t*>(arrays.residual);
        if (residual) residual += out;
        auto* y = static_cast<uint16_t*>(arrays.y) + out;
        if (arrays.x_element == Element::bfloat16 && clamps())
            return run_row({x, size, y, residual, low_, high_, in_bfloat16_}, block, row, out_w);
        constexpr float kNoLimit = std::numeric_limits<float>::infinity();
        float* sums = scratch(Scratch::worker_b, out_w * kBlock);
        run_row({x, size, sums, nullptr, -kNoLimit, kNoLimit, to_floats}, block, row, out_w);
        finish(sums, residual, y, out_w * kBlock);
    }

    void run_row(const Row& of, int64_t block, int64_t row, int64_t out_w) const {
        int64_t top = row * spec.stride_h - spec.pad_top, first = 0, last = spec.r;
        while (first < last && top + first * spec.dilation_h < 0) ++first;
        while (first < last && top + (last - 1) * spec.dilation_h >= spec.h) --last;
        const bool uneven = border_ != Border::zeros && last - first < spec.r;
        if (uneven) first = 0, last = spec.r;
        int64_t in_row = first < last && !uneven ? top + first * spec.dilation_h : 0;
        DepthwiseRow d{.x = of.x + in_row * spec.w * kBlock * of.size,
                       .row_stride = spec.dilation_h * spec.w * kBlock,
                       .rows = last - first,
                       .w = weights_.data() + (block * spec.r + first) * spec.s * kBlock,
                       .columns = spec.s,
                       .in_w = spec.w,
                       .out_w = out_w,
                       .stride = spec.stride_w,
                       .dilation = spec.dilation_w,
                       .pad_left = spec.pad_left,
                       .bias = bias_.data() + block * kBlock,
                       .residual = of.residual,
                       .y = of.y,
                       .low = of.low,
                       .high = of.high,
                       .row_at = nullptr,
                       .column_at = nullptr,
                       .uneven = uneven};
        if (border_ == Border::zeros) return of.kernel(d);
        std::vector<const void*> rows(spec.r);
        for (int64_t r = 0; r < spec.r; ++r)
            rows[r] = of.x + row_at_[row * spec.stride_h + r * spec.dilation_h] * spec.w * kBlock *
                                 of.size;
        d.row_at = rows.data();
        d.column_at = column_at_.data();
        of.kernel(d);
    }

    const Border border_;
    DepthwiseKernel kernel_ = active_kernel(kRow);
    DepthwiseKernel of_bfloat16_ = active_kernel(kRowOfBfloat16);
    DepthwiseKernel in_bfloat16_ = active_kernel(kRowInBfloat16);
    std::vector<int64_t> row_at_, column_at_;  // of padded ones
    Buffer weights_;
};

}  // namespace

std::unique_ptr<Convolution> make_depthwise(const ConvSpec& spec, const Filters& filters,
                                            Border border) {
    return std::make_unique<Depthwise>(spec, filters, border);
}

}  // namespace darter
