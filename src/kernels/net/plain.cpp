// Steps on plain arrays of any rank: what blocked channels have no form for. Rare, so simple.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <stdexcept>

#include "net/steps.hpp"
#include "gemm/gemm.hpp"

namespace darter {
namespace {

using Numbers = std::vector<int64_t>;

int64_t product_of(const Numbers& sizes) {
    int64_t product = 1;
    for (int64_t size : sizes) product *= size;
    return product;
}

// The offset of element `index` (row by row) of an array with these sizes and strides.
int64_t offset_of(int64_t index, const Numbers& sizes, const Numbers& strides) {
    int64_t offset = 0;
    for (size_t axis = sizes.size(); axis-- > 0; index /= sizes[axis])
        offset += index % sizes[axis] * strides[axis];
    return offset;
}

class Move final : public Step {
public:
    explicit Move(std::vector<Part> parts) : parts_(std::move(parts)) {}

    void run(const Reads& x, const Writes& y) const override {
        for (const Part& part : parts_) {
            // The last axis is a line; the others count lines.
            int64_t line = part.sizes.back(), from_step = part.x_strides.back();
            int64_t to_step = part.y_strides.back();
            Numbers outer(part.sizes.begin(), part.sizes.end() - 1);
            each_piece(product_of(outer), 2 * line, [&](int64_t first, int64_t last) {
                for (int64_t i = first; i < last; ++i) {
                    const float* from = x[part.x] + part.x_offset + offset_of(i, outer, part.x_strides);
                    float* to = y[part.y] + part.y_offset + offset_of(i, outer, part.y_strides);
                    for (int64_t j = 0; j < line; ++j) to[j * to_step] = from[j * from_step];
                }
            });
        }
    }

private:
    const std::vector<Part> parts_;
};

// y[j] = f(a[j * a_step], b[j * b_step]) for j < count.
using Line = void (*)(const float* a, int64_t a_step, const float* b, int64_t b_step, float* y,
                      int64_t count);

// With steps that the compiler knows, so that it takes several values at once.
template <typename Function>
void on_line(const float* a, int64_t a_step, const float* b, int64_t b_step, float* __restrict y,
             int64_t count) {
    const Function f{};
    if (a_step == 1 && b_step == 1) {
        for (int64_t j = 0; j < count; ++j) y[j] = f(a[j], b[j]);
    } else if (a_step == 0 && b_step == 1) {
        for (int64_t j = 0; j < count; ++j) y[j] = f(*a, b[j]);
    } else if (a_step == 1 && b_step == 0) {
        for (int64_t j = 0; j < count; ++j) y[j] = f(a[j], *b);
    } else {
        for (int64_t j = 0; j < count; ++j) y[j] = f(a[j * a_step], b[j * b_step]);
    }
}

template <typename Function>
Line line_of(Function) {
    return &on_line<Function>;
}

Line line_function(const std::string& name) {
    const std::pair<const char*, Line> known[] = {
        {"add", line_of([](float a, float b) { return a + b; })},
        {"sub", line_of([](float a, float b) { return a - b; })},
        {"mul", line_of([](float a, float b) { return a * b; })},
        {"div", line_of([](float a, float b) { return a / b; })},
        {"min", line_of([](float a, float b) { return b < a ? b : a; })},
        {"max", line_of([](float a, float b) { return b > a ? b : a; })},
        {"pow", line_of([](float a, float b) { return std::pow(a, b); })},
        {"less", line_of([](float a, float b) { return a < b ? 1.0f : 0.0f; })},
        {"less_equal", line_of([](float a, float b) { return a <= b ? 1.0f : 0.0f; })},
        {"equal", line_of([](float a, float b) { return a == b ? 1.0f : 0.0f; })},
        {"prelu", line_of([](float x, float slope) { return x < 0 ? x * slope : x; })}};
    for (const auto& [each, function] : known)
        if (name == each) return function;
    throw std::invalid_argument("no function " + name);
}

class Broadcast final : public Step {
public:
    Broadcast(const std::string& function, const Numbers& sizes, const Numbers& a_strides,
              const Numbers& b_strides, const Activation& activation)
        : function_(line_function(function)), activation_(activation),
          activate_(activation_kernel()) {
        for (size_t axis = 0; axis < sizes.size(); ++axis)
            if (sizes[axis] != 1) append(sizes[axis], a_strides[axis], b_strides[axis]);
        line_ = sizes_.back();
        a_step_ = a_.back();
        b_step_ = b_.back();
        for (Numbers* each : {&sizes_, &a_, &b_}) each->pop_back();  // what is left counts lines
    }

