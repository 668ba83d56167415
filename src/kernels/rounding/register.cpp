#include <nanobind/ndarray.h>

#include <algorithm>

#include "register.hpp"
#include "rounding/rounding.hpp"
#include "rounding/sums.hpp"
#include "runtime/isa.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {
namespace scalar { extern const RoundingKernels rounding_kernels; }
namespace avx2 { extern const RoundingKernels rounding_kernels; }
namespace neon { extern const RoundingKernels rounding_kernels; }
namespace avx512 { extern const RoundingKernels rounding_kernels; }

namespace {

constexpr Dispatch<const RoundingKernels*> kKernels{EVERY_ISA(rounding_kernels)};

constexpr int64_t kTask = 256 * kRoundingGroup;  // numbers of one task

using Input = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Output = nb::ndarray<float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Matrix = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using OutputMatrix = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// Calls body(first, count) for parts of an array; each part begins with a group of draws.
template <typename Body>
void in_parts(int64_t count, const Body& body) {
    nb::gil_scoped_release release;
    parallel_for((count + kTask - 1) / kTask, [&](size_t task) {
        const int64_t first = static_cast<int64_t>(task) * kTask;
        body(first, std::min(kTask, count - first));
    });
}

void round_fixed(Input from, Output to, int integer_bits, int fraction_bits, bool stochastic,
                 uint64_t seed, uint64_t stream) {
    const RoundingKernels& kernels = *kKernels.active();
    const FixedFormat format{integer_bits, fraction_bits};
    in_parts(static_cast<int64_t>(from.size()), [&](int64_t first, int64_t count) {
        const float* source = from.data() + first;
        float* target = to.data() + first;
        if (stochastic)
            kernels.fixed_stochastic(source, target, count, format, {seed, stream},
                                     static_cast<uint64_t>(first / kRoundingGroup));
        else
            kernels.fixed_nearest(source, target, count, format);
    });
}

void round_bfloat16(Input from, Output to, uint64_t seed, uint64_t stream) {
    const RoundingKernels& kernels = *kKernels.active();
    in_parts(static_cast<int64_t>(from.size()), [&](int64_t first, int64_t count) {
        kernels.bfloat16_stochastic(from.data() + first, to.data() + first, count, {seed, stream},
                                    static_cast<uint64_t>(first / kRoundingGroup));
    });
}

void round_rows_bfloat16(Matrix from, OutputMatrix to) {
    nb::gil_scoped_release release;
    const auto columns = static_cast<int64_t>(from.shape(1));
    parallel_for(from.shape(0), [&](size_t row) {
        const int64_t first = static_cast<int64_t>(row) * columns;
        round_row_keeping_sum(from.data() + first, to.data() + first, columns);
    });
}

}  // namespace

void register_rounding(nb::module_& m) {
    m.def("round_fixed", &round_fixed, nb::arg("x"), nb::arg("out"), nb::arg("integer_bits"),
          nb::arg("fraction_bits"), nb::arg("stochastic"), nb::arg("seed"), nb::arg("stream"));
    m.def("round_bfloat16", &round_bfloat16, nb::arg("x"), nb::arg("out"), nb::arg("seed"),
          nb::arg("stream"));
    m.def("round_rows_bfloat16", &round_rows_bfloat16, nb::arg("x"), nb::arg("out"));
}

}  // namespace darter
