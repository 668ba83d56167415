// The textbook way: unfold the patches of an image into a (C R S) x (H' W') matrix and multiply it
// by the filters. Simple, exact to rounding, and R S times the memory of the input.
#include <algorithm>
#include <cstring>

#include "conv/convolution.hpp"
#include "gemm/gemm.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {
namespace {

class Im2col final : public Convolution {
public:
    Im2col(const ConvSpec& spec, const Filters& filters)
        : Convolution(spec, filters), weights_(spec.k * depth()) {
        std::copy_n(filters.w, weights_.size(), weights_.data());
    }

    bool plain_input() const override { return true; }
    bool plain_output() const override { return true; }
    size_t weight_bytes() const override { return weights_.size() * sizeof(float); }

    std::unique_ptr<Convolution> placed(int64_t n, int64_t x_blocks,
                                        int64_t y_blocks) const override {
        return std::unique_ptr<Convolution>(new Im2col(*this, n, x_blocks, y_blocks));
    }

    void run(const float* x, float* y, const float* residual) const override {
        int64_t pixels = spec.out_h() * spec.out_w(), filters = spec.k / spec.groups;
        float* unfolded = scratch(Scratch::caller_b, depth() * pixels);
        if (residual && residual != y)  // products are added to it: it may be y itself
            parallel_for(spec.n * spec.k, [&](size_t plane) {
                std::copy_n(residual + plane * pixels, pixels, y + plane * pixels);
            });
        for (int64_t image = 0; image < spec.n; ++image)
            for (int64_t group = 0; group < spec.groups; ++group) {
                int64_t first = image * spec.groups + group;
                unfold(x + first * spec.c / spec.groups * spec.h * spec.w, unfolded);
                float* out = y + first * filters * pixels;
                gemm(filters, pixels, depth(),
                     Operand(weights_.data() + group * filters * depth(), depth(), 1),
                     Operand(unfolded, pixels, 1), Target(out, pixels, 1), !residual);
            }
        parallel_for(spec.n * spec.k, [&](size_t plane) {
            const float bias = bias_.data()[plane % spec.k];
            for (int64_t i = plane * pixels; i < static_cast<int64_t>(plane + 1) * pixels; ++i) {
                float value = y[i] + bias;
                value = value < low_ ? low_ : value;  // NaN stays NaN
                y[i] = value > high_ ? high_ : value;
            }
            activate(y + plane * pixels, pixels);
        });
    }

private:
    // Both arrays are plain, so they are never slices of channel blocks.
    Im2col(const Im2col& other, int64_t n, int64_t x_blocks, int64_t y_blocks)
        : Convolution(other, n, x_blocks, y_blocks), weights_(other.weights_) {}

    int64_t depth() const { return spec.c / spec.groups * spec.r * spec.s; }

    // One row per (channel, filter row, filter column), one column per output pixel.
    void unfold(const float* x, float* unfolded) const {
        int64_t out_h = spec.out_h(), out_w = spec.out_w(), taps = spec.r * spec.s;
        parallel_for(depth(), [&](size_t index) {
            const float* plane = x + index / taps * spec.h * spec.w;
            int64_t r = index % taps / spec.s, s = index % spec.s;
            float* to = unfolded + index * out_h * out_w;
            for (int64_t i = 0; i < out_h; ++i, to += out_w) {
                int64_t row = i * spec.stride_h - spec.pad_top + r * spec.dilation_h;
                int64_t left = s * spec.dilation_w - spec.pad_left;
                if (row < 0 || row >= spec.h) {
                    std::fill_n(to, out_w, 0.0f);
                    continue;
                }
                const float* from = plane + row * spec.w;
                for (int64_t j = 0; j < out_w; ++j) {
                    int64_t column = left + j * spec.stride_w;
                    to[j] = column >= 0 && column < spec.w ? from[column] : 0.0f;
                }
            }
        });
    }

    Buffer weights_;
};

}  // namespace

std::unique_ptr<Convolution> make_im2col(const ConvSpec& spec, const Filters& filters) {
    return std::make_unique<Im2col>(spec, filters);
}

}  // namespace darter
