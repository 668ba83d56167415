#include <nanobind/ndarray.h>

#include "gemm/gemm.hpp"
#include "register.hpp"

namespace darter {
namespace {

using Input = nb::ndarray<const float, nb::ndim<2>, nb::device::cpu>;
using Output = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

Operand operand(const Input& x) { return {x.data(), x.stride(0), x.stride(1)}; }

}  // namespace

void register_gemm(nb::module_& m) {
    m.def(
        "gemm",
        [](const Input& a, const Input& b, const Output& out, GemmAlgorithm algorithm,
           Precision precision) {
            int64_t rows = a.shape(0), columns = b.shape(1), depth = a.shape(1);
            nb::gil_scoped_release unlocked;
            if (algorithm == GemmAlgorithm::blocked)
                gemm(rows, columns, depth, operand(a), operand(b), Target(out.data(), columns, 1),
                     true, precision);
            else
                strassen(rows, columns, depth, operand(a), operand(b), out.data(), columns,
                         static_cast<int>(algorithm));
        },
        nb::arg("a"), nb::arg("b"), nb::arg("out"), nb::arg("algorithm"),
        nb::arg("precision"));
#if defined(__x86_64__)
    if (available_isas().back() == Isa::amx) {
        m.def("load_foreign_tiles", &amx::load_foreign_tiles);
        m.def("tiles_in_use", &amx::tiles_in_use);
    }
#endif
}

}  // namespace darter