    void run(const Reads& x, const Writes& y) const override {
        each_piece(product_of(sizes_) * line_, 8, [&](int64_t first, int64_t last) {
            for (int64_t i = first, count; i < last; i += count) {
                int64_t row = i / line_, column = i % line_;
                count = std::min(line_ - column, last - i);
                function_(x[0] + offset_of(row, sizes_, a_) + column * a_step_, a_step_,
                          x[1] + offset_of(row, sizes_, b_) + column * b_step_, b_step_, y[0] + i,
                          count);
            }
            activate_(activation_, y[0] + first, last - first);
        });
    }

private:
    // One more axis inside the others; one axis with the last where both operands go on evenly.
    void append(int64_t size, int64_t a, int64_t b) {
        if (!sizes_.empty() && a_.back() == a * size && b_.back() == b * size) {
            sizes_.back() *= size;
            a_.back() = a;
            b_.back() = b;
        } else {
            sizes_.push_back(size);
            a_.push_back(a);
            b_.push_back(b);
        }
    }

    const Line function_;
    Numbers sizes_{1}, a_{0}, b_{0};  // of the lines
    int64_t line_ = 1, a_step_ = 0, b_step_ = 0;
    const Activation activation_;
    const ActivationKernel activate_;
};

double begin_of(const std::string& name) {
    if (name == "max") return -std::numeric_limits<double>::infinity();
    if (name == "min") return std::numeric_limits<double>::infinity();
    return name == "prod" ? 1 : 0;
}

using Fold = double (*)(double, double);

Fold fold_of(const std::string& name) {
    if (name == "max") return [](double all, double x) { return std::max(all, x); };
    if (name == "min") return [](double all, double x) { return std::min(all, x); };
    if (name == "prod") return [](double all, double x) { return all * x; };
    if (name == "l1") return [](double all, double x) { return all + std::abs(x); };
    if (name == "l2" || name == "sum_square") return [](double all, double x) { return all + x * x; };
    if (name == "log_sum_exp") return [](double all, double x) { return all + std::exp(x); };
    if (name == "mean" || name == "sum" || name == "log_sum")
        return [](double all, double x) { return all + x; };
    throw std::invalid_argument("no function " + name);
}

class Reduce final : public Step {
public:
    Reduce(const std::string& function, Numbers kept_sizes, Numbers kept_strides, Numbers sizes,
           Numbers strides)
        : function_(function), begin_(begin_of(function)), fold_(fold_of(function)),
          kept_sizes_(std::move(kept_sizes)), kept_strides_(std::move(kept_strides)),
          sizes_(std::move(sizes)), strides_(std::move(strides)) {}

    void run(const Reads& x, const Writes& y) const override {
        int64_t count = product_of(sizes_);
        each_piece(product_of(kept_sizes_), 8 * count, [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) {
                const float* from = x[0] + offset_of(i, kept_sizes_, kept_strides_);
                double value = begin_;
                for (int64_t j = 0; j < count; ++j)
                    value = fold_(value, from[offset_of(j, sizes_, strides_)]);
                y[0][i] = static_cast<float>(finish(value, count));
            }
        });
    }

private:
    double finish(double value, int64_t count) const {
        if (function_ == "mean") return value / static_cast<double>(count);
        if (function_ == "l2") return std::sqrt(value);
        return function_ == "log_sum" || function_ == "log_sum_exp" ? std::log(value) : value;
    }

    const std::string function_;
    const double begin_;
    const Fold fold_;
    const Numbers kept_sizes_, kept_strides_, sizes_, strides_;
};

class MatMul final : public Step {
public:
    MatMul(Numbers a_offsets, Numbers b_offsets, int64_t m, int64_t n, int64_t k)
        : a_(std::move(a_offsets)), b_(std::move(b_offsets)), m_(m), n_(n), k_(k) {}

    void run(const Reads& x, const Writes& y) const override {
        for (size_t i = 0; i < a_.size(); ++i)
            gemm(m_, n_, k_, Operand(x[0] + a_[i], k_, 1), Operand(x[1] + b_[i], n_, 1),
                 Target(y[0] + static_cast<int64_t>(i) * m_ * n_, n_, 1), true);
    }

private:
    const Numbers a_, b_;
    const int64_t m_, n_, k_;
};

}  // namespace

StepPointer move_step(std::vector<Part> parts) { return std::make_shared<Move>(std::move(parts)); }
StepPointer broadcast_step(const std::string& function, Numbers sizes, Numbers a_strides,
                           Numbers b_strides, const Activation& activation) {
    return std::make_shared<Broadcast>(function, sizes, a_strides, b_strides, activation);
}
StepPointer reduce_step(const std::string& function, Numbers kept_sizes, Numbers kept_strides,
                        Numbers sizes, Numbers strides) {
    return std::make_shared<Reduce>(function, std::move(kept_sizes), std::move(kept_strides),
                                    std::move(sizes), std::move(strides));
}
StepPointer matmul_step(Numbers a_offsets, Numbers b_offsets, int64_t m, int64_t n, int64_t k) {
    return std::make_shared<MatMul>(std::move(a_offsets), std::move(b_offsets), m, n, k);
}

}  // namespace darter
