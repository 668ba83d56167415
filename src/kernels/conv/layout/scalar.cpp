#include "conv/layout/kernel.hpp"
#include "simd/scalar.hpp"

namespace darter::scalar {
namespace {

struct Square {
    static constexpr int side = 4;
    Vector::Lanes rows[side];

    void load(int row, const float* from, int count) {
        if (count == side) {
            rows[row] = Vector::load(from).v;
            return;
        }
        rows[row] = Vector::Lanes{};
        for (int i = 0; i < count; ++i) rows[row][i] = from[i];
    }
    void store(int row, float* to, int count) const {
        if (count == side) return Vector{rows[row]}.store(to);
        for (int i = 0; i < count; ++i) to[i] = rows[row][i];
    }
    void transpose() {
        auto low = [](auto a, auto b) { return __builtin_shufflevector(a, b, 0, 4, 1, 5); };
        auto high = [](auto a, auto b) { return __builtin_shufflevector(a, b, 2, 6, 3, 7); };
        const auto a = low(rows[0], rows[2]), b = high(rows[0], rows[2]);
        const auto c = low(rows[1], rows[3]), d = high(rows[1], rows[3]);
        rows[0] = low(a, c), rows[1] = high(a, c), rows[2] = low(b, d), rows[3] = high(b, d);
    }
};

}  // namespace

extern const LayoutKernels layout_kernels;
const LayoutKernels layout_kernels = layout::kernels<Square>();

}  // namespace darter::scalar
