// Tensors of 8-bit integers, and products of them. All of them are whole: no slices of others.
#include "integer/integer.hpp"

#include <algorithm>
#include <cstring>

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

// Of rows and columns of each channel. Channels past the last are 0.
class QuantizePlain final : public Step {
public:
    QuantizePlain(const Blocked& y, const IntegerRounding& to)
        : kernels_(integer_kernels()), y_(y), to_(to) {}
    void run(const Reads& x, const Writes& y) const override {
        const int64_t parts = ceil_div(y_.pixels(), kRow);
        each_piece(y_.planes() * parts, kRow * kBlock, [&](int64_t begin, int64_t end) {
            alignas(64) uint8_t rows[kBlock][kRow];
            for (int64_t i = begin; i < end; ++i) {
                const int64_t plane = i / parts, image = plane / y_.blocks(), block = plane % y_.blocks();
                const int64_t first = i % parts * kRow, count = std::min(kRow, y_.pixels() - first);
                const int64_t channels = std::min<int64_t>(kBlock, y_.channels - block * kBlock);
                const float* from = x[0] + (image * y_.channels + block * kBlock) * y_.pixels() + first;
                for (int64_t c = 0; c < channels; ++c)
                    kernels_.quantize(from + c * y_.pixels(), rows[c], count, to_.step, to_.low, to_.high,
                                      to_.zero);
                uint8_t* to = y.as<uint8_t>(0) + y_.at(plane) + first * kBlock;
                for (int64_t c = channels; c < kBlock; ++c) std::memset(rows[c], 0, count);
                channels <= 4 ? few(rows, to, count) : turned(rows, to, count);
            }
        });
    }

private:
    using Rows = uint8_t[kBlock][kRow];
    static void few(const Rows& rows, uint8_t* to, int64_t count) {
        uint32_t pixels[kRow];
        for (int64_t p = 0; p < count; ++p)
            pixels[p] = rows[0][p] | uint32_t{rows[1][p]} << 8 | uint32_t{rows[2][p]} << 16 |
                        uint32_t{rows[3][p]} << 24;
        for (int64_t p = 0; p < count; ++p, to += kBlock) {
            const uint64_t halves[2] = {pixels[p], 0};
            std::memcpy(to, halves, kBlock);
        }
    }
    static void turned(const Rows& rows, uint8_t* to, int64_t count) {
        for (int64_t p = 0; p < count; ++p)
            for (int64_t c = 0; c < kBlock; ++c) *to++ = rows[c][p];
    }

    const IntegerKernels& kernels_;
    const Blocked y_;
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

class IntegerScale final : public Step {
public:
    IntegerScale(const Blocked& x, const std::vector<float>& numbers)
        : kernels_(integer_kernels()), count_(x.n * x.image()), numbers_(numbers) {}
    void run(const Reads& x, const Writes& y) const override {
        each_part(count_, [&](int64_t first, int64_t count) {
            kernels_.rescale(x.as<uint8_t>(0) + first, y.as<uint8_t>(0) + first, count, numbers_.data());
        });
    }

private:
    const IntegerKernels& kernels_;
    const int64_t count_;
    const std::vector<float> numbers_;
};

class IntegerTable final : public Step {
public:
    IntegerTable(const Blocked& x, const Blocked& y, int64_t channel, const std::vector<uint8_t>& table)
        : x_(x), y_(y), channel_(channel), table_(table) {
        same_ = true;
        for (int i = 0; i < 256; ++i) same_ = same_ && table_[i] == i;
    }
    void run(const Reads& x, const Writes& y) const override {
        each_piece(x_.planes(), x_.plane(), [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) {
                const int64_t block = i % x_.blocks(), image = i / x_.blocks();
                const uint8_t* from = x.as<uint8_t>(0) + x_.at(i);
                uint8_t* to = y.as<uint8_t>(0) + image * y_.image();
                const int64_t begin = channel_ + block * kBlock;
                if (channel_ % kBlock == 0)
                    whole(from, to + begin / kBlock * y_.plane());
                else
                    apart(from, to, begin, std::min<int64_t>(kBlock, x_.channels - block * kBlock));
            }
        });
    }

private:
    void whole(const uint8_t* from, uint8_t* to) const {
        if (same_) std::copy_n(from, x_.plane(), to);
        else
            for (int64_t i = 0; i < x_.plane(); ++i) to[i] = table_[from[i]];
    }
    // A block's channels that become the last of one block and the first of the next.
    void apart(const uint8_t* from, uint8_t* to, int64_t begin, int64_t channels) const {
        const int64_t at = begin % kBlock, head = std::min(channels, kBlock - at);
        uint8_t* own = to + begin / kBlock * y_.plane();
        for (int64_t p = 0; p < x_.pixels(); ++p, from += kBlock, own += kBlock) {
            for (int64_t c = 0; c < head; ++c) own[at + c] = table_[from[c]];
            for (int64_t c = head; c < channels; ++c)
                own[y_.plane() + c - head] = table_[from[c]];
        }
    }

    const Blocked x_, y_;
    const int64_t channel_;
    const std::vector<uint8_t> table_;
    bool same_;
};

