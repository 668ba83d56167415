#include <cmath>

#include "net/steps.hpp"
#include "net/vector/kernels.hpp"

namespace darter {
namespace {

class LayerNorm final : public Step {
public:
    LayerNorm(const Blocked& x, const Blocked& y, float epsilon)
        : x_(x), y_(y), epsilon_(epsilon), kernel_(vector_kernels().layer_norm) {}

    void run(const Reads& x, const Writes& y) const override {
        int64_t pixels = x_.pixels();
        each_piece(x_.n * pixels, 4 * x_.channels, [&](int64_t first, int64_t last) {
            while (first < last) {  // the part of the piece that lies in one image
                int64_t image = first / pixels, pixel = first % pixels;
                int64_t count = std::min(last - first, pixels - pixel);
                kernel_(x[0] + image * x_.image() + pixel * kBlock, x_.plane(),
                        y[0] + image * y_.image() + pixel * kBlock, y_.plane(), x_.channels, count,
                        x[1], x[2], epsilon_);
                first += count;
            }
        });
    }

private:
    const Blocked x_, y_;
    const float epsilon_;
    void (*const kernel_)(const float*, int64_t, float*, int64_t, int64_t, int64_t, const float*,
                          const float*, float);
};

// Local response normalization: y = x / (bias + alpha / size * sum of squares of near channels)^beta
class Lrn final : public Step {
public:
    Lrn(const Blocked& x, const Blocked& y, int64_t size, float alpha, float beta, float bias)
        : x_(x), y_(y), before_((size - 1) / 2), after_(size / 2),
          factor_(alpha / static_cast<float>(size)), beta_(beta), bias_(bias) {}

    void run(const Reads& x, const Writes& y) const override {
        each_piece(x_.n * x_.pixels(), 40 * x_.channels, [&](int64_t first, int64_t last) {
            std::vector<float> squares(x_.channels + 1);
            for (int64_t i = first; i < last; ++i) {
                int64_t image = i / x_.pixels(), pixel = i % x_.pixels() * kBlock;
                run_pixel(x[0] + image * x_.image() + pixel, y[0] + image * y_.image() + pixel,
                          squares.data());
            }
        });
    }

private:
    int64_t at(const Blocked& x, int64_t channel) const {
        return channel / kBlock * x.plane() + channel % kBlock;
    }
    void run_pixel(const float* x, float* y, float* squares) const {
        for (int64_t c = 0; c < x_.channels; ++c) squares[c] = x[at(x_, c)] * x[at(x_, c)];
        for (int64_t c = 0; c < x_.channels; ++c) {
            int64_t first = std::max<int64_t>(0, c - before_);
            int64_t last = std::min(x_.channels - 1, c + after_);
            float sum = 0;
            for (int64_t i = first; i <= last; ++i) sum += squares[i];
            y[at(y_, c)] = x[at(x_, c)] / std::pow(bias_ + factor_ * sum, beta_);
        }
        for (int64_t c = x_.channels; c < x_.blocks() * kBlock; ++c) y[at(y_, c)] = 0;
    }

    const Blocked x_, y_;
    const int64_t before_, after_;
    const float factor_, beta_, bias_;
};

class Softmax final : public Step {
public:
    Softmax(int64_t outer, int64_t axis, int64_t inner, bool log)
        : outer_(outer), axis_(axis), inner_(inner), log_(log) {}

    void run(const Reads& x, const Writes& y) const override {
        each_piece(outer_ * inner_, 20 * axis_, [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) {
                int64_t at = i / inner_ * axis_ * inner_ + i % inner_;
                run_line(x[0] + at, y[0] + at);
            }
        });
    }

private:
    void run_line(const float* x, float* y) const {
        float most = x[0];
        for (int64_t i = 1; i < axis_; ++i) most = std::max(most, x[i * inner_]);
        double sum = 0;
        for (int64_t i = 0; i < axis_; ++i) {
            float value = std::exp(x[i * inner_] - most);
            sum += value;
            if (!log_) y[i * inner_] = value;
        }
        const float factor = static_cast<float>(1 / sum), shift = static_cast<float>(std::log(sum));
        for (int64_t i = 0; i < axis_; ++i)
            y[i * inner_] = log_ ? x[i * inner_] - most - shift : y[i * inner_] * factor;
    }

    const int64_t outer_, axis_, inner_;
    const bool log_;
};

}  // namespace

StepPointer layer_norm_step(const Blocked& x, const Blocked& y, float epsilon) {
    return std::make_shared<LayerNorm>(x, y, epsilon);
}
StepPointer lrn_step(const Blocked& x, const Blocked& y, int64_t size, float alpha, float beta,
                     float bias) {
    return std::make_shared<Lrn>(x, y, size, alpha, beta, bias);
}
StepPointer softmax_step(int64_t outer, int64_t axis, int64_t inner, bool log) {
    return std::make_shared<Softmax>(outer, axis, inner, log);
}

}  // namespace darter
