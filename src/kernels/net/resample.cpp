// Resize and pad: rows and columns of the output are weighted sums of rows and columns of the input.
#include "net/steps.hpp"
#include "net/vector/kernels.hpp"

namespace darter {
namespace {

class Resample final : public Step {
public:
    Resample(const Blocked& x, const Blocked& y, Taps rows, Taps columns, float border)
        : x_(x), y_(y), rows_(std::move(rows)), columns_(std::move(columns)),
          kernel_(vector_kernels().weigh) {
        std::fill_n(border_, kBlock, border);
    }

    void run(const Reads& x, const Writes& y) const override {
        int64_t taps = rows_.count * columns_.count;
        each_piece(y_.planes() * y_.h, y_.w * kBlock * (taps + 1), [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i)
                run_row(x[0] + x_.at(i / y_.h), y[0] + y_.at(i / y_.h), i % y_.h);
        });
    }

private:
    void run_row(const float* x, float* y, int64_t row) const {
        std::vector<const float*> taps(rows_.count * columns_.count);
        std::vector<float> weights(taps.size());
        y += row * y_.w * kBlock;
        for (int64_t column = 0; column < y_.w; ++column, y += kBlock) {
            size_t tap = 0;
            for (int64_t i = row * rows_.count; i < (row + 1) * rows_.count; ++i)
                for (int64_t j = column * columns_.count; j < (column + 1) * columns_.count; ++j) {
                    bool outside = rows_.index[i] < 0 || columns_.index[j] < 0;
                    taps[tap] = outside ? border_
                                        : x + (rows_.index[i] * x_.w + columns_.index[j]) * kBlock;
                    weights[tap++] = rows_.weight[i] * columns_.weight[j];
                }
            kernel_(taps.data(), weights.data(), static_cast<int64_t>(tap), y);
        }
    }

    const Blocked x_, y_;
    const Taps rows_, columns_;
    alignas(64) float border_[kBlock];
    void (*const kernel_)(const float* const*, const float*, int64_t, float*);
};

}  // namespace

StepPointer resample_step(const Blocked& x, const Blocked& y, Taps rows, Taps columns,
                          float border) {
    return std::make_shared<Resample>(x, y, std::move(rows), std::move(columns), border);
}

}  // namespace darter
