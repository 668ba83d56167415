#include "net/steps.hpp"
#include "net/vector/kernels.hpp"

namespace darter {
namespace {

// The part of a window that lies inside [0, size).
struct Inside {
    int64_t first, count;  // index of the first pixel, and how many
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
        : x_(x), y_(y), shape_(shape), kernels_(kernels_for(x.element)),
          size_(bytes_of(x.element, 1)) {}

    void run(const Reads& x, const Writes& y) const override {
        int64_t taps = shape_.kernel_h * shape_.kernel_w;
        each_piece(y_.planes() * y_.h, y_.w * kBlock * taps, [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) {
                const int64_t row = i % y_.h, to = y_.at(i / y_.h) + row * y_.w * kBlock;
                const std::byte* from = x.as<std::byte>(0) + x_.at(i / y_.h) * size_;
                if (y_.element == Element::float32) {
                    run_row(from, y[0] + to, row);
                    continue;
                }
                float* line = scratch(Scratch::worker_a, y_.w * kBlock);
                run_row(from, line, row);
                rounding_->round(line, y.as<uint16_t>(0) + to, y_.w * kBlock);
            }
        });
    }

private:
    static const PoolKernels& kernels_for(Element element) {
        return element == Element::float32 ? vector_kernels().pool : *pool_kernels_of_bfloat16();
    }

    // x: the plane; y: the row.
    void run_row(const std::byte* x, float* y, int64_t row) const {
        int64_t top = row * shape_.stride_h - shape_.pad_top;
        Inside rows = clip_window(top, shape_.kernel_h, shape_.dilation_h, x_.h);
        int64_t padded_rows = counted(top, shape_.kernel_h, shape_.dilation_h,
                                      x_.h + shape_.pad_bottom);
        for (int64_t column = 0; column < y_.w; ++column, y += kBlock) {
            int64_t left = column * shape_.stride_w - shape_.pad_left;
            Inside columns = clip_window(left, shape_.kernel_w, shape_.dilation_w, x_.w);
            PoolWindow window{x + (rows.first * x_.w + columns.first) * kBlock * size_, rows.count,
                              columns.count, shape_.dilation_h * x_.w * kBlock,
                              shape_.dilation_w * kBlock};
            if (!shape_.mean) {
                kernels_.maximum(window, y);
                continue;
            }
            int64_t count = rows.count * columns.count;
            if (shape_.count_padding)
                count = padded_rows * counted(left, shape_.kernel_w, shape_.dilation_w,
                                              x_.w + shape_.pad_right);
            kernels_.sum(window, 1.0f / static_cast<float>(std::max<int64_t>(count, 1)), y);
        }
    }

    // Pixels of a window that lie before `end`: with ceil, the last one may stick out.
    static int64_t counted(int64_t begin, int64_t kernel, int64_t dilation, int64_t end) {
        return std::min(kernel, (end - 1 - begin) / dilation + 1);
    }

    const Blocked x_, y_;
    const PoolShape shape_;
    const PoolKernels& kernels_;
    const int64_t size_;  // bytes of a number of x
    const Bfloat16Arrays* const rounding_ = bfloat16_arrays(active_isa());
};

}  // namespace

StepPointer pool_step(const Blocked& x, const Blocked& y, const PoolShape& shape) {
    return std::make_shared<Pool>(x, y, shape);
}

}  // namespace darter
