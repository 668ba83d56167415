#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <stdexcept>

#include "binary/binary.hpp"
#include "register.hpp"

namespace darter {
namespace {

using Floats = nb::ndarray<const float, nb::c_contig, nb::device::cpu>;
using Output = nb::ndarray<float, nb::c_contig, nb::device::cpu>;
using Bits = nb::ndarray<const uint64_t, nb::c_contig, nb::device::cpu>;
using BitsOutput = nb::ndarray<uint64_t, nb::c_contig, nb::device::cpu>;

BinarySpec binary_spec(const std::vector<int64_t>& v) {
    if (v.size() != 14) throw std::invalid_argument("a binary convolution has 14 numbers");
    return {v[0], v[1], v[2], v[3], v[4], v[5], v[6],
            v[7], v[8], v[9], v[10], v[11], v[12], v[13]};
}

void check(size_t got, int64_t expected, const char* name) {
    if (static_cast<int64_t>(got) != expected) throw std::invalid_argument(name);
}

std::shared_ptr<BinaryConvolution> make(const std::vector<int64_t>& numbers, Floats w,
                                        Floats scale, Floats bias, Floats slope, Floats shift) {
    const BinarySpec spec = binary_spec(numbers);
    check(w.size(), spec.k * spec.c * spec.r * spec.s, "w has another size");
    for (const Floats* each : {&scale, &bias, &slope, &shift})
        check(each->size(), spec.k, "what follows the sums has another size");
    return std::make_shared<BinaryConvolution>(
        spec, w.data(), BinaryAfter{scale.data(), bias.data(), slope.data(), shift.data()});
}

void run(const BinaryConvolution& layer, Bits x, std::optional<Floats> residual, Output y,
         int64_t n) {
    const BinarySpec& s = layer.spec;
    const int64_t floats = n * blocks_of(s.k) * s.out_h() * s.out_w() * kBlock;
    check(x.size(), packed_words(n, s.c, s.h, s.w), "x has another size");
    check(y.size(), floats, "y has another size");
    if (residual) check(residual->size(), floats, "the residual has another size");
    nb::gil_scoped_release release;
    layer.run(n, x.data(), residual ? residual->data() : nullptr, y.data(), blocks_of(s.k));
}

void run_to_bits(const BinaryConvolution& layer, Bits x, BitsOutput y, int64_t n) {
    const BinarySpec& s = layer.spec;
    if (!layer.gives_bits()) throw std::invalid_argument("the layer has no thresholds");
    check(x.size(), packed_words(n, s.c, s.h, s.w), "x has another size");
    check(y.size(), packed_words(n, s.k, s.out_h(), s.out_w()), "y has another size");
    nb::gil_scoped_release release;
    layer.run(n, x.data(), y.data());
}

}  // namespace

void register_binary(nb::module_& m) {
    nb::class_<BinaryConvolution>(m, "BinaryConvolution")
        .def("compare_with",
             [](BinaryConvolution& layer, Floats thresholds) {
                 check(thresholds.size(), layer.spec.k, "thresholds have another size");
                 layer.compare_with(thresholds.data());
             },
             nb::arg("thresholds"))
        .def("run", &run, nb::arg("x"), nb::arg("residual").none(), nb::arg("y"), nb::arg("n"))
        .def("run_to_bits", &run_to_bits, nb::arg("x"), nb::arg("y"), nb::arg("n"))
        .def_prop_ro("weight_bytes", &BinaryConvolution::weight_bytes);
    m.def("binary_convolution", &make, nb::arg("spec"), nb::arg("w"), nb::arg("scale"),
          nb::arg("bias"), nb::arg("slope"), nb::arg("shift"));
    m.def(
        "pack_bits",
        [](Floats x, Floats thresholds, BitsOutput bits, int64_t channels) {
            if (x.ndim() != 5) throw std::invalid_argument("x is no blocked array");
            const Blocked shape{static_cast<int64_t>(x.shape(0)), channels,
                                static_cast<int64_t>(x.shape(2)), static_cast<int64_t>(x.shape(3)),
                                blocks_of(channels)};
            check(x.size(), shape.n * shape.image(), "x has another size");
            check(thresholds.size(), shape.blocks() * kBlock, "thresholds have another size");
            check(bits.size(), packed_words(shape.n, channels, shape.h, shape.w),
                  "bits have another size");
            nb::gil_scoped_release release;
            pack_bits(shape, x.data(), thresholds.data(), bits.data());
        },
        nb::arg("x"), nb::arg("thresholds"), nb::arg("bits"), nb::arg("channels"));
}

}  // namespace darter
