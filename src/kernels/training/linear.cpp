// Products of rows, one per image; and between plain and blocked arrays.
#include <algorithm>

#include "gemm/gemm.hpp"
#include "runtime/thread_pool.hpp"
#include "training/kernels.hpp"
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

// With so few images, packing w for gemm would take longer than all its products: w is used as it
// lies, and read once.
constexpr int64_t kFewImages = 64;
constexpr int64_t kLanes = 16;    // images side by side, at least
constexpr int64_t kDepth = 512;   // that is summed at a time: eight rows of w in L1
constexpr int64_t kStrip = 768, kStripRows = 64;  // of w: 192 KiB of L2

int rows_at(int64_t first, int64_t all) {
    return static_cast<int>(std::min<int64_t>(kRowsAtOnce, all - first));
}

class Linear final : public Step {
public:
    Linear(Sizes sizes, Slot x, Slot w, Slot bias, Slot y)
        : s_(sizes), x_(x), w_(w), bias_(bias), y_(y) {}

    void images(const Context& c) const override {
        const float* bias = c[bias_];
        if (c.count <= kFewImages) return few_images(c[x_], c[w_], bias, c[y_], c.count);
        float* y = c[y_];
        gemm(c.count, s_.outputs, s_.inputs, Operand(c[x_], s_.inputs, 1),
             Operand(c[w_], 1, s_.inputs), Target(y, s_.outputs, 1), true);
        if (!bias) return;
        for (int64_t image = 0; image < c.count; ++image)
            for (int64_t k = 0; k < s_.outputs; ++k) y[image * s_.outputs + k] += bias[k];
    }

private:
    // y turned = w times x turned: images lie side by side.
    void few_images(const float* x, const float* w, const float* bias, float* y,
                    int64_t images) const {
        const int64_t across = ceil_div(images, kLanes) * kLanes;
        float* seen = scratch(Scratch::caller_a, s_.inputs * across);
        parallel_for(ceil_div(s_.inputs, kDepth), [&](size_t part) {
            const int64_t first = part * kDepth, last = std::min(s_.inputs, first + kDepth);
            for (int64_t i = first; i < last; ++i) {
                float* to = seen + i * across;
                for (int64_t image = 0; image < images; ++image) to[image] = x[image * s_.inputs + i];
                std::fill(to + images, to + across, 0.0f);
            }
        });
        float* turned = scratch(Scratch::layout_out, s_.outputs * across);
        parallel_for(ceil_div(s_.outputs, kRowsAtOnce), [&](size_t part) {
            const int64_t k = part * kRowsAtOnce;
            for (int64_t i = 0; i < s_.inputs; i += kDepth)
                kernels_.row_product({.a = w + k * s_.inputs + i,
                                      .a_row = s_.inputs,
                                      .a_depth = 1,
                                      .b = seen + i * across,
                                      .b_depth = across,
                                      .depth = std::min(kDepth, s_.inputs - i),
                                      .columns = across,
                                      .rows = rows_at(k, s_.outputs),
                                      .out = turned + k * across,
                                      .out_row = across,
                                      .accumulate = i > 0});
        });
        for (int64_t image = 0; image < images; ++image)
            for (int64_t k = 0; k < s_.outputs; ++k)
                y[image * s_.outputs + k] = turned[k * across + image] + (bias ? bias[k] : 0.0f);
    }

    const Sizes s_;
    const Slot x_, w_, bias_, y_;
    const TrainingKernels& kernels_ = training_kernels();
};

class LinearInput final : public Step {
public:
    LinearInput(Sizes sizes, Slot dy, Slot w, Slot dx, bool accumulate)
        : s_(sizes), dy_(dy), w_(w), dx_(dx), accumulate_(accumulate) {}

    void images(const Context& c) const override {
        if (c.count <= kFewImages) return few_images(c[dy_], c[w_], c[dx_], c.count);
        gemm(c.count, s_.inputs, s_.outputs, Operand(c[dy_], s_.outputs, 1),
             Operand(c[w_], s_.inputs, 1), Target(c[dx_], s_.inputs, 1), !accumulate_);
    }

private:
    // Strips of columns of w, some rows at a time, that all images use from L2.
    void few_images(const float* dy, const float* w, float* dx, int64_t images) const {
        parallel_for(ceil_div(s_.inputs, kStrip), [&](size_t strip) {
            const int64_t first = strip * kStrip, columns = std::min(kStrip, s_.inputs - first);
            for (int64_t k = 0; k < s_.outputs; k += kStripRows) {
                const int64_t rows = std::min(kStripRows, s_.outputs - k);
                const int64_t ahead = std::min(kStripRows, s_.outputs - k - rows);
                const float* from = w + k * s_.inputs + first;
                for (int64_t image = 0; image < images; image += kRowsAtOnce) {
                    fetch(from + rows * s_.inputs, columns, image * ahead / images,
                          std::min(image + kRowsAtOnce, images) * ahead / images);
                    kernels_.row_product({.a = dy + image * s_.outputs + k,
                                          .a_row = s_.outputs,
                                          .a_depth = 1,
                                          .b = from,
                                          .b_depth = s_.inputs,
                                          .depth = rows,
                                          .columns = columns,
                                          .rows = rows_at(image, images),
                                          .out = dx + image * s_.inputs + first,
                                          .out_row = s_.inputs,
                                          .accumulate = accumulate_ || k > 0});
                }
            }
        });
    }

    // The next rows of the strip, which lie too far apart for the CPU to see them coming.
    void fetch(const float* w, int64_t columns, int64_t first, int64_t last) const {
        for (int64_t row = first; row < last; ++row)
            for (int64_t i = 0; i < columns; i += kBlock)
                __builtin_prefetch(w + row * s_.inputs + i, 0, 2);
    }

    const Sizes s_;
    const Slot dy_, w_, dx_;
    const bool accumulate_;
    const TrainingKernels& kernels_ = training_kernels();
};

class LinearFilter final : public Step {
public:
    LinearFilter(Sizes sizes, Slot x, Slot dy, Slot dw, Slot dbias)
        : s_(sizes), x_(x), dy_(dy), dw_(dw), dbias_(dbias) {}

    void images(const Context& c) const override {
        const float* dy = c[dy_];
        if (float* dw = c[dw_]) filters(c[x_], dy, dw, c.count);
        float* dbias = c[dbias_];
        if (!dbias) return;
        for (int64_t k = 0; k < s_.outputs; ++k) {
            double sum = 0;
            for (int64_t image = 0; image < c.count; ++image) sum += dy[image * s_.outputs + k];
            dbias[k] = static_cast<float>(sum);
        }
    }

private:
    void filters(const float* x, const float* dy, float* dw, int64_t images) const {
        if (images > kFewImages)
            return gemm(s_.outputs, s_.inputs, images, Operand(dy, 1, s_.outputs),
                        Operand(x, s_.inputs, 1), Target(dw, s_.inputs, 1), true);
        parallel_for(ceil_div(s_.outputs, kRowsAtOnce), [&](size_t part) {
            const int64_t k = part * kRowsAtOnce;
            kernels_.row_product({.a = dy + k,
                                  .a_row = 1,
                                  .a_depth = s_.outputs,
                                  .b = x,
                                  .b_depth = s_.inputs,
                                  .depth = images,
                                  .columns = s_.inputs,
                                  .rows = rows_at(k, s_.outputs),
                                  .out = dw + k * s_.inputs,
                                  .out_row = s_.inputs,
                                  .accumulate = false});
        });
    }

    const Sizes s_;
    const Slot x_, dy_, dw_, dbias_;
    const TrainingKernels& kernels_ = training_kernels();
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
