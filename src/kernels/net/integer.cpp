// Tensors of 8-bit integers, and products of them. All of them are whole: no slices of others.
#include "integer/integer.hpp"

#include <algorithm>

#include "net/steps.hpp"

namespace darter {
namespace {

constexpr int64_t kRow = 256;  // numbers, of which every blocked array is made but for its end

// Calls body(first, count) for parts of so many numbers.
template <class Body>
void each_part(int64_t numbers, const Body& body) {
    each_piece(ceil_div(numbers, kRow), kRow, [&](int64_t first, int64_t last) {
        body(first * kRow, std::min(last * kRow, numbers) - first * kRow);
    });
}

class Quantize final : public Step {
public:
    Quantize(const Blocked& x, const IntegerRounding& to)
        : kernels_(integer_kernels()), numbers_(x.n * x.image()), to_(to) {}
    void run(const Reads& x, const Writes& y) const override {
        each_part(numbers_, [&](int64_t first, int64_t count) {
            kernels_.quantize(x[0] + first, y.as<uint8_t>(0) + first, count, to_.step, to_.low,
                              to_.high, to_.zero);
        });
    }

private:
    const IntegerKernels& kernels_;
    const int64_t numbers_;
    const IntegerRounding to_;
};

class Dequantize final : public Step {
public:
    Dequantize(const Blocked& x, float scale, float zero)
        : kernels_(integer_kernels()), numbers_(x.n * x.image()), scale_(scale), zero_(zero) {}
    void run(const Reads& x, const Writes& y) const override {
        each_part(numbers_, [&](int64_t first, int64_t count) {
            kernels_.dequantize(x.as<uint8_t>(0) + first, y[0] + first, count, scale_, zero_);
        });
    }

private:
    const IntegerKernels& kernels_;
    const int64_t numbers_;
    const float scale_, zero_;
};

class IntegerAdd final : public Step {
public:
    IntegerAdd(const Blocked& a, const std::vector<float>& numbers)
        : kernels_(integer_kernels()), count_(a.n * a.image()), numbers_(numbers) {}
    void run(const Reads& x, const Writes& y) const override {
        each_part(count_, [&](int64_t first, int64_t count) {
            kernels_.add(x.as<uint8_t>(0) + first, x.as<uint8_t>(1) + first,
                         y.as<uint8_t>(0) + first, count, numbers_.data());
        });
    }

private:
    const IntegerKernels& kernels_;
    const int64_t count_;
    const std::vector<float> numbers_;
};

class IntegerStep final : public Step {
public:
    IntegerStep(std::shared_ptr<const IntegerConvolution> layer, int64_t n)
        : layer_(std::move(layer)), n_(n) {}
    void run(const Reads& x, const Writes& y) const override {
        const IntegerSpec& s = layer_->spec;
        const Blocked in{n_, s.c, s.h, s.w, blocks_of(s.c), Element::uint8};
        const Blocked out{n_, s.k, s.out_h(), s.out_w(), blocks_of(s.k), Element::uint8};
        layer_->run(in, x.as<uint8_t>(0), out, y.as<uint8_t>(0), nullptr);
    }
    size_t weight_bytes() const override { return layer_->weight_bytes(); }

private:
    const std::shared_ptr<const IntegerConvolution> layer_;
    const int64_t n_;
};

}  // namespace

StepPointer quantize_step(const Blocked& x, const IntegerRounding& to) {
    return std::make_shared<Quantize>(x, to);
}

StepPointer dequantize_step(const Blocked& x, float scale, float zero) {
    return std::make_shared<Dequantize>(x, scale, zero);
}

StepPointer add_integers_step(const Blocked& a, const std::vector<float>& numbers) {
    return std::make_shared<IntegerAdd>(a, numbers);
}

StepPointer integer_step(std::shared_ptr<const IntegerConvolution> layer, int64_t n) {
    return std::make_shared<IntegerStep>(std::move(layer), n);
}

}  // namespace darter
