// Strassen's seven products. Each level replaces an operand by sums of its quarters; the sums are
// made while packing, and each product is added to up to four quarters of the result, so no
// temporary matrix exists. Source: Huang, Smith, Henry & van de Geijn, "Strassen's algorithm
// reloaded", SC'16.
#include <algorithm>
#include <vector>

#include "gemm/gemm.hpp"

namespace darter {
namespace {

struct Part {
    int quarter;  // row * 2 + column
    float sign;
};

struct Step {
    std::vector<Part> a, b, c;
};

const Step kSteps[] = {
    {{{0, 1}, {3, 1}}, {{0, 1}, {3, 1}}, {{0, 1}, {3, 1}}},
    {{{2, 1}, {3, 1}}, {{0, 1}}, {{2, 1}, {3, -1}}},
    {{{0, 1}}, {{1, 1}, {3, -1}}, {{1, 1}, {3, 1}}},
    {{{3, 1}}, {{2, 1}, {0, -1}}, {{0, 1}, {2, 1}}},
    {{{0, 1}, {1, 1}}, {{3, 1}}, {{1, 1}, {0, -1}}},
    {{{2, 1}, {0, -1}}, {{0, 1}, {1, 1}}, {{3, 1}}},
    {{{1, 1}, {3, -1}}, {{2, 1}, {3, 1}}, {{0, 1}}},
};

// The sum of quarters of every term of `whole`; a quarter has rows x columns elements.
template <typename Element>
Sum<Element> quarters(const Sum<Element>& whole, const std::vector<Part>& parts, int64_t rows,
                      int64_t columns) {
    Sum<Element> sum = whole;
    sum.count = 0;
    for (int t = 0; t < whole.count; ++t)
        for (const Part& part : parts) {
            sum.terms[sum.count] = whole.terms[t] + part.quarter / 2 * rows * whole.row_stride +
                                   part.quarter % 2 * columns * whole.column_stride;
            sum.signs[sum.count++] = whole.signs[t] * part.sign;
        }
    return sum;
}

void multiply(int64_t m, int64_t n, int64_t k, const Operand& a, const Operand& b,
              const Target& c, int levels) {
    if (levels == 0) return gemm(m, n, k, a, b, c, false);
    m /= 2, n /= 2, k /= 2;
    for (const Step& step : kSteps)
        multiply(m, n, k, quarters(a, step.a, m, k), quarters(b, step.b, k, n),
                 quarters(c, step.c, m, n), levels - 1);
}

Operand shifted(Operand x, int64_t rows, int64_t columns) {
    x.terms[0] += rows * x.row_stride + columns * x.column_stride;
    return x;
}

}  // namespace

void strassen(int64_t m, int64_t n, int64_t k, const Operand& a, const Operand& b, float* c,
              int64_t c_stride, int levels) {
    int64_t unit = int64_t{1} << levels;
    int64_t even_m = m / unit * unit, even_n = n / unit * unit, even_k = k / unit * unit;
    Target whole(c, c_stride, 1);
    for (int64_t i = 0; i < even_m; ++i) std::fill_n(c + i * c_stride, even_n, 0.0f);
    multiply(even_m, even_n, even_k, a, b, whole, levels);
    // What the even part leaves: the last products of the depth, the last columns, the last rows.
    if (even_k < k)
        gemm(even_m, even_n, k - even_k, shifted(a, 0, even_k), shifted(b, even_k, 0), whole, false);
    if (even_n < n)
        gemm(even_m, n - even_n, k, a, shifted(b, 0, even_n), Target(c + even_n, c_stride, 1), true);
    if (even_m < m)
        gemm(m - even_m, n, k, shifted(a, even_m, 0), b, Target(c + even_m * c_stride, c_stride, 1),
             true);
}

}  // namespace darter
