// The input gradient of a depthwise convolution of any stride: each phase of its pixels is a sum over
// the taps that see it.
#include "conv/gradient/gradient.hpp"
#include "conv/gradient/kernels.hpp"
#include "conv/gradient/phases.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {
namespace {

class Depthwise final : public InputGradient {
public:
    explicit Depthwise(const ConvSpec& spec)
        : InputGradient(spec),
          down_(phases(spec.stride_h, spec.dilation_h, spec.r, spec.pad_top, spec.h)),
          across_(phases(spec.stride_w, spec.dilation_w, spec.s, spec.pad_left, spec.w)),
          weights_(blocks_of(spec.c) * spec.r * spec.s * kBlock) {}

    void set_filters(const float* w) override {
        const int64_t taps = spec.r * spec.s;
        std::fill_n(weights_.data(), weights_.size(), 0.0f);
        for (int64_t c = 0; c < spec.c; ++c)
            for (int64_t tap = 0; tap < taps; ++tap)
                weights_.data()[(c / kBlock * taps + tap) * kBlock + c % kBlock] = w[c * taps + tap];
    }

    void run(const float* dy, float* dx, int64_t images, bool accumulate) const override {
        const int64_t blocks = blocks_of(spec.c), in_plane = spec.h * spec.w * kBlock;
        const int64_t out_plane = spec.out_h() * spec.out_w() * kBlock;
        parallel_for(images * blocks, [&](size_t index) {
            const int64_t image = index / blocks, block = index % blocks;
            const float* from = dy + image * spec.y_image() + block * out_plane;
            float* to = dx + image * spec.x_image() + block * in_plane;
            const float* w = weights_.data() + block * spec.r * spec.s * kBlock;
            Taps taps;
            for (const Phase& rows : down_)
                for (int64_t q = rows.first; q < rows.last; ++q) {
                    float* row = to + (q * spec.stride_h + rows.offset) * spec.w * kBlock;
                    for (const Phase& columns : across_)
                        run_row(from, w, rows, q, columns, row, accumulate, taps);
                }
        });
    }

private:
    struct Taps {
        std::vector<const float*> dy, w;
        std::vector<int64_t> back;
    };

    void run_row(const float* dy, const float* w, const Phase& rows, int64_t q, const Phase& columns,
                 float* dx, bool accumulate, Taps& taps) const {
        const int64_t out_w = spec.out_w();
        // Pixels that all taps see lie in [begin, end).
        int64_t begin = columns.first, end = columns.last;
        for (int64_t back : columns.back) {
            begin = std::max(begin, std::min(columns.last, back));
            end = std::min(end, std::max(columns.first, out_w + back));
        }
        if (begin >= end) begin = end = columns.last;
        for (int64_t p = columns.first; p < begin; ++p)
            run_pixels(dy, w, rows, q, columns, p, p + 1, dx, accumulate, taps);
        run_pixels(dy, w, rows, q, columns, begin, end, dx, accumulate, taps);
        for (int64_t p = end; p < columns.last; ++p)
            run_pixels(dy, w, rows, q, columns, p, p + 1, dx, accumulate, taps);
    }

    void run_pixels(const float* dy, const float* w, const Phase& rows, int64_t q,
                    const Phase& columns, int64_t p, int64_t end, float* dx, bool accumulate,
                    Taps& taps) const {
        if (p >= end) return;
        taps.dy.clear(), taps.w.clear();
        for (size_t i = 0; i < rows.taps.size(); ++i) {
            const int64_t row = q - rows.back[i];
            if (row < 0 || row >= spec.out_h()) continue;
            for (size_t j = 0; j < columns.taps.size(); ++j) {
                const int64_t column = p - columns.back[j];
                if (column < 0 || column >= spec.out_w()) continue;
                taps.dy.push_back(dy + (row * spec.out_w() + column) * kBlock);
                taps.w.push_back(w + (rows.taps[i] * spec.s + columns.taps[j]) * kBlock);
            }
        }
        kernels_.tap_row({.dy = taps.dy.data(),
                          .w = taps.w.data(),
                          .taps = static_cast<int64_t>(taps.dy.size()),
                          .dx = dx + (p * spec.stride_w + columns.offset) * kBlock,
                          .dx_step = spec.stride_w * kBlock,
                          .pixels = end - p,
                          .accumulate = accumulate});
    }

    const GradientKernels& kernels_ = gradient_kernels();
    const std::vector<Phase> down_, across_;
    Buffer weights_;
};

}  // namespace

std::unique_ptr<InputGradient> make_input_gradient_depthwise(const ConvSpec& spec) {
    return std::make_unique<Depthwise>(spec);
}

}  // namespace darter
