// Products of rows, one per image; and between plain and blocked arrays.
#include <algorithm>

#include "gemm/gemm.hpp"
#include "runtime/thread_pool.hpp"
#include "training/steps.hpp"

namespace darter::training {
namespace {

class Layout final : public Step {
public:
    Layout(const Planes& planes, Slot from, Slot to, bool blocks, bool accumulate)
        : planes_(planes), from_(from), to_(to), blocks_(blocks), accumulate_(accumulate) {}

    void images(const Context& c) const override {
        const float* from = c[from_];
        float* to = c[to_];
        if (!accumulate_) return change(from, to, c.count);
        const int64_t count = c.count * planes_.pixels *
                              (blocks_ ? planes_.blocks() * kBlock : planes_.channels);
        float* other = scratch(Scratch::caller_b, count);
        change(from, other, c.count);
        for (int64_t i = 0; i < count; ++i) to[i] += other[i];
    }

private:
    void change(const float* from, float* to, int64_t images) const {
        blocks_ ? to_blocked(from, to, images, planes_.channels, planes_.pixels)
                : from_blocked(from, to, images, planes_.channels, planes_.pixels);
    }

    const Planes planes_;
    const Slot from_, to_;
    const bool blocks_, accumulate_;
};

struct Sizes {
    int64_t inputs, outputs;
};

class Linear final : public Step {
public:
    Linear(Sizes sizes, Slot x, Slot w, Slot bias, Slot y)
        : s_(sizes), x_(x), w_(w), bias_(bias), y_(y) {}

    void images(const Context& c) const override {
        const float* bias = c[bias_];
        if (c.count < s_.outputs) return few_images(c[x_], c[w_], bias, c[y_], c.count);
        float* y = c[y_];
        gemm(c.count, s_.outputs, s_.inputs, Operand(c[x_], s_.inputs, 1),
             Operand(c[w_], 1, s_.inputs), Target(y, s_.outputs, 1), true);
        if (!bias) return;
        for (int64_t image = 0; image < c.count; ++image)
            for (int64_t k = 0; k < s_.outputs; ++k) y[image * s_.outputs + k] += bias[k];
    }

private:
    // Of a product, gemm packs the second operand as a whole, and the first in parts that stay in L2:
    // w is the larger one.
    void few_images(const float* x, const float* w, const float* bias, float* y,
                    int64_t images) const {
        float* turned = scratch(Scratch::layout_out, s_.outputs * images);
        gemm(s_.outputs, images, s_.inputs, Operand(w, s_.inputs, 1), Operand(x, 1, s_.inputs),
             Target(turned, images, 1), true);
        for (int64_t image = 0; image < images; ++image)
            for (int64_t k = 0; k < s_.outputs; ++k)
                y[image * s_.outputs + k] = turned[k * images + image] + (bias ? bias[k] : 0.0f);
    }

    const Sizes s_;
    const Slot x_, w_, bias_, y_;
};

class LinearInput final : public Step {
public:
    LinearInput(Sizes sizes, Slot dy, Slot w, Slot dx, bool accumulate)
        : s_(sizes), dy_(dy), w_(w), dx_(dx), accumulate_(accumulate) {}

    void images(const Context& c) const override {
        if (c.count < s_.inputs) return few_images(c[dy_], c[w_], c[dx_], c.count);
        gemm(c.count, s_.inputs, s_.outputs, Operand(c[dy_], s_.outputs, 1),
             Operand(c[w_], s_.inputs, 1), Target(c[dx_], s_.inputs, 1), !accumulate_);
    }

private:
    // As of the layer itself: w is the larger operand, and packed in parts.
    void few_images(const float* dy, const float* w, float* dx, int64_t images) const {
        float* turned = scratch(Scratch::layout_out, s_.inputs * images);
        gemm(s_.inputs, images, s_.outputs, Operand(w, 1, s_.inputs), Operand(dy, 1, s_.outputs),
             Target(turned, images, 1), true);
        for (int64_t image = 0; image < images; ++image)
            for (int64_t i = 0; i < s_.inputs; ++i) {
                const float value = turned[i * images + image];
                float& to = dx[image * s_.inputs + i];
                to = accumulate_ ? to + value : value;
            }
    }

    const Sizes s_;
    const Slot dy_, w_, dx_;
    const bool accumulate_;
};

class LinearFilter final : public Step {
public:
    LinearFilter(Sizes sizes, Slot x, Slot dy, Slot dw, Slot dbias)
        : s_(sizes), x_(x), dy_(dy), dw_(dw), dbias_(dbias) {}

    void images(const Context& c) const override {
        const float* dy = c[dy_];
        if (float* dw = c[dw_])
            gemm(s_.outputs, s_.inputs, c.count, Operand(dy, 1, s_.outputs),
                 Operand(c[x_], s_.inputs, 1), Target(dw, s_.inputs, 1), true);
        float* dbias = c[dbias_];
        if (!dbias) return;
        for (int64_t k = 0; k < s_.outputs; ++k) {
            double sum = 0;
            for (int64_t image = 0; image < c.count; ++image) sum += dy[image * s_.outputs + k];
            dbias[k] = static_cast<float>(sum);
        }
    }

private:
    const Sizes s_;
    const Slot x_, dy_, dw_, dbias_;
};

}  // namespace

StepPointer to_blocked_step(const Planes& planes, Slot plain, Slot blocked, bool accumulate) {
    return std::make_shared<Layout>(planes, plain, blocked, true, accumulate);
}

StepPointer from_blocked_step(const Planes& planes, Slot blocked, Slot plain, bool accumulate) {
    return std::make_shared<Layout>(planes, blocked, plain, false, accumulate);
}

StepPointer linear_step(int64_t inputs, int64_t outputs, Slot x, Slot w, Slot bias, Slot y) {
    return std::make_shared<Linear>(Sizes{inputs, outputs}, x, w, bias, y);
}

StepPointer linear_input_gradient_step(int64_t inputs, int64_t outputs, Slot dy, Slot w, Slot dx,
                                       bool accumulate) {
    return std::make_shared<LinearInput>(Sizes{inputs, outputs}, dy, w, dx, accumulate);
}

StepPointer linear_filter_gradient_step(int64_t inputs, int64_t outputs, Slot x, Slot dy, Slot dw,
                                        Slot dbias) {
    return std::make_shared<LinearFilter>(Sizes{inputs, outputs}, x, dy, dw, dbias);
}

}  // namespace darter::training
