#include "integer/kernel.hpp"

namespace darter::scalar {
namespace {

struct Scalar : PlainFinish {
    static constexpr int kLanes = 1, kPixels[] = {2};
    using Sums = int32_t;
    using Weights = const int8_t*;
    using Values = const uint8_t*;
    static Sums sums(const int32_t* from) { return *from; }
    static Weights weights(const int8_t* w) { return w; }
    static Values values(const uint8_t* x) { return x; }
    static Sums dot(Sums sums, Values x, Weights w) {
        return sums + x[0] * w[0] + x[1] * w[1] + x[2] * w[2] + x[3] * w[3];
    }
    typedef int16_t Halves __attribute__((vector_size(2 * kIntegerBlock)));
    static Halves halves(const uint8_t* x, int64_t) {
        Halves h;
        for (int c = 0; c < kIntegerBlock; ++c) h[c] = x[c];
        return h;
    }
    using PairWeights = const int16_t*;
    static PairWeights pair_weights(const int16_t* w) { return w; }
    static const int16_t* pair_values(const int16_t* v) { return v; }
    static Sums dot_pairs(Sums sums, const int16_t* v, PairWeights w) {  // wraps around
        const uint32_t products = static_cast<uint32_t>(v[0] * w[0]) + static_cast<uint32_t>(v[1] * w[1]);
        return static_cast<Sums>(static_cast<uint32_t>(sums) + products);
    }
    static void store(int32_t* to, Sums sums) { *to = sums; }
};

}  // namespace

extern const IntegerKernels integer_kernels;
const IntegerKernels integer_kernels = integer_kernels_of<Scalar>();

}  // namespace darter::scalar
