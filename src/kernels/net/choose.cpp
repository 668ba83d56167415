// Steps on plain arrays that choose: one of two values, or the place of the largest.
#include "net/steps.hpp"

namespace darter {
namespace {

using Numbers = std::vector<int64_t>;

class Select final : public Step {
public:
    Select(Numbers sizes, Numbers c_strides, Numbers a_strides, Numbers b_strides)
        : sizes_(std::move(sizes)),
          strides_{std::move(c_strides), std::move(a_strides), std::move(b_strides)} {}

    void run(const Reads& x, const Writes& y) const override {
        int64_t count = 1;
        for (int64_t size : sizes_) count *= size;
        each_piece(count, 12, [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) {
                int64_t at[3] = {0, 0, 0}, index = i;
                for (size_t axis = sizes_.size(); axis-- > 0; index /= sizes_[axis])
                    for (int k = 0; k < 3; ++k) at[k] += index % sizes_[axis] * strides_[k][axis];
                y[0][i] = x[0][at[0]] != 0 ? x[1][at[1]] : x[2][at[2]];
            }
        });
    }

private:
    const Numbers sizes_, strides_[3];
};

class Arg final : public Step {
public:
    Arg(int64_t outer, int64_t axis, int64_t inner, bool least, bool last)
        : outer_(outer), axis_(axis), inner_(inner), least_(least), last_(last) {}

    void run(const Reads& x, const Writes& y) const override {
        each_piece(outer_ * inner_, axis_, [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i)
                y[0][i] = place(x[0] + i / inner_ * axis_ * inner_ + i % inner_);
        });
    }

private:
    float place(const float* x) const {
        int64_t best = 0;
        for (int64_t i = 1; i < axis_; ++i) {
            const float value = x[i * inner_], other = x[best * inner_];
            if (least_ ? value < other : value > other) best = i;
            else if (last_ && value == other) best = i;
        }
        return static_cast<float>(best);
    }

    const int64_t outer_, axis_, inner_;
    const bool least_, last_;
};

}  // namespace

StepPointer select_step(Numbers sizes, Numbers c_strides, Numbers a_strides, Numbers b_strides) {
    return std::make_shared<Select>(std::move(sizes), std::move(c_strides), std::move(a_strides),
                                    std::move(b_strides));
}
StepPointer arg_step(int64_t outer, int64_t axis, int64_t inner, bool least, bool last) {
    return std::make_shared<Arg>(outer, axis, inner, least, last);
}

}  // namespace darter
