// How the operands of products are kept. Not for files of one instruction set (inline functions).
#pragma once
#include <cstring>

#include "bfloat16/arrays.hpp"
#include "bfloat16/number.hpp"
#include "element.hpp"
#include "product/product.hpp"
#include "runtime/memory.hpp"

namespace darter {

enum class Precision { float32, bfloat16 };  // of operands; sums and outputs are float32

// float32; bfloat16, its rows of b in pairs; or, where the CPU cannot multiply those, float32 that
// hold bfloat16 values: the same products, in other sums. Fixed to the instruction set that is
// active when it is made. Indices and counts are in elements.
class Operands {
public:
    explicit Operands(Precision precision)
        : rounded_(precision == Precision::bfloat16),
          pairs_(rounded_ ? bfloat16_product_kernels(active_isa()) : nullptr),
          arrays_(bfloat16_arrays(active_isa())) {}

    const ProductKernels& product() const {
        return pairs_ ? *pairs_ : product_kernels(active_isa());
    }
    bool rounded() const { return rounded_; }
    // Whether arrays of these are operands as they are.
    bool are(Element element) const {
        return element == (pairs_ ? Element::bfloat16 : Element::float32) && rounded_ == !!pairs_;
    }
    int pack() const { return pairs_ ? 2 : 1; }  // rows of b that lie together
    int64_t bytes(int64_t count) const { return count * (pairs_ ? 2 : 4); }
    size_t floats(int64_t count) const { return static_cast<size_t>(bytes(count) + 3) / 4; }

    const void* at(const void* data, int64_t index) const {
        return static_cast<const char*>(data) + bytes(index);
    }
    void* at(void* data, int64_t index) const { return static_cast<char*>(data) + bytes(index); }

    // Rounds `count` neighbours; a multiple of 16 unless they are float32.
    void store(const float* from, void* to, int64_t count) const {
        if (pairs_) return arrays_->round(from, static_cast<uint16_t*>(to), count);
        if (!rounded_) {
            std::memcpy(to, from, count * sizeof(float));
            return;
        }
        float* values = static_cast<float*>(to);
        for (int64_t i = 0; i < count; ++i) values[i] = from_bfloat16(to_bfloat16(from[i]));
    }

    // The same of numbers kept as either; bfloat16 only where the CPU has it.
    void store(const void* from, Element element, int64_t index, void* to, int64_t count) const {
        if (element == Element::float32)
            return store(static_cast<const float*>(from) + index, to, count);
        const uint16_t* numbers = static_cast<const uint16_t*>(from) + index;
        if (!pairs_) return arrays_->widen(numbers, static_cast<float*>(to), count);
        std::memcpy(to, numbers, count * sizeof(uint16_t));
    }

    // Sets b(row, column) of a packed b that is `columns` wide and begins at `begin`.
    void set_weight(void* b, int64_t begin, int64_t columns, int64_t row, int64_t column,
                    float value) const {
        if (pairs_)
            static_cast<uint16_t*>(b)[begin + (row / 2 * columns + column) * 2 + row % 2] =
                to_bfloat16(value);
        else
            static_cast<float*>(b)[begin + row * columns + column] =
                rounded_ ? from_bfloat16(to_bfloat16(value)) : value;
    }

    // The same of 16 columns from `column` on, in `pack()` rows from `row` on, a multiple of it; rows of
    // `from` are `step` floats apart.
    void set_rows(void* b, int64_t begin, int64_t columns, int64_t row, int64_t column,
                  const float* from, int64_t step) const {
        void* to = at(b, begin + row * columns + column * pack());
        if (pairs_) return arrays_->in_turns(from, from + step, static_cast<uint16_t*>(to));
        store(from, to, 16);
    }

private:
    const bool rounded_;
    const ProductKernels* const pairs_;
    const Bfloat16Arrays* const arrays_;
};

}  // namespace darter
