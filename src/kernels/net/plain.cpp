// Steps on plain arrays of any rank: what blocked channels have no form for. Rare, so simple.
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

using Binary = float (*)(float, float);

Binary scalar_function(const std::string& name) {
    const std::pair<const char*, Binary> known[] = {
        {"add", [](float a, float b) { return a + b; }},
        {"sub", [](float a, float b) { return a - b; }},
        {"mul", [](float a, float b) { return a * b; }},
        {"div", [](float a, float b) { return a / b; }},
        {"min", [](float a, float b) { return b < a ? b : a; }},
        {"max", [](float a, float b) { return b > a ? b : a; }},
        {"pow", [](float a, float b) { return std::pow(a, b); }},
        {"less", [](float a, float b) { return a < b ? 1.0f : 0.0f; }},
        {"less_equal", [](float a, float b) { return a <= b ? 1.0f : 0.0f; }},
        {"equal", [](float a, float b) { return a == b ? 1.0f : 0.0f; }},
        {"prelu", [](float x, float slope) { return x < 0 ? x * slope : x; }}};
    for (const auto& [each, function] : known)
        if (name == each) return function;
    throw std::invalid_argument("no function " + name);
}

class Broadcast final : public Step {
public:
    Broadcast(const std::string& function, Numbers sizes, Numbers a_strides, Numbers b_strides,
              const Activation& activation)
        : function_(scalar_function(function)), sizes_(std::move(sizes)),
          a_(std::move(a_strides)), b_(std::move(b_strides)), activation_(activation),
          activate_(activation_kernel()) {}

    void run(const Reads& x, const Writes& y) const override {
        each_piece(product_of(sizes_), 8, [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i)
                y[0][i] = function_(x[0][offset_of(i, sizes_, a_)], x[1][offset_of(i, sizes_, b_)]);
            activate_(activation_, y[0] + first, last - first);
        });
    }

private:
    const Binary function_;
    const Numbers sizes_, a_, b_;
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
    return std::make_shared<Broadcast>(function, std::move(sizes), std::move(a_strides),
                                       std::move(b_strides), activation);
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
