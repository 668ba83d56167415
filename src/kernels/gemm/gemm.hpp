// Matrix products: packed, blocked for the caches, on all threads.
#pragma once
#include <cstdint>

#include "product/operands.hpp"

namespace darter {

// Up to four matrices of one shape, added with their signs while they are packed: what Strassen's
// sums need. A plain operand has one term.
template <typename Element>
struct Sum {
    Element* terms[4];
    float signs[4];
    int count;
    int64_t row_stride, column_stride;

    Sum(Element* data, int64_t row_stride, int64_t column_stride)
        : terms{data}, signs{1}, count(1), row_stride(row_stride), column_stride(column_stride) {}
};
using Operand = Sum<const float>;
using Target = Sum<float>;  // the product is added to every term; column_stride is 1

// target += a (m x k) * b (k x n), or target = a * b where `overwrite` (one term, sign +1 only).
// bfloat16: a and b (their sums, where there are several terms) are rounded to it while packed.
void gemm(int64_t m, int64_t n, int64_t k, const Operand& a, const Operand& b, const Target& target,
          bool overwrite, Precision precision = Precision::float32);

enum class GemmAlgorithm { blocked, strassen, strassen_2 };  // as a number: levels of Strassen

// c = a * b by Strassen's seven products, `levels` deep (1 or 2). Odd rows and columns are
// finished by gemm.
void strassen(int64_t m, int64_t n, int64_t k, const Operand& a, const Operand& b, float* c,
              int64_t c_stride, int levels);

}  // namespace darter
