#include <algorithm>

#include "runtime/thread_pool.hpp"
#include "training/kernels.hpp"
#include "training/steps.hpp"

namespace darter::training {
namespace {

// The part of a window that lies inside the image.
struct Window {
    int64_t row, column, rows, columns;
    float factor;  // of a mean
};

Window window_of(const PoolWindows& p, int64_t out_row, int64_t out_column) {
    const int64_t top = out_row * p.stride_h - p.pad_h, left = out_column * p.stride_w - p.pad_w;
    const int64_t bottom = std::min(top + p.kernel_h, p.h), right = std::min(left + p.kernel_w, p.w);
    Window window{std::max<int64_t>(top, 0), std::max<int64_t>(left, 0), 0, 0, 0};
    window.rows = bottom - window.row, window.columns = right - window.column;
    // As PyTorch counts: padding, but not what lies beyond it (where sizes are rounded up).
    const int64_t counted_h = std::min(top + p.kernel_h, p.h + p.pad_h) - top;
    const int64_t counted_w = std::min(left + p.kernel_w, p.w + p.pad_w) - left;
    window.factor = 1.0f / static_cast<float>(p.count_padding ? counted_h * counted_w
                                                              : window.rows * window.columns);
    return window;
}

class Pool final : public Step {
public:
    Pool(const PoolWindows& pool, Slot x, Slot y) : p_(pool), x_(x), y_(y) {}

    void images(const Context& c) const override {
        const float* x = c[x_];
        float* y = c[y_];
        parallel_for(c.count * blocks_of(p_.channels), [&](size_t plane) {
            const float* from = x + plane * p_.h * p_.w * kBlock;
            float* to = y + plane * p_.out_h * p_.out_w * kBlock;
            for (int64_t row = 0; row < p_.out_h; ++row)
                for (int64_t column = 0; column < p_.out_w; ++column, to += kBlock) {
                    const Window w = window_of(p_, row, column);
                    const PooledWindow seen{from + (w.row * p_.w + w.column) * kBlock, w.rows,
                                            w.columns, p_.w * kBlock, w.factor};
                    p_.mean ? kernels_.sum(seen, to) : kernels_.maximum(seen, to);
                }
        });
    }

private:
    const PoolWindows p_;
    const Slot x_, y_;
    const TrainingKernels& kernels_ = training_kernels();
};

class PoolGradient final : public Step {
public:
    PoolGradient(const PoolWindows& pool, Slot x, Slot y, Slot dy, Slot dx, bool accumulate)
        : p_(pool), x_(x), y_(y), dy_(dy), dx_(dx), accumulate_(accumulate) {}

    void images(const Context& c) const override {
        const float *x = c[x_], *y = c[y_], *dy = c[dy_];
        float* dx = c[dx_];
        const int64_t in = p_.h * p_.w * kBlock, out = p_.out_h * p_.out_w * kBlock;
        parallel_for(c.count * blocks_of(p_.channels), [&](size_t plane) {
            float* to = dx + plane * in;
            if (!accumulate_) std::fill_n(to, in, 0.0f);
            for (int64_t row = 0; row < p_.out_h; ++row)
                for (int64_t column = 0; column < p_.out_w; ++column) {
                    const int64_t at = plane * out + (row * p_.out_w + column) * kBlock;
                    const Window w = window_of(p_, row, column);
                    const int64_t first = (w.row * p_.w + w.column) * kBlock;
                    if (p_.mean) {
                        for (int64_t r = 0; r < w.rows; ++r)
                            kernels_.spread(dy + at, w.factor, to + first + r * p_.w * kBlock,
                                            w.columns, true);
                        continue;
                    }
                    kernels_.maximum_gradient({.x = x + plane * in + first,
                                               .y = y + at,
                                               .dy = dy + at,
                                               .dx = to + first,
                                               .rows = w.rows,
                                               .columns = w.columns,
                                               .row_step = p_.w * kBlock});
                }
        });
    }

private:
    const PoolWindows p_;
    const Slot x_, y_, dy_, dx_;
    const bool accumulate_;
    const TrainingKernels& kernels_ = training_kernels();
};

}  // namespace

StepPointer pool_step(const PoolWindows& pool, Slot x, Slot y) {
    return std::make_shared<Pool>(pool, x, y);
}

StepPointer pool_gradient_step(const PoolWindows& pool, Slot x, Slot y, Slot dy, Slot dx,
                               bool accumulate) {
    return std::make_shared<PoolGradient>(pool, x, y, dy, dx, accumulate);
}

}  // namespace darter::training