// The rows of a window are reduced to a line first, then the line's columns.
class IntegerPool final : public Step {
public:
    IntegerPool(const Blocked& x, const Blocked& y, const PoolShape& shape)
        : kernels_(integer_kernels()), x_(x), y_(y), s_(shape) {}
    void run(const Reads& x, const Writes& y) const override {
        const int64_t row = x_.w * kBlock, work = s_.kernel_h * row + s_.kernel_w * y_.w * kBlock;
        const int64_t reach = (y_.w - 1) * s_.stride_w + (s_.kernel_w - 1) * s_.dilation_w + 1;
        each_piece(y_.planes() * y_.h, work / 4, [&](int64_t first, int64_t last) {
            std::vector<uint8_t> line(std::max(reach, s_.pad_left + x_.w) * kBlock);
            for (int64_t i = first; i < last; ++i) {
                const int64_t top = i % y_.h * s_.stride_h - s_.pad_top, step = s_.dilation_h;
                const int64_t begin = top < 0 ? ceil_div(-top, step) : 0;
                const int64_t end = std::min(s_.kernel_h, top < x_.h ? ceil_div(x_.h - top, step) : 0);
                const uint8_t* from = x.as<uint8_t>(0) + x_.at(i / y_.h) + (top + begin * step) * row;
                kernels_.pool({from, step * row, std::max<int64_t>(0, end - begin), row, line.data(),
                               s_.pad_left, s_.kernel_w, s_.stride_w, s_.dilation_w,
                               y.as<uint8_t>(0) + y_.at(i / y_.h) + i % y_.h * y_.w * kBlock, y_.w});
            }
        });
    }

private:
    const IntegerKernels& kernels_;
    const Blocked x_, y_;
    const PoolShape s_;
};

class IntegerRows final : public Step {
public:
    explicit IntegerRows(const Blocked& x) : x_(x) {}
    void run(const Reads& x, const Writes& y) const override {
        const int64_t pixels = x_.pixels(), row = ceil_div(x_.channels * pixels, kBlock) * kBlock;
        each_piece(x_.planes(), x_.plane(), [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) {
                const int64_t block = i % x_.blocks();
                const uint8_t* from = x.as<uint8_t>(0) + x_.at(i);
                uint8_t* to = y.as<uint8_t>(0) + i / x_.blocks() * row + block * kBlock * pixels;
                const int64_t channels = std::min<int64_t>(kBlock, x_.channels - block * kBlock);
                for (int64_t c = 0; c < channels; ++c)
                    for (int64_t p = 0; p < pixels; ++p) to[c * pixels + p] = from[p * kBlock + c];
            }
        });
    }

private:
    const Blocked x_;
};

class IntegerStep final : public Step {
public:
    IntegerStep(std::shared_ptr<const IntegerConvolution> layer, int64_t n)
        : layer_(std::move(layer)), n_(n) {}
    void run(const Reads& x, const Writes& y) const override {
        const IntegerSpec& s = layer_->spec;
        const Blocked in{n_, s.c, s.h, s.w, blocks_of(s.c), Element::uint8};
        const Blocked out{n_, s.k, s.out_h(), s.out_w(), blocks_of(s.k), Element::uint8};
        layer_->run(in, x.as<uint8_t>(0), out, y.as<uint8_t>(0),
                    layer_->adds() ? x.as<uint8_t>(1) : nullptr);
    }
    size_t weight_bytes() const override { return layer_->weight_bytes(); }

private:
    const std::shared_ptr<const IntegerConvolution> layer_;
    const int64_t n_;
};

class RoundedIntegerStep final : public Step {
public:
    RoundedIntegerStep(std::shared_ptr<const IntegerConvolution> layer, int64_t n,
                       const IntegerRounding& first)
        : layer_(std::move(layer)), n_(n), first_(first) {}
    void run(const Reads& x, const Writes& y) const override {
        const IntegerSpec& s = layer_->spec;
        const Blocked out{n_, s.k, s.out_h(), s.out_w(), blocks_of(s.k), Element::uint8};
        layer_->run_rounded(n_, x[0], first_, out, y.as<uint8_t>(0),
                            layer_->adds() ? x.as<uint8_t>(1) : nullptr);
    }
    size_t weight_bytes() const override { return layer_->weight_bytes(); }

private:
    const std::shared_ptr<const IntegerConvolution> layer_;
    const int64_t n_;
    const IntegerRounding first_;
};

}  // namespace

StepPointer quantize_step(const Blocked& x, const IntegerRounding& to) {
    return std::make_shared<Quantize>(x, to);
}

StepPointer quantize_plain_step(const Blocked& y, const IntegerRounding& to) {
    return std::make_shared<QuantizePlain>(y, to);
}

StepPointer dequantize_step(const Blocked& x, float scale, float zero) {
    return std::make_shared<Dequantize>(x, scale, zero);
}

StepPointer add_integers_step(const Blocked& a, const std::vector<float>& numbers) {
    return std::make_shared<IntegerAdd>(a, numbers);
}

StepPointer integer_scale_step(const Blocked& x, const std::vector<float>& numbers) {
    return std::make_shared<IntegerScale>(x, numbers);
}

StepPointer integer_table_step(const Blocked& x, const Blocked& y, int64_t channel,
                               const std::vector<uint8_t>& table) {
    return std::make_shared<IntegerTable>(x, y, channel, table);
}

StepPointer integer_pool_step(const Blocked& x, const Blocked& y, const PoolShape& shape) {
    return std::make_shared<IntegerPool>(x, y, shape);
}

StepPointer integer_rows_step(const Blocked& x) { return std::make_shared<IntegerRows>(x); }

StepPointer integer_step(std::shared_ptr<const IntegerConvolution> layer, int64_t n) {
    return std::make_shared<IntegerStep>(std::move(layer), n);
}

StepPointer rounded_integer_step(std::shared_ptr<const IntegerConvolution> layer, int64_t n,
                                 const IntegerRounding& first) {
    return std::make_shared<RoundedIntegerStep>(std::move(layer), n, first);
}

}  // namespace darter
